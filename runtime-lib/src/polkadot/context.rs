//! What one call of a runtime needs besides the guest: its heap, its panic message, its time.
//!
//! The heap is the host's: `sc-allocator` hands out the addresses, which are part of consensus.

use std::cell::RefCell;

use sc_allocator::{FreeingBumpHeapAllocator, Memory};

use super::trace::Trace;
use crate::host::{Guest, HostError};

const PAGE_BYTES: usize = 64 * 1024;

/// State of the call that is running. It borrows nothing, so an engine may carry it as
/// `&mut dyn Any`, and one context serves any number of calls one after another.
#[derive(Default)]
pub struct CallContext {
    allocator: Option<FreeingBumpHeapAllocator>,
    panic_message: Option<String>,
    observe: Observe,
    host_ns: u64,
    host_calls: u64,
    trace: Trace,
    /// Pages that the heap added to memory since the latest host call began.
    grown: u32,
}

/// What is done about host calls besides making them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Observe {
    /// Nothing.
    #[default]
    Off,
    /// They are counted and timed.
    Time,
    /// What they return and write is kept for [`Observe::Replay`].
    Record,
    /// They are not made: each does what it did in the call that was recorded, and takes next to
    /// no time. For measuring; the state stays as it is.
    Replay,
}

impl CallContext {
    /// A context without a heap; [`begin`](Self::begin) gives it a heap.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a call on a fresh instance: an empty heap from `heap_base` on, no panic message. The
    /// totals of the accounting go on.
    pub fn begin(&mut self, heap_base: u32) {
        self.allocator = Some(FreeingBumpHeapAllocator::new(heap_base));
        self.panic_message = None;
        self.trace.rewind();
    }

    /// Takes `size` bytes from the guest's heap and returns their address. After the first error
    /// every later request of the same call fails too.
    pub fn allocate<G: Guest + ?Sized>(
        &mut self,
        guest: &mut G,
        size: u32,
    ) -> Result<u32, HostError> {
        let allocator = self.allocator.as_mut().ok_or_else(no_heap)?;
        let mut memory = GuestMemory::new(guest);
        let address = allocator.allocate(&mut memory, size);
        self.grown += memory.grown;
        address
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

    /// Chooses what is done about host calls from now on. Totals start from 0, and a new record
    /// replaces the old one.
    pub fn observe(&mut self, observe: Observe) {
        self.observe = observe;
        self.host_ns = 0;
        self.host_calls = 0;
        if observe == Observe::Record {
            self.trace.clear();
        }
    }

    /// Time spent in host functions so far, in nanoseconds. 0 without [`Observe::Time`].
    pub fn host_ns(&self) -> u64 {
        self.host_ns
    }

    /// Number of host calls so far. 0 without [`Observe::Time`].
    pub fn host_calls(&self) -> u64 {
        self.host_calls
    }

    /// Makes a host call: does `work`, and what [`observe`](Self::observe) asked for.
    #[inline]
    pub(super) fn host_call<G: Guest + ?Sized>(
        &mut self,
        guest: &mut G,
        work: impl FnOnce(&mut Self, &mut G) -> Result<u64, HostError>,
    ) -> Result<u64, HostError> {
        match self.observe {
            Observe::Off => work(self, guest),
            Observe::Replay => self.trace.replay(guest),
            Observe::Time => {
                let start = std::time::Instant::now();
                let result = work(self, guest);
                self.host_ns += start.elapsed().as_nanos() as u64;
                self.host_calls += 1;
                result
            }
            Observe::Record => {
                self.grown = 0;
                let result = work(self, guest)?;
                self.trace.answer(result, self.grown);
                Ok(result)
            }
        }
    }

    /// Notes that the running host function writes `bytes` to guest memory.
    pub(super) fn writes(&mut self, address: u32, bytes: &[u8]) {
        if self.observe == Observe::Record {
            self.trace.write(address, bytes);
        }
    }
}

fn no_heap() -> HostError {
    HostError("no heap: a host function was called outside of a call".into())
}

/// The guest's memory as the allocator wants to see it. The cell is there because a [`Guest`]
/// shows its memory through `&mut` only, and the allocator reads through `&`.
struct GuestMemory<'a, G: ?Sized> {
    guest: RefCell<&'a mut G>,
    /// Pages that were added.
    grown: u32,
}

impl<'a, G: Guest + ?Sized> GuestMemory<'a, G> {
    fn new(guest: &'a mut G) -> Self {
        Self { guest: RefCell::new(guest), grown: 0 }
    }
}

impl<G: Guest + ?Sized> Memory for GuestMemory<'_, G> {
    fn with_access_mut<R>(&mut self, run: impl FnOnce(&mut [u8]) -> R) -> R {
        run(self.guest.get_mut().memory())
    }

    fn with_access<R>(&self, run: impl FnOnce(&[u8]) -> R) -> R {
        run(self.guest.borrow_mut().memory())
    }

    fn grow(&mut self, additional: u32) -> Result<(), ()> {
        self.guest.get_mut().grow(additional).ok_or(())?;
        self.grown += additional;
        Ok(())
    }

    fn pages(&self) -> u32 {
        (self.guest.borrow_mut().memory().len() / PAGE_BYTES) as u32
    }

    fn max_pages(&self) -> Option<u32> {
        self.guest.borrow().max_pages()
    }
}
