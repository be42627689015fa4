//! One process, one measurement: reads a job from standard input, writes samples to standard
//! output, one JSON line each.

use crate::engine::{Check, Clock, Id, Kind, Loaded, Start};
use crate::phase::Phase;
use crate::sample::{Key, Ran, Record, Series, write};
use crate::workload::{Workload, hex};
use anyhow::{Context, Result, bail};
use lithify_measure::Bounds;
use lithify_measure::cpu;
use lithify_measure::peak::Peak;
use lithify_measure::wall::{SpanCost, ns, timed};
use lithify_polkadot::{CallContext, Observe};
use serde::{Deserialize, Serialize};
use sp_crypto_hashing::blake2_256;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// How long loading is repeated for more samples.
const LOAD_BUDGET: Duration = Duration::from_millis(30);
/// How often at most.
const MAX_LOADS: usize = 20;

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
    match &job.task {
        Task::Open => kind.open().map(drop),
        Task::Compile { workload, artifact } => {
            let workload = Workload::load(workload)?;
            let mut worker = Worker::new(job, kind, &workload, None);
            job.bounds.within("compiling", || worker.compile(&workload, artifact))??;
            worker.finish(out)
        }
        Task::Call { workload, call, artifact, samples } => {
            let workload = Workload::load(workload)?;
            let entry = workload.calls.get(*call).context("no such call")?.label.clone();
            let mut worker = Worker::new(job, kind, &workload, Some(entry));
            let bounds = Bounds { memory: None, ..job.bounds };
            worker.calls(&workload, *call, artifact, *samples, &bounds)?;
            worker.finish(out)
        }
    }
}

struct Worker {
    kind: &'static Kind,
    key: Key,
    ran: Ran,
    started: Instant,
    before: cpu::Usage,
    series: Vec<Series>,
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
            series: Vec::new(),
        }
    }

    fn add(&mut self, phase: Phase, values: Vec<u64>) {
        self.series.push(Series { key: Key { phase, ..self.key.clone() }, values });
    }

    fn compile(&mut self, workload: &Workload, artifact: &Path) -> Result<()> {
        let engine = self.kind.open()?;
        let prepared = engine.prepare(&workload.wasm)?;
        let peak = Peak::start()?;
        let cpu_before = cpu::cpu_ns();
        let bytes = match self.kind.start {
            Start::Module | Start::Native => engine.compile(&prepared)?,
            Start::Artifact => {
                let (bytes, wall) = timed(|| engine.compile(&prepared));
                self.compiled(wall, cpu_before, &peak)?;
                let bytes = bytes?;
                self.add(Phase::Artifact, vec![bytes.len() as u64]);
                bytes
            }
            Start::Compile => {
                let (loaded, wall) = timed(|| engine.load_source(&prepared));
                self.compiled(wall, cpu_before, &peak)?;
                drop(loaded?);
                self.add(Phase::Load, vec![ns(wall)]);
                engine.compile(&prepared)?
            }
        };
        fs::write(artifact, bytes).with_context(|| format!("cannot write {}", artifact.display()))
    }

    fn compiled(&mut self, wall: Duration, cpu_before: u64, peak: &Peak) -> Result<()> {
        let (cpu, peak) = (cpu::cpu_ns() - cpu_before, peak.bytes()?);
        self.add(Phase::Compile, vec![ns(wall)]);
        self.add(Phase::CompileCpu, vec![cpu]);
        self.add(Phase::CompilePeak, vec![peak]);
        Ok(())
    }

    fn calls(
        &mut self,
        workload: &Workload,
        index: usize,
        artifact: &Path,
        samples: u32,
        bounds: &Bounds,
    ) -> Result<()> {
        let call = &workload.calls[index];
        let cost = SpanCost::measure();
        let mut session = workload.state.session();
        let mut context = CallContext::new();
        context.initialize_by(workload.initialize.clone());

        let start = Instant::now();
        let engine = self.kind.open()?;
        let (loaded, first_load) = timed(|| engine.load(artifact, Check::Whole));
        let loaded: Box<dyn Loaded> = loaded?;
        let mut entry = loaded.entry(&call.entry)?;
        // A call that ends once ends again.
        let first = bounds.within("the call", || {
            session.execute(|| entry.call(&call.input, &mut context, Clock::Ends))
        })??;
        let cold = start.elapsed();
        let output = first.output;
        if let Some(expected) = call.output {
            let found = blake2_256(&output);
            if found != expected {
                let (found, expected) = (hex(&found), hex(&expected));
                bail!("the output has the hash {found}, but should have {expected}");
            }
        }
        context.observe(Observe::Record);
        session.execute(|| entry.call(&call.input, &mut context, Clock::Ends))?;
        context.observe(Observe::Off);
        // Now, since a call that is replayed leaves the state as it is.
        let root = session.root(workload.state.version());
        if let Some(expected) = call.state_root
            && root != expected
        {
            let (root, expected) = (hex(&root), hex(&expected));
            bail!("the state root after {} is {root}, but should be {expected}", call.entry);
        }
        self.ran.state_root = Some(hex(&root));

        let mut total = Vec::new();
        let (mut instantiate, mut calls, mut drops) = (Vec::new(), Vec::new(), Vec::new());
        let mut initialize = Vec::new();
        let (mut host, mut guest) = (Vec::new(), Vec::new());
        for _ in 0..samples {
            let mut sample = |context: &mut CallContext, clock| -> Result<_> {
                let fresh = session.execute(|| entry.call(&call.input, context, clock))?;
                if fresh.output != output {
                    bail!("{} returned something else when called again", call.entry);
                }
                Ok(fresh)
            };
            total.push(sample(&mut context, Clock::Ends)?.total_ns);
            let fresh = sample(&mut context, Clock::Phases)?;
            instantiate.push(fresh.instantiate_ns);
            initialize.extend((fresh.initialize_ns > 0).then_some(fresh.initialize_ns));
            calls.push(fresh.call_ns);
            drops.push(fresh.drop_ns);
            context.observe(Observe::Time);
            sample(&mut context, Clock::Ends)?;
            let spans = context.host_calls();
            host.push(cost.without(context.host_ns(), spans));
            self.ran.host_calls = spans;
            context.observe(Observe::Replay);
            guest.push(sample(&mut context, Clock::Ends)?.total_ns);
            context.observe(Observe::Off);
        }
        self.key.output_hash = Some(blake3::hash(&output).to_hex().to_string());
        self.add(Phase::Total, total);
        self.add(Phase::Instantiate, instantiate);
        if !initialize.is_empty() {
            self.add(Phase::Initialize, initialize);
        }
        self.add(Phase::Call, calls);
        self.add(Phase::Drop, drops);
        // Host functions of native code cannot be replayed, and it is never loaded.
        if self.kind.start == Start::Native {
            return Ok(());
        }
        self.add(Phase::Host, host);
        self.add(Phase::Guest, guest);
        // Calls of such an engine ran on an artifact that it would not have.
        if self.kind.start == Start::Compile {
            return Ok(());
        }
        self.add(Phase::Cold, vec![ns(cold)]);
        drop(entry);
        drop(loaded);
        self.key.output_hash = None;
        if index == 0 {
            self.key.call = None;
            let load = |check| timed(|| engine.load(artifact, check));
            let (mut loads, mut trusted) = (vec![ns(first_load)], Vec::new());
            let begin = Instant::now();
            while loads.len() < MAX_LOADS && begin.elapsed() < LOAD_BUDGET {
                let (loaded, wall) = load(Check::Whole);
                drop(loaded?);
                loads.push(ns(wall));
                let (loaded, wall) = load(Check::Trusted);
                drop(loaded?);
                trusted.push(ns(wall));
            }
            self.add(Phase::Load, loads);
            self.add(Phase::LoadTrusted, trusted);
        }
        Ok(())
    }

    /// Writes everything.
    fn finish(mut self, out: &mut impl Write) -> Result<()> {
        let after = cpu::usage();
        let before = self.before;
        self.ran.wall_ns = ns(self.started.elapsed());
        self.ran.user_ns = after.user_ns - before.user_ns;
        self.ran.system_ns = after.system_ns - before.system_ns;
        self.ran.minor_faults = after.minor_faults - before.minor_faults;
        self.ran.major_faults = after.major_faults - before.major_faults;
        self.ran.voluntary_switches = after.voluntary_switches - before.voluntary_switches;
        self.ran.involuntary_switches = after.involuntary_switches - before.involuntary_switches;
        write(out, &Record::Ran { ran: self.ran })?;
        for series in &self.series {
            for sample in series.samples() {
                write(out, &Record::Sample(sample))?;
            }
        }
        Ok(())
    }
}
