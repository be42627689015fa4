//! The figures of a node: sc-executor on wasmtime, and this executor. `cargo bench` runs it.
//!
//! ```text
//! order of processes, by chance --> one process, one figure on one engine --> samples
//!                                                   figures.jsonl <--`--> tables
//! ```
//!
//! Each sample is of a fresh process; a ratio is of medians, with the 95 % interval of 2000 resamplings.
//! Raw samples are kept. `FIGURES=calls,artifact` chooses, `PROCESSES=40` says how many of each.
//!
//! `validation` is measured where `PARACHAIN` names a parachain's chain spec and `CANDIDATE` what
//! `lithify build-block --candidate` made of it.

#[path = "../../tests/support/mod.rs"]
mod support;

mod chance;
mod children;
mod report;

use chance::Chance;
use lithify_executor::worker;
use serde_json::{Value, json};
use sp_maybe_compressed_blob::{CODE_BLOB_BOMB_LIMIT, compress_weakly};
use std::{
    env, fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, exit},
};

/// A figure, and the rows that are measured for it.
struct Figure {
    name: &'static str,
    rows: &'static [&'static str],
    child: fn(row: &str, inputs: &Inputs, seed: u64) -> Value,
}

const FIGURES: [Figure; 5] = [
    Figure {
        name: "calls",
        rows: &["wasmtime", "lithify", "lithify, no image yet"],
        child: children::calls,
    },
    Figure {
        name: "compile",
        rows: &["wasmtime", "lithify", "lithify, no image yet"],
        child: children::compile,
    },
    Figure { name: "artifact", rows: &["wasmtime", "lithify"], child: children::artifact },
    Figure { name: "validation", rows: &["wasmtime", "lithify"], child: children::validation },
    Figure { name: "memory", rows: &["wasmtime", "lithify"], child: children::memory },
];

/// A parachain to validate a block of.
pub struct Parachain {
    /// Its chain spec.
    pub spec: PathBuf,
    /// The argument of `validate_block`.
    pub candidate: PathBuf,
}

/// The one that was asked for.
pub fn parachain() -> Option<Parachain> {
    let path = |name| env::var_os(name).map(PathBuf::from);
    Some(Parachain { spec: path("PARACHAIN")?, candidate: path("CANDIDATE")? })
}

/// How many versions of the runtime there are.
const VERSIONS: usize = 20;

/// A folder with what all processes read.
pub struct Inputs {
    folder: PathBuf,
}

impl Inputs {
    /// Versions of one runtime: the bundled one, and a custom section that makes its hash another.
    fn make(folder: &Path, versions: usize) -> Self {
        let spec = support::read(support::file("workloads/solochain/chain-spec.json"), "spec");
        for version in 0..versions {
            let mut wasm = spec.wasm().to_vec();
            wasm.extend([0, 3, 1, b'v', version as u8]);
            let code = compress_weakly(&wasm, CODE_BLOB_BOMB_LIMIT).expect("it is small");
            fs::write(folder.join(format!("code-{version}")), code).expect("the folder is ours");
        }
        let inputs = Self { folder: folder.into() };
        children::fill(&inputs, versions);
        inputs
    }

    fn code(&self, version: usize) -> Vec<u8> {
        fs::read(self.folder.join(format!("code-{version}"))).expect("it was made")
    }

    /// The store with all images.
    fn store(&self) -> PathBuf {
        self.folder.join("store")
    }
}

fn main() {
    worker::run_if_asked();
    let arguments: Vec<_> = env::args().collect();
    if let [_, child, figure, row, folder, seed] = &arguments[..]
        && child == "--child"
    {
        let inputs = Inputs { folder: folder.into() };
        let figure = FIGURES.iter().find(|known| known.name == figure).expect("a figure");
        println!("{}", (figure.child)(row, &inputs, seed.parse().expect("a number")));
        return;
    }
    let number = |name: &str, default| match env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| stop(&format!("{name} is no number: {text}"))),
        Err(_) => default,
    };
    let (processes, seed) = (number("PROCESSES", 12), number("SEED", 1));
    let chosen = env::var("FIGURES").unwrap_or_default();
    let is_chosen =
        |figure: &&Figure| chosen.is_empty() || chosen.split(',').any(|name| name == figure.name);
    let can_be = |figure: &&Figure| figure.name != "validation" || parachain().is_some();
    let figures: Vec<_> = FIGURES.iter().filter(is_chosen).filter(can_be).collect();
    if figures.is_empty() {
        let names = FIGURES.map(|figure| figure.name);
        stop(&format!("FIGURES names none of {names:?} that can be measured"));
    }

    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let is_wide = figures.iter().any(|figure| figure.name == "memory");
    let versions = if is_wide { VERSIONS } else { children::CALLED_VERSIONS };
    let inputs = Inputs::make(folder.path(), versions);
    let mut runs: Vec<_> = figures
        .iter()
        .flat_map(|figure| figure.rows.iter().map(|row| (figure.name, *row)))
        .flat_map(|run| (0..processes).map(move |_| run))
        .collect();
    let mut chance = Chance::new(seed);
    chance.shuffle(&mut runs);
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("figures.jsonl");
    let mut file = fs::File::create(&path).unwrap_or_else(|error| stop(&error.to_string()));
    let mut samples = Vec::new();
    for (index, (figure, row)) in runs.iter().enumerate() {
        eprintln!("{}/{}: {figure} on {row}", index + 1, runs.len());
        let sample = json!({
            "figure": figure,
            "row": row,
            "sample": run(figure, row, &inputs, chance.next()),
        });
        writeln!(file, "{sample}").unwrap_or_else(|error| stop(&error.to_string()));
        samples.push(sample);
    }
    for figure in figures {
        report::print(figure.name, figure.rows, &samples, seed, None);
        if figure.name == "compile" {
            report::print(figure.name, figure.rows, &samples, seed, Some("idle"));
        }
    }
    println!("\nraw samples: {}", path.display());
}

/// One process.
fn run(figure: &str, row: &str, inputs: &Inputs, seed: u64) -> Value {
    let program = env::current_exe().unwrap_or_else(|error| stop(&error.to_string()));
    let child = Command::new(program)
        .args(["--child", figure, row])
        .arg(&inputs.folder)
        .arg(seed.to_string())
        .env_remove("LITHIFY_CACHE")
        .output()
        .unwrap_or_else(|error| stop(&error.to_string()));
    match serde_json::from_slice(&child.stdout) {
        Ok(sample) if child.status.success() => sample,
        _ => stop(&format!("{figure} on {row}: {}", String::from_utf8_lossy(&child.stderr))),
    }
}

fn stop(message: &str) -> ! {
    eprintln!("error: {message}");
    exit(1)
}
