//! One process, one measurement: reads a job from standard input, writes samples to standard
//! output, one JSON line each.

mod threads;

use crate::engine::{
    Check, Clock, Engine, Fresh, Host, Id, Kind, LoadedModule, MeasuredEntry, Start,
};
use crate::functions;
use crate::phase::Phase;
use crate::report::on_threads;
use crate::runner::write_places;
use crate::sample::{Counts, Functions, Key, Ran, Record, Series, write};
use crate::workload::{Call, Workload, hex};
use anyhow::{Context, Result, bail};
use lithify_measure::Bounds;
use lithify_measure::cpu;
use lithify_measure::peak::Peak;
use lithify_measure::resources::private_bytes;
use lithify_measure::wall::{SpanCost, ns, reference, timed};
use lithify_polkadot::{CallContext, Observe, Session};
use serde::{Deserialize, Serialize};
use sp_crypto_hashing::blake2_256;
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// How long loading is repeated for more samples.
const LOAD_BUDGET: Duration = Duration::from_millis(30);
/// How often at least and at most, in each way.
const MIN_LOADS: usize = 2;
const MAX_LOADS: usize = 20;
/// How often the reference work is done, some 20 us each time.
const REFERENCES: usize = 20;

/// What a worker is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    /// Number of the process.
    pub process: u32,
    /// The engine.
    pub engine: Id,
    /// The work.
    pub task: Task,
    /// Bounds on compiling, and the time of a call.
    #[serde(default)]
    pub bounds: Bounds,
}

/// Kinds of work.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Task {
    /// Open the engine, to see whether it can run here.
    Open,
    /// Compile the module of a stored workload.
    Compile {
        /// The workload.
        workload: PathBuf,
        /// Where the artifact goes.
        artifact: PathBuf,
    },
    /// Make calls.
    Call {
        /// The workload.
        workload: PathBuf,
        /// Index of the call.
        call: usize,
        /// The artifact.
        artifact: PathBuf,
        /// How many samples of each kind of call.
        samples: u32,
        /// Only the total is of interest.
        #[serde(default)]
        total_only: bool,
    },
    /// Put beside the artifact what tells functions that were inlined from those around them.
    Explain {
        /// The workload.
        workload: PathBuf,
        /// The artifact.
        artifact: PathBuf,
    },
    /// Make a call again and again, and look where it is.
    Sample {
        /// The workload.
        workload: PathBuf,
        /// Index of the call.
        call: usize,
        /// The artifact.
        artifact: PathBuf,
        /// For how long.
        ms: u64,
        /// Whether the callers are of interest, too.
        #[serde(default)]
        stacks: bool,
    },
    /// Make a call so many times and nothing else, for whoever counts instructions.
    Repeat {
        /// The workload.
        workload: PathBuf,
        /// Index of the call.
        call: usize,
        /// The artifact.
        artifact: PathBuf,
        /// How many times, at least once.
        calls: u32,
        /// Where it is written at which addresses the guest's functions are.
        places: PathBuf,
    },
    /// Load the module and make a call, to see what memory that takes.
    Memory {
        /// The workload.
        workload: PathBuf,
        /// Index of the call.
        call: usize,
        /// The artifact.
        artifact: PathBuf,
    },
    /// Make calls on several threads at once.
    Threads {
        /// The workload.
        workload: PathBuf,
        /// Index of the call.
        call: usize,
        /// The artifact.
        artifact: PathBuf,
        /// How many threads.
        threads: u32,
        /// For how long.
        ms: u64,
    },
    /// Make a call once and count what it does.
    Count {
        /// The workload.
        workload: PathBuf,
        /// Index of the call.
        call: usize,
        /// The artifact.
        artifact: PathBuf,
    },
}

/// The whole worker: from standard input to standard output.
pub fn main() -> Result<()> {
    let mut job = String::new();
    std::io::stdin().read_to_string(&mut job).context("cannot read the job")?;
    let job = serde_json::from_str(&job).context("not a job")?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    run(&job, &mut out)?;
    out.flush().context("cannot write samples")
}

/// Does a job.
pub fn run(job: &Job, out: &mut impl Write) -> Result<()> {
    let kind = Kind::of(&job.engine)?;
    // Memory is bounded for compiling alone.
    let calling = Bounds { memory: None, ..job.bounds };
    match &job.task {
        Task::Open => kind.open(Host::Polkadot).map(drop),
        Task::Compile { workload, artifact } => {
            let workload = Workload::load(workload)?;
            let mut worker = Worker::new(job, kind, &workload, None);
            job.bounds.within("compiling", || worker.compile(&workload, artifact))??;
            worker.finish(out)
        }
        Task::Call { workload, call, artifact, samples, total_only } => {
            let workload = Workload::load(workload)?;
            let entry = workload.calls.get(*call).context("no such call")?.label.clone();
            let mut worker = Worker::new(job, kind, &workload, Some(entry));
            let rounds = Rounds { count: *samples, total_only: *total_only };
            worker.calls(&workload, *call, artifact, rounds, &calling)?;
            worker.finish(out)
        }
        Task::Explain { workload, artifact } => {
            let workload = Workload::load(workload)?;
            let engine = kind.open(Host::Polkadot)?;
            let prepared = engine.prepare(&workload.wasm)?;
            job.bounds.within("compiling", || engine.explain(&prepared, artifact))?
        }
        Task::Sample { workload, call, artifact, ms, stacks } => {
            let workload = Workload::load(workload)?;
            let call = workload.calls.get(*call).context("no such call")?;
            let time = Duration::from_millis(*ms);
            let mut by_function = sample(kind, &workload, call, artifact, time, &calling)?;
            if !stacks {
                (by_function.frames, by_function.stacks) = (Vec::new(), Vec::new());
            }
            write(out, &Record::Functions { by_function })
        }
        Task::Memory { workload, call, artifact } => {
            let workload = Workload::load(workload)?;
            let call = workload.calls.get(*call).context("no such call")?;
            let mut worker = Worker::new(job, kind, &workload, None);
            worker.memory(&workload, call, artifact, &calling)?;
            worker.finish(out)
        }
        Task::Threads { workload, call, artifact, threads, ms } => {
            let workload = Workload::load(workload)?;
            let call = workload.calls.get(*call).context("no such call")?;
            let label = on_threads(&call.label, *threads);
            let mut worker = Worker::new(job, kind, &workload, Some(label));
            let calls =
                threads::at_once(kind, &workload, call, artifact, (*threads, *ms), &calling)?;
            worker.push(Phase::PerCall, calls.per_call_ns);
            worker.push(Phase::Slow, calls.slow_ns);
            worker.finish(out)
        }
        Task::Repeat { workload, call, artifact, calls, places } => {
            let workload = Workload::load(workload)?;
            let call = workload.calls.get(*call).context("no such call")?;
            let engine = kind.open(Host::Polkadot)?;
            let loaded = engine.load(artifact, Check::Whole)?;
            let mut made = Calls::first(&*loaded, &workload, call, &calling)?;
            for _ in 1..*calls {
                made.again(Observe::Off, Clock::Ends)?;
            }
            write_places(places, &loaded.functions())
        }
        Task::Count { workload, call, artifact } => {
            let workload = Workload::load(workload)?;
            let call = workload.calls.get(*call).context("no such call")?;
            let mut worker = Worker::new(job, kind, &workload, Some(call.label.clone()));
            calling.within("the call", || worker.count(&workload, call, artifact))??;
            worker.finish(out)
        }
    }
}

/// Makes a call for some `time` and looks where it is.
fn sample(
    kind: &Kind,
    workload: &Workload,
    call: &Call,
    artifact: &Path,
    time: Duration,
    bounds: &Bounds,
) -> Result<Functions> {
    let engine = kind.open(Host::Polkadot)?;
    let loaded = engine.load_explained(artifact)?;
    let mut calls = Calls::first(&*loaded, workload, call, bounds)?;
    for _ in 0..3 {
        calls.again(Observe::Name, Clock::Ends)?;
    }
    let one = || Ok(calls.again(Observe::Name, Clock::Ends)?.total_ns);
    let found = functions::look(time, &|pc| loaded.functions_at(pc), one)?;
    Ok(Functions { workload: workload.name.clone(), call: call.label.clone(), ..found })
}

/// How often a call is measured.
#[derive(Clone, Copy)]
struct Rounds {
    count: u32,
    total_only: bool,
}

struct Worker {
    kind: &'static Kind,
    key: Key,
    ran: Ran,
    started: Instant,
    before: cpu::Usage,
    samples: BTreeMap<Phase, Vec<u64>>,
}

impl Worker {
    fn new(job: &Job, kind: &'static Kind, workload: &Workload, call: Option<String>) -> Self {
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Self {
            kind,
            key: Key {
                workload: workload.name.clone(),
                code_hash: workload.code_hash_hex(),
                engine: kind.engine.into(),
                setting: kind.setting.into(),
                phase: Phase::Call,
                call: call.clone(),
                process: job.process,
                output_hash: None,
            },
            ran: Ran {
                process: job.process,
                workload: workload.name.clone(),
                engine: kind.engine.into(),
                setting: kind.setting.into(),
                call,
                started: since_1970.map_or(0, ns),
                ..Ran::default()
            },
            started: Instant::now(),
            before: cpu::usage(),
            samples: BTreeMap::new(),
        }
    }

    /// Keeps a sample.
    fn push(&mut self, phase: Phase, value: u64) {
        self.samples.entry(phase).or_default().push(value);
    }

    fn compile(&mut self, workload: &Workload, artifact: &Path) -> Result<()> {
        let engine = self.kind.open(Host::Polkadot)?;
        let prepared = engine.prepare(&workload.wasm)?;
        self.push(Phase::Module, workload.wasm.len() as u64);
        let peak = Peak::start()?;
        let cpu_before = cpu::cpu_ns();
        let bytes = match self.kind.start {
            Start::Module | Start::Native => engine.compile(&prepared)?,
            Start::Artifact => {
                let (bytes, wall) = timed(|| engine.compile(&prepared));
                self.compiled(wall, cpu_before, &peak)?;
                let bytes = bytes?;
                self.push(Phase::Artifact, bytes.len() as u64);
                bytes
            }
            Start::Compile => {
                let (loaded, wall) = timed(|| engine.load_source(&prepared));
                self.compiled(wall, cpu_before, &peak)?;
                drop(loaded?);
                self.push(Phase::Load, ns(wall));
                engine.compile(&prepared)?
            }
        };
        fs::write(artifact, bytes)
            .with_context(|| format!("cannot write {}", artifact.display()))?;
        engine.keep(artifact)
    }

    fn compiled(&mut self, wall: Duration, cpu_before: u64, peak: &Peak) -> Result<()> {
        let (cpu, peak) = (cpu::cpu_ns() - cpu_before, peak.bytes()?);
        self.push(Phase::Compile, ns(wall));
        self.push(Phase::CompileCpu, cpu);
        self.push(Phase::CompilePeak, peak);
        Ok(())
    }

    fn calls(
        &mut self,
        workload: &Workload,
        index: usize,
        artifact: &Path,
        rounds: Rounds,
        bounds: &Bounds,
    ) -> Result<()> {
        let call = &workload.calls[index];
        let cost = SpanCost::measure();
        let session = workload.state.session();
        let mut context = CallContext::new();
        context.initialize_by(workload.initialize.clone());

        let start = Instant::now();
        let engine = self.kind.open(Host::Polkadot)?;
        let loaded: Box<dyn LoadedModule> = engine.load(artifact, Check::Kept)?;
        let entry = loaded.entry(&call.entry)?;
        let mut calls = Calls { call, entry, session, context, output: Vec::new() };
        // A call that ends once ends again.
        let first = bounds.within("the call", || calls.make(Observe::Off, Clock::Ends))??;
        let cold = start.elapsed();
        calls.output = first.output;
        if self.kind.start != Start::Native {
            self.push(Phase::First, first.total_ns);
        }
        self.ran.state_root = Some(hex(&calls.check(workload)?));
        self.key.output_hash = Some(blake3::hash(&calls.output).to_hex().to_string());
        for _ in 0..rounds.count {
            if rounds.total_only {
                let total = calls.again(Observe::Off, Clock::Ends)?.total_ns;
                self.push(Phase::Total, total);
            } else {
                self.round(&mut calls, cost)?;
            }
        }
        drop(calls);
        drop(loaded);
        for _ in 0..REFERENCES {
            self.push(Phase::Reference, ns(reference()));
        }
        // Calls of an engine that compiles at every start ran on an artifact that it would not have,
        // and native code is never loaded.
        if matches!(self.kind.start, Start::Artifact | Start::Module) {
            self.push(Phase::Cold, ns(cold));
            if index == 0 && !rounds.total_only {
                self.loads(&*engine, artifact)?;
            }
        }
        Ok(())
    }

    /// One sample of each phase of a call.
    fn round(&mut self, calls: &mut Calls<'_>, cost: SpanCost) -> Result<()> {
        let total = calls.again(Observe::Off, Clock::Ends)?.total_ns;
        self.push(Phase::Total, total);
        let fresh = calls.again(Observe::Off, Clock::Phases)?;
        self.push(Phase::Instantiate, fresh.instantiate_ns);
        if fresh.initialize_ns > 0 {
            self.push(Phase::Initialize, fresh.initialize_ns);
        }
        self.push(Phase::Call, fresh.call_ns);
        self.push(Phase::Drop, fresh.drop_ns);
        // Host functions of native code can be neither timed nor replayed.
        if self.kind.start != Start::Native {
            calls.again(Observe::Time, Clock::Ends)?;
            let spans = calls.context.instruments().host_calls();
            self.push(Phase::Host, cost.without(calls.context.instruments().host_ns(), spans));
            self.ran.host_calls = Some(spans);
            let guest = calls.again(Observe::Replay, Clock::Ends)?.total_ns;
            self.push(Phase::Guest, guest);
        }
        Ok(())
    }

    /// Makes a call once, the first of the process.
    fn count(&mut self, workload: &Workload, call: &Call, artifact: &Path) -> Result<()> {
        let engine = self.kind.open(Host::Polkadot)?;
        let loaded = engine.load(artifact, Check::Whole)?;
        let mut entry = loaded.entry(&call.entry)?;
        let mut context = CallContext::new();
        context.initialize_by(workload.initialize.clone());
        context.observe(Observe::Profile);
        let mut session = workload.state.session();
        let left = session.execute(|| entry.counted(&call.input, &mut context))?;
        let profile = context.instruments().profile();
        self.ran.host_calls = Some(profile.calls());
        self.ran.counts = Some(Counts {
            allocations: profile.heap.allocations,
            requested_bytes: profile.heap.requested_bytes,
            peak_bytes: profile.heap.peak_bytes,
            written_pages: left.written_pages,
            collections: left.collections,
            code_bytes: loaded.code_bytes(),
        });
        Ok(())
    }

    /// What memory it takes to load the module, and what stays after calls.
    fn memory(
        &mut self,
        workload: &Workload,
        call: &Call,
        artifact: &Path,
        bounds: &Bounds,
    ) -> Result<()> {
        const LOADS: u64 = 4;
        let engine = self.kind.open(Host::Polkadot)?;
        // What an engine makes once is no module's.
        drop(engine.load(artifact, Check::Whole)?);
        let before = private_bytes()?;
        let loads = (0..LOADS).map(|_| engine.load(artifact, Check::Whole));
        let loaded = loads.collect::<Result<Vec<_>>>()?;
        self.push(Phase::LoadMemory, private_bytes()?.saturating_sub(before) / LOADS);
        let Some(first) = loaded.first() else { return Ok(()) };
        // One on another module leaves what the host makes once.
        for module in [loaded.last().unwrap_or(first), first] {
            let before = private_bytes()?;
            let mut calls = Calls::first(&**module, workload, call, bounds)?;
            for _ in 0..3 {
                calls.again(Observe::Off, Clock::Ends)?;
            }
            drop(calls);
            self.samples.insert(Phase::IdleMemory, vec![private_bytes()?.saturating_sub(before)]);
        }
        Ok(())
    }

    /// Samples of loading in each way, in turn.
    fn loads(&mut self, engine: &dyn Engine, artifact: &Path) -> Result<()> {
        let begin = Instant::now();
        for round in 0..MAX_LOADS {
            if round >= MIN_LOADS && begin.elapsed() >= LOAD_BUDGET {
                break;
            }
            for (phase, check) in [
                (Phase::Load, Check::Whole),
                (Phase::LoadTrusted, Check::Trusted),
                (Phase::LoadKept, Check::Kept),
            ] {
                let (loaded, wall) = timed(|| engine.load(artifact, check));
                drop(loaded?);
                self.push(phase, ns(wall));
            }
        }
        Ok(())
    }

    /// Writes everything.
    fn finish(mut self, out: &mut impl Write) -> Result<()> {
        self.ran.usage = Some(cpu::usage() - self.before);
        self.ran.wall_ns = ns(self.started.elapsed());
        write(out, &Record::Ran { ran: self.ran })?;
        for (phase, values) in self.samples {
            let mut key = Key { phase, ..self.key.clone() };
            if !phase.is_of_call() {
                (key.call, key.output_hash) = (None, None);
            }
            for sample in (Series { key, values }).samples() {
                write(out, &Record::Sample(sample))?;
            }
        }
        Ok(())
    }
}

/// A call that is made again and again.
struct Calls<'w> {
    call: &'w Call,
    entry: Box<dyn MeasuredEntry + 'w>,
    session: Session<'w>,
    context: CallContext,
    /// What the first call returned.
    output: Vec<u8>,
}

impl<'w> Calls<'w> {
    /// Makes it for the first time, within bounds.
    fn first(
        loaded: &'w dyn LoadedModule,
        workload: &'w Workload,
        call: &'w Call,
        bounds: &Bounds,
    ) -> Result<Self> {
        let mut context = CallContext::new();
        context.initialize_by(workload.initialize.clone());
        let (entry, session) = (loaded.entry(&call.entry)?, workload.state.session());
        let mut calls = Self { call, entry, session, context, output: Vec::new() };
        // A call that ends once ends again.
        let first = bounds.within("the call", || calls.make(Observe::Off, Clock::Ends))??;
        calls.output = first.output;
        Ok(calls)
    }

    /// Makes it on a fresh instance.
    fn make(&mut self, observe: Observe, clock: Clock) -> Result<Fresh> {
        let Self { call, entry, session, context, .. } = self;
        context.observe(observe);
        session.execute(|| entry.call(&call.input, context, clock))
    }

    /// Makes it again, and expects what the first call returned.
    fn again(&mut self, observe: Observe, clock: Clock) -> Result<Fresh> {
        let fresh = self.make(observe, clock)?;
        if fresh.output != self.output {
            bail!("{} returned something else when called again", self.call.entry);
        }
        Ok(fresh)
    }

    /// Compares output and state with what something else than an engine says of them, and records
    /// what host functions do, for replays. Returns the state root.
    fn check(&mut self, workload: &Workload) -> Result<[u8; 32]> {
        if let Some(expected) = self.call.output {
            let found = blake2_256(&self.output);
            if found != expected {
                let (found, expected) = (hex(&found), hex(&expected));
                bail!("the output has the hash {found}, but should have {expected}");
            }
        }
        self.make(Observe::Record, Clock::Ends)?;
        // Now, since a call that is replayed leaves the state as it is.
        let root = self.session.root(workload.state.version());
        if let Some(expected) = self.call.state_root
            && root != expected
        {
            let (root, expected) = (hex(&root), hex(&expected));
            bail!("the state root after {} is {root}, but should be {expected}", self.call.entry);
        }
        Ok(root)
    }
}
