//! A parsed module: types and index spaces, no code yet.

use crate::options::Profile;
use lithify_abi::types::{FuncType, ValType};
use std::ops::Range;
use wasmparser::{FuncToValidate, FunctionBody, ValidatorResources};

/// A module whose index spaces are complete and valid; its function bodies are still to be
/// validated while they are translated.
pub struct Module<'a> {
    /// The language it was validated against.
    pub profile: Profile,
    /// Distinct function types. Two types of the module that are equal have one entry here.
    pub types: Vec<FuncType>,
    /// The module's type index space: positions in `types`.
    pub type_index: Vec<u32>,
    /// Imports in order.
    pub imports: Vec<Import<'a>>,
    /// Number of imported functions: the first in the function index space.
    pub imported_functions: u32,
    /// Function index space: positions in `types`.
    pub functions: Vec<u32>,
    /// Table index space.
    pub tables: Vec<Table>,
    /// The memory.
    pub memory: Option<Memory>,
    /// Global index space.
    pub globals: Vec<Global>,
    /// Exports in order.
    pub exports: Vec<Export<'a>>,
    /// The start function.
    pub start: Option<u32>,
    /// Element segments.
    pub elements: Vec<ElementSegment>,
    /// Data segments.
    pub data: Vec<DataSegment<'a>>,
    /// Bodies of the defined functions, in order.
    pub bodies: Vec<Body<'a>>,
    /// Names of the name section by function index; empty without one.
    pub names: Vec<Option<&'a str>>,
    /// Contents of the custom section `runtime_version`.
    pub runtime_version: &'a [u8],
    /// Contents of the custom section `runtime_apis`.
    pub runtime_apis: &'a [u8],
}

/// An import.
pub struct Import<'a> {
    /// Module name.
    pub module: &'a str,
    /// Field name.
    pub field: &'a str,
    /// What is imported.
    pub kind: ImportKind,
}

/// What is imported, with its index in its index space.
#[derive(Clone, Copy)]
pub enum ImportKind {
    Function(u32),
    Table(u32),
    Memory,
    Global(u32),
}

/// A table.
#[derive(Clone, Copy)]
pub struct Table {
    pub imported: bool,
    pub min: u32,
    pub max: Option<u32>,
    pub init: ConstExpr,
    /// Whether an operator other than `call_indirect` uses it.
    pub touched: bool,
}

/// A linear memory, in pages.
#[derive(Clone, Copy)]
pub struct Memory {
    pub imported: bool,
    pub min: u32,
    pub max: Option<u32>,
}

/// A global.
#[derive(Clone, Copy)]
pub struct Global {
    pub imported: bool,
    pub ty: ValType,
    pub mutable: bool,
    pub init: ConstExpr,
}

/// An initial value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConstExpr {
    /// These bits; a null reference is 0.
    Const(u128),
    /// The value of an imported global.
    Global(u32),
    /// A reference to a function.
    Func(u32),
}

/// An export.
pub struct Export<'a> {
    pub name: &'a str,
    pub kind: ExportKind,
}

/// What is exported, with its index.
#[derive(Clone, Copy)]
pub enum ExportKind {
    Function(u32),
    Table(u32),
    Memory,
    Global(u32),
}

/// Where a segment goes.
#[derive(Clone, Copy)]
pub enum SegmentMode {
    /// Copied at instantiation to this position (of this table).
    Active { table: u32, offset: ConstExpr },
    /// Copied by an operator.
    Passive,
    /// Only declares references.
    Declared,
}

/// A data segment.
pub struct DataSegment<'a> {
    pub mode: SegmentMode,
    pub bytes: &'a [u8],
}

/// An element segment.
pub struct ElementSegment {
    pub mode: SegmentMode,
    pub items: Vec<ConstExpr>,
}

/// A function body that is still to be validated.
pub struct Body<'a> {
    pub body: FunctionBody<'a>,
    pub validator: FuncToValidate<ValidatorResources>,
    /// Where it lies in the file.
    pub range: Range<usize>,
}

impl<'a> Module<'a> {
    /// The type of function `index`.
    pub fn function_type(&self, index: u32) -> &FuncType {
        &self.types[self.functions[index as usize] as usize]
    }

    /// Its name in the name section, or `wasm[INDEX]`.
    pub fn function_name(&self, index: u32) -> String {
        match self.names.get(index as usize) {
            Some(Some(name)) => (*name).into(),
            _ => format!("wasm[{index}]"),
        }
    }

    /// The position in `imports` of imported function `index`.
    pub fn import_position(&self, index: u32) -> Option<u32> {
        let is_it =
            |import: &Import<'_>| matches!(import.kind, ImportKind::Function(i) if i == index);
        self.imports.iter().position(is_it).map(|position| position as u32)
    }

    /// Whether `index` is an import.
    pub fn is_imported_function(&self, index: u32) -> bool {
        index < self.imported_functions
    }
}
