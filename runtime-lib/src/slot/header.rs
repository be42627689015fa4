//! The header of a vmctx: what compiled code and this library tell each other while a guest runs.

use super::vmctx;
use lithify_abi::vmctx::{HEADER, Header};
use std::marker::PhantomData;

/// A stack limit that no stack pointer is above: the next host call stops the guest.
pub const NO_HOST_CALLS: usize = usize::MAX;

/// Where a guest made its latest host call.
#[derive(Clone, Copy, Debug, Default)]
pub struct Exit {
    /// Frame pointer of the guest function.
    pub fp: usize,
    /// Stack pointer at the call.
    pub sp: usize,
    /// Return address; 0 where it is on the stack.
    pub pc: usize,
}

/// The header of a slot, for as long as that lives. Compiled code writes it while it runs, and signal
/// handlers write the stack limit.
#[derive(Clone, Copy)]
pub struct HeaderRef<'a>(*mut Header, PhantomData<&'a ()>);

impl HeaderRef<'_> {
    /// The header below `base`.
    ///
    /// # Safety
    ///
    /// `base` is that of a slot, which lives as long as the result is used.
    #[inline]
    pub unsafe fn below(base: *mut u8) -> Self {
        // SAFETY: the header lies in the vmctx.
        Self(unsafe { base.offset(HEADER as isize).cast() }, PhantomData)
    }

    #[inline]
    fn get<T>(self, field: impl FnOnce(&Header) -> T) -> T {
        // SAFETY: the header is mapped, and compiled code writes it only while it runs.
        field(unsafe { &*self.0 })
    }

    #[inline]
    fn set(self, field: impl FnOnce(&mut Header)) {
        // SAFETY: as for `get`.
        field(unsafe { &mut *self.0 });
    }

    /// The address of the slot, as it was when that was made.
    #[inline]
    pub fn slot(self) -> usize {
        self.get(|header| header.instance as usize)
    }

    /// What nobody writes.
    pub fn reserved(self) -> u64 {
        self.get(|header| header.reserved)
    }

    /// Length of linear memory as the guest sees it, in bytes.
    #[inline]
    pub fn memory_len(self) -> usize {
        self.get(|header| header.memory_len as usize)
    }

    /// Tells the guest of another length.
    pub fn set_memory_len(self, len: usize) {
        self.set(|header| header.memory_len = len as u64);
    }

    /// Where the guest made its latest host call.
    #[inline]
    pub fn exit(self) -> Exit {
        self.get(|header| Exit {
            fp: header.exit_fp as usize,
            sp: header.exit_sp as usize,
            pc: header.exit_pc as usize,
        })
    }

    /// Undoes what a nested call wrote.
    pub fn set_exit(self, exit: Exit) {
        self.set(|header| {
            header.exit_fp = exit.fp as u64;
            header.exit_sp = exit.sp as u64;
            header.exit_pc = exit.pc as u64;
        });
    }

    /// A value of the embedder's choice that native host functions find in the vmctx.
    pub fn host_data(self) -> u64 {
        self.get(|header| header.host_data)
    }

    /// Sets that value, until the next reset.
    pub fn set_host_data(self, value: u64) {
        self.set(|header| header.host_data = value);
    }

    /// The stack pointer below which no host call is made.
    pub fn stack_limit(self) -> usize {
        // SAFETY: as for `get`; volatile, as a signal handler may write it.
        unsafe { (&raw const (*self.0).stack_limit).read_volatile() as usize }
    }

    /// Sets it.
    fn set_stack_limit(self, limit: usize) {
        // SAFETY: as for `stack_limit`.
        unsafe { (&raw mut (*self.0).stack_limit).write_volatile(limit as u64) };
    }

    /// Makes the next host call of the guest stop it. Safe to call in a signal handler.
    pub fn forbid_host_calls(self) {
        self.set_stack_limit(NO_HOST_CALLS);
    }

    /// Whether [`forbid_host_calls`](Self::forbid_host_calls) was called.
    pub fn host_calls_forbidden(self) -> bool {
        self.stack_limit() == NO_HOST_CALLS
    }

    /// Undoes [`forbid_host_calls`](Self::forbid_host_calls) for a guest whose stack starts there.
    pub fn allow_host_calls(self, stack_start: usize) {
        self.set_stack_limit(stack_start);
    }
}

/// Writes the header into a vmctx.
pub fn put(header: &Header, vmctx: &mut [u8]) {
    let start = vmctx::index(HEADER, vmctx.len());
    let fields = [
        header.stack_limit,
        header.exit_fp,
        header.exit_sp,
        header.exit_pc,
        header.memory_len,
        header.instance,
        header.host_data,
        header.reserved,
    ];
    for (place, field) in vmctx[start..].chunks_exact_mut(8).zip(fields) {
        place.copy_from_slice(&field.to_ne_bytes());
    }
}
