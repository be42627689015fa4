//! What one call asked of the host: each host function by calls, bytes and time, and the heap.
//!
//! Filled while [`Observe::Profile`](crate::Observe::Profile) is on. Compiled code leaves every
//! request to the heap to the host then, so nothing is missed; the call takes longer for it.

use std::collections::BTreeMap;

/// The host's view of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// Host functions by name.
    pub functions: BTreeMap<&'static str, FunctionProfile>,
    /// The heap.
    pub heap: HeapProfile,
    /// Bytes that the running host function took from the guest and gave to it.
    pub(crate) running: (u64, u64),
}

/// A host function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FunctionProfile {
    /// How often it was called.
    pub calls: u64,
    /// Bytes of guest memory that it read.
    pub bytes_in: u64,
    /// Bytes of guest memory that it wrote.
    pub bytes_out: u64,
    /// Time in it, in ns. What it takes to read the clock, some 20 ns a call, is in there.
    pub ns: u64,
}

/// The heap that the host keeps in guest memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeapProfile {
    /// Blocks that were handed out, to the guest and to host functions for their results.
    pub allocations: u64,
    /// Blocks that were given back.
    pub frees: u64,
    /// Sum of the sizes that were asked for, in bytes.
    pub requested_bytes: u64,
    /// The most that was in use at a time, in bytes: blocks as large as they really are, with
    /// their headers.
    pub peak_bytes: u64,
    /// What is in use, in bytes; at the end of a call, what nobody gave back.
    pub live_bytes: u64,
}

impl Profile {
    pub(crate) fn called(&mut self, name: &'static str, ns: u64) {
        let (bytes_in, bytes_out) = std::mem::take(&mut self.running);
        let function = self.functions.entry(name).or_default();
        function.calls += 1;
        function.bytes_in += bytes_in;
        function.bytes_out += bytes_out;
        function.ns += ns;
    }

    pub(crate) fn allocated(&mut self, size: u32, in_use: u32) {
        self.heap.allocations += 1;
        self.heap.requested_bytes += u64::from(size);
        self.heap.live_bytes = in_use.into();
        self.heap.peak_bytes = self.heap.peak_bytes.max(self.heap.live_bytes);
    }

    pub(crate) fn freed(&mut self, in_use: u32) {
        self.heap.frees += 1;
        self.heap.live_bytes = in_use.into();
    }

    /// Host calls in all.
    pub fn calls(&self) -> u64 {
        self.functions.values().map(|function| function.calls).sum()
    }

    /// Time in host functions, in ns.
    pub fn host_ns(&self) -> u64 {
        self.functions.values().map(|function| function.ns).sum()
    }
}
