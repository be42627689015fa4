//! Finds the memory of a slot by an address that faulted.
//!
//! A first write to a page may come from a guest, a host function, the embedder between calls or
//! a thread that one of them borrowed the memory to, so the thread tells nothing. The signal
//! handler reads this list: only atomics, no lock, nothing that is ever freed.

use super::memory::Memory;
use lithify_abi::vmctx::RESERVATION;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

const BLOCK: usize = 128;

struct Place {
    /// Address of linear memory; 0 when the place is free, 1 while it changes.
    base: AtomicUsize,
    memory: AtomicPtr<Memory>,
}

struct Block {
    places: [Place; BLOCK],
    next: AtomicPtr<Self>,
}

impl Block {
    const fn new() -> Self {
        Self {
            places: [const {
                Place { base: AtomicUsize::new(0), memory: AtomicPtr::new(ptr::null_mut()) }
            }; BLOCK],
            next: AtomicPtr::new(ptr::null_mut()),
        }
    }

    fn next(&self) -> Option<&'static Self> {
        // SAFETY: blocks are leaked when they are linked, so the pointer is null or valid.
        unsafe { self.next.load(Ordering::Acquire).as_ref() }
    }

    /// The next block, made if there is none.
    fn next_or_new(&self) -> &'static Self {
        if let Some(next) = self.next() {
            return next;
        }
        let new = Box::into_raw(Box::new(Self::new()));
        let null = ptr::null_mut();
        if let Err(other) =
            self.next.compare_exchange(null, new, Ordering::AcqRel, Ordering::Acquire)
        {
            // SAFETY: the block was made above and never linked.
            drop(unsafe { Box::from_raw(new) });
            // SAFETY: whoever linked this block leaked it.
            return unsafe { &*other };
        }
        // SAFETY: made above, and linked blocks are never freed.
        unsafe { &*new }
    }
}

static FIRST: Block = Block::new();

fn blocks() -> impl Iterator<Item = &'static Block> {
    std::iter::successors(Some(&FIRST), |block| block.next())
}

/// Makes `memory` known, until [`remove`].
pub fn add(memory: &Memory) {
    let mut block = &FIRST;
    loop {
        for place in &block.places {
            let free = place.base.load(Ordering::Relaxed) == 0;
            if free
                && place.base.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed).is_ok()
            {
                place.memory.store(ptr::from_ref(memory).cast_mut(), Ordering::Relaxed);
                place.base.store(memory.base() as usize, Ordering::Release);
                return;
            }
        }
        block = block.next_or_new();
    }
}

/// Forgets `memory`, before its addresses are given back.
pub fn remove(memory: &Memory) {
    let base = memory.base() as usize;
    for place in blocks().flat_map(|block| &block.places) {
        if place.base.load(Ordering::Relaxed) == base {
            place.base.store(0, Ordering::Release);
            return;
        }
    }
}

/// The memory in whose reservation `address` lies.
///
/// # Safety
///
/// Somebody who may use the memory at `address` keeps it alive while the result is in use: the
/// code that faulted there does.
pub unsafe fn find<'a>(address: usize) -> Option<&'a Memory> {
    blocks().flat_map(|block| &block.places).find_map(|place| {
        let base = place.base.load(Ordering::Acquire);
        if base <= 1 || address.wrapping_sub(base) as u64 >= RESERVATION {
            return None;
        }
        // SAFETY: reservations do not overlap, so this place is the one of the memory that the
        // caller keeps alive, and it was filled before its base was stored.
        Some(unsafe { &*place.memory.load(Ordering::Relaxed) })
    })
}
