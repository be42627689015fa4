//! What a caller chooses: target, profile, parallelism.

use crate::{
    error::CompileError,
    module::{ExportKind, Module},
};
use lithify_abi::{cpu, machine::Machine, symbols};
use std::{collections::BTreeSet, fmt, str::FromStr};

/// Everything that shapes a compilation. The same module and options give the same bytes;
/// `jobs` does not count.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The machine to compile for.
    pub target: Target,
    /// The language accepted; by default by the module's imports, see [`Profile`].
    pub profile: Option<Profile>,
    /// BLAKE2b-256 of the code as it is stored on chain, kept in the image as its identity.
    pub code_hash: [u8; 32],
    /// Worker threads; 0 for as many as there are CPUs.
    pub jobs: usize,
    /// Global symbols of an object. An image has the default ones, which its loader knows.
    pub symbols: Symbols,
}

/// The symbols of an object that others see; see [`lithify_abi::symbols`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbols {
    /// What they all begin with, an identifier of C. Objects with different prefixes can be parts of
    /// one program.
    pub prefix: String,
    /// Names of exported functions that get a global symbol. Calls through the library need none.
    pub exports: Vec<String>,
}

impl Symbols {
    /// The exported functions that get a symbol: index, name and symbol, in the order of names.
    pub(crate) fn of<'m>(
        &self,
        module: &'m Module<'_>,
    ) -> Result<Vec<(u32, &'m str, String)>, CompileError> {
        let Self { prefix, exports } = self;
        if !symbols::is_prefix(prefix) {
            let message = format!("the prefix {prefix:?} of symbols is no identifier of C");
            return Err(CompileError::Options(message));
        }
        let names: BTreeSet<&str> = exports.iter().map(String::as_str).collect();
        let export = |name: &str| {
            let found = module.exports.iter().find(|export| export.name == name);
            match found.map(|export| (&export.kind, export.name)) {
                Some((ExportKind::Function(index), name)) => {
                    Ok((*index, name, symbols::export(prefix, name)))
                }
                _ => Err(CompileError::Options(format!("no function is exported as {name:?}"))),
            }
        };
        names.into_iter().map(export).collect()
    }
}

impl Default for Symbols {
    fn default() -> Self {
        Self { prefix: symbols::PREFIX.into(), exports: Vec::new() }
    }
}

/// The language that a module may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// What Substrate accepts on chain: the MVP with mutable globals, imports from `env` only,
    /// no start function. The default when anything is imported from `env`.
    Runtime,
    /// WebAssembly 2.0.
    General,
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Runtime => "runtime",
            Self::General => "general",
        })
    }
}

impl FromStr for Profile {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        match s {
            "runtime" => Ok(Self::Runtime),
            "general" => Ok(Self::General),
            _ => Err(format!("unknown profile {s:?}; there are runtime and general")),
        }
    }
}

/// An instruction set with the CPU features that the code may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// The instruction set.
    pub machine: Machine,
    /// CPU features, a set of [`cpu::CpuFeature::bit`].
    pub features: u64,
}

impl Default for Target {
    /// x86-64-v3: every x86 server since 2015.
    fn default() -> Self {
        Self { machine: Machine::X86_64, features: cpu::X86_64_V3 }
    }
}

impl Target {
    /// The target of the machine that this library was built for, at its default CPU level.
    pub fn host() -> Self {
        if cfg!(target_arch = "aarch64") { Self::aarch64() } else { Self::default() }
    }

    /// This target with those of its CPU features that are in `features`, bits of
    /// [`CpuFeature`](lithify_abi::cpu::CpuFeature).
    pub fn limited_to(self, features: u64) -> Self {
        Self { features: self.features & features, ..self }
    }

    /// 64-bit Arm, base architecture.
    pub fn aarch64() -> Self {
        Self { machine: Machine::Aarch64, features: 0 }
    }

    /// The target triple.
    pub fn triple(self) -> &'static str {
        self.machine.triple()
    }

    /// This target restricted to a level of x86-64: `x86-64-v2` or `x86-64-v3`.
    pub fn with_cpu(self, level: &str) -> Result<Self, String> {
        match (self.machine, level) {
            (Machine::X86_64, "x86-64-v2") => Ok(Self { features: cpu::X86_64_V2, ..self }),
            (Machine::X86_64, "x86-64-v3") => Ok(Self { features: cpu::X86_64_V3, ..self }),
            (Machine::Aarch64, "generic") => Ok(self),
            (Machine::X86_64, _) => {
                Err(format!("unknown CPU level {level:?}; there are x86-64-v2 and x86-64-v3"))
            }
            (Machine::Aarch64, _) => {
                Err(format!("unknown CPU level {level:?}; aarch64 has only generic"))
            }
        }
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        match s {
            "x86_64-unknown-linux-gnu" | "x86_64-linux-gnu" | "x86_64" | "x86-64" | "amd64" => {
                Ok(Self::default())
            }
            "aarch64-unknown-linux-gnu" | "aarch64-linux-gnu" | "aarch64" | "arm64" => {
                Ok(Self::aarch64())
            }
            _ => Err(format!(
                "unknown target {s:?}; there are x86_64-unknown-linux-gnu (also x86_64 and amd64) \
                 and aarch64-unknown-linux-gnu (also aarch64 and arm64)"
            )),
        }
    }
}
