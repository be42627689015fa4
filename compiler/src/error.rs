//! Why a module is refused. What a module calls its things is shown as [`Plain`].

use crate::options::Profile;
use lithify_abi::plain::Plain;

/// Why a module could not be compiled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompileError {
    /// The bytes are not a valid module. `offset` counts from the file's start.
    #[error("invalid module at offset {offset:#x}: {}", Plain(message))]
    Invalid {
        /// Offset in the file, in bytes.
        offset: u64,
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
        /// Function index, where it happened in a function body.
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
    #[error("the module exceeds a limit: {}", Plain(.0))]
    Limit(String),

    /// [`Progress::stop`](crate::Progress::stop) gave a reason.
    #[error("the compilation was stopped: {0}")]
    Stopped(String),

    /// The options contradict each other or the target.
    #[error("{}", Plain(.0))]
    Options(String),

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

impl From<wasmparser::BinaryReaderError> for CompileError {
    fn from(error: wasmparser::BinaryReaderError) -> Self {
        Self::Invalid { offset: error.offset() as u64, message: error.message().into() }
    }
}
