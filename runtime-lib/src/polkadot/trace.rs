//! What the host functions did during one call, so that the same call can be run again without
//! them: each returns what it returned, writes what it wrote, and takes next to no time.
//!
//! A guest is deterministic, so it makes the same host calls in the same order as long as it gets
//! the same answers. What is left of a replayed call is the engine's: code of the guest, the way
//! into host functions and back, instantiation and reset.
//!
//! Not replayed: what the guest cannot see. The heap's headers before its blocks stay unwritten.

use crate::host::{Guest, HostError};

/// The answers of all host functions of one call.
#[derive(Default)]
pub(super) struct Trace {
    answers: Vec<Answer>,
    writes: Vec<Write>,
    bytes: Vec<u8>,
    next: usize,
}

/// What one host function did.
struct Answer {
    result: u64,
    /// Pages that it added to memory.
    grown: u32,
    /// Where its writes end in the list of all of them.
    writes_end: usize,
}

/// A write to guest memory.
struct Write {
    address: u32,
    /// Where its bytes end in the list of all of them.
    bytes_end: usize,
}

impl Trace {
    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Starts again with the first answer.
    pub(super) fn rewind(&mut self) {
        self.next = 0;
    }

    /// Notes a write of the host function that is running.
    pub(super) fn write(&mut self, address: u32, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.writes.push(Write { address, bytes_end: self.bytes.len() });
    }

    /// Notes that the host function that is running returned, after it added `grown` pages.
    pub(super) fn answer(&mut self, result: u64, grown: u32) {
        self.answers.push(Answer { result, grown, writes_end: self.writes.len() });
    }

    /// Does what the next host function did.
    #[inline]
    pub(super) fn replay<G: Guest + ?Sized>(&mut self, guest: &mut G) -> Result<u64, HostError> {
        let answer = self.answers.get(self.next).ok_or_else(other_call)?;
        let before = self.next.checked_sub(1).map_or(0, |i| self.answers[i].writes_end);
        self.next += 1;
        if answer.grown > 0 || before != answer.writes_end {
            let writes = before..answer.writes_end;
            effects(answer.grown, &self.writes, &self.bytes, writes, guest)?;
        }
        Ok(answer.result)
    }
}

fn effects<G: Guest + ?Sized>(
    grown: u32,
    writes: &[Write],
    bytes: &[u8],
    range: std::ops::Range<usize>,
    guest: &mut G,
) -> Result<(), HostError> {
    if grown > 0 {
        guest.grow(grown).ok_or_else(other_call)?;
    }
    let memory = guest.memory();
    let mut start = range.start.checked_sub(1).map_or(0, |i| writes[i].bytes_end);
    for write in &writes[range] {
        let bytes = &bytes[start..write.bytes_end];
        start = write.bytes_end;
        let place = memory.get_mut(write.address as usize..);
        let place = place.and_then(|place| place.get_mut(..bytes.len()));
        place.ok_or_else(other_call)?.copy_from_slice(bytes);
    }
    Ok(())
}

fn other_call() -> HostError {
    HostError("the host calls that are replayed are not those of this call".into())
}
