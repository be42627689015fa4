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
    file: Option<(File, Arc<Mapping>)>,
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
                offset: range.start as u64 + u64::from(extent.offset),
                pristine: range.start + extent.offset as usize,
            })
            .collect();
        Ok(Self { runs, file: Some((file.try_clone()?, whole)) })
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
        let pristine = Arc::new(Mapping::file(&file, content.len())?);
        Ok(Self { runs, file: Some((file, pristine)) })
    }

    fn empty() -> Self {
        Self { runs: Vec::new(), file: None }
    }

    /// What is to be mapped: addresses in linear memory, a file, and the offset there.
    pub fn mappings(&self) -> impl Iterator<Item = (Range<usize>, &File, u64)> {
        let file = self.file.iter().map(|(file, _)| file).cycle();
        let runs = self.runs.iter().zip(file);
        runs.map(|(run, file)| (run.address..run.address + run.len, file, run.offset))
    }

    /// Where the initial bytes of the page at `address` are; null for zeros.
    pub fn source(&self, address: usize) -> *const u8 {
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
