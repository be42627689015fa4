//! Slots at rest, one shelf for each entry point.
//!
//! The pages that a call writes depend on the function that is called, so a slot goes back to
//! the shelf of its entry point: `Core_version` on a slot that `Metadata_metadata` warmed would
//! restore hundreds of pages that it never touches.

use crate::call::{CallOptions, Func};
use crate::image::error::InstanceError;
use crate::image::records::MAX_PAGES;
use crate::image::{Image, Loaded};
use crate::instance::Instance;
use crate::slot::memory::HOST_ROOM;
use crate::slot::{OwnedSlot, Plan, Slot};
use lithify_abi::descriptor::{NONE, kind};
use lithify_abi::vmctx::RESERVATION;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How much memory an instance has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MemoryPlan {
    /// What the module says.
    #[default]
    Module,
    /// That many pages on top of the module's initial size, from the start, and no growth.
    Static {
        /// Additional pages of 64 KiB; Substrate's default is 2048.
        extra_pages: u32,
    },
    /// That many pages on top of the module's initial size, growing up to a size, whatever the
    /// module says.
    Dynamic {
        /// Additional pages of 64 KiB.
        extra_pages: u32,
        /// The largest size, in pages of 64 KiB; `None` for 4 GiB.
        max_pages: Option<u32>,
    },
    /// Two parts: the guest has what the module says, and may grow it; behind all that it can have
    /// lies a part of the host's, which `memory.size` does not count and `memory.grow` never reaches.
    /// It is at the end of [`Instance`]'s memory, all of which is there from the start.
    Split {
        /// By how many pages of 64 KiB the guest may grow its part.
        guest_pages: u32,
        /// Pages of 64 KiB of the host's part.
        host_pages: u32,
    },
}

/// The least stack of guest functions, in bytes.
pub const STACK_MIN: usize = 4 << 10;

/// The largest stack of guest functions, in bytes: a thousand times what a runtime needs.
pub const STACK_MAX: usize = 1 << 30;

/// How instances are made and kept.
#[derive(Clone, Debug)]
pub struct InstanceOptions {
    /// How much memory an instance has.
    pub memory: MemoryPlan,
    /// The stack of guest functions, in bytes, from [`STACK_MIN`] to [`STACK_MAX`]. Host functions
    /// run on the same stack; where it ends they go on below it, in 256 MiB of address space that
    /// take memory as they are used.
    pub stack_size: usize,
    /// How many idle instances of one entry point are kept.
    pub idle_per_entry: usize,
    /// How many idle instances are kept in all.
    pub idle_total: usize,
}

impl Default for InstanceOptions {
    fn default() -> Self {
        Self { memory: MemoryPlan::Module, stack_size: 4 << 20, idle_per_entry: 8, idle_total: 64 }
    }
}

/// Instances of an image. Clones share them.
#[derive(Clone)]
pub struct Pool(Arc<Shelves>);

pub(crate) struct Shelves {
    slots: Vec<Mutex<Vec<OwnedSlot>>>,
    idle: AtomicUsize,
    /// The shelf that gives up a slot next when there are too many in all.
    hand: AtomicUsize,
    plan: Plan,
    idle_per_entry: usize,
    idle_total: usize,
    /// Last, so that it is dropped after the slots, which refer to it.
    image: Arc<Loaded>,
}

impl Pool {
    /// A pool without slots.
    pub fn new(image: &Image, options: &InstanceOptions) -> Result<Self, InstanceError> {
        let loaded = &image.0;
        // One for each export, and one for instances that are not for one of them.
        let shelves = loaded.records.exports.len() + 1;
        Ok(Self(Arc::new(Shelves {
            slots: (0..shelves).map(|_| Mutex::default()).collect(),
            idle: AtomicUsize::new(0),
            hand: AtomicUsize::new(0),
            plan: plan(loaded, options)?,
            idle_per_entry: options.idle_per_entry,
            idle_total: options.idle_total,
            image: Arc::clone(loaded),
        })))
    }

    /// The entry point exported as `name`, to be kept and used for many calls.
    pub fn entry(&self, name: &str) -> Option<Entry> {
        let image = &self.0.image;
        let shelf =
            image.records.exports.iter().position(|export| {
                export.kind == kind::FUNCTION && image.name(export.name) == name
            })?;
        Some(Entry { func: Func::export(image, name)?, shelves: Arc::clone(&self.0), shelf })
    }

    /// A fresh instance for calls of several functions.
    pub fn instance(&self) -> Result<Instance, InstanceError> {
        self.instance_with(CallOptions::default())
    }

    /// A fresh instance for calls of several functions, whose start function is called within
    /// `options`.
    pub fn instance_with(&self, options: CallOptions) -> Result<Instance, InstanceError> {
        Shelves::take(&self.0, self.0.slots.len() - 1, options)
    }

    /// Gives the memory of all idle slots back to the system. The next calls are slower.
    pub fn trim(&self) {
        for shelf in &self.0.slots {
            let slots = std::mem::take(&mut *lock(shelf));
            self.0.idle.fetch_sub(slots.len(), Ordering::Relaxed);
        }
    }

    /// How many idle slots there are.
    pub fn idle(&self) -> usize {
        self.0.idle.load(Ordering::Relaxed)
    }

    /// The image whose instances these are.
    pub fn image(&self) -> Image {
        Image(Arc::clone(&self.0.image))
    }
}

/// A function to start from. Clones are the same entry point.
#[derive(Clone)]
pub struct Entry {
    shelves: Arc<Shelves>,
    shelf: usize,
    func: Func,
}

impl Entry {
    /// A fresh instance on a slot that is warm for this function.
    #[inline]
    pub fn instance(&self) -> Result<Instance, InstanceError> {
        self.instance_with(CallOptions::default())
    }

    /// A fresh instance on such a slot, whose start function is called within `options`.
    #[inline]
    pub fn instance_with(&self, options: CallOptions) -> Result<Instance, InstanceError> {
        Shelves::take(&self.shelves, self.shelf, options)
    }

    /// The function.
    pub fn func(&self) -> &Func {
        &self.func
    }
}

impl Shelves {
    /// A fresh instance on a slot of that shelf, or a new one.
    fn take(
        this: &Arc<Self>,
        shelf: usize,
        options: CallOptions,
    ) -> Result<Instance, InstanceError> {
        let idle = lock(&this.slots[shelf]).pop();
        let slot = match idle {
            Some(slot) => {
                this.idle.fetch_sub(1, Ordering::Relaxed);
                slot
            }
            None => this.create()?,
        };
        Instance::start(slot, shelf, Arc::clone(this), options)
    }

    #[cold]
    fn create(&self) -> Result<OwnedSlot, InstanceError> {
        // SAFETY: the slot ends up in an instance or on a shelf, and both keep the image.
        unsafe { Slot::create(&self.image, &self.plan) }.map_err(|source| InstanceError::Map {
            reserved: RESERVATION + (self.plan.stack_size + HOST_ROOM) as u64,
            source,
        })
    }

    /// Puts a fresh slot on its shelf, unless there are enough.
    pub(crate) fn put(&self, slot: OwnedSlot, shelf: usize) {
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

    pub(crate) fn image(&self) -> &Arc<Loaded> {
        &self.image
    }
}

/// A shelf stays consistent whatever panics while it is locked.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn plan(image: &Loaded, options: &InstanceOptions) -> Result<Plan, InstanceError> {
    let stack_size = options.stack_size;
    if !(STACK_MIN..=STACK_MAX).contains(&stack_size) {
        return Err(InstanceError::Stack { bytes: stack_size });
    }
    let d = &image.records.descriptor;
    let module_max = if d.memory_max == NONE { MAX_PAGES } else { d.memory_max };
    let min = u64::from(d.memory_min);
    let mut hidden = 0;
    let (initial, max) = match options.memory {
        // A module without memory has none to plan.
        _ if d.memory == 0 => (0, 0),
        MemoryPlan::Module => (min, u64::from(module_max.min(MAX_PAGES))),
        MemoryPlan::Static { extra_pages } => {
            let pages = min + u64::from(extra_pages);
            (pages, pages)
        }
        MemoryPlan::Dynamic { extra_pages, max_pages } => {
            (min + u64::from(extra_pages), u64::from(max_pages.unwrap_or(MAX_PAGES)))
        }
        MemoryPlan::Split { guest_pages, host_pages } => {
            hidden = host_pages;
            (min, min + u64::from(guest_pages))
        }
    };
    match (u32::try_from(initial), u32::try_from(max)) {
        (Ok(initial_pages), Ok(max_pages))
            if initial <= max && max + u64::from(hidden) <= u64::from(MAX_PAGES) =>
        {
            let mapped_pages = if hidden > 0 { max_pages + hidden } else { initial_pages };
            Ok(Plan { initial_pages, max_pages, mapped_pages, stack_size })
        }
        _ => Err(InstanceError::Pages { initial, max, module: d.memory_min }),
    }
}
