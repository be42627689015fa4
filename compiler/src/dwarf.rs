//! Turns where the operators of functions are in the text into DWARF, for debuggers and profilers.
//!
//! ```text
//! DW_TAG_compile_unit                   the module
//!   DW_TAG_subprogram, DW_AT_inline     a function that is inlined somewhere: its name, as traps say it
//!   DW_TAG_subprogram                   a function with code: its name, or which of the above it is
//!     DW_TAG_inlined_subroutine         a body that it holds, its ranges, and where it was called
//!       DW_TAG_inlined_subroutine       one that this holds
//! ```
//!
//! A line is the offset of an operator in the Wasm file, as wasmtime has it for modules without debug
//! information of their own: there is no other text to name a place in, and debuggers want a line.
//!
//! The rule not to break: at each site the bodies and the line are those that the site names. So
//! ranges come from the rows that sites come from ([`Origins`]), those of a body hold those of the
//! bodies in it, and two beside each other share nothing.
//!
//! Not here: ELF (`object.rs`). A symbol in an address is the start of the text.

use crate::{
    error::CompileError,
    index::FuncIndex,
    module::{ExportKind, Module},
    sites::Origins,
    text::{Placed, Role, Text},
};
use gimli::{
    DW_AT_abstract_origin, DW_AT_call_file, DW_AT_call_line, DW_AT_decl_file, DW_AT_decl_line,
    DW_AT_high_pc, DW_AT_inline, DW_AT_language, DW_AT_low_pc, DW_AT_name, DW_AT_producer,
    DW_AT_ranges, DW_INL_inlined, DW_LANG_C11, DW_TAG_inlined_subroutine, DW_TAG_subprogram, DwAt,
    Encoding, Format, LineEncoding, LittleEndian,
    write::{
        Address, AttributeValue, DwarfUnit, EndianVec, FileId, LineProgram, LineString, Range,
        RangeList, RelocateWriter, Relocation, Sections, UnitEntryId,
    },
};
use lithify_abi::{COMPILER, plain::Plain};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops,
};

const ENCODING: Encoding = Encoding { format: Format::Dwarf32, version: 5, address_size: 8 };

/// What the Wasm file is called. Its own name is not part of what an image is made of.
const FILE: &str = "module.wasm";
/// Where it is: wherever the debugger looks.
const FOLDER: &str = ".";

/// The sections for `text`; none where its pieces do not say which operators they are of.
pub fn dwarf(module: &Module<'_>, text: &Text) -> Result<Option<Sections<Bytes>>, CompileError> {
    let mut functions = Vec::new();
    for Placed { role, piece, offset } in &text.pieces {
        if let (Role::Function(index), Some(origins)) = (*role, &piece.origins) {
            functions.push((index, *offset, piece.code.len() as u32, origins));
        }
    }
    if functions.is_empty() {
        return Ok(None);
    }
    let mut writer = Writer::new(module, text.len);
    let inlined = functions.iter().flat_map(|(.., origins)| &origins.inlined);
    for index in inlined.map(|inlined| inlined.function).collect::<BTreeSet<_>>() {
        writer.inlined(FuncIndex::from_u32(index));
    }
    for (index, start, len, origins) in functions {
        writer.function(index, start, len, origins);
    }
    let mut sections = Sections::new(Bytes::default());
    writer.dwarf.write(&mut sections)?;
    Ok(Some(sections))
}

struct Writer<'m> {
    module: &'m Module<'m>,
    dwarf: DwarfUnit,
    /// The Wasm file.
    file: FileId,
    /// What functions are exported as, which is a name for those that have none.
    exported: BTreeMap<FuncIndex, &'m str>,
    /// The functions that are inlined somewhere.
    inlined: BTreeMap<FuncIndex, UnitEntryId>,
}

impl<'m> Writer<'m> {
    fn new(module: &'m Module<'m>, text_len: u32) -> Self {
        let string = |text: &str| LineString::String(text.into());
        let (folder, file) = (string(FOLDER), string(FILE));
        let mut lines =
            LineProgram::new(ENCODING, LineEncoding::default(), folder, None, file, None);
        let file = lines.add_file(string(FILE), lines.default_directory(), None);
        let mut dwarf = DwarfUnit::new(ENCODING);
        dwarf.unit.line_program = lines;
        let root = dwarf.unit.root();
        let mut exported = BTreeMap::new();
        for export in &module.exports {
            if let ExportKind::Function(index) = export.kind {
                exported.entry(index).or_insert(export.name);
            }
        }
        let mut this = Self { module, dwarf, file, exported, inlined: BTreeMap::new() };
        this.set(root, DW_AT_producer, AttributeValue::String(COMPILER.into()));
        // There is none for Wasm; with C, names are shown as they are.
        this.set(root, DW_AT_language, AttributeValue::Language(DW_LANG_C11));
        this.set(root, DW_AT_name, AttributeValue::String(FILE.into()));
        this.code(root, 0..text_len);
        this
    }

    fn set(&mut self, entry: UnitEntryId, name: DwAt, value: AttributeValue) {
        self.dwarf.unit.get_mut(entry).set(name, value);
    }

    /// Says where the code of an entry is.
    fn code(&mut self, entry: UnitEntryId, range: ops::Range<u32>) {
        self.set(entry, DW_AT_low_pc, AttributeValue::Address(address(range.start)));
        self.set(entry, DW_AT_high_pc, AttributeValue::Udata((range.end - range.start).into()));
    }

    /// Says which function an entry is, and where it begins in the Wasm file.
    fn name(&mut self, entry: UnitEntryId, index: FuncIndex) {
        let named = self.module.names[index].filter(|name| !name.is_empty());
        let name = match named.or_else(|| self.exported.get(&index).copied()) {
            Some(name) => Plain(name).to_string(),
            None => format!("wasm[{}]", index.as_u32()),
        };
        self.set(entry, DW_AT_name, AttributeValue::String(name.into()));
        if let Some(body) = self.module.body_of(index) {
            let line = AttributeValue::Udata(body.range.start as u64);
            self.set(entry, DW_AT_decl_file, AttributeValue::FileIndex(Some(self.file)));
            self.set(entry, DW_AT_decl_line, line);
        }
    }

    /// Adds a function that is inlined somewhere.
    fn inlined(&mut self, index: FuncIndex) {
        let entry = self.dwarf.unit.add(self.dwarf.unit.root(), DW_TAG_subprogram);
        self.name(entry, index);
        self.set(entry, DW_AT_inline, AttributeValue::Inline(DW_INL_inlined));
        self.inlined.insert(index, entry);
    }

    /// Adds a function whose code lies at `start`, with the bodies that it holds.
    fn function(&mut self, index: FuncIndex, start: u32, len: u32, origins: &Origins) {
        let entry = self.dwarf.unit.add(self.dwarf.unit.root(), DW_TAG_subprogram);
        match self.inlined.get(&index) {
            Some(inlined) => {
                self.set(entry, DW_AT_abstract_origin, AttributeValue::UnitRef(*inlined));
            }
            None => self.name(entry, index),
        }
        self.code(entry, start..start + len);
        let bodies = Bodies::new(self.module, origins);
        let mut entries = vec![entry; origins.inlined.len()];
        for (at, ranges) in bodies.ranges(len).iter().enumerate() {
            if ranges.is_empty() {
                continue;
            }
            let of = &origins.inlined[at];
            // It comes before what it holds, and has their ranges.
            let holder = bodies.at(of.call).map_or(entry, |holder| entries[holder]);
            let entry = self.dwarf.unit.add(holder, DW_TAG_inlined_subroutine);
            entries[at] = entry;
            let function = self.inlined[&FuncIndex::from_u32(of.function)];
            self.set(entry, DW_AT_abstract_origin, AttributeValue::UnitRef(function));
            if let [range] = &ranges[..] {
                self.code(entry, start + range.start..start + range.end);
            } else {
                let ranges = ranges.iter().map(|range| Range::OffsetPair {
                    begin: (start + range.start).into(),
                    end: (start + range.end).into(),
                });
                let ranges = self.dwarf.unit.ranges.add(RangeList(ranges.collect()));
                self.set(entry, DW_AT_ranges, AttributeValue::RangeListRef(ranges));
            }
            let line = AttributeValue::Udata(bodies.line(of.call));
            self.set(entry, DW_AT_call_file, AttributeValue::FileIndex(Some(self.file)));
            self.set(entry, DW_AT_call_line, line);
        }
        self.lines(start, len, &bodies);
    }

    /// Adds the lines of a function.
    fn lines(&mut self, start: u32, len: u32, bodies: &Bodies<'_>) {
        let lines = &mut self.dwarf.unit.line_program;
        lines.begin_sequence(Some(address(start)));
        let mut last = None;
        for row in &bodies.origins.rows {
            let line = bodies.line(row.position);
            if last.replace(line) == Some(line) {
                continue;
            }
            let next = lines.row();
            (next.address_offset, next.line, next.file) = (row.code.into(), line, self.file);
            lines.generate_row();
        }
        lines.end_sequence(len.into());
    }
}

/// The address of an offset in the text.
fn address(offset: u32) -> Address {
    Address::Symbol { symbol: 0, addend: offset.into() }
}

/// The bodies that the code of a function holds, by position; see [`lithify_abi::site`].
struct Bodies<'o> {
    origins: &'o Origins,
    /// The positions where they start.
    starts: Vec<u32>,
    /// Where they start in the Wasm file.
    offsets: Vec<u32>,
}

impl<'o> Bodies<'o> {
    fn new(module: &Module<'_>, origins: &'o Origins) -> Self {
        let mut end = origins.end;
        let mut starts = Vec::with_capacity(origins.inlined.len());
        let mut offsets = Vec::with_capacity(origins.inlined.len());
        for inlined in &origins.inlined {
            starts.push(end);
            end += inlined.len;
            let body = module.body_of(FuncIndex::from_u32(inlined.function));
            offsets.push(body.expect("what is inlined has a body").range.start as u32);
        }
        Self { origins, starts, offsets }
    }

    /// The inlined body at a position; `None` in the own one.
    fn at(&self, position: u32) -> Option<usize> {
        self.starts.partition_point(|start| *start <= position).checked_sub(1)
    }

    /// The offset in the Wasm file of the operator at a position.
    fn line(&self, position: u32) -> u64 {
        let line = match self.at(position) {
            Some(at) => self.offsets[at] + (position - self.starts[at]),
            None => position,
        };
        line.into()
    }

    /// Where the code of each inlined body is in the function, which has `len` bytes, with that of
    /// those in it.
    fn ranges(&self, len: u32) -> Vec<Vec<ops::Range<u32>>> {
        let Origins { rows, inlined, .. } = self.origins;
        let mut ranges: Vec<Vec<ops::Range<u32>>> = vec![Vec::new(); inlined.len()];
        let ends = rows[1..].iter().map(|row| row.code).chain([len]);
        for (row, end) in rows.iter().zip(ends).filter(|(row, end)| row.code < *end) {
            let mut held = self.at(row.position);
            while let Some(at) = held {
                match ranges[at].last_mut() {
                    Some(last) if last.end == row.code => last.end = end,
                    _ => ranges[at].push(row.code..end),
                }
                held = self.at(inlined[at].call);
            }
        }
        ranges
    }
}

/// A section under construction, and where it refers to the text or to other sections.
#[derive(Clone)]
pub struct Bytes {
    /// What is written; zeros where it refers to something.
    pub writer: EndianVec<LittleEndian>,
    /// What it refers to.
    pub relocations: Vec<Relocation>,
}

impl Default for Bytes {
    fn default() -> Self {
        Self { writer: EndianVec::new(LittleEndian), relocations: Vec::new() }
    }
}

impl RelocateWriter for Bytes {
    type Writer = EndianVec<LittleEndian>;

    fn writer(&self) -> &Self::Writer {
        &self.writer
    }

    fn writer_mut(&mut self) -> &mut Self::Writer {
        &mut self.writer
    }

    fn relocate(&mut self, relocation: Relocation) {
        self.relocations.push(relocation);
    }
}
