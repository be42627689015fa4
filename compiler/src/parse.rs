//! Turns bytes into a [`Module`], validating as it reads.
//!
//! Function bodies are only delimited here; they are validated in the same pass that translates
//! them. Validation is wasmparser's, against the features of the profile and nothing more, so
//! that what the translator does not know it never sees.

use crate::{
    error::CompileError,
    index::{FuncIndex, GlobalIndex, SignatureIndex, TableIndex, TypeIndex},
    limits,
    module::*,
    options::{Options, Profile},
};
use cranelift_codegen::entity::{PrimaryMap, SecondaryMap};
use lithify_abi::types::{FuncType, ValType};
use std::collections::HashMap;
use wasmparser::{
    BinaryReader, CompositeInnerType, Data, DataKind, Element, ElementItems, ElementKind,
    ExternalKind, KnownCustom, Name, NameSectionReader, Operator, Parser, Payload, TypeRef,
    ValidPayload, Validator, WasmFeatures,
};

type Result<T> = std::result::Result<T, CompileError>;

/// Parses `wasm` for `options` and hands the module on to `next`. Where either finds it invalid and
/// only the profile is to blame, the error says so.
pub fn parse<'a, T>(
    wasm: &'a [u8],
    options: &Options,
    next: impl FnOnce(Module<'a>) -> Result<T>,
) -> Result<T> {
    limits::check(wasm.len() as u64, limits::MODULE, "bytes")?;
    let profile = options.profile.unwrap_or_else(|| default_profile(wasm));
    let parsed = || {
        let module = Reader::new(profile).read(wasm)?;
        if profile == Profile::Runtime {
            check_runtime(wasm, &module)?;
        }
        next(module)
    };
    parsed().map_err(|error| explain(wasm, profile, error))
}

/// The module that programs import the system from.
const WASI: &str = "wasi_snapshot_preview1";

/// The features that a profile validates against.
fn features(profile: Profile) -> WasmFeatures {
    match profile {
        Profile::Runtime => WasmFeatures::WASM1,
        Profile::General => WasmFeatures::WASM2,
    }
}

/// See [`Profile::of`]. Malformed bytes are left to the real parser.
pub fn default_profile(wasm: &[u8]) -> Profile {
    let mut profile = Profile::General;
    for payload in Parser::new(0).parse_all(wasm).map_while(|payload| payload.ok()) {
        let Payload::ImportSection(section) = payload else { continue };
        for import in section.into_imports().map_while(|import| import.ok()) {
            match import.module {
                WASI => return Profile::General,
                "env" => profile = Profile::Runtime,
                _ => {}
            }
        }
    }
    profile
}

/// Says of a module that the runtime profile refused whether only the profile is to blame.
fn explain(wasm: &[u8], profile: Profile, error: CompileError) -> CompileError {
    let CompileError::Invalid { offset, func, message } = error else {
        return error;
    };
    let valid_elsewhere = profile == Profile::Runtime
        && Validator::new_with_features(features(Profile::General)).validate_all(wasm).is_ok();
    if valid_elsewhere {
        CompileError::Profile { profile, offset, func, message }
    } else {
        CompileError::Invalid { offset, func, message }
    }
}

/// What Substrate demands beyond the language.
fn check_runtime(wasm: &[u8], module: &Module<'_>) -> Result<()> {
    let refuse = |import: Option<usize>, message: String| {
        let (profile, offset) = (Profile::Runtime, place(wasm, import));
        Err(CompileError::Profile { profile, offset, func: None, message })
    };
    let imports = || module.imports.values().enumerate();
    if let Some((number, import)) = imports().find(|(_, import)| import.module != "env") {
        return refuse(Some(number), format!("import from {:?} ({})", import.module, import.field));
    }
    let is_odd = |kind| matches!(kind, ImportKind::Table(_) | ImportKind::Global(_));
    if let Some((number, import)) = imports().find(|(_, import)| is_odd(import.kind)) {
        let message = format!("import {} is neither a function nor a memory", import.field);
        return refuse(Some(number), message);
    }
    if module.start.is_some() {
        return refuse(None, "a start function".into());
    }
    Ok(())
}

/// Where a valid module has the import of that number, or else its start section: the offset in
/// the file, in bytes.
fn place(wasm: &[u8], import: Option<usize>) -> u64 {
    let payloads = Parser::new(0).parse_all(wasm).map_while(|payload| payload.ok());
    let found = payloads.into_iter().find_map(|payload| match (payload, import) {
        (Payload::ImportSection(section), Some(number)) => {
            let mut imports = section.into_imports_with_offsets();
            imports.nth(number)?.ok().map(|(offset, _)| offset)
        }
        (Payload::StartSection { range, .. }, None) => Some(range.start),
        _ => None,
    });
    found.unwrap_or_default() as u64
}

/// Collects the sections.
struct Reader<'a> {
    validator: Validator,
    module: Module<'a>,
    /// The types that were met.
    interned: HashMap<FuncType, SignatureIndex>,
}

impl<'a> Reader<'a> {
    fn new(profile: Profile) -> Self {
        let module = Module {
            profile,
            signatures: PrimaryMap::new(),
            types: PrimaryMap::new(),
            imports: PrimaryMap::new(),
            imported_functions: PrimaryMap::new(),
            functions: PrimaryMap::new(),
            tables: PrimaryMap::new(),
            memory: None,
            globals: PrimaryMap::new(),
            exports: vec![],
            start: None,
            elements: PrimaryMap::new(),
            data: PrimaryMap::new(),
            bodies: PrimaryMap::new(),
            names: SecondaryMap::new(),
            runtime_version: &[],
            runtime_apis: &[],
        };
        Self {
            validator: Validator::new_with_features(features(profile)),
            module,
            interned: HashMap::new(),
        }
    }

    fn read(mut self, wasm: &'a [u8]) -> Result<Module<'a>> {
        // Encodings of later versions are malformed in this one.
        let mut parser = Parser::new(0);
        parser.set_features(features(self.module.profile));
        for payload in parser.parse_all(wasm) {
            let payload = payload?;
            self.check_counts(&payload)?;
            if let ValidPayload::Func(to_validate, body) = self.validator.payload(&payload)? {
                let range = body.range();
                let func = self.module.defined_index(self.module.bodies.next_key());
                limits::check_function(func, range.len() as u64, limits::BODY, "bytes of body")?;
                self.module.bodies.push(Body { body, to_validate, range });
                continue;
            }
            self.section(payload)?;
        }
        let elements = self.module.tables.values().map(|table| u64::from(table.min)).sum();
        limits::check(elements, limits::TABLES, "elements of tables")?;
        if self.module.profile == Profile::General {
            mark_touched_tables(&mut self.module)?;
        }
        Ok(self.module)
    }

    /// Checks what a section would have us keep, before anything is kept.
    fn check_counts(&self, payload: &Payload<'_>) -> Result<()> {
        match payload {
            Payload::ImportSection(section) => {
                limits::check(section.count().into(), limits::IMPORTS, "imports")
            }
            Payload::FunctionSection(section) => {
                let imported = self.module.imported_functions.len() as u64;
                let count = imported + u64::from(section.count());
                limits::check(count, limits::FUNCTIONS, "functions")
            }
            _ => Ok(()),
        }
    }

    fn section(&mut self, payload: Payload<'a>) -> Result<()> {
        match payload {
            Payload::TypeSection(section) => {
                for group in section {
                    for ty in group?.into_types() {
                        self.push_type(&ty)?;
                    }
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    self.import(import?)?;
                }
            }
            Payload::FunctionSection(section) => {
                for ty in section {
                    let ty = TypeIndex::from_u32(ty?);
                    self.module.functions.push(self.module.types[ty]);
                }
            }
            Payload::TableSection(section) => {
                for table in section {
                    let table = table?;
                    let init = match table.init {
                        wasmparser::TableInit::RefNull => ConstExpr::Const(0),
                        wasmparser::TableInit::Expr(expr) => self.const_expr(&expr)?,
                    };
                    self.push_table(table.ty, false, init);
                }
            }
            Payload::MemorySection(section) => {
                for memory in section {
                    self.push_memory(memory?, false);
                }
            }
            Payload::GlobalSection(section) => {
                for global in section {
                    let global = global?;
                    let init = self.const_expr(&global.init_expr)?;
                    self.module.globals.push(Global {
                        imported: false,
                        ty: val_type(global.ty.content_type)?,
                        mutable: global.ty.mutable,
                        init,
                    });
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export?;
                    let kind = match export.kind {
                        ExternalKind::Func | ExternalKind::FuncExact => {
                            ExportKind::Function(FuncIndex::from_u32(export.index))
                        }
                        ExternalKind::Table => {
                            ExportKind::Table(TableIndex::from_u32(export.index))
                        }
                        ExternalKind::Memory => ExportKind::Memory,
                        ExternalKind::Global => {
                            ExportKind::Global(GlobalIndex::from_u32(export.index))
                        }
                        ExternalKind::Tag => return Err(unsupported("an exported tag")),
                    };
                    self.module.exports.push(Export { name: export.name, kind });
                }
            }
            Payload::StartSection { func, .. } => {
                self.module.start = Some(FuncIndex::from_u32(func));
            }
            Payload::ElementSection(section) => {
                let mut items = 0;
                for element in section {
                    let element = element?;
                    items += u64::from(match &element.items {
                        ElementItems::Functions(items) => items.count(),
                        ElementItems::Expressions(_, items) => items.count(),
                    });
                    limits::check(items, limits::ELEMENTS, "items of element segments")?;
                    let element = self.element(element)?;
                    self.module.elements.push(element);
                }
            }
            Payload::DataSection(section) => {
                for data in section {
                    let data = self.data(data?)?;
                    self.module.data.push(data);
                }
            }
            Payload::CustomSection(section) => match (section.name(), section.as_known()) {
                ("runtime_version", _) => self.module.runtime_version = section.data(),
                ("runtime_apis", _) => self.module.runtime_apis = section.data(),
                (_, KnownCustom::Name(names)) => self.names(names),
                _ => {}
            },
            _ => {}
        }
        Ok(())
    }

    fn push_type(&mut self, ty: &wasmparser::SubType) -> Result<()> {
        let CompositeInnerType::Func(ty) = &ty.composite_type.inner else {
            return Err(unsupported("a type that is not a function type"));
        };
        let convert = |types: &[wasmparser::ValType]| {
            types.iter().map(|ty| val_type(*ty)).collect::<Result<Vec<_>>>()
        };
        let ty = FuncType { params: convert(ty.params())?, results: convert(ty.results())? };
        let signatures = &mut self.module.signatures;
        let signature = match self.interned.get(&ty) {
            Some(known) => *known,
            None => {
                let new = signatures.push(ty.clone());
                self.interned.insert(ty, new);
                new
            }
        };
        self.module.types.push(signature);
        Ok(())
    }

    fn import(&mut self, import: wasmparser::Import<'a>) -> Result<()> {
        let module = &mut self.module;
        let kind = match import.ty {
            TypeRef::Func(ty) | TypeRef::FuncExact(ty) => {
                module.imported_functions.push(module.imports.next_key());
                let ty = TypeIndex::from_u32(ty);
                ImportKind::Function(module.functions.push(module.types[ty]))
            }
            TypeRef::Table(ty) => ImportKind::Table(self.push_table(ty, true, ConstExpr::Const(0))),
            TypeRef::Memory(ty) => {
                self.push_memory(ty, true);
                ImportKind::Memory
            }
            TypeRef::Global(ty) => {
                let global = Global {
                    imported: true,
                    ty: val_type(ty.content_type)?,
                    mutable: ty.mutable,
                    init: ConstExpr::Const(0),
                };
                ImportKind::Global(module.globals.push(global))
            }
            TypeRef::Tag(_) => return Err(unsupported("an imported tag")),
        };
        let import = Import { module: import.module, field: import.name, kind };
        self.module.imports.push(import);
        Ok(())
    }

    fn push_table(
        &mut self,
        ty: wasmparser::TableType,
        imported: bool,
        init: ConstExpr,
    ) -> TableIndex {
        self.module.tables.push(Table {
            imported,
            min: ty.initial as u32,
            max: ty.maximum.map(|max| max as u32),
            init,
            touched: false,
        })
    }

    fn push_memory(&mut self, ty: wasmparser::MemoryType, imported: bool) {
        self.module.memory = Some(Memory {
            imported,
            min: ty.initial as u32,
            max: ty.maximum.map(|max| max as u32),
        });
    }

    fn element(&self, element: Element<'a>) -> Result<ElementSegment> {
        let mode = match element.kind {
            ElementKind::Active { table_index, offset_expr } => ElementMode::Active {
                table: TableIndex::from_u32(table_index.unwrap_or(0)),
                offset: self.const_expr(&offset_expr)?,
            },
            ElementKind::Passive => ElementMode::Passive,
            ElementKind::Declared => ElementMode::Declared,
        };
        let items = match element.items {
            ElementItems::Functions(items) => {
                let function = |index| Ok(ConstExpr::Func(FuncIndex::from_u32(index?)));
                items.into_iter().map(function).collect::<Result<_>>()?
            }
            ElementItems::Expressions(_, items) => {
                items.into_iter().map(|e| self.const_expr(&e?)).collect::<Result<_>>()?
            }
        };
        Ok(ElementSegment { mode, items })
    }

    fn data(&self, data: Data<'a>) -> Result<DataSegment<'a>> {
        let mode = match data.kind {
            DataKind::Active { offset_expr, .. } => {
                DataMode::Active(self.const_expr(&offset_expr)?)
            }
            DataKind::Passive => DataMode::Passive,
        };
        Ok(DataSegment { mode, bytes: data.data })
    }

    /// Reads a constant expression: one operator in both profiles.
    fn const_expr(&self, expr: &wasmparser::ConstExpr<'a>) -> Result<ConstExpr> {
        let mut reader = expr.get_operators_reader();
        let value = match reader.read()? {
            Operator::I32Const { value } => ConstExpr::Const(u128::from(value as u32)),
            Operator::I64Const { value } => ConstExpr::Const(u128::from(value as u64)),
            Operator::F32Const { value } => ConstExpr::Const(u128::from(value.bits())),
            Operator::F64Const { value } => ConstExpr::Const(u128::from(value.bits())),
            Operator::V128Const { value } => ConstExpr::Const(value.i128() as u128),
            Operator::RefNull { .. } => ConstExpr::Const(0),
            Operator::RefFunc { function_index } => {
                ConstExpr::Func(FuncIndex::from_u32(function_index))
            }
            Operator::GlobalGet { global_index } => {
                let index = GlobalIndex::from_u32(global_index);
                match self.module.globals[index] {
                    Global { imported: false, init, .. } => init,
                    _ => ConstExpr::Global(index),
                }
            }
            other => return Err(unsupported(&format!("{other:?} in a constant expression"))),
        };
        match reader.read()? {
            Operator::End => Ok(value),
            _ => Err(unsupported("an extended constant expression")),
        }
    }

    /// Takes function names; a malformed name section is no reason to refuse a module.
    fn names(&mut self, names: NameSectionReader<'a>) {
        for subsection in names {
            let Ok(Name::Function(map)) = subsection else {
                continue;
            };
            for naming in map {
                let Ok(naming) = naming else { return };
                if (naming.index as usize) < self.module.functions.len() {
                    self.module.names[FuncIndex::from_u32(naming.index)] = Some(naming.name);
                }
            }
        }
    }
}

/// Finds the tables that operators other than `call_indirect` use.
fn mark_touched_tables(module: &mut Module<'_>) -> Result<()> {
    for body in module.bodies.values() {
        let mut reader = BinaryReader::new(body.body.as_bytes(), body.range.start);
        for _ in 0..reader.read_var_u32()? {
            reader.read_var_u32()?;
            reader.read::<wasmparser::ValType>()?;
        }
        let mut reader = wasmparser::OperatorsReader::new(reader);
        while !reader.eof() {
            let tables = match reader.read()? {
                Operator::TableGet { table }
                | Operator::TableSet { table }
                | Operator::TableGrow { table }
                | Operator::TableFill { table }
                | Operator::TableInit { table, .. }
                | Operator::TableSize { table } => [table, table],
                Operator::TableCopy { dst_table, src_table } => [dst_table, src_table],
                _ => continue,
            };
            for table in tables {
                // What the validator has not seen yet may name a table that is not there.
                if (table as usize) < module.tables.len() {
                    module.tables[TableIndex::from_u32(table)].touched = true;
                }
            }
        }
    }
    Ok(())
}

/// The value type of either profile.
pub(crate) fn val_type(ty: wasmparser::ValType) -> Result<ValType> {
    Ok(match ty {
        wasmparser::ValType::I32 => ValType::I32,
        wasmparser::ValType::I64 => ValType::I64,
        wasmparser::ValType::F32 => ValType::F32,
        wasmparser::ValType::F64 => ValType::F64,
        wasmparser::ValType::V128 => ValType::V128,
        wasmparser::ValType::Ref(ty) if ty.is_func_ref() => ValType::FuncRef,
        wasmparser::ValType::Ref(ty) if ty.is_extern_ref() => ValType::ExternRef,
        wasmparser::ValType::Ref(ty) => return Err(unsupported(&format!("type {ty}"))),
    })
}

fn unsupported(what: &str) -> CompileError {
    CompileError::Invalid { offset: 0, func: None, message: format!("{what} is not supported") }
}
