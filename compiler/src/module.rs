//! A parsed module: types and index spaces, no code yet.

use crate::{
    index::{
        DataIndex, DefinedFuncIndex, ElementIndex, FuncIndex, GlobalIndex, ImportIndex,
        SignatureIndex, TableIndex, TypeIndex,
    },
    options::Profile,
};
use cranelift_codegen::entity::{EntityRef, PrimaryMap, SecondaryMap};
use lithify_abi::types::{FuncType, ValType};
use std::ops::Range;
use wasmparser::{
    FuncToValidate, FuncValidator, FuncValidatorAllocations, FunctionBody, ValidatorResources,
};

/// A module whose index spaces are complete and valid; its function bodies are still to be
/// validated while they are translated.
pub struct Module<'a> {
    /// The language it was validated against.
    pub profile: Profile,
    /// Distinct function types. Two types of the module that are equal have one entry here.
    pub signatures: PrimaryMap<SignatureIndex, FuncType>,
    /// The module's types.
    pub types: PrimaryMap<TypeIndex, SignatureIndex>,
    /// Imports in order.
    pub imports: PrimaryMap<ImportIndex, Import<'a>>,
    /// The imports behind the first functions.
    pub imported_functions: PrimaryMap<FuncIndex, ImportIndex>,
    /// The types of functions.
    pub functions: PrimaryMap<FuncIndex, SignatureIndex>,
    /// Tables.
    pub tables: PrimaryMap<TableIndex, Table>,
    /// The memory.
    pub memory: Option<Memory>,
    /// Globals.
    pub globals: PrimaryMap<GlobalIndex, Global>,
    /// Exports in order.
    pub exports: Vec<Export<'a>>,
    /// The start function.
    pub start: Option<FuncIndex>,
    /// Element segments.
    pub elements: PrimaryMap<ElementIndex, ElementSegment>,
    /// Data segments.
    pub data: PrimaryMap<DataIndex, DataSegment<'a>>,
    /// Bodies of the functions that have one.
    pub bodies: PrimaryMap<DefinedFuncIndex, Body<'a>>,
    /// Names of functions in the name section.
    pub names: SecondaryMap<FuncIndex, Option<&'a str>>,
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
    Function(FuncIndex),
    Table(TableIndex),
    Memory,
    Global(GlobalIndex),
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
    Global(GlobalIndex),
    /// A reference to a function.
    Func(FuncIndex),
}

/// An export.
pub struct Export<'a> {
    pub name: &'a str,
    pub kind: ExportKind,
}

/// What is exported, with its index.
#[derive(Clone, Copy)]
pub enum ExportKind {
    Function(FuncIndex),
    Table(TableIndex),
    Memory,
    Global(GlobalIndex),
}

/// Where a data segment goes.
#[derive(Clone, Copy)]
pub enum DataMode {
    /// Copied at instantiation to this address.
    Active(ConstExpr),
    /// Copied by an operator.
    Passive,
}

/// A data segment.
pub struct DataSegment<'a> {
    pub mode: DataMode,
    pub bytes: &'a [u8],
}

/// Where an element segment goes.
#[derive(Clone, Copy)]
pub enum ElementMode {
    /// Copied at instantiation to this position of this table.
    Active { table: TableIndex, offset: ConstExpr },
    /// Copied by an operator.
    Passive,
    /// Only declares references.
    Declared,
}

/// An element segment.
pub struct ElementSegment {
    pub mode: ElementMode,
    pub items: Vec<ConstExpr>,
}

/// A function body that is still to be validated.
pub struct Body<'a> {
    pub body: FunctionBody<'a>,
    pub to_validate: FuncToValidate<ValidatorResources>,
    /// Where it lies in the file.
    pub range: Range<usize>,
}

impl Body<'_> {
    /// A validator for it, which takes the buffers that an earlier one left.
    pub fn validator(
        &self,
        allocations: FuncValidatorAllocations,
    ) -> FuncValidator<ValidatorResources> {
        let FuncToValidate { resources, index, ty, features } = &self.to_validate;
        let (resources, features) = (resources.clone(), *features);
        let validator = FuncToValidate { resources, index: *index, ty: *ty, features };
        validator.into_validator(allocations)
    }
}

impl<'a> Module<'a> {
    /// The type of a function.
    pub fn function_type(&self, index: FuncIndex) -> &FuncType {
        &self.signatures[self.functions[index]]
    }

    /// The name of a function in the name section, or `wasm[INDEX]`.
    pub fn function_name(&self, index: FuncIndex) -> String {
        match self.names[index] {
            Some(name) => name.into(),
            None => format!("wasm[{}]", index.as_u32()),
        }
    }

    /// The import behind a function, unless it has a body.
    pub fn import_of(&self, index: FuncIndex) -> Option<ImportIndex> {
        self.imported_functions.get(index).copied()
    }

    /// The body of a function, unless it is imported.
    pub fn body_of(&self, index: FuncIndex) -> Option<&Body<'a>> {
        self.bodies.get(self.defined_of(index)?)
    }

    /// The position of a function among those with a body, unless it is imported.
    pub fn defined_of(&self, index: FuncIndex) -> Option<DefinedFuncIndex> {
        let position = index.index().checked_sub(self.imported_functions.len())?;
        Some(DefinedFuncIndex::new(position))
    }

    /// The index of the function with a body.
    pub fn defined_index(&self, defined: DefinedFuncIndex) -> FuncIndex {
        FuncIndex::new(self.imported_functions.len() + defined.index())
    }

    /// The functions that have a body, in order.
    pub fn defined(&self) -> impl Iterator<Item = (FuncIndex, &Body<'a>)> {
        self.bodies.iter().map(|(defined, body)| (self.defined_index(defined), body))
    }

    /// The function exported as `name`.
    pub fn exported_function(&self, name: &str) -> Option<FuncIndex> {
        self.exports.iter().find_map(|export| match export.kind {
            ExportKind::Function(index) if export.name == name => Some(index),
            _ => None,
        })
    }

    /// The first name under which a function is exported.
    pub fn exported_as(&self, function: FuncIndex) -> Option<&'a str> {
        self.exports.iter().find_map(|export| match export.kind {
            ExportKind::Function(index) if index == function => Some(export.name),
            _ => None,
        })
    }

    /// The functions that are exported, in the order of exports.
    pub fn exported_functions(&self) -> impl Iterator<Item = FuncIndex> {
        self.exports.iter().filter_map(|export| match export.kind {
            ExportKind::Function(index) => Some(index),
            _ => None,
        })
    }
}
