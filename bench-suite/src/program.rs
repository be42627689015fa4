//! Reads the programs of `workloads/programs/`: what builds them, what is run, and what must come
//! of it.
//!
//! ```text
//! compilers.toml, NAME/program.toml --> Programs --prepare--> arguments, files --engine--> output --check-->
//! ```
//!
//! What a manifest says of a file is checked when the file is read. Nothing is run here: who runs a
//! program, by an engine's command or natively, prepares a run, and checks what came out of it. The
//! keys are in `workloads/README.md`.

mod people;

pub use people::people;

use crate::workload::hex;
use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use sp_crypto_hashing::sha2_256;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The file that makes a folder a program.
pub const FILE: &str = "program.toml";
/// The compilers of all programs.
pub const COMPILERS: &str = "compilers.toml";

/// All programs, and what builds them.
#[derive(Clone, Debug)]
pub struct Programs {
    /// Compilers and their settings, in the order of the file.
    pub compilers: Vec<Compiler>,
    /// Programs, by name.
    pub programs: Vec<Program>,
}

/// A compiler with its settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Compiler {
    /// Its name, unique.
    pub name: String,
    /// The language of its sources.
    pub language: String,
    /// Name of the source in a program's folder.
    pub source: String,
    /// `native`, or the name of a target of WebAssembly.
    pub target: String,
    /// What it is, with versions.
    pub version: String,
    /// Its options.
    #[serde(default)]
    pub flags: Vec<String>,
    /// The level of optimisation.
    pub optimisation: Option<String>,
    /// The garbage collector, of what is built from Go.
    pub collector: Option<String>,
}

impl Compiler {
    /// Whether it makes executables of this machine.
    pub fn is_native(&self) -> bool {
        self.target == "native"
    }
}

/// A program.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Program {
    /// The folder's name.
    pub name: String,
    /// One sentence.
    pub about: String,
    /// Names of the compilers that build it.
    pub compilers: Vec<String>,
    /// What is run.
    #[serde(rename = "run")]
    pub runs: Vec<Run>,
    /// Modules that are committed; others are built when they are needed.
    #[serde(rename = "module", default)]
    pub modules: Vec<Module>,
    /// Where the manifest is.
    #[serde(skip)]
    pub folder: PathBuf,
}

/// A run of a program, and what must come of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Run {
    /// Its name, unique in the program.
    pub name: String,
    /// Arguments, without the program's own name.
    #[serde(default)]
    pub args: Vec<String>,
    /// The environment, as `NAME=VALUE`.
    #[serde(default)]
    pub env: Vec<String>,
    /// The exported function that is called instead of `_start`, without arguments; what it returns
    /// is the address of a text that ends with a zero byte, which counts as the output with a line
    /// feed behind it.
    pub invoke: Option<String>,
    /// The file of the program's folder that is standard input, which is empty otherwise.
    pub stdin: Option<PathBuf>,
    /// Files of the program's folder that it finds in its directory, which may be empty; without any
    /// list it has no directory.
    pub files: Option<Vec<PathBuf>>,
    /// A file that is made for it.
    pub people: Option<Made>,
    /// The exit status; 0 by default.
    #[serde(default)]
    pub exit_status: i32,
    /// SHA-256 of standard output with standard error behind it; any where it is absent.
    pub output_sha256: Option<String>,
    /// Length of that, in bytes.
    pub output_len_bytes: Option<usize>,
    /// Names of the compilers whose builds it is for; all of the program's by default.
    pub compilers: Option<Vec<String>>,
    /// `false` for a run that takes too long for a test.
    #[serde(default = "yes")]
    pub tested: bool,
}

/// A file of [`people`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Made {
    /// Its name in the program's directory.
    pub file: String,
    /// Its lines.
    pub lines: u32,
}

/// A committed module.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Module {
    /// The compiler's name; the file is called so, too, with `.wasm` behind it.
    pub compiler: String,
    /// SHA-256 of the file.
    pub sha256: String,
    /// Length of the file, in bytes.
    pub len_bytes: usize,
}

fn yes() -> bool {
    true
}

/// What a run needs, made.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// Arguments, without the program's own name.
    pub args: Vec<String>,
    /// Name and value of each variable of the environment.
    pub env: Vec<(String, String)>,
    /// The file that is standard input; none is an empty one.
    pub stdin: Option<PathBuf>,
    /// The program's directory, if it has one: `/` for a program of WebAssembly, the working directory
    /// natively.
    pub directory: Option<PathBuf>,
}

impl Programs {
    /// Reads the folder of programs.
    pub fn read(folder: &Path) -> Result<Self> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Compilers {
            compiler: Vec<Compiler>,
        }
        let Compilers { compiler: compilers } = parse(&folder.join(COMPILERS))?;
        let known: BTreeSet<&str> = compilers.iter().map(|compiler| &*compiler.name).collect();
        ensure!(known.len() == compilers.len(), "two compilers have the same name");

        let mut folders = Vec::new();
        for entry in fs::read_dir(folder).with_context(|| shown(folder))? {
            let path = entry.with_context(|| shown(folder))?.path();
            folders.extend(path.join(FILE).is_file().then_some(path));
        }
        folders.sort();
        let read = |folder: PathBuf| -> Result<Program> {
            let path = folder.join(FILE);
            let mut program: Program = parse(&path)?;
            program.folder = folder;
            program.check(&known).with_context(|| shown(&path))?;
            Ok(program)
        };
        let programs = folders.into_iter().map(read).collect::<Result<_>>()?;
        Ok(Self { compilers, programs })
    }

    /// The compiler of that name.
    pub fn compiler(&self, name: &str) -> Option<&Compiler> {
        self.compilers.iter().find(|compiler| compiler.name == name)
    }

    /// The program of that name.
    pub fn program(&self, name: &str) -> Option<&Program> {
        self.programs.iter().find(|program| program.name == name)
    }
}

impl Program {
    fn check(&self, compilers: &BTreeSet<&str>) -> Result<()> {
        ensure!(self.folder.ends_with(&self.name), "the folder has another name: {}", self.name);
        let of_runs = self.runs.iter().flat_map(|run| run.compilers.iter().flatten());
        let of_modules = self.modules.iter().map(|module| &module.compiler);
        for name in self.compilers.iter().chain(of_runs.clone()) {
            ensure!(compilers.contains(&**name), "there is no compiler {name} in {COMPILERS}");
        }
        for name in of_runs.chain(of_modules) {
            ensure!(self.compilers.contains(name), "{name} is not among its compilers");
        }
        let names: BTreeSet<&str> = self.runs.iter().map(|run| &*run.name).collect();
        ensure!(names.len() == self.runs.len(), "two runs have the same name");
        Ok(())
    }

    /// What `compiler` makes of it: the committed module, checked, or what was built on demand.
    pub fn built(&self, compiler: &Compiler) -> Result<PathBuf> {
        let (program, name) = (&self.name, &compiler.name);
        ensure!(self.compilers.contains(name), "{name} does not build {program}");
        if let Some(module) = self.modules.iter().find(|module| module.compiler == *name) {
            let path = self.folder.join(format!("{name}.wasm"));
            let bytes = fs::read(&path).with_context(|| shown(&path))?;
            let (len, hash) = (bytes.len(), hex(&sha2_256(&bytes)));
            ensure!(
                len == module.len_bytes && hash == module.sha256,
                "{}: it has {len} bytes of SHA-256 {hash}, but the manifest says other",
                path.display()
            );
            return Ok(path);
        }
        let extension = if compiler.is_native() { "" } else { ".wasm" };
        let path = self.made().join(format!("{name}{extension}"));
        ensure!(
            path.is_file(),
            "{program} is not built by {name}: `workloads/programs/build --all {program}` makes {}",
            path.display()
        );
        Ok(path)
    }

    /// Where the build script puts what is not committed.
    fn made(&self) -> PathBuf {
        let root = self.folder.ancestors().nth(3).unwrap_or(Path::new("."));
        root.join("target/programs").join(&self.name)
    }

    /// The runs that are for builds by `compiler`.
    pub fn runs_of<'p>(&'p self, compiler: &'p Compiler) -> impl Iterator<Item = &'p Run> {
        self.runs.iter().filter(|run| {
            let names = run.compilers.as_ref().unwrap_or(&self.compilers);
            names.contains(&compiler.name)
        })
    }
}

impl Run {
    /// Puts what the run of `program` needs into an empty folder.
    pub fn prepare(&self, program: &Program, folder: &Path) -> Result<Prepared> {
        let variable = |text: &String| {
            let (name, value) = text.split_once('=')?;
            Some((name.to_owned(), value.to_owned()))
        };
        let env = self
            .env
            .iter()
            .map(|text| variable(text).with_context(|| format!("env: {text} is not NAME=VALUE")));
        for file in self.files.iter().flatten() {
            let (from, to) = (program.folder.join(file), folder.join(file));
            fs::copy(&from, &to).with_context(|| shown(&from))?;
        }
        if let Some(made) = &self.people {
            let path = folder.join(&made.file);
            fs::write(&path, people(made.lines)).with_context(|| shown(&path))?;
        }
        let has_directory = self.files.is_some() || self.people.is_some();
        Ok(Prepared {
            args: self.args.clone(),
            env: env.collect::<Result<_>>()?,
            stdin: self.stdin.as_ref().map(|file| program.folder.join(file)),
            directory: has_directory.then(|| folder.to_owned()),
        })
    }

    /// Whether a run came to what it should: its standard streams, and its exit status.
    pub fn check(&self, stdout: &[u8], stderr: &[u8], exit_status: i32) -> Result<()> {
        let said = || {
            let text = String::from_utf8_lossy(stderr);
            let text: String = text.chars().take(400).collect();
            if text.is_empty() { text } else { format!("; standard error begins: {text}") }
        };
        let wanted = self.exit_status;
        if exit_status != wanted {
            bail!("{}: its exit status is {exit_status}, not {wanted}{}", self.name, said());
        }
        let output = [stdout, stderr].concat();
        let (len, hash) = (output.len(), hex(&sha2_256(&output)));
        if self.output_len_bytes.is_some_and(|wanted| wanted != len) {
            bail!("{}: its output has {len} bytes, SHA-256 {hash}{}", self.name, said());
        }
        match &self.output_sha256 {
            Some(wanted) if *wanted != hash => {
                bail!("{}: its output has SHA-256 {hash}, not {wanted}{}", self.name, said())
            }
            _ => Ok(()),
        }
    }
}

fn parse<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let text = fs::read_to_string(path).with_context(|| shown(path))?;
    crate::manifest::parse(&text).with_context(|| shown(path))
}

fn shown(path: &Path) -> String {
    format!("cannot read {}", path.display())
}
