//! WASI preview 1: programs with `_start`, their arguments, environment, streams and directories.
//!
//! ```text
//! Program --start--> Wasi --run(instance)--> exit status | trap
//! imports() --bound to the image--> functions of wasi_snapshot_preview1, on the Wasi of the call
//! ```
//!
//! The functions are `wasi-common`'s, which knows no engine. A directory is a capability: a path
//! that leads out of it, by `..`, a link or an absolute name, is refused (`cap-std`). This crate
//! gives it the guest's memory, writable where the kernel is to write, and bounds what lists a
//! guest may make it collect.
//!
//! ```
//! use lithify_compiler::{Options, Target, compile_image};
//! use lithify_runtime::{Image, InstanceOptions, Pool, Trust};
//! use lithify_wasi::{Program, imports};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let wasm = wat::parse_str(
//!     r#"(module
//!         (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
//!         (memory (export "memory") 1)
//!         (func (export "_start") (call $exit (i32.const 7))))"#,
//! )?;
//! let options = Options { target: Target::host(), ..Options::default() };
//! let image = Image::from_bytes(&compile_image(&wasm, &options)?, &imports(), Trust::Verify)?;
//! let pool = Pool::new(&image, &InstanceOptions::default())?;
//!
//! let mut wasi = Program::new("seven").start()?;
//! assert_eq!(wasi.run(&mut pool.instance()?, Default::default())?, 7);
//! # Ok(())
//! # }
//! ```

#![warn(clippy::unwrap_used)]
#![forbid(unsafe_code)]

pub mod functions;

pub use functions::{MODULE, imports};

use lithify_runtime::{CallOptions, FuncType, Instance, Trap};
use std::io;
use std::path::{Path, PathBuf};
use wasi_common::WasiCtx;
use wasi_common::sync::{Dir, WasiCtxBuilder, ambient_authority};

/// What a program begins with: its name and arguments, its environment, its directories. The
/// standard streams are those of this process.
#[derive(Clone, Debug)]
pub struct Program {
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    directories: Vec<(PathBuf, String)>,
}

/// Why a program cannot begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProgramError {
    /// A directory cannot be opened.
    #[error("cannot open the directory {}", path.display())]
    Directory {
        /// The directory of this machine.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// The arguments or the environment are too long, or one has a zero byte in it.
    #[error("arguments and environment have a zero byte in them, or are longer than 4 GiB")]
    Strings,
}

impl Program {
    /// A program that is called `name`, with no arguments, environment or directories.
    pub fn new(name: &str) -> Self {
        let arguments = vec![name.to_owned()];
        Self { arguments, environment: Vec::new(), directories: Vec::new() }
    }

    /// Passes one more argument.
    pub fn argument(&mut self, argument: &str) -> &mut Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Sets a variable of its environment.
    pub fn variable(&mut self, name: &str, value: &str) -> &mut Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Gives it the directory `path` of this machine, and all that is in it, under the name `guest`.
    pub fn directory(&mut self, path: &Path, guest: &str) -> &mut Self {
        self.directories.push((path.to_owned(), guest.to_owned()));
        self
    }

    /// Opens the directories.
    ///
    /// # Errors
    ///
    /// See [`ProgramError`].
    pub fn start(&self) -> Result<Wasi, ProgramError> {
        let mut builder = WasiCtxBuilder::new();
        builder.inherit_stdio();
        builder.args(&self.arguments).map_err(|_| ProgramError::Strings)?;
        builder.envs(&self.environment).map_err(|_| ProgramError::Strings)?;
        for (path, guest) in &self.directories {
            let failed = |source| ProgramError::Directory { path: path.clone(), source };
            let directory = Dir::open_ambient_dir(path, ambient_authority()).map_err(failed)?;
            builder
                .preopened_dir(directory, guest)
                .map_err(|error| failed(io::Error::other(error.to_string())))?;
        }
        Ok(Wasi { context: builder.build(), exit: None })
    }
}

/// A program that runs: what functions of [`imports`] work on. Whoever calls a function of an
/// instance whose image has them passes it as the call's data.
pub struct Wasi {
    context: WasiCtx,
    /// What the guest gave to `proc_exit`.
    exit: Option<i32>,
}

impl Wasi {
    /// Runs `_start` of a fresh instance to its end. Returns the exit status: 0 unless the guest
    /// says another.
    ///
    /// # Errors
    ///
    /// A trap of the guest.
    ///
    /// # Panics
    ///
    /// When the instance has no `_start` of type `() -> ()`: see [`is_program`].
    pub fn run(&mut self, instance: &mut Instance, options: CallOptions) -> Result<i32, Trap> {
        let start = instance.func(START).expect("a program has a _start");
        let done = instance.call_with(&start, &mut [], self, options);
        Ok(self.ended(done)?.unwrap_or(0))
    }

    /// What a call that was made on this comes to: an exit status where the guest has exited in it,
    /// nothing where it returned.
    ///
    /// # Errors
    ///
    /// Any other trap.
    pub fn ended(&mut self, done: Result<(), Trap>) -> Result<Option<i32>, Trap> {
        match self.exit.take() {
            Some(status) => Ok(Some(status)),
            None => done.map(|()| None),
        }
    }
}

/// The function that a program is.
pub const START: &str = "_start";

/// Whether an instance is one of a program: it exports [`START`] with the type `() -> ()`.
pub fn is_program(instance: &Instance) -> bool {
    let start = instance.func(START);
    start.is_some_and(|start| *instance.func_type(&start) == FuncType::new(&[], &[]))
}
