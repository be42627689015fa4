//! `sc-executor-wasmtime` on Lithify: what runs the runtimes of a node, with the public interface of
//! the crate of this name and no wasmtime.
//!
//! A node takes it by a patch in the manifest of its workspace; see `integrations/README.md`. All of it
//! is `lithify-node`'s.

pub use lithify_node::{
    Config, DeterministicStackLimit, InstantiationStrategy, Runtime as WasmtimeRuntime, Semantics,
    create_runtime, create_runtime_from_artifact, create_runtime_from_artifact_bytes,
    prepare_runtime_artifact,
};
pub use sc_executor_common::{
    runtime_blob::RuntimeBlob,
    wasm_runtime::{HeapAllocStrategy, WasmModule},
};
