//! Runs workloads on engines, each measurement in a process of its own, in an order that spreads
//! every row over the whole run.
//!
//! ```text
//! open each engine -> compile, a few times -> call once and compare outputs -> measure
//! ```
//!
//! It never prints: an [`Observer`] sees progress and records as they come.

mod blocks;
mod calibrate;
mod commands;
mod compare;
mod foreign;
mod instructions;
mod outcome;
mod process;
mod relinks;

pub use self::calibrate::{DURATIONS, calibrate};
pub use self::commands::compare_commands;
pub use self::compare::{SideOf, compare};
pub use self::foreign::Program;
use self::foreign::{Told, kind as kind_of};
pub use self::instructions::{valgrind, write_places};
use self::outcome::{Outcome, outcome, same, samples, shortest};
use crate::engine::{Id, Kind, NATIVE, Start};
use crate::machine::Machine;
use crate::phase::Phase;
use crate::sample::{Absent, Comparison, Ended, Header, Interrupted, Record, Run, parse};
use crate::scratch::Scratch;
use crate::stats::{self, MIN_PROCESSES};
use crate::worker::{Job, Task};
use crate::workload::{HOST_CALLS, Workload};
use anyhow::{Context, Result, anyhow, bail, ensure};
use lithify_measure::Bounds;
use lithify_measure::child::Stop;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// How a run is made.
#[derive(Clone, Debug)]
pub struct Options {
    /// The program that runs [`worker::main`](crate::worker::main), and its arguments.
    pub worker: Vec<OsString>,
    /// Processes per row and engine. Intervals mean something from about 12 on, and cover what
    /// they should from 100 on.
    pub processes: u32,
    /// Compilations per workload and engine, each in a process.
    pub compiles: u32,
    /// Decides the order and the resampling of the report.
    pub seed: u64,
    /// Bounds on each compilation, and the time of a first call.
    pub bounds: Bounds,
    /// Which engines; the usual ones by default.
    pub engines: Vec<Id>,
    /// Whether somebody named the engines: that one of them cannot run is a failure, then.
    pub named: bool,
    /// Engines among these that are programs of others.
    pub programs: Vec<Program>,
    /// How many threads make each call at once, in processes of their own.
    pub threads: Vec<u32>,
    /// When no further round begins, once there are enough processes for an interval.
    pub budget: Option<Duration>,
    /// In a comparison, whether every call is explained by function, and not only one that differs.
    pub explain: bool,
    /// Whether what explains a call has the callers, too, for a flame graph.
    pub stacks: bool,
    /// In a comparison, whether the instructions of every call are counted, which needs valgrind.
    pub instructions: bool,
    /// In a comparison, what counts as a difference in the place of the usual floor: 0.02 for 2 %.
    pub floor: Option<f64>,
}

impl Options {
    /// The usual numbers, for workers that this program runs when called with `arguments`.
    pub fn new(arguments: &[&str]) -> Result<Self> {
        let program = std::env::current_exe().context("cannot find this program")?;
        let arguments = arguments.iter().map(OsString::from);
        Ok(Self {
            worker: std::iter::once(program.into()).chain(arguments).collect(),
            processes: 40,
            compiles: 3,
            bounds: Bounds::default(),
            seed: SystemTime::now()
                .duration_since(SystemTime::UNIX_EPOCH)
                .map_or(0, |time| u64::from(time.subsec_nanos())),
            engines: Kind::usual().map(Kind::id).collect(),
            named: false,
            programs: Vec::new(),
            threads: Vec::new(),
            floor: None,
            explain: false,
            stacks: false,
            instructions: false,
            budget: None,
        })
    }
}

/// Sees a run while it goes on. The methods do nothing unless implemented.
pub trait Observer {
    /// Process `done` of `total` starts; `what` it is. The total grows once, when it is known
    /// which calls there are.
    fn progress(&mut self, done: u32, total: u32, what: &str) {
        let _ = (done, total, what);
    }

    /// Whether to end now: the run is then what there is of it.
    fn stopped(&self) -> bool {
        false
    }

    /// A record came.
    fn record(&mut self, record: &Record) -> Result<()> {
        let _ = record;
        Ok(())
    }
}

impl Observer for () {}

/// Measures `workloads`. An error when engines disagree about an output.
pub fn run(workloads: &[Workload], options: &Options, observer: &mut dyn Observer) -> Result<Run> {
    with_rows(workloads, options, observer, |runner, rows| {
        runner.measure(workloads, &rows)?;
        runner.at_once(&rows)
    })
}

/// Only compiles and compares: an error when engines disagree. What could not be compared is
/// among the absent of the result.
pub fn agree(
    workloads: &[Workload],
    options: &Options,
    observer: &mut dyn Observer,
) -> Result<Run> {
    with_rows(workloads, options, observer, |_, _| Ok(()))
}

fn with_rows(
    workloads: &[Workload],
    options: &Options,
    observer: &mut dyn Observer,
    then: impl FnOnce(&mut Runner<'_>, Vec<Row>) -> Result<()>,
) -> Result<Run> {
    ensure!(!workloads.is_empty(), "nothing to measure");
    let folder = Scratch::new()?;
    let mut runner = Runner::new(options, observer, folder.path());
    runner.header(None)?;
    let ended = (|| {
        let kinds = runner.open()?;
        let able = runner.compile(workloads, &kinds)?;
        let rows = runner.compare(workloads, able)?;
        then(&mut runner, rows)
    })();
    runner.or_interrupted(ended)?;
    Ok(runner.run)
}

struct Runner<'r> {
    options: &'r Options,
    observer: &'r mut dyn Observer,
    folder: &'r Path,
    run: Run,
    process: u32,
    total: u32,
    started: Instant,
    /// What programs of others are told of workloads, by where those are stored.
    told: HashMap<PathBuf, Told>,
    /// For each workload the first one of the same module, which is the one that is compiled.
    modules: Vec<usize>,
}

/// A call of a workload, and the engines that can make it.
struct Row {
    workload: usize,
    call: usize,
    kinds: Vec<&'static Kind>,
    /// Samples per process.
    samples: u32,
    /// What every engine returned, and where it left the state.
    outcome: Outcome,
}

impl<'r> Runner<'r> {
    fn new(options: &'r Options, observer: &'r mut dyn Observer, folder: &'r Path) -> Self {
        let started = Instant::now();
        let (run, told, modules) = (Run::default(), HashMap::new(), Vec::new());
        Self { options, observer, folder, run, process: 0, total: 0, started, told, modules }
    }

    fn record(&mut self, record: Record) -> Result<()> {
        self.observer.record(&record)?;
        self.run.push(record);
        Ok(())
    }

    /// What came before an interrupt is a result, too.
    fn or_interrupted(&mut self, ended: Result<()>) -> Result<()> {
        match ended {
            Err(error) if error.is::<Stop>() => {
                let (done, total) = (self.process, self.total.max(self.process));
                let interrupted = Interrupted { done, total };
                self.record(Record::Interrupted { interrupted })
            }
            Err(error) => Err(error),
            Ok(()) => self.record(Record::Ended { ended: Ended { done: self.process } }),
        }
    }

    /// An error where somebody does not want to wait.
    fn go_on(&self) -> Result<()> {
        if self.observer.stopped() { Err(Stop.into()) } else { Ok(()) }
    }

    fn absent(&mut self, what: String, error: &anyhow::Error, failed: bool) -> Result<()> {
        let reason = format!("{error:#}");
        let reason = reason.lines().map(str::trim).collect::<Vec<_>>().join("; ");
        self.record(Record::Absent { absent: Absent { what, reason, failed } })
    }

    fn header(&mut self, comparison: Option<Comparison>) -> Result<()> {
        let program = self.options.worker.first().context("no worker program")?;
        let program = Path::new(program);
        let executable =
            std::fs::read(program).with_context(|| format!("cannot read {}", program.display()))?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let run = Header {
            version: env!("CARGO_PKG_VERSION").into(),
            executable: blake3::hash(&executable).to_hex().to_string(),
            seed: self.options.seed,
            processes: self.options.processes,
            machine: Machine::here(),
            started: now.map_or(0, |time| time.as_secs()),
            comparison,
        };
        self.record(Record::Run { run })
    }

    /// The engines that can run here.
    fn open(&mut self) -> Result<Vec<&'static Kind>> {
        let mut kinds = Vec::new();
        for id in &self.options.engines {
            let kind = kind_of(self.options, id)?;
            match self.work(kind, Task::Open) {
                Ok(_) => kinds.push(kind),
                Err(error) if error.is::<Stop>() => return Err(error),
                Err(error) => self.absent(id.to_string(), &error, self.options.named)?,
            }
        }
        if kinds.is_empty() {
            let of = |absent: &Absent| format!("{}: {}", absent.what, absent.reason);
            let why: Vec<String> = self.run.absent.iter().map(of).collect();
            bail!("no engine can run here: {}", why.join("; "));
        }
        Ok(kinds)
    }

    /// Compiles every workload on every engine. Returns a row for each call, with the engines
    /// that have an artifact.
    fn compile(
        &mut self,
        workloads: &[Workload],
        kinds: &[&'static Kind],
    ) -> Result<Vec<(usize, Vec<&'static Kind>)>> {
        for (index, workload) in workloads.iter().enumerate() {
            self.store(index, workload)?;
            let is_of = |other: &Workload| {
                (&other.wasm, &other.initialize) == (&workload.wasm, &workload.initialize)
            };
            self.modules.push(workloads.iter().position(is_of).unwrap_or(index));
        }
        let mut compiled = self.modules.clone();
        compiled.sort_unstable();
        compiled.dedup();
        // What is no compilation is done once.
        let every: Vec<u32> = kinds
            .iter()
            .map(|kind| if kind.start == Start::Module { u32::MAX } else { 1 })
            .collect();
        let compiles = self.options.compiles.max(1);
        let order = stats::rounds(compiled.len(), &every, compiles, self.options.seed).concat();
        self.total = self.process + 2 * order.len() as u32;
        let mut able = vec![kinds.to_vec(); workloads.len()];
        for (module, side) in order {
            let (workload, kind) = (compiled[module], kinds[side]);
            if !able[workload].contains(&kind) {
                continue;
            }
            let task = Task::Compile {
                workload: self.stored(workload),
                artifact: self.artifact(workload, kind),
            };
            match self.work(kind, task) {
                Ok(records) => {
                    self.keep(records)?;
                    self.memory(workload, kind)?;
                }
                Err(error) if error.is::<Stop>() => return Err(error),
                Err(error) => {
                    able[workload].retain(|able| *able != kind);
                    let what = format!("{} on {}", workloads[workload].name, kind.id());
                    self.absent(what, &error, true)?;
                }
            }
        }
        let mut able: Vec<_> = self.modules.iter().map(|first| able[*first].clone()).collect();
        for (able, workload) in able.iter_mut().zip(workloads) {
            able.extend(workload.native.then_some(&NATIVE));
        }
        Ok(able.into_iter().enumerate().collect())
    }

    /// What memory the module takes on an engine. That its first call cannot be made is told later.
    fn memory(&mut self, workload: usize, kind: &Kind) -> Result<()> {
        let (artifact, workload) = (self.artifact(workload, kind), self.stored(workload));
        match self.work(kind, Task::Memory { workload, call: 0, artifact }) {
            Ok(records) => self.keep(records),
            Err(error) if error.is::<Stop>() => Err(error),
            Err(_) => Ok(()),
        }
    }

    /// Makes every call once on every engine and compares.
    fn compare(
        &mut self,
        workloads: &[Workload],
        able: Vec<(usize, Vec<&'static Kind>)>,
    ) -> Result<Vec<Row>> {
        let calls = |workload: &Workload| workload.calls.len();
        let pilots: usize =
            able.iter().map(|(index, kinds)| calls(&workloads[*index]) * kinds.len()).sum();
        self.total = self.process + pilots as u32;
        let mut rows = Vec::new();
        for (workload, kinds) in able {
            for call in 0..calls(&workloads[workload]) {
                let mut row = Row {
                    workload,
                    call,
                    kinds: kinds.clone(),
                    samples: 2,
                    outcome: Outcome::default(),
                };
                let Workload { name, calls, .. } = &workloads[workload];
                if self.pilot(&mut row, name, &calls[call].label)? {
                    rows.push(row);
                }
            }
        }
        self.useless(workloads, &rows)?;
        Ok(rows)
    }

    /// Tells of programs that make none of the calls that somebody asked for, where nothing is told of yet.
    fn useless(&mut self, workloads: &[Workload], rows: &[Row]) -> Result<()> {
        let is_asked = |row: &&Row| workloads[row.workload].name != HOST_CALLS;
        for program in &self.options.programs {
            let is_of = |kind: &&Kind| kind.id() == program.id;
            let name = program.id.to_string();
            let is_told = |absent: &Absent| absent.failed && absent.what.ends_with(&name);
            let makes = rows.iter().filter(is_asked).map(|row| row.kinds.iter().any(is_of));
            let makes: Vec<bool> = makes.collect();
            let is_useless = !makes.is_empty() && !makes.contains(&true);
            if is_useless && !self.run.absent.iter().any(is_told) {
                let why = self.run.absent.iter().find(|absent| absent.what.ends_with(&name));
                let why = why.map_or_else(String::new, |absent| format!(": {}", absent.reason));
                self.absent(name, &anyhow!("it made none of the calls{why}"), true)?;
            }
        }
        Ok(())
    }

    /// Whether the call can be measured. An error when engines disagree.
    fn pilot(&mut self, row: &mut Row, name: &str, label: &str) -> Result<bool> {
        let what = &format!("{name} {label}");
        let mut outcomes = Vec::new();
        let mut failures = Vec::new();
        let mut fastest = u64::MAX;
        for kind in row.kinds.clone() {
            match self.work(kind, self.call(row, kind)) {
                Ok(records) => {
                    fastest = fastest.min(shortest(&records, Phase::Total));
                    outcomes.push((kind.id(), outcome(&records)));
                }
                Err(error) if error.is::<Stop>() => return Err(error),
                Err(error) if kind.program.is_some() => {
                    // It may well not have the host functions.
                    row.kinds.retain(|able| *able != kind);
                    self.absent(format!("{what} on {}", kind.id()), &error, false)?;
                }
                Err(error) => failures.push((kind.id(), error)),
            }
        }
        let Some((first, expected)) = outcomes.first() else {
            if let Some((_, error)) = failures.first() {
                self.absent(what.to_owned(), error, true)?;
            }
            return Ok(false);
        };
        if let Some((id, error)) = failures.first() {
            bail!("{what}: {first} returned, but {id} failed: {error:#}");
        }
        for (id, other) in &outcomes {
            same(what, (first, expected), (id, other))?;
        }
        row.outcome = expected.clone();
        row.samples = samples(fastest);
        Ok(true)
    }

    fn measure(&mut self, workloads: &[Workload], rows: &[Row]) -> Result<()> {
        let mut all: Vec<&'static Kind> = Vec::new();
        for kind in rows.iter().flat_map(|row| &row.kinds) {
            if !all.contains(kind) {
                all.push(kind);
            }
        }
        let every: Vec<u32> = all.iter().map(|kind| kind.every).collect();
        let (processes, seed) = (self.options.processes, self.options.seed);
        let rounds = stats::rounds(rows.len(), &every, processes, seed);
        self.total = self.process + rounds.iter().map(|round| round.len() as u32).sum::<u32>();
        for (done, round) in rounds.into_iter().enumerate() {
            let late = self.options.budget.is_some_and(|budget| self.started.elapsed() > budget);
            if late && done >= MIN_PROCESSES {
                break;
            }
            for (row, side) in round {
                let (row, kind) = (&rows[row], all[side]);
                if row.kinds.contains(&kind) {
                    self.measure_once(workloads, row, kind)?;
                }
            }
        }
        Ok(())
    }

    /// Makes every call on several threads at once, in a few processes each.
    fn at_once(&mut self, rows: &[Row]) -> Result<()> {
        const PROCESSES: u32 = 12;
        const MS: u64 = 200;
        let threads = self.options.threads.clone();
        let able = |kind: &&Kind| kind.start != Start::Native && kind.program.is_none();
        let mut wanted = Vec::new();
        for row in rows {
            for kind in row.kinds.iter().copied().filter(able) {
                wanted.extend(threads.iter().map(|threads| (row, kind, *threads)));
            }
        }
        let processes = self.options.processes.min(PROCESSES);
        self.total = self.process + processes * wanted.len() as u32;
        let mut rng = ChaCha8Rng::seed_from_u64(self.options.seed);
        for _ in 0..processes {
            for (row, kind, threads) in stats::permuted(&wanted, &mut rng) {
                let task = Task::Threads {
                    workload: self.stored(row.workload),
                    call: row.call,
                    artifact: self.artifact(row.workload, kind),
                    threads,
                    ms: MS,
                };
                let records = self.work(kind, task)?;
                self.keep(records)?;
            }
        }
        Ok(())
    }

    fn measure_once(
        &mut self,
        workloads: &[Workload],
        row: &Row,
        kind: &'static Kind,
    ) -> Result<()> {
        let records = self.work(kind, self.call(row, kind))?;
        let workload = &workloads[row.workload];
        let what = format!("{} {}", workload.name, workload.calls[row.call].label);
        let first = Id { engine: "all engines".into(), setting: "before".into() };
        same(&what, (&first, &row.outcome), (&kind.id(), &outcome(&records)))?;
        self.keep(records)
    }

    fn keep(&mut self, records: Vec<Record>) -> Result<()> {
        records.into_iter().try_for_each(|record| self.record(record))
    }

    fn stored(&self, workload: usize) -> PathBuf {
        self.folder.join(format!("{workload}.workload"))
    }

    fn artifact(&self, workload: usize, kind: &Kind) -> PathBuf {
        let module = self.modules.get(workload).unwrap_or(&workload);
        self.folder.join(format!("{module}.{}.{}", kind.engine, kind.setting))
    }

    fn call(&self, row: &Row, kind: &Kind) -> Task {
        Task::Call {
            workload: self.stored(row.workload),
            call: row.call,
            artifact: self.artifact(row.workload, kind),
            samples: row.samples,
            total_only: false,
        }
    }

    /// Runs a worker to its end.
    fn work(&mut self, kind: &Kind, task: Task) -> Result<Vec<Record>> {
        self.work_by(&self.options.worker, kind, task)
    }

    /// Runs a worker of some program's to its end.
    fn work_by(&mut self, worker: &[OsString], kind: &Kind, task: Task) -> Result<Vec<Record>> {
        let what = match &task {
            Task::Open => "open",
            Task::Compile { .. } => "compile",
            Task::Call { .. } => "call",
            Task::Count { .. } => "count",
            Task::Explain { .. } => "functions of",
            Task::Sample { .. } => "look at",
            Task::Memory { .. } => "memory of",
            Task::Threads { .. } => "threads on",
            Task::Repeat { .. } => "count instructions of",
        };
        // What is measured besides was not planned: sizes, instructions, an alarm again.
        self.total = self.total.max(self.process);
        self.observer.progress(self.process, self.total, &format!("{what} {}", kind.id()));
        self.go_on()?;
        let process = self.process;
        self.process += 1;
        if let Some(program) = kind.program {
            return self.foreign(program, kind, &task, process);
        }
        let bounds = self.options.bounds;
        let job = Job { process, engine: kind.id(), task, bounds };
        let job = serde_json::to_vec(&job).context("cannot write the job")?;
        let printed = self.start(worker, &job, None)?;
        let program = worker.first().map(Path::new).unwrap_or(Path::new("")).display();
        ensure!(what != "call" || !printed.is_empty(), "{program} is no build of lithify");
        printed.lines().map(parse).collect()
    }
}
