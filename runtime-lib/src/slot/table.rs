//! A table that the guest can change: elements it reads and writes itself, and grows through us.
//!
//! The guest names its size, so the system is asked for the memory first: when it refuses, growing
//! fails, and the process goes on.

use super::vmctx;
use crate::sys::linux::mmap;
use lithify_abi::types::Limits;
use lithify_abi::vmctx::TableRecord;
use std::cell::Cell;
use std::io;

use crate::image::section::{MAX_TABLE, MutableTable};

/// A table.
pub struct Table {
    /// Offset of its record from `base`.
    offset: i32,
    max: u32,
    /// What its elements are in the beginning.
    value: u64,
    /// The elements before it grew. Compiled code writes them too, hence cells.
    initial: Box<[Cell<u64>]>,
    /// The elements since it grew.
    grown: Option<Vec<Cell<u64>>>,
}

impl Table {
    /// A table of its initial size, all elements `value`.
    pub fn new(record: &MutableTable, value: u64) -> io::Result<Self> {
        let Limits { min, max } = record.limits;
        room(min)?;
        Ok(Self {
            offset: record.record,
            max: max.unwrap_or(MAX_TABLE).min(MAX_TABLE),
            value,
            initial: vec![Cell::new(value); min as usize].into(),
            grown: None,
        })
    }

    /// Its elements.
    pub fn elements(&self) -> &[Cell<u64>] {
        self.grown.as_deref().unwrap_or(&self.initial)
    }

    /// The elements from `start` on, if there are `len`.
    pub fn get(&self, start: u32, len: u32) -> Option<&[Cell<u64>]> {
        self.elements().get(start as usize..start as usize + len as usize)
    }

    /// Where compiled code finds its elements.
    pub fn record(&self) -> TableRecord {
        TableRecord { elements: self.elements().as_ptr() as u64, len: self.elements().len() as u64 }
    }

    /// The offset of the record from `base`, and its bytes.
    pub fn record_bytes(&self) -> (i32, [u8; 16]) {
        let record = self.record();
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&record.elements.to_ne_bytes());
        bytes[8..].copy_from_slice(&record.len.to_ne_bytes());
        (self.offset, bytes)
    }

    /// Writes the record into a vmctx.
    pub fn put_record(&self, vmctx: &mut [u8]) {
        let (offset, bytes) = self.record_bytes();
        let start = vmctx::index(offset, vmctx.len());
        vmctx[start..start + bytes.len()].copy_from_slice(&bytes);
    }

    /// Adds `delta` elements; its previous size, or `None` when it would be too large or the
    /// system has no memory for it. The record changes.
    pub fn grow(&mut self, value: u64, delta: u32) -> Option<u32> {
        let old = self.elements().len() as u32;
        let new = old.checked_add(delta).filter(|new| *new <= self.max)?;
        if delta > 0 {
            // Both sizes are there while the elements move.
            room(new).ok()?;
            let elements = self.grown.get_or_insert_with(|| self.initial.to_vec());
            elements.resize(new as usize, Cell::new(value));
        }
        Some(old)
    }

    /// Makes it what it was in the beginning. The record does not change by that: a fresh
    /// vmctx has the right one.
    pub fn reset(&mut self) {
        self.grown = None;
        for element in &self.initial {
            element.set(self.value);
        }
    }
}

/// Asks the system for the memory of that many elements.
fn room(elements: u32) -> io::Result<()> {
    mmap::room(u64::from(elements) * size_of::<u64>() as u64)
}
