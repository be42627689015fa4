//! `lithify soak`: many calls in one process, and what grows.

use crate::{bounds::BoundOptions, output, source, status::Usage};
use anyhow::{Result, bail, ensure};
use clap::Args;
use lithify_bench::soak::{self, Options, PARTS, Part};
use lithify_compiler::Emit;
use lithify_polkadot::{
    Input, State,
    native::{Runtime, RuntimeOptions},
};
use std::path::PathBuf;

/// Makes, calls and drops instances of a runtime on several threads, every tenth call a trap, and
/// looks for leaks of memory, mappings and file handles, and for calls that get slower.
#[derive(Args)]
#[command(after_help = "\
Exit status: 0 nothing grew, 1 something did; 124 and 134 as for run.

Examples:
  lithify soak                      # the bundled runtime, a million rounds
  lithify soak westend.json --rounds 100000 --threads 8
  lithify soak --json > parts.jsonl")]
pub struct Soak {
    /// The runtime, in any of its forms [default: the bundled one].
    runtime: Option<PathBuf>,
    /// Instances that are made, all threads together.
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    rounds: u64,
    /// Threads.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=1024))]
    threads: u32,
    #[command(flatten)]
    bounds: BoundOptions,
    /// One line of JSON for each tenth of the rounds.
    #[arg(long)]
    json: bool,
}

impl Soak {
    /// Runs the command.
    pub fn execute(self) -> Result<()> {
        let size = Options { rounds: self.rounds, threads: self.threads };
        let least = size.least_rounds();
        let few =
            format!("--rounds {}: {} threads need {least} or more", self.rounds, self.threads);
        ensure!(self.rounds >= least, Usage(few));
        let source = match &self.runtime {
            Some(path) => source::Source::read(path)?,
            None => source::Source::bundled()?,
        };
        let options =
            RuntimeOptions { call_timeout: self.bounds.call_timeout(), ..Default::default() };
        let (runtime, state) = match source.input {
            Input::Image(image) => (Runtime::from_bytes(&image, &options)?, None),
            Input::Runtime(runtime) => {
                let (name, code) = (&source.name, source::host_options(&runtime));
                let image = self.bounds.compile(name, runtime.wasm(), Emit::Image, &code, &())?;
                (Runtime::from_bytes(&image, &options)?, runtime.state)
            }
        };
        let state = state.unwrap_or_else(State::empty);
        let bar = output::bar(PARTS.into(), "[{bar:40}] {pos}/{len} parts {eta}");
        let parts = soak::soak(&runtime, &state, size, |_| bar.inc(1))?;
        bar.finish_and_clear();
        for part in &parts {
            if self.json {
                output::json(serde_json::to_string(part)?)?;
            } else {
                output::line(row(part))?;
            }
        }
        match &*soak::growth(&parts) {
            [] => Ok(()),
            grown => bail!("{}: {}", source.name, grown.join("; ")),
        }
    }
}

fn row(part: &Part) -> String {
    let Part { rounds, traps, fast_ns, median_ns, slow_ns, resources } = part;
    format!(
        "{rounds:>9} rounds, {traps:>7} traps   call {fast_ns:>6} {median_ns:>6} {slow_ns:>6} ns \
         (10, 50, 99 %)   {:>8} resident, {} mappings, {} handles",
        output::size(resources.resident_bytes as usize),
        resources.mappings,
        resources.handles
    )
}
