//! `sc-executor-wasmtime` on Lithify: what runs the runtimes of a node, with the public interface of
//! the crate of this name and no wasmtime.
//!
//! A node takes it by a patch in the manifest of its workspace; see `integrations/README.md`.
//!
//! ```text
//! RuntimeBlob --code--> wasm --lithify_compiler--> image --runtime--> instance of a call
//!              `-- features, stack limit    ^ `-- cache: a directory of images
//!                                           artifact
//! ```
//!
//! What an engine can do differently without a node seeing it, is different: instances have no
//! upper number, memory that calls wrote is restored by copying, and an image is an ELF file. What a
//! node sees is that crate's: which modules are refused, how much memory a call gets, where the heap
//! puts blocks, what errors are called.

mod cache;
mod code;
mod config;
mod heap;
mod host;
mod runtime;
mod trap;

pub use config::{Config, DeterministicStackLimit, InstantiationStrategy, Semantics};
pub use runtime::{
    WasmtimeRuntime, create_runtime, create_runtime_from_artifact,
    create_runtime_from_artifact_bytes, prepare_runtime_artifact,
};
pub use sc_executor_common::{
    runtime_blob::RuntimeBlob,
    wasm_runtime::{HeapAllocStrategy, WasmModule},
};
