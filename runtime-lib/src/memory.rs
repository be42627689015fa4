//! A slot's reservation: guest stack, vmctx and linear memory, and how memory becomes fresh again.
//!
//! ```text
//!  | guard | guest stack | guard | vmctx | linear memory | no access to 4 GiB | guard 2 GiB |
//!                                        base            base + len
//! ```
//!
//! Compiled code adds a 32-bit index and an offset to `base` and checks nothing: the sum is guest
//! data, or a fault that `sys::unix::signals` turns into a trap. This file is the sandbox.
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
//! Not here: who uses a memory and when (`slot.rs`, `pool.rs`), the fault (`signals.rs`).

use crate::hot::{HotSet, Inserted};
use crate::registry;
use crate::sys::unix::memfd;
use crate::sys::unix::mmap::{self, Mapping, Protection, page_size, round_up_to_page};
use crate::sys::unix::pagemap::Pagemap;
use lithify_abi::IMAGE_ALIGN;
use lithify_abi::descriptor::Extent;
use lithify_abi::vmctx::{RESERVATION, STACK_PROBE};
use std::cell::Cell;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::ptr;
use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// More than this is not kept resident in a slot: the hot set's capacity, in bytes.
const MAX_HOT: usize = 16 << 20;
/// Every so many resets the hot set is searched for pages that are no longer written.
const AUDIT_INTERVAL: u32 = 64;
/// In how many audits in a row a page must be clean to leave the hot set.
const AUDITS_TO_COOL: u32 = 2;

/// A part of memory with initial bytes other than zeros.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// Address in linear memory.
    address: usize,
    /// Length, in bytes.
    len: usize,
    /// Offset in the file.
    offset: u64,
    /// Offset in the pristine mapping.
    pristine: usize,
}

/// The initial contents of a memory: runs of a file, all multiples of the host page.
#[derive(Debug)]
pub struct MemoryImage {
    runs: Vec<Run>,
    /// The file and a mapping of it that nobody writes to.
    file: Option<(File, Mapping)>,
}

impl MemoryImage {
    /// The image whose bytes lie in `file` at `offset`. They are mapped from there when the host
    /// page allows it, else from a copy.
    pub fn from_file(file: &File, offset: u64, len: usize, extents: &[Extent]) -> io::Result<Self> {
        let page = page_size() as u64;
        let mappable = offset.is_multiple_of(page)
            && extents.iter().all(|extent| {
                [extent.address, extent.offset, extent.len]
                    .iter()
                    .all(|value| u64::from(*value).is_multiple_of(page))
            });
        if extents.is_empty() {
            return Ok(Self::empty());
        }
        if !mappable {
            let start = offset - offset % page;
            let skip = (offset - start) as usize;
            let mapping = Mapping::file(file, start, round_up_to_page(skip + len))?;
            // SAFETY: the mapping is readable and private; images are not written to.
            let bytes = unsafe { mapping.bytes() };
            return Self::copy(&bytes[skip..skip + len], extents);
        }
        let runs = extents
            .iter()
            .map(|extent| Run {
                address: extent.address as usize,
                len: extent.len as usize,
                offset: offset + u64::from(extent.offset),
                pristine: extent.offset as usize,
            })
            .collect();
        let pristine = Mapping::file(file, offset, round_up_to_page(len))?;
        Ok(Self { runs, file: Some((file.try_clone()?, pristine)) })
    }

    /// The image with these bytes, in a file of its own.
    pub fn copy(bytes: &[u8], extents: &[Extent]) -> io::Result<Self> {
        let page = page_size();
        let mut content: Vec<u8> = Vec::new();
        let mut runs: Vec<Run> = Vec::new();
        for extent in extents {
            let (address, len) = (extent.address as usize, extent.len as usize);
            let start = address - address % page;
            let end = round_up_to_page(address + len);
            match runs.last_mut().filter(|run| run.address + run.len >= start) {
                Some(run) => run.len = end - run.address,
                None => runs.push(Run {
                    address: start,
                    len: end - start,
                    offset: content.len() as u64,
                    pristine: content.len(),
                }),
            }
            let run = &runs[runs.len() - 1];
            content.resize(run.pristine + run.len, 0);
            let at = run.pristine + address - run.address;
            let from = extent.offset as usize;
            content[at..at + len].copy_from_slice(&bytes[from..from + len]);
        }
        if content.is_empty() {
            return Ok(Self::empty());
        }
        let file = memfd::sealed(&content)?;
        let pristine = Mapping::file(&file, 0, content.len())?;
        Ok(Self { runs, file: Some((file, pristine)) })
    }

    fn empty() -> Self {
        Self { runs: Vec::new(), file: None }
    }

    /// Where the initial bytes of the page at `address` are; null for zeros.
    fn source(&self, address: usize) -> *const u8 {
        let next = self.runs.partition_point(|run| run.address <= address);
        let Some((run, (_, pristine))) = next
            .checked_sub(1)
            .map(|index| &self.runs[index])
            .filter(|run| address < run.address + run.len)
            .zip(self.file.as_ref())
        else {
            return ptr::null();
        };
        pristine.at(run.pristine + address - run.address)
    }
}

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
    layout: Layout,
    image: Arc<MemoryImage>,
    hot: HotSet,
    open: AtomicBool,
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
        let used = guard + stack_len + page + vmctx_len;
        let base = used.next_multiple_of(align);
        let stack = base - used + guard..base - used + guard + stack_len;
        let memory = Self {
            mapping: Mapping::reserve(base + RESERVATION as usize, align)?,
            hot: HotSet::new(layout.memory_len / page, MAX_HOT / page)?,
            image: Arc::clone(image),
            open: AtomicBool::new(true),
            resets: Cell::new(0),
            base,
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
            for (run, (file, _)) in self.image.runs.iter().zip(self.image.file.iter().cycle()) {
                let range = self.base + run.address..self.base + run.address + run.len;
                self.mapping.map_file(range, file, run.offset, Protection::ReadWrite)?;
            }
        }
        self.mapping.forbid_huge_pages(all);
        Ok(())
    }

    fn can_scan() -> bool {
        static CAN: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
        *CAN.get_or_init(|| {
            Mapping::zeros(page_size()).is_ok_and(|mapping| {
                let start = mapping.start() as usize;
                let scan = |map: Pagemap| map.written(start..start + mapping.len(), |_| ());
                Pagemap::open().and_then(scan).is_ok()
            })
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

    /// The addresses below the guest stack that catch its overflow.
    pub fn stack_guard(&self) -> Range<usize> {
        let start = self.mapping.start() as usize;
        start..start + self.stack.start
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
        let page = page_size();
        let index = offset / page;
        if self.hot.insert(index) != Inserted::Full {
            // SAFETY: more access to our own page; it stays what references expect. When another
            // thread added the page it may not have come this far, so it is done again.
            let done = unsafe {
                mmap::protect(
                    self.mapping.at(self.base + index * page),
                    page,
                    Protection::ReadWrite,
                )
            };
            if done.is_ok() {
                return Ok(true);
            }
        }
        // The set is full or the kernel has no mapping left to split: give up on single pages.
        self.open_all()?;
        Ok(true)
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
        self.check_canary();
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
        let mut index = 0;
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
                unsafe {
                    self.mapping.protect(offset..offset + page, Protection::Read)?;
                    self.mapping.give_back(offset..offset + page)?;
                }
                self.hot.swap_remove(index);
                continue;
            }
            index += 1;
        }
        Ok(())
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
        let mut pages: Vec<usize> = self.hot.hot().iter().map(|hot| hot.page()).collect();
        pages.sort_unstable();
        let all = self.base..self.base + self.layout.memory_len;
        // SAFETY: the caller vouches for references.
        unsafe {
            self.mapping.protect(all, Protection::Read)?;
            for run in pages.chunk_by(|a, b| a + 1 == *b) {
                let start = self.base + run[0] * page;
                let range = start..start + run.len() * page;
                if self.mapping.protect(range, Protection::ReadWrite).is_err() {
                    // Too many mappings: this memory stays open.
                    return self.open_all();
                }
            }
        }
        self.open.store(false, Ordering::Release);
        Ok(())
    }

    fn canary(&self) -> *mut [u8; CANARY_LEN] {
        self.mapping.at(self.base - self.layout.vmctx_len - CANARY_LEN).cast()
    }

    fn set_canary(&self) {
        // SAFETY: the vmctx's mapping has room for it below the vmctx.
        unsafe { self.canary().write(CANARY) };
    }

    /// Checks, in debug builds, that nobody wrote below the vmctx.
    pub fn check_canary(&self) {
        // SAFETY: the vmctx's mapping has room for it below the vmctx.
        debug_assert_eq!(unsafe { self.canary().read() }, CANARY, "written below the vmctx");
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
#[path = "memory_tests.rs"]
mod tests;
