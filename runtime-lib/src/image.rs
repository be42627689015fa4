//! An image that was checked, mapped and bound to its imports.
//!
//! Three ways lead here: a file, bytes (which become a file in memory), and a module that was
//! linked into this program. All end as a [`Loaded`], which the rest of the library reads.
//!
//! Not here: the checks (`check.rs`), imports (`bindings.rs`), mapping and relocation (`load.rs`).

pub mod bindings;
pub mod check;
pub mod elf;
pub mod error;
pub mod load;
pub mod memory_image;
pub mod metadata;
pub mod records;

use crate::call;
use crate::call::libcalls::Stop;
use crate::host::{Caller, HostError, Imports};
use crate::image::bindings::{Bindings, Bound};
use crate::image::check::Trust;
use crate::image::error::ImageError;
use crate::image::memory_image::MemoryImage;
use crate::image::metadata::Metadata;
use crate::image::records::Records;
use crate::slot::{Slot, vmctx_index};
use crate::sys::arch;
use crate::sys::linux::mmap::Mapping;
use crate::sys::linux::{memfd, signals};
use lithify_abi::descriptor::{
    DataSegment, Descriptor, ElementSegment, FuncRecord, Function, NONE, Span, init, kind,
};
use lithify_abi::record::{Field, decode_all};
use lithify_abi::trap::TrapCode;
use lithify_abi::types::{FuncType, ValType};
use std::fs::File;
use std::path::Path;
use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A module in native code, ready to run. Clones share it.
#[derive(Clone)]
pub struct Image(pub(crate) Arc<Loaded>);

impl Image {
    /// Loads the image file at `path`. The file must not change while the image is in use:
    /// replace it by renaming another over it.
    pub fn open(path: &Path, imports: &Imports, trust: Trust) -> Result<Self, ImageError> {
        let file = File::open(path)
            .map_err(|source| ImageError::Read { path: path.to_owned(), source })?;
        load::file(&file, imports, trust)
    }

    /// Loads the bytes of an image file.
    pub fn from_bytes(bytes: &[u8], imports: &Imports, trust: Trust) -> Result<Self, ImageError> {
        // What is not an image gets its answer before it is copied.
        check::check_for_here(bytes, Trust::SkipHash)?;
        load::file(&memfd::sealed(bytes)?, imports, trust)
    }

    /// Takes a module that was linked into this program. The linker has bound its imports.
    ///
    /// # Safety
    ///
    /// `descriptor` is the address of the symbol `lithify_module` of an object that Lithify made,
    /// and every symbol it imports is a function of the type that the module expects, in the
    /// platform's C convention with `base` first.
    pub unsafe fn linked(descriptor: *const u8) -> Result<Self, ImageError> {
        // SAFETY: the caller vouches that a descriptor is there.
        let root = unsafe { slice::from_raw_parts(descriptor, Descriptor::SIZE) };
        let root = Records::descriptor(root)?;
        check::check_descriptor(&root, arch::MACHINE.number().into(), Some(arch::MACHINE))?;
        // SAFETY: the section is as long as its records say; the caller vouches that it is one.
        let metadata = unsafe { slice::from_raw_parts(descriptor, metadata_len(&root)) };
        let len = metadata_len_with_segments(metadata, &root);
        // SAFETY: as above; the records of segments say more.
        let metadata = unsafe { slice::from_raw_parts(descriptor, len) };
        let records = Records::read(metadata)?;
        check::check_compiler(metadata, &root)?;
        let at = |field: usize, relative: i64| {
            descriptor.wrapping_add(field).wrapping_offset(relative as isize)
        };
        // SAFETY: the linker resolved the address, and the length is the section's.
        let image = unsafe {
            slice::from_raw_parts(
                at(Descriptor::OFFSETS.memory_image, root.memory_image),
                root.memory_image_len as usize,
            )
        };
        let memory = MemoryImage::copy(image, &records.extents)?;
        let bindings = Bindings::linked(metadata, &records)?;
        let text = at(Descriptor::OFFSETS.text, root.text);
        let loaded = Loaded::new(text, metadata, records, memory, bindings, None)?;
        Ok(Self(Arc::new(loaded)))
    }

    /// What the image says about itself.
    pub fn metadata(&self) -> Metadata {
        Metadata::new(self.0.metadata, &self.0.records)
    }

    /// The type of the function exported as `name`.
    pub fn func_type(&self, name: &str) -> Option<&FuncType> {
        Some(call::Func::export(&self.0, name)?.ty(&self.0))
    }

    /// The contents of the custom section `runtime_version`, if the module has it.
    pub fn runtime_version(&self) -> Option<&[u8]> {
        let bytes = self.0.bytes(self.0.records.descriptor.runtime_version);
        (!bytes.is_empty()).then_some(bytes)
    }
}

fn has_start(records: &Records) -> bool {
    let active = |form| matches!(form, init::CONST | init::GLOBAL);
    records.descriptor.start != NONE
        || records.data.iter().any(|segment| active(segment.form))
        || records.elements.iter().any(|(segment, _)| active(segment.form))
}

/// The length of a linked module's metadata: up to the end of its last record.
fn metadata_len(root: &Descriptor) -> usize {
    root.spans()
        .map(|(_, span)| span.offset as usize + span.len as usize)
        .max()
        .unwrap_or(0)
        .max(Descriptor::SIZE)
}

/// The same, up to the end of what the records of segments refer to.
fn metadata_len_with_segments(metadata: &[u8], root: &Descriptor) -> usize {
    let data = decode_all::<DataSegment>(records::bytes(metadata, root.data));
    let elements = decode_all::<ElementSegment>(records::bytes(metadata, root.elements));
    let data = data.unwrap_or_default().into_iter().map(|segment| segment.bytes);
    let elements = elements.unwrap_or_default().into_iter().map(|segment| segment.items);
    data.chain(elements)
        .map(|span| span.offset as usize + span.len as usize)
        .fold(metadata.len(), usize::max)
}

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
    bound: Vec<Bound>,
    /// The values of imported globals, by import.
    globals: Vec<u128>,
    /// The image, unless it is a part of the program.
    _mapping: Option<Arc<Mapping>>,
}

// SAFETY: nobody writes to an image once it is loaded; the pointers are into it.
unsafe impl Send for Loaded {}
// SAFETY: as above.
unsafe impl Sync for Loaded {}

impl Loaded {
    /// Installs the signal handler, without which nothing may run, and puts it all together.
    pub fn new(
        text: *const u8,
        metadata: &'static [u8],
        mut records: Records,
        memory: MemoryImage,
        bindings: Bindings,
        mapping: Option<Arc<Mapping>>,
    ) -> Result<Self, ImageError> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        signals::install()?;
        records.resize(bindings.memory, &bindings.tables);
        Ok(Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            text,
            metadata,
            has_start: has_start(&records),
            records,
            memory: Arc::new(memory),
            bound: bindings.functions,
            globals: bindings.globals,
            _mapping: mapping,
        })
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
        records::function_at(self.metadata, &self.records.descriptor, code)
    }

    /// Bytes of the site stream.
    pub fn sites(&self, start: u32, end: u32) -> &[u8] {
        let sites = self.bytes(self.records.descriptor.sites);
        sites.get(start as usize..end as usize).unwrap_or(&[])
    }

    /// Bytes of the metadata.
    pub fn bytes(&self, span: Span) -> &[u8] {
        records::bytes(self.metadata, span)
    }

    /// A name.
    pub fn name(&self, span: Span) -> &str {
        records::name(self.metadata, &self.records.descriptor, span)
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
    fn func_records(&self) -> u64 {
        self.bytes(self.records.descriptor.func_records).as_ptr() as u64
    }

    /// The function record at an address, if one starts there.
    pub fn func_record_at(&self, address: u64) -> Option<FuncRecord> {
        let offset = usize::try_from(address.checked_sub(self.func_records())?).ok()?;
        let span = self.records.descriptor.func_records;
        if !offset.is_multiple_of(FuncRecord::SIZE) || offset >= span.len as usize {
            return None;
        }
        records::record(self.metadata, span, offset / FuncRecord::SIZE)
    }

    /// Whether the bits are a reference to a function of this image, or null.
    pub fn is_func_or_null(&self, bits: u64) -> bool {
        bits == 0 || self.func_record_at(bits).is_some()
    }

    /// The bits of an initial value; other globals are read from `vmctx`.
    pub fn initial_value(&self, form: u32, value: u128, vmctx: &[u8]) -> u128 {
        match form {
            init::GLOBAL => {
                let start = vmctx_index(value as i32, vmctx.len());
                let mut bytes = [0; 16];
                let end = vmctx.len().min(start + 16);
                bytes[..end - start].copy_from_slice(&vmctx[start..end]);
                u128::from_le_bytes(bytes)
            }
            init::FUNC => u128::from(self.func_records() + value as u64 * FuncRecord::SIZE as u64),
            _ => value,
        }
    }

    /// A vmctx with the initial values of globals, and zeros elsewhere.
    pub fn initial_vmctx(&self) -> Vec<u8> {
        let mut vmctx = vec![0; self.records.descriptor.vmctx_size as usize];
        let put = |slot: i32, ty: u32, bits: u128, vmctx: &mut [u8]| {
            let size = u8::try_from(ty).ok().and_then(ValType::from_u8).map_or(0, ValType::size);
            let start = vmctx_index(slot, vmctx.len());
            vmctx[start..][..size as usize].copy_from_slice(&bits.to_le_bytes()[..size as usize]);
        };
        let imported = self.records.imports.iter().zip(&self.globals);
        let imported: Vec<_> = imported.filter(|(import, _)| import.kind == kind::GLOBAL).collect();
        for (import, bits) in &imported {
            put(import.slot, import.ty, **bits, &mut vmctx);
        }
        for global in self.records.globals.iter().skip(imported.len()) {
            let bits = self.initial_value(global.form, global.value, &vmctx);
            put(global.slot, global.ty, bits, &mut vmctx);
        }
        vmctx
    }

    /// Calls the host function of import `index`.
    ///
    /// # Safety
    ///
    /// The guest of `slot` called it, with as many value slots as the import's type needs.
    #[inline]
    pub unsafe fn call_host(&self, slot: &Slot, index: u32, slots: *mut u128) -> Result<(), Stop> {
        match self.bound.get(index as usize) {
            Some(Bound::Host { function, slots: count, gives_funcs, ty }) => {
                // SAFETY: the caller vouches for the slots, which are the trampoline's own.
                let slots = unsafe { slice::from_raw_parts_mut(slots, *count) };
                function(&mut Caller::new(slot), slots)?;
                if *gives_funcs {
                    call::check_funcs(self, &self.records.types[*ty as usize].results, slots);
                }
                Ok(())
            }
            Some(Bound::Missing(name)) => {
                Err(Stop { code: TrapCode::MissingHostFunction, message: Some(name.clone()) })
            }
            Some(Bound::Direct) | None => {
                Err(HostError(format!("import {index} has no host function")).into())
            }
        }
    }
}
