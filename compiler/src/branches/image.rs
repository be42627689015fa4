//! Takes from an image what says where its code may be entered.

use super::Stray;
use lithify_abi::{
    descriptor::{Descriptor, FuncRecord, Function, ImportedFunction, NONE, Span},
    machine::Machine,
    record::{Field, decode_all},
    site::{self, Sites},
    symbols::METADATA_SECTION,
};
use object::{LittleEndian, Object, ObjectSection, read::elf::ElfFile64};
use std::ops::Range;

/// A function, a stub or a trampoline.
pub struct Part<'i> {
    /// Offset in the text, in bytes.
    pub start: u64,
    /// Address in the image.
    pub address: u64,
    /// Its code.
    pub code: &'i [u8],
    /// Places that its stream of sites names, and whether a call returns there.
    pub sites: Vec<(usize, bool)>,
}

/// An image as far as control flow is concerned.
pub struct Image<'i> {
    /// What its code is for.
    pub machine: Machine,
    /// All of the text.
    pub parts: Vec<Part<'i>>,
    /// Offsets in the text that data names as the start of a piece, each with what names it.
    pub entries: Vec<(&'static str, u64)>,
    slots: Range<u64>,
}

fn error(message: &(impl ToString + ?Sized)) -> Stray {
    Stray::Image(message.to_string())
}

impl<'i> Image<'i> {
    pub fn read(bytes: &'i [u8]) -> Result<Self, Stray> {
        let file = ElfFile64::<LittleEndian>::parse(bytes).map_err(|e| error(&e))?;
        let machine = file.elf_header().e_machine.get(LittleEndian);
        let Some(machine) = Machine::from_number(machine.into()) else {
            return Err(error(&format!("machine {machine}")));
        };
        let section = |name: &str| {
            let section = file.section_by_name(name);
            section.map(|s| Ok((s.address(), s.data().map_err(|e| error(&e))?))).transpose()
        };
        let missing = |name: &str| error(&format!("no section {name}"));
        let (text_address, text) = section(".text")?.ok_or_else(|| missing(".text"))?;
        let (_, metadata) = section(METADATA_SECTION)?.ok_or_else(|| missing(METADATA_SECTION))?;
        let (_, tables) = section(".rodata")?.unwrap_or_default();
        let (slots, slot_bytes) = section(".got")?.unwrap_or_default();
        let metadata = Metadata::new(metadata)?;
        Ok(Self {
            machine,
            parts: metadata.parts(text_address, text)?,
            entries: metadata.entries(tables)?,
            slots: slots..slots + slot_bytes.len() as u64,
        })
    }

    /// Whether a piece starts at `place` in the text.
    pub fn starts_piece(&self, place: u64) -> bool {
        self.parts.binary_search_by_key(&place, |part| part.start).is_ok()
    }

    /// Whether `address` is that of a slot of the global offset table.
    pub fn is_slot(&self, address: u64) -> bool {
        self.slots.contains(&address) && (address - self.slots.start).is_multiple_of(8)
    }
}

/// The metadata section.
struct Metadata<'i> {
    bytes: &'i [u8],
    descriptor: Descriptor,
}

impl<'i> Metadata<'i> {
    fn new(bytes: &'i [u8]) -> Result<Self, Stray> {
        let descriptor = Descriptor::take(&mut &*bytes).ok_or_else(|| error("no descriptor"))?;
        Ok(Self { bytes, descriptor })
    }

    fn span(&self, span: Span) -> Result<&'i [u8], Stray> {
        let start = span.offset as usize;
        let bytes = self.bytes.get(start..start + span.len as usize);
        bytes.ok_or_else(|| error("metadata that is cut"))
    }

    fn records<T: Field>(&self, span: Span) -> Result<Vec<T>, Stray> {
        decode_all(self.span(span)?).ok_or_else(|| error("metadata that is cut"))
    }

    /// The pieces of the text that have code. They lie one after the other, filled up to an
    /// alignment.
    fn parts(&self, address: u64, text: &'i [u8]) -> Result<Vec<Part<'i>>, Stray> {
        let functions: Vec<Function> = self.records(self.descriptor.functions)?;
        let sites = self.span(self.descriptor.sites)?;
        let cut = || error("pieces that are out of order");
        (functions.windows(2))
            .filter(|pair| pair[0].code != pair[1].code)
            .map(|pair| {
                let [this, next] = pair else { unreachable!("windows of two") };
                let code = text.get(this.code as usize..next.code as usize).ok_or_else(cut)?;
                let sites = sites.get(this.sites as usize..next.sites as usize).ok_or_else(cut)?;
                let sites = Sites::new(sites, this.body);
                Ok(Part {
                    start: u64::from(this.code),
                    address: address + u64::from(this.code),
                    code,
                    sites: sites.map(|s| (s.code as usize, s.kind == site::CALL)).collect(),
                })
            })
            .collect()
    }

    /// What the records and the read-only tables name; `tables` holds nothing else.
    fn entries(&self, tables: &[u8]) -> Result<Vec<(&'static str, u64)>, Stray> {
        let mut entries = Vec::new();
        let mut add = |what, code: u32| {
            if code != NONE {
                entries.push((what, u64::from(code)));
            }
        };
        for entry in tables.as_chunks::<8>().0 {
            add("a table", u32::from_le_bytes(*entry.first_chunk().expect("eight bytes")));
        }
        for record in self.records::<FuncRecord>(self.descriptor.func_records)? {
            add("a function record", record.code);
            add("a function record", record.entry);
        }
        for export in self.records::<FuncRecord>(self.descriptor.exported_functions)? {
            add("an export", export.code);
            add("an export", export.entry);
        }
        for import in self.records::<ImportedFunction>(self.descriptor.imported_functions)? {
            add("an import", import.exit);
        }
        add("the start function", self.descriptor.start);
        add("the start function", self.descriptor.start_entry);
        Ok(entries)
    }
}
