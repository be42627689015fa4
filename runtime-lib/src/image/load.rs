//! Makes a file an image in memory: maps it, checks it, fills its linkage table, and makes its code
//! executable.
//!
//! An image lies in memory as it lies in its file, so one mapping of the file is all it takes.

use super::bindings::{Bindings, Target};
use super::check::{self, Checked, Trust};
use super::elf::{Elf, Relocation, Segment};
use super::error::ImageError;
use super::imports::Imports;
use super::loaded::Loaded;
use super::memory_image::MemoryImage;
use super::section::Section;
use crate::sys::arch;
use crate::sys::linux::mmap::{Mapping, Protection, page_size, round_up_to_page};
use lithify_abi::descriptor::NONE;
use lithify_abi::libcall::Libcall;
use lithify_abi::symbols;
use std::fs::File;
use std::ops::Range;
use std::slice;
use std::sync::Arc;

/// Loads the image in `file`, whose libcalls are at the addresses that `libcalls` gives.
pub fn file(
    file: &File,
    imports: &Imports,
    libcalls: fn(Libcall) -> usize,
    trust: Trust,
) -> Result<Loaded, ImageError> {
    let len = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    if len == 0 {
        return Err(ImageError::NotElf);
    }
    let mapping = Arc::new(Mapping::file(file, len)?);
    // SAFETY: the mapping is readable and private; image files are not written to, and we write to
    // it only where none of these bytes is in use any more.
    let checked = check::check_for_here(unsafe { mapping.bytes() }, trust)?;
    let bindings = Bindings::resolve(&checked.section, imports)?;
    // The address of a text without code is not checked, and not used.
    let text = mapping.start().wrapping_add(checked.text as usize).cast_const();
    let entries = linkage_table(&checked, &bindings, libcalls, text)?;
    let (metadata, len) =
        (mapping.at(checked.note.descriptor as usize), checked.section.bytes.len());
    let Checked {
        section: Section { records, .. }, memory_image, elf: Elf { segments, .. }, ..
    } = checked;
    // SAFETY: what was read of the file is not referred to any more.
    unsafe { finish(&mapping, &segments, &entries)? };
    // SAFETY: the metadata was checked to lie in one segment, nobody writes to the mapping any
    // more, and `Loaded` keeps it.
    let bytes: &'static [u8] = unsafe { slice::from_raw_parts(metadata, len) };
    let section = Section { bytes, records };
    let whole = Arc::clone(&mapping);
    let memory = MemoryImage::from_file(file, whole, memory_image, &section.records.extents)?;
    Ok(Loaded::new(text, section, memory, bindings, Some(mapping)))
}

/// A place in the linkage table: its offset in the file, a multiple of 8, and the address that
/// goes there.
type Entry = (usize, usize);

/// What goes into the linkage table: the addresses of libcalls and of imports, in the order of those.
fn linkage_table(
    Checked { elf, section, .. }: &Checked<'_>,
    bindings: &Bindings,
    libcalls: fn(Libcall) -> usize,
    text: *const u8,
) -> Result<Vec<Entry>, ImageError> {
    let unsupported = |message: String| ImageError::Unsupported { message };
    let relocations = elf.relocations().map_err(|message| unsupported(message.into()))?;
    let mut targets = section.records.imports.iter().zip(&bindings.targets);
    let mut target = |symbol: &str| {
        if let Some(libcall) = Libcall::of_symbol(symbol) {
            return Some(libcalls(libcall));
        }
        let (_, target) = targets.find(|(import, _)| {
            let (module, field) = (section.name(import.module), section.name(import.field));
            symbols::is_import(symbol, symbols::PREFIX, module, field)
        })?;
        match (*target)? {
            Target::Native(address) => Some(address),
            Target::Text(NONE) => None,
            Target::Text(offset) => Some(text as usize + offset as usize),
        }
    };
    let entry = |relocation: Relocation<'_>| {
        let Relocation { address: place, kind, symbol } = relocation;
        let writable = elf.segments.iter().any(|segment| {
            let addresses = segment.addresses();
            segment.write && addresses.start <= place && place.saturating_add(8) <= addresses.end
        });
        if kind != arch::MACHINE.glob_dat() || !writable || !place.is_multiple_of(8) {
            return Err(unsupported(format!("a relocation of type {kind} at {place:#x}")));
        }
        let message = || format!("an undefined symbol {symbol} without an import, or out of order");
        Ok((place as usize, target(symbol).ok_or_else(|| unsupported(message()))?))
    };
    relocations.into_iter().map(entry).collect()
}

/// Fills the linkage table and makes code executable.
///
/// # Safety
///
/// Nothing refers to segments that are written to. All entries are in such segments.
unsafe fn finish(
    mapping: &Mapping,
    segments: &[Segment],
    entries: &[Entry],
) -> Result<(), ImageError> {
    let pages = |segment: &Segment| -> Range<usize> {
        let Range { start, end } = segment.addresses();
        let start = start as usize;
        start - start % page_size()..round_up_to_page(end as usize).min(mapping.len())
    };
    let protect = |write: bool, execute: bool, protection: Protection| {
        (segments.iter().filter(|segment| (segment.write, segment.execute) == (write, execute)))
            // SAFETY: code is only read, the rest is as the caller says.
            .try_for_each(|segment| unsafe { mapping.protect(pages(segment), protection) })
    };
    protect(true, false, Protection::ReadWrite)?;
    for (place, address) in entries {
        // SAFETY: eight aligned bytes of a segment that was just made writable.
        unsafe { mapping.at(*place).cast::<usize>().write(*address) };
    }
    protect(true, false, Protection::Read)?;
    Ok(protect(false, true, Protection::ReadExecute)?)
}
