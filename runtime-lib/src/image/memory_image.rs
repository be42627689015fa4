//! The initial contents of a memory, in a file that can be mapped again and again.
//!
//! The runs of an image file are mapped from it where the host page allows. In all other cases
//! (a linked module, host pages larger than the granule) their bytes are copied into a file in
//! memory first, so that there is one way from here on.

use crate::sys::linux::memfd;
use crate::sys::linux::mmap::{Mapping, page_size, round_up_to_page};
use lithify_abi::descriptor::Extent;
use std::fs::File;
use std::ops::Range;
use std::sync::Arc;
use std::{io, ptr};

/// A part of memory with initial bytes other than zeros.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// Address in linear memory.
    address: usize,
    /// Length, in bytes.
    len: usize,
    /// Which file.
    file: usize,
    /// Offset in the file.
    offset: usize,
}

/// A file, and a mapping of it from its first byte on that nobody writes to.
#[derive(Debug)]
struct Pristine {
    file: File,
    mapping: Arc<Mapping>,
}

/// The initial contents of a memory: runs of files, in rising order of address, all multiples of the
/// host page.
#[derive(Debug)]
pub struct MemoryImage {
    runs: Vec<Run>,
    files: Vec<Arc<Pristine>>,
}

impl MemoryImage {
    /// The image whose bytes are `range` of `file`, all of which is mapped as `whole`. They are
    /// mapped from there when the host page allows it, else from a copy.
    pub fn from_file(
        file: &File,
        whole: Arc<Mapping>,
        range: Range<usize>,
        extents: &[Extent],
    ) -> io::Result<Self> {
        let page = page_size();
        let mappable = range.start.is_multiple_of(page)
            && extents.iter().all(|extent| {
                [extent.address, extent.offset, extent.len]
                    .iter()
                    .all(|value| (*value as usize).is_multiple_of(page))
            });
        if extents.is_empty() {
            return Ok(Self::empty());
        }
        if !mappable {
            // SAFETY: the mapping is readable and private; images are not written to.
            return Self::copy(unsafe { &whole.bytes()[range] }, extents);
        }
        let runs = extents
            .iter()
            .map(|extent| Run {
                address: extent.address as usize,
                len: extent.len as usize,
                file: 0,
                offset: range.start + extent.offset as usize,
            })
            .collect();
        let file = Pristine { file: file.try_clone()?, mapping: whole };
        Ok(Self { runs, files: vec![Arc::new(file)] })
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
                    file: 0,
                    offset: content.len(),
                }),
            }
            let run = &runs[runs.len() - 1];
            content.resize(run.offset + run.len, 0);
            let at = run.offset + address - run.address;
            let from = extent.offset as usize;
            content[at..at + len].copy_from_slice(&bytes[from..from + len]);
        }
        if content.is_empty() {
            return Ok(Self::empty());
        }
        let file = Pristine::new(memfd::sealed(&content)?, content.len())?;
        Ok(Self { runs, files: vec![file] })
    }

    /// What a memory is that began as this one, where `written` (ranges of whole pages, rising and apart)
    /// is `now` something else. The rest stays mapped from where it is.
    pub fn changed<'m>(
        &self,
        written: &[Range<usize>],
        now: impl Fn(Range<usize>) -> &'m [u8],
    ) -> io::Result<Self> {
        let mut files = self.files.clone();
        let mut runs = Vec::new();
        for run in &self.runs {
            let (mut at, end) = (run.address, run.address + run.len);
            let mut keep = |range: Range<usize>| {
                if !range.is_empty() {
                    let offset = run.offset + range.start - run.address;
                    runs.push(Run { address: range.start, len: range.len(), offset, ..*run });
                }
            };
            for range in written.iter().filter(|range| range.start < end && run.address < range.end)
            {
                keep(at..range.start.max(at));
                at = range.end;
            }
            keep(at..end.max(at));
        }
        let mut len = 0;
        for range in written {
            let (address, file) = (range.start, files.len());
            runs.push(Run { address, len: range.len(), file, offset: len });
            len += range.len();
        }
        if len > 0 {
            let parts = written.iter().map(|range| now(range.clone()));
            files.push(Pristine::new(memfd::sealed_parts(parts)?, len)?);
        }
        runs.sort_unstable_by_key(|run| run.address);
        Ok(Self { runs, files })
    }

    fn empty() -> Self {
        Self { runs: Vec::new(), files: Vec::new() }
    }

    /// What is to be mapped: addresses in linear memory, a file, and the offset there.
    pub fn mappings(&self) -> impl Iterator<Item = (Range<usize>, &File, u64)> {
        self.runs.iter().map(|run| {
            let addresses = run.address..run.address + run.len;
            (addresses, &self.files[run.file].file, run.offset as u64)
        })
    }

    /// Where the initial bytes of the page at `address` are; null for zeros.
    pub fn source(&self, address: usize) -> *const u8 {
        let next = self.runs.partition_point(|run| run.address <= address);
        let run = next.checked_sub(1).map(|index| &self.runs[index]);
        match run.filter(|run| address < run.address + run.len) {
            Some(run) => self.files[run.file].mapping.at(run.offset + address - run.address),
            None => ptr::null(),
        }
    }
}

impl Pristine {
    /// The first `len` bytes of a file.
    fn new(file: File, len: usize) -> io::Result<Arc<Self>> {
        let mapping = Arc::new(Mapping::file(&file, len)?);
        Ok(Arc::new(Self { file, mapping }))
    }
}
