//! A node's code executor on images that were made ahead of time.
//!
//! ```text
//! call --hash of the code--> in memory? --no--> in the store? --no--> fallback answers
//!                                |                   |                     |
//!                            image serves <----- is loaded <-- worker compiles, in its own process
//! ```
//!
//! [`LithifyExecutor`] is what a node's `service.rs` names where it names `WasmExecutor`. No call waits
//! for a compiler: a runtime without an image is run by the fallback, sc-executor's own
//! `WasmExecutor`, until its image is there. What each of the two does for a call is the same, to the
//! heap strategy and the stack; [`Options::shadow`] compares them while they run.
//!
//! **What the fallback is.** In a workspace that takes sc-executor as it is, wasmtime. It compiles in
//! this process and under the lock of its own cache, as it does in any node; calls that images serve do
//! not come near that lock. In a workspace whose `sc-executor-wasmtime` is Lithify's, by a patch, the
//! fallback is the same engine and would compile the same code once more: there a call without an
//! image waits for the worker, and the fallback answers for what the worker refuses.
//!
//! Images are those of `lithify compile` and `lithify cache fill`, by the same keys: a store that was
//! filled before an upgrade has the image in the first call after it. An image is native code: whoever
//! may write to the store can run code as the node.
//!
//! ```no_run
//! use lithify_executor::{LithifyExecutor, Options, Program, worker};
//!
//! // The first line of a node's `main`: the worker is the node's own program, started again.
//! worker::run_if_asked();
//! let options = Options::new("/var/lib/node/images", Program::This);
//! let executor = LithifyExecutor::<sp_io::SubstrateHostFunctions>::new(&options)?;
//! # Ok::<(), lithify_executor::OpenError>(())
//! ```

mod compile;
mod executor;
mod images;
mod options;
mod runtime;
mod shadow;
pub mod worker;

pub use compile::Program;
pub use executor::{LithifyExecutor, OpenError};
pub use lithify_node::LOG;
pub use lithify_store::Bounds;
pub use options::{Options, WorkerLimits};
