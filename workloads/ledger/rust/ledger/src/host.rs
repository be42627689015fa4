//! The host functions that the ledger calls: imports in Wasm, `sp-io` in a native process.
//!
//! Both have the same functions with the same signatures; everything above this is the same code.

#[cfg(not(target_family = "wasm"))]
mod native;
#[cfg(target_family = "wasm")]
mod wasm;

#[cfg(not(target_family = "wasm"))]
pub use native::*;
#[cfg(target_family = "wasm")]
pub use wasm::*;
