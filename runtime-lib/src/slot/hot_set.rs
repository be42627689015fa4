//! The hot set: the pages of a memory that are writable, and to be restored after a call.
//!
//! A bitmap and a list in one mapping that is made with the memory: the signal handler adds to
//! it, so nothing is allocated later. Several threads may add at once; everything else happens
//! while nobody runs on the memory.

use crate::sys::linux::mmap::{Mapping, page_size};
use std::cell::Cell;
use std::io;
use std::ptr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// A page of the set.
#[repr(C)]
pub struct HotPage {
    /// Number of the page in memory.
    page: AtomicU32,
    /// In how many audits in a row it had its initial bytes.
    pub idle: Cell<u32>,
    /// Where its initial bytes are; null for zeros. Known from its first reset on.
    pub source: Cell<*const u8>,
}

impl HotPage {
    /// Number of the page in memory.
    pub fn page(&self) -> usize {
        self.page.load(Ordering::Relaxed) as usize
    }
}

/// What became of an insertion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// The page is new in the set.
    New,
    /// It was there.
    Already,
    /// The set is full and does not hold it.
    Full,
}

/// The set.
pub struct HotSet {
    mapping: Mapping,
    /// Pages that the bitmap covers.
    pages: usize,
    capacity: usize,
    len: AtomicU32,
    /// How many pages at the front of the list know their source.
    resolved: Cell<usize>,
}

impl HotSet {
    /// An empty set for a memory of `pages` pages that takes up to `capacity` of them.
    pub fn new(pages: usize, capacity: usize) -> io::Result<Self> {
        let list = (capacity * size_of::<HotPage>()).next_multiple_of(page_size());
        let bitmap = (pages.div_ceil(64) * size_of::<u64>()).next_multiple_of(page_size());
        Ok(Self {
            mapping: Mapping::zeros(list + bitmap.max(page_size()))?,
            pages,
            capacity,
            len: AtomicU32::new(0),
            resolved: Cell::new(0),
        })
    }

    fn list(&self) -> &[HotPage] {
        // SAFETY: the mapping starts with `capacity` records, for which zeros are a valid state;
        // all their fields have interior mutability.
        unsafe { std::slice::from_raw_parts(self.mapping.start().cast(), self.capacity) }
    }

    fn bitmap(&self) -> &[AtomicU64] {
        let list = (self.capacity * size_of::<HotPage>()).next_multiple_of(page_size());
        // SAFETY: the bitmap starts on the page after the list and has a bit for every page.
        unsafe { std::slice::from_raw_parts(self.mapping.at(list).cast(), self.pages.div_ceil(64)) }
    }

    /// The pages in the set.
    pub fn hot(&self) -> &[HotPage] {
        let len = self.len.load(Ordering::Acquire) as usize;
        &self.list()[..len.min(self.capacity)]
    }

    /// Whether `page` is in the set.
    #[cfg(test)]
    pub fn contains(&self, page: usize) -> bool {
        self.bitmap()[page / 64].load(Ordering::Relaxed) >> (page % 64) & 1 == 1
    }

    /// Adds a page. Safe to call in a signal handler and on several threads.
    pub fn insert(&self, page: usize) -> Inserted {
        let (word, bit) = (&self.bitmap()[page / 64], 1 << (page % 64));
        if word.fetch_or(bit, Ordering::AcqRel) & bit != 0 {
            return Inserted::Already;
        }
        let index = self.len.fetch_add(1, Ordering::AcqRel) as usize;
        let Some(place) = self.list().get(index) else {
            self.len.fetch_sub(1, Ordering::AcqRel);
            word.fetch_and(!bit, Ordering::AcqRel);
            return Inserted::Full;
        };
        place.page.store(page as u32, Ordering::Release);
        Inserted::New
    }

    /// Finds the source of every page that does not know it yet.
    pub fn resolve(&self, source: impl Fn(usize) -> *const u8) {
        let hot = self.hot();
        for place in &hot[self.resolved.get()..] {
            place.source.set(source(place.page()));
            place.idle.set(0);
        }
        self.resolved.set(hot.len());
    }

    /// Removes the page at `index` of the list; the last one takes its place.
    pub fn swap_remove(&self, index: usize) {
        let hot = self.hot();
        let (place, last) = (&hot[index], &hot[hot.len() - 1]);
        let page = place.page();
        self.bitmap()[page / 64].fetch_and(!(1 << (page % 64)), Ordering::AcqRel);
        place.page.store(last.page() as u32, Ordering::Relaxed);
        place.idle.set(last.idle.get());
        place.source.set(last.source.get());
        self.len.store(hot.len() as u32 - 1, Ordering::Release);
        self.resolved.set(self.resolved.get().min(hot.len() - 1));
    }

    /// Removes all pages.
    pub fn clear(&self) {
        for place in self.hot() {
            let page = place.page();
            self.bitmap()[page / 64].store(0, Ordering::Relaxed);
            place.source.set(ptr::null());
        }
        self.len.store(0, Ordering::Release);
        self.resolved.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_held_once_and_the_set_has_an_end() {
        let set = HotSet::new(1000, 3).expect("memory");
        assert_eq!(set.insert(999), Inserted::New);
        assert_eq!(set.insert(999), Inserted::Already);
        assert_eq!(set.insert(0), Inserted::New);
        assert_eq!(set.insert(64), Inserted::New);
        assert_eq!(set.insert(5), Inserted::Full);
        assert!(set.contains(64) && !set.contains(5));
        set.swap_remove(0);
        assert!(!set.contains(999));
        assert_eq!(set.insert(5), Inserted::New);
        let pages: Vec<_> = set.hot().iter().map(HotPage::page).collect();
        assert_eq!(pages, [64, 0, 5]);
        set.clear();
        assert!(set.hot().is_empty() && !set.contains(0));
    }
}
