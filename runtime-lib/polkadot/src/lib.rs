//! The Polkadot host: what a Polkadot or Substrate runtime imports, on the chain's own crates, and
//! how such a runtime is called.
//!
//! ```text
//! bytes --input--> code, wasm, State, Block
//! State --session--> Session::execute(|| call(instance, context, entry, input)) --> output
//!                                          `-- the guest calls --> HostFunction::call
//! ```
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

mod appetite;
pub mod author;
pub mod block;
pub mod block_file;
pub mod call;
pub mod context;
pub mod functions;
mod heap;
pub mod input;
mod json;
pub mod native;
pub mod profile;
mod relay;
mod room;
mod shims;
pub mod signatures;
pub mod state;
mod trace;
pub mod version;
pub mod wasi;

pub use author::{BlockRequest, BuildError, BuiltBlock, build_block};
pub use block::{Block, BlockReport, execute_block};
pub use block_file::block_file;
pub use call::{CallError, RuntimeInstance, call};
pub use context::{CallContext, Observe};
pub use functions::{HostFunction, ImportError, functions, resolve};
pub use input::{Form, Input, InputError, RuntimeInput};
pub use json::parse_hex;
pub use profile::Profile;
pub use signatures::SignatureThreads;
pub use sp_core::storage::StateVersion;
pub use state::{Change, Session, State, VersionHook};
pub use version::RuntimeVersion;
