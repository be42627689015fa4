//! The contract between compiled code and the runtime library.
//!
//! The compiler writes what this crate describes and the runtime reads it; neither knows the
//! other. Everything that both sides must agree on has its only definition here: the layout
//! around linear memory ([`vmctx`]), the records of the metadata section ([`descriptor`]), trap
//! codes and trap sites ([`trap`], [`site`]), the names in the symbol table ([`symbols`]), the
//! functions that compiled code calls in the runtime ([`libcall`]), and the machines that it is for
//! ([`machine`], [`cpu`]). Both sides also show names of strangers to people, in one way ([`plain`]).
//!
//! A change of any of it raises [`ABI_VERSION`].

#![warn(clippy::unwrap_used)]
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod cpu;
pub mod descriptor;
pub mod heap;
pub mod libcall;
pub mod machine;
pub mod plain;
pub mod record;
pub mod site;
pub mod symbols;
pub mod trap;
pub mod types;
pub mod vmctx;

/// The version of this contract. An image of another version is refused.
pub const ABI_VERSION: u32 = 5;

/// The release that all of this belongs to, for the names of files.
pub const RELEASE: &str = env!("CARGO_PKG_VERSION");

/// The compiler that belongs to this version of the contract, as images name it. An image of
/// another one is refused: it may have mistakes that this one has not, or the other way round.
pub const COMPILER: &str = concat!("lithify ", env!("CARGO_PKG_VERSION"), " (cranelift 0.135.8)");

/// A WebAssembly page, in bytes.
pub const WASM_PAGE: u64 = 64 * 1024;

/// Alignment of segments and of the initial memory image, in bytes: the largest host page of
/// the supported targets, so that an image can be mapped on any machine.
pub const IMAGE_ALIGN: u64 = 64 * 1024;

/// The granule in which the initial memory image is stored, in bytes.
pub const IMAGE_GRANULE: u64 = 4096;
