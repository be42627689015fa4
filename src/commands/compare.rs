//! `lithify compare`: is this runtime slower than that one?

use crate::{bounds::BoundOptions, output, source::Source, status::No};
use anyhow::{Context, Result, bail};
use clap::Args;
use lithify_bench::{
    Options, Workload,
    engine::Id,
    runner::{self, Compared},
    stats::Verdict,
    workload::Call,
};
use lithify_measure::{
    Bounds,
    figure::{bytes, time},
};
use lithify_polkadot::{Input, RuntimeInput};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Compares two runtimes on one engine: which calls became slower, by how much.
#[derive(Args)]
#[command(after_help = "\
Processes of both sides run in random order, until a difference is certain or there are enough of
them; what looks different is measured again before it is said. Of comparisons of equal runtimes,
at most 5 in 100 alarm, all calls together; differences below 1 % are not told. Both sides are
measured now, on this machine: figures of another hour or machine are no base.

Exit status: 0 no call was found slower (or that cannot be told: see the table), 1 one is, 2 a
call could not be measured.

Examples:
  lithify compare old.wasm new.wasm
  lithify compare old.wasm new.wasm --state block.json
  lithify compare old.wasm new.wasm --engine wasmtime --setting precompiled-2m
  lithify compare old.wasm new.wasm --json")]
pub struct Compare {
    /// The runtime to compare with, in any of its forms but an image.
    base: PathBuf,
    /// The runtime that is compared.
    new: PathBuf,
    /// A chain spec or block file: its state is what both see, and its block is executed by both.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// The engine that runs both.
    #[arg(long, value_name = "NAME", default_value = "lithify")]
    engine: String,
    /// The setting of the engine, as in the table of `lithify bench`.
    #[arg(long, value_name = "NAME", default_value = "aot")]
    setting: String,
    /// The most processes a side and call, 20 or more; under 60 a difference of a few percent may stay unseen.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(20..))]
    processes: u32,
    /// Seed of the order; by default another one each time.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    bounds: BoundOptions,
}

impl Compare {
    /// Runs the command.
    pub fn execute(self) -> Result<()> {
        let state = self.state.as_deref().map(read).transpose()?;
        let bounds = Bounds { memory: None, ..self.bounds.bounds() };
        let workload = |path| {
            bounds.within("asking a runtime's version", || self.workload(path, state.as_ref()))?
        };
        let mut workloads = [workload(&self.base)?, workload(&self.new)?];
        if workloads[0].name == workloads[1].name {
            workloads[1].name += " (again)";
        }
        let mut options = Options::new(&["bench-worker"])?;
        options.processes = self.processes;
        options.compiles = 1;
        options.bounds = self.bounds.bounds();
        options.seed = self.seed.unwrap_or(options.seed);
        let id = Id { engine: self.engine.clone(), setting: self.setting.clone() };
        let mut watch = super::bench::Watch::new(None, false)?;
        let compared = runner::compare(&workloads, &id, &options, &mut watch);
        watch.finish()?;
        let compared = compared?;
        if self.json {
            output::json(self.object(&compared, &id, options.seed))?;
        } else {
            self.print(&compared, &id, options.seed)?;
        }
        let slower: Vec<_> =
            compared.calls.iter().filter(|call| call.verdict == Verdict::Slower).collect();
        if let ([], [first, ..]) = (&slower[..], &compared.broken[..]) {
            bail!("{} does not make the call {first}", self.new.display());
        }
        match slower.into_iter().map(|call| &*call.call).collect::<Vec<_>>()[..] {
            [] => Ok(()),
            [call] => bail!(No(format!("{call} is slower"))),
            ref calls => bail!(No(format!("{} are slower", calls.join(", ")))),
        }
    }

    fn workload(&self, path: &Path, state: Option<&(String, RuntimeInput)>) -> Result<Workload> {
        let (name, runtime) = read(path)?;
        let Some((of_state, input)) = state else {
            return Workload::new(&name, Input::Runtime(Box::new(runtime)));
        };
        let trie = input.state.clone().with_context(|| format!("{of_state} has no state"))?;
        let mut calls = vec![Call::plain("Core_version"), Call::plain("Metadata_metadata")];
        // Another runtime may well leave another root.
        calls.extend(
            (input.block.as_ref()).map(|block| Call::new("Core_execute_block", block.argument())),
        );
        Workload::with_calls(&name, &runtime, trie, calls)
    }

    fn object(&self, compared: &Compared, id: &Id, seed: u64) -> serde_json::Value {
        json!({
            "base": self.base,
            "new": self.new,
            "engine": id,
            "seed": seed,
            "calls": compared.calls,
            "broken": compared.broken,
            "exact": compared.exact,
            "absent": compared.run.absent,
        })
    }

    fn print(&self, compared: &Compared, id: &Id, seed: u64) -> Result<()> {
        let (base, new) = (self.base.display(), self.new.display());
        output::line(format_args!("{new} against {base}, on {id}; seed {seed}"))?;
        output::line("")?;
        for call in &compared.calls {
            let (verdict, ratio) = (word(call.verdict), call.ratio);
            output::line(format_args!(
                "{verdict:<11} {:<24} {:>9} -> {:>9}  {:.3} ({:.3} to {:.3})",
                call.call,
                time(call.base_ns),
                time(call.new_ns),
                ratio.ratio,
                ratio.low,
                ratio.high
            ))?;
        }
        for figure in compared.exact.iter().filter(|figure| figure.base != figure.new) {
            let show = |n: u64| if figure.bytes { bytes(n as f64) } else { n.to_string() };
            let change = (figure.new as f64 / figure.base.max(1) as f64 - 1.0) * 100.0;
            let (base, new) = (show(figure.base), show(figure.new));
            let what = &figure.what;
            output::line(format_args!(
                "{:<11} {what:<24} {base:>9} -> {new:>9}  {change:+.2} %",
                "exact"
            ))?;
        }
        for absent in &compared.run.absent {
            output::line(format_args!("{:<11} {}: {}", "absent", absent.what, absent.reason))?;
        }
        output::text(
            "\nTime of a fresh instance, the call and the end of the instance; the ratio with its\n\
             95 % interval. \"can't tell\": the interval is too wide, or an alarm was not confirmed.",
        )
    }
}

fn read(path: &Path) -> Result<(String, RuntimeInput)> {
    Source::read(path)?.runtime()
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Faster => "faster",
        Verdict::Slower => "slower",
        Verdict::Same => "same",
        Verdict::CannotTell => "can't tell",
    }
}
