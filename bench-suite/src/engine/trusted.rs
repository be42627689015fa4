//! What an embedder does in `unsafe` to get the best of an engine.

use crate::engine::PROBE;
use anyhow::{Result, anyhow};
use lithify_abi::types::{FuncType, ValType};
use lithify_measure::sampler::Sampler;
use lithify_polkadot::running_host_function;
use lithify_runtime::{Imports, guest_frames};
use std::ffi::c_void;
use std::io;
use std::path::Path;
use std::time::Duration;

/// A sampler of this thread that notes the host function that runs, and behind it Lithify's guest frames,
/// the innermost first.
pub fn sampler(interval: Duration) -> io::Result<Sampler> {
    // SAFETY: what `look` calls is meant for signal handlers.
    unsafe { Sampler::start(interval, look) }
}

/// # Safety
///
/// As for [`guest_frames`].
unsafe fn look(context: *const c_void, notes: &mut [usize]) -> usize {
    let Some((host, frames)) = notes.split_first_mut() else { return 0 };
    *host = running_host_function();
    // SAFETY: the caller vouches for the context.
    1 + unsafe { guest_frames(context, frames) }
}

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
