//! `lithify compare`: is this slower than that? Two runtimes, two builds of Lithify, two commands, or
//! what was kept of earlier runs.

use super::bench::{Format, Kept, Watch, destination, draw, program};
use crate::{
    bounds::BoundOptions,
    output::{self, Content, Destination},
    source::Source,
    status::{Exit, INTERRUPTED, No, Usage},
};
use anyhow::{Context, Result, bail};
use clap::Args;
use lithify_bench::{
    Options, Run, Workload,
    comparison::{Compared, of_hours},
    engine::{Id, KINDS, Kind},
    report::{export::Results, flame::of_comparison},
    run,
    runner::{self, SideOf},
    sample::Sides,
    stats::Verdict,
    stats::relinks::{FEWEST, MOST},
    workload::Call,
};
use lithify_measure::Bounds;
use lithify_polkadot::{Input, RuntimeInput};
use sp_crypto_hashing::blake2_256;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Compares two runtimes on one engine: which calls became slower, by how much.
///
/// With --engine lithify@LABEL the first file is another build of this program, and one runtime runs
/// on both. Names that `bench --save` gave stand for what it kept.
#[derive(Args)]
#[command(after_help = "\
Processes of both sides run in random order, until a difference is certain or there are enough
of them; what looks different is measured again before it is said. Of comparisons of equal
sides, at most 5 in 100 alarm, all rows together. Differences below 1 % are not told, of two
builds of an engine 3 % (1.5 % above 20 us), of runs of different hours 15 %. What is counted,
sizes and host calls among it, is exact. Of builds that are there several times, linked in
different orders (scripts/relink), layout is in the interval, and differences from 1 % on are
told.

Exit status: 0 no row was found slower (or that cannot be told: see the table), 1 one is, 2 a
call could not be measured or wrong usage, 130 interrupted.

Examples:
  lithify compare old.wasm new.wasm
  lithify compare old.wasm new.wasm --state block.json --samples samples.jsonl
  lithify compare old.wasm new.wasm --engine wasmtime --setting precompiled-2m
  lithify compare old.wasm new.wasm --format markdown
  lithify compare old.wasm new.wasm --instructions
  lithify compare old.wasm new.wasm --flame difference.svg
  lithify compare --engine lithify@old ./lithify-old runtime.wasm
  lithify compare --engine lithify@old a1,a2,a3,a4 runtime.wasm --relinks b1,b2,b3,b4
  lithify compare --runs 'bench-a --samples -' 'bench-b --samples -'
  lithify compare main HEAD")]
pub struct Compare {
    /// The runtime to compare with, in any of its forms but an image; or another build of this program, or
    /// several links of it with commas between; or the name or samples of an earlier run.
    #[arg(required_unless_present = "runs")]
    base: Option<PathBuf>,
    /// The runtime that is compared, or that both builds run.
    #[arg(required_unless_present = "runs")]
    new: Option<PathBuf>,
    /// Compare two commands of the shell, each of which prints samples as `bench --json` does.
    #[arg(long, num_args = 2, value_names = ["BASE", "NEW"],
          conflicts_with_all = ["base", "new", "state", "engine", "setting"])]
    runs: Option<Vec<String>>,
    /// A chain spec or block file: its state is what both see, and its block is executed by both.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// The engine that runs both, or command:PATH for one in a program of its own. With @LABEL behind it, the base is that engine of another build.
    #[arg(long, value_name = "NAME", default_value = "lithify")]
    engine: String,
    /// The setting of the engine, as in the table of `lithify bench`; by default its first.
    #[arg(long, value_name = "NAME")]
    setting: Option<String>,
    /// Links of the new build in different orders, 4 to 8 and as many as there are of the base, in the place
    /// of this program: what differs then is no matter of layout.
    #[arg(long, value_name = "FILE,…", value_delimiter = ',', conflicts_with = "runs")]
    relinks: Vec<PathBuf>,
    /// The most processes a side and call, 20 or more; under 60 a difference of a few percent may stay
    /// unseen.
    #[arg(long, value_name = "N", default_value_t = 200,
          value_parser = clap::value_parser!(u32).range(20..=100_000))]
    processes: u32,
    /// The most processes a side that compile, to compare time and memory of that; 0 for none.
    #[arg(long, value_name = "N", default_value_t = 20,
          value_parser = clap::value_parser!(u32).range(..=100_000))]
    compiles: u32,
    /// What counts as a difference, in percent, in the place of the usual floor: 1, of two builds 3 or 1.5,
    /// of runs of different hours 15.
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    floor: Option<f64>,
    /// Look where the time of every call goes, by function of the guest, and not only of one that
    /// differs.
    #[arg(long)]
    explain: bool,
    /// Count the instructions of every call by function, under valgrind, which takes seconds a call and
    /// side: next to no noise, and nothing of caches, branches and the kernel.
    #[arg(long, conflicts_with = "runs")]
    instructions: bool,
    /// Draw where the time of every call goes, function by function with its callers, as a flame graph of
    /// the difference: an SVG file, or lines for other tools where the name ends in .folded.
    #[arg(long, value_name = "FILE", conflicts_with = "runs")]
    flame: Option<PathBuf>,
    /// Seed of the order; by default another one each time.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Keep the raw samples in this file, one JSON object a line; `lithify report` reads them.
    #[arg(long, value_name = "FILE")]
    samples: Option<PathBuf>,
    /// How to print the result.
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = Format::parser())]
    format: Format,
    /// The same as --format json.
    #[arg(long, conflicts_with = "format")]
    json: bool,
    #[command(flatten)]
    bounds: BoundOptions,
}

/// Percent as a share.
pub(super) fn percent(text: &str) -> Result<f64, String> {
    match text.trim_end_matches('%').trim().parse::<f64>() {
        Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(percent / 100.0),
        _ => Err("not a percentage from 0 to 100".into()),
    }
}

impl Compare {
    /// Runs the command.
    pub fn execute(self) -> Result<()> {
        let files = [&self.base, &self.new].into_iter().flatten().map(PathBuf::as_path);
        let inputs: Vec<&Path> = files.chain(self.state.as_deref()).collect();
        let kept = (self.samples.as_deref())
            .map(|path| Destination::open(path, Content::Text, &inputs))
            .transpose()?;
        let flame = (self.flame.as_deref()).map(|path| destination(path, &inputs)).transpose()?;
        let mut options = Options::new(&["bench-worker"])?;
        options.processes = self.processes;
        options.compiles = self.compiles;
        options.floor = self.floor;
        options.explain = self.explain || self.flame.is_some();
        options.instructions = self.instructions;
        options.stacks = self.flame.is_some();
        options.bounds = self.bounds.bounds();
        options.seed = self.seed.unwrap_or(options.seed);
        let (run, compared) = match (&self.runs, &self.base, &self.new) {
            (Some(commands), ..) => {
                let [base, new] = &commands[..] else {
                    bail!(Usage("--runs takes two commands".into()));
                };
                let commands = [base.clone(), new.clone()];
                Watch::over(kept, false, |watch| {
                    runner::compare_commands(&commands, &options, watch)
                })?
            }
            (None, Some(base), Some(new)) => self.files(base, new, &options, kept)?,
            _ => bail!(Usage("compare takes two files".into())),
        };
        let report = lithify_bench::report(&run);
        let results = Results { report: &report, compared: Some(&compared) };
        let format = if self.json { Format::of(Format::JSON) } else { self.format };
        format.print(results)?;
        if let Some(to) = &flame {
            draw(to, &of_comparison(&run, &compared))?;
        }
        if run.interrupted.is_some() {
            output::note("interrupted: the table is of what was measured until then");
            bail!(Exit(INTERRUPTED));
        }
        Self::answer(&compared)
    }

    /// The answer as an exit status.
    fn answer(compared: &Compared) -> Result<()> {
        let slower = compared.rows.iter().filter(|row| row.verdict == Verdict::Slower);
        let slower: Vec<String> = slower.map(lithify_bench::comparison::Row::label).collect();
        match &slower[..] {
            [] => {}
            [row] => bail!(No(format!("{row} is slower"))),
            rows => bail!(No(format!("{} are slower", rows.join(", ")))),
        }
        if let Some(call) = compared.broken.first() {
            bail!("{} does not make the call {call}", compared.comparison.new);
        }
        if let Some(absent) = compared.absent.iter().find(|absent| absent.failed) {
            bail!("{} could not be measured: {}", absent.what, absent.reason);
        }
        Ok(())
    }

    fn files(
        &self,
        base: &Path,
        new: &Path,
        options: &Options,
        kept: Option<Destination>,
    ) -> Result<(Run, Compared)> {
        let (engine, label) = match self.engine.split_once('@') {
            Some((_, "")) => bail!(Usage("--engine NAME@LABEL takes a label".into())),
            Some((engine, label)) => (engine, Some(label)),
            None => (&*self.engine, None),
        };
        let program = program(engine).transpose()?;
        let id = match &program {
            Some(program) => program.id.clone(),
            None => {
                let first = KINDS.iter().find(|kind| kind.engine == engine);
                let first = || first.map_or("aot", |kind| kind.setting);
                let setting = self.setting.as_deref().unwrap_or_else(first);
                Id { engine: engine.into(), setting: setting.into() }
            }
        };
        match &program {
            None => _ = Kind::of(&id)?,
            Some(_) if self.flame.is_some() || self.instructions || self.explain => {
                bail!(Usage(format!(
                    "--flame, --instructions and --explain look into engines that are built in, not into {id}"
                )))
            }
            Some(_) => {}
        }
        let options = &Options { programs: program.into_iter().collect(), ..options.clone() };
        if label.is_none() && !self.relinks.is_empty() {
            bail!(Usage(
                "--relinks is for two builds of lithify, as in --engine lithify@old".into()
            ));
        }
        if let Some(base) = Kept::find(base)? {
            return self.hours(&base, new, &id, options, kept);
        }
        if Kept::find(new)?.is_some() {
            bail!(Usage(format!(
                "{} was kept of an earlier run, which can only be compared with: it goes first",
                new.display()
            )));
        }
        if label.is_none() {
            Kept::missed(base)?;
            Kept::missed(new)?;
        }
        let (sides, of) = match label {
            Some(label) => (self.builds(base, new, label, options)?, Sides::Builds),
            None => (self.modules(base, new, options)?, Sides::Modules),
        };
        Watch::over(kept, false, |watch| runner::compare(&sides, of, &id, options, watch))
    }

    fn modules(&self, base: &Path, new: &Path, options: &Options) -> Result<[SideOf; 2]> {
        // Whether both are there shows before one of them is worked on.
        let inputs = [read(base)?, read(new)?];
        let state = self.state.as_deref().map(read).transpose()?;
        let [base, new] = inputs.map(|input| self.workload(input, state.as_ref()));
        let (base, mut new) = (base?, new?);
        if base.name == new.name {
            new.name += " (again)";
        }
        let side = |workload| SideOf { workload, workers: vec![options.worker.clone()] };
        Ok([side(base), side(new)])
    }

    fn builds(
        &self,
        programs: &Path,
        runtime: &Path,
        label: &str,
        options: &Options,
    ) -> Result<[SideOf; 2]> {
        let [base_workers, new_workers] = self.binaries(programs, options)?;
        let input = read(runtime)?;
        let state = self.state.as_deref().map(read).transpose()?;
        let new = self.workload(input, state.as_ref())?;
        let mut base = new.clone();
        base.name = format!("{} by {label}", new.name);
        let new = SideOf { workload: new, workers: new_workers };
        Ok([SideOf { workload: base, workers: base_workers }, new])
    }

    /// The programs of both builds, with the arguments of workers.
    fn binaries(&self, base: &Path, options: &Options) -> Result<[Vec<Vec<OsString>>; 2]> {
        // A name may have commas in it.
        let base: Vec<PathBuf> = match base.to_str() {
            Some(text) if !base.exists() => text.split(',').map(PathBuf::from).collect(),
            _ => vec![base.to_owned()],
        };
        let (links, relinks) = (base.len(), self.relinks.len());
        let is_one = links == 1 && relinks == 0;
        if !is_one && (links != relinks || !(FEWEST..=MOST).contains(&links)) {
            let new = if relinks == 0 { "this program alone".into() } else { relinks.to_string() };
            bail!(Usage(format!(
                "of two builds, {FEWEST} to {MOST} links each can be compared, as many of one as of the \
                 other; there are {links} of the base, and with --relinks {new} of the other \
                 (scripts/relink makes them)"
            )));
        }
        let arguments = &options.worker[1..];
        let workers = |paths: &[PathBuf]| -> Result<Vec<Vec<OsString>>> {
            let mut seen = Vec::new();
            let mut workers = Vec::new();
            for path in paths {
                let found = path.canonicalize();
                let found =
                    found.with_context(|| format!("cannot find the program {}", path.display()))?;
                let bytes = std::fs::read(&found);
                let bytes = bytes.with_context(|| format!("cannot read {}", path.display()))?;
                let hash = blake2_256(&bytes);
                if seen.contains(&hash) {
                    bail!(Usage(format!(
                        "{} is one of the others again: links that are the same tell nothing of layout",
                        path.display()
                    )));
                }
                seen.push(hash);
                let mut worker = vec![OsString::from(found)];
                worker.extend_from_slice(arguments);
                workers.push(worker);
            }
            Ok(workers)
        };
        let new = if is_one { vec![options.worker.clone()] } else { workers(&self.relinks)? };
        Ok([workers(&base)?, new])
    }

    /// Against what was kept of an earlier run: another such, or a runtime that is measured now.
    fn hours(
        &self,
        base: &Kept,
        new: &Path,
        id: &Id,
        options: &Options,
        kept: Option<Destination>,
    ) -> Result<(Run, Compared)> {
        let now = match Kept::find(new)? {
            Some(now) => now,
            None => {
                let state = self.state.as_deref().map(read).transpose()?;
                let workload = self.workload(read(new)?, state.as_ref())?;
                let options = Options {
                    engines: vec![id.clone()],
                    processes: base.run.header.as_ref().map_or(40, |header| header.processes),
                    compiles: 1,
                    ..options.clone()
                };
                let name = workload.name.clone();
                let run = Watch::over(kept, false, |watch| run(&[workload], &options, watch))?;
                Kept { run, name }
            }
        };
        let compared = of_hours(&base.run, &now.run, [&base.name, &now.name])?;
        Ok((now.run, compared))
    }

    fn workload(
        &self,
        (name, runtime): (String, RuntimeInput),
        state: Option<&(String, RuntimeInput)>,
    ) -> Result<Workload> {
        let bounds = Bounds { memory: None, ..self.bounds.bounds() };
        bounds.within("asking a runtime's version", || match state {
            None => Workload::new(&name, Input::Runtime(Box::new(runtime))),
            Some((of_state, input)) => with_state(&name, &runtime, of_state, input),
        })?
    }
}

fn with_state(
    name: &str,
    runtime: &RuntimeInput,
    of_state: &str,
    input: &RuntimeInput,
) -> Result<Workload> {
    let trie = input.state.clone().with_context(|| format!("{of_state} has no state"))?;
    let mut calls = vec![Call::plain("Core_version"), Call::plain("Metadata_metadata")];
    // Another runtime may well leave another root.
    calls.extend(
        (input.block.as_ref()).map(|block| Call::new("Core_execute_block", block.argument())),
    );
    Workload::with_calls(name, runtime, trie, calls)
}

fn read(path: &Path) -> Result<(String, RuntimeInput)> {
    Source::read(path)?.runtime()
}
