//! `lithify bench`: ahead-of-time against just-in-time and interpreted, on the same host functions.

mod calibrate;
mod flame;
mod format;
mod kept;
mod watch;

pub use flame::{destination, draw};
pub use format::Format;
pub use kept::Kept;
pub use watch::{Watch, interrupts};

use super::run::initializer;
use crate::{
    bounds::BoundOptions,
    output::{self, Content, Destination},
    source::Source,
    status::{Exit, INTERRUPTED, Usage},
};
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use lithify_bench::{
    Calls, Manifest, Run, Workload, author,
    engine::{Id, KINDS, Kind},
    report::html::{self, Shown},
    run,
    runner::Program,
    stats::MIN_PROCESSES,
    worker,
};
use lithify_compiler::{Options, Profile, inspect};
use lithify_measure::Bounds;
use lithify_polkadot::Input;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// Before the path of an engine that is a program.
const PROGRAM: &str = "command:";

/// Beyond this, a run of the usual length is content with fewer processes.
const USUAL: Duration = Duration::from_secs(200);

/// Measures runtimes on Lithify, wasmtime and wasmi, with outputs compared.
#[derive(Args)]
#[command(after_help = "\
A fresh process is one measurement; their order is random. Artifacts are in a folder that goes with
the run, below TMPDIR. The table has the 25 % quantiles over processes and, as ratio to the best
wasmtime setting, theirs with a 95 % interval. Quiet machines and many processes give narrow
intervals. An interrupt (Ctrl-C) ends the run and reports what there is.

Exit status: 0 done, 1 something failed and was left out, 2 wrong usage, 130 interrupted.

Examples:
  lithify bench
  lithify bench workloads/ledger
  lithify bench westend.json block.json --processes 100 --samples samples.jsonl
  lithify bench old/runtime.wasm new/runtime.wasm
  lithify bench workloads/ledger --growth
  lithify bench block.json --author
  lithify bench westend.json --threads 1,2
  lithify bench westend.json --engines lithify,jit
  lithify bench --engines lithify,command:./worker-go
  lithify bench westend.json --save main
  lithify bench --json > samples.jsonl
  lithify bench --calibrate --samples trace.jsonl
  lithify bench --calibrate --time 10min --samples trace.jsonl
  lithify bench --report samples.jsonl
  lithify bench --report samples.jsonl --format markdown
  lithify bench --report samples.jsonl --format json")]
pub struct Bench {
    /// Runtimes in any of their forms, or folders with a workload.toml; by default the bundled
    /// runtime with its block.
    runtimes: Vec<PathBuf>,
    /// Processes per row and engine; by default 40, or fewer where there are many rows or where it
    /// would take over some 4 minutes. Under 12 no ratio can be told.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    processes: Option<u32>,
    /// Compilations per runtime and engine, each in a process.
    #[arg(long, value_name = "N", default_value_t = 5,
          value_parser = clap::value_parser!(u32).range(..=100_000))]
    compiles: u32,
    /// Make each call on so many threads at once, too: how many calls they make together, and what the
    /// slowest of a hundred takes.
    #[arg(long, value_name = "N,…", value_delimiter = ',',
          value_parser = clap::value_parser!(u32).range(1..=256))]
    threads: Vec<u32>,
    /// Measure every block of a folder with a workload.toml, the smallest and the largest among them, to
    /// see how a call grows with its block.
    #[arg(long)]
    growth: bool,
    /// Measure the calls by which an author makes a block, too, where there is one: initialize_block,
    /// apply_extrinsic of the one half way, finalize_block, each on the state that it finds; and the one by
    /// which the runtime makes its chain's first state.
    #[arg(long)]
    author: bool,
    /// Seed of the order and of the resampling; by default another one each time.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Measure these engines only, by name or setting: lithify, wasmtime, jit, wasmi …; by name alone
    /// lithify-v2, winch and lazy (of wasmi); ratios need lithify and one of wasmtime. command:PATH is an engine in a program of its own, by the protocol of
    /// bench-suite/WORKERS.md.
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    engines: Vec<String>,
    /// Keep the raw samples in this file, one JSON object a line. Until the run is over, and when it
    /// is interrupted, its name has .partial behind it.
    #[arg(long, value_name = "FILE")]
    samples: Option<PathBuf>,
    /// Where the report goes as a page.
    #[arg(long, value_name = "FILE", default_value = "bench.html", conflicts_with = "no_page")]
    page: PathBuf,
    /// Make no page.
    #[arg(long)]
    no_page: bool,
    /// Print the raw samples instead of the report.
    #[arg(long)]
    json: bool,
    /// Let every call of a runtime first call this exported function, by default _initialize or
    /// else _start: for modules that are not ready without. No node does so.
    #[arg(long, value_name = "EXPORT", num_args = 0..=1, require_equals = true)]
    initialize: Option<Option<String>>,
    /// How to print the report.
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "text",
        conflicts_with = "json",
        value_parser = Format::parser()
    )]
    format: Format,
    /// Keep the numbers of each process in NAME.bench.jsonl, as a baseline to commit or cache:
    /// `lithify compare NAME …` compares with it.
    #[arg(long, value_name = "NAME")]
    save: Option<PathBuf>,
    /// Measure nothing: report on samples that were kept.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["runtimes", "samples", "json", "save"])]
    report: Option<PathBuf>,
    #[command(flatten)]
    calibrate: calibrate::Calibrate,
    #[command(flatten)]
    bounds: BoundOptions,
}

/// One measurement, for `bench` itself.
#[derive(Args)]
pub struct Worker;

impl Worker {
    /// Runs the command.
    pub fn execute(self) -> Result<()> {
        worker::main()
    }
}

impl Bench {
    /// Runs the command.
    pub fn execute(self) -> Result<()> {
        if self.calibrate.is_asked() {
            return self.calibrate();
        }
        if let Some(path) = &self.report {
            return self.format.print_run(&Kept::read(path)?.run);
        }
        let inputs: Vec<&Path> = self.runtimes.iter().map(PathBuf::as_path).collect();
        let samples = (self.samples.as_deref())
            .map(|path| Destination::open(path, Content::Text, &inputs))
            .transpose()?;
        let page = (!self.no_page && !self.json)
            .then(|| Destination::open(&self.page, Content::Text, &inputs))
            .transpose()
            .context("the report needs a place; --page names another one, --no-page none")?;
        let saved = (self.save.as_deref()).map(|name| kept::place(name, &inputs)).transpose()?;
        let bounds = Bounds { memory: None, ..self.bounds.bounds() };
        let workloads =
            bounds.within("asking a runtime's version", || self.workloads(&inputs))??;
        let mut options = lithify_bench::Options::new(&["bench-worker"])?;
        options.processes = self.processes.unwrap_or_else(|| processes(&workloads));
        if (options.processes as usize) < MIN_PROCESSES {
            output::note(format_args!(
                "{} processes a row are too few to tell a ratio; {MIN_PROCESSES} and more can",
                options.processes
            ));
        }
        options.budget = self.processes.is_none().then_some(USUAL);
        options.compiles = self.compiles;
        options.threads.clone_from(&self.threads);
        options.programs = self.programs()?;
        options.engines = self.engines()?;
        options.named = !self.engines.is_empty();
        options.engines.extend(options.programs.iter().map(|program| program.id.clone()));
        options.bounds = self.bounds.bounds();
        options.seed = self.seed.unwrap_or(options.seed);
        let run = Watch::over(samples, self.json, |watch| run(&workloads, &options, watch))?;
        match saved {
            Some(saved) if run.interrupted.is_none() => kept::save(&run, &saved)?,
            Some(saved) => output::note(format_args!(
                "{} is not written, as the run was interrupted",
                saved.name().display()
            )),
            None => {}
        }
        if !self.json {
            self.format.print_run(&run)?;
        }
        let answer = Self::answer(&run);
        if let Some(to) = page {
            let name = inputs.iter().map(|path| path.display().to_string());
            let name = name.reduce(|all, name| format!("{all}, {name}"));
            let name = name.unwrap_or_else(|| "the bundled runtime".into());
            to.write(html::page(&[Shown { name, run }])?.as_bytes())?;
            output::line(format_args!("the report is in {}", to.name().display()))?;
        }
        answer
    }

    /// What went wrong, as an exit status.
    fn answer(run: &Run) -> Result<()> {
        if run.interrupted.is_some() {
            bail!(Exit(INTERRUPTED));
        }
        let mut failed = run.absent.iter().filter(|absent| absent.failed);
        match (failed.next(), failed.count()) {
            (None, _) => Ok(()),
            (Some(one), 0) => bail!("{} was left out: {}", one.what, one.reason),
            (Some(one), more) => {
                bail!("{} and {more} more were left out: {}", one.what, one.reason)
            }
        }
    }

    /// The engines that were asked for, the usual ones by default.
    fn engines(&self) -> Result<Vec<Id>> {
        let is = |kind: &Kind, name: &str| kind.engine == name || kind.setting == name;
        let mut known = self.engines.iter().filter(|name| !name.starts_with(PROGRAM));
        if let Some(unknown) = known.find(|name| !KINDS.iter().any(|kind| is(kind, name))) {
            let known = Kind::names();
            bail!(Usage(format!("--engines: there is no {unknown:?}; there are {known}")));
        }
        if self.engines.is_empty() {
            return Ok(Kind::usual().map(Kind::id).collect());
        }
        let asked = |kind: &&Kind| self.engines.iter().any(|name| is(kind, name));
        Ok(KINDS.iter().filter(asked).map(Kind::id).collect())
    }

    /// Engines that are programs of others.
    fn programs(&self) -> Result<Vec<Program>> {
        let programs = self.engines.iter().filter_map(|name| program(name));
        let programs = programs.collect::<Result<Vec<Program>>>()?;
        for (at, program) in programs.iter().enumerate() {
            let engine = &program.id.engine;
            let is_twice = programs[..at].iter().any(|other| other.id == program.id);
            ensure!(
                !is_twice,
                Usage(format!("two workers are called {engine}: give one's file another name"))
            );
        }
        Ok(programs)
    }

    /// What is measured. A runtime that does not embed its version is asked for it.
    fn workloads(&self, inputs: &[&Path]) -> Result<Vec<Workload>> {
        let mut workloads = vec![Workload::host_calls()];
        if self.runtimes.is_empty() {
            let name = "solochain";
            let input = Source::bundled()?.input;
            let authored = self.authored(name, &input)?;
            workloads.push(Workload::new(name, input)?);
            workloads.extend(authored);
        }
        for (path, name) in inputs.iter().zip(names(inputs)) {
            if path.is_dir() {
                let calls = if self.growth { Calls::All } else { Calls::Measured };
                workloads.extend(Manifest::read(path)?.workloads(calls)?);
                continue;
            }
            if self.growth {
                output::note(format_args!(
                    "--growth: {name} is no folder with a workload.toml, so it has no other blocks"
                ));
            }
            let input = Source::read(path)?.input;
            let (authored, initialize) = (self.authored(&name, &input)?, self.initializer(&input));
            workloads.push(Workload::initialized_by(initialize, &name, input)?);
            workloads.extend(authored);
        }
        Ok(workloads)
    }

    /// The calls of a block's author, if they were asked for.
    fn authored(&self, name: &str, input: &Input) -> Result<Vec<Workload>> {
        let Input::Runtime(runtime) = input else { return Ok(Vec::new()) };
        if !self.author {
            return Ok(Vec::new());
        }
        let workloads = author::workloads(name, runtime)?;
        if workloads.is_empty() {
            output::note(format_args!(
                "{name} has no block, and makes no state, so there are no calls of its author"
            ));
        }
        Ok(workloads)
    }

    /// The initialiser that was asked for, in this module.
    fn initializer(&self, input: &Input) -> Option<String> {
        let asked = self.initialize.as_ref()?;
        let Input::Runtime(runtime) = input else { return None };
        let general = Options { profile: Some(Profile::General), ..Options::default() };
        let exports = inspect(runtime.wasm(), &general).map(|info| info.exports);
        let exports = exports.unwrap_or_default();
        let names: Vec<&str> = exports.iter().map(|export| &*export.name).collect();
        Some(initializer(asked.as_deref(), &names))
    }
}

/// The program behind the name of an engine, where it is one.
pub fn program(name: &str) -> Option<Result<Program>> {
    name.strip_prefix(PROGRAM).map(|path| Program::at(Path::new(path)))
}

/// As many processes a row as make some ten minutes in all, and at least 5.
fn processes(workloads: &[Workload]) -> u32 {
    let rows: usize = workloads.iter().map(|workload| workload.calls.len()).sum();
    (600 / rows.max(1) as u32).clamp(5, 40)
}

/// What runtimes are called in the report: their files' names, with as much before as tells them
/// apart, and a number where one file is there twice.
fn names(paths: &[&Path]) -> Vec<String> {
    let stem = |path: &Path| path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let name = |(index, path): (usize, &&Path)| {
        let alike = paths.iter().filter(|other| stem(other) == stem(path)).count();
        let name = match stem(path) {
            Some(stem) if alike == 1 => stem,
            _ => path.display().to_string(),
        };
        match paths[..index].iter().filter(|other| other == &path).count() {
            0 => name,
            before => format!("{name} ({})", before + 1),
        }
    };
    paths.iter().enumerate().map(name).collect()
}
