//! The metadata section: the [`Descriptor`] and its records, for the runtime.

use crate::{
    index::{FuncIndex, GlobalIndex, RecordIndex, TableIndex},
    memory_image::MemoryImage,
    module::{ConstExpr, DataMode, ElementMode, ExportKind, ImportKind, Module, Table},
    options::Options,
    text::{Placed, Role, Text},
    vmctx::{GlobalPlace, TablePlace, VmctxPlan},
};
use cranelift_codegen::entity::EntityRef;
use lithify_abi::{
    ABI_VERSION, COMPILER,
    descriptor::{
        self, DataSegment, Descriptor, ElementSegment, Export, ExternGlobal, ExternKind,
        ExternTable, FuncRecord, Function, Global, Import, ImportedFunction, Init, InitValue,
        MutableTable, NONE, Placement, Span,
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
    let func_records: Vec<FuncRecord> =
        plan.func_records.values().map(|index| func(module, text, *index)).collect();
    let func_records = section.records(&func_records);
    debug_assert_eq!(func_records.offset as usize, FUNC_RECORDS);

    let mut names = Names::default();
    let functions = functions(module, text, &mut names);
    let mut externs = Externs::new(module, plan);
    let imports: Vec<Import> = (module.imports.iter())
        .map(|(index, import)| {
            let (kind, item) = match import.kind {
                ImportKind::Function(function) => {
                    let exit = text.exit(index).unwrap_or(NONE);
                    externs
                        .import(ImportedFunction { ty: module.functions[function].as_u32(), exit })
                }
                ImportKind::Table(table) => externs.table(table),
                ImportKind::Memory => externs.memory(),
                ImportKind::Global(global) => externs.global(global),
            };
            let (module, field) = (names.add(import.module), names.add(import.field));
            Import { module, field, kind: kind as u32, item }
        })
        .collect();
    let exports: Vec<Export> = (module.exports.iter())
        .map(|export| {
            let (kind, item) = match export.kind {
                ExportKind::Function(function) => externs.export(func(module, text, function)),
                ExportKind::Table(table) => externs.table(table),
                ExportKind::Memory => externs.memory(),
                ExportKind::Global(global) => externs.global(global),
            };
            Export { name: names.add(export.name), kind: kind as u32, item }
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
        imported_functions: section.records(&externs.imported),
        exported_functions: section.records(&externs.exported),
        extern_tables: section.records(&externs.tables),
        extern_globals: section.records(&externs.globals),
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
    let (profile, tier, inline) = (module.profile, options.tier, options.inlines());
    let heat = options.used_heat().map_or(String::new(), |heat| format!(" heat={}", heat.hash()));
    format!("profile={profile} tier={tier} inline={inline} nan=canonical cpu={cpu}{heat}")
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

/// What a reference to a function points at, and what its export says.
fn func(module: &Module<'_>, text: &Text, index: FuncIndex) -> FuncRecord {
    let signature = module.functions[index];
    FuncRecord {
        code: text.function(index),
        ty: signature.as_u32(),
        index: index.as_u32(),
        entry: text.entry(signature),
    }
}

/// The records of what is imported and exported, each of its kind.
struct Externs<'m> {
    module: &'m Module<'m>,
    plan: &'m VmctxPlan,
    imported: Vec<ImportedFunction>,
    exported: Vec<FuncRecord>,
    tables: Vec<ExternTable>,
    globals: Vec<ExternGlobal>,
}

impl<'m> Externs<'m> {
    fn new(module: &'m Module<'m>, plan: &'m VmctxPlan) -> Self {
        let (imported, exported, tables, globals) = (vec![], vec![], vec![], vec![]);
        Self { module, plan, imported, exported, tables, globals }
    }

    fn import(&mut self, function: ImportedFunction) -> (ExternKind, u32) {
        (ExternKind::Function, add(&mut self.imported, function))
    }

    fn export(&mut self, function: FuncRecord) -> (ExternKind, u32) {
        (ExternKind::Function, add(&mut self.exported, function))
    }

    fn table(&mut self, index: TableIndex) -> (ExternKind, u32) {
        let Table { min, max, .. } = self.module.tables[index];
        let table = ExternTable { index: index.as_u32(), min, max: max.unwrap_or(NONE) };
        (ExternKind::Table, add(&mut self.tables, table))
    }

    /// The memory has no record of its own: the descriptor has its sizes.
    fn memory(&mut self) -> (ExternKind, u32) {
        (ExternKind::Memory, 0)
    }

    fn global(&mut self, index: GlobalIndex) -> (ExternKind, u32) {
        let global = &self.module.globals[index];
        let place = match self.plan.globals[index] {
            GlobalPlace::Const(bits) => InitValue::Const(bits),
            GlobalPlace::Vmctx(offset) => InitValue::Global(offset),
        };
        let (ty, mutable) = (global.ty as u32, global.mutable.into());
        (
            ExternKind::Global,
            add(&mut self.globals, ExternGlobal { ty, mutable, place: place.into() }),
        )
    }
}

/// Adds a record; its position.
fn add<T>(records: &mut Vec<T>, record: T) -> u32 {
    records.push(record);
    records.len() as u32 - 1
}

/// An initial value as the runtime reads it.
fn init(plan: &VmctxPlan, value: ConstExpr) -> InitValue {
    match value {
        ConstExpr::Const(bits) => InitValue::Const(bits),
        ConstExpr::Global(index) => match plan.globals[index] {
            GlobalPlace::Const(bits) => InitValue::Const(bits),
            GlobalPlace::Vmctx(offset) => InitValue::Global(offset),
        },
        ConstExpr::Func(index) => InitValue::Func(plan.record_of[&index].as_u32()),
    }
}

fn globals(module: &Module<'_>, plan: &VmctxPlan) -> Vec<Global> {
    (module.globals.iter())
        .filter_map(|(index, global)| match plan.globals[index] {
            GlobalPlace::Const(_) => None,
            GlobalPlace::Vmctx(offset) => {
                let init = init(plan, global.init).into();
                Some(Global { offset, ty: global.ty as u32, init })
            }
        })
        .collect()
}

fn tables(module: &Module<'_>, plan: &VmctxPlan) -> Vec<MutableTable> {
    (module.tables.iter())
        .filter_map(|(index, table)| match plan.tables[index] {
            TablePlace::ReadOnly(_) => None,
            TablePlace::Mutable(record) => Some(MutableTable {
                record,
                index: index.as_u32(),
                min: table.min,
                max: table.max.unwrap_or(NONE),
                init: init(plan, table.init).into(),
            }),
        })
        .collect()
}

fn data(module: &Module<'_>, plan: &VmctxPlan, image: &MemoryImage, section: &mut Section) -> Span {
    let records: Vec<DataSegment> = (module.data.iter())
        .filter_map(|(index, segment)| {
            let placement = match segment.mode {
                DataMode::Active(_) if index.index() < image.segments => return None,
                DataMode::Active(address) => Placement::Active(init(plan, address)),
                DataMode::Passive => Placement::Passive,
            };
            let (index, bytes) = (index.as_u32(), section.bytes(segment.bytes));
            Some(DataSegment { index, placement: placement.into(), bytes })
        })
        .collect();
    section.records(&records)
}

fn elements(module: &Module<'_>, plan: &VmctxPlan, section: &mut Section) -> Span {
    let records: Vec<ElementSegment> = (module.elements.iter())
        .filter_map(|(index, segment)| {
            let (table, placement) = match segment.mode {
                ElementMode::Active { table, offset } => match plan.tables[table] {
                    TablePlace::ReadOnly(_) => return None,
                    TablePlace::Mutable(_) => {
                        (table.as_u32(), Placement::Active(init(plan, offset)))
                    }
                },
                ElementMode::Passive => (0, Placement::Passive),
                ElementMode::Declared => (0, Placement::Declared),
            };
            let items: Vec<Init> =
                segment.items.iter().map(|item| init(plan, *item).into()).collect();
            let (index, items) = (index.as_u32(), section.records(&items));
            Some(ElementSegment { index, table, placement: placement.into(), items })
        })
        .collect();
    section.records(&records)
}
