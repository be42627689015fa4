//! A slot: a memory with everything else that one running instance needs, used again and again.
//!
//! Between calls a slot is either fresh, that is, exactly as the module describes it, or not in
//! the pool. [`Slot::reset`] is what makes it fresh.

mod hot_set;
pub mod memory;
pub mod registry;
pub mod shelves;
mod table;
pub mod vmctx;

use crate::call::activation::Activation;
use crate::image::loaded::Loaded;
use lithify_abi::WASM_PAGE;
use lithify_abi::descriptor::{Element, init};
use lithify_abi::heap::Heap;
use lithify_abi::vmctx::{HEADER, Header};
use memory::{Layout, Memory};
use std::cell::{Cell, RefCell};
use std::io;
use std::ops::{Deref, Range};
use std::ptr::{self, NonNull};
use std::slice;
use table::Table;

/// A stack limit that no stack pointer is above: the next host call stops the guest.
pub const NO_HOST_CALLS: usize = usize::MAX;

/// The least stack of guest functions, in bytes.
pub const STACK_MIN: usize = 4 << 10;

/// The largest stack of guest functions, in bytes: a thousand times what a runtime needs.
pub const STACK_MAX: usize = 1 << 30;

/// Where a guest made its latest host call.
#[derive(Clone, Copy, Debug, Default)]
pub struct Exit {
    /// Frame pointer of the guest function.
    pub fp: usize,
    /// Stack pointer at the call.
    pub sp: usize,
    /// Return address; 0 where it is on the stack.
    pub pc: usize,
}

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
    /// Data segments that were dropped, in the order of the records.
    dropped_data: Vec<Cell<bool>>,
    /// Element segments that were dropped, in the order of the records.
    dropped_elements: Vec<Cell<bool>>,
    activation: Cell<*const Activation>,
}

// SAFETY: the pointers are to the image, which is shared between threads, to the slot's own memory,
// and to the activation of a call, which is null when the slot changes threads.
unsafe impl Send for Slot {}

/// A slot and the duty to free it.
pub struct OwnedSlot(NonNull<Slot>);

// SAFETY: it owns a slot as a box would.
unsafe impl Send for OwnedSlot {}

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
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

impl Slot {
    /// Makes a fresh slot.
    ///
    /// # Safety
    ///
    /// The image outlives the slot.
    pub unsafe fn create(image: &Loaded, plan: &Plan) -> io::Result<OwnedSlot> {
        let records = &image.records;
        let layout = Layout {
            memory_len: (u64::from(plan.mapped_pages) * WASM_PAGE) as usize,
            stack_len: plan.stack_size,
            vmctx_len: records.descriptor.vmctx_size as usize,
        };
        let memory = Memory::new(layout, &image.memory)?;
        let mut vmctx = vmctx::initial(image);
        let tables: Vec<RefCell<Table>> = records
            .tables
            .iter()
            .map(|table| {
                let value = vmctx::initial_value(image, table.form, table.value, &vmctx) as u64;
                Table::new(table, value).map(RefCell::new)
            })
            .collect::<io::Result<_>>()?;
        for table in &tables {
            table.borrow().put_record(&mut vmctx);
        }
        let segments = |count: usize| vec![Cell::new(false); count];
        let slot = Box::into_raw(Box::new(Self {
            image,
            base: memory.base(),
            max_pages: plan.max_pages,
            mapped_len: layout.memory_len,
            tables,
            dropped_data: segments(records.data.len()),
            dropped_elements: segments(records.elements.len()),
            activation: Cell::new(ptr::null()),
            vmctx: Box::new([]),
            memory,
        }));
        // SAFETY: the box was made above and nothing else refers to it.
        let this = unsafe { &mut *slot };
        let header = Header {
            stack_limit: this.memory.stack().start as u64,
            exit_fp: 0,
            exit_sp: 0,
            exit_pc: 0,
            memory_len: u64::from(plan.initial_pages) * WASM_PAGE,
            instance: slot as u64,
            host_data: 0,
            reserved: 0,
        };
        vmctx::put_header(&header, &mut vmctx);
        this.vmctx = vmctx.into_boxed_slice();
        this.restore_vmctx();
        NonNull::new(slot).map(OwnedSlot).ok_or_else(|| io::ErrorKind::OutOfMemory.into())
    }

    /// The slot that compiled code calls with this `base`.
    ///
    /// # Safety
    ///
    /// `base` is what compiled code passed, and the slot is not used after that call.
    #[inline]
    pub unsafe fn from_base<'a>(base: *mut u8) -> &'a Self {
        // SAFETY: the header lies below `base`; its field is the address of the slot.
        unsafe {
            let header = base.offset(HEADER as isize).cast::<Header>();
            &*((*header).instance as *const Self)
        }
    }

    /// Makes the slot fresh. After an error it must be freed.
    ///
    /// # Safety
    ///
    /// Nothing refers to its memory, and no call on it is active.
    pub unsafe fn reset(&self) -> io::Result<()> {
        debug_assert!(self.activation.get().is_null(), "reset during a call");
        let len = self.reach();
        for table in &self.tables {
            table.borrow_mut().reset();
        }
        for dropped in self.dropped_data.iter().chain(&self.dropped_elements) {
            dropped.set(false);
        }
        self.restore_vmctx();
        // SAFETY: the caller vouches for references.
        unsafe { self.memory.reset(len) }
    }

    /// Checks, in debug builds, that a call left alone what it must not touch.
    #[inline]
    pub fn check_canaries(&self) {
        if cfg!(debug_assertions) {
            let known = [ptr::from_ref(self) as u64, 0];
            assert_eq!(
                self.header_field(|h| [h.instance, h.reserved]),
                known,
                "written to the header"
            );
            self.memory.check_canary();
        }
    }

    fn restore_vmctx(&self) {
        // SAFETY: the vmctx is as long as its initial bytes, and nobody runs on this slot.
        unsafe {
            self.memory.vmctx().copy_from_nonoverlapping(self.vmctx.as_ptr(), self.vmctx.len());
        }
    }

    /// The image that runs here.
    #[inline]
    pub fn image(&self) -> &Loaded {
        // SAFETY: whoever made the slot keeps the image alive.
        unsafe { &*self.image }
    }

    /// The reservation.
    #[inline]
    pub fn memory(&self) -> &Memory {
        &self.memory
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

    #[inline]
    fn header(&self) -> *mut Header {
        // SAFETY: the header lies in the vmctx.
        unsafe { self.base().offset(HEADER as isize).cast() }
    }

    #[inline]
    fn header_field<T>(&self, field: impl FnOnce(&Header) -> T) -> T {
        // SAFETY: the header is mapped, and compiled code writes it only while it runs.
        field(unsafe { &*self.header() })
    }

    /// Length of linear memory as the guest sees it, in bytes.
    #[inline]
    pub fn memory_len(&self) -> usize {
        self.header_field(|header| header.memory_len as usize)
    }

    /// Length of what is mapped, in bytes: that, or more where the host has a part of its own.
    #[inline]
    pub fn reach(&self) -> usize {
        self.memory_len().max(self.mapped_len)
    }

    /// Where the guest made its latest host call.
    #[inline]
    pub fn exit(&self) -> Exit {
        self.header_field(|header| Exit {
            fp: header.exit_fp as usize,
            sp: header.exit_sp as usize,
            pc: header.exit_pc as usize,
        })
    }

    /// Undoes what a nested call wrote into the header.
    pub fn set_exit(&self, exit: Exit) {
        // SAFETY: as for `header_field`.
        let header = unsafe { &mut *self.header() };
        header.exit_fp = exit.fp as u64;
        header.exit_sp = exit.sp as u64;
        header.exit_pc = exit.pc as u64;
    }

    /// A value of the embedder's choice that native host functions find in the vmctx.
    pub fn host_data(&self) -> u64 {
        self.header_field(|header| header.host_data)
    }

    /// Sets that value, until the next reset.
    pub fn set_host_data(&self, value: u64) {
        // SAFETY: as for `header_field`.
        unsafe { (*self.header()).host_data = value };
    }

    /// Makes the next host call of the guest stop it. Safe to call in a signal handler.
    pub fn forbid_host_calls(&self) {
        // SAFETY: as for `header_field`.
        unsafe { (&raw mut (*self.header()).stack_limit).write_volatile(NO_HOST_CALLS as u64) };
    }

    /// Whether [`forbid_host_calls`](Self::forbid_host_calls) was called.
    pub fn host_calls_forbidden(&self) -> bool {
        self.stack_limit() == NO_HOST_CALLS
    }

    /// Undoes [`forbid_host_calls`](Self::forbid_host_calls).
    pub fn allow_host_calls(&self) {
        let limit = self.memory.stack().start as u64;
        // SAFETY: as for `header_field`.
        unsafe { (&raw mut (*self.header()).stack_limit).write_volatile(limit) };
    }

    /// The stack pointer below which no host call is made.
    pub fn stack_limit(&self) -> usize {
        // SAFETY: as for `header_field`; volatile, as a signal handler may write it.
        unsafe { (&raw const (*self.header()).stack_limit).read_volatile() as usize }
    }

    /// The largest size of memory, in pages.
    pub fn max_pages(&self) -> u32 {
        self.max_pages
    }

    /// Linear memory as a slice.
    ///
    /// # Safety
    ///
    /// While the slice lives no guest runs on this slot and nobody else has one.
    #[allow(clippy::mut_from_ref, reason = "the caller vouches that there is only one")]
    #[inline]
    pub unsafe fn bytes(&self) -> &mut [u8] {
        // SAFETY: memory is mapped up to its length; protection faults are handled.
        unsafe { slice::from_raw_parts_mut(self.base(), self.reach()) }
    }

    /// The record of the heap, if compiled code has a part in it.
    ///
    /// # Safety
    ///
    /// As for [`Slot::bytes`].
    #[allow(clippy::mut_from_ref, reason = "the caller vouches that there is only one")]
    #[inline]
    pub unsafe fn heap(&self) -> Option<&mut Heap> {
        let below = self.image().records.descriptor.heap as usize;
        // SAFETY: the record lies in the vmctx, aligned, as was checked when the image was
        // loaded; any bytes are a record. The caller vouches for the rest.
        (below > 0).then(|| unsafe { &mut *self.base().sub(below).cast() })
    }

    /// Grows memory by `delta` pages; its previous size in pages, or `None`.
    pub fn grow(&self, delta: u32) -> Option<u32> {
        let old_len = self.memory_len();
        let old = (old_len as u64 / WASM_PAGE) as u32;
        let new = old.checked_add(delta).filter(|new| *new <= self.max_pages)?;
        if delta > 0 {
            let new_len = (u64::from(new) * WASM_PAGE) as usize;
            // Up to there it is mapped already.
            if new_len > self.mapped_len {
                self.memory.grow(old_len, new_len).ok()?;
            }
            // SAFETY: as for `header_field`.
            unsafe { (*self.header()).memory_len = new_len as u64 };
        }
        Some(old)
    }

    /// `range` of memory as bytes to write, or `None` when it is not inside.
    ///
    /// # Safety
    ///
    /// As for [`Slot::bytes`].
    #[allow(clippy::mut_from_ref, reason = "the caller vouches that there is only one")]
    pub unsafe fn bytes_for_writing(&self, start: u32, len: u32) -> Option<&mut [u8]> {
        let range = self.range(start, len)?;
        if range.len() > 4096 {
            // A failure shows again, as a fault, at the first write.
            let _ = self.memory.make_writable(range.clone());
        }
        // SAFETY: the caller vouches for it.
        unsafe { self.bytes() }.get_mut(range)
    }

    /// The offsets of `len` bytes from `start` on, if memory has them.
    pub fn range(&self, start: u32, len: u32) -> Option<Range<usize>> {
        let end = start as usize + len as usize;
        (end <= self.reach()).then_some(start as usize..end)
    }

    /// The table with this index.
    pub fn table(&self, index: u32) -> Option<&RefCell<Table>> {
        let position = self.image().records.tables.iter().position(|t| t.index == index)?;
        self.tables.get(position)
    }

    /// The bytes of data segment `index`: none when it is dropped or was never passive.
    pub fn data_segment(&self, index: u32) -> &[u8] {
        let image = self.image();
        match image.records.data.iter().position(|segment| segment.index == index) {
            Some(at) if !self.dropped_data[at].get() => image.bytes(image.records.data[at].bytes),
            _ => &[],
        }
    }

    /// Drops data segment `index`.
    pub fn drop_data(&self, index: u32) {
        for (segment, dropped) in self.image().records.data.iter().zip(&self.dropped_data) {
            if segment.index == index {
                dropped.set(true);
            }
        }
    }

    /// The elements of all tables.
    pub fn table_elements(&self) -> u64 {
        self.tables.iter().map(|table| table.borrow().elements().len() as u64).sum()
    }

    /// The elements of element segment `index`: none when it is dropped or was never passive.
    pub fn element_segment(&self, index: u32) -> &[Element] {
        let found = self.image().records.elements.iter().zip(&self.dropped_elements);
        let live = |(segment, dropped): &(&(_, _), &Cell<bool>)| {
            let segment: &lithify_abi::descriptor::ElementSegment = &segment.0;
            segment.index == index && segment.form != init::DECLARED && !dropped.get()
        };
        found.into_iter().find(live).map_or(&[], |((_, items), _)| items)
    }

    /// Drops element segment `index`.
    pub fn drop_elements(&self, index: u32) {
        for ((segment, _), dropped) in
            self.image().records.elements.iter().zip(&self.dropped_elements)
        {
            if segment.index == index {
                dropped.set(true);
            }
        }
    }

    /// The vmctx as it is now, for values of globals.
    pub fn vmctx_bytes(&self) -> &[u8] {
        // SAFETY: the vmctx is mapped and this long. The slice is used at once, with no guest
        // running meanwhile.
        unsafe { slice::from_raw_parts(self.memory.vmctx(), self.vmctx.len()) }
    }

    /// Writes `bytes` at `slot`, an offset from `base` that was checked to be in the vmctx.
    pub fn write_vmctx(&self, slot: i32, bytes: &[u8]) {
        let in_vmctx = slot < 0 && slot.unsigned_abs() as usize <= self.vmctx.len();
        assert!(in_vmctx && bytes.len() <= slot.unsigned_abs() as usize, "a slot of the vmctx");
        // SAFETY: inside the vmctx, as was just checked; no guest runs meanwhile.
        unsafe {
            self.base().offset(slot as isize).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        }
    }
}
