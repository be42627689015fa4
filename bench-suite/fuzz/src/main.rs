//! The command line of the fuzzer.

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use lithify_fuzz::{
    cost,
    supervise::{self, Plan},
    work::{self, Done, Job, Kind},
};
use serde_json::json;
use std::{
    ffi::OsString,
    io::{Read, Write},
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

/// Runs random modules, and pieces of runtimes with a few changes, on Lithify, wasmtime and
/// wasmi, and compares results, traps, globals and memory.
///
/// An input is a function of the seed, its number and the runtimes given, so that what was found
/// is found again. A module on which engines disagree is made small and kept.
#[derive(Parser)]
#[command(
    name = "lithify-fuzz",
    args_conflicts_with_subcommands = true,
    after_help = "\
Exit status: 0 nothing was found, 1 something was, 2 wrong usage.

Examples:
  lithify-fuzz --time 60
  lithify-fuzz --seed 1 --count 500 --runtime westend.json
  lithify-fuzz parsers --time 60
  lithify-fuzz cost --time 3600
  lithify-fuzz replay bench-suite/fuzz/cases/*"
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    options: Options,
    /// A runtime to carve modules from, in any of its forms, beside the bundled one.
    #[arg(long = "runtime", value_name = "FILE")]
    runtimes: Vec<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// Has damaged modules, images, chain specs, block files, compressed code and samples read; also
    /// such as are damaged behind a form in order: an image with another content and the right hash.
    Parsers(Options),
    /// Searches for modules that take the most CPU time and memory per byte to compile.
    Cost {
        #[command(flatten)]
        options: Options,
        /// Bytes of code in a module, at most.
        #[arg(long, value_name = "N", default_value_t = 128 << 10)]
        size: usize,
    },
    /// Runs cases that were kept.
    Replay {
        /// Modules (.wat, .wasm), files for parsers (.bin) and recipes of `cost` (.json).
        #[arg(required = true)]
        cases: Vec<PathBuf>,
    },
    #[command(hide = true)]
    Worker,
    #[command(hide = true)]
    CostWorker,
}

#[derive(Args)]
struct Options {
    /// Stop after so many seconds, a year at most.
    #[arg(long, value_name = "SECONDS", default_value_t = 60,
        value_parser = clap::value_parser!(u64).range(..=31_536_000))]
    time: u64,
    /// Stop after so many inputs.
    #[arg(long, value_name = "N", default_value_t = u64::MAX)]
    count: u64,
    /// Number of the first input.
    #[arg(long, value_name = "N", default_value_t = 0)]
    first: u64,
    /// Decides which inputs.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Worker processes; 0 for one a CPU.
    #[arg(short, long, value_name = "N", default_value_t = 0)]
    jobs: u64,
    /// Where inputs that failed are kept.
    #[arg(long, value_name = "DIR", default_value = "fuzz-cases")]
    keep: PathBuf,
    /// What starts the workers: the emulator that runs this program.
    #[arg(long, value_name = "PROGRAM", hide = true)]
    runner: Option<OsString>,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

impl Options {
    /// What starts this program again.
    fn program(&self) -> Result<Vec<OsString>> {
        let this = std::env::current_exe().context("cannot find this program")?;
        Ok(self.runner.clone().into_iter().chain([this.into()]).collect())
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        None => fuzz(Kind::Modules, &cli.options, cli.runtimes),
        Some(Command::Parsers(options)) => fuzz(Kind::Parsers, &options, vec![]),
        Some(Command::Replay { cases }) => replay(&cases),
        Some(Command::Cost { options, size }) => cost(&options, size),
        Some(Command::Worker) => worker(),
        Some(Command::CostWorker) => cost::work(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn fuzz(kind: Kind, options: &Options, runtimes: Vec<PathBuf>) -> Result<()> {
    let cpus = || std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let plan = Plan {
        program: options.program()?,
        job: Job {
            kind,
            seed: options.seed,
            first: options.first,
            step: 1,
            end: options.first.saturating_add(options.count),
            runtimes,
        },
        time: Duration::from_secs(options.time),
        jobs: if options.jobs == 0 { cpus() } else { options.jobs },
        keep: options.keep.clone(),
    };
    let bar = bar(options.time)?;
    let started = Instant::now();
    let (done, finding) = supervise::run(&plan, |done| {
        bar.set_position(started.elapsed().as_secs().min(options.time));
        bar.set_message(format!("{} inputs", done.inputs));
    })?;
    bar.finish_and_clear();
    let seconds = started.elapsed().as_secs_f64();
    let Some(finding) = finding else {
        return print(kind, options, done, seconds);
    };
    let kept = supervise::keep(&plan, &finding);
    let place = match &kept {
        Ok(path) => format!("kept as {}", path.display()),
        Err(error) => format!("not kept: {error:#}"),
    };
    if options.json {
        let path = kept.ok();
        let found = json!({ "number": finding.number, "what": finding.what, "case": path });
        println!("{}", json!({ "seed": options.seed, "inputs": done.inputs, "found": found }));
    }
    bail!("seed {} input {}: {}; {place}", options.seed, finding.number, finding.what)
}

fn cost(options: &Options, size: usize) -> Result<()> {
    let program = options.program()?;
    let time = Duration::from_secs(options.time);
    let plan =
        cost::Plan { program: &program, seed: options.seed, time, count: options.count, size };
    let found = cost::search(&plan)?;
    if options.json {
        writeln!(std::io::stdout(), "{}", serde_json::to_string(&found)?)?;
    } else {
        writeln!(std::io::stdout(), "{} recipes; the worst of each shape:", found.recipes)?;
        for (label, _, worst) in found.worst.iter().take(20) {
            writeln!(std::io::stdout(), "{label}: {}", cost::describe(worst))?;
        }
    }
    let Some((recipe, why)) = found.beyond else { return Ok(()) };
    std::fs::create_dir_all(&options.keep)?;
    let path = options.keep.join(format!("cost-{}-{}.json", options.seed, found.recipes));
    std::fs::write(&path, serde_json::to_vec(&(recipe, size))?)?;
    bail!("beyond the bounds: {why}; kept as {}", path.display())
}

fn print(kind: Kind, options: &Options, done: Done, seconds: f64) -> Result<()> {
    let Done { inputs, calls, traps, theirs, runs } = done;
    if options.json {
        let report = json!({
            "seed": options.seed,
            "inputs": inputs,
            "runs": runs,
            "calls": calls,
            "traps": traps,
            "mistakes_of_others": theirs,
            "seconds": seconds,
            "found": null,
        });
        return Ok(writeln!(std::io::stdout(), "{report}")?);
    }
    let text = match kind {
        Kind::Modules => format!(
            "{inputs} modules, {runs} runs on engines, {calls} calls, {traps} of them trapped, \
             no disagreement in {seconds:.0} s; wasmi contradicted itself in {theirs}"
        ),
        Kind::Parsers => format!("{inputs} files, nothing found in {seconds:.0} s"),
    };
    Ok(writeln!(std::io::stdout(), "{text}")?)
}

fn bar(seconds: u64) -> Result<ProgressBar> {
    let bar = ProgressBar::new(seconds);
    bar.set_style(ProgressStyle::with_template("[{bar:40}] {pos}/{len} s {msg}")?);
    Ok(bar)
}

fn replay(cases: &[PathBuf]) -> Result<()> {
    for case in cases {
        if case.extension().is_some_and(|extension| extension == "json") {
            let cost = cost::replay(case).with_context(|| case.display().to_string())?;
            println!("{}: {}", case.display(), cost::describe(&cost));
            continue;
        }
        let done = work::replay(case).with_context(|| case.display().to_string())?;
        if done.theirs > 0 {
            println!("{}: wasmi contradicts itself", case.display());
        }
    }
    Ok(())
}

fn worker() -> Result<()> {
    let mut job = String::new();
    std::io::stdin().read_to_string(&mut job).context("cannot read the job")?;
    work::work(&serde_json::from_str(&job).context("not a job")?, &mut std::io::stdout())
}
