//! What the host functions did during one call, so that the same call can be run again without
//! them: each returns what it returned, writes what it wrote, and takes next to no time.
//!
//! A guest is deterministic, so it makes the same host calls in the same order as long as it gets
//! the same answers. What is left of a replayed call is the engine's: code of the guest, the way
//! into host functions and back, instantiation and reset. The heap works as always.

use super::heap::HostHeap;
use lithify_runtime::host::{Guest, HostError};
use std::ops::Range;

/// What all host functions of one call did, one after the other.
#[derive(Default)]
pub(crate) struct Trace {
    steps: Vec<Step>,
    bytes: Vec<u8>,
    next: usize,
    /// Where the host functions of the guest's initialiser end.
    initialized: usize,
}

/// Something that a host function does to the guest.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Effect<'a> {
    /// It writes these bytes at this address.
    Write(u32, &'a [u8]),
    /// It takes so many bytes from the heap.
    Allocate(u32),
    /// It gives the block at this address back.
    Free(u32),
}

/// An effect, with its bytes in the list of all of them; or the end of a host function.
enum Step {
    Write { address: u32, bytes: Range<usize> },
    Allocate(u32),
    Free(u32),
    Return(u64),
}

impl Trace {
    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Starts again with the first host function.
    pub(crate) fn rewind(&mut self) {
        self.next = 0;
    }

    /// Notes that the guest's initialiser has returned.
    pub(crate) fn initialized(&mut self) {
        self.initialized = self.steps.len();
    }

    /// Starts again behind the guest's initialiser.
    pub(crate) fn skip_initializer(&mut self) {
        self.next = self.initialized;
    }

    /// Notes an effect of the host function that is running.
    pub(crate) fn note(&mut self, effect: Effect<'_>) {
        self.steps.push(match effect {
            Effect::Allocate(size) => Step::Allocate(size),
            Effect::Free(address) => Step::Free(address),
            Effect::Write(address, bytes) => {
                let start = self.bytes.len();
                self.bytes.extend_from_slice(bytes);
                Step::Write { address, bytes: start..self.bytes.len() }
            }
        });
    }

    /// Notes that the host function that is running returns.
    pub(crate) fn end(&mut self, result: u64) {
        self.steps.push(Step::Return(result));
    }

    /// Does what the next host function did.
    #[inline]
    pub(crate) fn replay<G: Guest + ?Sized>(
        &mut self,
        guest: &mut G,
        heap: &mut HostHeap,
    ) -> Result<u64, HostError> {
        loop {
            let step = self.steps.get(self.next).ok_or_else(other_call)?;
            self.next += 1;
            match step {
                Step::Allocate(size) => _ = heap.allocate(guest, *size)?,
                Step::Free(address) => heap.free(guest, *address)?,
                Step::Write { address, bytes } => {
                    let bytes = &self.bytes[bytes.clone()];
                    let place = guest.memory().get_mut(*address as usize..);
                    let place = place.and_then(|place| place.get_mut(..bytes.len()));
                    place.ok_or_else(other_call)?.copy_from_slice(bytes);
                }
                Step::Return(result) => return Ok(*result),
            }
        }
    }
}

#[cold]
fn other_call() -> HostError {
    HostError("the host calls that are replayed are not those of this call".into())
}
