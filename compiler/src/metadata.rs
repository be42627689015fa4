//! The metadata section: the [`Descriptor`] and its records, for the runtime.

use crate::{
    index::{GlobalIndex, RecordIndex, TableIndex},
    memory_image::MemoryImage,
    module::{ConstExpr, DataMode, ElementMode, ExportKind, ImportKind, Module},
    options::Options,
    text::{Placed, Role, Text},
    vmctx::{GlobalPlace, TablePlace, VmctxPlan},
};
use cranelift_codegen::entity::EntityRef;
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

/// Offset of a function record from the descriptor.
pub fn func_record(index: RecordIndex) -> i64 {
    (FUNC_RECORDS + index.index() * FuncRecord::SIZE) as i64
}

/// Writes the contents of the metadata section.
pub fn metadata(
    module: &Module<'_>,
    plan: &VmctxPlan,
    text: &Text,
    image: &MemoryImage,
    options: &Options,
) -> Vec<u8> {
    let mut section = Section::new();
    let func_records: Vec<FuncRecord> = (plan.func_records.values())
        .map(|index| {
            let signature = module.functions[*index];
            FuncRecord {
                code: text.function(*index),
                ty: signature.as_u32(),
                index: index.as_u32(),
                entry: text.entry(signature),
            }
        })
        .collect();
    let func_records = section.records(&func_records);
    debug_assert_eq!(func_records.offset as usize, FUNC_RECORDS);

    let mut names = Names::default();
    let functions = functions(module, text, &mut names);
    let imports: Vec<Import> = (module.imports.iter())
        .map(|(index, import)| {
            let mut record = import_record(module, plan, import.kind);
            record.module = names.add(import.module);
            record.field = names.add(import.field);
            if record.kind == kind::FUNCTION {
                record.code = text.exit(index).unwrap_or(NONE);
            }
            record
        })
        .collect();
    let exports: Vec<Export> = (module.exports.iter())
        .map(|export| {
            let mut record = export_record(module, plan, text, export.kind);
            record.name = names.add(export.name);
            record
        })
        .collect();
    let memory = module.memory;
    let mut types = Vec::new();
    module.signatures.values().for_each(|ty| ty.encode(&mut types));
    let mut sites = Vec::new();
    text.pieces.iter().for_each(|placed| sites.extend_from_slice(&placed.piece.sites));

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
        globals: section.records(&globals(module, plan)),
        tables: section.records(&tables(module, plan)),
        func_records,
        extents: section.records(&image.extents),
        data: data(module, plan, image, &mut section),
        elements: elements(module, plan, &mut section),
        vmctx_size: plan.vmctx_size,
        heap: plan.allocator.map_or(0, |place| place.record.unsigned_abs()),
        memory: memory.map_or(0, |memory| 1 + u32::from(memory.imported)),
        memory_min: memory.map_or(0, |memory| memory.min),
        memory_max: memory.and_then(|memory| memory.max).unwrap_or(NONE),
        start: module.start.map_or(NONE, |start| text.function(start)),
        start_entry: module.start.map_or(NONE, |start| text.entry(module.functions[start])),
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

fn functions(module: &Module<'_>, text: &Text, names: &mut Names) -> Vec<Function> {
    let mut sites = 0;
    let mut records = Vec::with_capacity(text.pieces.len() + 1);
    for Placed { role, piece, offset } in &text.pieces {
        let mut record = Function { code: *offset, sites, index: NONE, ..Function::default() };
        if let Role::Function(index) = *role {
            if let Some(name) = module.names[index] {
                record.name = names.add(name);
            }
            if let Some(body) = module.body_of(index) {
                record.index = index.as_u32();
                record.body = body.range.start as u32;
            }
        }
        records.push(record);
        sites += piece.sites.len() as u32;
    }
    records.push(Function { code: text.len, sites, index: NONE, ..Function::default() });
    records
}

fn import_record(module: &Module<'_>, plan: &VmctxPlan, import: ImportKind) -> Import {
    match import {
        ImportKind::Function(index) => Import {
            kind: kind::FUNCTION,
            ty: module.functions[index].as_u32(),
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
            let global = &module.globals[index];
            Import {
                kind: kind::GLOBAL,
                ty: global.ty as u32,
                code: u32::from(global.mutable),
                slot: vmctx_offset(plan, index),
                ..Import::default()
            }
        }
    }
}

/// Where a global lies in the vmctx; 0 where it does not.
fn vmctx_offset(plan: &VmctxPlan, index: GlobalIndex) -> i32 {
    match plan.globals[index] {
        GlobalPlace::Vmctx(offset) => offset,
        GlobalPlace::Const(_) => 0,
    }
}

fn export_record(module: &Module<'_>, plan: &VmctxPlan, text: &Text, export: ExportKind) -> Export {
    match export {
        ExportKind::Function(index) => {
            let signature = module.functions[index];
            Export {
                kind: kind::FUNCTION,
                index: index.as_u32(),
                ty: signature.as_u32(),
                code: text.function(index),
                entry: text.entry(signature),
                ..Export::default()
            }
        }
        ExportKind::Table(index) => {
            let (ty, code) = table_size(module, index);
            Export { kind: kind::TABLE, index: index.as_u32(), ty, code, ..Export::default() }
        }
        ExportKind::Memory => {
            let (ty, code) = memory_size(module);
            Export { kind: kind::MEMORY, ty, code, ..Export::default() }
        }
        ExportKind::Global(index) => {
            let global = &module.globals[index];
            let constant = match plan.globals[index] {
                GlobalPlace::Const(bits) => Some(bits),
                GlobalPlace::Vmctx(_) => None,
            };
            Export {
                kind: kind::GLOBAL,
                index: index.as_u32(),
                ty: global.ty as u32,
                code: u32::from(global.mutable),
                entry: u32::from(constant.is_some()),
                slot: vmctx_offset(plan, index),
                value: constant.unwrap_or(0),
                ..Export::default()
            }
        }
    }
}

/// Initial and largest size of a table.
fn table_size(module: &Module<'_>, index: TableIndex) -> (u32, u32) {
    let table = &module.tables[index];
    (table.min, table.max.unwrap_or(NONE))
}

/// Initial and largest size of the memory.
fn memory_size(module: &Module<'_>) -> (u32, u32) {
    let memory = module.memory.expect("an import or export names it");
    (memory.min, memory.max.unwrap_or(NONE))
}

/// An initial value as the runtime reads it.
fn form(plan: &VmctxPlan, value: ConstExpr) -> (u32, u128) {
    match value {
        ConstExpr::Const(bits) => (init::CONST, bits),
        ConstExpr::Global(index) => (init::GLOBAL, u128::from(vmctx_offset(plan, index) as u32)),
        ConstExpr::Func(index) => (init::FUNC, u128::from(plan.record_of[&index].as_u32())),
    }
}

fn globals(module: &Module<'_>, plan: &VmctxPlan) -> Vec<Global> {
    (module.globals.iter())
        .filter_map(|(index, global)| match plan.globals[index] {
            GlobalPlace::Const(_) => None,
            GlobalPlace::Vmctx(slot) => {
                let (form, value) = form(plan, global.init);
                Some(Global { slot, ty: global.ty as u32, form, value })
            }
        })
        .collect()
}

fn tables(module: &Module<'_>, plan: &VmctxPlan) -> Vec<MutableTable> {
    (module.tables.iter())
        .filter_map(|(index, table)| match plan.tables[index] {
            TablePlace::ReadOnly(_) => None,
            TablePlace::Mutable(slot) => {
                let (form, value) = form(plan, table.init);
                let (min, max) = table_size(module, index);
                Some(MutableTable { slot, index: index.as_u32(), min, max, form, value })
            }
        })
        .collect()
}

fn data(module: &Module<'_>, plan: &VmctxPlan, image: &MemoryImage, section: &mut Section) -> Span {
    let records: Vec<DataSegment> = (module.data.iter())
        .filter_map(|(index, segment)| {
            let (form, value) = match segment.mode {
                DataMode::Active(_) if index.index() < image.segments => return None,
                DataMode::Active(offset) => form(plan, offset),
                DataMode::Passive => (init::PASSIVE, 0),
            };
            let (index, bytes) = (index.as_u32(), section.bytes(segment.bytes));
            Some(DataSegment { index, form, value, bytes })
        })
        .collect();
    section.records(&records)
}

fn elements(module: &Module<'_>, plan: &VmctxPlan, section: &mut Section) -> Span {
    let records: Vec<ElementSegment> = (module.elements.iter())
        .filter_map(|(index, segment)| {
            let (table, form_, value) = match segment.mode {
                ElementMode::Active { table, offset } => match plan.tables[table] {
                    TablePlace::ReadOnly(_) => return None,
                    TablePlace::Mutable(_) => {
                        let (form, value) = form(plan, offset);
                        (table.as_u32(), form, value)
                    }
                },
                ElementMode::Passive => (0, init::PASSIVE, 0),
                ElementMode::Declared => (0, init::DECLARED, 0),
            };
            let items: Vec<Element> = (segment.items.iter())
                .map(|item| {
                    let (form, value) = form(plan, *item);
                    Element { form, value }
                })
                .collect();
            let items = section.records(&items);
            Some(ElementSegment { index: index.as_u32(), table, form: form_, value, items })
        })
        .collect();
    section.records(&records)
}
