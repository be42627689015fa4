//! `lithify run`: calls an entry point, or executes a block and checks its state root.

use crate::{
    compile::CodeOptions,
    limits::LimitOptions,
    output,
    profile::CallProfile,
    progress::Watch,
    source::{self, Source},
};
use anyhow::{Context, Result, anyhow, bail};
use clap::{Args, ValueEnum};
use lithify_compiler::Emit;
use lithify_runtime::{
    ImageError, InstanceOptions, MemoryPlan,
    polkadot::{
        Block, CallContext, CallError, Form as InputForm, Input, Session, State, VersionHook,
        call::INITIALIZER,
        execute_block,
        native::{DEFAULT_HEAP_PAGES, Runtime, RuntimeError, RuntimeOptions},
        parse_hex, version,
    },
};
use serde_json::json;
use std::{fmt, path::PathBuf, sync::Arc, time::Instant};

/// Runs a runtime: one entry point, or the block of a block file.
#[derive(Args)]
#[command(after_help = "\
The input and output of an entry point are SCALE bytes. The state of a chain spec or block file
is used unless --state names another; without any, storage is empty. Calls read the state and
write to an overlay: nothing is kept.

Exit status: 0 done, 1 failed, 2 wrong usage, 134 the guest trapped.

Examples:
  lithify run westend.so Core_version
  lithify run runtime.wasm AccountNonceApi_account_nonce --state spec.json --input 0xd435…
  lithify run block-transfers.json
  lithify run block-transfers.json --profile
  lithify run workloads/ledger/tinygo/custom-2.wasm --state ledger-block.json --profile")]
pub struct Run {
    /// An image, or a runtime in any of its forms, which is compiled first; `-` is standard input.
    input: PathBuf,
    /// The entry point; without it, the block of a block file is executed: that of --state, by
    /// another runtime perhaps than the one in its state.
    entry: Option<String>,
    /// The argument: hex text, or @FILE for the bytes of a file.
    #[arg(long = "input", value_name = "0x…|@FILE", default_value = "0x")]
    input_bytes: String,
    /// A chain spec or block file whose state the call reads.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// How to print the output. json decodes what it knows: the runtime version.
    #[arg(long, value_enum, default_value = "hex")]
    output: Form,
    /// Pages of 64 KiB on top of the module's initial memory; by default what `:heappages` says,
    /// else 2048.
    #[arg(long, value_name = "N")]
    heap_pages: Option<u32>,
    /// Let memory grow to this many pages instead of giving it a fixed heap.
    #[arg(long, value_name = "N", conflicts_with = "heap_pages")]
    max_pages: Option<u32>,
    /// The guest's stack, in bytes.
    #[arg(long, value_name = "BYTES", default_value_t = 4 << 20)]
    stack_size: usize,
    /// Load although host functions are missing: calling one of them traps.
    #[arg(long)]
    trap_missing: bool,
    /// Call this exported function first, by default _initialize or else _start: for modules that
    /// are not ready without. No node does so.
    #[arg(long, value_name = "EXPORT", num_args = 0..=1, require_equals = true)]
    initialize: Option<Option<String>>,
    /// Print where the time and the memory of the call went instead of its output: host functions,
    /// heap, pages, collections. The call is made several times.
    #[arg(long)]
    profile: bool,
    /// Print the profile as one JSON object.
    #[arg(long, requires = "profile")]
    json: bool,
    /// Say where the time went.
    #[arg(long)]
    time: bool,
    /// The most verbose level of the guest's log to show: off, error, warn, info, debug, trace.
    #[arg(long, value_name = "LEVEL", default_value = "warn")]
    log: log::LevelFilter,
    #[command(flatten)]
    code: CodeOptions,
    #[command(flatten)]
    limits: LimitOptions,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// `0x` and hex digits.
    Hex,
    /// The bytes as they are.
    Raw,
    /// One JSON object.
    Json,
}

/// The guest trapped: an error with an exit status of its own.
#[derive(Debug)]
pub struct Trapped(String);

impl fmt::Display for Trapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Trapped {}

impl Run {
    /// Runs the command.
    pub fn execute(self) -> Result<()> {
        crate::logger::start(self.log);
        let argument = self.argument()?;
        let source = Source::read(&self.input)?;
        let (state, block) = match &source.input {
            Input::Runtime(runtime) => {
                self.check_state(&source.name, runtime.form)?;
                (runtime.state.clone(), runtime.block.clone())
            }
            Input::Image(_) => (None, None),
        };
        let (mut state, block) = match &self.state {
            Some(path) => {
                let (state, of_state) = read_state(path)?;
                (state, of_state.or(block))
            }
            None => (state.unwrap_or_else(State::empty), block),
        };
        let runtime = self.load(source, &state)?;
        let mut context = CallContext::new();
        if let Some(asked) = &self.initialize {
            let metadata = runtime.image().metadata();
            let names: Vec<&str> = metadata.exports.iter().map(|e| &*e.name).collect();
            context.initialize_by(Some(initializer(asked.as_deref(), &names)));
        }
        // The root of a state depends on it. What has no version is no runtime, and has no state.
        if let Ok(version) = runtime.version_by(&mut context) {
            state.set_version(version.state_version());
        }
        let limits = self.limits;
        let hook: VersionHook = Arc::new(move |wasm| core_version(wasm, limits));
        let mut session = state.session_with(Some(hook));
        let started = Instant::now();
        match (&self.entry, block) {
            (entry, Some(block)) if self.profile && entry.is_none() => {
                let (entry, argument) = ("Core_execute_block", block.argument());
                self.show_profile(&runtime, &mut session, context, entry, &argument)?;
            }
            (Some(entry), _) if self.profile => {
                self.show_profile(&runtime, &mut session, context, entry, &argument)?;
            }
            (Some(entry), _) => {
                let output = session
                    .execute(|| runtime.call(entry, &argument, &mut context))
                    .map_err(|error| self.refused(error))?;
                self.print(entry, &output)?;
            }
            (None, Some(block)) => self.block(&runtime, &mut session, &mut context, &block)?,
            (None, None) => bail!(
                "which entry point? there are {}; only a block file can be run without one",
                lithify_runtime::polkadot::native::entry_points(runtime.image().metadata())
                    .join(", ")
            ),
        }
        if self.time {
            print_time("call", started);
        }
        Ok(())
    }

    /// Refuses a call on the state of a chain spec that only a node could make.
    fn check_state(&self, name: &str, form: InputForm) -> Result<()> {
        let stateless = |entry: &str| {
            let prefixes = ["Core_version", "Metadata_", "GenesisBuilder_"];
            prefixes.iter().any(|prefix| entry.starts_with(prefix))
        };
        let known = form != InputForm::PlainSpec || self.state.is_some();
        if known || self.entry.as_deref().is_none_or(stateless) {
            return Ok(());
        }
        bail!("{name} {}, or another state by --state", form.no_state());
    }

    fn show_profile(
        &self,
        runtime: &Runtime,
        session: &mut Session<'_>,
        context: CallContext,
        entry: &str,
        input: &[u8],
    ) -> Result<()> {
        let profile = CallProfile::measure(runtime, session, context, entry, input)
            .map_err(|error| self.refused(error))?;
        if self.json { profile.json() } else { profile.table() }
    }

    fn argument(&self) -> Result<Vec<u8>> {
        match self.input_bytes.strip_prefix('@') {
            Some(path) => std::fs::read(path).with_context(|| format!("cannot read {path}")),
            None => parse_hex(&self.input_bytes).map_err(|why| {
                anyhow!("--input: the text {why}; give 0x and hex digits, or @FILE")
            }),
        }
    }

    /// Loads the image, or compiles the runtime and loads that.
    fn load(&self, source: Source, state: &State) -> Result<Runtime> {
        let memory = match (self.max_pages, self.heap_pages) {
            (Some(max), _) => MemoryPlan::Dynamic { extra_pages: 0, max_pages: Some(max) },
            (None, Some(extra_pages)) => MemoryPlan::Static { extra_pages },
            (None, None) => {
                let pages = state.heap_pages().unwrap_or(u64::from(DEFAULT_HEAP_PAGES));
                let extra_pages = u32::try_from(pages)
                    .map_err(|_| anyhow!(":heappages asks for {pages} pages; memory has 65536"))?;
                MemoryPlan::Static { extra_pages }
            }
        };
        let instances =
            InstanceOptions { memory, stack_size: self.stack_size, ..InstanceOptions::default() };
        let options = RuntimeOptions {
            instances,
            trap_missing: self.trap_missing,
            call_timeout: self.limits.call_timeout(),
            any_memory: self.code.general(),
            ..Default::default()
        };
        let image = match source.input {
            Input::Image(bytes) => bytes,
            Input::Runtime(runtime) => {
                let code = self.code.options(&runtime, source::host_target())?;
                let started = Instant::now();
                let watch = Watch::start(runtime.wasm().len());
                let (name, wasm) = (&source.name, runtime.wasm());
                let image = self.limits.compile(name, wasm, Emit::Image, &code, &watch);
                watch.finish();
                if self.time {
                    print_time("compile", started);
                }
                image?
            }
        };
        let started = Instant::now();
        let runtime = Runtime::from_bytes(&image, &options);
        if self.time {
            print_time("load", started);
        }
        runtime.map_err(|e| self.refused(e).context(source.name))
    }

    /// The error with the option of this command that gets past it.
    fn refused(&self, error: RuntimeError) -> anyhow::Error {
        let way_out = match &error {
            RuntimeError::Memory => "--accept general runs it anyway",
            RuntimeError::Image(ImageError::Imports { .. }) => {
                "--trap-missing loads it although host functions are missing, and traps where it \
                 calls one"
            }
            _ => return trapped(error),
        };
        anyhow!("{error}; {way_out}")
    }

    fn block(
        &self,
        runtime: &Runtime,
        session: &mut Session<'_>,
        context: &mut CallContext,
        block: &Block,
    ) -> Result<()> {
        let entry = runtime.entry("Core_execute_block")?;
        let mut instance = entry.instance()?;
        let version = session.state().version();
        let report = execute_block(session, &mut instance, context, block, version)
            .map_err(|e| trapped(e.into()))?;
        let (number, extrinsics) = (block.header.number, block.extrinsics.len());
        let (expected, computed) =
            (source::hex(&report.expected_root), source::hex(&report.computed_root));
        if self.output == Form::Json {
            output::line(json!({
                "block": number,
                "extrinsics": extrinsics,
                "state_root": expected,
                "computed_root": computed,
                "matches": report.matches(),
            }))?;
        } else {
            let verdict = if report.matches() { "matches" } else { "differs" };
            output::line(format_args!(
                "block {number}: {extrinsics} extrinsics executed, state root {computed} {verdict}"
            ))?;
        }
        if !report.matches() {
            bail!("the header of block {number} says {expected}, the state after it is {computed}");
        }
        Ok(())
    }

    fn print(&self, entry: &str, bytes: &[u8]) -> Result<()> {
        match self.output {
            Form::Hex => output::line(source::hex(bytes)),
            Form::Raw => output::write("-".as_ref(), bytes),
            Form::Json => {
                let version = (entry == "Core_version").then(|| version::decode(bytes).ok());
                let version = version.flatten().map(|v| {
                    json!({
                        "spec_name": v.spec_name.to_string(),
                        "impl_name": v.impl_name.to_string(),
                        "authoring_version": v.authoring_version,
                        "spec_version": v.spec_version,
                        "impl_version": v.impl_version,
                        "transaction_version": v.transaction_version,
                        "system_version": v.system_version,
                        "apis": v.apis.iter().map(|(id, version)| {
                            json!([source::hex(id), version])
                        }).collect::<Vec<_>>(),
                    })
                });
                output::line(json!({
                    "entry": entry,
                    "output": source::hex(bytes),
                    "output_bytes": bytes.len(),
                    "decoded": version,
                }))
            }
        }
    }
}

/// The initialiser of a module with these exports: the one asked for, else one of the usual names.
pub fn initializer(asked: Option<&str>, exports: &[&str]) -> String {
    let usual = if exports.contains(&INITIALIZER) { INITIALIZER } else { "_start" };
    asked.unwrap_or(usual).to_owned()
}

fn print_time(what: &str, since: Instant) {
    eprintln!("{what:>10} {:>10.1} ms", since.elapsed().as_secs_f64() * 1e3);
}

/// Reads the state of a chain spec or block file, and the block.
fn read_state(path: &std::path::Path) -> Result<(State, Option<Block>)> {
    let (name, runtime) = Source::read(path)?.runtime()?;
    let none = || anyhow!("{name} {}", runtime.form.no_state());
    Ok((runtime.state.ok_or_else(none)?, runtime.block))
}

/// Runs `Core_version` of a runtime that a guest asks about.
fn core_version(wasm: &[u8], limits: LimitOptions) -> Option<Vec<u8>> {
    let options = lithify_compiler::Options { target: source::host_target(), ..Default::default() };
    let name = "the runtime whose version the guest asks for";
    let image = limits.compile(name, wasm, Emit::Image, &options, &()).ok()?;
    let runtime = Runtime::for_version(&image).ok()?;
    State::empty()
        .session()
        .execute(|| runtime.call("Core_version", &[], &mut CallContext::new()))
        .ok()
}

/// A failed call as an error of the command line; a trap keeps its exit status.
fn trapped(error: RuntimeError) -> anyhow::Error {
    match error {
        RuntimeError::Call(error @ CallError::Trap { .. }) => Trapped(error.to_string()).into(),
        error => error.into(),
    }
}
