//! What is watched of host calls: nothing, their time, what each does, or what it did the last time.
//!
//! The host's own state is the [`CallContext`](crate::CallContext)'s, and no call's outcome depends on
//! what is here.

use super::heap::HostHeap;
use super::heap_trace::HeapTrace;
use super::profile::Profile;
use super::trace::{Effect, Trace};
use lithify_runtime::host::{Guest, HostError};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::time::Instant;

/// The text of the name of the host function that runs, while [`Observe::Name`] is on; else null.
static RUNNING: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());

/// A mark of the host function that runs on the thread that has [`Observe::Name`] on, for
/// [`host_function_of`](crate::host_function_of); 0 where none does. Safe to call in a signal handler.
pub fn running_host_function() -> usize {
    RUNNING.load(Ordering::Relaxed) as usize
}

/// What is done about host calls besides making them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Observe {
    /// Nothing.
    #[default]
    Off,
    /// They are counted and timed. Requests to the heap are host calls then, all of them.
    Time,
    /// The same for each by name, with the bytes that pass and what becomes of the heap.
    Profile,
    /// Each block of the heap is noted, with the frames of who asked for it.
    Heap,
    /// Which one runs can be asked of [`running_host_function`], by a signal handler, too. On one thread at
    /// a time.
    Name,
    /// What they return and write is kept for [`Observe::Replay`].
    Record,
    /// They are not made: each does to the guest what it did in the call that was recorded, and
    /// takes next to no time. For measuring; the chain's state stays as it is.
    Replay,
    /// Only those are made that give and do the same in each call, and touch nothing but the guest
    /// (`system.rs`); others fail. For an initialiser whose result is to be kept.
    Constant,
}

/// The instruments of a [`CallContext`](crate::CallContext), and what they read.
#[derive(Default)]
pub struct Instruments {
    observe: Observe,
    host_ns: u64,
    host_calls: u64,
    initialize_ns: u64,
    /// Whether the running call began behind the guest's initialiser.
    resumed: bool,
    trace: Trace,
    profile: Profile,
    heap_trace: HeapTrace,
}

impl Instruments {
    /// What is done about host calls besides making them.
    #[inline]
    pub fn observed(&self) -> Observe {
        self.observe
    }

    /// Whether every request to the heap has to be a host call, to be seen.
    pub(crate) fn see_the_heap(&self) -> bool {
        matches!(self.observe, Observe::Time | Observe::Profile | Observe::Heap)
    }

    /// Time spent in host functions since [`Observe::Time`] was chosen, in nanoseconds.
    pub fn host_ns(&self) -> u64 {
        self.host_ns
    }

    /// Number of host calls since [`Observe::Time`] was chosen.
    pub fn host_calls(&self) -> u64 {
        self.host_calls
    }

    /// Time that the guest's initialiser took in the last call, in ns; 0 where none was called, as when
    /// what it leaves behind was kept. It is always taken.
    pub fn initialize_ns(&self) -> u64 {
        self.initialize_ns
    }

    /// What was seen since [`Observe::Profile`] was chosen.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The blocks that were seen since [`Observe::Heap`] was chosen.
    pub fn heap_trace(&self) -> &HeapTrace {
        &self.heap_trace
    }

    /// Chooses what is done from now on. Totals start from 0, and a new record replaces the old one.
    pub(crate) fn choose(&mut self, observe: Observe) {
        self.observe = observe;
        self.host_ns = 0;
        self.host_calls = 0;
        match observe {
            Observe::Record => self.trace.clear(),
            Observe::Profile => self.profile = Profile::default(),
            Observe::Heap => self.heap_trace = HeapTrace::default(),
            _ => {}
        }
    }

    /// A call begins.
    pub(crate) fn begin(&mut self) {
        self.trace.rewind();
        (self.initialize_ns, self.resumed) = (0, false);
    }

    /// The guest's initialiser has returned.
    pub(crate) fn initialized(&mut self, ns: u64) {
        if self.resumed {
            return;
        }
        self.initialize_ns = ns;
        if self.observe == Observe::Record {
            self.trace.initialized();
        }
    }

    /// The guest is one whose initialiser has run in an earlier call.
    pub(crate) fn resumed(&mut self) {
        self.resumed = true;
        self.trace.skip_initializer();
    }

    /// A host call that began at `start` has returned.
    pub(crate) fn timed(&mut self, name: &'static str, start: Instant) {
        let ns = start.elapsed().as_nanos() as u64;
        self.host_ns += ns;
        self.host_calls += 1;
        if self.observe == Observe::Profile {
            self.profile.called(name, ns);
        }
    }

    /// A host call begins that has a name to be asked for.
    pub(crate) fn named(name: &'static str) -> Named {
        Named(RUNNING.swap(name.as_ptr().cast_mut(), Ordering::Relaxed))
    }

    /// A host call has returned, to be replayed.
    pub(crate) fn returned(&mut self, result: u64) {
        self.trace.end(result);
    }

    /// Does what the next host call did when it was recorded.
    #[inline]
    pub(crate) fn replay<G: Guest + ?Sized>(
        &mut self,
        guest: &mut G,
        heap: &mut HostHeap,
    ) -> Result<u64, HostError> {
        self.trace.replay(guest, heap)
    }

    /// The heap has given out the block at `address` for `size` bytes, and has `in_use` in all.
    pub(crate) fn allocated(&mut self, size: u32, address: u32, in_use: u32) {
        match self.observe {
            Observe::Profile => self.profile.allocated(size, in_use),
            Observe::Heap => self.heap_trace.allocated(size, address),
            _ => {}
        }
    }

    /// The heap has taken the block at `address` back, and has `in_use` in all.
    pub(crate) fn freed(&mut self, address: u32, in_use: u32) {
        match self.observe {
            Observe::Profile => self.profile.freed(in_use),
            Observe::Heap => self.heap_trace.freed(address),
            _ => {}
        }
    }

    /// The running host function does that to the guest.
    pub(crate) fn note(&mut self, effect: Effect<'_>) {
        match (self.observe, effect) {
            (Observe::Record, effect) => self.trace.note(effect),
            (Observe::Profile, Effect::Write(_, bytes)) => {
                self.profile.running.1 += bytes.len() as u64;
            }
            _ => {}
        }
    }

    /// The running host function reads so many bytes of the guest.
    pub(crate) fn reads(&mut self, len: usize) {
        if self.observe == Observe::Profile {
            self.profile.running.0 += len as u64;
        }
    }
}

/// A host call that has a name, until it is dropped.
pub(crate) struct Named(*mut u8);

impl Drop for Named {
    fn drop(&mut self) {
        RUNNING.store(self.0, Ordering::Relaxed);
    }
}
