//! Why an instance cannot be made, and why a call of it did not return.
//!
//! What `source` returns `Display` does not repeat: whoever shows an error shows the chain.

use crate::slot::{STACK_MAX, STACK_MIN};
use crate::trap::Trap;
use std::io;

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

/// Why a call with values did not return.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The arguments do not fit the function.
    #[error("arguments ({found}), but the function takes {expected}")]
    Arguments {
        /// Types of the arguments.
        found: String,
        /// Type of the function.
        expected: String,
    },
    /// A reference to a function that is not of this image.
    #[error("argument {index} is not a reference to a function of this image")]
    Reference {
        /// Position of the argument.
        index: usize,
    },
    /// The guest stopped.
    #[error(transparent)]
    Trap(#[from] Trap),
}
