//! Turns the bytes of an image file into segments, note and relocations, without trusting them.
//!
//! Only what `ld.so` would read is read to load: program headers, the note, the dynamic section. The
//! section headers are for people and their tools ([`debug_info_len`]).

use lithify_abi::descriptor::Note;
use lithify_abi::record::Field;
use lithify_abi::symbols;
use object::elf;
use object::read::StringTable;
use object::read::elf::{Dyn, FileHeader, ProgramHeader, Rela, SectionHeader, Sym};
use object::{LittleEndian, pod};
use std::ops::Range;

type Header = elf::FileHeader64<LittleEndian>;
const LE: LittleEndian = LittleEndian;

/// A part of the file that belongs into memory.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    /// Address relative to where the image is loaded.
    pub address: u64,
    /// Length in memory, at least that in the file.
    pub memory_len: u64,
    /// Offset in the file.
    pub offset: u64,
    /// Length in the file.
    pub file_len: u64,
    /// Whether it holds code.
    pub execute: bool,
    /// Whether relocations may lie in it.
    pub write: bool,
}

impl Segment {
    /// The addresses it takes.
    pub fn addresses(&self) -> Range<u64> {
        self.address..self.address + self.memory_len
    }
}

/// A place that receives the address of a symbol.
#[derive(Clone, Debug)]
pub struct Relocation<'a> {
    /// Address of the place.
    pub address: u64,
    /// ELF relocation type.
    pub kind: u32,
    /// Name of the symbol.
    pub symbol: &'a str,
}

/// An ELF file.
#[derive(Debug)]
pub struct Elf<'a> {
    bytes: &'a [u8],
    /// ELF machine number.
    pub machine: u32,
    /// Its loadable segments in rising order of address.
    pub segments: Vec<Segment>,
    /// The Lithify note and where its [`Note::file_hash`] lies in the file.
    pub note: Option<(Note, Range<usize>)>,
    dynamic: Option<Range<usize>>,
}

impl<'a> Elf<'a> {
    /// Whether the file starts like an ELF file.
    pub fn is_elf(bytes: &[u8]) -> bool {
        bytes.starts_with(&elf::ELFMAG)
    }

    /// Reads the headers of a 64-bit little-endian ELF file.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, object::Error> {
        let header = Header::parse(bytes)?;
        header.endian()?;
        let mut this = Self {
            bytes,
            machine: u32::from(header.e_machine.get(LE)),
            segments: Vec::new(),
            note: None,
            dynamic: None,
        };
        for program in header.program_headers(LE, bytes)? {
            match program.p_type(LE) {
                elf::PT_LOAD if program.p_memsz(LE) > 0 => this.segments.push(segment(program)),
                elf::PT_NOTE => this.note = this.note.or(note(program, bytes)?),
                elf::PT_DYNAMIC => {
                    let (offset, len) = program.file_range(LE);
                    this.dynamic = range(offset, len, bytes.len());
                }
                _ => {}
            }
        }
        Ok(this)
    }

    /// Where the `len` bytes at `address` lie in the file, if one segment holds them all.
    pub fn file_range(&self, address: u64, len: u64) -> Option<Range<usize>> {
        self.segments.iter().find_map(|segment| {
            let skip = address.checked_sub(segment.address)?;
            if skip.checked_add(len)? > segment.file_len {
                return None;
            }
            range(segment.offset.checked_add(skip)?, len, self.bytes.len())
        })
    }

    /// The bytes of the file that are mapped from `address` on.
    pub fn bytes_at(&self, address: u64, len: u64) -> Option<&'a [u8]> {
        self.bytes.get(self.file_range(address, len)?)
    }

    /// What is to be resolved at load time; the message says what is wrong or not supported.
    pub fn relocations(&self) -> Result<Vec<Relocation<'a>>, &'static str> {
        let Some(dynamic) = self.dynamic.clone() else {
            return Ok(Vec::new());
        };
        let dynamic = &self.bytes[dynamic];
        let (entries, _) = pod::slice_from_bytes::<elf::Dyn64<LittleEndian>>(
            dynamic,
            dynamic.len() / size_of::<elf::Dyn64<LittleEndian>>(),
        )
        .map_err(|()| "the dynamic section cannot be read")?;
        let value = |tag| {
            let mut live = entries.iter().take_while(|e| e.tag(LE) != elf::DT_NULL);
            live.find(|e| e.tag(LE) == tag).map(|e| e.val(LE))
        };
        if [elf::DT_REL, elf::DT_RELR, elf::DT_JMPREL, elf::DT_INIT, elf::DT_INIT_ARRAY]
            .iter()
            .any(|tag| value(*tag).is_some())
        {
            return Err("the dynamic section asks for more than symbols' addresses");
        }
        let (Some(rela), Some(rela_len)) = (value(elf::DT_RELA), value(elf::DT_RELASZ)) else {
            return Ok(Vec::new());
        };
        let rela = self.bytes_at(rela, rela_len).ok_or("the relocations lie outside the file")?;
        let strings = value(elf::DT_STRTAB)
            .zip(value(elf::DT_STRSZ))
            .and_then(|(address, len)| self.bytes_at(address, len))
            .ok_or("the dynamic strings lie outside the file")?;
        let symbols = value(elf::DT_SYMTAB).ok_or("no dynamic symbols")?;
        let (entries, rest) = pod::slice_from_bytes::<elf::Rela64<LittleEndian>>(
            rela,
            rela.len() / size_of::<elf::Rela64<LittleEndian>>(),
        )
        .map_err(|()| "the relocations cannot be read")?;
        if !rest.is_empty() {
            return Err("the relocations end within an entry");
        }
        entries.iter().map(|entry| self.relocation(entry, symbols, strings)).collect()
    }

    fn relocation(
        &self,
        entry: &elf::Rela64<LittleEndian>,
        symbols: u64,
        strings: &'a [u8],
    ) -> Result<Relocation<'a>, &'static str> {
        const SIZE: u64 = size_of::<elf::Sym64<LittleEndian>>() as u64;
        if entry.r_addend(LE) != 0 {
            return Err("a relocation with an addend");
        }
        let address = symbols
            .checked_add(u64::from(entry.r_sym(LE, false)) * SIZE)
            .ok_or("a dynamic symbol outside the file")?;
        let bytes = self.bytes_at(address, SIZE).ok_or("a dynamic symbol outside the file")?;
        let (symbol, _) = pod::from_bytes::<elf::Sym64<LittleEndian>>(bytes)
            .map_err(|()| "a dynamic symbol cannot be read")?;
        if !symbol.is_undefined(LE) {
            return Err("a relocation against a symbol of the image itself");
        }
        let strings = StringTable::new(strings, 0, strings.len() as u64);
        let name = symbol.name(LE, strings).map_err(|_| "a dynamic symbol without a name")?;
        Ok(Relocation {
            address: entry.r_offset(LE),
            kind: entry.r_type(LE, false),
            symbol: str::from_utf8(name).map_err(|_| "a dynamic symbol whose name is not UTF-8")?,
        })
    }
}

/// The length of a file's debug information, in bytes; 0 where it has none, or is no ELF file.
pub fn debug_info_len(bytes: &[u8]) -> u64 {
    let sections = Header::parse(bytes).and_then(|header| header.sections(LE, bytes));
    let Ok(sections) = sections else { return 0 };
    let is_debug = |section: &&elf::SectionHeader64<LittleEndian>| {
        sections.section_name(LE, section).is_ok_and(|name| name.starts_with(b".debug_"))
    };
    sections.iter().filter(is_debug).map(|section| section.sh_size(LE)).fold(0, u64::saturating_add)
}

fn segment(program: &elf::ProgramHeader64<LittleEndian>) -> Segment {
    let flags = program.p_flags(LE);
    Segment {
        address: program.p_vaddr(LE),
        memory_len: program.p_memsz(LE),
        offset: program.p_offset(LE),
        file_len: program.p_filesz(LE),
        execute: flags & elf::PF_X != 0,
        write: flags & elf::PF_W != 0,
    }
}

/// The Lithify note among those of a segment.
fn note(
    program: &elf::ProgramHeader64<LittleEndian>,
    bytes: &[u8],
) -> Result<Option<(Note, Range<usize>)>, object::Error> {
    let Some(mut notes) = program.notes(LE, bytes)? else {
        return Ok(None);
    };
    while let Some(entry) = notes.next()? {
        if entry.name() != symbols::NOTE_NAME.as_bytes() || entry.n_type(LE) != symbols::NOTE_TYPE {
            continue;
        }
        let mut desc = entry.desc();
        // The description is a part of `bytes`, so its address tells its offset.
        let start = desc.as_ptr() as usize - bytes.as_ptr() as usize;
        if let Some(note) = Note::take(&mut desc) {
            let end = start + Note::SIZE;
            return Ok(Some((note, end - size_of_val(&note.file_hash)..end)));
        }
    }
    Ok(None)
}

fn range(offset: u64, len: u64, total: usize) -> Option<Range<usize>> {
    let start = usize::try_from(offset).ok()?;
    let end = start.checked_add(usize::try_from(len).ok()?)?;
    (end <= total).then_some(start..end)
}
