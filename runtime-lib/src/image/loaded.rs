//! A module in memory, bound to its imports: what the rest of the library reads.

use super::bindings::{Bindings, Bound};
use super::memory_image::MemoryImage;
use super::section::{self, Records};
use crate::sys::linux::mmap::Mapping;
use lithify_abi::descriptor::{FuncRecord, Function, NONE, Span, init, kind};
use lithify_abi::record::Field;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A module in memory.
pub(crate) struct Loaded {
    /// Tells images apart.
    pub id: u64,
    pub text: *const u8,
    /// The metadata section, which lives as long as `mapping` or the program.
    pub metadata: &'static [u8],
    pub records: Records,
    pub memory: Arc<MemoryImage>,
    /// Whether an instance has something to do before it can be called: segments to copy, or a
    /// start function.
    pub has_start: bool,
    /// What imports are bound to.
    pub bound: Vec<Bound>,
    /// The values of imported globals, by import.
    pub globals: Vec<u128>,
    /// The image, unless it is a part of the program.
    _mapping: Option<Arc<Mapping>>,
}

// SAFETY: nobody writes to an image once it is loaded; the pointers are into it.
unsafe impl Send for Loaded {}
// SAFETY: as above.
unsafe impl Sync for Loaded {}

impl Loaded {
    /// Puts it all together.
    pub fn new(
        text: *const u8,
        metadata: &'static [u8],
        mut records: Records,
        memory: MemoryImage,
        bindings: Bindings,
        mapping: Option<Arc<Mapping>>,
    ) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        records.resize(bindings.memory, &bindings.tables);
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            text,
            metadata,
            has_start: has_start(&records),
            records,
            memory: Arc::new(memory),
            bound: bindings.functions,
            globals: bindings.globals,
            _mapping: mapping,
        }
    }

    /// The offset of `pc` in the text, if it is there.
    pub fn text_offset(&self, pc: usize) -> Option<u32> {
        let offset = pc.wrapping_sub(self.text as usize);
        (offset < self.records.descriptor.text_len as usize).then_some(offset as u32)
    }

    /// The address of code at an offset in the text, which was checked.
    #[inline]
    pub fn code(&self, offset: u32) -> *const u8 {
        debug_assert!(offset < self.records.descriptor.text_len);
        self.text.wrapping_add(offset as usize)
    }

    /// The function that holds `code`, and the end of its sites.
    pub fn function_at(&self, code: u32) -> Option<(Function, u32)> {
        section::function_at(self.metadata, &self.records.descriptor, code)
    }

    /// Bytes of the site stream.
    pub fn sites(&self, start: u32, end: u32) -> &[u8] {
        let sites = self.bytes(self.records.descriptor.sites);
        sites.get(start as usize..end as usize).unwrap_or(&[])
    }

    /// Bytes of the metadata.
    pub fn bytes(&self, span: Span) -> &[u8] {
        section::bytes(self.metadata, span)
    }

    /// A name.
    pub fn name(&self, span: Span) -> &str {
        section::name(self.metadata, &self.records.descriptor, span)
    }

    /// The position among the exports of the function exported as `name`.
    pub fn exported_function(&self, name: &str) -> Option<usize> {
        let mut exports = self.records.exports.iter();
        exports.position(|export| export.kind == kind::FUNCTION && self.name(export.name) == name)
    }

    /// The name of a function, or the one it is exported under when it has none.
    pub fn function_name(&self, function: &Function) -> &str {
        if function.name.len > 0 {
            return self.name(function.name);
        }
        let mut exports = self.records.exports.iter();
        exports
            .find(|export| export.kind == kind::FUNCTION && export.index == function.index)
            .map_or("", |export| self.name(export.name))
    }

    /// Address of the first function record.
    pub fn func_records(&self) -> u64 {
        self.bytes(self.records.descriptor.func_records).as_ptr() as u64
    }

    /// The function record at an address, if one starts there.
    pub fn func_record_at(&self, address: u64) -> Option<FuncRecord> {
        let offset = usize::try_from(address.checked_sub(self.func_records())?).ok()?;
        let span = self.records.descriptor.func_records;
        if !offset.is_multiple_of(FuncRecord::SIZE) || offset >= span.len as usize {
            return None;
        }
        section::record(self.metadata, span, offset / FuncRecord::SIZE)
    }

    /// Whether the bits are a reference to a function of this image, or null.
    pub fn is_func_or_null(&self, bits: u64) -> bool {
        bits == 0 || self.func_record_at(bits).is_some()
    }
}

fn has_start(records: &Records) -> bool {
    let active = |form| matches!(form, init::CONST | init::GLOBAL);
    records.descriptor.start != NONE
        || records.data.iter().any(|segment| active(segment.form))
        || records.elements.iter().any(|(segment, _)| active(segment.form))
}
