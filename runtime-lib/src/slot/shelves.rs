//! Slots at rest, a place for each entry point and each thread that calls.
//!
//! The pages that a call writes depend on the function that is called, so a slot goes back to
//! the shelf of its entry point: `Core_version` on a slot that `Metadata_metadata` warmed would
//! restore hundreds of pages that it never touches.
//!
//! Threads that call at the same time take no lock, and write to nothing that another one writes to:
//! each has a rack of its own, with a place on each shelf, and looks into others' only where its own
//! place does not have what it wants. The rule not to break: what is shared between racks changes when a slot
//! is made or freed, and not when one is taken or put back. So a slot keeps the shelves that it
//! belongs to, at rest, too, and [`Open`] says when nobody will take one any more.

use super::origin::Origin;
use super::reservation::HOST_ROOM;
use super::{OwnedSlot, Plan, Slot};
use crate::image::loaded::Loaded;
use lithify_abi::WASM_PAGE;
use lithify_abi::vmctx::RESERVATION;
use std::io;
use std::ops::Deref;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

/// Places of a line: what processors hand to each other as a whole.
const LINE: usize = 16;

/// The most slots of one entry point that are kept.
pub const MAX_RACKS: usize = 1024;

/// Neighbouring places of one rack.
#[derive(Default)]
#[repr(align(128))]
struct Line([AtomicPtr<Slot>; LINE]);

/// A place on each shelf: null, a slot at rest, or [`CLOSED`].
struct Rack(Box<[Line]>);

/// In a place where no slot goes any more.
const CLOSED: *mut Slot = ptr::dangling_mut();

impl Rack {
    fn new(shelves: usize) -> Self {
        Self((0..shelves.div_ceil(LINE)).map(|_| Line::default()).collect())
    }

    #[inline]
    fn place(&self, shelf: usize) -> &AtomicPtr<Slot> {
        &self.0[shelf / LINE].0[shelf % LINE]
    }

    fn places(&self) -> impl Iterator<Item = &AtomicPtr<Slot>> {
        self.0.iter().flat_map(|line| &line.0)
    }
}

fn is_slot(place: *mut Slot) -> bool {
    !place.is_null() && place != CLOSED
}

/// The slot in that place, which is empty then.
fn take(place: &AtomicPtr<Slot>) -> Option<OwnedSlot> {
    // A look first: to write takes the line from whoever has it.
    if !is_slot(place.load(Ordering::Relaxed)) {
        return None;
    }
    let found = place.fetch_update(Ordering::Acquire, Ordering::Relaxed, |slot| {
        is_slot(slot).then_some(ptr::null_mut())
    });
    // SAFETY: it was put there, and whoever takes it out of a place owns it.
    found.ok().map(|slot| unsafe { OwnedSlot::from_raw(slot) })
}

/// The number of this thread among those that have called.
fn thread() -> usize {
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static NUMBER: usize = THREADS.fetch_add(1, Ordering::Relaxed);
    }
    NUMBER.with(|number| *number)
}

/// The idle slots of an image, and those in use.
pub struct Shelves {
    /// As many as slots of one entry point are kept. The last shelf is that of instances that are for no
    /// export.
    racks: Box<[Rack]>,
    /// Which shelf is for no export.
    common: usize,
    /// How many slots there are, at rest or in use.
    slots: AtomicUsize,
    /// The place that gives up a slot next when too many are at rest.
    hand: AtomicUsize,
    plan: Plan,
    idle_total: usize,
    origin: Origin,
    image: Arc<Loaded>,
}

/// Shelves that slots may be taken of. When it is dropped, those at rest are freed, and those in use
/// will be.
pub struct Open(Arc<Shelves>);

impl Deref for Open {
    type Target = Shelves;

    #[inline]
    fn deref(&self) -> &Shelves {
        &self.0
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        for place in self.racks.iter().flat_map(Rack::places) {
            let slot = place.swap(CLOSED, Ordering::AcqRel);
            if is_slot(slot) {
                // SAFETY: as in `take`.
                drop(unsafe { OwnedSlot::from_raw(slot) });
            }
        }
    }
}

impl Open {
    /// Empty shelves for slots of that origin and plan.
    pub fn new(
        image: &Arc<Loaded>,
        origin: Origin,
        plan: Plan,
        idle_per_entry: usize,
        idle_total: usize,
    ) -> Self {
        let common = image.records().exports.len();
        Self(Arc::new(Shelves {
            racks: (0..idle_per_entry.min(MAX_RACKS)).map(|_| Rack::new(common + 1)).collect(),
            common,
            slots: AtomicUsize::new(0),
            hand: AtomicUsize::new(0),
            plan,
            idle_total,
            origin,
            image: Arc::clone(image),
        }))
    }

    /// A fresh slot of that shelf, or a new one.
    #[inline]
    pub fn take(&self, shelf: usize) -> io::Result<OwnedSlot> {
        match self.racks_from_own().find_map(|rack| take(rack.place(shelf))) {
            Some(slot) => Ok(slot),
            None => self.create(),
        }
    }

    #[cold]
    fn create(&self) -> io::Result<OwnedSlot> {
        Slot::create(&self.0)
    }

    /// Frees all slots that are at rest.
    pub fn clear(&self) {
        self.racks.iter().flat_map(Rack::places).for_each(|place| drop(take(place)));
    }
}

impl Shelves {
    /// Empty shelves as these, for slots that begin as `slot`, which is one of these, is now.
    pub fn beginning_at(&self, slot: &Slot) -> io::Result<Open> {
        let pages = (slot.header().memory_len() as u64 / WASM_PAGE) as u32;
        let mapped_pages = self.plan.mapped_pages.max(pages);
        let plan = Plan { initial_pages: pages, mapped_pages, ..self.plan };
        let origin = Origin::of_slot(slot)?;
        Ok(Open::new(&self.image, origin, plan, self.racks.len(), self.idle_total))
    }

    /// What slots are when they are fresh.
    #[inline]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The sizes of slots.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The shelf of what is for no export.
    pub fn common(&self) -> usize {
        self.common
    }

    /// The address space that a slot takes, in bytes.
    pub fn reserved(&self) -> u64 {
        RESERVATION + (self.plan.stack_size + HOST_ROOM) as u64
    }

    /// A slot was made, or one was freed.
    pub(super) fn count(&self, made: bool) {
        if made {
            self.slots.fetch_add(1, Ordering::Relaxed);
        } else {
            self.slots.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// All racks, the calling thread's first.
    #[inline]
    fn racks_from_own(&self) -> impl Iterator<Item = &Rack> {
        // None where none is kept.
        let own = thread().checked_rem(self.racks.len()).unwrap_or(0);
        let (before, after) = self.racks.split_at(own);
        after.iter().chain(before)
    }

    /// Frees a slot of some place, of another one each time, if there is one.
    #[cold]
    fn free_one(&self) -> bool {
        let places = self.racks.len() * (self.common + 1);
        for _ in 0..places {
            let hand = self.hand.fetch_add(1, Ordering::Relaxed) % places;
            let rack = &self.racks[hand % self.racks.len()];
            if take(rack.place(hand / self.racks.len())).is_some() {
                return true;
            }
        }
        false
    }

    /// Whether a slot more can rest; frees another one for it where there are too many in all.
    #[inline]
    fn have_room(&self) -> bool {
        self.slots.load(Ordering::Relaxed) <= self.idle_total
            || self.idle() < self.idle_total
            || self.idle_total > 0 && self.free_one()
    }

    /// How many slots are at rest.
    pub fn idle(&self) -> usize {
        let places = self.racks.iter().flat_map(Rack::places);
        places.filter(|place| is_slot(place.load(Ordering::Relaxed))).count()
    }

    /// The image whose slots these are.
    #[inline]
    pub fn image(&self) -> &Arc<Loaded> {
        &self.image
    }
}

/// Puts a fresh slot on that shelf, unless there are enough.
#[inline]
pub fn put(slot: OwnedSlot, shelf: usize) {
    let slot = slot.into_raw();
    // SAFETY: it is ours until it is in a place.
    let shelves = unsafe { &*slot }.shelves();
    for rack in shelves.racks_from_own() {
        let place = rack.place(shelf);
        if !place.load(Ordering::Relaxed).is_null() {
            continue;
        }
        if !shelves.have_room() {
            break;
        }
        let empty = ptr::null_mut();
        if place.compare_exchange(empty, slot, Ordering::Release, Ordering::Relaxed).is_ok() {
            // From here on it is another's, and may be freed with the shelves.
            return;
        }
    }
    // SAFETY: as above, and nobody else has seen it.
    drop(unsafe { OwnedSlot::from_raw(slot) });
}
