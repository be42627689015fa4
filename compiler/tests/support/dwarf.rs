//! Does debug information say what sites say? It is decoded from the finished image, by gimli alone.

use gimli::{
    DW_AT_abstract_origin, DW_AT_call_line, DW_AT_decl_line, DW_AT_inline, DW_AT_name,
    DW_TAG_inlined_subroutine, DW_TAG_subprogram, DwAt, Dwarf, EndianSlice, LittleEndian,
    UnitOffset,
};
use lithify_abi::{
    descriptor::{Descriptor, Function, NONE},
    record::{Field, decode_all},
    site::{self, Place, Sites},
    symbols::METADATA_SECTION,
};
use lithify_compiler::{Options, compile_image};
use object::{File, Object, ObjectSection};
use std::{collections::HashMap, ops::Range};

type Reader<'i> = EndianSlice<'i, LittleEndian>;
type Entry<'i> = gimli::DebuggingInformationEntry<Reader<'i>>;

/// What was compared.
#[derive(Clone, Copy, Debug, Default)]
pub struct Found {
    /// Sites.
    pub sites: usize,
    /// Those in inlined bodies.
    pub inlined: usize,
    /// The most inlined bodies around one, and the address of such a site.
    pub deepest: (usize, u64),
    /// Bodies whose code is in several pieces.
    pub scattered: usize,
    /// Bytes of debug information.
    pub bytes: usize,
}

impl std::ops::AddAssign for Found {
    fn add_assign(&mut self, other: Self) {
        self.sites += other.sites;
        self.inlined += other.inlined;
        self.deepest = self.deepest.max(other.deepest);
        self.scattered += other.scattered;
        self.bytes += other.bytes;
    }
}

/// Compiles `wasm` with debug information and without, and compares what they are.
#[track_caller]
pub fn check(wasm: &[u8], options: &Options) -> Found {
    let options = |debug_info, jobs| Options { debug_info, jobs, ..options.clone() };
    let image = compile_image(wasm, &options(true, 2)).unwrap();
    assert!(image == compile_image(wasm, &options(true, 1)).unwrap(), "the same bytes");
    explains(&image, &compile_image(wasm, &options(false, 1)).unwrap())
}

/// An image with debug information is right, and the same as a `plain` one where that is loaded.
#[track_caller]
pub fn explains(image: &[u8], plain: &[u8]) -> Found {
    is_loaded_alike(plain, image);
    decode(image)
}

/// Compares debug information and sites of what has both.
#[track_caller]
pub fn decode(elf: &[u8]) -> Found {
    Image::new(elf).check()
}

/// The functions at an address of an image, the innermost first, and the line of each.
pub fn frames(image: &[u8], address: u64) -> Vec<(String, u64)> {
    let image = Image::new(image);
    let functions = image.functions();
    let outer = functions.iter().find(|function| function.holds(address)).unwrap();
    let frame = |(code, line): (&Code, u64)| (code.name.clone(), line);
    image.chain(outer, address).into_iter().map(frame).collect()
}

/// What is loaded is the same: all before the debug information but for the headers' words of what is
/// in the file, its length and its hash.
#[track_caller]
fn is_loaded_alike(plain: &[u8], debug: &[u8]) {
    let debug = File::parse(debug).unwrap();
    let mut sections = 0;
    for section in File::parse(plain).unwrap().sections().filter(|section| section.address() > 0) {
        let name = section.name().unwrap();
        let same = debug.section_by_name(name).unwrap();
        let place = |section: &object::Section<'_, '_>| (section.address(), section.file_range());
        assert_eq!(place(&same), place(&section), "{name}");
        if name.starts_with(".note") {
            continue;
        }
        assert!(same.data().unwrap() == section.data().unwrap(), "{name}");
        sections += 1;
    }
    assert!(sections > 4);
    let loaded = debug.segments().count();
    assert_eq!(loaded, File::parse(plain).unwrap().segments().count());
    let not_loaded = debug.sections().filter(|s| s.name().unwrap().starts_with(".debug_"));
    assert!(not_loaded.inspect(|s| assert_eq!(s.address(), 0)).count() >= 3);
}

/// An entry of the debug information that has code.
struct Code {
    name: String,
    /// Where its function begins in the Wasm file.
    body: u64,
    /// Where it was called, if it was inlined.
    call: u64,
    /// Addresses.
    ranges: Vec<Range<u64>>,
    children: Vec<Code>,
}

impl Code {
    fn holds(&self, address: u64) -> bool {
        self.ranges.iter().any(|range| range.contains(&address))
    }
}

struct Image<'i> {
    file: File<'i>,
    dwarf: Dwarf<Reader<'i>>,
    /// Lines from an address on, in rising order; no line where a function ends.
    lines: Vec<(u64, Option<u64>)>,
}

impl<'i> Image<'i> {
    fn new(image: &'i [u8]) -> Self {
        let file = File::parse(image).unwrap();
        let dwarf = Dwarf::load(|id| -> Result<_, gimli::Error> {
            let section = file.section_by_name(id.name());
            let bytes = section.map_or(&[][..], |section| section.data().unwrap());
            Ok(EndianSlice::new(bytes, LittleEndian))
        });
        let mut this = Self { file, dwarf: dwarf.unwrap(), lines: Vec::new() };
        let program = this.unit().line_program.clone().unwrap();
        let mut rows = program.rows();
        while let Some((_, row)) = rows.next_row().unwrap() {
            let line = (!row.end_sequence()).then(|| row.line().unwrap().get());
            match this.lines.last_mut() {
                // Pieces follow each other.
                Some(last) if last.0 == row.address() => last.1 = line.or(last.1),
                _ => this.lines.push((row.address(), line)),
            }
        }
        assert!(this.lines.is_sorted_by_key(|(address, _)| *address), "functions are in order");
        this
    }

    fn unit(&self) -> gimli::Unit<Reader<'i>> {
        let mut units = self.dwarf.units();
        let unit = self.dwarf.unit(units.next().unwrap().unwrap()).unwrap();
        assert!(units.next().unwrap().is_none(), "one unit");
        unit
    }

    fn line(&self, address: u64) -> Option<u64> {
        let at = self.lines.partition_point(|(start, _)| *start <= address);
        self.lines[..at].last()?.1
    }

    /// The bytes of a section, and its address.
    fn section(&self, name: &str) -> (u64, &'i [u8]) {
        let section = self.file.section_by_name(name).unwrap();
        (section.address(), section.data().unwrap())
    }

    fn check(&self) -> Found {
        let mut found = Found::default();
        let debug = self.file.sections().filter(|s| s.name().unwrap().starts_with(".debug_"));
        found.bytes = debug.map(|section| section.size() as usize).sum();
        let functions = self.functions();
        functions.iter().for_each(|function| nests(function, &mut found));
        let all: Vec<&Range<u64>> = functions.iter().flat_map(|f| &f.ranges).collect();
        apart(&all);

        let (_, metadata) = self.section(METADATA_SECTION);
        let (text, code) = self.section(".text");
        let descriptor = Descriptor::take(&mut &metadata[..]).unwrap();
        let bytes = |span: lithify_abi::descriptor::Span| {
            &metadata[span.offset as usize..][..span.len as usize]
        };
        let records: Vec<Function> = decode_all(bytes(descriptor.functions)).unwrap();
        let bodies: HashMap<u32, u32> = records.iter().map(|r| (r.index, r.body)).collect();
        let sites = bytes(descriptor.sites);
        let has_code = |pair: &&[Function]| pair[0].index != NONE && pair[0].code < pair[1].code;
        let pairs: Vec<_> = records.windows(2).filter(has_code).collect();
        assert_eq!(functions.len(), pairs.len(), "each function with code has an entry");
        for pair in pairs {
            let [function, next] = pair else { unreachable!() };
            let start = text + u64::from(function.code);
            let outer = functions.iter().find(|f| f.ranges[0].start == start).unwrap();
            // What fills up to the next one is in none.
            assert!(outer.ranges[0].end <= text + u64::from(next.code));
            assert_eq!(outer.body, u64::from(function.body));
            assert_eq!(self.line(start).is_some(), !code.is_empty());
            let stream = &sites[function.sites as usize..next.sites as usize];
            let all = Sites::new(stream, function.body);
            for site in all.clone() {
                let inside = if site.kind == site::CALL { site.code - 1 } else { site.code };
                let address = start + u64::from(inside);
                let said: Vec<(u64, u64)> = (all.places(site.position))
                    .map(|place| match place {
                        Place::Own(offset) => (function.body.into(), offset.into()),
                        Place::Inlined { function, offset } => {
                            let body = u64::from(bodies[&function]);
                            (body, body + u64::from(offset))
                        }
                    })
                    .collect();
                let shown = self.chain(outer, address).into_iter();
                let shown: Vec<_> = shown.map(|(code, line)| (code.body, line)).collect();
                assert_eq!(shown, said, "{site:?} of the function at {:#x}", function.body);
                found.sites += 1;
                found.inlined += usize::from(said.len() > 1);
                found.deepest = found.deepest.max((said.len() - 1, address));
            }
        }
        found
    }

    /// The functions at an address in `outer`, the innermost first, and where each is.
    fn chain<'c>(&self, outer: &'c Code, address: u64) -> Vec<(&'c Code, u64)> {
        let (mut chain, mut at) = (Vec::new(), outer);
        while let Some(inner) = at.children.iter().find(|inner| inner.holds(address)) {
            chain.push((at, inner.call));
            at = inner;
        }
        chain.push((at, self.line(address).unwrap()));
        chain.reverse();
        chain
    }

    /// The functions with code.
    fn functions(&self) -> Vec<Code> {
        let unit = self.unit();
        let mut tree = unit.entries_tree(None).unwrap();
        let mut children = tree.root().unwrap().children();
        let mut functions = Vec::new();
        while let Some(child) = children.next().unwrap() {
            assert_eq!(child.entry().tag(), DW_TAG_subprogram);
            if child.entry().attr(DW_AT_inline).is_some() {
                assert!(child.entry().attr(DW_AT_name).is_some());
                continue;
            }
            functions.push(self.code(&unit, child));
        }
        functions
    }

    fn code(
        &self,
        unit: &gimli::Unit<Reader<'i>>,
        node: gimli::EntriesTreeNode<'_, '_, Reader<'i>>,
    ) -> Code {
        let entry = node.entry();
        let number = |entry: &Entry<'_>, name: DwAt| {
            entry.attr_value(name).map_or(0, |value| value.udata_value().unwrap())
        };
        let origin: Option<UnitOffset> = match entry.attr_value(DW_AT_abstract_origin) {
            Some(gimli::AttributeValue::UnitRef(offset)) => Some(offset),
            _ => None,
        };
        let of = origin.map_or_else(|| entry.clone(), |offset| unit.entry(offset).unwrap());
        let name = self.dwarf.attr_string(unit, of.attr_value(DW_AT_name).unwrap()).unwrap();
        let name = name.to_string().unwrap().to_owned();
        assert!(!name.is_empty());
        let mut ranges = Vec::new();
        let mut iter = self.dwarf.die_ranges(unit, entry).unwrap();
        while let Some(range) = iter.next().unwrap() {
            ranges.push(range.begin..range.end);
        }
        let (body, call) = (number(&of, DW_AT_decl_line), number(entry, DW_AT_call_line));
        let mut children = Vec::new();
        let mut nodes = node.children();
        while let Some(child) = nodes.next().unwrap() {
            assert_eq!(child.entry().tag(), DW_TAG_inlined_subroutine);
            children.push(self.code(unit, child));
        }
        Code { name, body, call, ranges, children }
    }
}

/// What is in it lies within it, and nothing twice.
fn nests(code: &Code, found: &mut Found) {
    let own: Vec<&Range<u64>> = code.ranges.iter().collect();
    assert!(!own.is_empty());
    apart(&own);
    apart(&code.children.iter().flat_map(|child| &child.ranges).collect::<Vec<_>>());
    found.scattered += usize::from(own.len() > 1);
    for child in &code.children {
        for range in &child.ranges {
            let within = |outer: &&Range<u64>| outer.start <= range.start && range.end <= outer.end;
            assert!(own.iter().any(within), "{range:x?} is not within {own:x?}");
        }
        assert!(child.call > 0, "it says where it was called");
        nests(child, found);
    }
}

/// No two of them share an address, and none is empty.
fn apart(ranges: &[&Range<u64>]) {
    let mut ranges = ranges.to_vec();
    ranges.sort_by_key(|range| range.start);
    assert!(ranges.iter().all(|range| range.start < range.end), "{ranges:x?}");
    assert!(ranges.windows(2).all(|pair| pair[0].end <= pair[1].start), "{ranges:x?}");
}
