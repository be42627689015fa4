//! Turns a job on standard input into samples on standard output, by the protocol of
//! `bench-suite/WORKERS.md`, with the whole host of a chain: what an engine has to bring is in [`Engine`],
//! [`Module`] and [`Instance`].
//!
//! ```text
//! open -> compile, load -> a fresh instance for each call -> samples, output, state root
//! ```
//!
//! What is timed is what `bench-suite/src/engine.rs` times of the engines that are built in.

mod children;
mod instance;
pub mod interface;
#[cfg(feature = "iwasm")]
pub mod iwasm;
#[cfg(feature = "native-go")]
pub mod native_go;
mod shared_library;
pub mod wasm2c;
#[cfg(feature = "wasm3")]
pub mod wasm3;

pub use crate::instance::Instance;

use crate::children::Children;
use crate::instance::Hosted;
use anyhow::{Context, Result, anyhow, bail, ensure};
use lithify_measure::cpu::cpu_ns;
use lithify_measure::peak::Peak;
use lithify_measure::wall::ns;
use lithify_polkadot::{CallContext, Observe, Session, State, StateVersion, parse_hex};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufWriter, Read, Write, stdin, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

/// An engine in one setting.
pub trait Engine {
    /// A module on it.
    type Loaded: Loaded;

    /// Whether its artifacts have code. Else they are modules, and nothing is told of compiling.
    const COMPILES: bool = true;

    /// Whether its guests find the host by the call's context, which can replay what host functions did.
    const REPLAYS: bool = true;

    /// Compiles a module into an artifact.
    fn compile(&self, wasm: &[u8]) -> Result<Vec<u8>>;

    /// Makes an artifact, which it trusts, ready for calls. `probe` is the function that does next to
    /// nothing.
    fn load(&self, artifact: &Path, probe: &str) -> Result<Self::Loaded>;
}

/// What is ready for calls.
pub trait Loaded {
    /// Calls an entry point on a fresh instance, and ends that.
    fn call(&self, entry: &str, input: &[u8], context: &mut CallContext) -> Result<Vec<u8>>;
}

/// A module of which instances are made.
pub trait Module {
    /// An instance of it.
    type Instance<'l>: Instance
    where
        Self: 'l;

    /// A fresh one.
    fn instantiate(&self) -> Result<Self::Instance<'_>>;
}

impl<M: Module> Loaded for M {
    fn call(&self, entry: &str, input: &[u8], context: &mut CallContext) -> Result<Vec<u8>> {
        let mut instance = Hosted(self.instantiate()?);
        let output = lithify_polkadot::call(&mut instance, context, entry, input);
        output.map_err(|error| anyhow!("{error}"))
    }
}

/// What this program is told.
#[derive(Deserialize)]
struct Job {
    protocol: u32,
    task: String,
    #[serde(default)]
    module: PathBuf,
    #[serde(default)]
    artifact: PathBuf,
    #[serde(default)]
    entry: String,
    #[serde(default)]
    input: String,
    state: Option<PathBuf>,
    initialize: Option<String>,
    #[serde(default)]
    samples: u32,
    #[serde(default)]
    probe: String,
}

/// Pairs of a trie, as `0x` hex.
type Pairs = BTreeMap<String, String>;

/// The state that a call sees.
#[derive(Deserialize)]
struct Stored {
    version: u8,
    top: Pairs,
    children: BTreeMap<String, Pairs>,
}

/// The whole program, for the engine that `open` opens.
pub fn main<E: Engine>(open: impl Fn() -> Result<E>) -> ExitCode {
    match work(&open) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn work<E: Engine>(open: &impl Fn() -> Result<E>) -> Result<()> {
    let mut text = String::new();
    stdin().read_to_string(&mut text).context("cannot read the job")?;
    let job: Job = serde_json::from_str(&text).context("not a job")?;
    ensure!(job.protocol == 1, "protocol {} is not known", job.protocol);
    let mut out = BufWriter::new(stdout().lock());
    let mut say = |line: Value| writeln!(out, "{line}");
    match &*job.task {
        "open" => drop(open()?),
        "compile" => {
            for line in compile(&job, open)? {
                say(line)?;
            }
        }
        "call" => {
            for line in calls(&job, open)? {
                say(line)?;
            }
        }
        task => bail!("task {task:?} is not known"),
    }
    out.flush().context("cannot write samples")
}

fn compile<E: Engine>(job: &Job, open: impl Fn() -> Result<E>) -> Result<Vec<Value>> {
    ensure!(job.module != Path::new(""), "the job names no module");
    let wasm = read(&job.module)?;
    let engine = open()?;
    let (peak, cpu, start) = (Peak::start()?, cpu_ns(), Instant::now());
    let bytes = engine.compile(&wasm)?;
    let (wall, cpu, peak) = (ns(start.elapsed()), cpu_ns() - cpu, peak.bytes()?);
    // An engine may have other programs compile.
    let children = Children::so_far();
    let (cpu, peak) = (cpu + children.cpu_ns, peak.max(children.peak_bytes));
    fs::write(&job.artifact, &bytes)
        .with_context(|| format!("cannot write {}", job.artifact.display()))?;
    if !E::COMPILES {
        return Ok(Vec::new());
    }
    Ok(vec![
        json!({ "phase": "compile", "ns": wall }),
        json!({ "phase": "compile-cpu", "ns": cpu }),
        json!({ "phase": "compile-peak", "bytes": peak }),
        json!({ "phase": "artifact", "bytes": bytes.len() }),
    ])
}

fn calls<E: Engine>(job: &Job, open: impl Fn() -> Result<E>) -> Result<Vec<Value>> {
    ensure!(job.artifact != Path::new(""), "the job names no artifact");
    ensure!(!job.entry.is_empty() && !job.input.is_empty(), "the job lacks `entry` or `input`");
    ensure!(E::REPLAYS || job.initialize.is_none(), "this engine has no initialisers");
    let state = state(job.state.as_deref())?;
    let mut session = state.session();
    let mut context = CallContext::new();
    context.initialize_by(job.initialize.clone());
    let input = bytes(&job.input)?;

    let begin = Instant::now();
    let engine = open()?;
    let loading = Instant::now();
    let loaded = engine.load(&job.artifact, &job.probe)?;
    let load = ns(loading.elapsed());
    let mut call = |observe, session: &mut Session<'_>| {
        context.observe(observe);
        session.execute(|| {
            let start = Instant::now();
            let output = loaded.call(&job.entry, &input, &mut context)?;
            Ok::<_, anyhow::Error>((output, ns(start.elapsed())))
        })
    };
    let (output, first) = call(Observe::Off, &mut session)?;
    let cold = ns(begin.elapsed());
    let mut phases = vec![("total", Observe::Off)];
    if E::REPLAYS {
        call(Observe::Record, &mut session)?;
        phases.push(("guest", Observe::Replay));
    }
    let root = session.root(state.version());
    let mut lines = vec![
        json!({ "phase": "cold", "ns": cold }),
        json!({ "phase": "load", "ns": load }),
        json!({ "phase": "first", "ns": first }),
        json!({ "output": hex(&output) }),
        json!({ "state_root": hex(&root) }),
    ];
    for _ in 0..job.samples {
        for (phase, observe) in &phases {
            let (again, took) = call(*observe, &mut session)?;
            ensure!(again == output, "{} returned something else when called again", job.entry);
            lines.push(json!({ "phase": phase, "ns": took }));
        }
    }
    Ok(lines)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

fn state(path: Option<&Path>) -> Result<State> {
    let Some(path) = path else { return Ok(State::empty()) };
    let stored: Stored = serde_json::from_slice(&read(path)?)
        .with_context(|| format!("{} is not a state", path.display()))?;
    let pairs = |pairs: Pairs| -> Result<BTreeMap<Vec<u8>, Vec<u8>>> {
        pairs.iter().map(|(key, value)| Ok((bytes(key)?, bytes(value)?))).collect()
    };
    let children = stored.children.into_iter();
    let children = children.map(|(name, child)| Ok((bytes(&name)?, pairs(child)?)));
    let version = match stored.version {
        0 => StateVersion::V0,
        1 => StateVersion::V1,
        version => bail!("{}: state version {version} is not known", path.display()),
    };
    Ok(State::new(pairs(stored.top)?, children.collect::<Result<_>>()?, version))
}

fn bytes(text: &str) -> Result<Vec<u8>> {
    parse_hex(text).map_err(|why| anyhow!("{text:.40} {why}"))
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
    digits.fold("0x".into(), |all, digits| all + &digits)
}
