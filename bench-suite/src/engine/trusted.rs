//! What an embedder does in `unsafe` to get the best of an engine.

use crate::engine::PROBE;
use anyhow::{Result, anyhow};
use lithify_abi::types::{FuncType, ValType};
use lithify_runtime::Imports;
use std::ffi::c_void;
use std::path::Path;

/// Opens an artifact that wasmtime made, without copying it.
pub fn wasmtime_artifact(engine: &wasmtime::Engine, path: &Path) -> Result<wasmtime::Module> {
    // SAFETY: the file is one that this run compiled into its own folder.
    let module = unsafe { wasmtime::Module::deserialize_file(engine, path) };
    module.map_err(|error| anyhow!("{error:#}"))
}

/// Provides the function that the host call workload calls, as native code.
pub fn native_probe(imports: &mut Imports) {
    let ty = FuncType::new(&[ValType::I32], &[ValType::I32]);
    // SAFETY: the function takes `base` and the parameter of the type and returns its result;
    // it touches nothing.
    unsafe { imports.native("env", PROBE, ty, probe as *const c_void) };
}

extern "C" fn probe(_base: *mut u8, value: u32) -> u32 {
    successor(value)
}

/// What the probe computes, on every engine.
#[inline]
pub fn successor(value: u32) -> u32 {
    value.wrapping_add(1)
}
