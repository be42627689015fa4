//! A slot's reservation: guest stack, vmctx and linear memory, and how memory becomes fresh again.
//!
//! ```text
//!  | guard | host's room | guest stack | guard | vmctx | linear memory | no access to 4 GiB | guard 2 GiB |
//!                                                      base            base + len
//! ```
//!
//! Compiled code adds a 32-bit index and an offset to `base` and checks nothing: the sum is guest
//! data, or a fault that `call/fault.rs` turns into a trap. This file is the sandbox.
//!
//! Host functions run on what the guest has left of its stack, and where that ends they go on into
//! the host's room. Nothing of it is accessible before a host function needs it (`open_room`), so
//! a guest's own stack ends where it says, and the room costs address space only.
//!
//! Initial contents are mapped from a file, so a new memory costs nothing but the mapping. Then
//! it is *open* or *closed*:
//!
//! - Open: all of it is writable. After the call the kernel tells which pages were written; they
//!   become the hot set, and memory is closed. A memory starts open.
//! - Closed: the pages of the hot set are writable, all others only readable. A write to another
//!   page faults, and the handler adds it to the set. After a call the hot pages get their first
//!   bytes back and stay writable, so the next call that writes the same pages meets the kernel
//!   nowhere.
//!
//! What memory gained by growing is writable until the end of the call and replaced then.
//!
//! Not here: the initial contents (`image/memory_image.rs`), who uses a memory and when (`slot.rs`,
//! `shelves.rs`), the fault (`call/fault.rs`).

use super::hot_set::{HotSet, Inserted};
use super::registry;
use crate::image::memory_image::MemoryImage;
use crate::sys::linux::mmap::{self, Mapping, Protection, page_size, round_up_to_page};
use crate::sys::linux::pagemap::Pagemap;
use lithify_abi::IMAGE_ALIGN;
use lithify_abi::vmctx::{RESERVATION, STACK_PROBE};
use std::cell::Cell;
use std::io;
use std::ops::Range;
use std::slice;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// More than this is not kept resident in a slot: the hot set's capacity, in bytes.
const MAX_HOT: usize = 16 << 20;
/// More writable runs of pages are not made: each is a mapping of the process, which may have some
/// 65 000 in all. Pages between runs become hot to stay below it.
const MAX_RUNS: usize = 256;
/// After so many first writes since it was closed, memory is opened and learns anew.
const MAX_FAULTS: u32 = 256;
/// How many pages a first write makes writable after that where memory cannot learn otherwise.
const FAULT_STEP: usize = 16;
/// Every so many resets the hot set is searched for pages that are no longer written.
const AUDIT_INTERVAL: u32 = 64;
/// In how many audits in a row a page must be clean to leave the hot set.
const AUDITS_TO_COOL: u32 = 2;

/// The host's room: address space below the guest stack that host functions may go on to, in
/// bytes. What recurses with the state (`trie_db`, some 3 kB for each key that begins with the
/// one before) needs more bytes of keys to fill it than a chain's state has.
pub const HOST_ROOM: usize = 256 << 20;
/// How much of the host's room becomes accessible beyond an address that was needed, in bytes.
const ROOM_STEP: usize = 1 << 20;

/// Sizes of a reservation, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Memory before the first call.
    pub memory_len: usize,
    /// The guest stack.
    pub stack_len: usize,
    /// The vmctx.
    pub vmctx_len: usize,
}

/// A reservation with everything a guest can touch.
pub struct Memory {
    mapping: Mapping,
    /// Where linear memory starts in the mapping.
    base: usize,
    stack: Range<usize>,
    /// Where the host's room starts; it ends at the stack.
    room: usize,
    /// From where on the host's room is accessible.
    open_room: AtomicUsize,
    layout: Layout,
    image: Arc<MemoryImage>,
    hot: HotSet,
    open: AtomicBool,
    /// First writes since memory was closed.
    faults: AtomicU32,
    resets: Cell<u32>,
}

// SAFETY: a memory is used by one thread at a time, except for what the signal handler does on
// any thread: that goes through atomics.
unsafe impl Send for Memory {}
// SAFETY: as above; the methods that must not run at once with others are unsafe.
unsafe impl Sync for Memory {}

impl Memory {
    /// Reserves and maps it all.
    pub fn new(layout: Layout, image: &Arc<MemoryImage>) -> io::Result<Box<Self>> {
        let page = page_size();
        let align = IMAGE_ALIGN as usize;
        let guard = round_up_to_page(STACK_PROBE as usize);
        let stack_len = round_up_to_page(layout.stack_len);
        // The canary lies between the end of the mapped vmctx and the vmctx itself.
        let vmctx_len = round_up_to_page(layout.vmctx_len + CANARY_LEN);
        let used = guard + HOST_ROOM + stack_len + page + vmctx_len;
        let base = used.next_multiple_of(align);
        let room = base - used + guard;
        let stack = room + HOST_ROOM..room + HOST_ROOM + stack_len;
        let memory = Self {
            mapping: Mapping::reserve(base + RESERVATION as usize, align)?,
            hot: HotSet::new(layout.memory_len / page, MAX_HOT / page)?,
            image: Arc::clone(image),
            open: AtomicBool::new(true),
            faults: AtomicU32::new(0),
            resets: Cell::new(0),
            base,
            room,
            open_room: AtomicUsize::new(stack.start),
            stack,
            layout,
        };
        let vmctx = base - vmctx_len..base;
        // SAFETY: the mapping is new, nothing refers to it.
        unsafe {
            memory.mapping.protect(memory.stack.clone(), Protection::ReadWrite)?;
            memory.mapping.protect(vmctx, Protection::ReadWrite)?;
            memory.map_initial()?;
        }
        memory.set_canary();
        if !Self::can_scan() {
            // SAFETY: as above.
            unsafe { memory.close()? };
        }
        let memory = Box::new(memory);
        registry::add(&memory);
        Ok(memory)
    }

    /// Maps the initial contents, writable.
    ///
    /// # Safety
    ///
    /// No reference into memory exists.
    unsafe fn map_initial(&self) -> io::Result<()> {
        let all = self.base..self.base + self.layout.memory_len;
        // SAFETY: the caller vouches for references; the runs lie inside memory, which the
        // records were checked for.
        unsafe {
            self.mapping.protect(all.clone(), Protection::ReadWrite)?;
            for (run, file, offset) in self.image.mappings() {
                let range = self.base + run.start..self.base + run.end;
                self.mapping.map_file(range, file, offset, Protection::ReadWrite)?;
            }
        }
        self.mapping.forbid_huge_pages(all);
        Ok(())
    }

    /// Whether the kernel can tell which pages were written.
    fn can_scan() -> bool {
        static CAN: OnceLock<bool> = OnceLock::new();
        *CAN.get_or_init(|| {
            let scan = |page: Mapping| {
                let start = page.start() as usize;
                Pagemap::open()?.written(start..start + page.len(), |_| ())
            };
            Mapping::zeros(page_size()).and_then(scan).is_ok()
        })
    }

    /// Address of linear memory.
    #[inline]
    pub fn base(&self) -> *mut u8 {
        self.mapping.at(self.base)
    }

    /// The addresses of the guest stack.
    #[inline]
    pub fn stack(&self) -> Range<usize> {
        let start = self.mapping.start() as usize;
        start + self.stack.start..start + self.stack.end
    }

    /// The addresses below the guest stack that catch its overflow: the host's room among them.
    pub fn stack_guard(&self) -> Range<usize> {
        let start = self.mapping.start() as usize;
        start..start + self.stack.start
    }

    /// Gives a host function that needs the stack at `address` more of its room. `false` when that
    /// is not in the room, or the system refuses. Safe to call in a signal handler.
    pub fn open_room(&self, address: usize) -> bool {
        let offset = address.wrapping_sub(self.mapping.start() as usize);
        let open = self.open_room.load(Ordering::Relaxed);
        if offset < self.room || offset >= open {
            return false;
        }
        let from = offset.saturating_sub(ROOM_STEP).max(self.room) & !(page_size() - 1);
        // SAFETY: nobody could use these pages of ours before.
        let done = unsafe { self.mapping.protect(from..open, Protection::ReadWrite) };
        if done.is_ok() {
            self.open_room.store(from, Ordering::Relaxed);
        }
        done.is_ok()
    }

    /// Takes back what host functions needed of their room.
    ///
    /// # Safety
    ///
    /// Nobody uses the stack.
    #[inline]
    pub unsafe fn close_room(&self) {
        if self.open_room.load(Ordering::Relaxed) != self.stack.start {
            // SAFETY: the caller vouches for it.
            unsafe { self.close_open_room() };
        }
    }

    #[cold]
    unsafe fn close_open_room(&self) {
        let open = self.open_room.load(Ordering::Relaxed)..self.stack.start;
        // SAFETY: the caller vouches that nobody uses it. Where the system refuses, it stays open.
        if unsafe { self.mapping.map_zeros(open, Protection::None) }.is_ok() {
            self.open_room.store(self.stack.start, Ordering::Relaxed);
        }
    }

    /// The lowest byte of the vmctx.
    pub fn vmctx(&self) -> *mut u8 {
        self.mapping.at(self.base - self.layout.vmctx_len)
    }

    /// Handles a write to `address` that the page's protection forbids. `Ok(false)` when the
    /// address is not one of memory's initial pages. Safe to call in a signal handler.
    pub fn first_write(&self, address: usize) -> io::Result<bool> {
        let offset = address.wrapping_sub(self.base() as usize);
        if offset >= self.layout.memory_len {
            return Ok(false);
        }
        let faults = self.faults.fetch_add(1, Ordering::Relaxed);
        // So many first writes: this call is unlike the earlier ones. A scan after it teaches
        // more cheaply than faults; without a scan they have to go on, but in larger steps.
        let step = if faults < MAX_FAULTS { 1 } else { FAULT_STEP };
        if step > 1 && Self::can_scan() {
            return self.open_all().map(|()| true);
        }
        let page = page_size();
        let index = offset / page;
        let first = index - index % step;
        let pages = first..(first + step).min(self.layout.memory_len / page);
        if pages.clone().all(|index| self.hot.insert(index) != Inserted::Full) {
            let start = self.mapping.at(self.base + pages.start * page);
            // SAFETY: more access to our own pages; they stay what references expect. When another
            // thread added them it may not have come this far, so it is done in any case.
            let done = unsafe { mmap::protect(start, pages.len() * page, Protection::ReadWrite) };
            if done.is_ok() {
                return Ok(true);
            }
        }
        // The set is full, or the kernel has no mapping left to split.
        self.open_all().map(|()| true)
    }

    fn open_all(&self) -> io::Result<()> {
        self.open.store(true, Ordering::Release);
        // SAFETY: more access to our own pages; references keep what they expect.
        unsafe { mmap::protect(self.base(), self.layout.memory_len, Protection::ReadWrite) }
    }

    /// Makes the bytes of `range`, offsets in memory, writable without a fault for each page.
    pub fn make_writable(&self, range: Range<usize>) -> io::Result<()> {
        let page = page_size();
        let end = range.end.min(self.layout.memory_len);
        if self.open.load(Ordering::Acquire) || range.start >= end {
            return Ok(());
        }
        let pages = range.start / page..end.div_ceil(page);
        let mut cold = false;
        for index in pages.clone() {
            match self.hot.insert(index) {
                Inserted::New => cold = true,
                Inserted::Already => {}
                Inserted::Full => return self.open_all(),
            }
        }
        if !cold {
            return Ok(());
        }
        let start = self.mapping.at(self.base + pages.start * page);
        // SAFETY: more access to our own pages; references keep what they expect.
        let done = unsafe { mmap::protect(start, pages.len() * page, Protection::ReadWrite) };
        done.or_else(|_| self.open_all())
    }

    /// How many host pages of the first `len` bytes were written since they were mapped.
    pub fn written_pages(&self, len: usize) -> io::Result<usize> {
        let base = self.base() as usize;
        let mut pages = 0;
        Pagemap::open()?
            .written(base..base + len, |range| pages += range.len() / page_size())
            .map(|()| pages)
    }

    /// Makes memory `new_len` bytes long instead of `old_len`.
    pub fn grow(&self, old_len: usize, new_len: usize) -> io::Result<()> {
        debug_assert!(self.layout.memory_len <= old_len && old_len <= new_len);
        let range = self.base + old_len..self.base + new_len;
        // SAFETY: the range was inaccessible, so nothing refers to it.
        unsafe { self.mapping.protect(range.clone(), Protection::ReadWrite)? };
        self.mapping.forbid_huge_pages(range);
        Ok(())
    }

    /// Gives memory, which is `len` bytes long now, its initial contents and length. After an
    /// error it must not be used again.
    ///
    /// # Safety
    ///
    /// No reference into memory exists and nobody uses it.
    pub unsafe fn reset(&self, len: usize) -> io::Result<()> {
        let initial = self.layout.memory_len;
        // SAFETY: the caller vouches for all of it.
        unsafe {
            self.mapping.map_zeros(self.base + initial..self.base + len, Protection::None)?;
            if self.open.load(Ordering::Acquire) {
                self.learn()?;
            } else {
                self.restore()?;
            }
        }
        #[cfg(debug_assertions)]
        self.check_pristine();
        Ok(())
    }

    /// Restores the hot pages.
    unsafe fn restore(&self) -> io::Result<()> {
        self.hot.resolve(|page| self.image.source(page * page_size()));
        let resets = self.resets.get().wrapping_add(1);
        self.resets.set(resets);
        if resets.is_multiple_of(AUDIT_INTERVAL) {
            // SAFETY: the caller vouches for references.
            unsafe { self.audit()? };
        }
        let page = page_size();
        for hot in self.hot.hot() {
            // SAFETY: a hot page lies in memory and is writable; its source is a page of the
            // pristine mapping, or null; the caller vouches for references.
            unsafe {
                restore_page(self.mapping.at(self.base + hot.page() * page), hot.source.get());
            };
        }
        Ok(())
    }

    /// Drops pages from the hot set that were clean in several audits.
    unsafe fn audit(&self) -> io::Result<()> {
        let page = page_size();
        let (mut index, mut cooled) = (0, false);
        while let Some(hot) = self.hot.hot().get(index) {
            let offset = self.base + hot.page() * page;
            // SAFETY: a page of memory, which nobody writes to now.
            if !unsafe { is_pristine(self.mapping.at(offset), hot.source.get()) } {
                hot.idle.set(0);
            } else if hot.idle.get() + 1 < AUDITS_TO_COOL {
                hot.idle.set(hot.idle.get() + 1);
            } else {
                // SAFETY: the caller vouches for references. The page has its initial bytes,
                // which are also what is left after it was given back.
                unsafe { self.mapping.give_back(offset..offset + page)? };
                self.hot.swap_remove(index);
                cooled = true;
                continue;
            }
            index += 1;
        }
        match cooled {
            // SAFETY: the caller vouches for references.
            true => unsafe { self.close() },
            false => Ok(()),
        }
    }

    /// Restores an open memory; closes it unless too much of it was written.
    unsafe fn learn(&self) -> io::Result<()> {
        let page = page_size();
        let base = self.base() as usize;
        self.hot.clear();
        let mut full = false;
        let scanned = Pagemap::open().and_then(|pagemap| {
            pagemap.written(base..base + self.layout.memory_len, |range| {
                for address in range.step_by(page) {
                    full |= self.hot.insert((address - base) / page) == Inserted::Full;
                }
            })
        });
        if full || scanned.is_err() {
            self.hot.clear();
            let all = self.base..self.base + self.layout.memory_len;
            // SAFETY: the caller vouches for references. What is left is what is mapped there.
            unsafe { self.mapping.give_back(all)? };
            if full {
                return Ok(());
            }
        } else {
            // SAFETY: everything is writable, as memory is open.
            unsafe { self.restore()? };
        }
        // SAFETY: the caller vouches for references.
        unsafe { self.close() }
    }

    /// Makes all pages but the hot ones read-only.
    unsafe fn close(&self) -> io::Result<()> {
        let page = page_size();
        let all = self.base..self.base + self.layout.memory_len;
        let mut failed = false;
        // SAFETY: the caller vouches for references.
        unsafe { self.mapping.protect(all, Protection::Read)? };
        for run in self.hot_runs() {
            let range = self.base + run.start * page..self.base + run.end * page;
            let cold = run.filter(|index| self.hot.insert(*index) == Inserted::Full).count();
            // SAFETY: as above.
            failed |= unsafe { self.mapping.protect(range, Protection::ReadWrite) }.is_err();
            failed |= cold > 0;
        }
        if failed {
            // Too many mappings or pages: this memory stays open.
            return self.open_all();
        }
        self.faults.store(0, Ordering::Relaxed);
        self.open.store(false, Ordering::Release);
        Ok(())
    }

    /// The hot pages as at most [`MAX_RUNS`] ranges, which may contain others in between.
    fn hot_runs(&self) -> Vec<Range<usize>> {
        let mut pages: Vec<usize> = self.hot.hot().iter().map(|hot| hot.page()).collect();
        pages.sort_unstable();
        let mut gap = 1;
        loop {
            let runs = pages.chunk_by(|a, b| b - a <= gap);
            let runs: Vec<_> = runs.map(|run| run[0]..run[run.len() - 1] + 1).collect();
            if runs.len() <= MAX_RUNS {
                return runs;
            }
            gap *= 2;
        }
    }

    fn canary(&self) -> *mut [u8; CANARY_LEN] {
        self.mapping.at(self.base - self.layout.vmctx_len - CANARY_LEN).cast()
    }

    fn set_canary(&self) {
        // SAFETY: the vmctx's mapping has room for it below the vmctx.
        unsafe { self.canary().write(CANARY) };
    }

    /// Checks that nobody wrote below the vmctx.
    pub fn check_canary(&self) {
        // SAFETY: the vmctx's mapping has room for it below the vmctx.
        assert_eq!(unsafe { self.canary().read() }, CANARY, "written below the vmctx");
    }

    /// Checks that every page that was ever written has its initial bytes.
    #[cfg(debug_assertions)]
    fn check_pristine(&self) {
        let base = self.base() as usize;
        let all = base..base + self.layout.memory_len;
        let _ = Pagemap::open().and_then(|pagemap| {
            pagemap.written(all, |range| {
                for address in range.step_by(page_size()) {
                    let source = self.image.source(address - base);
                    // SAFETY: a readable page of memory that nobody writes to now.
                    let pristine = unsafe { is_pristine(address as *const u8, source) };
                    assert!(pristine, "page {:#x} keeps what a call wrote", address - base);
                }
            })
        });
    }
}

const CANARY_LEN: usize = 64;
const CANARY: [u8; CANARY_LEN] = [0xc5; CANARY_LEN];

impl Drop for Memory {
    fn drop(&mut self) {
        registry::remove(self);
    }
}

/// Copies a page from `source`, or zeros when that is null.
///
/// # Safety
///
/// `page` is a writable host page, `source` a readable one or null; nobody else uses them.
unsafe fn restore_page(page: *mut u8, source: *const u8) {
    // SAFETY: the caller vouches for both.
    unsafe {
        match source.is_null() {
            true => page.write_bytes(0, page_size()),
            false => page.copy_from_nonoverlapping(source, page_size()),
        }
    }
}

/// Whether a page has the bytes of `source`, or zeros when that is null.
///
/// # Safety
///
/// As for [`restore_page`]; `page` need only be readable.
unsafe fn is_pristine(page: *const u8, source: *const u8) -> bool {
    // SAFETY: the caller vouches for both.
    let (page, source) = unsafe {
        let source = (!source.is_null()).then(|| slice::from_raw_parts(source, page_size()));
        (slice::from_raw_parts(page, page_size()), source)
    };
    match source {
        Some(source) => page == source,
        None => page.as_chunks::<64>().0.iter().all(|chunk| *chunk == [0; 64]),
    }
}

#[cfg(test)]
mod tests;
