//! What one call of a runtime needs besides the guest: its heap, its panic message, its time.
//!
//! The heap is the host's: `sc-allocator` hands out the addresses, which are part of consensus.

use std::cell::RefCell;

use sc_allocator::{FreeingBumpHeapAllocator, Memory};

use crate::host::{Guest, HostError};

const PAGE_BYTES: usize = 64 * 1024;

/// State of the call that is running. It borrows nothing, so an engine may carry it as
/// `&mut dyn Any`, and one context serves any number of calls one after another.
#[derive(Default)]
pub struct CallContext {
    allocator: Option<FreeingBumpHeapAllocator>,
    panic_message: Option<String>,
    accounting: bool,
    host_ns: u64,
    host_calls: u64,
}

impl CallContext {
    /// A context without a heap and without accounting; [`begin`](Self::begin) gives it a heap.
    pub fn new() -> Self {
        Self::default()
    }

    /// A context that counts host calls and the time spent in them.
    pub fn with_accounting() -> Self {
        Self { accounting: true, ..Self::default() }
    }

    /// Starts a call on a fresh instance: an empty heap from `heap_base` on, no panic message. The
    /// totals of the accounting go on.
    pub fn begin(&mut self, heap_base: u32) {
        self.allocator = Some(FreeingBumpHeapAllocator::new(heap_base));
        self.panic_message = None;
    }

    /// Takes `size` bytes from the guest's heap and returns their address. After the first error
    /// every later request of the same call fails too.
    pub fn allocate<G: Guest + ?Sized>(
        &mut self,
        guest: &mut G,
        size: u32,
    ) -> Result<u32, HostError> {
        let allocator = self.allocator.as_mut().ok_or_else(no_heap)?;
        allocator
            .allocate(&mut GuestMemory::new(guest), size)
            .map(u32::from)
            .map_err(|error| HostError(format!("cannot allocate {size} bytes: {error}")))
    }

    /// Gives the block at `address` back to the guest's heap.
    pub fn free<G: Guest + ?Sized>(
        &mut self,
        guest: &mut G,
        address: u32,
    ) -> Result<(), HostError> {
        let allocator = self.allocator.as_mut().ok_or_else(no_heap)?;
        allocator
            .deallocate(&mut GuestMemory::new(guest), address.into())
            .map_err(|error| HostError(format!("cannot free {address:#x}: {error}")))
    }

    /// The message that the guest registered before it trapped, if any.
    pub fn panic_message(&self) -> Option<&str> {
        self.panic_message.as_deref()
    }

    pub(super) fn set_panic_message(&mut self, message: &str) {
        self.panic_message = Some(message.to_owned());
    }

    pub(super) fn take_panic_message(&mut self) -> Option<String> {
        self.panic_message.take()
    }

    /// Whether host calls are counted and timed.
    pub fn accounting(&self) -> bool {
        self.accounting
    }

    /// Switches the accounting and resets its totals.
    pub fn set_accounting(&mut self, on: bool) {
        self.accounting = on;
        self.host_ns = 0;
        self.host_calls = 0;
    }

    /// Time spent in host functions so far, in nanoseconds. 0 without accounting.
    pub fn host_ns(&self) -> u64 {
        self.host_ns
    }

    /// Number of host calls so far. 0 without accounting.
    pub fn host_calls(&self) -> u64 {
        self.host_calls
    }

    /// Does `work`, and counts it as a host call when accounting is on.
    #[inline]
    pub(super) fn accounted<R>(&mut self, work: impl FnOnce(&mut Self) -> R) -> R {
        if !self.accounting {
            return work(self);
        }
        let start = std::time::Instant::now();
        let result = work(self);
        self.account(start.elapsed());
        result
    }

    fn account(&mut self, elapsed: std::time::Duration) {
        self.host_ns += elapsed.as_nanos() as u64;
        self.host_calls += 1;
    }
}

fn no_heap() -> HostError {
    HostError("no heap: a host function was called outside of a call".into())
}

/// The guest's memory as the allocator wants to see it. The cell is there because a [`Guest`]
/// shows its memory through `&mut` only, and the allocator reads through `&`.
struct GuestMemory<'a, G: ?Sized>(RefCell<&'a mut G>);

impl<'a, G: Guest + ?Sized> GuestMemory<'a, G> {
    fn new(guest: &'a mut G) -> Self {
        Self(RefCell::new(guest))
    }
}

impl<G: Guest + ?Sized> Memory for GuestMemory<'_, G> {
    fn with_access_mut<R>(&mut self, run: impl FnOnce(&mut [u8]) -> R) -> R {
        run(self.0.get_mut().memory())
    }

    fn with_access<R>(&self, run: impl FnOnce(&[u8]) -> R) -> R {
        run(self.0.borrow_mut().memory())
    }

    fn grow(&mut self, additional: u32) -> Result<(), ()> {
        self.0.get_mut().grow(additional).map(drop).ok_or(())
    }

    fn pages(&self) -> u32 {
        (self.0.borrow_mut().memory().len() / PAGE_BYTES) as u32
    }

    fn max_pages(&self) -> Option<u32> {
        self.0.borrow().max_pages()
    }
}
