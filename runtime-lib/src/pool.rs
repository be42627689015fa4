//! Instances of an image, for as many calls as one likes: each is fresh, and their slots are kept.

use crate::call::{CallOptions, Func};
use crate::image::Image;
use crate::image::loaded::Loaded;
use crate::image::section::MAX_PAGES;
use crate::instance::{Instance, InstanceError};
use crate::slot::origin::Origin;
use crate::slot::shelves::Open;
use crate::slot::{Plan, STACK_MAX, STACK_MIN};
use lithify_abi::descriptor::NONE;
use std::sync::Arc;

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

/// How instances are made and kept.
#[derive(Clone, Debug)]
pub struct InstanceOptions {
    /// How much memory an instance has.
    pub memory: MemoryPlan,
    /// The stack of guest functions, in bytes, from [`STACK_MIN`] to [`STACK_MAX`]. Host functions
    /// run on the same stack; where it ends they go on below it, in 256 MiB of address space that
    /// take memory as they are used.
    pub stack_size: usize,
    /// How many idle instances of one entry point are kept, at most 1024. As many threads call it
    /// without waiting for each other.
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
pub struct Pool(Arc<Open>);

impl Pool {
    /// A pool without slots.
    pub fn new(image: &Image, options: &InstanceOptions) -> Result<Self, InstanceError> {
        let InstanceOptions { idle_per_entry, idle_total, .. } = *options;
        let plan = plan(&image.0, options)?;
        let origin = Origin::of_module(&image.0);
        Ok(Self(Arc::new(Open::new(&image.0, origin, plan, idle_per_entry, idle_total))))
    }

    /// A pool of the same options whose instances begin as `instance` is now: memory with its size,
    /// globals, tables, dropped segments. The start function does not run again. For what every call
    /// would do first with the same result, as the initialiser of a Go program; what host functions
    /// remember of it beside the guest's memory is theirs to bring back.
    ///
    /// ```no_run
    /// # use lithify_runtime::{Image, InstanceError, Pool};
    /// # fn ready(image: &Image) -> Result<Pool, Box<dyn std::error::Error>> {
    /// let pool = Pool::new(image, &Default::default())?;
    /// let mut instance = pool.instance()?;
    /// let initialize = instance.func("_initialize").ok_or("no reactor")?;
    /// instance.call_values(&initialize, &[], &mut ())?;
    /// Ok(Pool::from_instance(&mut instance)?)
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`InstanceError::Map`] when the system gives no memory for a copy of what was written.
    pub fn from_instance(instance: &mut Instance) -> Result<Self, InstanceError> {
        instance.shelves_from_here().map(|shelves| Self(Arc::new(shelves)))
    }

    /// The entry point exported as `name`, to be kept and used for many calls.
    pub fn entry(&self, name: &str) -> Option<Entry> {
        let image = self.0.image();
        let (shelf, _) = image.exported_function(name)?;
        Some(Entry { func: Func::export(image, name)?, shelves: Arc::clone(&self.0), shelf })
    }

    /// A fresh instance for calls of several functions.
    pub fn instance(&self) -> Result<Instance, InstanceError> {
        self.instance_with(CallOptions::default())
    }

    /// A fresh instance for calls of several functions, whose start function is called within
    /// `options`.
    pub fn instance_with(&self, options: CallOptions) -> Result<Instance, InstanceError> {
        Instance::take(&self.0, self.0.common(), options)
    }

    /// Gives the memory of all idle slots back to the system. The next calls are slower.
    pub fn trim(&self) {
        self.0.clear();
    }

    /// How many idle slots there are.
    pub fn idle(&self) -> usize {
        self.0.idle()
    }

    /// The image whose instances these are.
    pub fn image(&self) -> Image {
        Image(Arc::clone(self.0.image()))
    }
}

/// A function to start from. Clones are the same entry point.
#[derive(Clone)]
pub struct Entry {
    shelves: Arc<Open>,
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
        Instance::take(&self.shelves, self.shelf, options)
    }

    /// The function.
    pub fn func(&self) -> &Func {
        &self.func
    }
}

fn plan(image: &Loaded, options: &InstanceOptions) -> Result<Plan, InstanceError> {
    let stack_size = options.stack_size;
    if !(STACK_MIN..=STACK_MAX).contains(&stack_size) {
        return Err(InstanceError::Stack { bytes: stack_size });
    }
    let d = &image.records().descriptor;
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
