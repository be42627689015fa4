//! `lithify run`: calls an entry point, or executes a block and checks its state root, or runs a
//! program.

mod block;
mod differs;
mod entry;
#[cfg(feature = "bench")]
mod functions;
mod heap;
mod profile;
#[cfg(feature = "wasi")]
mod program;
mod pvf;
mod version;
mod waiting;

use crate::{
    bounds::BoundOptions,
    code_options::CodeOptions,
    output::{self, Content, Destination},
    source::{self, Source},
    status::{Refused, Usage},
    store::{self, ImageSource},
    watch::Watch,
};
use anyhow::{Result, anyhow, bail, ensure};
use clap::{Args, ValueEnum};
use entry::{find_entry, which_entry};
use lithify_compiler::{Emit, Inline, Options, inspect};
use lithify_polkadot::{
    Block, CallContext, CallError, Form as InputForm, HostSet, Input, Session, State,
    call::INITIALIZER,
    native::{DEFAULT_HEAP_PAGES, Runtime, RuntimeError, RuntimeOptions},
    parse_hex,
    validation::ENTRY,
};
use lithify_runtime::{ExternType, ImageError, InstanceOptions, MemoryPlan, STACK_MAX, STACK_MIN};
use profile::CallProfile;
use serde_json::json;
use std::{
    path::{Path, PathBuf},
    time::Instant,
};
use waiting::Waiting;

/// Runs a runtime: one entry point, or the block of a block file; or a program of WASI.
#[derive(Args)]
#[command(after_help = "\
The input and output of an entry point are SCALE bytes. The state of a chain spec or block file
is used unless --state names another; without any, storage is empty. Calls read the state and
write to an overlay: nothing is kept.

Exit status: 0 done, 1 failed, 2 wrong usage, 124 the guest was stopped at --timeout, 134 it trapped.

Examples:
  lithify run westend.so Core_version
  lithify run westend.so Core_version --output json
  lithify run westend.so AccountNonceApi_account_nonce --state westend.json --input @account.bin
  lithify run block.json
  lithify run block.json --signature-threads 1
  lithify run runtime.wasm --state block.json
  lithify run block.json --profile
  lithify run block.json --profile --json
  lithify run block.json --profile-functions
  lithify run block.json --flame block.svg
  lithify run runtime.wasm Core_version --heap-trace
  lithify run workloads/ledger/tinygo/custom-2.wasm --state block.json --profile
  lithify run parachain.json --pvf --input @candidate.scale
  lithify run program.wasm --dir .::/ --env LANG=C -- first second
  lithify run math.wasm --invoke add -- 1 2
  lithify run text.wasm --invoke somecall --read-string")]
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
    /// The guest's stack: bytes, or with K or M, from 4 KiB to 1 GiB.
    #[arg(long, value_name = "SIZE", default_value = "4M", value_parser = stack_size)]
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
    /// Print which functions of the guest and the host the time of the call goes to, instead of its
    /// output. The call is made again and again for a second, while a timer's signals look where it is.
    /// A runtime is compiled for that with debug information, and its image is not kept.
    #[cfg(feature = "bench")]
    #[arg(long, conflicts_with_all = ["profile", "heap_trace"])]
    profile_functions: bool,
    /// Draw the same with callers as a flame graph: an SVG file, or lines for other tools where the name
    /// ends in .folded.
    #[cfg(feature = "bench")]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["profile", "heap_trace"])]
    flame: Option<PathBuf>,
    /// Print each block that the call gets of the host's heap instead of its output: its address and size,
    /// the functions that asked for it, and when it was given back. A runtime is compiled for that
    /// without inlining, and its image is not kept.
    #[arg(long, conflicts_with = "profile")]
    heap_trace: bool,
    /// Print one JSON object, of the output or of the profile; the same as --output json.
    #[arg(long, conflicts_with = "output")]
    json: bool,
    /// Threads that check a block's signatures while the guest goes on, which takes them for right
    /// until then; if one is not, the block is executed again without them.
    #[arg(long, value_name = "N", default_value_t = 0,
        value_parser = clap::value_parser!(u16).range(..=256))]
    signature_threads: u16,
    /// Say where the time went.
    #[arg(long)]
    time: bool,
    /// Keep the image of a runtime that is compiled, and take it from there the next time: in this
    /// folder, by default that of `lithify cache`. Where LITHIFY_CACHE is set, that is so anyway.
    #[arg(long, value_name = "FOLDER", num_args = 0..=1, require_equals = true)]
    cache: Option<Option<PathBuf>>,
    /// The most verbose level of the guest's log to show: off, error, warn, info, debug, trace. It
    /// goes to standard error, and so do the warnings of the host's own libraries.
    #[arg(long, value_name = "LEVEL", default_value = "warn")]
    log: log::LevelFilter,
    #[command(flatten)]
    pvf: pvf::PvfOptions,
    #[command(flatten)]
    code: CodeOptions,
    #[command(flatten)]
    bounds: BoundOptions,
    #[cfg(feature = "wasi")]
    #[command(flatten)]
    program: program::ProgramOptions,
}

/// How the names of entry points begin that measure, on a database of their own.
const BENCHMARKS: &str = "Benchmark_";

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// `0x` and hex digits.
    Hex,
    /// The bytes as they are.
    Raw,
    /// One JSON object.
    Json,
}

/// A stack that the runtime library takes.
fn stack_size(text: &str) -> Result<usize, String> {
    let size = crate::bounds::size(text)?;
    let size = usize::try_from(size).ok().filter(|size| (STACK_MIN..=STACK_MAX).contains(size));
    size.ok_or_else(|| "a stack has 4 KiB to 1 GiB".into())
}

impl Run {
    /// Runs the command.
    pub fn execute(self) -> Result<()> {
        crate::logger::start(self.log);
        let argument = self.argument()?;
        let validation = self.pvf.validation()?;
        let content = if self.form() == Form::Raw { Content::Binary } else { Content::Text };
        let stdout = Destination::open("-".as_ref(), content, &[])?;
        let is_benchmark = self.entry.as_ref().is_some_and(|entry| entry.starts_with(BENCHMARKS));
        ensure!(
            !self.profile || !is_benchmark,
            Usage("--profile: a benchmark measures itself".into())
        );
        ensure!(
            self.signature_threads == 0 || self.entry.is_none() && !self.is_profiled(),
            Usage(
                "--signature-threads: only a block that is executed has signatures to check ahead"
                    .into()
            )
        );
        if let Some(validation) = validation {
            let waiting = Waiting::at_most(self.bounds.call_timeout());
            let output = self.validate(&validation, Source::read(&self.input)?, &argument)?;
            drop(waiting);
            return self.print(&stdout, ENTRY, &output);
        }
        #[cfg(feature = "bench")]
        let flame = functions::destination(&self)?;
        // With an entry point to call, an image need not be looked into first.
        let is_mapped = self.entry.is_some() && source::is_image_file(&self.input);
        let source = if is_mapped { None } else { Some(Source::read(&self.input)?) };
        #[cfg(feature = "wasi")]
        let source = match (self.is_program(source.as_ref())?, source) {
            (true, Some(source)) => return self.run_program(source),
            (_, source) => source,
        };
        let (state, block) = match &source {
            Some(Source { name, input: Input::Runtime(runtime) }) => {
                self.check_state(name, runtime.form)?;
                (runtime.state.clone(), runtime.block.clone())
            }
            _ => (None, None),
        };
        let (mut state, block) = match &self.state {
            Some(path) => {
                let (state, of_state) = read_state(path)?;
                (state, of_state.or(block))
            }
            None => (state.unwrap_or_else(State::empty), block),
        };
        let options = self.runtime_options(&state)?;
        let (name, image) = self.image(source)?;
        let runtime = self.load(name, &image, &options)?;
        #[cfg(feature = "bench")]
        let frames = match self.looks() {
            true => functions::frames(&runtime, &image)?,
            false => None,
        };
        drop(image);
        let mut context = CallContext::new();
        if let Some(asked) = &self.initialize {
            let exports = runtime.image().exports();
            let names: Vec<&str> = exports.iter().map(|e| &*e.name).collect();
            context.initialize_by(Some(initializer(asked.as_deref(), &names)));
        }
        if self.entry.is_none() && block.is_none() {
            bail!(which_entry(runtime.image().exports()));
        }
        // For the version and the call; a profile makes more of them.
        let calls = if self.signature_threads > 0 { 3 } else { 2 };
        let time = self.bounds.call_timeout().filter(|_| !self.is_profiled());
        let waiting = Waiting::at_most(time.map(|time| time.saturating_mul(calls)));
        // The root of a state depends on it, and nothing else does.
        if !state.is_empty() || block.is_some() {
            match runtime.version_by(&mut context) {
                Ok(version) => state.set_version(version.state_version()),
                // What has no version is no runtime.
                Err(RuntimeError::Call(CallError::NoEntry { .. })) => {}
                Err(error) => {
                    let error = anyhow::Error::from(error);
                    return Err(error.context("cannot learn how the state is laid out"));
                }
            }
        }
        let mut session = state.session_with(Some(version::hook(self.bounds)));
        let started = Instant::now();
        #[cfg(feature = "bench")]
        if self.looks() {
            let (entry, argument) = self.looked_at(&runtime, block.as_ref(), argument)?;
            let call = (&*entry, &argument[..]);
            let place = flame.as_ref();
            return functions::show(
                &self,
                (&runtime, frames.as_ref()),
                &mut session,
                context,
                call,
                place,
            );
        }
        if self.heap_trace {
            let (entry, argument) = self.looked_at(&runtime, block.as_ref(), argument)?;
            return heap::show(&self, &runtime, &mut session, context, (&entry, &argument));
        }
        match (&self.entry, block) {
            (entry, Some(block)) if self.profile && entry.is_none() => {
                let (entry, argument) = ("Core_execute_block", block.argument());
                self.show_profile(&runtime, &mut session, context, entry, &argument)?;
            }
            (Some(entry), _) if self.profile => {
                self.show_profile(&runtime, &mut session, context, entry, &argument)?;
            }
            (Some(entry), _) => {
                let call = || runtime.call(entry, &argument, &mut context);
                let output = match entry.starts_with(BENCHMARKS) {
                    true => session.benchmark(call),
                    false => session.execute(call),
                };
                // Whoever reads the output may take as long as they want.
                drop(waiting);
                let output = output.map_err(|error| self.refused(error))?;
                self.print(&stdout, entry, &output)?;
            }
            (None, Some(block)) => self.block(&runtime, &mut session, &mut context, &block)?,
            (None, None) => {}
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
        match self.form() {
            Form::Json => profile.json(),
            Form::Hex | Form::Raw => profile.table(),
        }
    }

    /// The call that is looked at: its entry point and argument.
    fn looked_at(
        &self,
        runtime: &Runtime,
        block: Option<&Block>,
        argument: Vec<u8>,
    ) -> Result<(String, Vec<u8>)> {
        match (&self.entry, block) {
            (Some(entry), _) => Ok((entry.clone(), argument)),
            (None, Some(block)) => Ok(("Core_execute_block".into(), block.argument())),
            (None, None) => bail!(which_entry(runtime.image().exports())),
        }
    }

    /// Whether it is told which functions the call's time goes to.
    fn looks(&self) -> bool {
        #[cfg(feature = "bench")]
        return self.profile_functions || self.flame.is_some();
        #[cfg(not(feature = "bench"))]
        false
    }

    /// Whether the call is made many times, to be looked at.
    fn is_profiled(&self) -> bool {
        self.profile || self.heap_trace || self.looks()
    }

    /// Whether a program reads what is printed.
    fn is_json(&self) -> bool {
        self.form() == Form::Json
    }

    fn form(&self) -> Form {
        if self.json { Form::Json } else { self.output }
    }

    fn argument(&self) -> Result<Vec<u8>> {
        match self.input_bytes.strip_prefix('@') {
            Some(path) => source::beside(Path::new(path)),
            None => parse_hex(&self.input_bytes).map_err(|why| {
                anyhow!(Usage(format!("--input: the text {why}; give 0x and hex digits, or @FILE")))
            }),
        }
    }

    fn runtime_options(&self, state: &State) -> Result<RuntimeOptions> {
        let instances = self.instances(|| {
            let pages = state.heap_pages().unwrap_or(u64::from(DEFAULT_HEAP_PAGES));
            let extra_pages = u32::try_from(pages)
                .map_err(|_| anyhow!(":heappages asks for {pages} pages; memory has 65536"))?;
            Ok(MemoryPlan::Static { extra_pages })
        })?;
        Ok(RuntimeOptions {
            instances,
            host: HostSet::Benchmarks,
            trap_missing: self.trap_missing,
            call_timeout: self.bounds.call_timeout(),
            any_memory: self.code.general(),
            ..Default::default()
        })
    }

    fn load(&self, name: String, image: &ImageSource, options: &RuntimeOptions) -> Result<Runtime> {
        let started = Instant::now();
        let runtime = image.load(options);
        if self.time {
            print_time("load", started);
        }
        let runtime = runtime.map_err(|error| self.refused(error).context(name))?;
        if let Some(entry) = &self.entry {
            find_entry(entry, runtime.image().exports())?;
        }
        Ok(runtime)
    }

    /// How much memory and stack the options ask for; `otherwise` says of the memory where they don't.
    fn instances(&self, otherwise: impl FnOnce() -> Result<MemoryPlan>) -> Result<InstanceOptions> {
        let memory = match (self.max_pages, self.heap_pages) {
            (Some(max), _) => MemoryPlan::Dynamic { extra_pages: 0, max_pages: Some(max) },
            (None, Some(extra_pages)) => MemoryPlan::Static { extra_pages },
            (None, None) => otherwise()?,
        };
        Ok(InstanceOptions { memory, stack_size: self.stack_size, ..InstanceOptions::default() })
    }

    /// Refuses options that shape code which is there already.
    fn not_shaped(&self, name: &str) -> Result<()> {
        let word = "is compiled already: --target and --cpu change nothing of it";
        ensure!(!self.code.shapes(), Usage(format!("{name} {word}")));
        Ok(())
    }

    /// The image and its name, compiled where it is none yet; without a source, the input is the file of
    /// an image.
    fn image(&self, source: Option<Source>) -> Result<(String, ImageSource)> {
        let Some(Source { name, input }) = source else {
            let name = self.input.display().to_string();
            self.not_shaped(&name)?;
            return Ok((name, ImageSource::File(self.input.clone())));
        };
        let image = match input {
            Input::Image(bytes) => {
                self.not_shaped(&name)?;
                ImageSource::Bytes(bytes)
            }
            Input::Runtime(runtime) => {
                let code = self.code.options(&runtime, source::host_target())?;
                // A frame for each function that is to be named.
                let inline = if self.heap_trace { Inline::Off } else { code.inline };
                let code = Options { debug_info: self.looks(), inline, ..code };
                let wasm = runtime.wasm();
                let compile = || {
                    // What is not there is better missed before the work than after it; but imports
                    // that nobody has come first.
                    if let Some(entry) = &self.entry
                        && let Ok(info) = inspect(runtime.wasm(), &code)
                        && info.imports.iter().all(|import| match &import.ty {
                            ExternType::Func(ty) => {
                                HostSet::Benchmarks.has(&import.module, &import.name, ty)
                            }
                            _ => true,
                        })
                    {
                        find_entry(entry, info.exports)?;
                    }
                    let started = Instant::now();
                    let watch = Watch::start(wasm.len());
                    let image = self.bounds.compile(&name, wasm, Emit::Image, &code, &watch);
                    watch.finish();
                    if self.time {
                        print_time("compile", started);
                    }
                    image.map_err(|error| self.code.advise(error))
                };
                // What is kept has no debug information, and inlines.
                let store = match self.looks() || self.heap_trace {
                    true => None,
                    false => store::on_the_way(self.cache.as_ref())?,
                };
                store::image(store.as_ref(), || store::key(&code, wasm), compile)?
            }
        };
        Ok((name, image))
    }

    /// The error with the option of this command that gets past it.
    fn refused(&self, error: RuntimeError) -> anyhow::Error {
        let way_out = match &error {
            RuntimeError::Memory => "--accept general runs it anyway",
            RuntimeError::Image(ImageError::Imports { .. }) => {
                "--trap-missing loads it although host functions are missing, and traps where it \
                 calls one"
            }
            _ => return error.into(),
        };
        Refused { error, way_out }.into()
    }

    fn print(&self, stdout: &Destination, entry: &str, bytes: &[u8]) -> Result<()> {
        match self.form() {
            Form::Hex => output::line(source::hex(bytes)),
            Form::Raw => stdout.write(bytes),
            Form::Json => {
                let decoded = (entry == "Core_version").then(|| version::json(bytes)).flatten();
                output::json(json!({
                    "entry": entry,
                    "output": source::hex(bytes),
                    "output_bytes": bytes.len(),
                    "decoded": decoded,
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
    eprintln!("{what:>10} {:>10.3} ms", since.elapsed().as_secs_f64() * 1e3);
}

/// Reads the state of a chain spec or block file, and the block.
fn read_state(path: &std::path::Path) -> Result<(State, Option<Block>)> {
    let (name, runtime) = Source::read(path)?.runtime()?;
    let none = || anyhow!("{name} {}", runtime.form.no_state());
    Ok((runtime.state.ok_or_else(none)?, runtime.block))
}
