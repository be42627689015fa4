//! What an image says about itself, for people and tools: read without loading it, for any
//! target.

use super::check::{self, Trust};
use super::elf;
use super::error::ImageError;
use super::section::{self, Export, Import, Section};
use lithify_abi::descriptor::{Descriptor, Function, NONE, Span, optional};
use lithify_abi::record::Field;
use lithify_abi::types::{ExportType, ImportType, MemoryType};
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

/// A guest function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionInfo {
    /// Function index.
    pub index: u32,
    /// Name from the name section, or empty.
    pub name: String,
    /// Offset of its code in the text.
    pub code: u32,
    /// Length of its code, in bytes; 0 where it was inlined in its only caller.
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
        Ok(Self::new(&checked.section))
    }

    /// Makes the checks of [`Metadata::parse`], and returns only the hash of the code that the image
    /// was made of. It takes less.
    pub fn check(bytes: &[u8], trust: Trust) -> Result<[u8; 32], ImageError> {
        Ok(check::check(bytes, trust)?.section.records.descriptor.code_hash)
    }

    /// How many bytes of the file of an image are debug information. What is loaded is the same with it
    /// and without, so it is in no image that runs.
    pub fn debug_info_len(bytes: &[u8]) -> u64 {
        elf::debug_info_len(bytes)
    }

    pub(crate) fn new(section: &Section<'_>) -> Self {
        let records = &section.records;
        let d = &records.descriptor;
        let text = |span| String::from_utf8_lossy(section.bytes(span)).into_owned();
        let custom = |span: Span| (span.len > 0).then(|| section.bytes(span).to_vec());
        Self {
            abi_version: d.abi_version,
            machine: check::machine_name(d.machine),
            cpu_features: section::feature_names(d.cpu_features),
            compiler: text(d.compiler),
            options: text(d.options),
            code_hash: d.code_hash,
            text_len: d.text_len,
            memory_image_len: d.memory_image_len,
            memory: memory(d),
            imports: imports(section),
            exports: exports(section),
            functions: functions(section),
            runtime_version: custom(d.runtime_version),
            runtime_apis: custom(d.runtime_apis),
        }
    }
}

/// The memory of an image.
pub(crate) fn memory(descriptor: &Descriptor) -> Option<MemoryType> {
    (descriptor.memory != 0).then_some(MemoryType {
        min: descriptor.memory_min,
        max: optional(descriptor.memory_max),
        imported: descriptor.memory == 2,
    })
}

/// What an image imports, in the module's order.
pub(crate) fn imports(section: &Section<'_>) -> Vec<ImportType> {
    let import = |import: &Import| ImportType {
        module: section.name(import.module).to_owned(),
        name: section.name(import.field).to_owned(),
        ty: import.desc.ty(|function| section.records.func_type(function.ty).clone()),
    };
    section.records.imports.iter().map(import).collect()
}

/// What an image exports, in the module's order.
pub(crate) fn exports(section: &Section<'_>) -> Vec<ExportType> {
    let export = |export: &Export| ExportType {
        name: section.name(export.name).to_owned(),
        ty: export.desc.ty(|function| section.records.func_type(function.ty).clone()),
    };
    section.records.exports.iter().map(export).collect()
}

fn functions(section: &Section<'_>) -> Vec<FunctionInfo> {
    let span = section.records.descriptor.functions;
    let count = span.len as usize / Function::SIZE;
    let at = |index| section.record::<Function>(span, index);
    (0..count)
        .filter_map(|index| Some((at(index)?, at(index + 1)?)))
        .filter(|(function, _)| function.index != NONE)
        .map(|(function, next)| FunctionInfo {
            index: function.index,
            name: section.name(function.name).to_owned(),
            code: function.code,
            code_len: next.code.saturating_sub(function.code),
            body: function.body,
        })
        .collect()
}
