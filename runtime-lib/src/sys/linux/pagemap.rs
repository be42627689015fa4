//! Which pages of a private mapping were written: one `PAGEMAP_SCAN` (Linux 6.7 and later).
//!
//! A page counts as written when it is present or swapped out, does not belong to a file and is
//! not the zero page: it is then a private copy. That is a superset of what a call wrote, since
//! a page whose bytes were restored stays a private copy.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;

/// `struct pm_scan_arg` of `linux/fs.h`.
#[repr(C)]
#[derive(Default)]
struct ScanArgs {
    size: u64,
    flags: u64,
    start: u64,
    end: u64,
    walk_end: u64,
    vec: u64,
    vec_len: u64,
    max_pages: u64,
    category_inverted: u64,
    category_mask: u64,
    category_anyof_mask: u64,
    return_mask: u64,
}

/// `struct page_region` of `linux/fs.h`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct PageRegion {
    start: u64,
    end: u64,
    categories: u64,
}

const _: () = assert!(size_of::<ScanArgs>() == 96 && size_of::<PageRegion>() == 24);

/// `_IOWR('f', 16, struct pm_scan_arg)`.
const PAGEMAP_SCAN: libc::Ioctl = 0xc060_6610_u32 as libc::Ioctl;
const PAGE_IS_FILE: u64 = 1 << 2;
const PAGE_IS_PRESENT: u64 = 1 << 3;
const PAGE_IS_SWAPPED: u64 = 1 << 4;
const PAGE_IS_PFNZERO: u64 = 1 << 5;

/// The pages of this process. Opened anew for each use: after a fork an inherited file would
/// show the parent's pages.
pub struct Pagemap(File);

impl Pagemap {
    /// Opens it; fails where `/proc` is not mounted.
    pub fn open() -> io::Result<Self> {
        #[cfg(test)]
        if DISABLED.get() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        File::open("/proc/self/pagemap").map(Self)
    }

    /// Calls `found` with each range of written pages in `addresses`, in rising order. Fails on
    /// a kernel that cannot scan.
    pub fn written(
        &self,
        addresses: Range<usize>,
        mut found: impl FnMut(Range<usize>),
    ) -> io::Result<()> {
        let mut regions = [PageRegion::default(); 128];
        let end = addresses.end as u64;
        let mut start = addresses.start as u64;
        while start < end {
            let mut args = ScanArgs {
                size: size_of::<ScanArgs>() as u64,
                start,
                end,
                vec: regions.as_mut_ptr() as u64,
                vec_len: regions.len() as u64,
                category_inverted: PAGE_IS_FILE | PAGE_IS_PFNZERO,
                category_mask: PAGE_IS_FILE | PAGE_IS_PFNZERO,
                category_anyof_mask: PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
                ..ScanArgs::default()
            };
            // SAFETY: the arguments have the layout that the kernel expects, and `vec` points at
            // `vec_len` regions that nothing else uses during the call.
            let count = unsafe { libc::ioctl(self.0.as_raw_fd(), PAGEMAP_SCAN, &raw mut args) };
            let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
            for region in &regions[..count.min(regions.len())] {
                found(region.start as usize..region.end as usize);
            }
            if args.walk_end <= start {
                return Err(io::ErrorKind::Other.into());
            }
            start = args.walk_end;
        }
        Ok(())
    }
}

#[cfg(test)]
thread_local! {
    static DISABLED: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Makes this thread believe that the kernel cannot scan.
#[cfg(test)]
pub fn disable_for_test(yes: bool) {
    DISABLED.set(yes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::linux::mmap::{Mapping, page_size};

    #[test]
    fn a_scan_finds_what_was_written_and_nothing_else() {
        let page = page_size();
        let mapping = Mapping::zeros(1024 * page).expect("memory");
        mapping.forbid_huge_pages(0..mapping.len());
        for index in [3, 4, 700, 1023] {
            // SAFETY: inside the mapping, which nobody else uses.
            unsafe { mapping.at(index * page + 5).write(1) };
        }
        // SAFETY: as above; a read maps the zero page.
        assert_eq!(unsafe { mapping.at(9 * page).read_volatile() }, 0);
        let start = mapping.start() as usize;
        let mut pages = Vec::new();
        let scan = Pagemap::open().and_then(|map| {
            map.written(start..start + mapping.len(), |range| {
                pages.extend(range.step_by(page).map(|address| (address - start) / page));
            })
        });
        match scan {
            Ok(()) => assert_eq!(pages, [3, 4, 700, 1023]),
            // A kernel before 6.7: the runtime then learns by faults.
            Err(error) => eprintln!("no PAGEMAP_SCAN here: {error}"),
        }
    }
}
