//! An image that was checked, mapped and bound to its imports.
//!
//! ```text
//! file -> elf -> check -> section --bindings--> load -> loaded
//!                linked module -> section --bindings--> loaded
//! ```
//!
//! Both ways end as a [`Loaded`], which the rest of the library reads. Embedders see an [`Image`].

pub mod bindings;
pub mod check;
pub mod elf;
pub mod error;
pub mod imports;
pub mod linked;
pub mod load;
pub mod loaded;
pub mod memory_image;
pub mod metadata;
pub mod section;

use lithify_abi::descriptor::{NONE, Span};
use lithify_abi::types::{ExportType, FuncType, ImportType, MemoryType};
use loaded::Loaded;
use metadata::Metadata;
use section::ExternDesc;
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

/// A module in native code, ready to run. Clones share it.
#[derive(Clone)]
pub struct Image(pub(crate) Arc<Loaded>);

impl Image {
    /// What the image says about itself: all of it, in time that grows with the code.
    pub fn metadata(&self) -> Metadata {
        Metadata::new(&self.0.section)
    }

    /// What the module imports, in its order.
    pub fn imports(&self) -> Vec<ImportType> {
        metadata::imports(&self.0.section)
    }

    /// What the module exports, in its order.
    pub fn exports(&self) -> Vec<ExportType> {
        metadata::exports(&self.0.section)
    }

    /// Whether the module exports something of that name.
    pub fn has_export(&self, name: &str) -> bool {
        self.0.records().exports.iter().any(|export| self.0.name(export.name) == name)
    }

    /// The names under which the module imports and exports its memory.
    pub fn memory_names(&self) -> impl Iterator<Item = &str> {
        let records = self.0.records();
        let imports = records.imports.iter();
        let imports = imports.filter(|import| matches!(import.desc, ExternDesc::Memory(_)));
        let exports = records.exports.iter();
        let exports = exports.filter(|export| matches!(export.desc, ExternDesc::Memory(_)));
        let names = imports.map(|import| import.field).chain(exports.map(|export| export.name));
        names.map(|name| self.0.name(name))
    }

    /// The module's memory, if it has one.
    pub fn memory(&self) -> Option<MemoryType> {
        metadata::memory(&self.0.records().descriptor)
    }

    /// The type of the function exported as `name`.
    pub fn func_type(&self, name: &str) -> Option<&FuncType> {
        let (_, function) = self.0.exported_function(name)?;
        Some(self.0.records().func_type(function.ty))
    }

    /// The function whose code holds the address `pc`: its index, and its name where it has one. For
    /// profilers; stubs and trampolines belong to none.
    pub fn function_at(&self, pc: usize) -> Option<(u32, &str)> {
        let (function, _) = self.0.function_at(self.0.text_offset(pc)?)?;
        (function.index != NONE).then(|| (function.index, self.0.function_name(&function)))
    }

    /// The addresses of its code, of which [`FunctionInfo::code`](crate::FunctionInfo) is an offset.
    pub fn text(&self) -> Range<usize> {
        let start = self.0.code(0) as usize;
        start..start + self.0.records().descriptor.text_len as usize
    }

    /// BLAKE2b-256 of the module as it is stored on chain.
    pub fn code_hash(&self) -> &[u8; 32] {
        &self.0.records().descriptor.code_hash
    }

    /// Options that shaped the code, `name=value` separated by spaces.
    pub fn options(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.0.section.bytes(self.0.records().descriptor.options))
    }

    /// The contents of the custom section `runtime_version`, if the module has it.
    pub fn runtime_version(&self) -> Option<&[u8]> {
        self.custom(self.0.records().descriptor.runtime_version)
    }

    /// The contents of the custom section `runtime_apis`, if the module has it.
    pub fn runtime_apis(&self) -> Option<&[u8]> {
        self.custom(self.0.records().descriptor.runtime_apis)
    }

    fn custom(&self, span: Span) -> Option<&[u8]> {
        let bytes = self.0.section.bytes(span);
        (!bytes.is_empty()).then_some(bytes)
    }
}
