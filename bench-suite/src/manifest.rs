//! Reads a workload's folder: the manifest `workload.toml`, the modules it names, and the calls
//! with what they must return.
//!
//! What the manifest says of a file is checked when the file is read, so that a measurement is
//! of the committed bytes or does not happen. The keys are in `workloads/README.md`.

use crate::transfers;
use crate::workload::{Call, Workload, hex};
use anyhow::{Context, Result, anyhow, bail, ensure};
use lithify_polkadot::{Input, RuntimeInput, State, parse_hex};
use serde::Deserialize;
use sp_crypto_hashing::{blake2_256, sha2_256};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The file that makes a folder a workload.
pub const FILE: &str = "workload.toml";

/// A manifest.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Manifest {
    /// The folder's name.
    pub name: String,
    /// What is called, and how.
    pub kind: Kind,
    /// One sentence.
    pub about: String,
    /// Whether the native build of the ledger is the same program: then it is run beside the
    /// engines.
    #[serde(default)]
    pub native: bool,
    /// The modules.
    #[serde(rename = "module")]
    pub modules: Vec<Module>,
    /// The calls.
    #[serde(rename = "call", default)]
    pub calls: Vec<Expected>,
    /// Where the manifest is.
    #[serde(skip)]
    pub folder: PathBuf,
}

/// What a workload is for. Entry points have the same type in all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Runtimes of a chain.
    Runtime,
    /// Modules that cost one thing each, called as a runtime is.
    Micro,
}

/// A module: the same program from another compiler or with other options.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Module {
    /// Its name, unique in the manifest.
    pub name: String,
    /// The file, below the folder. A name that ends in `.wat` is of a text.
    pub path: PathBuf,
    /// BLAKE2b-256 of the file.
    pub blake2_256: Option<String>,
    /// SHA-256 of the file.
    pub sha256: Option<String>,
    /// Length of the file, in bytes.
    pub len_bytes: Option<usize>,
    /// BLAKE2b-256 of the module inside a compressed file.
    pub uncompressed_blake2_256: Option<String>,
    /// Its length, in bytes.
    pub uncompressed_len_bytes: Option<usize>,
    /// The language of its source.
    pub language: String,
    /// What compiled it.
    pub compiler: Option<String>,
    /// What linked it.
    pub linker: Option<String>,
    /// The compiler's name of the target.
    pub target: Option<String>,
    /// Options of the compiler.
    #[serde(default)]
    pub flags: Vec<String>,
    /// The level of optimisation.
    pub optimisation: Option<String>,
    /// The garbage collector, of a module built from Go.
    pub collector: Option<String>,
    /// What compressed it.
    pub compression: Option<String>,
    /// The command that makes the file again, from the root of the repository.
    pub build: Option<String>,
    /// Licence of the source here.
    pub source_licence: Option<String>,
    /// Licences of what is compiled in.
    #[serde(default)]
    pub dependency_licences: Vec<String>,
}

/// A call, and what must come of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Expected {
    /// The entry point.
    pub entry: String,
    /// The only module that has it; all by default.
    pub module: Option<String>,
    /// The chain spec whose state it sees.
    pub state: Option<PathBuf>,
    /// The block file with its state and input.
    pub block: Option<PathBuf>,
    /// A block of so many signed transfers on `state` is the input.
    pub transfers: Option<u32>,
    /// The input, in hex.
    pub input: Option<String>,
    /// BLAKE2b-256 of the output.
    pub output_blake2_256: Option<String>,
    /// Length of the output, in bytes.
    pub output_len_bytes: Option<usize>,
    /// The output itself, in hex, where it is short.
    pub output: Option<String>,
    /// The state root afterwards.
    pub state_root: Option<String>,
    /// Whether it is there to be measured, and not only to be compared.
    #[serde(default = "yes")]
    pub measured: bool,
}

fn yes() -> bool {
    true
}

/// Calls of a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calls {
    /// All of them.
    All,
    /// Those that are there to be measured.
    Measured,
}

impl Manifest {
    /// Reads the manifest of `folder`.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        ensure!(
            !folder.is_dir() || path.exists(),
            "{} is a folder without a {FILE}; give a file, or the folder of a workload",
            folder.display()
        );
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&text, folder).with_context(|| path.display().to_string())
    }

    /// The manifest that a text is, of the workload in `folder`. Opens no other file.
    pub fn parse(text: &str, folder: &Path) -> Result<Self> {
        let mut manifest: Self = parse(text)?;
        manifest.folder = folder.to_owned();
        manifest.check()?;
        Ok(manifest)
    }

    /// All workloads in the folders of `folder`, by name.
    pub fn all(folder: &Path) -> Result<Vec<Self>> {
        let entries = fs::read_dir(folder).with_context(|| {
            format!("cannot read {}; give the folder that the workloads are in", folder.display())
        })?;
        let mut folders = Vec::new();
        for entry in entries {
            let path = entry.with_context(|| format!("cannot read {}", folder.display()))?.path();
            folders.extend(path.join(FILE).is_file().then_some(path));
        }
        folders.sort();
        folders.iter().map(|folder| Self::read(folder)).collect()
    }

    fn check(&self) -> Result<()> {
        let mut names = BTreeSet::new();
        ensure!(!self.modules.is_empty(), "no [[module]]");
        for module in &self.modules {
            ensure!(names.insert(&module.name), "two modules are called {}", module.name);
        }
        for call in &self.calls {
            let inputs = [call.block.is_some(), call.transfers.is_some(), call.input.is_some()];
            ensure!(
                inputs.iter().filter(|given| **given).count() <= 1,
                "{}: give one of block, transfers and input",
                call.entry
            );
            ensure!(
                call.transfers.is_none() || call.state.is_some(),
                "{}: give the state that the transfers are on",
                call.entry
            );
            if let Some(module) = &call.module {
                ensure!(names.contains(module), "{}: there is no module {module}", call.entry);
            }
        }
        Ok(())
    }

    /// The file of `module`, checked against what the manifest says of it.
    pub fn open(&self, module: &Module) -> Result<RuntimeInput> {
        let path = self.folder.join(&module.path);
        let name = path.display().to_string();
        let bytes = fs::read(&path).with_context(|| format!("cannot read {name}"))?;
        let hash_text = |hash: [u8; 32]| format!("0x{}", hex(&hash));
        same(&name, "len-bytes", module.len_bytes, &bytes.len())?;
        same(&name, "blake2-256", module.blake2_256.clone(), &hash_text(blake2_256(&bytes)))?;
        same(&name, "sha256", module.sha256.clone(), &hex(&sha2_256(&bytes)))?;
        let bytes = if path.extension().is_some_and(|extension| extension == "wat") {
            wat::parse_bytes(&bytes).with_context(|| name.clone())?.into_owned()
        } else {
            bytes
        };
        let Input::Runtime(runtime) = Input::read(bytes, &name)? else {
            bail!("{name} is an image; a workload is WebAssembly");
        };
        let wasm = runtime.wasm();
        same(&name, "uncompressed-len-bytes", module.uncompressed_len_bytes, &wasm.len())?;
        let inside = hash_text(blake2_256(wasm));
        same(&name, "uncompressed-blake2-256", module.uncompressed_blake2_256.clone(), &inside)?;
        Ok(*runtime)
    }

    /// What the suite runs of `calls`: a workload for each module and each state that they see.
    pub fn workloads(&self, calls: Calls) -> Result<Vec<Workload>> {
        let mut workloads = Vec::new();
        for module in &self.modules {
            let runtime = self.open(module)?;
            let name = match self.modules.len() {
                1 => self.name.clone(),
                _ => format!("{} {}", self.name, module.name),
            };
            workloads.extend(self.of_module(&name, module, &runtime, calls)?);
        }
        Ok(workloads)
    }

    fn of_module(
        &self,
        name: &str,
        module: &Module,
        runtime: &RuntimeInput,
        calls: Calls,
    ) -> Result<Vec<Workload>> {
        let mut workloads: Vec<Workload> = Vec::new();
        for expected in &self.calls {
            let other = expected.module.as_ref().is_some_and(|only| *only != module.name);
            if other || calls == Calls::Measured && !expected.measured {
                continue;
            }
            let context = || format!("{name}: {}", expected.entry);
            let (state, input) = self.input(expected).with_context(context)?;
            let call = expected.call(input).with_context(context)?;
            let mut workload = Workload::with_calls(name, runtime, state, vec![call])?;
            workload.native = self.native;
            let root = workload.state.root();
            match workloads.iter_mut().find(|known| known.state.root() == root) {
                Some(known) => known.calls.extend(workload.calls),
                None => workloads.push(workload),
            }
        }
        Ok(workloads)
    }

    /// The state that a call sees, and its input.
    fn input(&self, expected: &Expected) -> Result<(State, Vec<u8>)> {
        let Some(file) = expected.block.as_ref().or(expected.state.as_ref()) else {
            return Ok((State::empty(), expected.input()?));
        };
        let path = self.folder.join(file);
        let name = path.display().to_string();
        let bytes = fs::read(&path).with_context(|| format!("cannot read {name}"))?;
        let Input::Runtime(runtime) = Input::read(bytes, &name)? else {
            bail!("{name} is an image; give a chain spec or a block file");
        };
        let mut state = runtime.state.with_context(|| format!("{name} has no state"))?;
        if let Some(count) = expected.transfers {
            let argument = transfers::block(&mut state, count)?.argument();
            return Ok((state, argument));
        }
        match (&expected.block, runtime.block) {
            (None, _) => Ok((state, expected.input()?)),
            (Some(_), Some(block)) => Ok((state, block.argument())),
            (Some(_), None) => bail!("{name} has no block"),
        }
    }
}

impl Expected {
    /// What to call it: the entry point, and the number of transfers in a block.
    pub fn label(&self) -> String {
        match self.transfers {
            Some(transfers) => format!("{} {transfers}", self.entry),
            None => self.entry.clone(),
        }
    }

    fn input(&self) -> Result<Vec<u8>> {
        let text = self.input.as_deref().unwrap_or("0x");
        parse_hex(text).map_err(|why| anyhow!("input {why}"))
    }

    fn call(&self, input: Vec<u8>) -> Result<Call> {
        let hash = |key: &str, text: &Option<String>| -> Result<Option<[u8; 32]>> {
            let Some(text) = text else { return Ok(None) };
            let bytes = parse_hex(text).map_err(|why| anyhow!("{key} {why}"))?;
            let bytes: [u8; 32] =
                bytes.try_into().map_err(|_| anyhow!("{key} is not 32 bytes long"))?;
            Ok(Some(bytes))
        };
        let mut output = hash("output-blake2-256", &self.output_blake2_256)?;
        if let Some(text) = &self.output {
            let bytes = parse_hex(text).map_err(|why| anyhow!("output {why}"))?;
            same(&self.entry, "output-len-bytes", self.output_len_bytes, &bytes.len())?;
            output = Some(blake2_256(&bytes));
        }
        Ok(Call {
            entry: self.entry.clone(),
            label: self.label(),
            input,
            output,
            state_root: hash("state-root", &self.state_root)?,
        })
    }
}

/// What the manifest says under `key`, if it says so, is what is found.
fn same<T: PartialEq + std::fmt::Display>(
    name: &str,
    key: &str,
    said: Option<T>,
    found: &T,
) -> Result<()> {
    match said {
        Some(said) if said != *found => {
            bail!("{name}: its {key} is {found}, but the manifest says {said}")
        }
        _ => Ok(()),
    }
}
/// Reads a file of TOML; an error says where, in one line.
pub(crate) fn parse<T: serde::de::DeserializeOwned>(text: &str) -> Result<T> {
    toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        anyhow!("line {line}, column {column}: {}", error.message().trim())
    })
}
