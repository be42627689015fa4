//! Values that go in and out of guests.

use lithify_abi::types::ValType;
use std::fmt;

/// A WebAssembly value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// 32-bit integer.
    I32(i32),
    /// 64-bit integer.
    I64(i64),
    /// 32-bit float.
    F32(f32),
    /// 64-bit float.
    F64(f64),
    /// 128-bit vector.
    V128(u128),
    /// Reference to a function of the image it came from; 0 for null.
    FuncRef(u64),
    /// Reference of the host's choice; 0 for null.
    ExternRef(u64),
}

impl Value {
    /// Its type.
    pub fn ty(&self) -> ValType {
        match self {
            Self::I32(_) => ValType::I32,
            Self::I64(_) => ValType::I64,
            Self::F32(_) => ValType::F32,
            Self::F64(_) => ValType::F64,
            Self::V128(_) => ValType::V128,
            Self::FuncRef(_) => ValType::FuncRef,
            Self::ExternRef(_) => ValType::ExternRef,
        }
    }

    /// Its bits as a call's array has them: in the low bytes.
    pub fn to_bits(self) -> u128 {
        match self {
            Self::I32(value) => u128::from(value as u32),
            Self::I64(value) => u128::from(value as u64),
            Self::F32(value) => u128::from(value.to_bits()),
            Self::F64(value) => u128::from(value.to_bits()),
            Self::V128(bits) => bits,
            Self::FuncRef(bits) | Self::ExternRef(bits) => u128::from(bits),
        }
    }

    /// The value of type `ty` that has those bits in a call's array.
    pub fn from_bits(ty: ValType, bits: u128) -> Self {
        match ty {
            ValType::I32 => Self::I32(bits as i32),
            ValType::I64 => Self::I64(bits as i64),
            ValType::F32 => Self::F32(f32::from_bits(bits as u32)),
            ValType::F64 => Self::F64(f64::from_bits(bits as u64)),
            ValType::V128 => Self::V128(bits),
            ValType::FuncRef => Self::FuncRef(bits as u64),
            ValType::ExternRef => Self::ExternRef(bits as u64),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::I32(value) => write!(f, "{value}"),
            Self::I64(value) => write!(f, "{value}"),
            Self::F32(value) => write!(f, "{value}"),
            Self::F64(value) => write!(f, "{value}"),
            Self::V128(bits) => write!(f, "{bits:#034x}"),
            Self::FuncRef(0) | Self::ExternRef(0) => f.write_str("null"),
            Self::FuncRef(bits) | Self::ExternRef(bits) => write!(f, "{bits:#x}"),
        }
    }
}
