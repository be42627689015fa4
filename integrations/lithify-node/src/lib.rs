//! Runs the runtimes of a node: `sp-wasm-interface`'s host functions, `sc-executor-common`'s modules and
//! instances, and images of Lithify between them.
//!
//! ```text
//! RuntimeBlob --code--> wasm --lithify_compiler--> image --runtime--> instance of a call
//!              `-- features, stack limit    ^ `-- cache: a directory of images
//!                                           artifact
//! ```
//!
//! Two crates are made of it: `sc-executor-wasmtime`, which stands in for the crate of that name, and
//! `lithify-executor`. What an engine can do differently without a node seeing it, is different:
//! instances have no upper number, memory that calls wrote is restored by copying, and an image is an
//! ELF file. What a node sees is `sc-executor-wasmtime`'s: which modules are refused, how much
//! memory a call gets, where the heap puts blocks, what errors are called.

mod cache;
mod code;
mod config;
mod heap;
mod host;
mod runtime;
mod trap;

pub use cache::collect;
pub use code::target;
pub use config::{Config, DeterministicStackLimit, InstantiationStrategy, Semantics};
pub use runtime::{
    LOG, Runtime, chain, create_runtime, create_runtime_from_artifact,
    create_runtime_from_artifact_bytes, image_from_bytes, open_image, prepare_runtime_artifact,
};
