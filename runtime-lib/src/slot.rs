//! A slot: a memory with everything else that one running instance needs, used again and again.
//!
//! Between calls a slot is either fresh, that is, exactly as the module describes it, or not in
//! the pool. [`Slot::reset`] is what makes it fresh.

pub mod header;
mod hot_set;
pub mod memory;
pub mod origin;
pub mod registry;
mod reservation;
mod segments;
pub mod shelves;
mod table;
pub mod vmctx;

use crate::call::activation::Activation;
use crate::image::loaded::Loaded;
use header::HeaderRef;
use lithify_abi::WASM_PAGE;
use lithify_abi::heap::Heap;
use lithify_abi::vmctx::Header;
use memory::Memory;
use origin::Origin;
use reservation::{Reservation, Sizes};
use segments::Segments;
use shelves::Shelves;
use std::cell::{Cell, RefCell};
use std::io;
use std::mem::ManuallyDrop;
use std::ops::{Deref, Range};
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::Arc;
use table::Table;

/// The least stack of guest functions, in bytes.
pub const STACK_MIN: usize = 4 << 10;

/// The largest stack of guest functions, in bytes: a thousand times what a runtime needs.
pub const STACK_MAX: usize = 1 << 30;

/// Sizes that an image and the options decide.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Memory before the first call, in pages.
    pub initial_pages: u32,
    /// The largest size of memory, in pages.
    pub max_pages: u32,
    /// What is mapped from the start, in pages: `initial_pages`, or more than `max_pages`, the rest of
    /// which is the host's.
    pub mapped_pages: u32,
    /// The guest stack, in bytes.
    pub stack_size: usize,
}

/// A slot. It never moves: its address is in the vmctx.
pub struct Slot {
    /// That of the shelves.
    image: *const Loaded,
    /// That of `memory`, which never moves.
    base: *mut u8,
    memory: Box<Memory>,
    max_pages: u32,
    /// How much of memory is mapped from the start, in bytes.
    mapped_len: usize,
    /// The bytes of a fresh vmctx.
    vmctx: Box<[u8]>,
    tables: Vec<RefCell<Table>>,
    segments: Segments,
    activation: Cell<*const Activation>,
    /// Where it belongs. The last field, so that it goes when nothing refers to the image any more.
    shelves: Arc<Shelves>,
}

// SAFETY: the pointers are to the image, which is shared between threads, to the slot's own memory,
// and to the activation of a call, which is null when the slot changes threads.
unsafe impl Send for Slot {}

/// A slot and the duty to free it.
pub struct OwnedSlot(NonNull<Slot>);

// SAFETY: it owns a slot as a box would.
unsafe impl Send for OwnedSlot {}

impl OwnedSlot {
    /// The slot, and with it the duty to free it.
    #[inline]
    fn into_raw(self) -> *mut Slot {
        ManuallyDrop::new(self).0.as_ptr()
    }

    /// What [`into_raw`](Self::into_raw) gave.
    ///
    /// # Safety
    ///
    /// It came from there, and nobody else makes an owner of it.
    #[inline]
    unsafe fn from_raw(slot: *mut Slot) -> Self {
        // SAFETY: it was not null there.
        Self(unsafe { NonNull::new_unchecked(slot) })
    }
}

impl Deref for OwnedSlot {
    type Target = Slot;

    #[inline]
    fn deref(&self) -> &Slot {
        // SAFETY: made by `Slot::create`, freed only by `drop`.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for OwnedSlot {
    fn drop(&mut self) {
        // SAFETY: made from a box by `Slot::create`, and this is the only owner.
        let slot = unsafe { Box::from_raw(self.0.as_ptr()) };
        slot.shelves.count(false);
    }
}

impl Slot {
    /// Makes a fresh slot.
    pub fn create(shelves: &Arc<Shelves>) -> io::Result<OwnedSlot> {
        let (image, origin, plan) = (shelves.image(), shelves.origin(), shelves.plan());
        let records = image.records();
        let sizes = Sizes {
            memory_len: (u64::from(plan.mapped_pages) * WASM_PAGE) as usize,
            stack_len: plan.stack_size,
            vmctx_len: records.descriptor.vmctx_size as usize,
        };
        let memory = Memory::new(sizes, &origin.memory)?;
        let mut vmctx = origin.vmctx.clone();
        let tables: Vec<RefCell<Table>> = records
            .tables
            .iter()
            .zip(&origin.tables)
            .map(|(table, first)| Table::new(table, first).map(RefCell::new))
            .collect::<io::Result<_>>()?;
        for table in &tables {
            table.borrow().put_record(&mut vmctx);
        }
        let slot = Box::into_raw(Box::new(Self {
            image: Arc::as_ptr(image),
            base: memory.base(),
            max_pages: plan.max_pages,
            mapped_len: sizes.memory_len,
            tables,
            segments: Segments::new(&origin.dropped),
            activation: Cell::new(ptr::null()),
            vmctx: Box::new([]),
            memory,
            shelves: Arc::clone(shelves),
        }));
        // SAFETY: the box was made above and nothing else refers to it.
        let this = unsafe { &mut *slot };
        let header = Header {
            stack_limit: this.reservation().stack().start as u64,
            exit_fp: 0,
            exit_sp: 0,
            exit_pc: 0,
            memory_len: u64::from(plan.initial_pages) * WASM_PAGE,
            instance: slot as u64,
            host_data: 0,
            reserved: 0,
        };
        header::put(&header, &mut vmctx);
        this.vmctx = vmctx.into_boxed_slice();
        this.restore_vmctx();
        shelves.count(true);
        // SAFETY: a box is not null, and this is its only owner.
        Ok(unsafe { OwnedSlot::from_raw(slot) })
    }

    /// The slot that compiled code calls with this `base`.
    ///
    /// # Safety
    ///
    /// `base` is what compiled code passed, and the slot is not used after that call.
    #[inline]
    pub unsafe fn from_base<'a>(base: *mut u8) -> &'a Self {
        // SAFETY: the header lies below `base`; its field is the address of the slot.
        unsafe { &*(HeaderRef::below(base).slot() as *const Self) }
    }

    /// Makes the slot fresh. After an error it must be freed.
    ///
    /// # Safety
    ///
    /// Nothing refers to its memory, and no call on it is active.
    pub unsafe fn reset(&self) -> io::Result<()> {
        debug_assert!(self.activation.get().is_null(), "reset during a call");
        let len = self.reach();
        for (table, first) in self.tables.iter().zip(&self.origin().tables) {
            table.borrow_mut().reset(first);
        }
        self.segments.reset(&self.origin().dropped);
        self.restore_vmctx();
        // SAFETY: the caller vouches for references.
        unsafe { self.memory.reset(len) }
    }

    /// Checks, in debug builds, that a call left alone what it must not touch.
    #[inline]
    pub fn check_canaries(&self) {
        if cfg!(debug_assertions) {
            let header = self.header();
            let known = header.slot() == ptr::from_ref(self) as usize && header.reserved() == 0;
            assert!(known, "written to the header");
            self.reservation().check_canary();
        }
    }

    fn restore_vmctx(&self) {
        // SAFETY: the vmctx is as long as its initial bytes, and nobody runs on this slot.
        unsafe {
            self.reservation()
                .vmctx()
                .copy_from_nonoverlapping(self.vmctx.as_ptr(), self.vmctx.len());
        }
    }

    /// The image that runs here.
    #[inline]
    pub fn image(&self) -> &Loaded {
        // SAFETY: the shelves keep it alive.
        unsafe { &*self.image }
    }

    /// Where it belongs.
    #[inline]
    pub fn shelves(&self) -> &Shelves {
        &self.shelves
    }

    /// What it is when it is fresh.
    #[inline]
    fn origin(&self) -> &Origin {
        self.shelves.origin()
    }

    /// Linear memory, and how it becomes fresh.
    #[inline]
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Where the guest's stack, vmctx and memory lie.
    #[inline]
    pub fn reservation(&self) -> &Reservation {
        self.memory.reservation()
    }

    /// What the guest and the library tell each other.
    #[inline]
    pub fn header(&self) -> HeaderRef<'_> {
        // SAFETY: `base` is this slot's.
        unsafe { HeaderRef::below(self.base) }
    }

    /// The segments that the guest can still use.
    pub fn segments(&self) -> &Segments {
        &self.segments
    }

    /// Address of linear memory.
    #[inline]
    pub fn base(&self) -> *mut u8 {
        self.base
    }

    /// The newest activation on this slot, or null.
    #[inline]
    pub fn activation(&self) -> *const Activation {
        self.activation.get()
    }

    /// Makes `activation` the newest.
    #[inline]
    pub fn set_activation(&self, activation: *const Activation) {
        self.activation.set(activation);
    }

    /// Length of what is mapped, in bytes: that, or more where the host has a part of its own.
    #[inline]
    pub fn reach(&self) -> usize {
        self.header().memory_len().max(self.mapped_len)
    }

    /// The largest size of memory, in pages.
    pub fn max_pages(&self) -> u32 {
        self.max_pages
    }

    /// Linear memory, where it is mapped: readable, and writable as faults are handled. Whoever makes
    /// a slice of it makes sure that meanwhile no guest runs on this slot and nobody else has one.
    #[inline]
    pub fn bytes(&self) -> *mut [u8] {
        ptr::slice_from_raw_parts_mut(self.base(), self.reach())
    }

    /// The record of the heap, if compiled code has a part in it. It lies in the vmctx, aligned, as was
    /// checked when the image was loaded; any bytes are a record. To borrow it is as with
    /// [`bytes`](Self::bytes).
    #[inline]
    pub fn heap(&self) -> Option<*mut Heap> {
        let below = self.image().records().descriptor.heap as usize;
        (below > 0).then(|| self.base().wrapping_sub(below).cast())
    }

    /// Grows memory by `delta` pages; its previous size in pages, or `None`.
    pub fn grow(&self, delta: u32) -> Option<u32> {
        let old_len = self.header().memory_len();
        let old = (old_len as u64 / WASM_PAGE) as u32;
        let new = old.checked_add(delta).filter(|new| *new <= self.max_pages)?;
        if delta > 0 {
            let new_len = (u64::from(new) * WASM_PAGE) as usize;
            // Up to there it is mapped already.
            if new_len > self.mapped_len {
                self.memory.grow(old_len, new_len).ok()?;
            }
            self.header().set_memory_len(new_len);
        }
        Some(old)
    }

    /// Bytes of memory to be written, or `None` when they are not inside. To borrow them is as with
    /// [`bytes`](Self::bytes).
    pub fn bytes_for_writing(&self, start: u32, len: u32) -> Option<*mut [u8]> {
        let range = self.range(start, len)?;
        if range.len() > 4096 {
            // A failure shows again, as a fault, at the first write.
            let _ = self.memory.make_writable(range.clone());
        }
        Some(ptr::slice_from_raw_parts_mut(self.base().wrapping_add(range.start), range.len()))
    }

    /// The offsets of `len` bytes from `start` on, if memory has them.
    pub fn range(&self, start: u32, len: u32) -> Option<Range<usize>> {
        let end = start as usize + len as usize;
        (end <= self.reach()).then_some(start as usize..end)
    }

    /// The table with this index.
    pub fn table(&self, index: u32) -> Option<&RefCell<Table>> {
        let position = self.image().records().tables.iter().position(|t| t.index == index)?;
        self.tables.get(position)
    }

    /// The tables that the guest can change, in the order of their records.
    pub fn tables(&self) -> impl Iterator<Item = &RefCell<Table>> {
        self.tables.iter()
    }

    /// The elements of all tables.
    pub fn table_elements(&self) -> u64 {
        self.tables.iter().map(|table| table.borrow().elements().len() as u64).sum()
    }

    /// The vmctx as it is now, for values of globals.
    pub fn vmctx_bytes(&self) -> &[u8] {
        // SAFETY: the vmctx is mapped and this long. The slice is used at once, with no guest
        // running meanwhile.
        unsafe { slice::from_raw_parts(self.reservation().vmctx(), self.vmctx.len()) }
    }

    /// Writes `bytes` at `offset` from `base`, which was checked to be in the vmctx.
    pub fn write_vmctx(&self, offset: i32, bytes: &[u8]) {
        let in_vmctx = offset < 0 && offset.unsigned_abs() as usize <= self.vmctx.len();
        assert!(in_vmctx && bytes.len() <= offset.unsigned_abs() as usize, "a place in the vmctx");
        // SAFETY: inside the vmctx, as was just checked; no guest runs meanwhile.
        unsafe {
            self.base()
                .offset(offset as isize)
                .copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        }
    }
}
