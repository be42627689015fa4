//! Host functions: what a guest imports, and what they see of the guest.
//!
//! A [`Guest`] is the calling instance as a host function sees it, on any engine: the same host
//! functions drive Lithify, a JIT and an interpreter, so that a comparison measures the engines.

mod caller;
mod closure;
mod numbered;
mod typed;

pub use crate::image::imports::Imports;
pub use crate::trap::HostError;
pub(crate) use caller::touch;
pub use caller::{Caller, CallingGuest};
pub use numbered::Numbered;
pub use typed::{Native, NativeResult, TypedFunction};

use crate::sys::linux::mmap;
use lithify_abi::heap::Heap;
use std::io;

/// The instance that called a host function: its memory, and nothing else.
pub trait Guest {
    /// Linear memory at its current size.
    ///
    /// Parts of it may be write-protected until they are written. Ordinary writes do not notice,
    /// but a system call that writes there fails with `EFAULT`: see [`Caller::touch`].
    fn memory(&mut self) -> &mut [u8];

    /// The same, and where compiled code of this guest finds the heap of a chain's host; `None`
    /// where the host keeps that to itself.
    fn memory_and_heap(&mut self) -> (&mut [u8], Option<&mut Heap>) {
        (self.memory(), None)
    }

    /// Grows linear memory by `delta` pages of 64 KiB. Returns the previous size in pages, or
    /// `None` when the maximum would be exceeded.
    fn grow(&mut self, delta: u32) -> Option<u32>;

    /// The largest size that memory may have, in pages; `None` without a limit below 4 GiB.
    fn max_pages(&self) -> Option<u32>;
}

/// Asks the system whether it would give `len` bytes more now, by taking them for a moment and
/// touching none.
///
/// For host functions that allocate as much as a guest names: Rust ends a process whose allocation
/// is refused, and a limit of the process (`RLIMIT_DATA`, `RLIMIT_AS`) shows here first, as an error.
pub fn room(len: u64) -> io::Result<()> {
    mmap::room(len)
}
