//! What a module is, without compiling it: validated, counted, its imports and exports listed; and,
//! in `toolchain.rs`, what made it, in `calls.rs` what calls what.

mod calls;
mod toolchain;

pub use calls::{Call, FunctionCalls, calls};
pub use toolchain::{FeatureUse, MemoryLayout, Survey, survey};

use crate::{
    error::CompileError,
    index::{FuncIndex, GlobalIndex, TableIndex},
    module::{
        Body, ConstExpr, DataMode, ElementMode, ExportKind, Global, ImportKind, Memory, Module,
        Table,
    },
    options::{Options, Profile},
    parse,
};
use lithify_abi::types::{ExportType, ExternType, ImportType, Limits, MemoryType};
use wasmparser::FuncValidatorAllocations;

/// A valid module from outside.
#[derive(Clone, Debug)]
pub struct ModuleInfo {
    /// The profile that accepts it.
    pub profile: Profile,
    /// Imports in order.
    pub imports: Vec<ImportType>,
    /// Exports in order.
    pub exports: Vec<ExportType>,
    /// Its memory.
    pub memory: Option<MemoryType>,
    /// Number of tables and elements in them at the start.
    pub tables: (usize, u64),
    /// Number of globals.
    pub globals: usize,
    /// Number of functions with a body.
    pub functions: usize,
    /// Length of all bodies, in bytes.
    pub code_bytes: usize,
    /// Length of the largest body and its function index.
    pub largest_body: (usize, u32),
    /// Length of all data segments, in bytes.
    pub data_bytes: usize,
    /// Where the segments end that are placed at the start at a constant position: in memory, in
    /// bytes, and in a table, in elements.
    pub segments_end: (u64, u64),
    /// Whether it has a custom section `runtime_version`.
    pub embeds_version: bool,
    /// Whether it has a start function.
    pub start: bool,
    /// Number of functions that the name section names.
    pub names: usize,
}

/// Validates all of `wasm` and describes it.
///
/// # Errors
///
/// As [`compile`](crate::compile), but nothing is compiled.
pub fn inspect(wasm: &[u8], options: &Options) -> Result<ModuleInfo, CompileError> {
    parse::parse(wasm, options, |module| {
        let mut allocations = FuncValidatorAllocations::default();
        for (index, body) in module.defined() {
            let mut validator = body.validator(allocations);
            let valid = validator.validate(&body.body).map_err(CompileError::from);
            valid.map_err(|error| error.in_function(index))?;
            allocations = validator.into_allocations();
        }
        Ok(describe(&module))
    })
}

fn describe(module: &Module<'_>) -> ModuleInfo {
    let bodies = module.defined();
    let largest_body = bodies.map(|(index, body)| (body.range.len(), index.as_u32())).max();
    ModuleInfo {
        profile: module.profile,
        imports: (module.imports.values())
            .map(|import| ImportType {
                module: import.module.into(),
                name: import.field.into(),
                ty: match import.kind {
                    ImportKind::Function(index) => function(module, index),
                    ImportKind::Table(index) => table(module, index),
                    ImportKind::Memory => memory(module),
                    ImportKind::Global(index) => global(module, index),
                },
            })
            .collect(),
        exports: (module.exports.iter())
            .map(|export| ExportType {
                name: export.name.into(),
                ty: match export.kind {
                    ExportKind::Function(index) => function(module, index),
                    ExportKind::Table(index) => table(module, index),
                    ExportKind::Memory => memory(module),
                    ExportKind::Global(index) => global(module, index),
                },
            })
            .collect(),
        memory: module.memory.map(|Memory { imported, min, max }| MemoryType {
            min,
            max,
            imported,
        }),
        tables: (module.tables.len(), module.tables.values().map(|t| u64::from(t.min)).sum()),
        globals: module.globals.len(),
        functions: module.bodies.len(),
        code_bytes: module.bodies.values().map(|body| body.range.len()).sum(),
        largest_body: largest_body.unwrap_or_default(),
        data_bytes: module.data.values().map(|segment| segment.bytes.len()).sum(),
        segments_end: (
            end(module.data.values().map(|segment| match segment.mode {
                DataMode::Active(start) => Some((start, segment.bytes.len())),
                DataMode::Passive => None,
            })),
            end(module.elements.values().map(|segment| match segment.mode {
                ElementMode::Active { offset, .. } => Some((offset, segment.items.len())),
                ElementMode::Passive | ElementMode::Declared => None,
            })),
        ),
        embeds_version: !module.runtime_version.is_empty(),
        start: module.start.is_some(),
        names: module.names.values().flatten().count(),
    }
}

/// The largest end of active segments, given by start and length; also one without length has one.
fn end(segments: impl Iterator<Item = Option<(ConstExpr, usize)>>) -> u64 {
    let ends = segments.filter_map(|segment| match segment? {
        // Only the low half is an i32's.
        (ConstExpr::Const(start), len) => Some(u64::from(start as u32) + len as u64),
        (ConstExpr::Global(_) | ConstExpr::Func(_), _) => None,
    });
    ends.max().unwrap_or_default()
}

fn function(module: &Module<'_>, index: FuncIndex) -> ExternType {
    ExternType::Func(module.function_type(index).clone())
}

fn table(module: &Module<'_>, index: TableIndex) -> ExternType {
    let Table { min, max, .. } = module.tables[index];
    ExternType::Table(Limits { min, max })
}

fn memory(module: &Module<'_>) -> ExternType {
    let Memory { min, max, .. } = module.memory.expect("an import or export names it");
    ExternType::Memory(Limits { min, max })
}

fn global(module: &Module<'_>, index: GlobalIndex) -> ExternType {
    let Global { ty, mutable, .. } = module.globals[index];
    ExternType::Global { ty, mutable }
}

/// A function with a body.
#[derive(Clone, Debug)]
pub struct FunctionBody {
    /// Function index.
    pub index: u32,
    /// Its name in the name section, or `wasm[INDEX]`.
    pub name: String,
    /// Length of its body, in bytes.
    pub body_bytes: usize,
}

/// Lists the functions of `wasm`, in order.
///
/// # Errors
///
/// As [`inspect`]; bodies are not validated.
pub fn functions(wasm: &[u8]) -> Result<Vec<FunctionBody>, CompileError> {
    let options = Options { profile: Some(Profile::General), ..Options::default() };
    parse::parse(wasm, &options, |module| {
        let function = |(index, body): (FuncIndex, &Body<'_>)| FunctionBody {
            index: index.as_u32(),
            name: module.function_name(index),
            body_bytes: body.range.len(),
        };
        Ok(module.defined().map(function).collect())
    })
}
