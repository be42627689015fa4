//! Turns an object of ours into an image: a shared ELF file that can be mapped as it is.
//!
//! ```text
//! R   header, note, .dynsym .dynstr .hash .rela.dyn, .rodata, .lithify, .eh_frame, .lithify.memory
//! RX  .text
//! RW  .dynamic .got                          (read-only once its entries are filled)
//!     .debug_*                               (not loaded, and only where it was asked for)
//!     .symtab .strtab .shstrtab              (not loaded)
//! ```
//!
//! What is loaded is the same with debug information and without, but for the file's length and
//! hash in the note. Addresses equal file offsets. All references are resolved here but the entries
//! of the global offset table, one per undefined symbol, which a loader fills by those of
//! `.rela.dyn`: ours, or `ld.so`. The rule not to break: no relocation in the text.

use crate::{
    error::CompileError,
    patch::{Form, patch},
    target::Target,
};
use lithify_abi::{
    machine::Machine,
    symbols::{MEMORY_SECTION, METADATA_SECTION},
};
use object::{
    LittleEndian, Object, ObjectSection, ObjectSymbol, RelocationFlags, RelocationTarget, elf,
    read::elf::ElfFile64,
};
use writer::{ImageWriter, Plan, Section};

mod writer;

type Result<T> = std::result::Result<T, CompileError>;
type File<'o> = ElfFile64<'o, LittleEndian>;

/// Sections that are copied from the object, in order, with the segment each belongs to.
const SECTIONS: &[(&str, Segment)] = &[
    (".rodata", Segment::Read),
    (METADATA_SECTION, Segment::Read),
    (".eh_frame", Segment::Read),
    (MEMORY_SECTION, Segment::Read),
    (".text", Segment::Execute),
];

/// How the names of sections begin that are for debuggers. They follow what is loaded.
const DEBUG: &str = ".debug_";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Segment {
    Read,
    Execute,
    /// None: it stays in the file.
    NotLoaded,
}

/// Links `object` into an image.
pub fn image(object: &[u8], target: Target) -> Result<Vec<u8>> {
    let file = File::parse(object)?;
    let mut bytes = Vec::new();
    let plan = ImageWriter::new(&file, target.machine, &mut bytes)?.write()?;
    for section in &plan.sections {
        relocate(&file, &plan, target.machine, section, &mut bytes)?;
    }
    let hash = *blake3::hash(&bytes).as_bytes();
    bytes[plan.file_hash.clone()].copy_from_slice(&hash);
    Ok(bytes)
}

fn error(message: &str) -> CompileError {
    CompileError::Object(format!("image: {message}"))
}

/// Applies the relocations of one section to its bytes in the file.
fn relocate(
    file: &File<'_>,
    plan: &Plan,
    machine: Machine,
    placed: &Section,
    bytes: &mut [u8],
) -> Result<()> {
    let section = file.section_by_index(placed.index)?;
    for (offset, relocation) in section.relocations() {
        if offset >= placed.len {
            return Err(error("a relocation outside its section"));
        }
        let place = placed.offset + offset;
        let (RelocationTarget::Symbol(index), RelocationFlags::Elf { r_type }) =
            (relocation.target(), relocation.flags())
        else {
            return Err(error("an odd relocation"));
        };
        let target = match plan.got_entries.get(&index) {
            Some(entry) => plan.got + entry * 8,
            None => {
                let symbol = file.symbol_by_index(index)?;
                let section = symbol.section_index().and_then(|index| plan.section(index));
                let section = section.ok_or_else(|| error("a reference to nowhere"))?;
                section.address() + symbol.address()
            }
        };
        let value = (target as i64)
            .checked_add(relocation.addend())
            .ok_or_else(|| error("a reference beyond all addresses"))?;
        let form = form(machine, r_type)?;
        patch(bytes, place, place as i64, value, form)?;
    }
    Ok(())
}

/// How a relocation type of `machine` is encoded.
fn form(machine: Machine, r_type: u32) -> Result<Form> {
    Ok(match (machine, r_type) {
        (Machine::X86_64, elf::R_X86_64_PC32 | elf::R_X86_64_PLT32 | elf::R_X86_64_GOTPCREL)
        | (Machine::Aarch64, elf::R_AARCH64_PREL32) => Form::Relative32,
        (Machine::X86_64, elf::R_X86_64_PC64) | (Machine::Aarch64, elf::R_AARCH64_PREL64) => {
            Form::Relative64
        }
        (Machine::X86_64, elf::R_X86_64_32) | (Machine::Aarch64, elf::R_AARCH64_ABS32) => {
            Form::Absolute32
        }
        (Machine::X86_64, elf::R_X86_64_64) | (Machine::Aarch64, elf::R_AARCH64_ABS64) => {
            Form::Absolute64
        }
        (Machine::Aarch64, elf::R_AARCH64_ADR_PREL_PG_HI21 | elf::R_AARCH64_ADR_GOT_PAGE) => {
            Form::Page21
        }
        (Machine::Aarch64, elf::R_AARCH64_ADD_ABS_LO12_NC) => Form::Add12,
        (Machine::Aarch64, elf::R_AARCH64_LD64_GOT_LO12_NC) => Form::Load12,
        _ => return Err(error(&format!("relocation type {r_type} is not known"))),
    })
}
