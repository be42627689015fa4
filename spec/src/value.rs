//! Values of scripts: arguments of calls, patterns of results.

use lithify_runtime::{ValType, Value};
use wast::{
    WastArg, WastRet,
    core::{
        AbstractHeapType, HeapType, NanPattern, V128Const, V128Pattern, WastArgCore, WastRetCore,
    },
    token::{F32, F64},
};

/// References of the host are numbered from 1: 0 is null.
fn extern_bits(number: u32) -> u64 {
    u64::from(number) + 1
}

/// An argument; `None` when it is of a later version than 2.
pub fn argument(argument: &WastArg<'_>) -> Option<Value> {
    let WastArg::Core(argument) = argument else { return None };
    Some(match argument {
        WastArgCore::I32(value) => Value::I32(*value),
        WastArgCore::I64(value) => Value::I64(*value),
        WastArgCore::F32(value) => Value::from_bits(ValType::F32, value.bits.into()),
        WastArgCore::F64(value) => Value::from_bits(ValType::F64, value.bits.into()),
        WastArgCore::V128(value) => Value::V128(u128::from_le_bytes(value.to_le_bytes())),
        WastArgCore::RefNull(heap) => Value::from_bits(null_type(heap)?, 0),
        WastArgCore::RefExtern(number) => Value::ExternRef(extern_bits(*number)),
        WastArgCore::RefHost(_) => return None,
    })
}

fn null_type(heap: &HeapType<'_>) -> Option<ValType> {
    match heap {
        HeapType::Abstract { ty: AbstractHeapType::Func, .. } => Some(ValType::FuncRef),
        HeapType::Abstract { ty: AbstractHeapType::Extern, .. } => Some(ValType::ExternRef),
        _ => None,
    }
}

/// Whether a result is what the script wants; `None` when that is of a later version than 2.
pub fn matches(value: Value, wanted: &WastRet<'_>) -> Option<bool> {
    let WastRet::Core(wanted) = wanted else { return None };
    Some(match (value, wanted) {
        (Value::I32(value), WastRetCore::I32(wanted)) => value == *wanted,
        (Value::I64(value), WastRetCore::I64(wanted)) => value == *wanted,
        (Value::F32(value), WastRetCore::F32(wanted)) => f32_matches(value.to_bits(), *wanted),
        (Value::F64(value), WastRetCore::F64(wanted)) => f64_matches(value.to_bits(), *wanted),
        (Value::V128(bits), WastRetCore::V128(wanted)) => vector_matches(bits, wanted),
        (Value::FuncRef(0), WastRetCore::RefNull(heap)) => {
            heap.is_none_or(|heap| null_type(&heap) == Some(ValType::FuncRef))
        }
        (Value::ExternRef(0), WastRetCore::RefNull(heap)) => {
            heap.is_none_or(|heap| null_type(&heap) == Some(ValType::ExternRef))
        }
        (Value::FuncRef(bits), WastRetCore::RefFunc(None)) => bits != 0,
        (Value::ExternRef(bits), WastRetCore::RefExtern(Some(n))) => bits == extern_bits(*n),
        (Value::ExternRef(bits), WastRetCore::RefExtern(None)) => bits != 0,
        (
            _,
            WastRetCore::I32(_)
            | WastRetCore::I64(_)
            | WastRetCore::F32(_)
            | WastRetCore::F64(_)
            | WastRetCore::V128(_)
            | WastRetCore::RefNull(_)
            | WastRetCore::RefExtern(_)
            | WastRetCore::RefFunc(None),
        ) => false,
        _ => return None,
    })
}

/// A canonical NaN has only the highest bit of its payload set; an arithmetic one has it at least.
fn f32_matches(bits: u32, wanted: NanPattern<F32>) -> bool {
    const QUIET: u32 = 0x7fc0_0000;
    match wanted {
        NanPattern::Value(wanted) => bits == wanted.bits,
        NanPattern::CanonicalNan => bits & (u32::MAX >> 1) == QUIET,
        NanPattern::ArithmeticNan => bits & QUIET == QUIET,
    }
}

/// The same for 64 bits.
fn f64_matches(bits: u64, wanted: NanPattern<F64>) -> bool {
    const QUIET: u64 = 0x7ff8_0000_0000_0000;
    match wanted {
        NanPattern::Value(wanted) => bits == wanted.bits,
        NanPattern::CanonicalNan => bits & (u64::MAX >> 1) == QUIET,
        NanPattern::ArithmeticNan => bits & QUIET == QUIET,
    }
}

fn vector_matches(bits: u128, wanted: &V128Pattern) -> bool {
    let exactly = |wanted: V128Const| bits.to_le_bytes() == wanted.to_le_bytes();
    match wanted {
        V128Pattern::I8x16(lanes) => exactly(V128Const::I8x16(*lanes)),
        V128Pattern::I16x8(lanes) => exactly(V128Const::I16x8(*lanes)),
        V128Pattern::I32x4(lanes) => exactly(V128Const::I32x4(*lanes)),
        V128Pattern::I64x2(lanes) => exactly(V128Const::I64x2(*lanes)),
        V128Pattern::F32x4(lanes) => {
            (0..).zip(lanes).all(|(i, lane)| f32_matches((bits >> (32 * i)) as u32, *lane))
        }
        V128Pattern::F64x2(lanes) => {
            (0..).zip(lanes).all(|(i, lane)| f64_matches((bits >> (64 * i)) as u64, *lane))
        }
    }
}
