//! A module that was linked into this program, as a [`Loaded`].

use super::bindings::Bindings;
use super::check;
use super::error::ImageError;
use super::loaded::Loaded;
use super::memory_image::MemoryImage;
use super::section::{self, Section};
use crate::sys::arch;
use lithify_abi::descriptor::{DataSegment, Descriptor, ElementSegment};
use lithify_abi::record::{Field, decode_all};
use std::slice;

/// Takes the module of that descriptor. The linker has bound its imports.
///
/// # Safety
///
/// `descriptor` is the address of the symbol `lithify_module` of an object that Lithify made.
pub unsafe fn linked(descriptor: *const u8) -> Result<Loaded, ImageError> {
    // SAFETY: the caller vouches that a descriptor is there.
    let root = unsafe { slice::from_raw_parts(descriptor, Descriptor::SIZE) };
    let root = Section::descriptor(root)?;
    check::check_descriptor(&root, arch::MACHINE.number().into(), Some(arch::MACHINE))?;
    // SAFETY: the section is as long as its records say; the caller vouches that it is one.
    let metadata = unsafe { slice::from_raw_parts(descriptor, metadata_len(&root)) };
    let len = metadata_len_with_segments(metadata, &root);
    // SAFETY: as above; the records of segments say more.
    let metadata = unsafe { slice::from_raw_parts(descriptor, len) };
    let section = Section::read(metadata)?;
    section.check_functions()?;
    check::check_compiler(&section)?;
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
    let memory = MemoryImage::copy(image, &section.records.extents)?;
    let bindings = Bindings::linked(&section)?;
    let text = at(Descriptor::OFFSETS.text, root.text);
    Ok(Loaded::new(text, section, memory, bindings, None))
}

/// The length of a linked module's metadata: up to the end of its last record.
fn metadata_len(root: &Descriptor) -> usize {
    root.spans()
        .map(|(_, span)| span.offset as usize + span.len as usize)
        .max()
        .unwrap_or(0)
        .max(Descriptor::SIZE)
}

/// The length of a linked module's metadata with what the records of segments refer to.
fn metadata_len_with_segments(metadata: &[u8], root: &Descriptor) -> usize {
    let data = decode_all::<DataSegment>(section::bytes(metadata, root.data));
    let elements = decode_all::<ElementSegment>(section::bytes(metadata, root.elements));
    let data = data.unwrap_or_default().into_iter().flat_map(|segment| segment.spans());
    let elements = elements.unwrap_or_default().into_iter().flat_map(|segment| segment.spans());
    data.chain(elements)
        .map(|(_, span)| span.offset as usize + span.len as usize)
        .fold(metadata.len(), usize::max)
}
