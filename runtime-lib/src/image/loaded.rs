//! A module in memory, bound to its imports: what the rest of the library reads.

use super::bindings::{Bindings, Bound};
use super::memory_image::MemoryImage;
use super::section::{ExternDesc, Records, Section};
use crate::sys::linux::mmap::Mapping;
use lithify_abi::descriptor::{FuncRecord, Function, NONE, Placement, Span};
use lithify_abi::record::Field;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A module in memory.
pub(crate) struct Loaded {
    /// Tells images apart.
    pub id: u64,
    pub text: *const u8,
    /// The metadata section, which lives as long as `mapping` or the program.
    pub section: Section<'static>,
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
        mut section: Section<'static>,
        memory: MemoryImage,
        bindings: Bindings,
        mapping: Option<Arc<Mapping>>,
    ) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        section.records.resize(bindings.memory, &bindings.tables);
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            text,
            has_start: has_start(&section.records),
            section,
            memory: Arc::new(memory),
            bound: bindings.functions,
            globals: bindings.globals,
            _mapping: mapping,
        }
    }

    /// What the metadata says.
    #[inline]
    pub fn records(&self) -> &Records {
        &self.section.records
    }

    /// The offset of `pc` in the text, if it is there.
    pub fn text_offset(&self, pc: usize) -> Option<u32> {
        let offset = pc.wrapping_sub(self.text as usize);
        (offset < self.records().descriptor.text_len as usize).then_some(offset as u32)
    }

    /// The address of code at an offset in the text, which was checked.
    #[inline]
    pub fn code(&self, offset: u32) -> *const u8 {
        debug_assert!(offset < self.records().descriptor.text_len);
        self.text.wrapping_add(offset as usize)
    }

    /// The function that holds `code`, and the end of its sites.
    pub fn function_at(&self, code: u32) -> Option<(Function, u32)> {
        self.section.function_at(code)
    }

    /// The function of that index, if it has a body. Where a profile decided the order, it has to be
    /// looked for.
    pub fn function(&self, index: u32) -> Option<Function> {
        let span = self.records().descriptor.functions;
        let at = |position| self.section.record::<Function>(span, position);
        let is_it = |function: &Function| function.index == index;
        let mut all = (0..span.len as usize / Function::SIZE).map_while(at);
        at(index as usize).filter(is_it).or_else(|| all.find(is_it))
    }

    /// Bytes of the site stream.
    pub fn sites(&self, start: u32, end: u32) -> &[u8] {
        let sites = self.bytes(self.records().descriptor.sites);
        sites.get(start as usize..end as usize).unwrap_or(&[])
    }

    /// Bytes of the metadata.
    pub fn bytes(&self, span: Span) -> &[u8] {
        self.section.bytes(span)
    }

    /// A name.
    pub fn name(&self, span: Span) -> &str {
        self.section.name(span)
    }

    /// The function exported as `name`, and its position among the exports.
    pub fn exported_function(&self, name: &str) -> Option<(usize, FuncRecord)> {
        let functions = self.records().exports.iter().enumerate();
        let functions = functions.filter_map(|(position, export)| match export.desc {
            ExternDesc::Func(function) => Some((position, export.name, function)),
            _ => None,
        });
        let mut named = functions.filter(|(_, span, _)| self.name(*span) == name);
        named.next().map(|(position, _, function)| (position, function))
    }

    /// The name of a function, or the one it is exported under when it has none.
    pub fn function_name(&self, function: &Function) -> &str {
        if function.name.len > 0 {
            return self.name(function.name);
        }
        let exported =
            self.records().exports.iter().find(
                |export| matches!(export.desc, ExternDesc::Func(f) if f.index == function.index),
            );
        exported.map_or("", |export| self.name(export.name))
    }

    /// Address of the first function record.
    pub fn func_records(&self) -> u64 {
        self.bytes(self.records().descriptor.func_records).as_ptr() as u64
    }

    /// The function record at an address, if one starts there.
    pub fn func_record_at(&self, address: u64) -> Option<FuncRecord> {
        let offset = usize::try_from(address.checked_sub(self.func_records())?).ok()?;
        let span = self.records().descriptor.func_records;
        if !offset.is_multiple_of(FuncRecord::SIZE) || offset >= span.len as usize {
            return None;
        }
        self.section.record(span, offset / FuncRecord::SIZE)
    }

    /// Whether the bits are a reference to a function of this image, or null.
    pub fn is_func_or_null(&self, bits: u64) -> bool {
        bits == 0 || self.func_record_at(bits).is_some()
    }
}

fn has_start(records: &Records) -> bool {
    let active = |placement| matches!(placement, Placement::Active(_));
    records.descriptor.start != NONE
        || records.data.iter().any(|segment| active(segment.placement))
        || records.elements.iter().any(|segment| active(segment.placement))
}
