//! The operators that a profile admits, and what is done for each: all but those of vectors.
//!
//! wasmparser's own list of operators is open, so a `match` of it needs an arm for whatever else
//! there may be, and an operator without a place is found by who compiles it. [`Op`] is that list
//! with two changes: it is closed, and no value is one of the operators that a profile does not
//! admit. So the one `match` below has all others, or it does not compile.

use super::Translator;
use crate::{
    error::CompileError,
    index::{DataIndex, ElementIndex, FuncIndex, GlobalIndex, TableIndex, TypeIndex},
};
use cranelift_codegen::ir::{
    InstBuilder,
    condcodes::{FloatCC, IntCC},
    types::{F32, F64, I8, I16, I32, I64},
};
use std::convert::Infallible;
use wasmparser::Operator;

/// `$yes` for the proposals that WebAssembly 2.0 took up, `$no` for those of later versions. One that
/// is not here does not compile: it wants a decision.
macro_rules! admitted {
    (mvp $yes:tt $no:tt) => { admitted!($yes) };
    (sign_extension $yes:tt $no:tt) => { admitted!($yes) };
    (saturating_float_to_int $yes:tt $no:tt) => { admitted!($yes) };
    (bulk_memory $yes:tt $no:tt) => { admitted!($yes) };
    (reference_types $yes:tt $no:tt) => { admitted!($yes) };
    (simd $yes:tt $no:tt) => { admitted!($yes) };
    (custom_descriptors $yes:tt $no:tt) => { admitted!($no) };
    (exceptions $yes:tt $no:tt) => { admitted!($no) };
    (function_references $yes:tt $no:tt) => { admitted!($no) };
    (gc $yes:tt $no:tt) => { admitted!($no) };
    (legacy_exceptions $yes:tt $no:tt) => { admitted!($no) };
    (memory_control $yes:tt $no:tt) => { admitted!($no) };
    (relaxed_simd $yes:tt $no:tt) => { admitted!($no) };
    (shared_everything_threads $yes:tt $no:tt) => { admitted!($no) };
    (stack_switching $yes:tt $no:tt) => { admitted!($no) };
    (tail_call $yes:tt $no:tt) => { admitted!($no) };
    (threads $yes:tt $no:tt) => { admitted!($no) };
    (wide_arithmetic $yes:tt $no:tt) => { admitted!($no) };
    ([$($chosen:tt)*]) => { $($chosen)* };
}

/// The type of an operator's immediates: none, the one, or a tuple of them.
macro_rules! immediates {
    () => { () };
    ($ty:ty) => { $ty };
    ($($ty:ty),+) => { ($($ty),+) };
}

/// Declares the closed list of a group of operators, by one of wasmparser's lists. Its lifetime is the
/// enum's where one of the operators borrows from the module, else that of the conversion alone.
macro_rules! closed_list {
    (
        $(#[$meta:meta])* $name:ident [$($lifetime:tt)*] [$($late:tt)*];
        $(
            @$proposal:ident $op:ident $({ $($field:ident: $ty:ty),* })? => $visit:ident $arity:tt
        )*
    ) => {
        $(#[$meta])*
        #[allow(dead_code, reason = "no value is an operator that is not admitted")]
        enum $name $($lifetime)* {
            $($op(admitted!($proposal [immediates!($($($ty),*)?)] [Infallible])),)*
        }

        impl $($lifetime)* $name $($lifetime)* {
            /// The operator, if it is an admitted one of this list.
            fn of $($late)* (operator: Operator<'a>) -> Result<Self, Operator<'a>> {
                match operator {
                    $(
                        Operator::$op $({ $($field),* })? => {
                            admitted!($proposal
                                [Ok(Self::$op(($($($field),*)?)))]
                                [Err(Operator::$op $({ $($field),* })?)]
                            )
                        }
                    )*
                    other => Err(other),
                }
            }
        }
    };
}
pub(super) use {admitted, closed_list, immediates};

macro_rules! scalar_operators {
    ($($list:tt)*) => {
        closed_list! {
            /// An operator that is not one of vectors.
            Op [<'a>] [];
            $($list)*
        }
    };
}
wasmparser::for_each_visit_operator!(scalar_operators);

impl Translator<'_, '_> {
    /// Translates an operator that can be reached.
    pub(super) fn operator(&mut self, operator: Operator<'_>) -> Result<(), CompileError> {
        match Op::of(operator) {
            Ok(op) => self.scalar_operator(op),
            Err(operator) => self.vector_operator(operator),
        }
    }

    fn scalar_operator(&mut self, op: Op<'_>) -> Result<(), CompileError> {
        match op {
            Op::Nop(_) => {}
            Op::Unreachable(_) => self.unreachable(),
            Op::Block(ty) => self.block(ty),
            Op::Loop(ty) => self.loop_(ty),
            Op::If(ty) => self.if_(ty),
            Op::Else(_) => self.else_(),
            Op::End(_) => self.end(),
            Op::Br(depth) => self.br(depth),
            Op::BrIf(depth) => self.br_if(depth),
            Op::BrTable(targets) => self.br_table(&targets)?,
            Op::Return(_) => self.return_(),

            Op::Call(index) => self.call(FuncIndex::from_u32(index))?,
            Op::CallIndirect((ty, table)) => {
                self.call_indirect(TypeIndex::from_u32(ty), TableIndex::from_u32(table))?;
            }

            Op::Drop(_) => {
                self.pop();
            }
            Op::Select(_) | Op::TypedSelect(_) => {
                let [a, b, condition] = self.pop_n();
                let value = self.builder.ins().select(condition, a, b);
                self.push(value);
            }
            // Not before somebody says what it means: validators refuse all but one type.
            Op::TypedSelectMulti(tys) => {
                return Err(self.unsupported(&Operator::TypedSelectMulti { tys }));
            }

            Op::LocalGet(index) => {
                let value = self.get_local(index);
                self.push(value);
            }
            Op::LocalSet(index) => {
                let value = self.pop();
                self.set_local(index, value);
            }
            Op::LocalTee(index) => {
                let value = self.peek();
                self.set_local(index, value);
            }
            Op::GlobalGet(index) => self.global_get(GlobalIndex::from_u32(index)),
            Op::GlobalSet(index) => self.global_set(GlobalIndex::from_u32(index)),

            Op::TableGet(table) => self.table_get(TableIndex::from_u32(table)),
            Op::TableSet(table) => self.table_set(TableIndex::from_u32(table)),
            Op::TableSize(table) => self.table_size(TableIndex::from_u32(table)),
            Op::TableGrow(table) => self.table_grow(TableIndex::from_u32(table)),
            Op::TableFill(table) => self.table_fill(TableIndex::from_u32(table)),
            Op::TableCopy((to, from)) => {
                self.table_copy(TableIndex::from_u32(to), TableIndex::from_u32(from));
            }
            Op::TableInit((segment, table)) => {
                self.table_init(ElementIndex::from_u32(segment), TableIndex::from_u32(table));
            }
            Op::ElemDrop(segment) => self.elem_drop(ElementIndex::from_u32(segment)),
            Op::RefNull(_) => {
                let null = self.builder.ins().iconst(I64, 0);
                self.push(null);
            }
            Op::RefIsNull(_) => {
                let reference = self.pop();
                self.is_zero(reference);
            }
            Op::RefFunc(index) => self.ref_func(FuncIndex::from_u32(index)),

            Op::I32Load(memarg) => self.load(memarg, I32, I32, false),
            Op::I64Load(memarg) => self.load(memarg, I64, I64, false),
            Op::F32Load(memarg) => self.load(memarg, F32, F32, false),
            Op::F64Load(memarg) => self.load(memarg, F64, F64, false),
            Op::I32Load8S(memarg) => self.load(memarg, I8, I32, true),
            Op::I32Load8U(memarg) => self.load(memarg, I8, I32, false),
            Op::I32Load16S(memarg) => self.load(memarg, I16, I32, true),
            Op::I32Load16U(memarg) => self.load(memarg, I16, I32, false),
            Op::I64Load8S(memarg) => self.load(memarg, I8, I64, true),
            Op::I64Load8U(memarg) => self.load(memarg, I8, I64, false),
            Op::I64Load16S(memarg) => self.load(memarg, I16, I64, true),
            Op::I64Load16U(memarg) => self.load(memarg, I16, I64, false),
            Op::I64Load32S(memarg) => self.load(memarg, I32, I64, true),
            Op::I64Load32U(memarg) => self.load(memarg, I32, I64, false),
            Op::I32Store(memarg) => self.store(memarg, I32),
            Op::I64Store(memarg) => self.store(memarg, I64),
            Op::F32Store(memarg) => self.store(memarg, F32),
            Op::F64Store(memarg) => self.store(memarg, F64),
            Op::I32Store8(memarg) | Op::I64Store8(memarg) => self.store(memarg, I8),
            Op::I32Store16(memarg) | Op::I64Store16(memarg) => self.store(memarg, I16),
            Op::I64Store32(memarg) => self.store(memarg, I32),
            Op::MemorySize(_) => self.memory_size(),
            Op::MemoryGrow(_) => self.memory_grow(),
            Op::MemoryFill(_) => self.memory_fill(),
            Op::MemoryCopy(_) => self.memory_copy(),
            Op::MemoryInit((segment, _)) => self.memory_init(DataIndex::from_u32(segment)),
            Op::DataDrop(segment) => self.data_drop(DataIndex::from_u32(segment)),

            Op::I32Const(value) => {
                let value = self.builder.ins().iconst(I32, i64::from(value as u32));
                self.push(value);
            }
            Op::I64Const(value) => {
                let value = self.builder.ins().iconst(I64, value);
                self.push(value);
            }
            Op::F32Const(value) => {
                let value = self.builder.ins().f32const(f32::from_bits(value.bits()));
                self.push(value);
            }
            Op::F64Const(value) => {
                let value = self.builder.ins().f64const(f64::from_bits(value.bits()));
                self.push(value);
            }
            Op::I32Eqz(_) | Op::I64Eqz(_) => {
                let value = self.pop();
                self.is_zero(value);
            }
            Op::I32Eq(_) | Op::I64Eq(_) => self.icmp(IntCC::Equal),
            Op::I32Ne(_) | Op::I64Ne(_) => self.icmp(IntCC::NotEqual),
            Op::I32LtS(_) | Op::I64LtS(_) => self.icmp(IntCC::SignedLessThan),
            Op::I32LtU(_) | Op::I64LtU(_) => self.icmp(IntCC::UnsignedLessThan),
            Op::I32GtS(_) | Op::I64GtS(_) => self.icmp(IntCC::SignedGreaterThan),
            Op::I32GtU(_) | Op::I64GtU(_) => self.icmp(IntCC::UnsignedGreaterThan),
            Op::I32LeS(_) | Op::I64LeS(_) => self.icmp(IntCC::SignedLessThanOrEqual),
            Op::I32LeU(_) | Op::I64LeU(_) => self.icmp(IntCC::UnsignedLessThanOrEqual),
            Op::I32GeS(_) | Op::I64GeS(_) => self.icmp(IntCC::SignedGreaterThanOrEqual),
            Op::I32GeU(_) | Op::I64GeU(_) => self.icmp(IntCC::UnsignedGreaterThanOrEqual),
            Op::F32Eq(_) | Op::F64Eq(_) => self.fcmp(FloatCC::Equal),
            Op::F32Ne(_) | Op::F64Ne(_) => self.fcmp(FloatCC::NotEqual),
            Op::F32Lt(_) | Op::F64Lt(_) => self.fcmp(FloatCC::LessThan),
            Op::F32Gt(_) | Op::F64Gt(_) => self.fcmp(FloatCC::GreaterThan),
            Op::F32Le(_) | Op::F64Le(_) => self.fcmp(FloatCC::LessThanOrEqual),
            Op::F32Ge(_) | Op::F64Ge(_) => self.fcmp(FloatCC::GreaterThanOrEqual),

            Op::I32Clz(_) | Op::I64Clz(_) => self.unary(|i, v| i.clz(v)),
            Op::I32Ctz(_) | Op::I64Ctz(_) => self.unary(|i, v| i.ctz(v)),
            Op::I32Popcnt(_) | Op::I64Popcnt(_) => self.unary(|i, v| i.popcnt(v)),
            Op::I32Add(_) | Op::I64Add(_) => self.binary(|i, a, b| i.iadd(a, b)),
            Op::I32Sub(_) | Op::I64Sub(_) => self.binary(|i, a, b| i.isub(a, b)),
            Op::I32Mul(_) | Op::I64Mul(_) => self.binary(|i, a, b| i.imul(a, b)),
            Op::I32DivS(_) | Op::I64DivS(_) => self.binary(|i, a, b| i.sdiv(a, b)),
            Op::I32DivU(_) | Op::I64DivU(_) => self.binary(|i, a, b| i.udiv(a, b)),
            Op::I32RemS(_) | Op::I64RemS(_) => self.binary(|i, a, b| i.srem(a, b)),
            Op::I32RemU(_) | Op::I64RemU(_) => self.binary(|i, a, b| i.urem(a, b)),
            Op::I32And(_) | Op::I64And(_) => self.binary(|i, a, b| i.band(a, b)),
            Op::I32Or(_) | Op::I64Or(_) => self.binary(|i, a, b| i.bor(a, b)),
            Op::I32Xor(_) | Op::I64Xor(_) => self.binary(|i, a, b| i.bxor(a, b)),
            Op::I32Shl(_) | Op::I64Shl(_) => self.binary(|i, a, b| i.ishl(a, b)),
            Op::I32ShrS(_) | Op::I64ShrS(_) => self.binary(|i, a, b| i.sshr(a, b)),
            Op::I32ShrU(_) | Op::I64ShrU(_) => self.binary(|i, a, b| i.ushr(a, b)),
            Op::I32Rotl(_) | Op::I64Rotl(_) => self.binary(|i, a, b| i.rotl(a, b)),
            Op::I32Rotr(_) | Op::I64Rotr(_) => self.binary(|i, a, b| i.rotr(a, b)),

            Op::F32Abs(_) | Op::F64Abs(_) => self.unary(|i, v| i.fabs(v)),
            Op::F32Neg(_) | Op::F64Neg(_) => self.unary(|i, v| i.fneg(v)),
            Op::F32Ceil(_) | Op::F64Ceil(_) => self.unary(|i, v| i.ceil(v)),
            Op::F32Floor(_) | Op::F64Floor(_) => self.unary(|i, v| i.floor(v)),
            Op::F32Trunc(_) | Op::F64Trunc(_) => self.unary(|i, v| i.trunc(v)),
            Op::F32Nearest(_) | Op::F64Nearest(_) => self.unary(|i, v| i.nearest(v)),
            Op::F32Sqrt(_) | Op::F64Sqrt(_) => self.unary(|i, v| i.sqrt(v)),
            Op::F32Add(_) | Op::F64Add(_) => self.binary(|i, a, b| i.fadd(a, b)),
            Op::F32Sub(_) | Op::F64Sub(_) => self.binary(|i, a, b| i.fsub(a, b)),
            Op::F32Mul(_) | Op::F64Mul(_) => self.binary(|i, a, b| i.fmul(a, b)),
            Op::F32Div(_) | Op::F64Div(_) => self.binary(|i, a, b| i.fdiv(a, b)),
            Op::F32Min(_) | Op::F64Min(_) => self.binary(|i, a, b| i.fmin(a, b)),
            Op::F32Max(_) | Op::F64Max(_) => self.binary(|i, a, b| i.fmax(a, b)),
            Op::F32Copysign(_) | Op::F64Copysign(_) => self.binary(|i, a, b| i.fcopysign(a, b)),

            Op::I32WrapI64(_) => self.unary(|i, v| i.ireduce(I32, v)),
            Op::I64ExtendI32S(_) => self.unary(|i, v| i.sextend(I64, v)),
            Op::I64ExtendI32U(_) => self.unary(|i, v| i.uextend(I64, v)),
            Op::I32Extend8S(_) => self.sign_extend(I8, I32),
            Op::I32Extend16S(_) => self.sign_extend(I16, I32),
            Op::I64Extend8S(_) => self.sign_extend(I8, I64),
            Op::I64Extend16S(_) => self.sign_extend(I16, I64),
            Op::I64Extend32S(_) => self.sign_extend(I32, I64),

            Op::I32TruncF32S(_) | Op::I32TruncF64S(_) => self.unary(|i, v| i.fcvt_to_sint(I32, v)),
            Op::I32TruncF32U(_) | Op::I32TruncF64U(_) => self.unary(|i, v| i.fcvt_to_uint(I32, v)),
            Op::I64TruncF32S(_) | Op::I64TruncF64S(_) => self.unary(|i, v| i.fcvt_to_sint(I64, v)),
            Op::I64TruncF32U(_) | Op::I64TruncF64U(_) => self.unary(|i, v| i.fcvt_to_uint(I64, v)),
            Op::I32TruncSatF32S(_) | Op::I32TruncSatF64S(_) => {
                self.unary(|i, v| i.fcvt_to_sint_sat(I32, v));
            }
            Op::I32TruncSatF32U(_) | Op::I32TruncSatF64U(_) => {
                self.unary(|i, v| i.fcvt_to_uint_sat(I32, v));
            }
            Op::I64TruncSatF32S(_) | Op::I64TruncSatF64S(_) => {
                self.unary(|i, v| i.fcvt_to_sint_sat(I64, v));
            }
            Op::I64TruncSatF32U(_) | Op::I64TruncSatF64U(_) => {
                self.unary(|i, v| i.fcvt_to_uint_sat(I64, v));
            }
            Op::F32ConvertI32S(_) | Op::F32ConvertI64S(_) => {
                self.unary(|i, v| i.fcvt_from_sint(F32, v));
            }
            Op::F32ConvertI32U(_) | Op::F32ConvertI64U(_) => {
                self.unary(|i, v| i.fcvt_from_uint(F32, v));
            }
            Op::F64ConvertI32S(_) | Op::F64ConvertI64S(_) => {
                self.unary(|i, v| i.fcvt_from_sint(F64, v));
            }
            Op::F64ConvertI32U(_) | Op::F64ConvertI64U(_) => {
                self.unary(|i, v| i.fcvt_from_uint(F64, v));
            }
            Op::F32DemoteF64(_) => self.unary(|i, v| i.fdemote(F32, v)),
            Op::F64PromoteF32(_) => self.unary(|i, v| i.fpromote(F64, v)),
            Op::I32ReinterpretF32(_) => self.reinterpret(I32),
            Op::I64ReinterpretF64(_) => self.reinterpret(I64),
            Op::F32ReinterpretI32(_) => self.reinterpret(F32),
            Op::F64ReinterpretI64(_) => self.reinterpret(F64),
        }
        Ok(())
    }
}
