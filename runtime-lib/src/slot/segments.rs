//! The segments of a module that its guest can still use: passive ones that were not dropped.

use crate::image::loaded::Loaded;
use lithify_abi::descriptor::{InitValue, Placement};
use std::cell::Cell;

/// Which segments were dropped, in the order of the records.
pub struct Segments {
    data: Box<[Cell<bool>]>,
    elements: Box<[Cell<bool>]>,
}

impl Segments {
    /// All segments of `image`, which every other method wants again.
    pub fn new(image: &Loaded) -> Self {
        let kept = |count: usize| vec![Cell::new(false); count].into_boxed_slice();
        let records = image.records();
        Self { data: kept(records.data.len()), elements: kept(records.elements.len()) }
    }

    /// Nothing is dropped any more.
    pub fn reset(&self) {
        for dropped in self.data.iter().chain(&self.elements) {
            dropped.set(false);
        }
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
