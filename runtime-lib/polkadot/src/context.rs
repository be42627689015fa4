//! What one call of a runtime needs besides the guest: its heap, its panic message, its time.

use super::appetite::Appetite;
use super::heap::HostHeap;
use super::profile::Profile;
use super::signatures::Ahead;
use super::trace::{Effect, Trace};
use super::wasi::System;
use lithify_runtime::host::{Guest, HostError};
use std::ops::Range;

/// How much of a panic's message is kept, in bytes.
const PANIC_MESSAGE: usize = 8 << 10;

/// State of the call that is running. It borrows nothing, so an engine may carry it as
/// `&mut dyn Any`, and one context serves any number of calls one after another.
#[derive(Default)]
pub struct CallContext {
    heap: HostHeap,
    panic_message: Option<String>,
    observe: Observe,
    host_ns: u64,
    host_calls: u64,
    trace: Trace,
    profile: Profile,
    system: System,
    appetite: Appetite,
    initialize_ns: u64,
    initializer: Option<String>,
    ahead: Option<Ahead>,
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
    /// What they return and write is kept for [`Observe::Replay`].
    Record,
    /// They are not made: each does to the guest what it did in the call that was recorded, and
    /// takes next to no time. For measuring; the chain's state stays as it is.
    Replay,
}

impl CallContext {
    /// A context without a heap; [`begin`](Self::begin) gives it a heap.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a call on a fresh instance: an empty heap from `heap_base` on, no panic message. What
    /// [`observe`](Self::observe) counts goes on.
    pub fn begin<G: Guest + ?Sized>(&mut self, guest: &mut G, heap_base: u32) {
        self.heap.start(
            guest,
            heap_base,
            !matches!(self.observe, Observe::Time | Observe::Profile),
        );
        self.panic_message = None;
        self.trace.rewind();
        self.system = System::default();
        self.appetite = Appetite::default();
        self.initialize_ns = 0;
    }

    /// The same for a guest whose heap may take no more than these addresses.
    pub(super) fn begin_within<G: Guest + ?Sized>(&mut self, guest: &mut G, place: Range<u32>) {
        self.begin(guest, place.start);
        self.heap.confine(guest, place.end);
    }

    /// From now on every call first runs the exported function `export`, of type `() -> ()`, on its
    /// fresh instance: for a guest that is not ready without, and whose host never does so of
    /// itself. No node does.
    pub fn initialize_by(&mut self, export: Option<String>) {
        self.initializer = export;
    }

    pub(super) fn initializer(&self) -> Option<&str> {
        self.initializer.as_deref()
    }

    /// Time that the guest's initialiser took in the last call, in ns; 0 where none is called.
    pub fn initialize_ns(&self) -> u64 {
        self.initialize_ns
    }

    pub(super) fn set_initialize_ns(&mut self, ns: u64) {
        self.initialize_ns = ns;
    }

    /// From now on calls go ahead of their signatures, or no more.
    pub(super) fn go_ahead(&mut self, ahead: Option<Ahead>) {
        self.ahead = ahead;
    }

    /// How the running call goes ahead of its signatures, if it does.
    #[inline]
    pub(super) fn ahead(&self) -> Option<&Ahead> {
        self.ahead.as_ref()
    }

    /// What is done about host calls besides making them.
    pub(super) fn observed(&self) -> Observe {
        self.observe
    }

    pub(super) fn system(&mut self) -> &mut System {
        &mut self.system
    }

    pub(super) fn appetite(&mut self) -> &mut Appetite {
        &mut self.appetite
    }

    /// Takes `size` bytes from the guest's heap and returns their address. After the first error
    /// every later request of the same call fails too.
    pub fn allocate<G: Guest + ?Sized>(
        &mut self,
        guest: &mut G,
        size: u32,
    ) -> Result<u32, HostError> {
        let address = self.heap.allocate(guest, size)?;
        if self.observe == Observe::Profile {
            self.profile.allocated(size, self.heap.in_use());
        }
        Ok(address)
    }

    /// Gives the block at `address` back to the guest's heap.
    pub fn free<G: Guest + ?Sized>(
        &mut self,
        guest: &mut G,
        address: u32,
    ) -> Result<(), HostError> {
        self.heap.free(guest, address)?;
        if self.observe == Observe::Profile {
            self.profile.freed(self.heap.in_use());
        }
        Ok(())
    }

    /// The message that the guest registered before it trapped, if any.
    pub fn panic_message(&self) -> Option<&str> {
        self.panic_message.as_deref()
    }

    pub(super) fn set_panic_message(&mut self, message: &str) {
        // A panic says a line; a guest may say anything.
        let end = message.floor_char_boundary(PANIC_MESSAGE);
        self.panic_message = Some(message[..end].to_owned());
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
        match observe {
            Observe::Record => self.trace.clear(),
            Observe::Profile => self.profile = Profile::default(),
            _ => {}
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

    /// What was seen since [`Observe::Profile`] was chosen.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Makes a host call: does `work`, and what [`observe`](Self::observe) asked for.
    #[inline]
    pub(super) fn host_call<G: Guest + ?Sized>(
        &mut self,
        name: &'static str,
        guest: &mut G,
        work: impl FnOnce(&mut Self, &mut G) -> Result<u64, HostError>,
    ) -> Result<u64, HostError> {
        match self.observe {
            Observe::Off => work(self, guest),
            Observe::Time | Observe::Profile => self.timed(name, guest, work),
            Observe::Replay => self.trace.replay(guest, &mut self.heap),
            Observe::Record => {
                let result = work(self, guest)?;
                self.trace.end(result);
                Ok(result)
            }
        }
    }

    /// The same for a request to the heap, which is never replayed: on one engine most of them
    /// are no host calls.
    #[inline]
    pub(super) fn heap_call<G: Guest + ?Sized>(
        &mut self,
        name: &'static str,
        guest: &mut G,
        work: impl FnOnce(&mut Self, &mut G) -> Result<u64, HostError>,
    ) -> Result<u64, HostError> {
        match self.observe {
            Observe::Time | Observe::Profile => self.timed(name, guest, work),
            _ => work(self, guest),
        }
    }

    fn timed<G: Guest + ?Sized>(
        &mut self,
        name: &'static str,
        guest: &mut G,
        work: impl FnOnce(&mut Self, &mut G) -> Result<u64, HostError>,
    ) -> Result<u64, HostError> {
        let start = std::time::Instant::now();
        let result = work(self, guest);
        let ns = start.elapsed().as_nanos() as u64;
        self.host_ns += ns;
        self.host_calls += 1;
        if self.observe == Observe::Profile {
            self.profile.called(name, ns);
        }
        result
    }

    /// Notes what the running host function does to the guest.
    pub(super) fn note(&mut self, effect: Effect<'_>) {
        match (self.observe, effect) {
            (Observe::Record, effect) => self.trace.note(effect),
            (Observe::Profile, Effect::Write(_, bytes)) => {
                self.profile.running.1 += bytes.len() as u64;
            }
            _ => {}
        }
    }

    /// Notes that the running host function reads so many bytes of the guest.
    pub(super) fn reads(&mut self, len: usize) {
        if self.observe == Observe::Profile {
            self.profile.running.0 += len as u64;
        }
    }
}
