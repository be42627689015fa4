//! Which engines there are, in which settings. Whoever adds one adds a row here; runner and report
//! know no engine but by its row.

use super::wasmtime::{Setting, Wasmtime};
use super::{Engine, Host, aot, native, wasmi};
use ::wasmi::CompilationMode;
use anyhow::{Result, anyhow};
use lithify_compiler::{Options, Target, Tier};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::Path;

/// An engine and a setting by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Id {
    /// Name of the engine.
    pub engine: String,
    /// Name of the setting.
    pub setting: String,
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{} {}", self.engine, self.setting))
    }
}

/// An engine in a setting, before it is opened.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Name of the engine.
    pub engine: &'static str,
    /// Name of the setting.
    pub setting: &'static str,
    /// What it is, in half a sentence.
    pub about: &'static str,
    /// How it gets to code.
    pub start: Start,
    /// It takes part in every so many rounds of a measurement, counted from the first: 1 for most,
    /// more for an engine that takes long; 0 for one that is measured only by who names it, and then
    /// in all of them.
    pub every: u32,
    /// The column of a table of modules side by side. The best of those that share one is shown.
    pub column: &'static str,
    /// The program that it is, where it is none of ours.
    pub program: Option<&'static Path>,
    /// Opens it with these host functions.
    pub(crate) open: fn(Host) -> Result<Box<dyn Engine>>,
}

/// One row is one kind: names are unique.
impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        (self.engine, self.setting) == (other.engine, other.setting)
    }
}

impl Eq for Kind {}

/// How an engine gets from a module to code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// It compiles an artifact, once, and loads that at every start.
    Artifact,
    /// It compiles at every start. For calls the suite loads an artifact of the same code, since
    /// a process that compiles is another environment and takes long.
    Compile,
    /// It has no artifact and takes the module at every start.
    Module,
    /// It is in this program.
    Native,
}

/// Every engine and setting that can be measured, ours first.
pub const KINDS: &[Kind] = &[
    Kind {
        engine: "lithify",
        setting: "aot",
        about: "an image, mapped; slots reset by hot set",
        start: Start::Artifact,
        every: 1,
        column: "lithify",
        program: None,
        open: |host| Ok(Box::new(aot::Aot::new(host, Options::default())?)),
    },
    Kind {
        engine: "lithify-fast",
        setting: "fast",
        about: "an image of the fast tier, which takes less time to compile",
        start: Start::Artifact,
        every: 4,
        column: "fast",
        program: None,
        open: |host| {
            Ok(Box::new(aot::Aot::new(host, Options { tier: Tier::Fast, ..Options::default() })?))
        },
    },
    Kind {
        engine: "lithify-v2",
        setting: "x86-64-v2",
        about: "an image for processors without AVX2 and BMI",
        start: Start::Artifact,
        every: 0,
        column: "v2",
        program: None,
        open: |host| {
            let target = Target::host().with_cpu("x86-64-v2")?;
            Ok(Box::new(aot::Aot::for_target(host, target, Options::default())?))
        },
    },
    Kind {
        engine: "wasmtime",
        setting: "jit",
        about: "as a Substrate node sets it up: pooling, copy-on-write, nothing kept resident",
        start: Start::Compile,
        every: 1,
        column: "jit",
        program: None,
        open: |host| Ok(Box::new(Wasmtime::new(Setting::Node, host)?)),
    },
    Kind {
        engine: "wasmtime",
        setting: "precompiled-64k",
        about: "an artifact, mapped; one pooled slot, 64 KiB kept resident",
        start: Start::Artifact,
        every: 1,
        column: "precompiled",
        program: None,
        open: |host| Ok(Box::new(Wasmtime::new(Setting::Resident(64 << 10), host)?)),
    },
    Kind {
        engine: "wasmtime",
        setting: "precompiled-2m",
        about: "an artifact, mapped; one pooled slot, 2 MiB kept resident",
        start: Start::Artifact,
        every: 1,
        column: "precompiled",
        program: None,
        open: |host| Ok(Box::new(Wasmtime::new(Setting::Resident(2 << 20), host)?)),
    },
    Kind {
        engine: "wasmtime",
        setting: "precompiled-scan",
        about: "an artifact, mapped; one pooled slot, up to 2 MiB of written pages kept resident \
                (PAGEMAP_SCAN)",
        start: Start::Artifact,
        every: 1,
        column: "precompiled",
        program: None,
        open: |host| Ok(Box::new(Wasmtime::new(Setting::Scan, host)?)),
    },
    Kind {
        engine: "wasmtime",
        setting: "inlined-64k",
        about: "as precompiled-64k, with its inliner on: a compile takes several times as long",
        start: Start::Artifact,
        every: 1,
        column: "precompiled",
        program: None,
        open: |host| Ok(Box::new(Wasmtime::new(Setting::Inlined(64 << 10), host)?)),
    },
    Kind {
        engine: "winch",
        setting: "baseline",
        about: "wasmtime's compiler that does not optimise; as precompiled-64k",
        start: Start::Artifact,
        every: 0,
        column: "winch",
        program: None,
        open: |host| Ok(Box::new(Wasmtime::new(Setting::Winch(64 << 10), host)?)),
    },
    Kind {
        engine: "wasmi",
        setting: "interpreter",
        about: "the module, translated eagerly to its own bytecode",
        start: Start::Module,
        every: 4,
        column: "interpreter",
        program: None,
        open: |host| Ok(Box::new(wasmi::Wasmi::new(CompilationMode::Eager, host)?)),
    },
    Kind {
        engine: "wasmi",
        setting: "lazy",
        about: "each function validated and translated when it is first called",
        start: Start::Module,
        every: 0,
        column: "interpreter",
        program: None,
        open: |host| Ok(Box::new(wasmi::Wasmi::new(CompilationMode::Lazy, host)?)),
    },
];

/// The floor, for workloads that have one.
pub const NATIVE: Kind = Kind {
    engine: "native",
    setting: "build",
    about: "the same source compiled into this program, on the same host functions",
    start: Start::Native,
    every: 1,
    column: "native",
    program: None,
    open: |_| Ok(Box::new(native::Native)),
};

/// wasmtime for modules of any shape, which is not measured.
pub const ON_DEMAND: Kind = Kind {
    engine: "wasmtime",
    setting: "on-demand",
    about: "no pool: each instance has memory and tables of its own",
    start: Start::Compile,
    every: 1,
    column: "on-demand",
    program: None,
    open: |host| Ok(Box::new(Wasmtime::new(Setting::OnDemand, host)?)),
};

impl Kind {
    /// All that a run or a report may name, in the order in which they are shown.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        KINDS.iter().chain([&NATIVE])
    }

    /// Those that are measured unless others are asked for.
    pub fn usual() -> impl Iterator<Item = &'static Self> {
        KINDS.iter().filter(|kind| kind.every > 0)
    }

    /// The names of those that can be measured, for a message.
    pub fn names() -> String {
        KINDS.iter().map(|kind| kind.id().to_string()).collect::<Vec<_>>().join(", ")
    }

    /// Its name.
    pub fn id(&self) -> Id {
        Id { engine: self.engine.into(), setting: self.setting.into() }
    }

    /// The kind of that name.
    ///
    /// # Errors
    ///
    /// Where there is none.
    pub fn of(id: &Id) -> Result<&'static Self> {
        Self::all()
            .find(|kind| kind.engine == id.engine && kind.setting == id.setting)
            .ok_or_else(|| anyhow!("there is no engine {id}; there are {}", Self::names()))
    }

    /// Opens the engine.
    ///
    /// # Errors
    ///
    /// Why it cannot run here.
    pub fn open(&self, host: Host) -> Result<Box<dyn Engine>> {
        (self.open)(host)
    }
}
