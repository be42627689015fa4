//! `lithify compile`: a runtime into an image, an object or text for people.

use crate::{
    bounds::BoundOptions,
    code_options::CodeOptions,
    output::{self, Content, Destination},
    source::{self, Source},
    status::Usage,
    watch::{Spent, Watch},
};
use anyhow::{Context, Result, bail, ensure};
use clap::{Args, ValueEnum};
use lithify_compiler::{Dump, Emit, Machine, Options, Symbols, Target, dump, header};
use lithify_polkadot::RuntimeInput;
use lithify_runtime::abi::cpu::{X86_64_V2, X86_64_V3};
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
Without -o, clif and asm go to standard output; all else is in the current folder, named after the input: runtime.so of runtime.wasm
for x86-64-v3, runtime.aarch64.so or runtime.x86-64-v2.so for another target. A file is replaced as
a whole or not at all, and keeps its mode; a device or a pipe is written to.

An object has one symbol that others see, lithify_module. What the module imports is undefined in
it as lithify_import_MODULE__NAME, and the program that it is linked into defines it; the header
says how. No name that the module chose binds anything else.

Examples:
  lithify compile westend.json -o westend.so
  lithify compile westend.json people.json -o images/
  lithify compile runtime.wasm --target aarch64 --emit obj -o runtime.o
  lithify compile runtime.wasm --emit header -o runtime.h
  lithify compile runtime.wasm --emit asm --function Core_version
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
    /// With clif or asm: only this function, by export, name or index.
    #[arg(long, value_name = "NAME")]
    function: Option<String>,
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
    bounds: BoundOptions,
    /// Say where time and memory went, by phase; --json always does.
    #[arg(long)]
    time: bool,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// A shared ELF image that `lithify run` maps.
    Image,
    /// A relocatable ELF object for a native linker.
    Obj,
    /// The C header for that object: what the program has to define.
    Header,
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
        let target = self.code.target(Target::default())?;
        let names: Vec<PathBuf> =
            self.inputs.iter().map(|input| self.name(input, target)).collect::<Result<_>>()?;
        for (index, name) in names.iter().enumerate() {
            let twice = name != Path::new("-") && names[..index].contains(name);
            let shown = name.display();
            ensure!(!twice, Usage(format!("two inputs would be {shown}; compile them one by one")));
        }
        let is_text = is_asm || self.emit == What::Header;
        let content = if is_text { Content::Text } else { Content::Binary };
        let inputs: Vec<&Path> = self.inputs.iter().map(PathBuf::as_path).collect();
        let places: Vec<Destination> = (names.iter())
            .map(|name| Destination::open(name, content, &inputs))
            .collect::<Result<_>>()?;
        inputs.iter().zip(&places).try_for_each(|(input, place)| self.one(input, place))
    }

    /// What the result of `input` is called.
    fn name(&self, input: &Path, target: Target) -> Result<PathBuf> {
        let folder = match &self.output {
            None if matches!(self.emit, What::Clif | What::Asm) => return Ok("-".into()),
            None => Path::new(""),
            Some(folder) if folder.as_os_str().as_bytes().ends_with(b"/") => {
                fs::create_dir_all(folder)
                    .with_context(|| format!("cannot make the folder {}", folder.display()))?;
                folder
            }
            Some(folder) if folder.is_dir() => folder,
            Some(file) if self.inputs.len() == 1 => return Ok(file.clone()),
            Some(file) => {
                let file = file.display();
                bail!(Usage(format!("several inputs go to a folder; {file} is none, {file}/ is")))
            }
        };
        let extension = match self.emit {
            What::Image => "so",
            What::Obj => "o",
            What::Header => "h",
            What::Clif => "clif",
            What::Asm => "asm",
        };
        let Some(stem) = input.file_stem().filter(|_| input != Path::new("-")) else {
            bail!(Usage("where to? give -o FILE".into()))
        };
        let stem = stem.to_string_lossy();
        Ok(folder.join(format!("{stem}{}.{extension}", suffix(target))))
    }

    fn one(&self, input: &Path, place: &Destination) -> Result<()> {
        let (name, runtime) = Source::read(input)?.runtime()?;
        let mut options = self.code.options(&runtime, Target::default())?;
        options.symbols = self.symbols()?;
        let emit = match self.emit {
            What::Image => Emit::Image,
            What::Obj => Emit::Object,
            What::Header => return self.header(place, &name, &runtime, &options),
            What::Clif => return self.text(place, &runtime, &options, Dump::Clif),
            What::Asm => return self.text(place, &runtime, &options, Dump::Asm),
        };
        let watch = Watch::start(runtime.wasm().len());
        let bytes = self.bounds.compile(&name, runtime.wasm(), emit, &options, &watch);
        let spent = watch.finish();
        let bytes = bytes.map_err(|error| self.code.advise(error))?;
        let version = runtime.version.as_ref();
        place.write(&bytes)?;
        if place.is_stdout() {
            return Ok(());
        }
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
                "output": place.name(),
                "form": runtime.form.to_string(),
                "code_hash": source::hex(&runtime.code_hash),
                "spec_name": version.map(|v| v.spec_name.to_string()),
                "spec_version": version.map(|v| v.spec_version),
                "target": options.target.triple(),
                "wasm_bytes": runtime.wasm().len(),
                "output_bytes": bytes.len(),
                "phases": phases,
                "total_ns": spent.total.as_nanos() as u64,
                "cpu_ns": spent.cpu.as_nanos() as u64,
                "peak_bytes": spent.peak_bytes,
            }));
        }
        output::line(format_args!(
            "{}: {} of Wasm -> {} for {} in {:.2} s",
            place.name().display(),
            output::size(runtime.wasm().len()),
            output::size(bytes.len()),
            options.target.triple(),
            spent.total.as_secs_f64(),
        ))?;
        output::line(format_args!(
            "  {} from {name} ({}, code {})",
            source::describe(version),
            runtime.form,
            source::hex(&runtime.code_hash),
        ))?;
        if emit == Emit::Image && !self.code.names_target() && !is_for_this_machine(options.target)
        {
            output::note("it does not run on this machine; `--target native` makes one that does");
        }
        if self.time {
            print_time(&spent);
        }
        Ok(())
    }

    /// The global symbols of the object.
    fn symbols(&self) -> Result<Symbols> {
        let chosen = self.symbol_prefix.is_some() || !self.exports.is_empty();
        if chosen && !matches!(self.emit, What::Obj | What::Header) {
            bail!(Usage("--export and --symbol-prefix go with --emit obj or --emit header".into()));
        }
        let Symbols { prefix, .. } = Symbols::default();
        let prefix = self.symbol_prefix.clone().unwrap_or(prefix);
        Ok(Symbols { prefix, exports: self.exports.clone() })
    }

    fn header(
        &self,
        place: &Destination,
        name: &str,
        runtime: &RuntimeInput,
        options: &Options,
    ) -> Result<()> {
        let text = self.bounds.bounds().within("compiling", || header(runtime.wasm(), options))?;
        place.write(text.with_context(|| name.to_owned())?.as_bytes())
    }

    fn text(
        &self,
        place: &Destination,
        runtime: &RuntimeInput,
        options: &Options,
        what: Dump,
    ) -> Result<()> {
        let dump = || dump(runtime.wasm(), options, what, self.function.as_deref());
        let text = self.bounds.bounds().within("compiling", dump)?;
        place.write(text.map_err(|error| self.code.advise(error.into()))?.as_bytes())
    }
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
