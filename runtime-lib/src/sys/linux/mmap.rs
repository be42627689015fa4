//! Mappings of memory.
//!
//! A [`Mapping`] owns its whole range of addresses until it is dropped: parts of it change their
//! protection or what is mapped there, but never become anybody else's.

use super::check;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::ptr::{self, NonNull};
use std::sync::OnceLock;

/// Size of a host page, in bytes.
pub fn page_size() -> usize {
    static SIZE: OnceLock<usize> = OnceLock::new();
    *SIZE.get_or_init(|| {
        // SAFETY: sysconf only reads a constant of the system.
        let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        usize::try_from(size).unwrap_or(4096)
    })
}

/// Rounds up to a multiple of the host page.
pub fn round_up_to_page(len: usize) -> usize {
    len.next_multiple_of(page_size())
}

/// What [`room`] asks for beside what it is asked for, in bytes: for the bookkeeping that comes
/// with it.
const HEADROOM: u64 = 8 << 20;

/// Asks the system whether it would give `len` bytes more now, by taking them for a moment and
/// touching none. For amounts that a guest names, where they are allocated by what ends the process
/// when it is refused: a limit of the process (`RLIMIT_DATA`, `RLIMIT_AS`) shows here first.
pub fn room(len: u64) -> io::Result<()> {
    let len = usize::try_from(len.saturating_add(HEADROOM)).unwrap_or(usize::MAX);
    Mapping::zeros(len).map(drop)
}

/// What code may do with a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// Nothing: every access faults.
    None,
    /// Read it.
    Read,
    /// Read and write it.
    ReadWrite,
    /// Read and execute it.
    ReadExecute,
}

impl Protection {
    fn flags(self) -> i32 {
        match self {
            Self::None => libc::PROT_NONE,
            Self::Read => libc::PROT_READ,
            Self::ReadWrite => libc::PROT_READ | libc::PROT_WRITE,
            Self::ReadExecute => libc::PROT_READ | libc::PROT_EXEC,
        }
    }
}

/// A range of addresses that belongs to us.
#[derive(Debug)]
pub struct Mapping {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: a mapping is a range of addresses; whoever reads and writes there answers for it.
unsafe impl Send for Mapping {}
// SAFETY: as above; the methods that change it are unsafe.
unsafe impl Sync for Mapping {}

const PRIVATE: i32 = libc::MAP_PRIVATE;
const ANONYMOUS: i32 = PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;

impl Mapping {
    /// Reserves `len` bytes of inaccessible addresses at a multiple of `align`, both multiples
    /// of the host page.
    pub fn reserve(len: usize, align: usize) -> io::Result<Self> {
        let slack = align.saturating_sub(page_size());
        let total = len.checked_add(slack).ok_or(io::ErrorKind::OutOfMemory)?;
        let start = map(ptr::null_mut(), total, Protection::None, ANONYMOUS, None)?;
        let skip = start.as_ptr().align_offset(align).min(slack);
        // SAFETY: `skip + len <= total`, the length of the new mapping.
        let aligned = unsafe { start.add(skip) };
        // SAFETY: both ranges are parts of the new mapping around the part that is kept.
        unsafe {
            unmap(start, skip);
            unmap(aligned.add(len), slack - skip);
        }
        Ok(Self { start: aligned, len })
    }

    /// Maps `len` bytes of zeros, readable and writable.
    pub fn zeros(len: usize) -> io::Result<Self> {
        let start = map(ptr::null_mut(), len, Protection::ReadWrite, ANONYMOUS, None)?;
        Ok(Self { start, len })
    }

    /// Maps the first `len` bytes of `file`, to be read.
    pub fn file(file: &File, len: usize) -> io::Result<Self> {
        let start = map(ptr::null_mut(), len, Protection::Read, PRIVATE, Some((file, 0)))?;
        Ok(Self { start, len })
    }

    /// Its first byte.
    pub fn start(&self) -> *mut u8 {
        self.start.as_ptr()
    }

    /// Its length, in bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The address of the byte at `offset`.
    pub fn at(&self, offset: usize) -> *mut u8 {
        assert!(offset <= self.len, "an offset inside the mapping");
        // SAFETY: the offset is inside, as was just checked.
        unsafe { self.start().add(offset) }
    }

    /// Its bytes.
    ///
    /// # Safety
    ///
    /// All of it is readable and nobody writes to it while the slice lives.
    pub unsafe fn bytes(&self) -> &[u8] {
        // SAFETY: `start` and `len` describe one mapping; the caller vouches for the rest.
        unsafe { std::slice::from_raw_parts(self.start(), self.len) }
    }

    /// Changes the protection of `range`, offsets that are multiples of the host page.
    ///
    /// # Safety
    ///
    /// No reference into the range exists that the new protection forbids to use.
    pub unsafe fn protect(&self, range: Range<usize>, protection: Protection) -> io::Result<()> {
        let start = self.part(&range);
        // SAFETY: the range is inside this mapping; the caller vouches for references.
        unsafe { protect(start, range.len(), protection) }
    }

    /// Replaces `range` by `file` from `offset`, private to this process.
    ///
    /// # Safety
    ///
    /// No reference into the range exists.
    pub unsafe fn map_file(
        &self,
        range: Range<usize>,
        file: &File,
        offset: u64,
        protection: Protection,
    ) -> io::Result<()> {
        let flags = PRIVATE | libc::MAP_FIXED | libc::MAP_NORESERVE;
        let start = self.part(&range);
        map(start, range.len(), protection, flags, Some((file, offset))).map(drop)
    }

    /// Replaces `range` by zeros.
    ///
    /// # Safety
    ///
    /// No reference into the range exists.
    pub unsafe fn map_zeros(&self, range: Range<usize>, protection: Protection) -> io::Result<()> {
        if range.is_empty() {
            return Ok(());
        }
        let flags = ANONYMOUS | libc::MAP_FIXED;
        map(self.part(&range), range.len(), protection, flags, None).map(drop)
    }

    /// Gives back the memory of `range`, which then reads as what is mapped there: the file's
    /// bytes or zeros.
    ///
    /// # Safety
    ///
    /// No reference into the range exists.
    pub unsafe fn give_back(&self, range: Range<usize>) -> io::Result<()> {
        self.advise(range, libc::MADV_DONTNEED)
    }

    /// Asks for ordinary pages in `range`, so that one write makes no more than a page dirty.
    /// A kernel without huge pages refuses, which is as good.
    pub fn forbid_huge_pages(&self, range: Range<usize>) {
        let _ = self.advise(range, libc::MADV_NOHUGEPAGE);
    }

    fn advise(&self, range: Range<usize>, advice: i32) -> io::Result<()> {
        if range.is_empty() {
            return Ok(());
        }
        let start = self.part(&range);
        // SAFETY: the range is inside this mapping; the callers are unsafe or keep the bytes.
        check(unsafe { libc::madvise(start.cast(), range.len(), advice) })
    }

    fn part(&self, range: &Range<usize>) -> *mut u8 {
        assert!(range.start <= range.end && range.end <= self.len, "a range inside the mapping");
        self.at(range.start)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range is ours and goes with us.
        unsafe { unmap(self.start, self.len) };
    }
}

/// Changes the protection of pages. Safe to call in a signal handler.
///
/// # Safety
///
/// The pages belong to the caller, and no reference to them exists that the new protection
/// forbids to use.
pub unsafe fn protect(start: *mut u8, len: usize, protection: Protection) -> io::Result<()> {
    if len == 0 {
        return Ok(());
    }
    // SAFETY: the caller owns the pages.
    check(unsafe { libc::mprotect(start.cast(), len, protection.flags()) })
}

fn map(
    at: *mut u8,
    len: usize,
    protection: Protection,
    flags: i32,
    file: Option<(&File, u64)>,
) -> io::Result<NonNull<u8>> {
    let (fd, offset) = match file {
        Some((file, offset)) => {
            (file.as_raw_fd(), i64::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput)?)
        }
        None => (-1, 0),
    };
    // SAFETY: without MAP_FIXED the kernel picks unused addresses; the methods that pass it
    // are unsafe and check that the range is inside their own mapping.
    let start = unsafe { libc::mmap(at.cast(), len, protection.flags(), flags, fd, offset) };
    if start == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    NonNull::new(start.cast()).ok_or_else(|| io::ErrorKind::OutOfMemory.into())
}

unsafe fn unmap(start: NonNull<u8>, len: usize) {
    if len > 0 {
        // SAFETY: the callers own the range. It cannot fail for whole pages of a mapping, and
        // if it did nothing better than leaking them could be done.
        unsafe { libc::munmap(start.as_ptr().cast(), len) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reservation_is_aligned_and_takes_protections() {
        let align = 1 << 20;
        let mapping = Mapping::reserve(align, align).expect("address space");
        assert_eq!(mapping.start().align_offset(align), 0);
        let page = page_size();
        // SAFETY: no reference into the mapping exists.
        unsafe { mapping.protect(page..2 * page, Protection::ReadWrite) }.expect("protect");
        // SAFETY: the page was just made writable.
        unsafe { mapping.at(page).write(7) };
        // SAFETY: no reference into the mapping exists.
        unsafe { mapping.give_back(page..2 * page) }.expect("give back");
        // SAFETY: the page is readable.
        assert_eq!(unsafe { mapping.at(page).read() }, 0);
    }
}
