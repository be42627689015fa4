//! The host's half of the guest's heap: Substrate's freeing-bump allocator.
//!
//! The addresses it hands out are part of consensus, so every step is that of `sc-allocator`, with
//! which a test compares it. It is here, and not that crate, because compiled code shares its state
//! (`lithify_abi::heap`); on other engines the state is the host's own.

use lithify_abi::WASM_PAGE;
use lithify_abi::heap::{HEADER, Heap, MAX_BLOCK, MIN_BLOCK, NIL, OCCUPIED, ORDERS};
use lithify_runtime::host::{Guest, HostError};
use std::fmt;

/// Most pages of a memory.
const MAX_PAGES: u32 = 65_536;
/// Compiled code may go as far as this: its arithmetic of addresses is that of 32 bits.
const MAX_END: u64 = (1 << 32) - 16;

/// The heap of one call.
#[derive(Default)]
pub(crate) struct HostHeap {
    place: Place,
    own: Heap,
    /// Where its part of memory ends; without one it may grow memory and take all of it.
    limit: Option<u32>,
}

/// Where the state is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// There is no heap.
    #[default]
    None,
    /// In [`HostHeap::own`].
    Host,
    /// In the guest's vmctx.
    Guest,
}

/// Why the allocator fails. All later requests fail too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    Poisoned,
    TooLarge,
    OutOfSpace,
    /// Not a failure yet: memory must be larger first.
    Full,
    HeaderOutside,
    FreeBlockOutside,
    FreeBlockInUse,
    NoBlock,
    NotInUse,
    NoSize,
    NeverAllocated,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Poisoned => "the heap failed before in this call",
            Self::TooLarge => return write!(f, "a block has at most {MAX_BLOCK} bytes"),
            Self::OutOfSpace | Self::Full => "the heap is full",
            Self::HeaderOutside => "a block's header lies outside memory",
            Self::FreeBlockOutside => "a free block lies outside memory",
            Self::FreeBlockInUse => "a free block is marked as in use",
            Self::NoBlock => "no block lies there",
            Self::NotInUse => "the block is not in use",
            Self::NoSize => "the block has no valid size",
            Self::NeverAllocated => "more is freed than was allocated",
        })
    }
}

impl HostHeap {
    /// Starts an empty heap at `heap_base` of a fresh guest. With `shared`, compiled code does
    /// what it can by itself.
    pub(crate) fn start<G: Guest + ?Sized>(&mut self, guest: &mut G, heap_base: u32, shared: bool) {
        self.limit = None;
        let (memory, record) = guest.memory_and_heap();
        let heap = Heap {
            end: end(memory),
            bumper: heap_base.next_multiple_of(MIN_BLOCK),
            heads: [NIL; ORDERS],
            ..Heap::default()
        };
        match record.filter(|_| shared) {
            Some(record) => (*record, self.place) = (heap, Place::Guest),
            None => (self.own, self.place) = (heap, Place::Host),
        }
    }

    /// Lets the heap that was started end at `limit`, in a memory that is larger.
    pub(crate) fn confine<G: Guest + ?Sized>(&mut self, guest: &mut G, limit: u32) {
        self.limit = Some(limit);
        if let Ok((heap, memory)) = self.parts(guest) {
            heap.end = end(memory);
        }
    }

    /// What it has come to.
    pub(crate) fn state<G: Guest + ?Sized>(&mut self, guest: &mut G) -> Heap {
        self.parts(guest).map_or_else(|_| Heap::default(), |(heap, _)| *heap)
    }

    /// Goes on from `state` instead of from an empty heap, in a guest whose memory is as it was then.
    pub(crate) fn go_on<G: Guest + ?Sized>(&mut self, guest: &mut G, state: &Heap) {
        if let Ok((heap, _)) = self.parts(guest) {
            *heap = *state;
        }
    }

    /// Takes a block of at least `size` bytes; its address.
    // Out of line, a replayed block takes 3 % longer.
    #[inline(always)]
    pub(crate) fn allocate<G: Guest + ?Sized>(
        &mut self,
        guest: &mut G,
        size: u32,
    ) -> Result<u32, HostError> {
        let (heap, memory) = self.parts(guest)?;
        match allocate(heap, memory, size) {
            Ok(address) => Ok(address),
            Err(Failure::Full) => self.grow_and_allocate(guest, size),
            Err(failure) => Err(cannot_allocate(size, failure)),
        }
    }

    /// The same where memory must be larger first.
    #[cold]
    fn grow_and_allocate<G: Guest + ?Sized>(
        &mut self,
        guest: &mut G,
        size: u32,
    ) -> Result<u32, HostError> {
        let (heap, _) = self.parts(guest)?;
        let needed =
            u64::from(heap.bumper) + u64::from(MIN_BLOCK << order(size)) + u64::from(HEADER);
        let grown = self.limit.is_none().then(|| grow(guest, needed)).flatten();
        let (heap, memory) = self.parts(guest)?;
        let done = match grown {
            Some(()) => allocate(heap, memory, size),
            None => Err(poison(heap, Failure::OutOfSpace)),
        };
        done.map_err(|failure| cannot_allocate(size, failure))
    }

    /// Takes the block at `address` back.
    #[inline]
    pub(crate) fn free<G: Guest + ?Sized>(
        &mut self,
        guest: &mut G,
        address: u32,
    ) -> Result<(), HostError> {
        let (heap, memory) = self.parts(guest)?;
        free(heap, memory, address).map_err(|failure| cannot_free(address, failure))
    }

    /// Bytes in use, headers included, where the state is the host's own.
    pub(crate) fn in_use(&self) -> u32 {
        self.own.allocated
    }

    #[inline]
    fn parts<'a, G: Guest + ?Sized>(
        &'a mut self,
        guest: &'a mut G,
    ) -> Result<(&'a mut Heap, &'a mut [u8]), HostError> {
        let (memory, record) = guest.memory_and_heap();
        let heap = match self.place {
            Place::None => None,
            Place::Host => Some(&mut self.own),
            Place::Guest => record,
        };
        let none = || HostError("no heap: a host function was called outside of a call".into());
        let memory = match self.limit {
            Some(limit) if (limit as usize) < memory.len() => &mut memory[..limit as usize],
            _ => memory,
        };
        Ok((heap.ok_or_else(none)?, memory))
    }
}

#[cold]
fn cannot_allocate(size: u32, failure: Failure) -> HostError {
    HostError(format!("cannot allocate {size} bytes: {failure}"))
}

#[cold]
fn cannot_free(address: u32, failure: Failure) -> HostError {
    HostError(format!("cannot free {address:#x}: {failure}"))
}

fn end(memory: &[u8]) -> u64 {
    (memory.len() as u64).min(MAX_END)
}

#[cold]
fn poison(heap: &mut Heap, failure: Failure) -> Failure {
    heap.poisoned = 1;
    heap.end = 0;
    failure
}

/// Runs `step` on a healthy heap, which is none any more when it fails.
#[inline]
fn guarded<T>(
    heap: &mut Heap,
    memory: &mut [u8],
    step: impl FnOnce(&mut Heap, &mut [u8]) -> Result<T, Failure>,
) -> Result<T, Failure> {
    if heap.poisoned != 0 {
        return Err(Failure::Poisoned);
    }
    heap.end = end(memory);
    step(heap, memory).map_err(|failure| match failure {
        Failure::Full => failure,
        failure => poison(heap, failure),
    })
}

/// The order of the smallest block for `size` bytes, which are not more than [`MAX_BLOCK`].
#[inline]
fn order(size: u32) -> u32 {
    size.max(MIN_BLOCK).next_power_of_two().ilog2() - MIN_BLOCK.ilog2()
}

#[inline]
fn allocate(heap: &mut Heap, memory: &mut [u8], size: u32) -> Result<u32, Failure> {
    guarded(heap, memory, |heap, memory| {
        if size > MAX_BLOCK {
            return Err(Failure::TooLarge);
        }
        let order = order(size);
        let taken = (MIN_BLOCK << order) + HEADER;
        let head = &mut heap.heads[order as usize];
        let after = |at: u32| u64::from(at) + u64::from(taken);
        let at = if *head == NIL {
            let at = heap.bumper;
            if after(at) > memory.len() as u64 {
                return Err(Failure::Full);
            }
            // Memory ends at 4 GiB, and nothing can begin there.
            heap.bumper = at.checked_add(taken).ok_or(Failure::OutOfSpace)?;
            at
        } else {
            let at = *head;
            if after(at) > memory.len() as u64 {
                return Err(Failure::FreeBlockOutside);
            }
            let header = read(memory, at)?;
            if header & OCCUPIED != 0 {
                return Err(Failure::FreeBlockInUse);
            }
            *head = header as u32;
            at
        };
        write(memory, at, OCCUPIED | u64::from(order))?;
        heap.allocated = heap.allocated.wrapping_add(taken);
        Ok(at + HEADER)
    })
}

#[inline]
fn free(heap: &mut Heap, memory: &mut [u8], address: u32) -> Result<(), Failure> {
    guarded(heap, memory, |heap, memory| {
        let at = address.checked_sub(HEADER);
        let at = at.ok_or(Failure::NoBlock)?;
        let header = read(memory, at)?;
        if header & OCCUPIED == 0 {
            return Err(Failure::NotInUse);
        }
        let order = header as u32;
        let head = heap.heads.get_mut(order as usize);
        let head = head.ok_or(Failure::NoSize)?;
        let taken = (MIN_BLOCK << order) + HEADER;
        let allocated = heap.allocated.checked_sub(taken);
        heap.allocated = allocated.ok_or(Failure::NeverAllocated)?;
        write(memory, at, u64::from(*head))?;
        *head = at;
        Ok(())
    })
}

fn header(memory: &mut [u8], at: u32) -> Result<&mut [u8; 8], Failure> {
    let bytes = memory.get_mut(at as usize..).and_then(|bytes| bytes.first_chunk_mut());
    bytes.ok_or(Failure::HeaderOutside)
}

fn read(memory: &mut [u8], at: u32) -> Result<u64, Failure> {
    header(memory, at).map(|bytes| u64::from_le_bytes(*bytes))
}

fn write(memory: &mut [u8], at: u32, value: u64) -> Result<(), Failure> {
    header(memory, at).map(|bytes| *bytes = value.to_le_bytes())
}

/// Grows memory to at least `needed` bytes, and to twice its size where that is allowed.
fn grow<G: Guest + ?Sized>(guest: &mut G, needed: u64) -> Option<()> {
    let needed = u32::try_from(needed.div_ceil(WASM_PAGE)).ok()?;
    let current = (guest.memory().len() as u64 / WASM_PAGE) as u32;
    let max = guest.max_pages().unwrap_or(MAX_PAGES);
    if current >= max || needed > max {
        return None;
    }
    let next = (current * 2).min(max).max(needed);
    guest.grow(next - current).map(drop)
}

#[cfg(test)]
mod tests;
