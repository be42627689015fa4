//! Writes the file of an image: reserves a place for everything, in file order, and then writes it in
//! the same order. References are filled in later, by who called.

use super::{DEBUG, File, Result, SECTIONS, Segment, error};
use lithify_abi::{
    ABI_VERSION,
    descriptor::Note,
    machine::Machine,
    record::Field,
    symbols::{DESCRIPTOR, MEMORY_SECTION, NOTE_NAME, NOTE_SECTION, NOTE_TYPE},
};
use object::{
    Endianness, LittleEndian, Object, ObjectSection, ObjectSymbol, SymbolIndex, elf,
    read::elf::{ElfSection64, ElfSymbol64},
    write::StringId,
    write::elf::{FileHeader, ProgramHeader, Rel, SectionHeader, SectionIndex, Sym, Writer},
};
use std::{collections::HashMap, ops::Range};

/// Where everything lies in the file, and so in memory, that references can be to.
pub struct Plan {
    /// The sections that come from the object.
    pub sections: Vec<Section>,
    /// Address of the global offset table, whose entries have 8 bytes.
    pub got: u64,
    /// The entry of each undefined symbol.
    pub got_entries: HashMap<SymbolIndex, u64>,
    /// The field for the file's hash.
    pub file_hash: Range<usize>,
}

/// A section of the object at its place.
pub struct Section {
    /// Which one of the object.
    pub index: object::SectionIndex,
    /// Offset in the file.
    pub offset: u64,
    /// Length, in bytes.
    pub len: u64,
    output: SectionIndex,
    name: StringId,
    segment: Segment,
    align: u64,
}

impl Section {
    /// Address in the image. One that is not loaded has none, so that references to it are offsets.
    pub fn address(&self) -> u64 {
        if self.segment == Segment::NotLoaded { 0 } else { self.offset }
    }
}

impl Plan {
    /// The section of the object with this index, if the image has it.
    pub fn section(&self, index: object::SectionIndex) -> Option<&Section> {
        self.sections.iter().find(|section| section.index == index)
    }

    /// Where a symbol is defined; `None` for one that is not.
    fn address(&self, symbol: &Symbol<'_, '_>) -> Option<(SectionIndex, u64)> {
        let section = self.section(symbol.section_index()?)?;
        Some((section.output, section.address() + symbol.address()))
    }
}

type Symbol<'o, 'f> = ElfSymbol64<'o, 'f, LittleEndian>;

/// The symbols of an object, by what becomes of them.
struct Symbols<'o, 'f> {
    /// Imports and libcalls: each gets an entry in the global offset table.
    undefined: Vec<Symbol<'o, 'f>>,
    exported: Vec<Symbol<'o, 'f>>,
    local: Vec<Symbol<'o, 'f>>,
}

impl<'o, 'f> Symbols<'o, 'f> {
    fn of(file: &'f File<'o>) -> Self {
        let undefined = file.symbols().filter(|s| s.is_undefined() && s.index().0 != 0);
        let exported = file.symbols().filter(|s| s.is_global() && s.is_definition());
        let local = (file.symbols())
            .filter(|s| s.is_local() && s.is_definition() && s.name().is_ok_and(|n| !n.is_empty()));
        Self {
            undefined: undefined.collect(),
            exported: exported.collect(),
            local: local.collect(),
        }
    }

    /// Those that a dynamic linker sees.
    fn dynamic(&self) -> impl Iterator<Item = &Symbol<'o, 'f>> {
        self.undefined.iter().chain(&self.exported)
    }

    /// All, in the order of `.symtab`: local ones first.
    fn all(&self) -> impl Iterator<Item = &Symbol<'o, 'f>> {
        self.local.iter().chain(self.dynamic())
    }
}

/// What is reserved besides the sections that come from the object.
#[derive(Default)]
struct Places {
    note: Range<usize>,
    note_name: Option<StringId>,
    dynsym: usize,
    dynstr: usize,
    hash: usize,
    /// Buckets and chains of `.hash`.
    hash_size: (u32, u32),
    rela: usize,
    rela_name: Option<StringId>,
    /// End of the segment that is only read.
    read_end: u64,
    dynamic: u64,
    got_name: Option<StringId>,
    /// End of the segment that is written.
    write_end: u64,
    dynamic_names: Vec<StringId>,
    names: Vec<StringId>,
}

/// Entries of `.dynamic`.
const DYNAMIC_ENTRIES: usize = 9;

/// Size of a relocation, and of a symbol, in bytes.
const RELA_SIZE: u64 = 24;

/// An image under construction.
pub struct ImageWriter<'w, 'o, 'f> {
    file: &'f File<'o>,
    machine: Machine,
    symbols: Symbols<'o, 'f>,
    places: Places,
    plan: Plan,
    out: Writer<'w>,
}

impl<'w, 'o: 'w, 'f> ImageWriter<'w, 'o, 'f> {
    /// Reserves places for an image of `file`, which goes into `bytes`.
    pub fn new(file: &'f File<'o>, machine: Machine, bytes: &'w mut Vec<u8>) -> Result<Self> {
        let mut this = Self {
            file,
            machine,
            symbols: Symbols::of(file),
            places: Places::default(),
            plan: Plan {
                sections: Vec::new(),
                got: 0,
                got_entries: HashMap::new(),
                file_hash: 0..0,
            },
            out: Writer::new(Endianness::Little, true, bytes),
        };
        this.reserve_loaded()?;
        this.reserve_debug()?;
        this.reserve_rest()?;
        Ok(this)
    }

    /// Writes everything in the order in which it was reserved, without references and with a zero
    /// hash.
    pub fn write(mut self) -> Result<Plan> {
        self.headers()?;
        self.note()?;
        self.dynamic_symbols();
        self.sections(true)?;
        self.dynamic()?;
        self.sections(false)?;
        self.symbols();
        self.section_headers();
        Ok(self.plan)
    }

    fn page(&self) -> usize {
        self.machine.page() as usize
    }

    /// Length of `.rela.dyn`, in bytes.
    fn rela_len(&self) -> u64 {
        self.symbols.undefined.len() as u64 * RELA_SIZE
    }

    /// Reserves all that a loader maps.
    fn reserve_loaded(&mut self) -> Result<()> {
        let (out, places, symbols) = (&mut self.out, &mut self.places, &self.symbols);
        out.reserve_file_header();
        out.reserve_program_headers(7);
        let note_len = 12 + (NOTE_NAME.len() + 1).next_multiple_of(4) + Note::SIZE;
        let note = out.reserve(note_len, 4);
        places.note = note..note + note_len;
        self.plan.file_hash = places.note.end - 32..places.note.end;
        places.note_name = Some(out.add_section_name(NOTE_SECTION.as_bytes()));
        out.reserve_null_section_index();
        let _ = out.reserve_section_index();
        out.reserve_null_dynamic_symbol_index();
        for symbol in symbols.dynamic() {
            out.reserve_dynamic_symbol_index();
            places.dynamic_names.push(out.add_dynamic_string(symbol.name_bytes()?));
        }
        out.reserve_dynsym_section_index();
        out.reserve_dynstr_section_index();
        out.reserve_hash_section_index();
        places.dynsym = out.reserve_dynsym();
        places.dynstr = out.reserve_dynstr();
        let chains = out.dynamic_symbol_count();
        places.hash_size = (chains.next_power_of_two(), chains);
        places.hash = out.reserve_hash(places.hash_size.0, chains);
        places.rela_name = Some(out.add_section_name(b".rela.dyn"));
        let _ = out.reserve_section_index();
        let undefined = symbols.undefined.len();
        places.rela = out.reserve_relocations(undefined, true);
        self.reserve_sections()?;

        let (page, rela_len) = (self.page(), self.rela_len());
        let (out, places) = (&mut self.out, &mut self.places);
        let read = self.plan.sections.iter().rfind(|s| s.segment == Segment::Read);
        places.read_end = read.map_or(places.rela as u64 + rela_len, |s| s.offset + s.len);
        out.reserve_dynamic_section_index();
        out.reserve(0, page);
        places.dynamic = out.reserve_dynamic(DYNAMIC_ENTRIES) as u64;
        places.got_name = Some(out.add_section_name(b".got"));
        let _ = out.reserve_section_index();
        self.plan.got = out.reserve(undefined * 8, 8) as u64;
        places.write_end = self.plan.got + undefined as u64 * 8;
        let entries = (0..).zip(&self.symbols.undefined);
        self.plan.got_entries = entries.map(|(entry, symbol)| (symbol.index(), entry)).collect();
        Ok(())
    }

    /// Reserves the sections that come from the object; each segment starts a page.
    fn reserve_sections(&mut self) -> Result<()> {
        for (name, segment) in SECTIONS {
            let Some(section) = self.file.section_by_name(name) else {
                continue;
            };
            let starts_page = *segment == Segment::Execute || *name == MEMORY_SECTION;
            let align = if starts_page { self.page() } else { section.align() as usize };
            self.reserve_section(&section, *segment, align)?;
        }
        Ok(())
    }

    /// Reserves the sections for debuggers.
    fn reserve_debug(&mut self) -> Result<()> {
        let file = self.file;
        for section in file.sections().filter(|s| s.name().is_ok_and(|n| n.starts_with(DEBUG))) {
            self.reserve_section(&section, Segment::NotLoaded, 1)?;
        }
        Ok(())
    }

    fn reserve_section(
        &mut self,
        section: &ElfSection64<'o, 'f, LittleEndian>,
        segment: Segment,
        align: usize,
    ) -> Result<()> {
        if section.size() == 0 {
            return Ok(());
        }
        let name = section.name_bytes()?;
        self.plan.sections.push(Section {
            index: section.index(),
            output: self.out.reserve_section_index(),
            name: self.out.add_section_name(name),
            segment,
            offset: self.out.reserve(section.size() as usize, align) as u64,
            len: section.size(),
            align: align as u64,
        });
        Ok(())
    }

    /// Reserves what stays in the file: symbols and the headers of sections.
    fn reserve_rest(&mut self) -> Result<()> {
        let (out, plan) = (&mut self.out, &self.plan);
        out.reserve_null_symbol_index();
        for symbol in self.symbols.all() {
            let section = symbol.section_index().and_then(|index| plan.section(index));
            out.reserve_symbol_index(section.map(|section| section.output));
            self.places.names.push(out.add_string(symbol.name_bytes()?));
        }
        out.reserve_symtab_section_index();
        out.reserve_symtab();
        out.reserve_strtab_section_index();
        out.reserve_strtab();
        out.reserve_shstrtab_section_index();
        out.reserve_shstrtab();
        out.reserve_section_headers();
        Ok(())
    }

    /// Writes the file's header and those of segments.
    fn headers(&mut self) -> Result<()> {
        self.out.write_file_header(&FileHeader {
            os_abi: elf::ELFOSABI_NONE,
            abi_version: 0,
            e_type: elf::ET_DYN,
            e_machine: self.machine.number(),
            e_entry: 0,
            e_flags: 0,
        })?;
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
        let Places { note, read_end, dynamic, write_end, .. } = &self.places;
        let text = self.plan.sections.iter().find(|s| s.segment == Segment::Execute);
        let (text, text_len) = text.map_or((0, 0), |s| (s.offset, s.len));
        let (note, note_len) = (note.start as u64, note.len() as u64);
        let page = self.machine.page();
        let writable = dynamic & !(page - 1);
        let write_len = write_end - writable;
        let (dynamic, dynamic_len) = (*dynamic, self.plan.got - dynamic);
        for header in [
            header(elf::PT_LOAD, elf::PF_R, 0, *read_end, page),
            header(elf::PT_LOAD, elf::PF_R | elf::PF_X, text, text_len, page),
            header(elf::PT_LOAD, elf::PF_R | elf::PF_W, writable, write_len, page),
            header(elf::PT_DYNAMIC, elf::PF_R | elf::PF_W, dynamic, dynamic_len, 8),
            header(elf::PT_NOTE, elf::PF_R, note, note_len, 4),
            header(elf::PT_GNU_STACK, elf::PF_R | elf::PF_W, 0, 0, 16),
            header(elf::PT_GNU_RELRO, elf::PF_R, writable, write_len, 1),
        ] {
            self.out.write_program_header(&header);
        }
        Ok(())
    }

    /// Writes the note, which names the descriptor.
    fn note(&mut self) -> Result<()> {
        let descriptor = self.symbols.exported.iter().find(|s| s.name() == Ok(DESCRIPTOR));
        let found = descriptor.and_then(|s| Some((self.plan.address(s)?.1, s.size())));
        let (descriptor, metadata_len) =
            found.ok_or_else(|| error("the object has no descriptor"))?;
        let note = Note {
            abi_version: ABI_VERSION,
            machine: self.machine.number().into(),
            file_len: self.out.reserved_len() as u64,
            descriptor,
            metadata_len,
            file_hash: [0; 32],
        };
        self.out.write_align(4);
        self.out.write(&note_bytes(&note));
        Ok(())
    }

    /// Writes the symbols that a dynamic linker sees, and the relocations of the global offset table.
    fn dynamic_symbols(&mut self) {
        let (out, plan) = (&mut self.out, &self.plan);
        out.write_null_dynamic_symbol();
        for (symbol, name) in self.symbols.dynamic().zip(&self.places.dynamic_names) {
            out.write_dynamic_symbol(&sym(symbol, *name, plan.address(symbol)));
        }
        out.write_dynstr();
        let names = self.symbols.dynamic().map(|symbol| symbol.name_bytes());
        let hashes: Vec<u32> = names.map(|name| name.map_or(0, elf::hash)).collect();
        let (buckets, chains) = self.places.hash_size;
        out.write_hash(buckets, chains, |index| Some(*hashes.get(index.checked_sub(1)? as usize)?));
        out.write_align_relocation();
        for entry in 0..self.symbols.undefined.len() as u64 {
            let (r_offset, r_sym) = (plan.got + entry * 8, entry as u32 + 1);
            let r_type = self.machine.glob_dat();
            out.write_relocation(true, &Rel { r_offset, r_sym, r_type, r_addend: 0 });
        }
    }

    /// Writes the sections that come from the object and are loaded, or those that are not.
    fn sections(&mut self, loaded: bool) -> Result<()> {
        let is_loaded = |section: &&Section| section.segment != Segment::NotLoaded;
        for section in self.plan.sections.iter().filter(|section| is_loaded(section) == loaded) {
            self.out.pad_until(section.offset as usize);
            self.out.write(self.file.section_by_index(section.index)?.data()?);
        }
        Ok(())
    }

    /// Writes `.dynamic` and an empty global offset table.
    fn dynamic(&mut self) -> Result<()> {
        let rela_len = self.rela_len();
        let (out, places) = (&mut self.out, &self.places);
        out.pad_until(places.dynamic as usize);
        let strings = out.dynstr_len() as u64;
        let entries: [(i64, u64); DYNAMIC_ENTRIES] = [
            (elf::DT_HASH, places.hash as u64),
            (elf::DT_STRTAB, places.dynstr as u64),
            (elf::DT_SYMTAB, places.dynsym as u64),
            (elf::DT_STRSZ, strings),
            (elf::DT_SYMENT, 24),
            (elf::DT_RELA, places.rela as u64),
            (elf::DT_RELASZ, rela_len),
            (elf::DT_RELAENT, RELA_SIZE),
            (elf::DT_NULL, 0),
        ];
        for (tag, value) in entries {
            out.write_dynamic(tag, value)?;
        }
        out.pad_until(self.plan.got as usize);
        out.write(&vec![0; self.symbols.undefined.len() * 8]);
        Ok(())
    }

    /// Writes `.symtab` and the strings.
    fn symbols(&mut self) {
        self.out.write_null_symbol();
        for (symbol, name) in self.symbols.all().zip(&self.places.names) {
            self.out.write_symbol(&sym(symbol, *name, self.plan.address(symbol)));
        }
        self.out.write_strtab();
        self.out.write_shstrtab();
    }

    /// Writes the headers of sections.
    fn section_headers(&mut self) {
        let allocated = u64::from(elf::SHF_ALLOC);
        let plain = |name, sh_type, sh_flags, start: u64, len: u64, align: u64| SectionHeader {
            name,
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
        let rela_len = self.rela_len();
        let (out, places, plan) = (&mut self.out, &self.places, &self.plan);
        out.write_null_section_header();
        let (note, note_len) = (places.note.start as u64, places.note.len() as u64);
        let header = plain(places.note_name, elf::SHT_NOTE, allocated, note, note_len, 4);
        out.write_section_header(&header);
        out.write_dynsym_section_header(places.dynsym as u64, 1);
        out.write_dynstr_section_header(places.dynstr as u64);
        out.write_hash_section_header(places.hash as u64);
        let (rela, dynsym) = (places.rela as u64, out.dynsym_index());
        out.write_section_header(&SectionHeader {
            sh_link: dynsym.0,
            sh_entsize: RELA_SIZE,
            ..plain(places.rela_name, elf::SHT_RELA, allocated, rela, rela_len, 8)
        });
        let of_object = |section: &Section| {
            let flags = match section.segment {
                Segment::Read => allocated,
                Segment::Execute => allocated | u64::from(elf::SHF_EXECINSTR),
                Segment::NotLoaded => 0,
            };
            let Section { name, offset, len, align, .. } = *section;
            let header = plain(Some(name), elf::SHT_PROGBITS, flags, offset, len, align);
            SectionHeader { sh_addr: section.address(), ..header }
        };
        let (not_loaded, loaded): (Vec<&Section>, Vec<&Section>) =
            plan.sections.iter().partition(|section| section.segment == Segment::NotLoaded);
        loaded.iter().for_each(|section| out.write_section_header(&of_object(section)));
        out.write_dynamic_section_header(places.dynamic);
        let (flags, len) = (allocated | u64::from(elf::SHF_WRITE), places.write_end - plan.got);
        out.write_section_header(&plain(
            places.got_name,
            elf::SHT_PROGBITS,
            flags,
            plan.got,
            len,
            8,
        ));
        not_loaded.iter().for_each(|section| out.write_section_header(&of_object(section)));
        out.write_symtab_section_header(1 + self.symbols.local.len() as u32);
        out.write_strtab_section_header();
        out.write_shstrtab_section_header();
    }
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

fn sym(symbol: &Symbol<'_, '_>, name: StringId, place: Option<(SectionIndex, u64)>) -> Sym {
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
