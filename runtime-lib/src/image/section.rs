//! The metadata section, and the records in it, whose every index and range was checked.
//!
//! The rest of the library indexes with what it reads here and does not look again: what a record
//! says has a type of its own. What is large and rarely wanted (functions, sites, function records)
//! is left as bytes, and checked where the code is.

mod reader;

use lithify_abi::cpu::CpuFeature;
use lithify_abi::descriptor::{
    Descriptor, Extent, FuncRecord, Function, ImportedFunction, InitValue, MAGIC, NONE, Placement,
    Span,
};
use lithify_abi::record::Field;
use lithify_abi::types::{ExternType, FuncType, Limits, ValType};

/// The largest memory, in pages.
pub const MAX_PAGES: u32 = 1 << 16;
/// The largest table, in elements.
pub const MAX_TABLE: u32 = 10_000_000;
/// The largest size of all tables of an instance together, in elements: as many as the compiler
/// lets them begin with.
pub const MAX_TABLES: u64 = 16 << 20;

/// What is wrong with the metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The field of the descriptor.
    pub field: &'static str,
    /// What was found there.
    pub message: String,
}

fn malformed(field: &'static str, message: impl Into<String>) -> Malformed {
    let message = message.into();
    Malformed { field, message }
}

/// The metadata section of a module.
#[derive(Debug)]
pub struct Section<'a> {
    /// All of its bytes.
    pub bytes: &'a [u8],
    /// What was read of them.
    pub records: Records,
}

/// The checked records of a module.
#[derive(Debug)]
pub struct Records {
    /// The root.
    pub descriptor: Descriptor,
    /// Function types.
    pub types: Vec<FuncType>,
    /// Imports.
    pub imports: Vec<Import>,
    /// Exports.
    pub exports: Vec<Export>,
    /// Globals that lie in the vmctx.
    pub globals: Vec<Global>,
    /// Tables that the guest can change.
    pub tables: Vec<MutableTable>,
    /// Pieces of the memory image, in rising order of address.
    pub extents: Vec<Extent>,
    /// Data segments that are not in the memory image.
    pub data: Vec<DataSegment>,
    /// Element segments.
    pub elements: Vec<ElementSegment>,
}

/// An import.
#[derive(Clone, Copy, Debug)]
pub struct Import {
    /// Module name.
    pub module: Span,
    /// Field name.
    pub field: Span,
    /// What is imported.
    pub desc: ExternDesc<ImportedFunction>,
}

/// An export.
#[derive(Clone, Copy, Debug)]
pub struct Export {
    /// Name.
    pub name: Span,
    /// What is exported.
    pub desc: ExternDesc<FuncRecord>,
}

/// What is imported or exported; functions are described by `F`.
#[derive(Clone, Copy, Debug)]
pub enum ExternDesc<F> {
    /// A function.
    Func(F),
    /// A table.
    Table {
        /// Table index.
        index: u32,
        /// Sizes that it may have.
        limits: Limits,
    },
    /// The memory.
    Memory(Limits),
    /// A global.
    Global(ExternGlobal),
}

/// A global that is imported or exported.
#[derive(Clone, Copy, Debug)]
pub struct ExternGlobal {
    /// Value type.
    pub ty: ValType,
    /// Whether it can change.
    pub mutable: bool,
    /// Where it is.
    pub place: Place,
}

/// Where a global is.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    /// Nowhere: it is this constant.
    Const(u128),
    /// In the vmctx, at this offset from `base`.
    Vmctx(i32),
}

/// A global that lies in the vmctx.
#[derive(Clone, Copy, Debug)]
pub struct Global {
    /// Offset from `base`.
    pub offset: i32,
    /// Value type.
    pub ty: ValType,
    /// Its initial value.
    pub init: InitValue,
}

/// A table that the guest can change.
#[derive(Clone, Copy, Debug)]
pub struct MutableTable {
    /// Offset of its record from `base`.
    pub record: i32,
    /// Table index.
    pub index: u32,
    /// Sizes that it may have.
    pub limits: Limits,
    /// The elements' initial value.
    pub init: InitValue,
}

/// A data segment that is not in the memory image.
#[derive(Clone, Copy, Debug)]
pub struct DataSegment {
    /// Data segment index.
    pub index: u32,
    /// Where it goes.
    pub placement: Placement,
    /// Its bytes.
    pub bytes: Span,
}

/// An element segment.
#[derive(Clone, Debug)]
pub struct ElementSegment {
    /// Element segment index.
    pub index: u32,
    /// Table index.
    pub table: u32,
    /// Where it goes.
    pub placement: Placement,
    /// Its elements.
    pub items: Vec<InitValue>,
}

impl<F> ExternDesc<F> {
    /// Its type, where `function` gives those of functions.
    pub fn ty(&self, function: impl FnOnce(&F) -> FuncType) -> ExternType {
        match self {
            Self::Func(func) => ExternType::Func(function(func)),
            Self::Table { limits, .. } => ExternType::Table(*limits),
            Self::Memory(limits) => ExternType::Memory(*limits),
            Self::Global(ExternGlobal { ty, mutable, .. }) => {
                ExternType::Global { ty: *ty, mutable: *mutable }
            }
        }
    }
}

impl Records {
    /// Gives imported memory and tables the sizes that were provided for them, which are within
    /// the limits of the module.
    pub fn resize(&mut self, memory: Option<Limits>, tables: &[(u32, Limits)]) {
        if let Some(Limits { min, max }) = memory {
            self.descriptor.memory_min = min;
            self.descriptor.memory_max = max.unwrap_or(NONE);
        }
        for (index, limits) in tables {
            for table in self.tables.iter_mut().filter(|table| table.index == *index) {
                table.limits = *limits;
            }
        }
    }

    /// The type of a function, by its index among the types.
    pub fn func_type(&self, ty: u32) -> &FuncType {
        &self.types[ty as usize]
    }
}

impl<'a> Section<'a> {
    /// Reads the descriptor, and only that.
    pub fn descriptor(bytes: &[u8]) -> Result<Descriptor, Malformed> {
        let descriptor = Descriptor::take(&mut &*bytes)
            .ok_or_else(|| malformed("descriptor", "shorter than a descriptor"))?;
        if descriptor.magic != MAGIC {
            return Err(malformed("magic", "not a descriptor"));
        }
        Ok(descriptor)
    }

    /// Reads and checks all records but those of functions, which are left where they are. Text and
    /// memory image themselves are the caller's matter.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let records = reader::read(bytes)?;
        Ok(Self { bytes, records })
    }

    /// Checks the records of functions, which takes time that grows with the code. Where they were not
    /// checked, reading them is safe and says what they say.
    pub fn check_functions(&self) -> Result<(), Malformed> {
        reader::check_functions(self.bytes, &self.records)
    }

    /// The bytes of `span`, which was checked; empty if it was not.
    pub fn bytes(&self, span: Span) -> &'a [u8] {
        bytes(self.bytes, span)
    }

    /// The name at `span` of the names, which was checked.
    pub fn name(&self, span: Span) -> &'a str {
        let name = bytes(self.bytes(self.records.descriptor.names), span);
        match std::str::from_utf8(name) {
            Ok(name) => name,
            // Function names are the one kind that is not checked: they may be cut by a tool.
            Err(error) => std::str::from_utf8(&name[..error.valid_up_to()]).unwrap_or(""),
        }
    }

    /// Record `index` of `span`.
    pub fn record<T: Field>(&self, span: Span, index: usize) -> Option<T> {
        T::take(&mut self.bytes(span).get(index.checked_mul(T::SIZE)?..)?)
    }

    /// The function whose code holds `code`, an offset in the text, with its end in the site
    /// stream. Allocates nothing: the signal handler uses it.
    pub fn function_at(&self, code: u32) -> Option<(Function, u32)> {
        let span = self.records.descriptor.functions;
        let at = |index| self.record::<Function>(span, index);
        let (mut low, mut high) = (0, (span.len as usize / Function::SIZE).checked_sub(1)?);
        while low < high {
            let middle = low + (high - low) / 2;
            if at(middle + 1)?.code <= code {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let (function, next) = (at(low)?, at(low + 1)?);
        (function.code <= code && code < next.code).then_some((function, next.sites))
    }
}

/// The bytes of `span`; empty where it is not in `all`.
pub fn bytes(all: &[u8], span: Span) -> &[u8] {
    let start = span.offset as usize;
    all.get(start..start.saturating_add(span.len as usize)).unwrap_or(&[])
}

/// Names of the CPU features in `bits`, unknown ones by number.
pub fn feature_names(bits: u64) -> Vec<String> {
    (0..64)
        .filter(|bit| bits >> bit & 1 == 1)
        .map(|bit| {
            CpuFeature::ALL
                .iter()
                .find(|feature| feature.bit() == 1 << bit)
                .map_or_else(|| format!("feature {bit}"), |feature| feature.name().into())
        })
        .collect()
}

#[cfg(test)]
mod tests;
