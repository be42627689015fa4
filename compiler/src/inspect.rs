//! What a module is, without compiling it: validated, counted, its imports and exports listed.

use crate::{
    error::CompileError,
    module::{ConstExpr, ExportKind, ImportKind, Memory, Module, SegmentMode},
    options::{Options, Profile},
    parse,
};
use lithify_abi::types::{FuncType, ValType};
use std::fmt;
use wasmparser::{FuncToValidate, FuncValidatorAllocations};

/// A valid module from outside.
#[derive(Clone, Debug)]
pub struct ModuleInfo {
    /// The profile that accepts it.
    pub profile: Profile,
    /// Imports in order.
    pub imports: Vec<ImportInfo>,
    /// Exports in order.
    pub exports: Vec<ExportInfo>,
    /// Its memory: initial and largest size, in pages, and whether it is imported.
    pub memory: Option<(u32, Option<u32>, bool)>,
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

/// An import.
#[derive(Clone, Debug)]
pub struct ImportInfo {
    /// Module name.
    pub module: String,
    /// Field name.
    pub name: String,
    /// Its type.
    pub ty: ExternInfo,
}

/// An export.
#[derive(Clone, Debug)]
pub struct ExportInfo {
    /// Name.
    pub name: String,
    /// Its type.
    pub ty: ExternInfo,
}

/// The type of an import or export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExternInfo {
    /// A function.
    Func(FuncType),
    /// A table.
    Table,
    /// A memory.
    Memory,
    /// A global, and whether it is mutable.
    Global(ValType, bool),
}

impl fmt::Display for ExternInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Func(ty) => write!(f, "func {ty}"),
            Self::Table => f.write_str("table"),
            Self::Memory => f.write_str("memory"),
            Self::Global(ty, true) => write!(f, "global (mut {ty})"),
            Self::Global(ty, false) => write!(f, "global {ty}"),
        }
    }
}

/// Validates all of `wasm` and describes it.
///
/// # Errors
///
/// As [`compile`](crate::compile), but nothing is compiled.
pub fn inspect(wasm: &[u8], options: &Options) -> Result<ModuleInfo, CompileError> {
    let module = parse::parse(wasm, options)?;
    let mut allocations = FuncValidatorAllocations::default();
    for (index, body) in (module.imported_functions..).zip(&module.bodies) {
        let FuncToValidate { resources, index: i, ty, features } = &body.validator;
        let (resources, features) = (resources.clone(), *features);
        let validator = FuncToValidate { resources, index: *i, ty: *ty, features };
        let mut validator = validator.into_validator(allocations);
        validator
            .validate(&body.body)
            .map_err(|e| parse::explain(wasm, module.profile, Some(index), e.into()))?;
        allocations = validator.into_allocations();
    }
    let bodies = || (module.imported_functions..).zip(&module.bodies);
    Ok(ModuleInfo {
        profile: module.profile,
        imports: (module.imports.iter())
            .map(|import| ImportInfo {
                module: import.module.into(),
                name: import.field.into(),
                ty: match import.kind {
                    ImportKind::Function(index) => function(&module, index),
                    ImportKind::Table(_) => ExternInfo::Table,
                    ImportKind::Memory => ExternInfo::Memory,
                    ImportKind::Global(index) => global(&module, index),
                },
            })
            .collect(),
        exports: (module.exports.iter())
            .map(|export| ExportInfo {
                name: export.name.into(),
                ty: match export.kind {
                    ExportKind::Function(index) => function(&module, index),
                    ExportKind::Table(_) => ExternInfo::Table,
                    ExportKind::Memory => ExternInfo::Memory,
                    ExportKind::Global(index) => global(&module, index),
                },
            })
            .collect(),
        memory: module.memory.map(|Memory { imported, min, max }| (min, max, imported)),
        tables: (module.tables.len(), module.tables.iter().map(|t| u64::from(t.min)).sum()),
        globals: module.globals.len(),
        functions: module.bodies.len(),
        code_bytes: module.bodies.iter().map(|body| body.range.len()).sum(),
        largest_body: bodies()
            .map(|(index, body)| (body.range.len(), index))
            .max()
            .unwrap_or_default(),
        data_bytes: module.data.iter().map(|segment| segment.bytes.len()).sum(),
        segments_end: (
            end(module.data.iter().map(|segment| (segment.mode, segment.bytes.len()))),
            end(module.elements.iter().map(|segment| (segment.mode, segment.items.len()))),
        ),
        embeds_version: !module.runtime_version.is_empty(),
        start: module.start.is_some(),
        names: module.names.iter().flatten().count(),
    })
}

/// The largest end of active segments, given with their lengths; also one without length has one.
fn end(segments: impl Iterator<Item = (SegmentMode, usize)>) -> u64 {
    let ends = segments.filter_map(|(mode, len)| match mode {
        SegmentMode::Active { offset: ConstExpr::Const(offset), .. } => {
            // Only the low half is an i32's.
            Some(u64::from(offset as u32) + len as u64)
        }
        _ => None,
    });
    ends.max().unwrap_or_default()
}

fn function(module: &Module<'_>, index: u32) -> ExternInfo {
    ExternInfo::Func(module.function_type(index).clone())
}

fn global(module: &Module<'_>, index: u32) -> ExternInfo {
    let global = &module.globals[index as usize];
    ExternInfo::Global(global.ty, global.mutable)
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
    let module = parse::parse(wasm, &options)?;
    Ok((module.imported_functions..)
        .zip(&module.bodies)
        .map(|(index, body)| FunctionBody {
            index,
            name: module.function_name(index),
            body_bytes: body.range.len(),
        })
        .collect())
}
