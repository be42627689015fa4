//! Linear memory of a slot, and how it becomes fresh again.
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
//! Not here: where it lies (`reservation.rs`), the initial contents (`image/memory_image.rs`), who uses a
//! memory and when (`slot.rs`, `shelves.rs`), the fault (`call/fault.rs`).

use super::hot_set::{HotSet, Inserted};
use super::registry;
use super::reservation::{Reservation, Sizes};
use crate::image::memory_image::MemoryImage;
use crate::sys::linux::mmap::{Mapping, Protection, page_size};
use crate::sys::linux::pagemap::Pagemap;
use std::cell::Cell;
use std::io;
use std::ops::Range;
use std::slice;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

/// More than this is not kept resident in a slot: the hot set's capacity, in bytes.
const MAX_HOT: usize = 16 << 20;
/// More writable runs of pages are not made: each is a mapping of the process, which may have some
/// 65 000 in all. Pages between runs become hot to stay below it.
const MAX_RUNS: usize = 256;
/// Changed contents that lie no further apart than this are kept as one range, in bytes, or further
/// where there would be more of them than this.
const MIN_GAP: usize = 16 << 10;
const MAX_RANGES: usize = 64;
/// After so many first writes since it was closed, memory is opened and learns anew.
const MAX_FAULTS: u32 = 256;
/// How many pages a first write makes writable after that where memory cannot learn otherwise.
const FAULT_STEP: usize = 16;
/// Every so many resets the hot set is searched for pages that are no longer written.
const AUDIT_INTERVAL: u32 = 64;
/// In how many audits in a row a page must be clean to leave the hot set.
const AUDITS_TO_COOL: u32 = 2;

/// A linear memory, with all else that its reservation holds.
pub struct Memory {
    reservation: Reservation,
    /// Its initial length, in bytes.
    len: usize,
    image: Arc<MemoryImage>,
    hot: HotSet,
    open: AtomicBool,
    /// Whether the kernel refused to make pages writable.
    refused: AtomicBool,
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
    pub fn new(sizes: Sizes, image: &Arc<MemoryImage>) -> io::Result<Box<Self>> {
        let page = page_size();
        let len = sizes.memory_len;
        let memory = Self {
            reservation: Reservation::new(sizes)?,
            len,
            hot: HotSet::new(len / page, MAX_HOT / page)?,
            image: Arc::clone(image),
            open: AtomicBool::new(true),
            refused: AtomicBool::new(false),
            faults: AtomicU32::new(0),
            resets: Cell::new(0),
        };
        // SAFETY: the reservation is new, nothing refers to it.
        unsafe { memory.map_initial()? };
        if !Self::can_scan() {
            // SAFETY: as above.
            unsafe { memory.close()? };
        }
        let memory = Box::new(memory);
        registry::add(&memory);
        Ok(memory)
    }

    /// Where it lies, and what lies around it.
    #[inline]
    pub fn reservation(&self) -> &Reservation {
        &self.reservation
    }

    /// Its address.
    #[inline]
    pub fn base(&self) -> *mut u8 {
        self.reservation.base()
    }

    /// Maps the initial contents, writable.
    ///
    /// # Safety
    ///
    /// No reference into memory exists.
    unsafe fn map_initial(&self) -> io::Result<()> {
        // SAFETY: the caller vouches for references; the runs lie inside memory, which the
        // records were checked for.
        unsafe {
            self.reservation.protect(0..self.len, Protection::ReadWrite)?;
            for (run, file, offset) in self.image.mappings() {
                self.reservation.map_file(run, file, offset)?;
            }
        }
        self.reservation.forbid_huge_pages(0..self.len);
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

    /// Handles a write to `address` that the page's protection forbids. `Ok(false)` when the
    /// address is not one of memory's initial pages; after an error the memory cannot be
    /// [reset](Self::reset) any more. Safe to call in a signal handler.
    pub fn first_write(&self, address: usize) -> io::Result<bool> {
        let offset = address.wrapping_sub(self.base() as usize);
        if offset >= self.len {
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
        let pages = first..(first + step).min(self.len / page);
        if pages.clone().all(|index| self.hot.insert(index) != Inserted::Full) {
            let bytes = pages.start * page..pages.end * page;
            // SAFETY: more access to our own pages; they stay what references expect. When another
            // thread added them it may not have come this far, so it is done in any case.
            if unsafe { self.reservation.protect(bytes, Protection::ReadWrite) }.is_ok() {
                return Ok(true);
            }
        }
        // The set is full, or the kernel has no mapping left to split.
        self.open_all().map(|()| true)
    }

    fn open_all(&self) -> io::Result<()> {
        self.open.store(true, Ordering::Release);
        // SAFETY: more access to our own pages; references keep what they expect.
        let done = unsafe { self.reservation.protect(0..self.len, Protection::ReadWrite) };
        // Hot pages may be read-only now.
        self.refused.fetch_or(done.is_err(), Ordering::Relaxed);
        done
    }

    /// Makes the bytes of `range`, offsets in memory, writable without a fault for each page.
    pub fn make_writable(&self, range: Range<usize>) -> io::Result<()> {
        let page = page_size();
        let end = range.end.min(self.len);
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
        let bytes = pages.start * page..pages.end * page;
        // SAFETY: more access to our own pages; references keep what they expect.
        let done = unsafe { self.reservation.protect(bytes, Protection::ReadWrite) };
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

    /// What the first `len` bytes are now, as the initial contents of other memories. Nobody writes
    /// to this one meanwhile.
    pub fn contents(&self, len: usize) -> io::Result<MemoryImage> {
        let (page, base) = (page_size(), self.base() as usize);
        // SAFETY: readable memory, which nobody writes to now.
        let now = |range: Range<usize>| unsafe {
            slice::from_raw_parts(self.base().add(range.start), range.len())
        };
        let mut written = Vec::new();
        let scanned = Pagemap::open().and_then(|map| {
            map.written(base..base + len, |found| {
                written.push(found.start - base..found.end - base);
            })
        });
        if scanned.is_err() {
            // What is zero in both needs no page.
            let pages = (0..len / page).map(|index| index * page..(index + 1) * page);
            let there = |pages: &Range<usize>| {
                !self.image.source(pages.start).is_null()
                    || now(pages.clone()).iter().any(|byte| *byte != 0)
            };
            written = pages.filter(there).collect();
        }
        // Each range is a mapping: what lies between some of them is copied, too.
        let mut gap = MIN_GAP;
        loop {
            written.dedup_by(|next, last| {
                let near = next.start - last.end <= gap;
                if near {
                    last.end = next.end;
                }
                near
            });
            if written.len() <= MAX_RANGES {
                return self.image.changed(&written, now);
            }
            gap *= 2;
        }
    }

    /// Makes memory `new_len` bytes long instead of `old_len`.
    pub fn grow(&self, old_len: usize, new_len: usize) -> io::Result<()> {
        debug_assert!(self.len <= old_len && old_len <= new_len);
        // SAFETY: the range was inaccessible, so nothing refers to it.
        unsafe { self.reservation.protect(old_len..new_len, Protection::ReadWrite)? };
        self.reservation.forbid_huge_pages(old_len..new_len);
        Ok(())
    }

    /// Gives memory, which is `len` bytes long now, its initial contents and length. After an
    /// error it must not be used again.
    ///
    /// # Safety
    ///
    /// No reference into memory exists and nobody uses it.
    pub unsafe fn reset(&self, len: usize) -> io::Result<()> {
        if self.refused.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        // SAFETY: the caller vouches for all of it.
        unsafe {
            self.reservation.forget(self.len..len)?;
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
                restore_page(self.reservation.at(hot.page() * page), hot.source.get());
            };
        }
        Ok(())
    }

    /// Drops pages from the hot set that were clean in several audits.
    unsafe fn audit(&self) -> io::Result<()> {
        let page = page_size();
        let (mut index, mut cooled) = (0, false);
        while let Some(hot) = self.hot.hot().get(index) {
            let offset = hot.page() * page;
            // SAFETY: a page of memory, which nobody writes to now.
            if !unsafe { is_pristine(self.reservation.at(offset), hot.source.get()) } {
                hot.idle.set(0);
            } else if hot.idle.get() + 1 < AUDITS_TO_COOL {
                hot.idle.set(hot.idle.get() + 1);
            } else {
                // SAFETY: the caller vouches for references. The page has its initial bytes,
                // which are also what is left after it was given back.
                unsafe { self.reservation.give_back(offset..offset + page)? };
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
            pagemap.written(base..base + self.len, |range| {
                for address in range.step_by(page) {
                    full |= self.hot.insert((address - base) / page) == Inserted::Full;
                }
            })
        });
        if full || scanned.is_err() {
            self.hot.clear();
            // SAFETY: the caller vouches for references. What is left is what is mapped there.
            unsafe { self.reservation.give_back(0..self.len)? };
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
        let mut failed = false;
        // SAFETY: the caller vouches for references.
        unsafe { self.reservation.protect(0..self.len, Protection::Read)? };
        for run in self.hot_runs() {
            let range = run.start * page..run.end * page;
            let cold = run.filter(|index| self.hot.insert(*index) == Inserted::Full).count();
            // SAFETY: as above.
            failed |= unsafe { self.reservation.protect(range, Protection::ReadWrite) }.is_err();
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

    /// Checks that every page that was ever written has its initial bytes.
    #[cfg(debug_assertions)]
    fn check_pristine(&self) {
        let base = self.base() as usize;
        let all = base..base + self.len;
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
