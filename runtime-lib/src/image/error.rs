//! Why an image is refused.
//!
//! What `source` returns `Display` does not repeat: whoever shows an error shows the chain.

use lithify_abi::plain::Plain;
use lithify_abi::{ABI_VERSION, COMPILER};
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why an image is refused. Nothing of it ran.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// The file cannot be read.
    #[error("cannot read image {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },

    /// The file is something else.
    #[error("not an ELF file; an image is what `lithify` makes of a module")]
    NotElf,

    /// It starts like an ELF file, but is cut off or damaged.
    #[error("truncated or damaged ELF file: {message}; make the image again")]
    Damaged {
        /// What is wrong with it.
        message: String,
    },

    /// An ELF file without our note, or for another kind of machine than any of ours.
    #[error("an ELF file that Lithify did not make: it has no Lithify note")]
    Foreign,

    /// Made for another version of the contract.
    #[error("ABI version {found}, but this library has {ABI_VERSION}; compile the module again")]
    AbiVersion {
        /// The version in the note.
        found: u32,
    },

    /// Made by another release of the compiler.
    #[error(
        "made by {}, but this library goes with {COMPILER}; compile the module again",
        Plain(found)
    )]
    Compiler {
        /// The compiler that the image names.
        found: String,
    },

    /// A relocatable object.
    #[error("a relocatable object, which a linker makes a program of; an image is what runs alone")]
    Object,

    /// Made for another machine.
    #[error("target machine {found}, but this one is {expected}; compile the module for it")]
    Machine {
        /// The machine in the note.
        found: String,
        /// This machine.
        expected: String,
    },

    /// The file is shorter or longer than when it was written.
    #[error("file length {found}, but {recorded} when it was written; make the image again")]
    FileLength {
        /// Length now, in bytes.
        found: u64,
        /// Length that the note records, in bytes.
        recorded: u64,
    },

    /// The bytes changed since the file was written.
    #[error("file hash {found}, but {recorded} when it was written; make the image again")]
    FileHash {
        /// BLAKE3 of the file now.
        found: String,
        /// The hash that the note records.
        recorded: String,
    },

    /// The code uses instructions that this machine does not have.
    #[error("CPU features {} are missing here; compile the module for a lower level, such as x86-64-v2", missing.join(", "))]
    CpuFeatures {
        /// Their names.
        missing: Vec<String>,
    },

    /// The metadata contradicts itself or the file.
    #[error("{field} in the metadata: {}; make the image again", Plain(message))]
    Malformed {
        /// The field of the descriptor.
        field: &'static str,
        /// What was found there.
        message: String,
    },

    /// A segment, relocation or symbol that an image does not have.
    #[error("{} in the ELF file; make the image again", Plain(message))]
    Unsupported {
        /// What was found.
        message: String,
    },

    /// Imports that nobody provides.
    #[error("unresolved imports:{}", list(imports))]
    Imports {
        /// All of them.
        imports: Vec<UnresolvedImport>,
    },

    /// One name with two types, which a symbol table cannot tell from each other.
    #[error(
        "{}.{} is imported with two types; an image can bind one of them",
        Plain(module),
        Plain(name)
    )]
    AmbiguousImport {
        /// Module name.
        module: String,
        /// Field name.
        name: String,
    },

    /// The system refused memory or signal handlers.
    #[error("cannot map the image{}", writable_and_executable(source))]
    Map {
        /// What the system says.
        #[from]
        source: io::Error,
    },
}

/// The one refusal whose reason is never the file.
fn writable_and_executable(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::PermissionDenied => {
            ": this system gives no memory that is code (MemoryDenyWriteExecute of systemd and its \
             kin forbid it)"
        }
        _ => "",
    }
}

fn list(imports: &[UnresolvedImport]) -> String {
    imports.iter().map(|import| format!("\n  {import}")).collect()
}

/// An import that nobody provides, at least not with the type that the module wants.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnresolvedImport {
    /// Module name.
    pub module: String,
    /// Field name.
    pub name: String,
    /// The type that the module wants.
    pub wanted: String,
    /// The types under which the name is provided; empty when it is not.
    pub provided: Vec<String>,
}

impl fmt::Display for UnresolvedImport {
    /// `env.ext_foo: (i32) -> i32` and what is provided instead.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}: {}", Plain(&self.module), Plain(&self.name), self.wanted)?;
        match self.provided.as_slice() {
            [] => Ok(()),
            provided => write!(f, ", but provided as {}", provided.join(" and ")),
        }
    }
}
