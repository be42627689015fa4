//! The heap of one call, which the host keeps for the guest. Where it puts blocks is consensus, and
//! both forms of it put them at the same places.

use lithify_polkadot::CallContext;
use lithify_runtime::{Guest, HostError, abi::WASM_PAGE};
use sc_allocator::{AllocationStats, Error, FreeingBumpHeapAllocator, Memory};
use sp_wasm_interface::Pointer;
use std::cell::RefCell;

/// A heap.
pub enum Heap {
    /// Its state lies where compiled code does the usual cases by itself. Nobody counts.
    Shared(Box<CallContext>),
    /// Its state is the host's alone, and counted.
    Counted(FreeingBumpHeapAllocator),
}

impl Heap {
    /// An empty heap from `base` on in the memory of a fresh guest; `counted` for
    /// [`stats`](Self::stats).
    pub fn new<G: Guest>(guest: &mut G, base: u32, counted: bool) -> Self {
        if counted {
            return Self::Counted(FreeingBumpHeapAllocator::new(base));
        }
        let mut context = CallContext::new();
        context.begin(guest, base);
        Self::Shared(Box::new(context))
    }

    /// Takes a block of at least `size` bytes.
    pub fn allocate<G: Guest>(&mut self, guest: &mut G, size: u32) -> Result<Pointer<u8>, Error> {
        match self {
            Self::Shared(context) => {
                context.allocate(guest, size).map(Pointer::new).map_err(|error| allocator(&error))
            }
            Self::Counted(heap) => heap.allocate(&mut GuestMemory::new(guest), size),
        }
    }

    /// Takes a block back.
    pub fn free<G: Guest>(&mut self, guest: &mut G, pointer: Pointer<u8>) -> Result<(), Error> {
        match self {
            Self::Shared(context) => {
                context.free(guest, pointer.into()).map_err(|error| allocator(&error))
            }
            Self::Counted(heap) => heap.deallocate(&mut GuestMemory::new(guest), pointer),
        }
    }

    /// What was counted.
    pub fn stats(&self) -> Option<AllocationStats> {
        match self {
            Self::Shared(_) => None,
            Self::Counted(heap) => Some(heap.stats()),
        }
    }
}

/// The allocator's error for one of ours.
fn allocator(error: &HostError) -> Error {
    let HostError(text) = error;
    if text.ends_with("the heap is full") {
        Error::AllocatorOutOfSpace
    } else if text.contains("a block has at most") {
        Error::RequestedAllocationTooLarge
    } else if text.ends_with("the heap failed before in this call") {
        Error::Other("the allocator has been poisoned")
    } else {
        Error::Other("the heap is damaged")
    }
}

/// The guest's memory for the allocator, which wants to read through a shared reference.
struct GuestMemory<'a, G>(RefCell<&'a mut G>);

impl<'a, G: Guest> GuestMemory<'a, G> {
    fn new(guest: &'a mut G) -> Self {
        Self(RefCell::new(guest))
    }
}

impl<G: Guest> Memory for GuestMemory<'_, G> {
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
        (self.0.borrow_mut().memory().len() / WASM_PAGE as usize) as u32
    }

    fn max_pages(&self) -> Option<u32> {
        self.0.borrow().max_pages()
    }
}
