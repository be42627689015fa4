//! Loads images made by `lithify-compiler` and runs them.
//!
//! `image -> pool -> entry -> instance -> call`:
//!
//! ```
//! use lithify_compiler::{Options, Target, compile_image};
//! use lithify_runtime::{Caller, Image, Imports, InstanceOptions, Pool, Trust};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let wasm = wat::parse_str(
//!     r#"(module
//!         (import "shop" "price" (func $price (param i32) (result i32)))
//!         (global $sold (mut i32) (i32.const 0))
//!         (func (export "sell") (param $pieces i32) (result i32)
//!             (global.set $sold (i32.add (global.get $sold) (local.get $pieces)))
//!             (i32.mul (global.get $sold) (call $price (local.get $pieces)))))"#,
//! )?;
//! let options = Options { target: Target::host(), ..Options::default() };
//! let file = compile_image(&wasm, &options)?; // or a file of earlier: `Image::open`
//!
//! // Host functions are bound once.
//! let mut imports = Imports::new();
//! imports.typed("shop", "price", |_: &mut Caller<'_>, pieces: u32| Ok(10 - pieces));
//! let image = Image::from_bytes(&file, &imports, Trust::Verify)?;
//! let pool = Pool::new(&image, &InstanceOptions::default())?;
//! let entry = pool.entry("sell").ok_or("nothing is sold")?;
//!
//! // Each instance is fresh; making one costs less than a microsecond once its slot is warm.
//! for _ in 0..2 {
//!     let mut instance = entry.instance()?;
//!     let mut values = [3]; // arguments, then results
//!     instance.call(entry.func(), &mut values, &mut ())?;
//!     assert_eq!(values, [3 * (10 - 3)]);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Everything that a guest can do wrong ends in a [`Trap`]; everything that is wrong with a file
//! in an [`ImageError`] that names the field. Memory is guarded by the hardware, so faults of
//! guests arrive as signals: the library installs handlers for SIGSEGV, SIGBUS, SIGILL and
//! SIGFPE when the first image is loaded and passes on what is not its own. Other handlers that the
//! program has by then get `SA_ONSTACK`, as the Go runtime does it: a guest that has used up its
//! stack leaves none to them. One that is installed later and lacks the flag ends the call then, with
//! [`TrapCode::SignalStack`]. A call with a deadline ([`CallOptions`]) uses a real-time signal, too.

#![warn(clippy::unwrap_used)]

mod call;
pub mod host;
mod image;
mod instance;
mod open;
mod pool;
mod slot;
mod sys;
mod trap;
mod value;

pub use call::fault::{calling_frames, guest_frames};
pub use call::{CallOptions, Func};
pub use host::{Caller, Guest};
pub use image::Image;
pub use image::check::Trust;
pub use image::error::{ImageError, UnresolvedImport};
pub use image::imports::Imports;
pub use image::metadata::{FunctionInfo, Metadata};
pub use instance::{CallError, Instance, InstanceError};
pub use lithify_abi as abi;
pub use lithify_abi::trap::TrapCode;
pub use lithify_abi::types::{
    ExportType, ExternType, FuncType, ImportType, Limits, MemoryType, ValType,
};
pub use pool::{Entry, InstanceOptions, MemoryPlan, Pool};
pub use slot::{STACK_MAX, STACK_MIN};
pub use trap::{Frame, HostError, Trap};
pub use value::Value;

/// The features of [`abi::cpu`] that this machine has, as bits.
pub fn host_cpu_features() -> u64 {
    sys::arch::cpu_features()
}

/// Whether this thread is in a call into a guest. A panic then is that of a host function, and the
/// caller gets it as a [`Trap`]: a panic hook may leave it at that.
pub fn is_calling_guest() -> bool {
    !call::activation::current().is_null()
}

/// What the documentation promises: images, pools and entry points are shared between threads,
/// instances move.
const _: () = {
    const fn shared<T: Send + Sync>() {}
    const fn moved<T: Send>() {}
    shared::<Image>();
    shared::<Imports>();
    shared::<Pool>();
    shared::<Entry>();
    shared::<Func>();
    moved::<Instance>();
};
