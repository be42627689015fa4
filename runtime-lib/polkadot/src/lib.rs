//! The Polkadot host: what a Polkadot or Substrate runtime imports, on the chain's own crates, and
//! how such a runtime is called.
//!
//! ```text
//! bytes --input--> code, wasm, State, Block
//! State --session--> Session::execute(|| call(instance, context, entry, input)) --> output
//!                                          `-- the guest calls --> HostFunction::call
//! ```
//!
//! [`State`]s, blocks and versions are in `chain/`, what a running call has in `context/`, what a guest may
//! import in `functions/`. Files import what comes before them in hex, validation, pointer_size, context,
//! functions, call, chain, input, author, signatures, native.
//!
//! Neutral to the engine: an engine offers a [`RuntimeInstance`], gives each import the
//! [`HostFunction`] of its name and type, and passes the [`CallContext`] of the running call
//! through. Storage goes through the externalities that [`Session::execute`] sets for the thread.
//! [`native`] is the one for images:
//!
//! ```
//! use lithify_compiler::{Options, Target, compile_image};
//! use lithify_polkadot::native::{Runtime, RuntimeOptions};
//! use lithify_polkadot::{BlockRequest, CallContext, Input, build_block};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let spec = concat!(env!("CARGO_MANIFEST_DIR"), "/../../workloads/solochain/chain-spec.json");
//! let Input::Runtime(input) = Input::read(std::fs::read(spec)?, "chain-spec.json")? else {
//!     return Err("an image has no state".into());
//! };
//! let options = Options { target: Target::host(), ..Options::default() };
//! let image = compile_image(input.wasm(), &options)?;
//! let runtime = Runtime::from_bytes(&image, &RuntimeOptions::default())?;
//! let version = runtime.version()?;
//! let mut state = input.state.ok_or("a chain spec has a state")?;
//! state.set_version(version.state_version());
//!
//! let mut context = CallContext::new();
//! let built = state.session().execute(|| {
//!     build_block(&state, &version, &BlockRequest::default(), |entry, argument| {
//!         runtime.call(entry, argument, &mut context)
//!     })
//! })?;
//! let report = runtime.execute_block(&mut state.session(), &mut context, &built.block, None)?;
//! assert!(report.matches());
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used)]

pub mod author;
pub mod call;
mod chain;
mod context;
pub mod functions;
mod hex;
pub mod input;
pub mod native;
mod pointer_size;
pub mod signatures;
pub mod validation;

pub use author::{BlockRequest, BuildError, BuiltBlock, build_block, candidate};
pub use call::{CallError, RuntimeInstance, call};
pub use chain::block::{Block, BlockReport, execute_block};
pub use chain::code::begins_code;
pub use chain::state::{Change, Session, State, VersionHook};
pub use chain::version::RuntimeVersion;
pub use chain::{block, state, version};
pub use context::heap_trace::HeapTrace;
pub use context::instruments::{Instruments, Observe, running_host_function};
pub use context::profile::Profile;
pub use context::{CallContext, heap_trace, profile};
pub use functions::{
    HostFunction, HostSet, ImportError, functions, host_function_of, left_out, resolve,
};
pub use hex::{Hex, parse_hex};
pub use input::block_file::{block_file, chain_spec};
pub use input::{Form, Input, InputError, RuntimeInput};
pub use pointer_size::PointerSize;
pub use signatures::SignatureThreads;
pub use sp_core::storage::StateVersion;
pub use validation::Validation;
