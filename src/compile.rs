//! `lithify compile`: a runtime into an image, an object or text for people.

use crate::{
    limits::LimitOptions,
    output,
    progress::{Spent, Watch},
    source::{self, Source},
};
use anyhow::{Result, anyhow, bail};
use clap::{Args, ValueEnum};
use lithify_compiler::{Dump, Emit, Options, Profile, Symbols, Target, dump, header};
use lithify_runtime::polkadot::RuntimeInput;
use serde_json::json;
use std::{path::PathBuf, time::Duration};

/// Compiles a runtime ahead of time.
#[derive(Args)]
#[command(after_help = "\
An object has one symbol that others see, lithify_module. What the module imports is undefined in
it as lithify_import_MODULE__NAME, and the program that it is linked into defines it; the header
says how. No name that the module chose binds anything else.

Examples:
  lithify compile westend.json -o westend.so
  lithify compile runtime.wasm --target aarch64-unknown-linux-gnu --emit obj -o runtime.o
  lithify compile runtime.wasm --emit header -o runtime.h
  lithify compile runtime.wasm --emit asm --function Core_version")]
pub struct Compile {
    /// A runtime in any of its forms; `-` is standard input.
    input: PathBuf,
    /// Where to write; by default the input's name with the extension of what is written, in the
    /// current folder. `-` is standard output, the default for text.
    #[arg(short, long, value_name = "FILE")]
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
    limits: LimitOptions,
    /// Say where time and memory went, by phase.
    #[arg(long)]
    time: bool,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

/// Options that shape code, shared by the commands that compile.
#[derive(Args)]
pub struct CodeOptions {
    /// Target triple: x86_64-unknown-linux-gnu (default on every machine) or
    /// aarch64-unknown-linux-gnu.
    #[arg(long, value_name = "TRIPLE")]
    target: Option<Target>,
    /// Level of the CPU: x86-64-v3 (default) or x86-64-v2.
    #[arg(long, value_name = "LEVEL")]
    cpu: Option<String>,
    /// What the module may use: runtime (as Substrate; the default when it imports from env and not
    /// from WASI) or general (WebAssembly 2.0).
    #[arg(long, value_name = "PROFILE")]
    accept: Option<Profile>,
    /// Worker threads; 0 for one a CPU.
    #[arg(short, long, default_value_t = 0)]
    jobs: usize,
}

impl CodeOptions {
    /// Whether modules are asked for that no chain would take.
    pub fn general(&self) -> bool {
        self.accept == Some(Profile::General)
    }

    /// The compiler's options for `runtime`.
    pub fn options(&self, runtime: &RuntimeInput, default: Target) -> Result<Options> {
        let mut target = self.target.unwrap_or(default);
        if let Some(level) = &self.cpu {
            target = target.with_cpu(level).map_err(anyhow::Error::msg)?;
        }
        let (profile, jobs, code_hash) = (self.accept, self.jobs, runtime.code_hash);
        Ok(Options { target, profile, jobs, code_hash, ..Options::default() })
    }
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
        let (name, runtime) = Source::read(&self.input)?.runtime()?;
        let mut options = self.code.options(&runtime, Target::default())?;
        options.symbols = self.symbols()?;
        let (emit, extension) = match self.emit {
            What::Image => (Emit::Image, "so"),
            What::Obj => (Emit::Object, "o"),
            What::Header => return self.header(&name, &runtime, &options),
            What::Clif => return self.text(&runtime, &options, Dump::Clif),
            What::Asm => return self.text(&runtime, &options, Dump::Asm),
        };
        if self.function.is_some() {
            bail!("--function goes with --emit clif or --emit asm");
        }
        let path = match &self.output {
            Some(path) => path.clone(),
            None => source::sibling(&self.input, extension)?,
        };
        let watch = Watch::start(runtime.wasm().len());
        let bytes = self.limits.compile(&name, runtime.wasm(), emit, &options, &watch);
        let spent = watch.finish();
        let bytes = bytes?;
        let version = runtime.version.as_ref();
        output::write(&path, &bytes)?;
        if path.as_os_str() == "-" {
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
            return output::line(json!({
                "output": path,
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
            "{}: {} from {} ({}, code {}), {} of Wasm -> {} for {} in {:.2} s",
            path.display(),
            source::describe(version),
            name,
            runtime.form,
            source::hex(&runtime.code_hash),
            output::size(runtime.wasm().len()),
            output::size(bytes.len()),
            options.target.triple(),
            spent.total.as_secs_f64(),
        ))?;
        if self.time {
            print_time(&spent);
        }
        Ok(())
    }

    /// The global symbols of the object.
    fn symbols(&self) -> Result<Symbols> {
        let chosen = self.symbol_prefix.is_some() || !self.exports.is_empty();
        if chosen && !matches!(self.emit, What::Obj | What::Header) {
            bail!("--export and --symbol-prefix go with --emit obj or --emit header");
        }
        let Symbols { prefix, .. } = Symbols::default();
        let prefix = self.symbol_prefix.clone().unwrap_or(prefix);
        Ok(Symbols { prefix, exports: self.exports.clone() })
    }

    fn header(&self, name: &str, runtime: &RuntimeInput, options: &Options) -> Result<()> {
        let text = self.limits.limits().within("compiling", || header(runtime.wasm(), options))?;
        let text = text.map_err(|e| anyhow!("{name}: {e}"))?;
        let path = match &self.output {
            Some(path) => path.clone(),
            None => source::sibling(&self.input, "h")?,
        };
        output::write(&path, text.as_bytes())
    }

    fn text(&self, runtime: &RuntimeInput, options: &Options, what: Dump) -> Result<()> {
        let dump = || dump(runtime.wasm(), options, what, self.function.as_deref());
        let text = self.limits.limits().within("compiling", dump)??;
        let stdout = PathBuf::from("-");
        output::write(self.output.as_ref().unwrap_or(&stdout), text.as_bytes())
    }
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
