//! Slots at rest, one shelf for each entry point.
//!
//! The pages that a call writes depend on the function that is called, so a slot goes back to
//! the shelf of its entry point: `Core_version` on a slot that `Metadata_metadata` warmed would
//! restore hundreds of pages that it never touches.

use super::origin::Origin;
use super::reservation::HOST_ROOM;
use super::{OwnedSlot, Plan, Slot};
use crate::image::loaded::Loaded;
use lithify_abi::WASM_PAGE;
use lithify_abi::vmctx::RESERVATION;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The idle slots of an image.
pub struct Shelves {
    /// One shelf for each export, and one for instances that are not for one of them.
    slots: Vec<Mutex<Vec<OwnedSlot>>>,
    idle: AtomicUsize,
    /// The shelf that gives up a slot next when there are too many in all.
    hand: AtomicUsize,
    plan: Plan,
    idle_per_entry: usize,
    idle_total: usize,
    /// These two last, so that they are dropped after the slots, which refer to them.
    origin: Arc<Origin>,
    image: Arc<Loaded>,
}

impl Shelves {
    /// Empty shelves for slots of that origin and plan.
    pub fn new(
        image: &Arc<Loaded>,
        origin: Origin,
        plan: Plan,
        idle_per_entry: usize,
        idle_total: usize,
    ) -> Self {
        let shelves = image.records().exports.len() + 1;
        Self {
            slots: (0..shelves).map(|_| Mutex::default()).collect(),
            idle: AtomicUsize::new(0),
            hand: AtomicUsize::new(0),
            plan,
            idle_per_entry,
            idle_total,
            origin: Arc::new(origin),
            image: Arc::clone(image),
        }
    }

    /// Empty shelves as these, for slots that begin as `slot`, which is one of these, is now.
    pub fn beginning_at(&self, slot: &Slot) -> io::Result<Self> {
        let pages = (slot.header().memory_len() as u64 / WASM_PAGE) as u32;
        let mapped_pages = self.plan.mapped_pages.max(pages);
        let plan = Plan { initial_pages: pages, mapped_pages, ..self.plan };
        let origin = Origin::of_slot(slot)?;
        Ok(Self::new(&self.image, origin, plan, self.idle_per_entry, self.idle_total))
    }

    /// Whether segments and the start function are still to come for a fresh slot.
    #[inline]
    pub fn to_start(&self) -> bool {
        self.origin.to_start
    }

    /// The shelf of what is for no export.
    pub fn common(&self) -> usize {
        self.slots.len() - 1
    }

    /// A fresh slot of that shelf, or a new one. Whoever has it keeps the shelves, too.
    #[inline]
    pub fn take(&self, shelf: usize) -> io::Result<OwnedSlot> {
        let idle = lock(&self.slots[shelf]).pop();
        match idle {
            Some(slot) => {
                self.idle.fetch_sub(1, Ordering::Relaxed);
                Ok(slot)
            }
            None => self.create(),
        }
    }

    #[cold]
    fn create(&self) -> io::Result<OwnedSlot> {
        // SAFETY: whoever takes the slot keeps the shelves, which keep image and origin; the origin is
        // made from this image.
        unsafe { Slot::create(&self.image, &self.origin, &self.plan) }
    }

    /// The address space that a slot takes, in bytes.
    pub fn reserved(&self) -> u64 {
        RESERVATION + (self.plan.stack_size + HOST_ROOM) as u64
    }

    /// Puts a fresh slot on its shelf, unless there are enough.
    pub fn put(&self, slot: OwnedSlot, shelf: usize) {
        let mut slots = lock(&self.slots[shelf]);
        if slots.len() >= self.idle_per_entry {
            drop(slots);
            drop(slot);
            return;
        }
        slots.push(slot);
        drop(slots);
        if self.idle.fetch_add(1, Ordering::Relaxed) >= self.idle_total {
            self.drop_one();
        }
    }

    /// Frees a slot of some shelf, of another one each time.
    #[cold]
    fn drop_one(&self) {
        for _ in 0..self.slots.len() {
            let hand = self.hand.fetch_add(1, Ordering::Relaxed);
            let slot = lock(&self.slots[hand % self.slots.len()]).pop();
            if slot.is_some() {
                self.idle.fetch_sub(1, Ordering::Relaxed);
                return;
            }
        }
    }

    /// Frees all slots.
    pub fn clear(&self) {
        for shelf in &self.slots {
            let slots = std::mem::take(&mut *lock(shelf));
            self.idle.fetch_sub(slots.len(), Ordering::Relaxed);
        }
    }

    /// How many slots there are.
    pub fn idle(&self) -> usize {
        self.idle.load(Ordering::Relaxed)
    }

    /// The image whose slots these are.
    #[inline]
    pub fn image(&self) -> &Arc<Loaded> {
        &self.image
    }
}

/// A shelf stays consistent whatever panics while it is locked.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
