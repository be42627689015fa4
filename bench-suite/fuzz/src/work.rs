//! What workers do: one input after the other, with a line before and after each.

use crate::{compare::Covered, compare::Engines, generate::Generator, parsers::Parsers};
use anyhow::{Context, Result, anyhow, bail, ensure};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

/// What is fuzzed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// Modules on all engines.
    Modules,
    /// Damaged files for parsers.
    Parsers,
}

/// A worker's share of the inputs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    /// What is fuzzed.
    pub kind: Kind,
    /// Decides which inputs.
    pub seed: u64,
    /// Number of the first input.
    pub first: u64,
    /// Distance between numbers.
    pub step: u64,
    /// The number that ends the share.
    pub end: u64,
    /// Runtimes to carve modules from, beside the bundled one.
    pub runtimes: Vec<PathBuf>,
}

/// A line of a worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Line {
    /// The input of this number is next.
    Start(u64),
    /// It went well.
    Done(Done),
    /// It did not.
    Found(String),
}

/// What an input covered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Inputs run: 1, or 0 where the number makes none.
    pub inputs: u64,
    /// Calls made on each engine.
    pub calls: u64,
    /// How many of them trapped.
    pub traps: u64,
    /// How often another engine contradicted itself, and was found to be wrong.
    pub theirs: u64,
    /// Runs on engines.
    pub runs: u64,
}

impl std::ops::AddAssign for Done {
    fn add_assign(&mut self, other: Self) {
        self.inputs += other.inputs;
        self.calls += other.calls;
        self.traps += other.traps;
        self.runs += other.runs;
        self.theirs += other.theirs;
    }
}

impl From<Covered> for Done {
    fn from(Covered { calls, traps, theirs, engines, .. }: Covered) -> Self {
        Self { inputs: (engines > 0).into(), calls, traps, theirs, runs: engines }
    }
}

impl Kind {
    /// How long one input may take of a processor, and reading the runtimes before the first one,
    /// under an emulator, too: what takes longer hangs.
    pub fn patience(self) -> Duration {
        match self {
            Self::Modules => Duration::from_secs(120),
            Self::Parsers => Duration::from_secs(20),
        }
    }
}

/// Does a job; ends early where a line cannot be written, since nobody reads it any more.
pub fn work(job: &Job, out: &mut (impl Write + Send)) -> Result<()> {
    let mut say = |line: &Line| -> Result<()> {
        serde_json::to_writer(&mut *out, line)?;
        out.write_all(b"\n")?;
        Ok(out.flush()?)
    };
    let mut each = |run: &dyn Fn(u64) -> Result<Done>| -> Result<()> {
        let mut number = job.first;
        while number < job.end {
            say(&Line::Start(number))?;
            say(&match run(number) {
                Ok(done) => Line::Done(done),
                Err(error) => Line::Found(format!("{error:#}")),
            })?;
            number = number.saturating_add(job.step);
        }
        Ok(())
    };
    match job.kind {
        Kind::Modules => on_a_deep_stack(|| {
            let generator = Generator::new(job.seed, &job.runtimes)?;
            let engines = Engines::open()?;
            each(&|number| match generator.module(number) {
                Some(wasm) => Ok(engines.compare(&wasm)?.into()),
                None => Ok(Done::default()),
            })
        }),
        Kind::Parsers => {
            let parsers = Parsers::new(job.seed)?;
            limit_memory()?;
            each(&|number| {
                let (name, bytes) = parsers.input(number);
                parsers.read(name, &bytes)?;
                Ok(Done { inputs: 1, ..Done::default() })
            })
        }
    }
}

/// wasmi takes host stack for each `memory.grow` until its call is over.
fn on_a_deep_stack<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(1 << 30).spawn_scoped(scope, work)?;
        thread.join().map_err(|_| anyhow!("a panic, whose message is above"))?
    })
}

/// An allocation beyond what a parser may take ends the process.
pub(crate) fn limit_memory() -> Result<()> {
    let max = crate::parsers::MAX_MEMORY;
    rlimit::Resource::DATA.set(max, max).context("cannot limit memory")
}

/// Runs a kept case: a module in text or bytes, or a file for the parser that its name begins
/// with.
pub fn replay(path: &Path) -> Result<Done> {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("wat" | "wasm") => {
            let wasm = wat::parse_bytes(&bytes)?;
            let covered = on_a_deep_stack(|| Engines::open()?.compare(&wasm))?;
            ensure!(covered.engines > 0, "no other engine knows all that the module uses");
            Ok(covered.into())
        }
        Some("bin") => {
            let parsers = Parsers::new(0)?;
            limit_memory()?;
            parsers.read(name.split('-').next().unwrap_or_default(), &bytes)?;
            Ok(Done { inputs: 1, ..Done::default() })
        }
        _ => bail!("{} is neither .wat nor .wasm nor .bin", path.display()),
    }
}
