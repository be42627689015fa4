//! Why an image is refused, and why an instance cannot be made.
//!
//! What `source` returns `Display` does not repeat: whoever shows an error shows the chain.

use crate::host::UnresolvedImport;
use crate::pool::{STACK_MAX, STACK_MIN};
use crate::trap::Trap;
use lithify_abi::plain::Plain;
use lithify_abi::{ABI_VERSION, COMPILER};
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

/// Why an instance cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InstanceError {
    /// The system refused address space or memory.
    #[error(
        "cannot map an instance of {reserved} bytes of address space; raise the limits on address \
         space (`ulimit -v`) or mappings (`vm.max_map_count`), or keep fewer instances"
    )]
    Map {
        /// Address space of one instance, in bytes.
        reserved: u64,
        /// What the system says.
        source: io::Error,
    },

    /// The options ask for more or less memory than possible.
    #[error("memory of {initial} to {max} pages is not possible; the module starts with {module}")]
    Pages {
        /// Initial size that the options ask for, in pages.
        initial: u64,
        /// Largest size that they ask for, in pages.
        max: u64,
        /// Initial size in the module, in pages.
        module: u32,
    },

    /// A stack that no guest could use, or that no machine has.
    #[error("a stack of {bytes} bytes is not possible; give {STACK_MIN} to {STACK_MAX}")]
    Stack {
        /// What the options ask for, in bytes.
        bytes: usize,
    },

    /// A segment did not fit, or the start function trapped.
    #[error("instantiation trapped: {0}")]
    Trap(Trap),
}

impl From<Trap> for InstanceError {
    fn from(trap: Trap) -> Self {
        Self::Trap(trap)
    }
}
