//! The metadata section: the [`Descriptor`] and its records, for the runtime.

use crate::{
    codegen::{Role, Text},
    memory_image::MemoryImage,
    module::{ConstExpr, ExportKind, ImportKind, Module, SegmentMode},
    options::Options,
    vmctx::{GlobalPlace, Layout, TablePlace},
};
use lithify_abi::{
    ABI_VERSION, COMPILER,
    descriptor::{
        self, DataSegment, Descriptor, Element, ElementSegment, Export, FuncRecord, Function,
        Global, Import, MutableTable, NONE, Span, init, kind,
    },
    record::{Field, encode_all},
};
use std::collections::HashMap;

/// Offset of the function records: right behind the descriptor, so that code can refer to them
/// before the rest of the section exists.
const FUNC_RECORDS: usize = Descriptor::SIZE.next_multiple_of(8);

/// Offset of function record `index` from the descriptor.
pub fn func_record(index: u32) -> i64 {
    (FUNC_RECORDS + index as usize * FuncRecord::SIZE) as i64
}

/// Writes the contents of the metadata section.
pub fn metadata(
    module: &Module<'_>,
    layout: &Layout,
    text: &Text,
    image: &MemoryImage,
    options: &Options,
) -> Vec<u8> {
    let mut section = Section::new();
    let codes = Codes::new(text);
    let func_records = section.records(
        &(layout.func_records.iter())
            .map(|index| FuncRecord {
                code: text.offsets[*index as usize],
                ty: module.functions[*index as usize],
                index: *index,
                entry: codes.entry(module.functions[*index as usize]),
            })
            .collect::<Vec<_>>(),
    );
    debug_assert_eq!(func_records.offset as usize, FUNC_RECORDS);

    let mut names = Names::default();
    let functions = functions(module, text, &mut names);
    let imports: Vec<Import> = (0..)
        .zip(&module.imports)
        .map(|(position, import)| {
            let mut record = import_record(module, layout, import.kind);
            record.module = names.add(import.module);
            record.field = names.add(import.field);
            if record.kind == kind::FUNCTION {
                record.code = codes.exit(position);
            }
            record
        })
        .collect();
    let exports: Vec<Export> = (module.exports.iter())
        .map(|export| {
            let mut record = export_record(module, layout, text, &codes, export.kind);
            record.name = names.add(export.name);
            record
        })
        .collect();
    let memory = module.memory;
    let mut types = Vec::new();
    module.types.iter().for_each(|ty| ty.encode(&mut types));
    let mut sites = Vec::new();
    text.pieces.iter().for_each(|piece| sites.extend_from_slice(&piece.sites));

    let descriptor = Descriptor {
        magic: descriptor::MAGIC,
        abi_version: ABI_VERSION,
        machine: options.target.machine.number().into(),
        text: 0,
        memory_image: 0,
        text_len: text.len,
        memory_image_len: image.bytes.len() as u32,
        cpu_features: options.target.features,
        code_hash: options.code_hash,
        compiler: section.bytes(COMPILER.as_bytes()),
        options: section.bytes(describe(module, options).as_bytes()),
        functions: section.records(&functions),
        sites: section.bytes(&sites),
        types: section.bytes(&types),
        imports: section.records(&imports),
        exports: section.records(&exports),
        globals: section.records(&globals(module, layout)),
        tables: section.records(&tables(module, layout)),
        func_records,
        extents: section.records(&image.extents),
        data: data(module, layout, image, &mut section),
        elements: elements(module, layout, &mut section),
        vmctx_size: layout.vmctx_size,
        heap: layout.heap.map_or(0, |heap| heap.record.unsigned_abs()),
        memory: memory.map_or(0, |memory| 1 + u32::from(memory.imported)),
        memory_min: memory.map_or(0, |memory| memory.min),
        memory_max: memory.and_then(|memory| memory.max).unwrap_or(NONE),
        start: module.start.map_or(NONE, |start| text.offsets[start as usize]),
        start_entry: module
            .start
            .map_or(NONE, |start| codes.entry(module.functions[start as usize])),
        runtime_version: section.bytes(module.runtime_version),
        runtime_apis: section.bytes(module.runtime_apis),
        names: section.bytes(&names.bytes),
    };
    section.finish(&descriptor)
}

/// The options that shaped the code, for people and for comparison.
fn describe(module: &Module<'_>, options: &Options) -> String {
    let cpu: Vec<&str> = (lithify_abi::cpu::CpuFeature::ALL.iter())
        .filter(|feature| options.target.features & feature.bit() != 0)
        .map(|feature| feature.name())
        .collect();
    let cpu = if cpu.is_empty() { "base".into() } else { cpu.join(",") };
    format!("profile={} opt=speed nan=canonical cpu={cpu}", module.profile)
}

/// The section under construction; the descriptor's place is kept free.
struct Section {
    bytes: Vec<u8>,
}

impl Section {
    fn new() -> Self {
        Self { bytes: vec![0; FUNC_RECORDS] }
    }

    fn bytes(&mut self, bytes: &[u8]) -> Span {
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
        let span = Span { offset: self.bytes.len() as u32, len: bytes.len() as u32 };
        self.bytes.extend_from_slice(bytes);
        span
    }

    fn records<T: Field>(&mut self, records: &[T]) -> Span {
        self.bytes(&encode_all(records))
    }

    fn finish(mut self, descriptor: &Descriptor) -> Vec<u8> {
        let mut head = Vec::with_capacity(Descriptor::SIZE);
        descriptor.put(&mut head);
        self.bytes[..head.len()].copy_from_slice(&head);
        self.bytes
    }
}

/// All names in one piece, each once.
#[derive(Default)]
struct Names {
    bytes: Vec<u8>,
    known: HashMap<String, Span>,
}

impl Names {
    fn add(&mut self, name: &str) -> Span {
        if let Some(span) = self.known.get(name) {
            return *span;
        }
        let span = Span { offset: self.bytes.len() as u32, len: name.len() as u32 };
        self.bytes.extend_from_slice(name.as_bytes());
        self.known.insert(name.into(), span);
        span
    }
}

/// Where trampolines lie in the text.
struct Codes {
    entries: HashMap<u32, u32>,
    exits: HashMap<u32, u32>,
}

impl Codes {
    fn new(text: &Text) -> Self {
        let mut codes = Self { entries: HashMap::new(), exits: HashMap::new() };
        for (role, offset) in text.roles.iter().zip(&text.offsets) {
            match role {
                Role::Entry(ty) => codes.entries.insert(*ty, *offset),
                Role::Exit(import) => codes.exits.insert(*import, *offset),
                Role::Function(_) | Role::Heap(_) | Role::Libcall(_) | Role::Nothing => None,
            };
        }
        codes
    }

    fn entry(&self, ty: u32) -> u32 {
        self.entries[&ty]
    }

    fn exit(&self, import: u32) -> u32 {
        self.exits.get(&import).copied().unwrap_or(NONE)
    }
}

fn functions(module: &Module<'_>, text: &Text, names: &mut Names) -> Vec<Function> {
    let mut sites = 0;
    let mut records = Vec::with_capacity(text.pieces.len() + 1);
    for ((role, piece), code) in text.roles.iter().zip(&text.pieces).zip(&text.offsets) {
        let mut record = Function { code: *code, sites, index: NONE, ..Function::default() };
        if let Role::Function(index) = role {
            if let Some(Some(name)) = module.names.get(*index as usize) {
                record.name = names.add(name);
            }
            if !module.is_imported_function(*index) {
                record.index = *index;
                let body = &module.bodies[(*index - module.imported_functions) as usize];
                record.body = body.range.start as u32;
            }
        }
        records.push(record);
        sites += piece.sites.len() as u32;
    }
    records.push(Function { code: text.len, sites, index: NONE, ..Function::default() });
    records
}

fn import_record(module: &Module<'_>, layout: &Layout, import: ImportKind) -> Import {
    match import {
        ImportKind::Function(index) => Import {
            kind: kind::FUNCTION,
            ty: module.functions[index as usize],
            ..Import::default()
        },
        ImportKind::Table(index) => {
            let (ty, code) = table_size(module, index);
            Import { kind: kind::TABLE, ty, code, ..Import::default() }
        }
        ImportKind::Memory => {
            let (ty, code) = memory_size(module);
            Import { kind: kind::MEMORY, ty, code, ..Import::default() }
        }
        ImportKind::Global(index) => {
            let global = &module.globals[index as usize];
            Import {
                kind: kind::GLOBAL,
                ty: global.ty as u32,
                code: u32::from(global.mutable),
                slot: slot(layout.globals[index as usize]),
                ..Import::default()
            }
        }
    }
}

fn slot(place: GlobalPlace) -> i32 {
    match place {
        GlobalPlace::Slot(slot) => slot,
        GlobalPlace::Const(_) => 0,
    }
}

fn export_record(
    module: &Module<'_>,
    layout: &Layout,
    text: &Text,
    codes: &Codes,
    export: ExportKind,
) -> Export {
    match export {
        ExportKind::Function(index) => {
            let ty = module.functions[index as usize];
            Export {
                kind: kind::FUNCTION,
                index,
                ty,
                code: text.offsets[index as usize],
                entry: codes.entry(ty),
                ..Export::default()
            }
        }
        ExportKind::Table(index) => {
            let (ty, code) = table_size(module, index);
            Export { kind: kind::TABLE, index, ty, code, ..Export::default() }
        }
        ExportKind::Memory => {
            let (ty, code) = memory_size(module);
            Export { kind: kind::MEMORY, ty, code, ..Export::default() }
        }
        ExportKind::Global(index) => {
            let global = &module.globals[index as usize];
            let place = layout.globals[index as usize];
            let constant = match place {
                GlobalPlace::Const(bits) => Some(bits),
                GlobalPlace::Slot(_) => None,
            };
            Export {
                kind: kind::GLOBAL,
                index,
                ty: global.ty as u32,
                code: u32::from(global.mutable),
                entry: u32::from(constant.is_some()),
                slot: slot(place),
                value: constant.unwrap_or(0),
                ..Export::default()
            }
        }
    }
}

/// Initial and largest size of table `index`.
fn table_size(module: &Module<'_>, index: u32) -> (u32, u32) {
    let table = &module.tables[index as usize];
    (table.min, table.max.unwrap_or(NONE))
}

/// Initial and largest size of the memory.
fn memory_size(module: &Module<'_>) -> (u32, u32) {
    let memory = module.memory.expect("an import or export names it");
    (memory.min, memory.max.unwrap_or(NONE))
}

/// An initial value as the runtime reads it.
fn form(layout: &Layout, value: ConstExpr) -> (u32, u128) {
    match value {
        ConstExpr::Const(bits) => (init::CONST, bits),
        ConstExpr::Global(index) => {
            (init::GLOBAL, u128::from(slot(layout.globals[index as usize]) as u32))
        }
        ConstExpr::Func(index) => (init::FUNC, u128::from(layout.record_of[&index])),
    }
}

fn globals(module: &Module<'_>, layout: &Layout) -> Vec<Global> {
    (module.globals.iter().zip(&layout.globals))
        .filter_map(|(global, place)| match place {
            GlobalPlace::Const(_) => None,
            GlobalPlace::Slot(slot) => {
                let (form, value) = form(layout, global.init);
                Some(Global { slot: *slot, ty: global.ty as u32, form, value })
            }
        })
        .collect()
}

fn tables(module: &Module<'_>, layout: &Layout) -> Vec<MutableTable> {
    (0..)
        .zip(module.tables.iter().zip(&layout.tables))
        .filter_map(|(index, (table, place))| match place {
            TablePlace::ReadOnly(_) => None,
            TablePlace::Mutable(slot) => {
                let (form, value) = form(layout, table.init);
                let max = table.max.unwrap_or(NONE);
                Some(MutableTable { slot: *slot, index, min: table.min, max, form, value })
            }
        })
        .collect()
}

fn data(module: &Module<'_>, layout: &Layout, image: &MemoryImage, section: &mut Section) -> Span {
    let records: Vec<DataSegment> = (0..)
        .zip(&module.data)
        .filter_map(|(index, segment)| {
            let (form, value) = match segment.mode {
                SegmentMode::Active { .. } if (index as usize) < image.segments => return None,
                SegmentMode::Active { offset, .. } => form(layout, offset),
                SegmentMode::Passive | SegmentMode::Declared => (init::PASSIVE, 0),
            };
            Some(DataSegment { index, form, value, bytes: section.bytes(segment.bytes) })
        })
        .collect();
    section.records(&records)
}

fn elements(module: &Module<'_>, layout: &Layout, section: &mut Section) -> Span {
    let records: Vec<ElementSegment> = (0..)
        .zip(&module.elements)
        .filter_map(|(index, segment)| {
            let (table, form_, value) = match segment.mode {
                SegmentMode::Active { table, offset } => match layout.tables[table as usize] {
                    TablePlace::ReadOnly(_) => return None,
                    TablePlace::Mutable(_) => {
                        let (form, value) = form(layout, offset);
                        (table, form, value)
                    }
                },
                SegmentMode::Passive => (0, init::PASSIVE, 0),
                SegmentMode::Declared => (0, init::DECLARED, 0),
            };
            let items: Vec<Element> = (segment.items.iter())
                .map(|item| {
                    let (form, value) = form(layout, *item);
                    Element { form, value }
                })
                .collect();
            let items = section.records(&items);
            Some(ElementSegment { index, table, form: form_, value, items })
        })
        .collect();
    section.records(&records)
}
