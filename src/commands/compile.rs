//! `lithify compile`: a runtime into an image, an object or text for people; a program into an
//! executable.

#[cfg(feature = "wasi")]
mod executable;

use crate::{
    bounds::BoundOptions,
    code_options::{CodeOptions, ProfileOption},
    output::{self, Content, Destination},
    source::{self, Source},
    status::Usage,
    watch::{Spent, Watch},
};
use anyhow::{Context, Result, bail, ensure};
use clap::{Args, ValueEnum};
use lithify_compiler::{CompileError, Dump, Emit, Machine, Options, Symbols, Target, dump, header};
use lithify_polkadot::RuntimeInput;
use lithify_runtime::abi::{
    cpu::{X86_64_V2, X86_64_V3},
    symbols::is_prefix,
};
use serde_json::json;
use std::{
    fs,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    time::Duration,
};

/// Compiles runtimes ahead of time.
#[derive(Args)]
#[command(after_help = "\
Without -o, clif and asm go to standard output; all else is in the current folder, named after the
input: runtime.so of runtime.wasm for x86-64-v3, runtime.aarch64.so or runtime.x86-64-v2.so for
another target. A file is replaced as a whole or not at all, and keeps its mode; one that has these
bytes already is left as it is, unchanged; a device or a pipe is written to.

An object has one symbol that others see, lithify_module. What the module imports is undefined in
it as lithify_import_MODULE__NAME, and the program that it is linked into defines it; the header
says how. No name that the module chose binds anything else.

An executable is linked by the system's C compiler (CC), and needs nothing of Lithify where it runs.
It passes its arguments on, and has the directories of --dir, but nothing of its environment.

Examples:
  lithify compile westend.json -o westend.so
  lithify compile westend.json people.json -o images/
  lithify compile westend.json --by-hash -o images/
  lithify compile runtime.wasm --target aarch64 --emit obj -o runtime.o
  lithify compile runtime.wasm --emit header -o runtime.h
  lithify compile runtime.wasm --emit asm --function Core_version
  lithify compile program.wasm --emit exe --dir .::/ -o program
  lithify compile block.json --profile block.profile -o profiled.so
  lithify compile westend.json --tier fast -o fast.so
  lithify compile runtime.wasm --debug-info -o debug.so
  lithify compile runtime.wasm -o /dev/null --time")]
pub struct Compile {
    /// Runtimes in any of their forms; `-` is standard input.
    #[arg(required = true)]
    inputs: Vec<PathBuf>,
    /// Where to write: a file, or a folder (one that ends in / is made). `-` is standard output, the
    /// default for clif and asm.
    #[arg(short, long, value_name = "FILE|FOLDER/")]
    output: Option<PathBuf>,
    /// What to make.
    #[arg(long, value_enum, default_value = "image")]
    emit: What,
    /// With image, obj or exe: write debug information (DWARF) as well, so that debuggers and profilers
    /// know functions that were inlined, and which operator an instruction is of: its line is the
    /// operator's offset in the Wasm file. What is loaded is the same.
    #[arg(short = 'g', long)]
    debug_info: bool,
    /// With clif or asm: only this function, by export, name or index.
    #[arg(long, value_name = "NAME")]
    function: Option<String>,
    /// Call results by the hash of the code, as a node looks it up: 0x….so.
    #[arg(long)]
    by_hash: bool,
    /// With obj or header: give this exported function a global symbol, lithify_export_NAME, too.
    #[arg(long = "export", value_name = "NAME")]
    exports: Vec<String>,
    /// With obj or header: begin symbols with this instead of lithify, so that several objects can
    /// be parts of one program.
    #[arg(long, value_name = "PREFIX")]
    symbol_prefix: Option<String>,
    #[command(flatten)]
    code: CodeOptions,
    #[command(flatten)]
    profile: ProfileOption,
    #[command(flatten)]
    bounds: BoundOptions,
    /// Say where time and memory went, by phase; --json always does.
    #[arg(long)]
    time: bool,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
    #[cfg(feature = "wasi")]
    #[command(flatten)]
    executable: executable::ExecutableOptions,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// A shared ELF image that `lithify run` maps.
    Image,
    /// A relocatable ELF object for a native linker.
    Obj,
    /// The C header for that object: what the program has to define.
    Header,
    /// An executable of a program of WASI preview 1, for this machine.
    #[cfg(feature = "wasi")]
    Exe,
    /// Cranelift's intermediate representation.
    Clif,
    /// Assembly with Wasm offsets.
    Asm,
}

impl Compile {
    /// Runs the command.
    pub fn execute(self) -> Result<()> {
        let is_asm = matches!(self.emit, What::Clif | What::Asm);
        if self.function.is_some() && !is_asm {
            bail!(Usage("--function goes with --emit clif or --emit asm".into()));
        }
        let text = "--debug-info goes with --emit image, obj or exe";
        let is_text = is_asm || self.emit == What::Header;
        ensure!(!self.debug_info || !is_text, Usage(text.into()));
        let symbols = self.symbols()?;
        let target = self.code.target(Target::default())?;
        let heat = self.profile.read()?;
        self.code.check_profile(heat.as_ref())?;
        #[cfg(feature = "wasi")]
        self.check_executable(target)?;
        let mut jobs: Vec<Job<'_>> = (self.inputs.iter())
            .map(|input| Ok(Job { input, runtime: self.by_hash.then(|| read(input)).transpose()? }))
            .collect::<Result<_>>()?;
        let names: Vec<PathBuf> =
            jobs.iter().map(|job| self.name(job, target)).collect::<Result<_>>()?;
        let content = match self.emit {
            What::Header | What::Clif | What::Asm => Content::Text,
            What::Image | What::Obj => Content::Binary,
            #[cfg(feature = "wasi")]
            What::Exe => Content::Executable,
        };
        let inputs: Vec<&Path> = self.inputs.iter().map(PathBuf::as_path).collect();
        let places: Vec<Destination> = (names.iter())
            .map(|name| Destination::open(name, content, &inputs))
            .collect::<Result<_>>()?;
        for (index, place) in places.iter().enumerate() {
            let twice = places[..index].iter().any(|other| other.is_the_file_of(place));
            let shown = place.name().display();
            ensure!(!twice, Usage(format!("two inputs would be {shown}; compile them one by one")));
        }
        for (job, place) in jobs.iter_mut().zip(&places) {
            let (name, runtime) = job.runtime.take().map_or_else(|| read(job.input), Ok)?;
            let code = self.code.options(&runtime, Target::default())?;
            let (symbols, heat, debug_info) = (symbols.clone(), heat.clone(), self.debug_info);
            let options = Options { symbols, heat, debug_info, ..code };
            self.one(&name, &runtime, place, options)?;
        }
        Ok(())
    }

    /// What the result of a job is called.
    fn name(&self, job: &Job<'_>, target: Target) -> Result<PathBuf> {
        let folder = match &self.output {
            None if matches!(self.emit, What::Clif | What::Asm) => return Ok("-".into()),
            None => Path::new(""),
            Some(folder) if folder.as_os_str().as_bytes().ends_with(b"/") => {
                fs::create_dir_all(folder)
                    .with_context(|| format!("cannot make the folder {}", folder.display()))?;
                folder
            }
            Some(folder) if folder.is_dir() => folder,
            Some(file) if self.inputs.len() == 1 && !self.by_hash => return Ok(file.clone()),
            Some(file) => {
                let what = if self.by_hash { "names by hash" } else { "several inputs" };
                let file = file.display();
                bail!(Usage(format!("{what} go to a folder; {file} is none, {file}/ is")))
            }
        };
        let extension = match self.emit {
            What::Image => ".so",
            What::Obj => ".o",
            What::Header => ".h",
            What::Clif => ".clif",
            What::Asm => ".asm",
            #[cfg(feature = "wasi")]
            What::Exe => "",
        };
        let stem = match &job.runtime {
            Some((_, runtime)) => source::hex(&runtime.code_hash),
            None => {
                let stem = job.input.file_stem().filter(|_| job.input != Path::new("-"));
                let stem = stem.ok_or_else(|| Usage("where to? give -o FILE".into()))?;
                stem.to_string_lossy().into_owned()
            }
        };
        Ok(folder.join(format!("{stem}{}{extension}", suffix(target))))
    }

    fn one(
        &self,
        name: &str,
        runtime: &RuntimeInput,
        place: &Destination,
        options: Options,
    ) -> Result<()> {
        let watch = Watch::start(runtime.wasm().len());
        let made = self.make(name, runtime, &options, &watch);
        let spent = watch.finish();
        let bytes = made.map_err(|error| self.code.advise(error))?;
        let changed = !place.holds(&bytes);
        if changed {
            place.write(&bytes)?;
        }
        // Standard output has the result, and nothing else.
        if !place.is_stdout() {
            self.report(name, runtime, place, &Made { options, bytes, changed, spent: &spent })?;
        }
        if self.time && !self.json {
            print_time(&spent);
        }
        Ok(())
    }

    /// What was asked for.
    fn make(
        &self,
        name: &str,
        runtime: &RuntimeInput,
        options: &Options,
        watch: &Watch,
    ) -> Result<Vec<u8>> {
        let wasm = runtime.wasm();
        let compile = |emit| self.bounds.compile(name, wasm, emit, options, watch);
        let dump = |what| dump(wasm, options, what, self.function.as_deref());
        let within = |text: &dyn Fn() -> Result<String, CompileError>| -> Result<Vec<u8>> {
            let text = self.bounds.bounds().within("compiling", text)?;
            Ok(text.with_context(|| name.to_owned())?.into_bytes())
        };
        match self.emit {
            What::Image => compile(Emit::Image),
            What::Obj => compile(Emit::Object),
            What::Header => within(&|| header(wasm, options)),
            What::Clif => within(&|| dump(Dump::Clif)),
            What::Asm => within(&|| dump(Dump::Asm)),
            #[cfg(feature = "wasi")]
            What::Exe => {
                executable::check(name, wasm, options)?;
                let library = self.executable.library()?;
                self.executable.link(&compile(Emit::Object)?, &library, self.debug_info)
            }
        }
    }

    /// Says what became of an input.
    fn report(
        &self,
        name: &str,
        runtime: &RuntimeInput,
        place: &Destination,
        made: &Made<'_>,
    ) -> Result<()> {
        let Made { options, bytes, changed, spent } = made;
        let version = runtime.version.as_ref();
        if self.json {
            let phases: Vec<_> = (spent.phases.iter())
                .map(|phase| {
                    json!({
                        "phase": phase.phase.name(),
                        "ns": phase.time.as_nanos() as u64,
                        "peak_bytes": phase.peak_bytes,
                    })
                })
                .collect();
            return output::json(json!({
                "input": name,
                "output": place.name().display().to_string(),
                "changed": changed,
                "form": runtime.form.to_string(),
                "code_hash": source::hex(&runtime.code_hash),
                "spec_name": version.map(|v| v.spec_name.to_string()),
                "spec_version": version.map(|v| v.spec_version),
                "target": options.target.triple(),
                "wasm_bytes": runtime.wasm().len(),
                "bytes": bytes.len(),
                "sha256": source::sha256(bytes),
                "phases": phases,
                "total_ns": spent.total.as_nanos() as u64,
                "cpu_ns": spent.cpu.as_nanos() as u64,
                "peak_bytes": spent.peak_bytes,
            }));
        }
        output::line(format_args!(
            "{}: {} of Wasm -> {} for {} in {:.2} s{}",
            place.name().display(),
            output::size(runtime.wasm().len()),
            output::size(bytes.len()),
            options.target.triple(),
            spent.total.as_secs_f64(),
            if *changed { "" } else { ", unchanged" },
        ))?;
        output::line(format_args!(
            "  {} from {name} ({}, code {})",
            source::describe(version),
            runtime.form,
            source::hex(&runtime.code_hash),
        ))?;
        if self.emit == What::Image
            && !self.code.names_target()
            && !is_for_this_machine(options.target)
        {
            output::note("it does not run on this machine; `--target native` makes one that does");
        }
        Ok(())
    }

    #[cfg(feature = "wasi")]
    fn check_executable(&self, target: Target) -> Result<()> {
        let is_one = self.emit == What::Exe;
        let word = "--dir and --library go with --emit exe";
        ensure!(is_one || !self.executable.are_given(), Usage(word.into()));
        let word = "--emit exe makes executables of this machine; --emit obj --target goes with another \
                    machine's linker";
        let here = target.machine == source::host_target().machine;
        ensure!(!is_one || here, Usage(word.into()));
        Ok(())
    }

    /// The global symbols of the object.
    fn symbols(&self) -> Result<Symbols> {
        let chosen = self.symbol_prefix.is_some() || !self.exports.is_empty();
        if chosen && !matches!(self.emit, What::Obj | What::Header) {
            bail!(Usage("--export and --symbol-prefix go with --emit obj or --emit header".into()));
        }
        let prefix = self.symbol_prefix.clone().unwrap_or_else(|| Symbols::default().prefix);
        let word = "is no identifier of C";
        ensure!(is_prefix(&prefix), Usage(format!("--symbol-prefix {prefix}: it {word}")));
        Ok(Symbols { prefix, exports: self.exports.clone() })
    }
}

/// An input, read where its name does not tell what the result is called.
struct Job<'i> {
    input: &'i Path,
    runtime: Option<(String, RuntimeInput)>,
}

/// What became of an input.
struct Made<'s> {
    options: Options,
    bytes: Vec<u8>,
    /// Whether the file has other contents than before.
    changed: bool,
    spent: &'s Spent,
}

fn read(input: &Path) -> Result<(String, RuntimeInput)> {
    Source::read(input)?.runtime()
}

/// Tells the images of one module for several targets apart; nothing for the default one.
fn suffix(target: Target) -> &'static str {
    match (target.machine, target.features) {
        (Machine::Aarch64, _) => ".aarch64",
        (Machine::X86_64, X86_64_V3) => "",
        (Machine::X86_64, X86_64_V2) => ".x86-64-v2",
        (Machine::X86_64, _) => ".native",
    }
}

/// Whether this machine has what code for `target` needs.
fn is_for_this_machine(target: Target) -> bool {
    let host = source::host_target();
    target.machine == host.machine && target.limited_to(host.features) == target
}

fn print_time(spent: &Spent) {
    let row = |name: &str, time: Duration, peak: Option<u64>| {
        let peak = peak.map_or(String::new(), |peak| format!("{:>8.1} MB", peak as f64 / 1e6));
        eprintln!("{name:>10} {:>10.1} ms{peak}", time.as_secs_f64() * 1e3);
    };
    for phase in &spent.phases {
        row(phase.phase.name(), phase.time, phase.peak_bytes);
    }
    row("total", spent.total, spent.peak_bytes);
    row("CPU", spent.cpu, None);
}
