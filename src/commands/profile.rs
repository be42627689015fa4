//! `lithify profile`: what the functions of a runtime do in calls, counted, for `compile --profile`.

use crate::{
    bounds::BoundOptions,
    output::{self, Content, Destination},
    source::{self, Source},
};
use anyhow::{Context, Result, anyhow, bail, ensure};
use clap::Args;
use lithify_compiler::{Emit, Heat, Options, Tier, counter, counting};
use lithify_polkadot::{
    Block, CallContext, HostSet, RuntimeInput, State, call,
    native::{DEFAULT_HEAP_PAGES, Runtime, RuntimeError, RuntimeOptions, entry_points},
};
use lithify_runtime::{InstanceOptions, MemoryPlan, Value};
use serde_json::json;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// What any runtime is asked, with a block or without.
const USUAL: [&str; 2] = ["Core_version", "Metadata_metadata"];

/// Counts what the functions of a runtime do in calls, for `compile --profile`.
#[derive(Args)]
#[command(after_help = "\
The calls are Core_version, Metadata_metadata and the execution of each block on the state in its file.
They are made by code that counts entries of functions and rounds of loops, so that a profile is exact:
the same runtime and blocks give the same bytes. It says of every function what it did, by a hash of
its body and by name, so that it serves the next version of a runtime as well. What did not run in
these calls is compiled fast by `compile --profile`, so give blocks that are like those to come.

Examples:
  lithify profile block.json -o block.profile
  lithify profile runtime.wasm block.json -o runtime.profile
  lithify profile westend.json -o -")]
pub struct ProfileCommand {
    /// The runtime, in any of its forms.
    runtime: PathBuf,
    /// Block files; by default the runtime's own file, if it has a block.
    #[arg(value_name = "BLOCK")]
    blocks: Vec<PathBuf>,
    /// Where the profile goes; `-` is standard output.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    bounds: BoundOptions,
    /// Say what became of it as one JSON object.
    #[arg(long)]
    json: bool,
}

impl ProfileCommand {
    /// Runs the command.
    pub fn execute(self) -> Result<()> {
        crate::logger::start(log::LevelFilter::Warn);
        let inputs: Vec<&Path> = self.blocks.iter().chain([&self.runtime]).map(|p| &**p).collect();
        let place = Destination::open(&self.output, Content::Text, &inputs)?;
        let (name, runtime) = Source::read(&self.runtime)?.runtime()?;
        let blocks = self.blocks(&name, &runtime)?;
        let options = Options { tier: Tier::Fast, ..source::host_options(&runtime) };
        let wasm = counting(runtime.wasm(), &options).with_context(|| name.clone())?;
        let image = self.bounds.compile(&name, &wasm, Emit::Image, &options, &())?;
        let mut counted = Counted { image, bounds: self.bounds, calls: 0, counts: BTreeMap::new() };
        for (of, state, block) in blocks {
            counted.calls(state, block.as_ref()).with_context(|| of)?;
        }
        let Counted { calls, counts, .. } = counted;
        ensure!(
            calls > 0,
            "{name} has neither {} nor {}, and no block to execute: give block files",
            USUAL[0],
            USUAL[1]
        );
        let count = |index| counts.get(&index).copied().unwrap_or(0);
        let heat = Heat::new(runtime.wasm(), &options, count).with_context(|| name.clone())?;
        place.write(heat.to_string().as_bytes())?;
        if place.is_stdout() {
            return Ok(());
        }
        let ((functions, ran), output) = (heat.functions(), place.name().display().to_string());
        if self.json {
            return output::json(json!({
                "input": name,
                "output": output,
                "profile": heat.hash(),
                "calls": calls,
                "functions": functions,
                "ran": ran,
            }));
        }
        output::line(format_args!(
            "{output}: {ran} of {functions} functions of {name} ran, in {calls} calls"
        ))
    }

    /// The states to make calls on, with the names of their files and their blocks.
    fn blocks(
        &self,
        name: &str,
        runtime: &RuntimeInput,
    ) -> Result<Vec<(String, State, Option<Block>)>> {
        if self.blocks.is_empty() {
            let state = runtime.state.clone().unwrap_or_else(State::empty);
            return Ok(vec![(name.to_owned(), state, runtime.block.clone())]);
        }
        let read = |path: &PathBuf| {
            let (name, input) = Source::read(path)?.runtime()?;
            let (Some(state), Some(block)) = (input.state, input.block) else {
                bail!("{name} has no block; `lithify build-block` makes one");
            };
            Ok((name, state, Some(block)))
        };
        self.blocks.iter().map(read).collect()
    }
}

/// What calls of code that counts came to.
struct Counted {
    image: Vec<u8>,
    bounds: BoundOptions,
    calls: u64,
    /// By function index.
    counts: BTreeMap<u32, u64>,
}

impl Counted {
    /// Makes the calls that there are to make on a state: what any runtime is asked is asked once.
    fn calls(&mut self, mut state: State, block: Option<&Block>) -> Result<()> {
        let pages = state.heap_pages().unwrap_or(u64::from(DEFAULT_HEAP_PAGES));
        let extra_pages = u32::try_from(pages)
            .map_err(|_| anyhow!(":heappages asks for {pages} pages; memory has 65536"))?;
        let memory = MemoryPlan::Static { extra_pages };
        let runtime = Runtime::from_bytes(
            &self.image,
            &RuntimeOptions {
                instances: InstanceOptions { memory, ..InstanceOptions::default() },
                host: HostSet::Benchmarks,
                trap_missing: true,
                call_timeout: self.bounds.call_timeout(),
                ..RuntimeOptions::default()
            },
        )?;
        let entries = entry_points(runtime.image().exports());
        let has = |name: &&str| entries.iter().any(|entry| entry == name);
        if self.calls == 0 {
            for entry in USUAL.into_iter().filter(has) {
                self.call(&runtime, &state, entry, &[])?;
            }
        }
        if let Some(block) = block {
            state.set_version(runtime.version()?.state_version());
            self.call(&runtime, &state, "Core_execute_block", &block.argument())?;
        }
        Ok(())
    }

    /// Makes a call, and adds what it counted.
    fn call(&mut self, runtime: &Runtime, state: &State, entry: &str, input: &[u8]) -> Result<()> {
        let mut context = CallContext::new();
        let entry = runtime.entry(entry)?;
        let mut running = entry.instance(&context).map_err(RuntimeError::from)?;
        let called =
            state.session().execute(|| call(&mut running, &mut context, entry.name(), input));
        called.map_err(RuntimeError::from)?;
        for function in &runtime.image().metadata().functions {
            if let Some(Value::I64(count)) = running.global(&counter(function.index)) {
                let sum = self.counts.entry(function.index).or_default();
                *sum = sum.saturating_add(count as u64);
            }
        }
        self.calls += 1;
        Ok(())
    }
}
