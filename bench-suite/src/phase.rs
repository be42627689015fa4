//! What is measured, and in which unit.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! phases {
    ($($(#[$meta:meta])* $name:ident = $text:literal, $unit:ident;)*) => {
        /// A part of the way from the module to the output of a call.
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
        )]
        pub enum Phase {
            $($(#[$meta])* #[serde(rename = $text)] $name,)*
        }

        impl Phase {
            /// All of them, in the order of a module's life.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Its name in samples and reports.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// The unit of its samples.
            pub fn unit(self) -> Unit {
                match self {
                    $(Self::$name => Unit::$unit,)*
                }
            }
        }
    };
}

impl Phase {
    /// Those of a module as a whole, in the order of a report.
    pub const MODULE: &'static [Self] = &[
        Self::Compile,
        Self::CompileCpu,
        Self::CompilePeak,
        Self::Artifact,
        Self::Load,
        Self::LoadTrusted,
        Self::LoadKept,
        Self::LoadMemory,
        Self::IdleMemory,
    ];

    /// What a comparison decides, where it is measured: the others are parts of these.
    pub const DECIDED: &'static [Self] = &[Self::Total, Self::CompileCpu, Self::CompilePeak];

    /// Whether it belongs to a call, and not to a module or a machine.
    pub fn is_of_call(self) -> bool {
        Self::CALL.contains(&self)
    }

    /// What it is, in a line of a legend.
    pub fn about(self) -> &'static str {
        match self {
            Self::Compile => "from the module to an artifact, on the clock",
            Self::CompileCpu => "the same, CPU time of all threads",
            Self::CompilePeak => "memory that compiling needed at most",
            Self::Module => "size of the module",
            Self::Artifact => "size of what was compiled",
            Self::Load => "from the artifact's file to where instances can be made",
            Self::LoadTrusted => "the same without a check of the file",
            Self::LoadKept => {
                "the same from a store that checks a file once, and again when it changes"
            }
            Self::Cold => "from a process without the engine to the first output, by load-kept",
            Self::LoadMemory => "memory of a process for each loaded module",
            Self::IdleMemory => "memory that stays after calls, for the next one",
            Self::PerCall => {
                "of several threads, time for each call and what is done between two: its inverse is their rate"
            }
            Self::Slow => "what one call in a hundred takes longer than, of several threads",
            Self::First => "the first call of a process on a loaded module",
            Self::Instantiate => "making a fresh instance",
            Self::Initialize => "the guest's own initialiser, where it runs in each call",
            Self::Call => "the call on it: input in, run, output out",
            Self::Drop => "the end of the instance",
            Self::Total => "all three, without a look at the clock between",
            Self::Host => "time in host functions during a call",
            Self::Guest => "the total while host functions only answer what they answered before",
            Self::Reference => "work that no engine has a part in",
        }
    }

    /// Those of a call, in the order of a report.
    pub const CALL: &'static [Self] = &[
        Self::Instantiate,
        Self::Initialize,
        Self::Call,
        Self::Drop,
        Self::Total,
        Self::Host,
        Self::Guest,
        Self::First,
        Self::Cold,
        Self::PerCall,
        Self::Slow,
    ];
}

phases! {
    /// From the module to an artifact: time on the clock.
    Compile = "compile", Ns;
    /// The same: CPU time of all threads.
    CompileCpu = "compile-cpu", Ns;
    /// Memory that a fresh process needed beyond what it had before it compiled.
    CompilePeak = "compile-peak", Bytes;
    /// Size of the module.
    Module = "module", Bytes;
    /// Size of the artifact.
    Artifact = "artifact", Bytes;
    /// From the artifact's file to where instances can be made. An engine without artifacts
    /// starts from the module, each time.
    Load = "load", Ns;
    /// The same without a check that the file is what the compiler wrote, which not every engine
    /// makes.
    LoadTrusted = "load-trusted", Ns;
    /// The same from where an embedder keeps artifacts, checked as it is there: of Lithify a store, where
    /// an earlier process found the file whole and the system says that it has not changed since.
    LoadKept = "load-kept", Ns;
    /// Memory of the process alone for each module that is loaded, before any instance of it.
    LoadMemory = "load-memory", Bytes;
    /// Memory of the process alone that stays after some calls, so that the next one finds it: that of an
    /// instance that is idle.
    IdleMemory = "idle-memory", Bytes;
    /// From nothing of the engine to the first output, in a fresh process, which loads as in `LoadKept`.
    Cold = "cold", Ns;
    /// The first call of a process on a module that is loaded: instance, call and end.
    First = "first", Ns;
    /// Making a fresh instance.
    Instantiate = "instantiate", Ns;
    /// The guest's own initialiser, of modules that have one to be called, at each instance.
    Initialize = "initialize", Ns;
    /// The call: input in, run, output out.
    Call = "call", Ns;
    /// The end of the instance.
    Drop = "drop", Ns;
    /// A fresh instance, a call, the end, without a look at the clock between.
    Total = "total", Ns;
    /// Time in host functions during a call in which each is timed. Page faults that the host
    /// takes in the guest's memory are in it.
    Host = "host", Ns;
    /// The total of a call in which host functions only replay what they did in an earlier one:
    /// a fresh instance, code of the guest, the way into host functions and back, the end.
    Guest = "guest", Ns;
    /// Time divided by the calls of all threads that make them at once.
    PerCall = "per-call", Ns;
    /// The 99 % quantile over the calls of all threads.
    Slow = "p99", Ns;
    /// Work that no engine has a part in: how fast the machine is at this hour.
    Reference = "reference", Ns;
}

/// Unit of samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Nanoseconds.
    Ns,
    /// Bytes.
    Bytes,
}

impl Unit {
    /// Its name in samples and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ns => "ns",
            Self::Bytes => "bytes",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
