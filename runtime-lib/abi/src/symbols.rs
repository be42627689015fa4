//! Names of symbols, sections and the note.
//!
//! In an object and an image, an exported function has its export name, a function import the
//! name of its field (`env`) or `module.field` (any other module), and the descriptor
//! [`DESCRIPTOR`]. All other functions have local symbols: their name in the name section, else
//! `wasm[INDEX]`.

use alloc::{format, string::String};

/// The symbol of the [`Descriptor`](crate::descriptor::Descriptor).
pub const DESCRIPTOR: &str = "lithify_module";

/// The section of the descriptor and the records it refers to.
pub const METADATA_SECTION: &str = ".lithify";

/// The section of the initial memory image.
pub const MEMORY_SECTION: &str = ".lithify.memory";

/// The section and the owner name of the ELF note that identifies an image.
pub const NOTE_SECTION: &str = ".note.lithify";

/// Owner name of the note.
pub const NOTE_NAME: &str = "Lithify";

/// Type of the note.
pub const NOTE_TYPE: u32 = 1;

/// The symbol under which the function import `module`.`field` is undefined.
pub fn import(module: &str, field: &str) -> String {
    if module == "env" { field.into() } else { format!("{module}.{field}") }
}
