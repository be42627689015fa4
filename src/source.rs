//! Reads what a command was given, and knows what to call it. Nothing of it is executed here.

use anyhow::{Context, Result, anyhow, bail, ensure};
use lithify_compiler::{Options, Target};
use lithify_polkadot::{Hex, Input, RuntimeInput, RuntimeVersion};
use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};
use wast::{
    Wat,
    parser::{self, ParseBuffer},
};

#[cfg(feature = "bench")]
const BUNDLED: &[u8] = include_bytes!("../workloads/solochain/block-transfers.json");

/// A named input.
pub struct Source {
    /// What to call it in messages.
    pub name: String,
    /// What it holds.
    pub input: Input,
}

impl Source {
    /// Reads the file at `path`, the module of the workload in that folder, or standard input for
    /// `-`.
    pub fn read(path: &Path) -> Result<Self> {
        if path.is_dir() {
            return Self::workload(path);
        }
        let (name, bytes) = if path == Path::new("-") {
            let bytes = contents(std::io::stdin()).context("cannot read standard input")?;
            ("standard input".into(), bytes)
        } else {
            let name = path.display().to_string();
            let bytes = File::open(path).and_then(contents);
            (name.clone(), bytes.with_context(|| format!("cannot read {name}"))?)
        };
        let input = Input::read(binary(bytes, &name)?, &name)?;
        Ok(Self { name, input })
    }

    /// The runtime that comes with Lithify, with a block and the state before it.
    #[cfg(feature = "bench")]
    pub fn bundled() -> Result<Self> {
        let name = "the bundled runtime";
        Ok(Self { name: name.into(), input: Input::read(BUNDLED.to_vec(), name)? })
    }

    #[cfg(not(feature = "bench"))]
    fn workload(folder: &Path) -> Result<Self> {
        bail!("{} is a folder, which only a build with the feature bench reads", folder.display());
    }

    #[cfg(feature = "bench")]
    fn workload(folder: &Path) -> Result<Self> {
        let manifest = lithify_bench::Manifest::read(folder)?;
        let [module] = &manifest.modules[..] else {
            let paths: Vec<_> =
                manifest.modules.iter().map(|module| module.path.display().to_string()).collect();
            let folder = folder.display();
            bail!("{folder} has several modules; give the path of one: {}", paths.join(", "));
        };
        let name = folder.join(&module.path).display().to_string();
        Ok(Self { name, input: Input::Runtime(Box::new(manifest.open(module)?)) })
    }

    /// The runtime, where an image will not do.
    pub fn runtime(self) -> Result<(String, RuntimeInput)> {
        match self.input {
            Input::Runtime(runtime) => Ok((self.name, *runtime)),
            Input::Image(_) => bail!(
                "{} is compiled already; this needs the WebAssembly that it was made of",
                self.name
            ),
        }
    }
}

/// All that there is to read, or only the beginning where that shows that it is none of our forms: a
/// device may go on without an end.
fn contents(mut file: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.by_ref().take(1 << 16).read_to_end(&mut bytes)?;
    if Input::may_be(&bytes) || is_text(&bytes) {
        file.read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// The most that a file has which goes with an input: arguments, parameters, a profile.
const BESIDE: u64 = 64 << 20;

/// What is in a file that goes with an input.
pub fn beside(path: &Path) -> Result<Vec<u8>> {
    let name = path.display();
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(BESIDE + 1).read_to_end(&mut bytes));
    read.with_context(|| format!("cannot read {name}"))?;
    ensure!(bytes.len() as u64 <= BESIDE, "{name} has more than {} MiB", BESIDE >> 20);
    Ok(bytes)
}

/// Whether an image is in the file at `path`, which can be mapped instead of read.
pub fn is_image_file(path: &Path) -> bool {
    let is_file = path.metadata().is_ok_and(|metadata| metadata.is_file());
    let mut magic = [0; 4];
    let mut begin = || File::open(path)?.read_exact(&mut magic);
    is_file && begin().is_ok() && magic == *b"\x7fELF"
}

/// Whether it begins as the text of a module does.
fn is_text(bytes: &[u8]) -> bool {
    let text = bytes.trim_ascii_start();
    text.starts_with(b"(") || text.starts_with(b";;")
}

/// The longest text of a module that is taken, in bytes. It takes up to a hundred times of that in
/// memory, and time with its square where labels have names.
const MAX_TEXT: usize = 1 << 20;

/// The module in its binary form where the bytes are its text form, which begins with a parenthesis or
/// a comment.
fn binary(bytes: Vec<u8>, name: &str) -> Result<Vec<u8>> {
    if !is_text(&bytes) {
        return Ok(bytes);
    }
    ensure!(
        bytes.len() <= MAX_TEXT,
        "{name} is the text of a module, {} bytes long, and {MAX_TEXT} are taken; `wasm-tools parse` or \
         `wat2wasm` makes it binary",
        bytes.len()
    );
    let text = std::str::from_utf8(&bytes).with_context(|| format!("{name} is no text"))?;
    let refused = |error: wast::Error| {
        let (line, column) = error.span().linecol_in(text);
        anyhow!("{name}:{}:{}: {}", line + 1, column + 1, error.message())
    };
    let tokens = ParseBuffer::new(text).map_err(refused)?;
    let mut module = parser::parse::<Wat<'_>>(&tokens).map_err(refused)?;
    ensure!(matches!(module, Wat::Module(_)), "{name} is the text of a component, not of a module");
    let binary = module.encode().map_err(refused)?;
    // The text may give bytes.
    ensure!(binary.starts_with(b"\0asm"), "{name} is the text of what is no module");
    Ok(binary)
}

/// The target that code is compiled for when it is to run here: the default level of the CPU
/// where this machine has it.
pub fn host_target() -> Target {
    Target::host().limited_to(lithify_runtime::host_cpu_features())
}

/// Options to compile `runtime` for this machine.
pub fn host_options(runtime: &RuntimeInput) -> Options {
    Options { target: host_target(), code_hash: runtime.code_hash, ..Options::default() }
}

/// `westend 9300`, or that the module does not say.
pub fn describe(version: Option<&RuntimeVersion>) -> String {
    match version {
        Some(version) => format!("{} {}", version.spec_name, version.spec_version),
        None => "a module that embeds no version".into(),
    }
}

/// How to learn the version of the runtime in the file at `path`, which embeds none: from the
/// runtime, which only `run` executes.
pub fn ask_for_version(path: &Path) -> String {
    format!("`lithify run {} Core_version --output json` asks a runtime for it", path.display())
}

/// `0x` and the hex digits of `bytes`.
pub fn hex(bytes: &[u8]) -> String {
    Hex(bytes).to_string()
}

/// What `sha256sum` says of a file with these bytes.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&sp_crypto_hashing::sha2_256(bytes))[2..].to_owned()
}
