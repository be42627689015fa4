//! The segments of a module that its guest can still use: passive ones that were not dropped.

use crate::image::loaded::Loaded;
use lithify_abi::descriptor::{InitValue, Placement};
use std::cell::Cell;

/// Whether each segment is dropped, in the order of the records.
#[derive(Clone, Debug)]
pub struct Dropped {
    data: Box<[bool]>,
    elements: Box<[bool]>,
}

impl Dropped {
    /// None of those of `image`.
    pub fn none(image: &Loaded) -> Self {
        let kept = |count: usize| vec![false; count].into_boxed_slice();
        let records = image.records();
        Self { data: kept(records.data.len()), elements: kept(records.elements.len()) }
    }
}

/// Which segments were dropped, in the order of the records.
pub struct Segments {
    data: Box<[Cell<bool>]>,
    elements: Box<[Cell<bool>]>,
}

impl Segments {
    /// Those of an image of which `dropped` are dropped. Every other method wants the image again.
    pub fn new(dropped: &Dropped) -> Self {
        let cells = |dropped: &[bool]| dropped.iter().copied().map(Cell::new).collect();
        Self { data: cells(&dropped.data), elements: cells(&dropped.elements) }
    }

    /// From now on `dropped` are dropped, and no others.
    pub fn reset(&self, dropped: &Dropped) {
        let of = dropped.data.iter().chain(&dropped.elements);
        for (cell, dropped) in self.data.iter().chain(&self.elements).zip(of) {
            cell.set(*dropped);
        }
    }

    /// Those that are dropped now.
    pub fn dropped(&self) -> Dropped {
        let values = |cells: &[Cell<bool>]| cells.iter().map(Cell::get).collect();
        Dropped { data: values(&self.data), elements: values(&self.elements) }
    }

    /// The bytes of data segment `index`: none when it is dropped or was never passive.
    pub fn data<'a>(&self, image: &'a Loaded, index: u32) -> &'a [u8] {
        match image.records().data.iter().position(|segment| segment.index == index) {
            Some(at) if !self.data[at].get() => image.bytes(image.records().data[at].bytes),
            _ => &[],
        }
    }

    /// Drops data segment `index`.
    pub fn drop_data(&self, image: &Loaded, index: u32) {
        for (segment, dropped) in image.records().data.iter().zip(&self.data) {
            if segment.index == index {
                dropped.set(true);
            }
        }
    }

    /// The elements of element segment `index`: none when it is dropped or was never passive.
    pub fn elements<'a>(&self, image: &'a Loaded, index: u32) -> &'a [InitValue] {
        let mut all = image.records().elements.iter().zip(&self.elements);
        let found = all.find(|(segment, dropped)| {
            let declared = segment.placement == Placement::Declared;
            segment.index == index && !declared && !dropped.get()
        });
        found.map_or(&[], |(segment, _)| &segment.items)
    }

    /// Drops element segment `index`.
    pub fn drop_elements(&self, image: &Loaded, index: u32) {
        for (segment, dropped) in image.records().elements.iter().zip(&self.elements) {
            if segment.index == index {
                dropped.set(true);
            }
        }
    }
}
