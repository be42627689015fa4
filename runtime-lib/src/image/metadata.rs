//! What an image says about itself, for people and tools: read without loading it, for any
//! target.

use super::check::{self, Trust};
use super::error::ImageError;
use super::section::{self, Records};
use lithify_abi::descriptor::{Export, Function, Import, NONE, Span, kind};
use lithify_abi::record::Field;
use lithify_abi::types::{FuncType, ValType};
use std::fmt;
use std::path::Path;

/// What an image says about itself.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Metadata {
    /// Version of the contract that its code follows.
    pub abi_version: u32,
    /// Target machine: `x86-64` or `aarch64`.
    pub machine: String,
    /// Names of the CPU features that its code uses beyond the machine's first ones.
    pub cpu_features: Vec<String>,
    /// Version of the compiler.
    pub compiler: String,
    /// Options that shaped the code, `name=value` separated by spaces.
    pub options: String,
    /// BLAKE2b-256 of the module as it is stored on chain.
    pub code_hash: [u8; 32],
    /// Length of the native code, in bytes.
    pub text_len: u32,
    /// Length of the stored part of initial memory, in bytes.
    pub memory_image_len: u32,
    /// Memory, if there is one.
    pub memory: Option<MemoryType>,
    /// Imports in the module's order.
    pub imports: Vec<ImportType>,
    /// Exports in the module's order.
    pub exports: Vec<ExportType>,
    /// Guest functions in the order of their code, without trampolines.
    pub functions: Vec<FunctionInfo>,
    /// Contents of the custom section `runtime_version`.
    pub runtime_version: Option<Vec<u8>>,
    /// Contents of the custom section `runtime_apis`.
    pub runtime_apis: Option<Vec<u8>>,
}

/// Sizes of a memory, in pages of 64 KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryType {
    /// Initial size.
    pub min: u32,
    /// Largest size.
    pub max: Option<u32>,
    /// Whether the module imports it. The runtime library makes it in any case.
    pub imported: bool,
}

/// Sizes that a memory may have, in pages, or a table, in elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Initial size.
    pub min: u32,
    /// Largest size.
    pub max: Option<u32>,
}

impl Limits {
    /// From a record, where the largest size is [`NONE`] when there is none.
    pub(crate) fn new(min: u32, max: u32) -> Self {
        Self { min, max: Some(max).filter(|max| *max != NONE) }
    }
}

impl fmt::Display for Limits {
    /// `1 2`, or `1` without a largest size, as in the text format.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.min)?;
        self.max.map_or(Ok(()), |max| write!(f, " {max}"))
    }
}

/// The type of an import or export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExternType {
    /// A function.
    Func(FuncType),
    /// A table.
    Table(Limits),
    /// A memory.
    Memory(Limits),
    /// A global.
    Global {
        /// Its type.
        ty: ValType,
        /// Whether it can change.
        mutable: bool,
    },
}

impl fmt::Display for ExternType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Func(ty) => write!(f, "func {ty}"),
            Self::Table(limits) => write!(f, "table {limits}"),
            Self::Memory(limits) => write!(f, "memory {limits}"),
            Self::Global { ty, mutable: true } => write!(f, "global (mut {ty})"),
            Self::Global { ty, .. } => write!(f, "global {ty}"),
        }
    }
}

/// An import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportType {
    /// Module name.
    pub module: String,
    /// Field name.
    pub name: String,
    /// Its type.
    pub ty: ExternType,
}

/// An export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportType {
    /// Name.
    pub name: String,
    /// Its type.
    pub ty: ExternType,
}

/// A guest function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionInfo {
    /// Function index.
    pub index: u32,
    /// Name from the name section, or empty.
    pub name: String,
    /// Offset of its code in the text.
    pub code: u32,
    /// Length of its code, in bytes.
    pub code_len: u32,
    /// Offset of its body in the Wasm file.
    pub body: u32,
}

impl Metadata {
    /// Reads the image file at `path`, for any target. All checks are made but those for this
    /// machine.
    pub fn open(path: &Path, trust: Trust) -> Result<Self, ImageError> {
        let bytes = std::fs::read(path)
            .map_err(|source| ImageError::Read { path: path.to_owned(), source })?;
        Self::parse(&bytes, trust)
    }

    /// As [`Metadata::open`], from the bytes of a file.
    pub fn parse(bytes: &[u8], trust: Trust) -> Result<Self, ImageError> {
        let checked = check::check(bytes, trust)?;
        Ok(Self::new(checked.metadata, &checked.records))
    }

    pub(crate) fn new(metadata: &[u8], records: &Records) -> Self {
        let d = &records.descriptor;
        let text = |span| String::from_utf8_lossy(section::bytes(metadata, span)).into_owned();
        let section = |span: Span| (span.len > 0).then(|| section::bytes(metadata, span).to_vec());
        Self {
            abi_version: d.abi_version,
            machine: check::machine_name(d.machine),
            cpu_features: section::feature_names(d.cpu_features),
            compiler: text(d.compiler),
            options: text(d.options),
            code_hash: d.code_hash,
            text_len: d.text_len,
            memory_image_len: d.memory_image_len,
            memory: (d.memory != 0).then_some(MemoryType {
                min: d.memory_min,
                max: Some(d.memory_max).filter(|max| *max != NONE),
                imported: d.memory == 2,
            }),
            imports: imports(metadata, records),
            exports: exports(metadata, records),
            functions: functions(metadata, records),
            runtime_version: section(d.runtime_version),
            runtime_apis: section(d.runtime_apis),
        }
    }
}

/// What an image imports, in the module's order.
pub(crate) fn imports(metadata: &[u8], records: &Records) -> Vec<ImportType> {
    let name = |span| section::name(metadata, &records.descriptor, span).to_owned();
    let import = |import: &Import| ImportType {
        module: name(import.module),
        name: name(import.field),
        ty: extern_type(records, import.kind, import.ty, import.code),
    };
    records.imports.iter().map(import).collect()
}

/// What an image exports, in the module's order.
pub(crate) fn exports(metadata: &[u8], records: &Records) -> Vec<ExportType> {
    let export = |export: &Export| ExportType {
        name: section::name(metadata, &records.descriptor, export.name).to_owned(),
        ty: extern_type(records, export.kind, export.ty, export.code),
    };
    records.exports.iter().map(export).collect()
}

/// The type of an import or export, from the fields of its record.
fn extern_type(records: &Records, kind: u32, ty: u32, code: u32) -> ExternType {
    match kind {
        kind::FUNCTION => ExternType::Func(records.types[ty as usize].clone()),
        kind::TABLE => ExternType::Table(Limits::new(ty, code)),
        kind::MEMORY => ExternType::Memory(Limits::new(ty, code)),
        _ => ExternType::Global {
            ty: u8::try_from(ty).ok().and_then(ValType::from_u8).unwrap_or(ValType::I32),
            mutable: code == 1,
        },
    }
}

fn functions(metadata: &[u8], records: &Records) -> Vec<FunctionInfo> {
    let span = records.descriptor.functions;
    let count = span.len as usize / Function::SIZE;
    let at = |index| section::record::<Function>(metadata, span, index);
    (0..count)
        .filter_map(|index| Some((at(index)?, at(index + 1)?)))
        .filter(|(function, _)| function.index != NONE)
        .map(|(function, next)| FunctionInfo {
            index: function.index,
            name: section::name(metadata, &records.descriptor, function.name).to_owned(),
            code: function.code,
            code_len: next.code - function.code,
            body: function.body,
        })
        .collect()
}
