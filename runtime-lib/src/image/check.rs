//! Decides whether a file is an image that may run here, before anything of it does.
//!
//! Checks go from what is cheap and telling to what is dear, so that the first that fails names
//! the reason: a file for another machine is not called damaged.

use super::elf::Elf;
use super::error::ImageError;
use super::section::{self, Malformed, Section};
use crate::sys::arch;
use crate::sys::linux::mmap::page_size;
use lithify_abi::COMPILER;
use lithify_abi::descriptor::{Descriptor, Note};
use lithify_abi::machine::Machine;
use lithify_abi::{ABI_VERSION, IMAGE_GRANULE};
use std::ops::Range;

/// Whether the bytes of a file are hashed before it is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// They are, and must be what the compiler wrote.
    #[default]
    Verify,
    /// They are not: for a cache that nobody else writes to. What the loader itself reads is
    /// checked nevertheless; the code and the records of its functions are not, so that loading
    /// takes as long for a large image as for a small one.
    SkipHash,
}

/// An image that passed.
#[derive(Debug)]
pub struct Checked<'a> {
    /// The file.
    pub elf: Elf<'a>,
    /// Its note.
    pub note: Note,
    /// Its metadata section.
    pub section: Section<'a>,
    /// Address of the text, relative to where the image is loaded.
    pub text: u64,
    /// Where the memory image lies in the file.
    pub memory_image: Range<usize>,
}

/// Checks everything but whether this machine can run the image.
pub fn check(bytes: &[u8], trust: Trust) -> Result<Checked<'_>, ImageError> {
    check_for(bytes, trust, None)
}

/// Checks everything.
pub fn check_for_here(bytes: &[u8], trust: Trust) -> Result<Checked<'_>, ImageError> {
    check_for(bytes, trust, Some(arch::MACHINE))
}

fn check_for(bytes: &[u8], trust: Trust, here: Option<Machine>) -> Result<Checked<'_>, ImageError> {
    let (elf, note, hash_field) = read_note(bytes)?;
    if note.abi_version != ABI_VERSION {
        let found = note.abi_version;
        return Err(ImageError::AbiVersion { found });
    }
    if note.machine != elf.machine {
        return Err(damaged("note and header name different machines"));
    }
    if here.is_some_and(|here| Machine::from_number(note.machine) != Some(here)) {
        return Err(wrong_machine(note.machine));
    }
    let (found, recorded) = (bytes.len() as u64, note.file_len);
    if found != recorded {
        return Err(ImageError::FileLength { found, recorded });
    }
    if trust == Trust::Verify {
        check_hash(bytes, &note, hash_field)?;
    }
    check_segments(&elf)?;
    let metadata = elf
        .bytes_at(note.descriptor, note.metadata_len)
        .filter(|_| note.descriptor.is_multiple_of(8))
        .ok_or_else(|| damaged("the metadata lies outside the file"))?;
    let descriptor = Section::descriptor(metadata)?;
    check_descriptor(&descriptor, note.machine, here)?;
    let section = Section::read(metadata)?;
    if trust == Trust::Verify || here.is_none() {
        section.check_functions()?;
    }
    if here.is_some() {
        check_compiler(&section)?;
    }
    let text = text(&elf, &note, &descriptor)?;
    let memory_image = memory_image(&elf, &note, &descriptor)?;
    Ok(Checked { elf, note, section, text, memory_image })
}

/// The file type of a relocatable object.
const ET_REL: u8 = 1;

fn read_note(bytes: &[u8]) -> Result<(Elf<'_>, Note, Range<usize>), ImageError> {
    if !Elf::is_elf(bytes) {
        return Err(ImageError::NotElf);
    }
    // Class and byte order come right after the magic number.
    if bytes.get(4..6).is_some_and(|ident| ident != [2, 1]) {
        return Err(ImageError::Foreign);
    }
    let elf = Elf::parse(bytes).map_err(|error| damaged(&error.to_string()))?;
    if bytes.get(16) == Some(&ET_REL) {
        return Err(ImageError::Object);
    }
    let (note, hash_field) = elf.note.clone().ok_or(ImageError::Foreign)?;
    Ok((elf, note, hash_field))
}

/// Checks what the descriptor says about where it can run. Also for linked modules.
pub fn check_descriptor(
    descriptor: &Descriptor,
    machine: u32,
    here: Option<Machine>,
) -> Result<(), ImageError> {
    if descriptor.abi_version != ABI_VERSION {
        let found = descriptor.abi_version;
        return Err(ImageError::AbiVersion { found });
    }
    if descriptor.machine != machine {
        return Err(wrong_machine(descriptor.machine));
    }
    let missing = descriptor.cpu_features & !arch::cpu_features();
    if here.is_some() && missing != 0 {
        let missing = section::feature_names(missing);
        return Err(ImageError::CpuFeatures { missing });
    }
    Ok(())
}

/// Checks that the compiler is the one that belongs to this library. Also for linked modules.
pub fn check_compiler(section: &Section<'_>) -> Result<(), ImageError> {
    let found = section.bytes(section.records.descriptor.compiler);
    let found = String::from_utf8_lossy(found);
    match found == COMPILER {
        true => Ok(()),
        false => Err(ImageError::Compiler { found: found.into_owned() }),
    }
}

fn check_hash(bytes: &[u8], note: &Note, field: Range<usize>) -> Result<(), ImageError> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&bytes[..field.start]);
    hasher.update(&[0; 32][..field.len()]);
    hasher.update(&bytes[field.end..]);
    let (found, recorded) = (hasher.finalize(), blake3::Hash::from_bytes(note.file_hash));
    if found != recorded {
        return Err(ImageError::FileHash {
            found: found.to_string(),
            recorded: recorded.to_string(),
        });
    }
    Ok(())
}

/// The address of the text, all of which one executable segment holds. A module without
/// functions has none.
fn text(elf: &Elf<'_>, note: &Note, descriptor: &Descriptor) -> Result<u64, ImageError> {
    let text =
        (note.descriptor + Descriptor::OFFSETS.text as u64).wrapping_add_signed(descriptor.text);
    let end = text.checked_add(u64::from(descriptor.text_len));
    let inside = elf.segments.iter().any(|segment| {
        let file_end = segment.address.saturating_add(segment.file_len);
        segment.execute && segment.address <= text && end.is_some_and(|end| end <= file_end)
    });
    match inside || descriptor.text_len == 0 {
        true => Ok(text),
        false => Err(malformed("text", "not in an executable segment")),
    }
}

/// Where the memory image lies in the file.
fn memory_image(
    elf: &Elf<'_>,
    note: &Note,
    descriptor: &Descriptor,
) -> Result<Range<usize>, ImageError> {
    if descriptor.memory_image_len == 0 {
        return Ok(0..0);
    }
    let field = note.descriptor + Descriptor::OFFSETS.memory_image as u64;
    let address = field.wrapping_add_signed(descriptor.memory_image);
    elf.file_range(address, u64::from(descriptor.memory_image_len))
        .filter(|range| (range.start as u64).is_multiple_of(IMAGE_GRANULE))
        .ok_or_else(|| malformed("memory_image", "not in a segment, or not aligned"))
}

fn check_segments(elf: &Elf<'_>) -> Result<(), ImageError> {
    /// The largest image, in bytes.
    const MAX: u64 = 4 << 30;
    let page = page_size() as u64;
    let mut end = 0;
    for segment in &elf.segments {
        let in_order = segment.address / page * page >= end;
        let last = segment.address.checked_add(segment.memory_len).filter(|last| *last <= MAX);
        let (Some(last), true) = (last, in_order) else {
            return Err(unsupported("segments that overlap or are out of order"));
        };
        end = last.next_multiple_of(page);
        let in_place = segment.address == segment.offset && segment.memory_len == segment.file_len;
        if !in_place || elf.bytes_at(segment.address, segment.file_len).is_none() {
            return Err(unsupported("a segment that is not in memory what it is in the file"));
        }
        if segment.execute && segment.write {
            return Err(unsupported("a segment with unexpected flags"));
        }
    }
    match elf.segments.is_empty() {
        true => Err(unsupported("no segments")),
        false => Ok(()),
    }
}

fn wrong_machine(found: u32) -> ImageError {
    ImageError::Machine { found: machine_name(found), expected: arch::MACHINE.to_string() }
}

/// The name of an ELF machine number.
pub fn machine_name(machine: u32) -> String {
    Machine::from_number(machine)
        .map_or_else(|| format!("number {machine}"), |machine| machine.to_string())
}

fn damaged(message: &str) -> ImageError {
    let message = message.into();
    ImageError::Damaged { message }
}

fn unsupported(message: &str) -> ImageError {
    let message = message.into();
    ImageError::Unsupported { message }
}

fn malformed(field: &'static str, message: &str) -> ImageError {
    let message = message.into();
    ImageError::Malformed { field, message }
}

impl From<Malformed> for ImageError {
    fn from(Malformed { field, message }: Malformed) -> Self {
        Self::Malformed { field, message }
    }
}
