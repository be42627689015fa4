//! Why a module is refused. What a module calls its things is shown as [`Plain`].

use crate::{index::FuncIndex, options::Profile};
use cranelift_module::ModuleError;
use lithify_abi::{machine::Machine, plain::Plain};
use std::fmt;

/// Why a module could not be compiled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompileError {
    /// The bytes are not a valid module. `offset` counts from the file's start.
    #[error("invalid module at offset {offset:#x}: {}", Plain(message))]
    Invalid {
        /// Offset in the file, in bytes.
        offset: u64,
        /// Function index, where it was found in a function body.
        func: Option<u32>,
        /// What the validator found.
        message: String,
    },

    /// Valid WebAssembly that the chosen profile does not accept.
    #[error(
        "not accepted by the {profile} profile, at offset {offset:#x}{}: {}",
        func.map(|f| format!(" (function {f})")).unwrap_or_default(),
        Plain(message)
    )]
    Profile {
        /// The profile.
        profile: Profile,
        /// Offset in the file, in bytes.
        offset: u64,
        /// Function index, where it was found in a function body.
        func: Option<u32>,
        /// What is not accepted.
        message: String,
    },

    /// Valid WebAssembly that this compiler does not implement.
    #[error("function {func} at offset {offset:#x}: {feature} is not supported")]
    Unsupported {
        /// Function index.
        func: u32,
        /// Offset in the file, in bytes.
        offset: u64,
        /// The operator or feature.
        feature: String,
    },

    /// A limit of this compiler or of the image format.
    #[error("the module exceeds a limit: {0}")]
    Limit(Excess),

    /// [`Progress::stop`](crate::Progress::stop) gave a reason.
    #[error("the compilation was stopped: {0}")]
    Stopped(String),

    /// The options contradict each other, the module or the target.
    #[error(transparent)]
    Options(#[from] OptionsError),

    /// Cranelift refused a function.
    #[error("function {func} ({}): code generation failed: {}", Plain(name), Plain(message))]
    Codegen {
        /// Function index.
        func: u32,
        /// Its name.
        name: String,
        /// Cranelift's message.
        message: String,
    },

    /// The object or image could not be written.
    #[error("writing the object failed: {}", Plain(.0))]
    Object(String),
}

impl CompileError {
    /// Says in which function body it was found.
    pub(crate) fn in_function(self, index: FuncIndex) -> Self {
        match self {
            Self::Invalid { offset, func: None, message } => {
                Self::Invalid { offset, func: Some(index.as_u32()), message }
            }
            error => error,
        }
    }
}

impl From<wasmparser::BinaryReaderError> for CompileError {
    fn from(error: wasmparser::BinaryReaderError) -> Self {
        let (offset, message) = (error.offset() as u64, error.message().into());
        Self::Invalid { offset, func: None, message }
    }
}

impl From<ModuleError> for CompileError {
    fn from(error: ModuleError) -> Self {
        Self::Object(error.to_string())
    }
}

impl From<object::write::Error> for CompileError {
    fn from(error: object::write::Error) -> Self {
        Self::Object(error.to_string())
    }
}

impl From<object::read::Error> for CompileError {
    fn from(error: object::read::Error) -> Self {
        Self::Object(error.to_string())
    }
}

impl From<gimli::write::Error> for CompileError {
    fn from(error: gimli::write::Error) -> Self {
        Self::Object(error.to_string())
    }
}

/// What a module has more of than it may; see [`limits`](crate::limits).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excess {
    /// Function index, where the limit is one of functions.
    pub func: Option<u32>,
    /// What was counted.
    pub what: &'static str,
    /// How many there are; `None` where that depends on how far the compilation came.
    pub found: Option<u64>,
    /// How many there may be.
    pub limit: u64,
}

impl fmt::Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { func, what, found, limit } = self;
        if let Some(func) = func {
            write!(f, "function {func}: ")?;
        }
        match found {
            Some(found) => write!(f, "{found} {what}; at most {limit}"),
            None => write!(f, "more than {limit} {what}"),
        }
    }
}

/// An option that cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OptionsError {
    /// No name of a target.
    #[error(
        "unknown target {:?}; there are x86_64-unknown-linux-gnu (also x86_64 and amd64) \
         and aarch64-unknown-linux-gnu (also aarch64 and arm64)",
        .0
    )]
    UnknownTarget(String),

    /// No name of a profile.
    #[error("unknown profile {:?}; there are runtime and general", .0)]
    UnknownProfile(String),

    /// Neither on nor off.
    #[error("unknown choice of inlining {:?}; there are on and off", .0)]
    UnknownInline(String),

    /// Neither full nor fast.
    #[error("unknown tier {:?}; there are full and fast", .0)]
    UnknownTier(String),

    /// A profile of another module.
    #[error(
        "the profile is one of another module: it knows {known} of {functions} functions here; \
         `lithify profile` makes one"
    )]
    ForeignHeat {
        /// Functions of the module that the profile knows.
        known: usize,
        /// Functions of the module that have a body.
        functions: usize,
    },

    /// No name of a CPU level of the machine.
    #[error("unknown CPU level {level:?}; {}", match machine {
        Machine::X86_64 => "there are x86-64-v2 and x86-64-v3",
        Machine::Aarch64 => "aarch64 has only generic",
    })]
    UnknownCpu {
        /// The machine.
        machine: Machine,
        /// What was asked for.
        level: String,
    },

    /// Features without which Cranelift calls functions that nobody has.
    #[error("CPU features below x86-64-v2, which is the least")]
    CpuBelowLeast,

    /// Cranelift does not take the target.
    #[error("target: {0}")]
    Target(String),

    /// Symbols would not be identifiers.
    #[error("the prefix {:?} of symbols is no identifier of C", .0)]
    Prefix(String),

    /// A symbol was asked for that is not one of an exported function.
    #[error("no function is exported as {:?}", .0)]
    NoExport(String),

    /// A function was asked for that the module does not have.
    #[error(
        "there is no function {name:?}; give an export, a name of the name section, or an \
         index from {first} to {last}"
    )]
    NoFunction {
        /// What was asked for.
        name: String,
        /// Index of the first function with a body.
        first: u32,
        /// Index of the last one.
        last: u32,
    },

    /// A function was asked for that the module imports.
    #[error("function {} is imported: it has no body", Plain(.0))]
    NoBody(String),

    /// A module imports one name with two types, for which C has one symbol.
    #[error("{} is imported as {} and as {}, but is one symbol", Plain(name), types[0], types[1])]
    TwoTypes {
        /// Module and field.
        name: String,
        /// The types.
        types: Box<[lithify_abi::types::FuncType; 2]>,
    },
}
