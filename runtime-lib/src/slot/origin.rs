//! What a slot is whenever it is fresh: as its module describes it, or as an instance was once.

use super::Slot;
use super::segments::Dropped;
use super::table::First;
use super::vmctx;
use crate::image::loaded::Loaded;
use crate::image::memory_image::MemoryImage;
use std::io;
use std::sync::Arc;

/// What slots begin with, but for the length of memory, which is in their plan.
pub struct Origin {
    /// Linear memory.
    pub memory: Arc<MemoryImage>,
    /// The vmctx: globals, and the host's heap. Header and tables are the slot's own.
    pub vmctx: Vec<u8>,
    /// The tables that a guest can change, in the order of their records.
    pub tables: Vec<First>,
    /// The segments that no guest can use any more.
    pub dropped: Dropped,
    /// Whether segments that the image does not contain, and the start function, are still to come.
    pub to_start: bool,
}

impl Origin {
    /// As the module describes it.
    pub fn of_module(image: &Loaded) -> Self {
        let vmctx = vmctx::initial(image);
        let tables = image.records().tables.iter().map(|table| First::Same {
            value: vmctx::initial_value(image, table.init, &vmctx) as u64,
            len: table.limits.min,
        });
        Self {
            memory: Arc::clone(&image.memory),
            tables: tables.collect(),
            vmctx,
            dropped: Dropped::none(image),
            to_start: image.has_start,
        }
    }

    /// As `slot` is now, on which no call is active.
    pub fn of_slot(slot: &Slot) -> io::Result<Self> {
        Ok(Self {
            memory: Arc::new(slot.memory().contents(slot.reach())?),
            vmctx: slot.vmctx_bytes().to_vec(),
            tables: slot.tables().map(|table| table.borrow().state()).collect(),
            dropped: slot.segments().dropped(),
            to_start: false,
        })
    }
}
