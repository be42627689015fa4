//! Types: of values and functions, with their encoding in the metadata, and of what a module imports
//! and exports.

use alloc::{string::String, vec::Vec};
use core::fmt;

/// A WebAssembly value type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum ValType {
    /// 32-bit integer.
    I32 = 0,
    /// 64-bit integer.
    I64 = 1,
    /// 32-bit float.
    F32 = 2,
    /// 64-bit float.
    F64 = 3,
    /// 128-bit vector.
    V128 = 4,
    /// Reference to a function: the address of a function record, or 0 for null.
    FuncRef = 5,
    /// Opaque reference of the host: any non-zero value, or 0 for null.
    ExternRef = 6,
}

impl ValType {
    /// Reads the one-byte encoding.
    pub fn from_u8(byte: u8) -> Option<Self> {
        Some(match byte {
            0 => Self::I32,
            1 => Self::I64,
            2 => Self::F32,
            3 => Self::F64,
            4 => Self::V128,
            5 => Self::FuncRef,
            6 => Self::ExternRef,
            _ => return None,
        })
    }

    /// Reads the encoding as a field of a record.
    pub fn from_u32(number: u32) -> Option<Self> {
        u8::try_from(number).ok().and_then(Self::from_u8)
    }

    /// Size of a value in memory, in bytes.
    pub fn size(self) -> u32 {
        match self {
            Self::I32 | Self::F32 => 4,
            Self::I64 | Self::F64 | Self::FuncRef | Self::ExternRef => 8,
            Self::V128 => 16,
        }
    }
}

impl fmt::Display for ValType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::I32 => "i32",
            Self::I64 => "i64",
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::V128 => "v128",
            Self::FuncRef => "funcref",
            Self::ExternRef => "externref",
        })
    }
}

/// A function type. Two are equal when they are the same WebAssembly type.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct FuncType {
    /// Parameter types in order.
    pub params: Vec<ValType>,
    /// Result types in order.
    pub results: Vec<ValType>,
}

impl FuncType {
    /// A function type of these parameters and results.
    pub fn new(params: &[ValType], results: &[ValType]) -> Self {
        Self { params: params.to_vec(), results: results.to_vec() }
    }

    /// Appends the encoding: both counts as little-endian `u32`, then one byte a type.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend((self.params.len() as u32).to_le_bytes());
        out.extend((self.results.len() as u32).to_le_bytes());
        out.extend(self.params.iter().chain(&self.results).map(|ty| *ty as u8));
    }

    /// Takes one encoded type off the front of `bytes`; `None` when it is malformed.
    pub fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let (head, rest) = bytes.split_at_checked(8)?;
        let params = u32::from_le_bytes(head[..4].try_into().ok()?) as usize;
        let results = u32::from_le_bytes(head[4..].try_into().ok()?) as usize;
        let (types, rest) = rest.split_at_checked(params.checked_add(results)?)?;
        *bytes = rest;
        let types = types.iter().map(|b| ValType::from_u8(*b)).collect::<Option<Vec<_>>>()?;
        Some(Self { params: types[..params].to_vec(), results: types[params..].to_vec() })
    }
}

impl fmt::Display for FuncType {
    /// `(i32, i64) -> i32`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, types: &[ValType]| {
            types.iter().enumerate().try_for_each(|(i, ty)| {
                if i > 0 {
                    f.write_str(", ")?;
                }
                write!(f, "{ty}")
            })
        };
        f.write_str("(")?;
        list(f, &self.params)?;
        f.write_str(") -> ")?;
        match self.results.len() {
            1 => list(f, &self.results),
            _ => {
                f.write_str("(")?;
                list(f, &self.results)?;
                f.write_str(")")
            }
        }
    }
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
