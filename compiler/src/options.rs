//! What a caller chooses: target, profile, symbols, parallelism.

use crate::{
    error::OptionsError, heat::Heat, index::FuncIndex, module::Module, parse, target::Target,
};
use lithify_abi::symbols;
use std::{collections::BTreeSet, fmt, str::FromStr, sync::Arc};

/// Everything that shapes a compilation. The same module and options give the same bytes;
/// `jobs` does not count.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The machine to compile for.
    pub target: Target,
    /// The language accepted; by default by the module's imports, see [`Profile`].
    pub profile: Option<Profile>,
    /// How much is done for the code.
    pub tier: Tier,
    /// Whether calls become the bodies that they reach. At [`Tier::Fast`] they never do.
    pub inline: Inline,
    /// What functions did in calls. It decides which of them are worth the full tier, how they are
    /// inlined and where they lie; all of a module is worth it without, and nothing at
    /// [`Tier::Fast`].
    pub heat: Option<Arc<Heat>>,
    /// BLAKE2b-256 of the code as it is stored on chain, kept in the image as its identity.
    pub code_hash: [u8; 32],
    /// Whether the file has debug information, DWARF: which functions are where, with those that were
    /// inlined, and which operator each instruction is of. Nothing that is loaded is another.
    pub debug_info: bool,
    /// Worker threads; 0 for as many as there are CPUs.
    pub jobs: usize,
    /// Global symbols of an object. An image has the default ones, which its loader knows.
    pub symbols: Symbols,
}

impl Options {
    /// Whether calls become bodies anywhere.
    pub fn inlines(&self) -> Inline {
        match self.tier {
            Tier::Full => self.inline,
            Tier::Fast => Inline::Off,
        }
    }

    /// What of [`heat`](Self::heat) shapes the code.
    pub fn used_heat(&self) -> Option<&Heat> {
        self.heat.as_deref().filter(|_| self.tier == Tier::Full)
    }
}

/// The symbols of an object that others see; see [`lithify_abi::symbols`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbols {
    /// What they all begin with, an identifier of C. Objects with different prefixes can be parts
    /// of one program.
    pub prefix: String,
    /// Names of exported functions that get a global symbol. Calls through the library need none.
    pub exports: Vec<String>,
}

impl Symbols {
    /// The exported functions that get a symbol: index, name and symbol, in the order of names.
    pub(crate) fn of<'s>(
        &'s self,
        module: &Module<'_>,
    ) -> Result<Vec<(FuncIndex, &'s str, String)>, OptionsError> {
        let Self { prefix, exports } = self;
        if !symbols::is_prefix(prefix) {
            return Err(OptionsError::Prefix(prefix.clone()));
        }
        let names: BTreeSet<&str> = exports.iter().map(String::as_str).collect();
        let export = |name| match module.exported_function(name) {
            Some(index) => Ok((index, name, symbols::export(prefix, name))),
            None => Err(OptionsError::NoExport(name.into())),
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

impl Profile {
    /// The profile that a module is compiled with where none is asked for: `Runtime` when something is
    /// imported from `env`, but not when WASI is too, since then `env` holds the host of a chain, and
    /// the module is still no runtime that a chain would take. Else `General`.
    pub fn of(wasm: &[u8]) -> Self {
        parse::default_profile(wasm)
    }
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
    type Err = OptionsError;

    fn from_str(s: &str) -> Result<Self, OptionsError> {
        match s {
            "runtime" => Ok(Self::Runtime),
            "general" => Ok(Self::General),
            _ => Err(OptionsError::UnknownProfile(s.into())),
        }
    }
}

/// How much is done for the code. It shapes code, never what code does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tier {
    /// All that makes it faster.
    #[default]
    Full,
    /// What it takes to be right: an image in less time, until the full one is there.
    Fast,
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "full",
            Self::Fast => "fast",
        })
    }
}

impl FromStr for Tier {
    type Err = OptionsError;

    fn from_str(s: &str) -> Result<Self, OptionsError> {
        match s {
            "full" => Ok(Self::Full),
            "fast" => Ok(Self::Fast),
            _ => Err(OptionsError::UnknownTier(s.into())),
        }
    }
}

/// Whether calls become the bodies that they reach, where that is worth it. It shapes code, never
/// what code does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Inline {
    /// Small functions, and those that are called in one place.
    #[default]
    On,
    /// Every call stays a call.
    Off,
}

impl fmt::Display for Inline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::On => "on",
            Self::Off => "off",
        })
    }
}

impl FromStr for Inline {
    type Err = OptionsError;

    fn from_str(s: &str) -> Result<Self, OptionsError> {
        match s {
            "on" => Ok(Self::On),
            "off" => Ok(Self::Off),
            _ => Err(OptionsError::UnknownInline(s.into())),
        }
    }
}
