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

/// What the elements of a table are in the beginning.
#[derive(Clone, Debug)]
pub enum First {
    /// `len` times `value`.
    Same {
        /// The bits of an element.
        value: u64,
        /// How many there are.
        len: u32,
    },
    /// These.
    Each(Box<[u64]>),
}

/// A table.
pub struct Table {
    /// Offset of its record from `base`.
    offset: i32,
    max: u32,
    /// The elements before it grew. Compiled code writes them too, hence cells.
    initial: Box<[Cell<u64>]>,
    /// The elements since it grew.
    grown: Option<Vec<Cell<u64>>>,
}

impl Table {
    /// A table that begins with `first`.
    pub fn new(record: &MutableTable, first: &First) -> io::Result<Self> {
        let Limits { max, .. } = record.limits;
        let initial = match first {
            First::Same { value, len } => {
                room(*len)?;
                vec![Cell::new(*value); *len as usize].into()
            }
            First::Each(elements) => {
                room(elements.len() as u32)?;
                elements.iter().copied().map(Cell::new).collect()
            }
        };
        let max = max.unwrap_or(MAX_TABLE).min(MAX_TABLE);
        Ok(Self { offset: record.record, max, initial, grown: None })
    }

    /// What it is now.
    pub fn state(&self) -> First {
        First::Each(self.elements().iter().map(Cell::get).collect())
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

    /// Makes it what it was in the beginning, which is `first`. The record does not change by that: a
    /// fresh vmctx has the right one.
    pub fn reset(&mut self, first: &First) {
        self.grown = None;
        match first {
            First::Same { value, .. } => self.initial.iter().for_each(|place| place.set(*value)),
            First::Each(elements) => {
                self.initial.iter().zip(elements).for_each(|(place, value)| place.set(*value));
            }
        }
    }
}

/// Asks the system for the memory of that many elements.
fn room(elements: u32) -> io::Result<()> {
    mmap::room(u64::from(elements) * size_of::<u64>() as u64)
}
