//! Maps a checked image and fills its linkage table, as `ld.so` would.

use crate::bindings::{Bindings, Target};
use crate::check::{self, Checked, Trust};
use crate::elf::{Elf, Segment};
use crate::error::ImageError;
use crate::host::Imports;
use crate::image::{Image, Loaded};
use crate::memory_image::MemoryImage;
use crate::sys::arch;
use crate::sys::unix::mmap::{Mapping, Protection, page_size, round_up_to_page};
use lithify_abi::IMAGE_ALIGN;
use std::fs::File;
use std::ops::Range;
use std::slice;
use std::sync::Arc;

/// Loads the image in `file`.
pub fn file(file: &File, imports: &Imports, trust: Trust) -> Result<Image, ImageError> {
    let len = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    if len == 0 {
        return Err(ImageError::NotElf);
    }
    let whole = Mapping::file(file, 0, len)?;
    // SAFETY: the mapping is readable and private; image files are not written to.
    let checked = check::check_for_here(unsafe { whole.bytes() }, trust)?;
    let bindings = Bindings::resolve(checked.metadata, &checked.records, imports)?;
    let (mapping, bias) = map(&checked.elf, file)?;
    let text = mapping.start().wrapping_add(checked.text.wrapping_sub(bias) as usize);
    relocate(&checked.elf, &mapping, bias, &bindings, text)?;
    let metadata = mapping.at((checked.note.descriptor - bias) as usize);
    // SAFETY: the metadata lies in one mapped segment, and `Loaded` keeps the mapping.
    let metadata: &'static [u8] =
        unsafe { slice::from_raw_parts(metadata, checked.metadata.len()) };
    let Checked { records, memory_image, .. } = checked;
    let memory = MemoryImage::from_file(
        file,
        memory_image.start as u64,
        memory_image.len(),
        &records.extents,
    )?;
    let loaded = Loaded::new(text, metadata, records, memory, bindings, Some(mapping))?;
    Ok(Image(Arc::new(loaded)))
}

/// The pages of a segment, relative to the mapping.
fn pages(segment: &Segment, bias: u64) -> Range<usize> {
    let addresses = segment.addresses();
    let start = (addresses.start - bias) as usize;
    let end = (addresses.end - bias) as usize;
    start - start % page_size()..round_up_to_page(end)
}

/// Maps all segments, the writable ones still writable. Also returns the address that the start
/// of the mapping has in the file.
fn map(elf: &Elf<'_>, file: &File) -> Result<(Mapping, u64), ImageError> {
    let (Some(first), Some(last)) = (elf.segments.first(), elf.segments.last()) else {
        let message = "no segments".into();
        return Err(ImageError::Unsupported { message });
    };
    let bias = first.address - first.address % IMAGE_ALIGN;
    let mapping = Mapping::reserve(pages(last, bias).end, IMAGE_ALIGN as usize)?;
    for segment in &elf.segments {
        let protection = match (segment.execute, segment.write) {
            (true, _) => Protection::ReadExecute,
            (_, true) => Protection::ReadWrite,
            _ => Protection::Read,
        };
        let all = pages(segment, bias);
        let skip = segment.address % page_size() as u64;
        let in_file = round_up_to_page((skip + segment.file_len) as usize);
        let file_end = all.start + if segment.file_len == 0 { 0 } else { in_file };
        // SAFETY: the mapping is new, nothing refers to it.
        unsafe {
            if file_end > all.start {
                let offset = segment.offset - skip;
                mapping.map_file(all.start..file_end, file, offset, protection)?;
            }
            mapping.map_zeros(file_end..all.end.max(file_end), protection)?;
        }
        if segment.memory_len > segment.file_len {
            let tail = (segment.address + segment.file_len - bias) as usize;
            // SAFETY: the rest of the file's last page, in a writable segment, as was checked.
            unsafe { mapping.at(tail).write_bytes(0, file_end.saturating_sub(tail)) };
        }
    }
    Ok((mapping, bias))
}

/// Stores the addresses of imports and libcalls, and makes the places read-only.
fn relocate(
    elf: &Elf<'_>,
    mapping: &Mapping,
    bias: u64,
    bindings: &Bindings,
    text: *const u8,
) -> Result<(), ImageError> {
    let unsupported = |message: String| ImageError::Unsupported { message };
    for relocation in elf.relocations().map_err(|message| unsupported(message.into()))? {
        let place = relocation.address;
        let writable = elf.segments.iter().any(|segment| {
            let addresses = segment.addresses();
            segment.write && addresses.start <= place && place.saturating_add(8) <= addresses.end
        });
        if relocation.kind != arch::GLOB_DAT || !writable || !place.is_multiple_of(8) {
            let message = format!("a relocation of type {} at {place:#x}", relocation.kind);
            return Err(unsupported(message));
        }
        let address = match bindings.symbols.get(&relocation.symbol) {
            Some(Target::Native(address)) => *address,
            Some(Target::Text(offset)) if *offset != lithify_abi::descriptor::NONE => {
                text as usize + *offset as usize
            }
            _ => {
                let message =
                    format!("an undefined symbol {} without an import", relocation.symbol);
                return Err(unsupported(message));
            }
        };
        // SAFETY: eight aligned bytes of a segment that is still writable.
        unsafe { mapping.at((place - bias) as usize).cast::<usize>().write(address) };
    }
    for segment in elf.segments.iter().filter(|segment| segment.write) {
        // SAFETY: nothing refers to the segment.
        unsafe { mapping.protect(pages(segment, bias), Protection::Read)? };
    }
    Ok(())
}
