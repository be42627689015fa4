//! Turns an object of ours into an image: a shared ELF file that can be mapped as it is.
//!
//! ```text
//! R   header, note, .dynsym .dynstr .hash .rela.dyn, .rodata, .lithify, .eh_frame, .lithify.memory
//! RX  .text
//! RW  .dynamic .got                          (read-only once the slots are filled)
//!     .symtab .strtab .shstrtab              (not loaded)
//! ```
//!
//! Addresses equal file offsets. All references are resolved here but the slots of the global
//! offset table, one per undefined symbol, which a loader fills by the entries of `.rela.dyn`:
//! ours, or `ld.so`. The rule not to break: no relocation in the text.

use crate::{
    error::CompileError,
    patch::{Form, patch},
    target::Target,
};
use lithify_abi::{
    ABI_VERSION,
    descriptor::Note,
    machine::Machine,
    record::Field,
    symbols::{DESCRIPTOR, MEMORY_SECTION, METADATA_SECTION, NOTE_NAME, NOTE_SECTION, NOTE_TYPE},
};
use object::{
    Endianness, LittleEndian, Object, ObjectSection, ObjectSymbol, RelocationFlags,
    RelocationTarget, SymbolIndex, elf,
    read::elf::ElfFile64,
    write::StringId,
    write::elf::{FileHeader, ProgramHeader, Rel, SectionHeader, SectionIndex, Sym, Writer},
};
use std::{collections::HashMap, ops::Range};

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

#[derive(Clone, Copy, PartialEq, Eq)]
enum Segment {
    Read,
    Execute,
}

/// Links `object` into an image.
pub fn image(object: &[u8], target: Target) -> Result<Vec<u8>> {
    let file = File::parse(object).map_err(|e| error(&e))?;
    let mut bytes = Vec::new();
    let layout = write(&file, target, &mut bytes)?;
    for section in &layout.sections {
        relocate(&file, &layout, target.machine, section, &mut bytes)?;
    }
    let hash = *blake3::hash(&bytes).as_bytes();
    bytes[layout.file_hash.clone()].copy_from_slice(&hash);
    Ok(bytes)
}

fn error(error: &dyn std::fmt::Display) -> CompileError {
    CompileError::Object(format!("image: {error}"))
}

/// Where everything lies in the file, and so in memory.
struct Layout {
    sections: Vec<Placed>,
    got: u64,
    /// Position of each undefined symbol among the slots.
    slots: HashMap<SymbolIndex, u64>,
    file_hash: Range<usize>,
}

/// A section of the object at its place.
struct Placed {
    index: object::SectionIndex,
    output: SectionIndex,
    name: StringId,
    segment: Segment,
    address: u64,
    len: u64,
    align: u64,
}

impl Layout {
    fn section(&self, index: object::SectionIndex) -> Option<&Placed> {
        self.sections.iter().find(|section| section.index == index)
    }
}

/// Writes the file without its relocations applied and with a zero hash.
fn write(file: &File<'_>, target: Target, bytes: &mut Vec<u8>) -> Result<Layout> {
    let page = target.machine.page() as usize;
    let undefined: Vec<_> =
        file.symbols().filter(|s| s.is_undefined() && s.index().0 != 0).collect();
    let exported: Vec<_> = file.symbols().filter(|s| s.is_global() && s.is_definition()).collect();
    let local: Vec<_> = (file.symbols())
        .filter(|s| s.is_local() && s.is_definition() && s.name().is_ok_and(|n| !n.is_empty()))
        .collect();

    // Reserve, in file order.
    let mut w = Writer::new(Endianness::Little, true, bytes);
    w.reserve_file_header();
    w.reserve_program_headers(7);
    let note_len = 12 + (NOTE_NAME.len() + 1).next_multiple_of(4) + Note::SIZE;
    let note = w.reserve(note_len, 4);
    let note_name = w.add_section_name(NOTE_SECTION.as_bytes());
    w.reserve_null_section_index();
    let _ = w.reserve_section_index();
    w.reserve_null_dynamic_symbol_index();
    let mut dynamic_symbols = Vec::with_capacity(undefined.len() + exported.len());
    for symbol in undefined.iter().chain(&exported) {
        w.reserve_dynamic_symbol_index();
        let name = symbol.name_bytes().map_err(|e| error(&e))?;
        dynamic_symbols.push((symbol, w.add_dynamic_string(name)));
    }
    w.reserve_dynsym_section_index();
    w.reserve_dynstr_section_index();
    w.reserve_hash_section_index();
    let dynsym = w.reserve_dynsym();
    let dynstr = w.reserve_dynstr();
    let chains = w.dynamic_symbol_count();
    let buckets = chains.next_power_of_two();
    let hash = w.reserve_hash(buckets, chains);
    let rela_name = w.add_section_name(b".rela.dyn");
    let _ = w.reserve_section_index();
    let rela = w.reserve_relocations(undefined.len(), true);
    let sections = place(file, page, &mut w)?;
    let read_end = (sections.iter().rfind(|s| s.segment == Segment::Read))
        .map_or(rela as u64 + undefined.len() as u64 * 24, |s| s.address + s.len);
    w.reserve_dynamic_section_index();
    w.reserve(0, page);
    let dynamic = w.reserve_dynamic(DYNAMIC_ENTRIES) as u64;
    let got_name = w.add_section_name(b".got");
    let got_section = w.reserve_section_index();
    let got = w.reserve(undefined.len() * 8, 8) as u64;
    let write_end = got + undefined.len() as u64 * 8;

    w.reserve_null_symbol_index();
    let mut symbols = Vec::with_capacity(local.len() + undefined.len() + exported.len());
    for symbol in local.iter().chain(&undefined).chain(&exported) {
        let section = symbol.section_index().and_then(|index| {
            sections.iter().find(|section| section.index == index).map(|section| section.output)
        });
        w.reserve_symbol_index(section);
        let name = symbol.name_bytes().map_err(|e| error(&e))?;
        symbols.push((symbol, w.add_string(name)));
    }
    w.reserve_symtab_section_index();
    w.reserve_symtab();
    w.reserve_strtab_section_index();
    w.reserve_strtab();
    w.reserve_shstrtab_section_index();
    w.reserve_shstrtab();
    w.reserve_section_headers();

    let layout = Layout {
        sections,
        got,
        slots: (0..).zip(&undefined).map(|(slot, symbol)| (symbol.index(), slot)).collect(),
        file_hash: note + note_len - 32..note + note_len,
    };
    let address = |symbol: &object::read::elf::ElfSymbol64<'_, '_, LittleEndian>| {
        let section = symbol.section_index().and_then(|index| layout.section(index));
        section.map(|section| (section.output, section.address + symbol.address()))
    };
    let metadata = (exported.iter().find(|s| s.name() == Ok(DESCRIPTOR)))
        .and_then(|symbol| address(symbol).map(|(_, address)| (address, symbol.size())))
        .ok_or_else(|| error(&"the object has no descriptor"))?;

    // Write, in the same order.
    w.write_file_header(&FileHeader {
        os_abi: elf::ELFOSABI_NONE,
        abi_version: 0,
        e_type: elf::ET_DYN,
        e_machine: target.machine.number(),
        e_entry: 0,
        e_flags: 0,
    })
    .map_err(|e| error(&e))?;
    let text = layout.sections.iter().find(|s| s.segment == Segment::Execute);
    let (text, text_len) = text.map_or((0, 0), |s| (s.address, s.len));
    let header = |p_type, p_flags, start: u64, len: u64, p_align: u64| ProgramHeader {
        p_type,
        p_flags,
        p_offset: start,
        p_vaddr: start,
        p_paddr: start,
        p_filesz: len,
        p_memsz: len,
        p_align,
    };
    let page = page as u64;
    let writable = dynamic & !(page - 1);
    for header in [
        header(elf::PT_LOAD, elf::PF_R, 0, read_end, page),
        header(elf::PT_LOAD, elf::PF_R | elf::PF_X, text, text_len, page),
        header(elf::PT_LOAD, elf::PF_R | elf::PF_W, writable, write_end - writable, page),
        header(elf::PT_DYNAMIC, elf::PF_R | elf::PF_W, dynamic, got - dynamic, 8),
        header(elf::PT_NOTE, elf::PF_R, note as u64, note_len as u64, 4),
        header(elf::PT_GNU_STACK, elf::PF_R | elf::PF_W, 0, 0, 16),
        header(elf::PT_GNU_RELRO, elf::PF_R, writable, write_end - writable, 1),
    ] {
        w.write_program_header(&header);
    }
    w.write_align(4);
    w.write(&note_bytes(&Note {
        abi_version: ABI_VERSION,
        machine: target.machine.number().into(),
        file_len: w.reserved_len() as u64,
        descriptor: metadata.0,
        metadata_len: metadata.1,
        file_hash: [0; 32],
    }));
    w.write_null_dynamic_symbol();
    for (symbol, name) in &dynamic_symbols {
        w.write_dynamic_symbol(&sym(symbol, *name, address(symbol)));
    }
    w.write_dynstr();
    let hashes: Vec<u32> = (dynamic_symbols.iter())
        .map(|(symbol, _)| symbol.name_bytes().map_or(0, elf::hash))
        .collect();
    w.write_hash(buckets, chains, |index| Some(*hashes.get(index.checked_sub(1)? as usize)?));
    w.write_align_relocation();
    let r_type = target.machine.glob_dat();
    for slot in 0..undefined.len() as u64 {
        let (r_offset, r_sym) = (got + slot * 8, slot as u32 + 1);
        w.write_relocation(true, &Rel { r_offset, r_sym, r_type, r_addend: 0 });
    }
    for section in &layout.sections {
        w.pad_until(section.address as usize);
        let data = file.section_by_index(section.index).and_then(|s| s.data());
        w.write(data.map_err(|e| error(&e))?);
    }
    w.pad_until(dynamic as usize);
    let rela_len = undefined.len() as u64 * 24;
    for (tag, value) in [
        (elf::DT_HASH, hash as u64),
        (elf::DT_STRTAB, dynstr as u64),
        (elf::DT_SYMTAB, dynsym as u64),
        (elf::DT_STRSZ, w.dynstr_len() as u64),
        (elf::DT_SYMENT, 24),
        (elf::DT_RELA, rela as u64),
        (elf::DT_RELASZ, rela_len),
        (elf::DT_RELAENT, 24),
        (elf::DT_NULL, 0),
    ] {
        w.write_dynamic(tag, value).map_err(|e| error(&e))?;
    }
    w.pad_until(got as usize);
    w.write(&vec![0; undefined.len() * 8]);
    w.write_null_symbol();
    for (symbol, name) in &symbols {
        w.write_symbol(&sym(symbol, *name, address(symbol)));
    }
    w.write_strtab();
    w.write_shstrtab();

    w.write_null_section_header();
    let allocated = u64::from(elf::SHF_ALLOC);
    let plain = |name, sh_type, sh_flags, start: u64, len: u64, align: u64| SectionHeader {
        name: Some(name),
        sh_type,
        sh_flags,
        sh_addr: start,
        sh_offset: start,
        sh_size: len,
        sh_link: 0,
        sh_info: 0,
        sh_addralign: align,
        sh_entsize: 0,
    };
    let (note, note_len) = (note as u64, note_len as u64);
    w.write_section_header(&plain(note_name, elf::SHT_NOTE, allocated, note, note_len, 4));
    w.write_dynsym_section_header(dynsym as u64, 1);
    w.write_dynstr_section_header(dynstr as u64);
    w.write_hash_section_header(hash as u64);
    let dynsym_index = w.dynsym_index();
    w.write_section_header(&SectionHeader {
        sh_link: dynsym_index.0,
        sh_entsize: 24,
        ..plain(rela_name, elf::SHT_RELA, allocated, rela as u64, rela_len, 8)
    });
    for section in &layout.sections {
        let flags = match section.segment {
            Segment::Read => allocated,
            Segment::Execute => allocated | u64::from(elf::SHF_EXECINSTR),
        };
        let Placed { name, address, len, align, .. } = *section;
        w.write_section_header(&plain(name, elf::SHT_PROGBITS, flags, address, len, align));
    }
    w.write_dynamic_section_header(dynamic);
    let flags = allocated | u64::from(elf::SHF_WRITE);
    w.write_section_header(&plain(got_name, elf::SHT_PROGBITS, flags, got, write_end - got, 8));
    let _ = got_section;
    w.write_symtab_section_header(1 + local.len() as u32);
    w.write_strtab_section_header();
    w.write_shstrtab_section_header();
    Ok(layout)
}

/// Entries of `.dynamic`.
const DYNAMIC_ENTRIES: usize = 9;

/// Reserves the sections that come from the object; each segment starts a page.
fn place<'o>(file: &File<'o>, page: usize, w: &mut Writer<'o>) -> Result<Vec<Placed>> {
    let mut sections = Vec::new();
    for (name, segment) in SECTIONS {
        let Some(section) = file.section_by_name(name) else {
            continue;
        };
        if section.size() == 0 {
            continue;
        }
        let starts_page = *segment == Segment::Execute || *name == MEMORY_SECTION;
        let align = if starts_page { page } else { section.align() as usize };
        let name = section.name_bytes().map_err(|e| error(&e))?;
        sections.push(Placed {
            index: section.index(),
            output: w.reserve_section_index(),
            name: w.add_section_name(name),
            segment: *segment,
            address: w.reserve(section.size() as usize, align) as u64,
            len: section.size(),
            align: align as u64,
        });
    }
    Ok(sections)
}

fn note_bytes(note: &Note) -> Vec<u8> {
    let mut bytes = Vec::new();
    for word in [NOTE_NAME.len() as u32 + 1, Note::SIZE as u32, NOTE_TYPE] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend(NOTE_NAME.as_bytes());
    bytes.push(0);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    note.put(&mut bytes);
    bytes
}

fn sym(
    symbol: &object::read::elf::ElfSymbol64<'_, '_, LittleEndian>,
    name: StringId,
    place: Option<(SectionIndex, u64)>,
) -> Sym {
    let raw = symbol.elf_symbol();
    Sym {
        name: Some(name),
        section: place.map(|(section, _)| section),
        st_info: raw.st_info,
        st_other: raw.st_other,
        st_shndx: elf::SHN_UNDEF,
        st_value: place.map_or(0, |(_, address)| address),
        st_size: symbol.size(),
    }
}

/// Applies the relocations of one section to its bytes in the file.
fn relocate(
    file: &File<'_>,
    layout: &Layout,
    machine: Machine,
    placed: &Placed,
    bytes: &mut [u8],
) -> Result<()> {
    let section = file.section_by_index(placed.index).map_err(|e| error(&e))?;
    for (offset, relocation) in section.relocations() {
        if offset >= placed.len {
            return Err(error(&"a relocation outside its section"));
        }
        let place = placed.address + offset;
        let (RelocationTarget::Symbol(index), RelocationFlags::Elf { r_type }) =
            (relocation.target(), relocation.flags())
        else {
            return Err(error(&"an odd relocation"));
        };
        let target = match layout.slots.get(&index) {
            Some(slot) => layout.got + slot * 8,
            None => {
                let symbol = file.symbol_by_index(index).map_err(|e| error(&e))?;
                let section = symbol.section_index().and_then(|index| layout.section(index));
                let section = section.ok_or_else(|| error(&"a reference to nowhere"))?;
                section.address + symbol.address()
            }
        };
        let value = (target as i64)
            .checked_add(relocation.addend())
            .ok_or_else(|| error(&"a reference beyond all addresses"))?;
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
        (Machine::Aarch64, elf::R_AARCH64_ADR_PREL_PG_HI21 | elf::R_AARCH64_ADR_GOT_PAGE) => {
            Form::Page21
        }
        (Machine::Aarch64, elf::R_AARCH64_ADD_ABS_LO12_NC) => Form::Add12,
        (Machine::Aarch64, elf::R_AARCH64_LD64_GOT_LO12_NC) => Form::Load12,
        _ => return Err(error(&format_args!("relocation type {r_type} is not known"))),
    })
}
