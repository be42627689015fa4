//! The engines of studies, each a command: one file a driver, which says how the command is found, told its
//! version, and made to run a program.
//!
//! Whoever adds one adds its file and its line in `DRIVERS`; nothing else knows an engine.

mod iwasm;
mod lithify;
mod native;
mod node;
mod wasm3;
mod wasmedge;
mod wasmer;
mod wasmi;
mod wasmtime;
mod wazero;

use serde::{Deserialize, Serialize};
use std::env;
use std::ffi::OsString;
use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// All drivers, in the order of tables.
const DRIVERS: &[&[Engine]] = &[
    native::ENGINES,
    lithify::ENGINES,
    wasmtime::ENGINES,
    wasmer::ENGINES,
    wazero::ENGINES,
    node::ENGINES,
    wasmedge::ENGINES,
    iwasm::ENGINES,
    wasm3::ENGINES,
    wasmi::ENGINES,
];

/// How an engine gets from a program to what the processor runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// The program is an executable of this machine.
    Native,
    /// A module is compiled once, before; what is started is the result.
    AheadOfTime,
    /// A module is compiled at each start, or while it runs.
    Jit,
    /// A module is interpreted.
    Interpreter,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Native => "native",
            Self::AheadOfTime => "ahead of time",
            Self::Jit => "JIT",
            Self::Interpreter => "interpreter",
        })
    }
}

/// An engine in one of its modes.
#[derive(Clone, Copy, Debug)]
pub struct Engine {
    /// What study files and tables call it, unique.
    pub name: &'static str,
    /// The compiler or interpreter in it, in a few words.
    pub about: &'static str,
    /// How it gets to code.
    pub mode: Mode,
    /// Whether it came out in the study of 2023 in the mode that is its default, and so has a column there.
    pub original: Option<&'static str>,
    /// Its command.
    pub program: Program,
    /// How one gets the command, in half a sentence.
    pub get: &'static str,
    /// Licence of the engine.
    pub licence: &'static str,
    /// The command that makes the file (second) of a module (first) that is run, where there is one.
    pub compile: Option<fn(command: &Path, module: &Path, to: &Path) -> Command>,
    /// The command that runs a program.
    pub run: fn(&Guest<'_>) -> Command,
    /// How long the program itself ran, in ns, by what the engine says on standard error.
    pub said_ns: Option<fn(stderr: &str) -> Option<u64>>,
}

/// Where an engine's command is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// A program is its own engine.
    Itself,
    /// The command that runs now, or another build of it that the variable `LITHIFY` names.
    Ours,
    /// On `PATH`, by this name; it prints its version when it is given the arguments.
    OnPath(&'static str, &'static [&'static str]),
}

/// A program to run.
pub struct Guest<'g> {
    /// The engine's command.
    pub command: &'g Path,
    /// The program: a module, or what the engine compiled of it.
    pub program: &'g Path,
    /// The directory that the program has, by the name `/` where the engine can name it; it is the
    /// working directory of the command, too.
    pub directory: Option<&'g Path>,
    /// Its environment.
    pub env: &'g [(String, String)],
    /// Its arguments, without its own name.
    pub args: &'g [String],
}

impl Guest<'_> {
    /// A command with some first arguments.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(self.command);
        command.args(args);
        command
    }

    /// `NAME=VALUE` of each variable.
    fn variables(&self) -> impl Iterator<Item = String> {
        self.env.iter().map(|(name, value)| format!("{name}={value}"))
    }

    /// The directory between two texts, as an argument.
    fn mapped(&self, before: &str, behind: &str) -> Option<OsString> {
        let mut argument = OsString::from(before);
        argument.push(self.directory?);
        argument.push(behind);
        Some(argument)
    }
}

/// An engine that is here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The command.
    pub command: PathBuf,
    /// What it says of its version; empty of what is its own engine.
    pub version: String,
}

impl Engine {
    /// All of them, in the order of tables.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        DRIVERS.iter().copied().flatten()
    }

    /// The engine of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        Self::all().find(|engine| engine.name == name)
    }

    /// Finds the command and asks for its version; else says in half a sentence why it is absent, and how to
    /// get it.
    pub fn find(&self) -> Result<Found, String> {
        match self.program {
            Program::Itself => Ok(Found { command: PathBuf::new(), version: String::new() }),
            Program::Ours => {
                let other = env::var_os("LITHIFY").map(PathBuf::from);
                let command = other.map_or_else(env::current_exe, std::path::absolute);
                let command = command.map_err(|error| error.to_string())?;
                told(command, "lithify", &["--version"])
            }
            Program::OnPath(name, args) => {
                let get = self.get;
                let absent = || format!("there is no command {name} on PATH; get it by {get}");
                told(on_path(name).ok_or_else(absent)?, name, args)
            }
        }
    }
}

/// Asks a command for its version.
fn told(command: PathBuf, name: &str, args: &[&str]) -> Result<Found, String> {
    let said = Command::new(&command).args(args).output();
    let said = said.map_err(|error| format!("cannot start {}: {error}", command.display()))?;
    let text = [said.stdout, said.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    // Old ones know no such option, and say how they are used instead.
    let is_told = said.status.success() && !line.starts_with("Usage");
    let version = match line.trim() {
        _ if !is_told => format!("{name}, which tells no version"),
        line if line.contains(name) => line.to_owned(),
        line => format!("{name} {line}"),
    };
    Ok(Found { command, version })
}

/// The executable of this name in the first folder of `PATH` that has one.
pub fn on_path(name: &str) -> Option<PathBuf> {
    let folders = env::var_os("PATH")?;
    env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| {
        let is_executable = |data: std::fs::Metadata| data.permissions().mode() & 0o111 != 0;
        path.metadata().is_ok_and(|data| data.is_file() && is_executable(data))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_fit_for_files() {
        let names: Vec<_> = Engine::all().map(|engine| engine.name).collect();
        let unique: BTreeSet<_> = names.iter().collect();
        assert_eq!(unique.len(), names.len(), "{names:?}");
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        assert!(names.iter().all(|name| name.chars().all(is_plain)), "{names:?}");
        assert!(names.len() > 12, "{names:?}");
        for engine in Engine::all() {
            let is_ahead = engine.mode == Mode::AheadOfTime;
            assert_eq!(engine.compile.is_some(), is_ahead, "{}", engine.name);
        }
    }

    #[test]
    fn an_absent_engine_says_how_to_get_it() {
        let program = Program::OnPath("no-such-engine", &["--version"]);
        let absent = Engine { program, ..*Engine::named("wasmtime").expect("a driver") };
        let why = absent.find().expect_err("absent");
        assert!(why.starts_with("there is no command no-such-engine on PATH; get it by "), "{why}");
    }

    #[test]
    fn guests_get_what_is_theirs_in_each_engine() {
        let env = [("NAME".to_owned(), "a value".to_owned())];
        let args = ["first".to_owned(), "--second".to_owned()];
        let (command, program) = (Path::new("/bin/engine"), Path::new("/m/program.wasm"));
        let directory = Some(Path::new("/scratch"));
        let guest = Guest { command, program, directory, env: &env, args: &args };
        for engine in Engine::all() {
            let run = (engine.run)(&guest);
            let said: Vec<_> = run.get_args().map(|arg| arg.to_string_lossy()).collect();
            let text = said.join(" ");
            let is_program = run.get_program() == program;
            assert!(is_program || text.contains("/m/program.wasm"), "{}: {text}", engine.name);
            assert!(text.ends_with("first --second"), "{}: {text}", engine.name);
            let own: Vec<_> = run.get_envs().collect();
            let has_variable = text.contains("a value") || !own.is_empty();
            assert!(has_variable || engine.name == "wasm3", "{}: {text}", engine.name);
        }
    }
}
