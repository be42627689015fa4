//! What one call of a runtime needs besides the guest: its heap, its panic message, its clock.

pub(crate) mod ahead;
pub(crate) mod appetite;
pub(crate) mod benchmark;
mod heap;
pub mod heap_trace;
pub(crate) mod instruments;
pub mod profile;
pub(crate) mod system;
pub(crate) mod trace;

use ahead::Ahead;
use appetite::Appetite;
use heap::HostHeap;
use instruments::{Instruments, Observe};
use lithify_abi::heap::Heap;
use lithify_runtime::host::{Guest, HostError};
use std::ops::Range;
use std::time::Instant;
use system::{System, is_constant};

/// How much of a panic's message is kept, in bytes.
const PANIC_MESSAGE: usize = 8 << 10;

/// State of the call that is running. It borrows nothing, so an engine may carry it as
/// `&mut dyn Any`, and one context serves any number of calls one after another.
#[derive(Default)]
pub struct CallContext {
    heap: HostHeap,
    panic_message: Option<String>,
    system: System,
    appetite: Appetite,
    instruments: Instruments,
    initializer: Option<String>,
    ahead: Option<Ahead>,
}

/// What the host remembers of a guest, beside the guest's memory, at the end of an initialiser that
/// made constant host calls only ([`Observe::Constant`]).
pub(crate) struct Checkpoint {
    heap: Heap,
    system: System,
    appetite: Appetite,
}

impl CallContext {
    /// A context without a heap; [`begin`](Self::begin) gives it a heap.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a call on a fresh instance: an empty heap from `heap_base` on, no panic message. What
    /// [`observe`](Self::observe) counts goes on.
    pub fn begin<G: Guest + ?Sized>(&mut self, guest: &mut G, heap_base: u32) {
        self.heap.start(guest, heap_base, !self.instruments.see_the_heap());
        self.panic_message = None;
        self.instruments.begin();
        self.system = System::default();
        self.appetite = Appetite::default();
    }

    /// The same for a guest whose heap may take no more than these addresses.
    pub(crate) fn begin_within<G: Guest + ?Sized>(&mut self, guest: &mut G, place: Range<u32>) {
        self.begin(guest, place.start);
        self.heap.confine(guest, place.end);
    }

    /// From now on every call first runs the exported function `export`, of type `() -> ()`, on its
    /// fresh instance: for a guest that is not ready without, and whose host never does so of
    /// itself. No node does.
    pub fn initialize_by(&mut self, export: Option<String>) {
        self.initializer = export;
    }

    /// What is remembered of a guest now.
    pub(crate) fn checkpoint<G: Guest + ?Sized>(&mut self, guest: &mut G) -> Checkpoint {
        let heap = self.heap.state(guest);
        Checkpoint { heap, system: self.system.clone(), appetite: self.appetite }
    }

    /// Goes on from there, in a call that has begun on a guest as it was then.
    pub(crate) fn resume<G: Guest + ?Sized>(&mut self, guest: &mut G, checkpoint: &Checkpoint) {
        self.heap.go_on(guest, &checkpoint.heap);
        self.system = checkpoint.system.clone();
        self.appetite = checkpoint.appetite;
        self.instruments.resumed();
    }

    /// Whether a call may begin behind the guest's initialiser: it would be the usual one, and nobody
    /// watches its host calls.
    pub(crate) fn may_resume(&self) -> bool {
        let unseen = matches!(self.instruments.observed(), Observe::Off | Observe::Replay);
        self.initializer.is_none() && unseen
    }

    pub(crate) fn initializer(&self) -> Option<&str> {
        self.initializer.as_deref()
    }

    /// From now on calls go ahead of their signatures, or no more.
    pub(crate) fn go_ahead(&mut self, ahead: Option<Ahead>) {
        self.ahead = ahead;
    }

    /// How the running call goes ahead of its signatures, if it does.
    #[inline]
    pub(crate) fn ahead(&self) -> Option<&Ahead> {
        self.ahead.as_ref()
    }

    pub(crate) fn system(&mut self) -> &mut System {
        &mut self.system
    }

    pub(crate) fn appetite(&mut self) -> &mut Appetite {
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
        self.instruments.allocated(size, address, self.heap.in_use());
        Ok(address)
    }

    /// Gives the block at `address` back to the guest's heap.
    pub fn free<G: Guest + ?Sized>(
        &mut self,
        guest: &mut G,
        address: u32,
    ) -> Result<(), HostError> {
        self.heap.free(guest, address)?;
        self.instruments.freed(address, self.heap.in_use());
        Ok(())
    }

    /// The message that the guest registered before it trapped, if any.
    pub fn panic_message(&self) -> Option<&str> {
        self.panic_message.as_deref()
    }

    pub(crate) fn set_panic_message(&mut self, message: &str) {
        // A panic says a line; a guest may say anything.
        let end = message.floor_char_boundary(PANIC_MESSAGE);
        self.panic_message = Some(message[..end].to_owned());
    }

    pub(crate) fn take_panic_message(&mut self) -> Option<String> {
        self.panic_message.take()
    }

    /// Chooses what is done about host calls from now on. Totals start from 0, and a new record
    /// replaces the old one.
    pub fn observe(&mut self, observe: Observe) {
        self.instruments.choose(observe);
    }

    /// What was seen.
    pub fn instruments(&self) -> &Instruments {
        &self.instruments
    }

    pub(crate) fn instruments_mut(&mut self) -> &mut Instruments {
        &mut self.instruments
    }

    /// Makes a host call: does `work`, and what [`observe`](Self::observe) asked for.
    #[inline]
    pub(crate) fn host_call<G: Guest + ?Sized>(
        &mut self,
        name: &'static str,
        guest: &mut G,
        work: impl FnOnce(&mut Self, &mut G) -> Result<u64, HostError>,
    ) -> Result<u64, HostError> {
        match self.instruments.observed() {
            Observe::Off => work(self, guest),
            Observe::Time | Observe::Profile | Observe::Heap => self.timed(name, guest, work),
            Observe::Name => {
                let _named = Instruments::named(name);
                work(self, guest)
            }
            Observe::Replay => self.instruments.replay(guest, &mut self.heap),
            Observe::Constant if is_constant(name) => work(self, guest),
            Observe::Constant => Err(HostError(format!("{name} is another in each call"))),
            Observe::Record => {
                let result = work(self, guest)?;
                self.instruments.returned(result);
                Ok(result)
            }
        }
    }

    /// The same for a request to the heap, which is never replayed: on one engine most of them
    /// are no host calls.
    #[inline]
    pub(crate) fn heap_call<G: Guest + ?Sized>(
        &mut self,
        name: &'static str,
        guest: &mut G,
        work: impl FnOnce(&mut Self, &mut G) -> Result<u64, HostError>,
    ) -> Result<u64, HostError> {
        match self.instruments.see_the_heap() {
            true => self.timed(name, guest, work),
            false => work(self, guest),
        }
    }

    fn timed<G: Guest + ?Sized>(
        &mut self,
        name: &'static str,
        guest: &mut G,
        work: impl FnOnce(&mut Self, &mut G) -> Result<u64, HostError>,
    ) -> Result<u64, HostError> {
        let start = Instant::now();
        let result = work(self, guest);
        self.instruments.timed(name, start);
        result
    }
}
