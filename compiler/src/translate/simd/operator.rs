//! The operators of vectors, and what is done for each; see `translate/operator.rs`.

use super::convert::{HIGH_S, HIGH_U, LOW_S, LOW_U};
use crate::{
    error::CompileError,
    translate::{
        Translator,
        operator::{admitted, closed_list, immediates},
    },
};
use cranelift_codegen::ir::{
    InstBuilder,
    condcodes::{FloatCC, IntCC},
    types::{F32X4, F64X2, I8X16, I16X8, I32X4, I64X2},
};
use std::convert::Infallible;
use wasmparser::Operator;

macro_rules! vector_operators {
    ($($list:tt)*) => {
        closed_list! {
            /// An operator of vectors.
            Op [] [<'a>];
            $($list)*
        }
    };
}
wasmparser::for_each_visit_simd_operator!(vector_operators);

impl Translator<'_, '_> {
    /// Translates an operator of vectors.
    pub(in crate::translate) fn vector_operator(
        &mut self,
        operator: Operator<'_>,
    ) -> Result<(), CompileError> {
        let op = Op::of(operator).map_err(|operator| self.unsupported(&operator))?;
        match op {
            Op::V128Const(value) => {
                let value = self.vector_constant(*value.bytes());
                self.push(value);
            }
            Op::V128Not(_) => self.vector_unary(I8X16, |i, v| i.bnot(v)),
            Op::V128And(_) => self.vector_binary(I8X16, |i, a, b| i.band(a, b)),
            Op::V128AndNot(_) => self.vector_binary(I8X16, |i, a, b| i.band_not(a, b)),
            Op::V128Or(_) => self.vector_binary(I8X16, |i, a, b| i.bor(a, b)),
            Op::V128Xor(_) => self.vector_binary(I8X16, |i, a, b| i.bxor(a, b)),
            Op::V128Bitselect(_) => {
                let [a, b, mask] = self.pop_n();
                let value = self.builder.ins().bitselect(mask, a, b);
                self.push(value);
            }
            Op::V128AnyTrue(_) => self.vector_test(I8X16, |i, v| i.vany_true(v)),

            Op::V128Load(memarg) => {
                let value = self.load_value(memarg, I8X16);
                self.push(value);
            }
            Op::V128Store(memarg) => {
                let value = self.pop();
                self.store_value(memarg, value);
            }
            Op::V128Load8x8S(memarg) => {
                self.load_widen(memarg, |i, f, a, o| i.sload8x8(f, a, o));
            }
            Op::V128Load8x8U(memarg) => {
                self.load_widen(memarg, |i, f, a, o| i.uload8x8(f, a, o));
            }
            Op::V128Load16x4S(memarg) => {
                self.load_widen(memarg, |i, f, a, o| i.sload16x4(f, a, o));
            }
            Op::V128Load16x4U(memarg) => {
                self.load_widen(memarg, |i, f, a, o| i.uload16x4(f, a, o));
            }
            Op::V128Load32x2S(memarg) => {
                self.load_widen(memarg, |i, f, a, o| i.sload32x2(f, a, o));
            }
            Op::V128Load32x2U(memarg) => {
                self.load_widen(memarg, |i, f, a, o| i.uload32x2(f, a, o));
            }
            Op::V128Load8Splat(memarg) => self.load_splat(memarg, I8X16),
            Op::V128Load16Splat(memarg) => self.load_splat(memarg, I16X8),
            Op::V128Load32Splat(memarg) => self.load_splat(memarg, I32X4),
            Op::V128Load64Splat(memarg) => self.load_splat(memarg, I64X2),
            Op::V128Load32Zero(memarg) => self.load_zero(memarg, F32X4),
            Op::V128Load64Zero(memarg) => self.load_zero(memarg, F64X2),
            Op::V128Load8Lane((memarg, lane)) => self.load_lane(memarg, I8X16, lane),
            Op::V128Load16Lane((memarg, lane)) => self.load_lane(memarg, I16X8, lane),
            Op::V128Load32Lane((memarg, lane)) => self.load_lane(memarg, I32X4, lane),
            Op::V128Load64Lane((memarg, lane)) => self.load_lane(memarg, I64X2, lane),
            Op::V128Store8Lane((memarg, lane)) => self.store_lane(memarg, I8X16, lane),
            Op::V128Store16Lane((memarg, lane)) => self.store_lane(memarg, I16X8, lane),
            Op::V128Store32Lane((memarg, lane)) => self.store_lane(memarg, I32X4, lane),
            Op::V128Store64Lane((memarg, lane)) => self.store_lane(memarg, I64X2, lane),

            Op::I8x16Splat(_) => self.splat(I8X16),
            Op::I16x8Splat(_) => self.splat(I16X8),
            Op::I32x4Splat(_) => self.splat(I32X4),
            Op::I64x2Splat(_) => self.splat(I64X2),
            Op::F32x4Splat(_) => self.splat(F32X4),
            Op::F64x2Splat(_) => self.splat(F64X2),

            Op::I8x16ExtractLaneS(lane) => self.extract_narrow(I8X16, lane, true),
            Op::I8x16ExtractLaneU(lane) => self.extract_narrow(I8X16, lane, false),
            Op::I16x8ExtractLaneS(lane) => self.extract_narrow(I16X8, lane, true),
            Op::I16x8ExtractLaneU(lane) => self.extract_narrow(I16X8, lane, false),
            Op::I32x4ExtractLane(lane) => self.extract(I32X4, lane),
            Op::I64x2ExtractLane(lane) => self.extract(I64X2, lane),
            Op::F32x4ExtractLane(lane) => self.extract(F32X4, lane),
            Op::F64x2ExtractLane(lane) => self.extract(F64X2, lane),

            Op::I8x16ReplaceLane(lane) => self.replace(I8X16, lane),
            Op::I16x8ReplaceLane(lane) => self.replace(I16X8, lane),
            Op::I32x4ReplaceLane(lane) => self.replace(I32X4, lane),
            Op::I64x2ReplaceLane(lane) => self.replace(I64X2, lane),
            Op::F32x4ReplaceLane(lane) => self.replace(F32X4, lane),
            Op::F64x2ReplaceLane(lane) => self.replace(F64X2, lane),

            Op::I8x16Swizzle(_) => self.vector_binary(I8X16, |i, a, b| i.swizzle(a, b)),
            Op::I8x16Shuffle(lanes) => self.shuffle(lanes),

            Op::I8x16Add(_) => self.vector_binary(I8X16, |i, a, b| i.iadd(a, b)),
            Op::I16x8Add(_) => self.vector_binary(I16X8, |i, a, b| i.iadd(a, b)),
            Op::I32x4Add(_) => self.vector_binary(I32X4, |i, a, b| i.iadd(a, b)),
            Op::I64x2Add(_) => self.vector_binary(I64X2, |i, a, b| i.iadd(a, b)),
            Op::I8x16Sub(_) => self.vector_binary(I8X16, |i, a, b| i.isub(a, b)),
            Op::I16x8Sub(_) => self.vector_binary(I16X8, |i, a, b| i.isub(a, b)),
            Op::I32x4Sub(_) => self.vector_binary(I32X4, |i, a, b| i.isub(a, b)),
            Op::I64x2Sub(_) => self.vector_binary(I64X2, |i, a, b| i.isub(a, b)),
            Op::I16x8Mul(_) => self.vector_binary(I16X8, |i, a, b| i.imul(a, b)),
            Op::I32x4Mul(_) => self.vector_binary(I32X4, |i, a, b| i.imul(a, b)),
            Op::I64x2Mul(_) => self.vector_binary(I64X2, |i, a, b| i.imul(a, b)),
            Op::I8x16Neg(_) => self.vector_unary(I8X16, |i, v| i.ineg(v)),
            Op::I16x8Neg(_) => self.vector_unary(I16X8, |i, v| i.ineg(v)),
            Op::I32x4Neg(_) => self.vector_unary(I32X4, |i, v| i.ineg(v)),
            Op::I64x2Neg(_) => self.vector_unary(I64X2, |i, v| i.ineg(v)),
            Op::I8x16Abs(_) => self.vector_unary(I8X16, |i, v| i.iabs(v)),
            Op::I16x8Abs(_) => self.vector_unary(I16X8, |i, v| i.iabs(v)),
            Op::I32x4Abs(_) => self.vector_unary(I32X4, |i, v| i.iabs(v)),
            Op::I64x2Abs(_) => self.vector_unary(I64X2, |i, v| i.iabs(v)),
            Op::I8x16Popcnt(_) => self.vector_unary(I8X16, |i, v| i.popcnt(v)),
            Op::I8x16AddSatS(_) => self.vector_binary(I8X16, |i, a, b| i.sadd_sat(a, b)),
            Op::I16x8AddSatS(_) => self.vector_binary(I16X8, |i, a, b| i.sadd_sat(a, b)),
            Op::I8x16AddSatU(_) => self.vector_binary(I8X16, |i, a, b| i.uadd_sat(a, b)),
            Op::I16x8AddSatU(_) => self.vector_binary(I16X8, |i, a, b| i.uadd_sat(a, b)),
            Op::I8x16SubSatS(_) => self.vector_binary(I8X16, |i, a, b| i.ssub_sat(a, b)),
            Op::I16x8SubSatS(_) => self.vector_binary(I16X8, |i, a, b| i.ssub_sat(a, b)),
            Op::I8x16SubSatU(_) => self.vector_binary(I8X16, |i, a, b| i.usub_sat(a, b)),
            Op::I16x8SubSatU(_) => self.vector_binary(I16X8, |i, a, b| i.usub_sat(a, b)),
            Op::I8x16MinS(_) => self.vector_binary(I8X16, |i, a, b| i.smin(a, b)),
            Op::I16x8MinS(_) => self.vector_binary(I16X8, |i, a, b| i.smin(a, b)),
            Op::I32x4MinS(_) => self.vector_binary(I32X4, |i, a, b| i.smin(a, b)),
            Op::I8x16MinU(_) => self.vector_binary(I8X16, |i, a, b| i.umin(a, b)),
            Op::I16x8MinU(_) => self.vector_binary(I16X8, |i, a, b| i.umin(a, b)),
            Op::I32x4MinU(_) => self.vector_binary(I32X4, |i, a, b| i.umin(a, b)),
            Op::I8x16MaxS(_) => self.vector_binary(I8X16, |i, a, b| i.smax(a, b)),
            Op::I16x8MaxS(_) => self.vector_binary(I16X8, |i, a, b| i.smax(a, b)),
            Op::I32x4MaxS(_) => self.vector_binary(I32X4, |i, a, b| i.smax(a, b)),
            Op::I8x16MaxU(_) => self.vector_binary(I8X16, |i, a, b| i.umax(a, b)),
            Op::I16x8MaxU(_) => self.vector_binary(I16X8, |i, a, b| i.umax(a, b)),
            Op::I32x4MaxU(_) => self.vector_binary(I32X4, |i, a, b| i.umax(a, b)),
            Op::I8x16AvgrU(_) => self.vector_binary(I8X16, |i, a, b| i.avg_round(a, b)),
            Op::I16x8AvgrU(_) => self.vector_binary(I16X8, |i, a, b| i.avg_round(a, b)),
            Op::I16x8Q15MulrSatS(_) => self.vector_binary(I16X8, |i, a, b| i.sqmul_round_sat(a, b)),

            Op::I8x16Shl(_) => self.vector_shift(I8X16, |i, v, by| i.ishl(v, by)),
            Op::I16x8Shl(_) => self.vector_shift(I16X8, |i, v, by| i.ishl(v, by)),
            Op::I32x4Shl(_) => self.vector_shift(I32X4, |i, v, by| i.ishl(v, by)),
            Op::I64x2Shl(_) => self.vector_shift(I64X2, |i, v, by| i.ishl(v, by)),
            Op::I8x16ShrS(_) => self.vector_shift(I8X16, |i, v, by| i.sshr(v, by)),
            Op::I16x8ShrS(_) => self.vector_shift(I16X8, |i, v, by| i.sshr(v, by)),
            Op::I32x4ShrS(_) => self.vector_shift(I32X4, |i, v, by| i.sshr(v, by)),
            Op::I64x2ShrS(_) => self.vector_shift(I64X2, |i, v, by| i.sshr(v, by)),
            Op::I8x16ShrU(_) => self.vector_shift(I8X16, |i, v, by| i.ushr(v, by)),
            Op::I16x8ShrU(_) => self.vector_shift(I16X8, |i, v, by| i.ushr(v, by)),
            Op::I32x4ShrU(_) => self.vector_shift(I32X4, |i, v, by| i.ushr(v, by)),
            Op::I64x2ShrU(_) => self.vector_shift(I64X2, |i, v, by| i.ushr(v, by)),

            Op::I8x16AllTrue(_) => self.vector_test(I8X16, |i, v| i.vall_true(v)),
            Op::I16x8AllTrue(_) => self.vector_test(I16X8, |i, v| i.vall_true(v)),
            Op::I32x4AllTrue(_) => self.vector_test(I32X4, |i, v| i.vall_true(v)),
            Op::I64x2AllTrue(_) => self.vector_test(I64X2, |i, v| i.vall_true(v)),
            Op::I8x16Bitmask(_) => self.vector_bitmask(I8X16),
            Op::I16x8Bitmask(_) => self.vector_bitmask(I16X8),
            Op::I32x4Bitmask(_) => self.vector_bitmask(I32X4),
            Op::I64x2Bitmask(_) => self.vector_bitmask(I64X2),

            Op::I8x16Eq(_) => self.vector_icmp(I8X16, IntCC::Equal),
            Op::I16x8Eq(_) => self.vector_icmp(I16X8, IntCC::Equal),
            Op::I32x4Eq(_) => self.vector_icmp(I32X4, IntCC::Equal),
            Op::I64x2Eq(_) => self.vector_icmp(I64X2, IntCC::Equal),
            Op::I8x16Ne(_) => self.vector_icmp(I8X16, IntCC::NotEqual),
            Op::I16x8Ne(_) => self.vector_icmp(I16X8, IntCC::NotEqual),
            Op::I32x4Ne(_) => self.vector_icmp(I32X4, IntCC::NotEqual),
            Op::I64x2Ne(_) => self.vector_icmp(I64X2, IntCC::NotEqual),
            Op::I8x16LtS(_) => self.vector_icmp(I8X16, IntCC::SignedLessThan),
            Op::I16x8LtS(_) => self.vector_icmp(I16X8, IntCC::SignedLessThan),
            Op::I32x4LtS(_) => self.vector_icmp(I32X4, IntCC::SignedLessThan),
            Op::I64x2LtS(_) => self.vector_icmp(I64X2, IntCC::SignedLessThan),
            Op::I8x16LtU(_) => self.vector_icmp(I8X16, IntCC::UnsignedLessThan),
            Op::I16x8LtU(_) => self.vector_icmp(I16X8, IntCC::UnsignedLessThan),
            Op::I32x4LtU(_) => self.vector_icmp(I32X4, IntCC::UnsignedLessThan),
            Op::I8x16GtS(_) => self.vector_icmp(I8X16, IntCC::SignedGreaterThan),
            Op::I16x8GtS(_) => self.vector_icmp(I16X8, IntCC::SignedGreaterThan),
            Op::I32x4GtS(_) => self.vector_icmp(I32X4, IntCC::SignedGreaterThan),
            Op::I64x2GtS(_) => self.vector_icmp(I64X2, IntCC::SignedGreaterThan),
            Op::I8x16GtU(_) => self.vector_icmp(I8X16, IntCC::UnsignedGreaterThan),
            Op::I16x8GtU(_) => self.vector_icmp(I16X8, IntCC::UnsignedGreaterThan),
            Op::I32x4GtU(_) => self.vector_icmp(I32X4, IntCC::UnsignedGreaterThan),
            Op::I8x16LeS(_) => self.vector_icmp(I8X16, IntCC::SignedLessThanOrEqual),
            Op::I16x8LeS(_) => self.vector_icmp(I16X8, IntCC::SignedLessThanOrEqual),
            Op::I32x4LeS(_) => self.vector_icmp(I32X4, IntCC::SignedLessThanOrEqual),
            Op::I64x2LeS(_) => self.vector_icmp(I64X2, IntCC::SignedLessThanOrEqual),
            Op::I8x16LeU(_) => self.vector_icmp(I8X16, IntCC::UnsignedLessThanOrEqual),
            Op::I16x8LeU(_) => self.vector_icmp(I16X8, IntCC::UnsignedLessThanOrEqual),
            Op::I32x4LeU(_) => self.vector_icmp(I32X4, IntCC::UnsignedLessThanOrEqual),
            Op::I8x16GeS(_) => self.vector_icmp(I8X16, IntCC::SignedGreaterThanOrEqual),
            Op::I16x8GeS(_) => self.vector_icmp(I16X8, IntCC::SignedGreaterThanOrEqual),
            Op::I32x4GeS(_) => self.vector_icmp(I32X4, IntCC::SignedGreaterThanOrEqual),
            Op::I64x2GeS(_) => self.vector_icmp(I64X2, IntCC::SignedGreaterThanOrEqual),
            Op::I8x16GeU(_) => self.vector_icmp(I8X16, IntCC::UnsignedGreaterThanOrEqual),
            Op::I16x8GeU(_) => self.vector_icmp(I16X8, IntCC::UnsignedGreaterThanOrEqual),
            Op::I32x4GeU(_) => self.vector_icmp(I32X4, IntCC::UnsignedGreaterThanOrEqual),

            Op::F32x4Add(_) => self.vector_binary(F32X4, |i, a, b| i.fadd(a, b)),
            Op::F64x2Add(_) => self.vector_binary(F64X2, |i, a, b| i.fadd(a, b)),
            Op::F32x4Sub(_) => self.vector_binary(F32X4, |i, a, b| i.fsub(a, b)),
            Op::F64x2Sub(_) => self.vector_binary(F64X2, |i, a, b| i.fsub(a, b)),
            Op::F32x4Mul(_) => self.vector_binary(F32X4, |i, a, b| i.fmul(a, b)),
            Op::F64x2Mul(_) => self.vector_binary(F64X2, |i, a, b| i.fmul(a, b)),
            Op::F32x4Div(_) => self.vector_binary(F32X4, |i, a, b| i.fdiv(a, b)),
            Op::F64x2Div(_) => self.vector_binary(F64X2, |i, a, b| i.fdiv(a, b)),
            Op::F32x4Min(_) => self.vector_binary(F32X4, |i, a, b| i.fmin(a, b)),
            Op::F64x2Min(_) => self.vector_binary(F64X2, |i, a, b| i.fmin(a, b)),
            Op::F32x4Max(_) => self.vector_binary(F32X4, |i, a, b| i.fmax(a, b)),
            Op::F64x2Max(_) => self.vector_binary(F64X2, |i, a, b| i.fmax(a, b)),

            Op::F32x4Abs(_) => self.vector_unary(F32X4, |i, v| i.fabs(v)),
            Op::F64x2Abs(_) => self.vector_unary(F64X2, |i, v| i.fabs(v)),
            Op::F32x4Neg(_) => self.vector_unary(F32X4, |i, v| i.fneg(v)),
            Op::F64x2Neg(_) => self.vector_unary(F64X2, |i, v| i.fneg(v)),
            Op::F32x4Sqrt(_) => self.vector_unary(F32X4, |i, v| i.sqrt(v)),
            Op::F64x2Sqrt(_) => self.vector_unary(F64X2, |i, v| i.sqrt(v)),
            Op::F32x4Ceil(_) => self.vector_unary(F32X4, |i, v| i.ceil(v)),
            Op::F64x2Ceil(_) => self.vector_unary(F64X2, |i, v| i.ceil(v)),
            Op::F32x4Floor(_) => self.vector_unary(F32X4, |i, v| i.floor(v)),
            Op::F64x2Floor(_) => self.vector_unary(F64X2, |i, v| i.floor(v)),
            Op::F32x4Trunc(_) => self.vector_unary(F32X4, |i, v| i.trunc(v)),
            Op::F64x2Trunc(_) => self.vector_unary(F64X2, |i, v| i.trunc(v)),
            Op::F32x4Nearest(_) => self.vector_unary(F32X4, |i, v| i.nearest(v)),
            Op::F64x2Nearest(_) => self.vector_unary(F64X2, |i, v| i.nearest(v)),

            Op::F32x4PMin(_) => self.pseudo_min(F32X4),
            Op::F64x2PMin(_) => self.pseudo_min(F64X2),
            Op::F32x4PMax(_) => self.pseudo_max(F32X4),
            Op::F64x2PMax(_) => self.pseudo_max(F64X2),

            Op::F32x4Eq(_) => self.vector_fcmp(F32X4, FloatCC::Equal),
            Op::F64x2Eq(_) => self.vector_fcmp(F64X2, FloatCC::Equal),
            Op::F32x4Ne(_) => self.vector_fcmp(F32X4, FloatCC::NotEqual),
            Op::F64x2Ne(_) => self.vector_fcmp(F64X2, FloatCC::NotEqual),
            Op::F32x4Lt(_) => self.vector_fcmp(F32X4, FloatCC::LessThan),
            Op::F64x2Lt(_) => self.vector_fcmp(F64X2, FloatCC::LessThan),
            Op::F32x4Gt(_) => self.vector_fcmp(F32X4, FloatCC::GreaterThan),
            Op::F64x2Gt(_) => self.vector_fcmp(F64X2, FloatCC::GreaterThan),
            Op::F32x4Le(_) => self.vector_fcmp(F32X4, FloatCC::LessThanOrEqual),
            Op::F64x2Le(_) => self.vector_fcmp(F64X2, FloatCC::LessThanOrEqual),
            Op::F32x4Ge(_) => self.vector_fcmp(F32X4, FloatCC::GreaterThanOrEqual),
            Op::F64x2Ge(_) => self.vector_fcmp(F64X2, FloatCC::GreaterThanOrEqual),

            Op::I8x16NarrowI16x8S(_) => self.vector_binary(I16X8, |i, a, b| i.snarrow(a, b)),
            Op::I8x16NarrowI16x8U(_) => self.vector_binary(I16X8, |i, a, b| i.unarrow(a, b)),
            Op::I16x8NarrowI32x4S(_) => self.vector_binary(I32X4, |i, a, b| i.snarrow(a, b)),
            Op::I16x8NarrowI32x4U(_) => self.vector_binary(I32X4, |i, a, b| i.unarrow(a, b)),

            Op::I16x8ExtendLowI8x16S(_) => self.vector_unary(I8X16, LOW_S),
            Op::I16x8ExtendLowI8x16U(_) => self.vector_unary(I8X16, LOW_U),
            Op::I16x8ExtendHighI8x16S(_) => self.vector_unary(I8X16, HIGH_S),
            Op::I16x8ExtendHighI8x16U(_) => self.vector_unary(I8X16, HIGH_U),
            Op::I32x4ExtendLowI16x8S(_) => self.vector_unary(I16X8, LOW_S),
            Op::I32x4ExtendLowI16x8U(_) => self.vector_unary(I16X8, LOW_U),
            Op::I32x4ExtendHighI16x8S(_) => self.vector_unary(I16X8, HIGH_S),
            Op::I32x4ExtendHighI16x8U(_) => self.vector_unary(I16X8, HIGH_U),
            Op::I64x2ExtendLowI32x4S(_) => self.vector_unary(I32X4, LOW_S),
            Op::I64x2ExtendLowI32x4U(_) => self.vector_unary(I32X4, LOW_U),
            Op::I64x2ExtendHighI32x4S(_) => self.vector_unary(I32X4, HIGH_S),
            Op::I64x2ExtendHighI32x4U(_) => self.vector_unary(I32X4, HIGH_U),

            Op::I16x8ExtMulLowI8x16S(_) => self.extended_multiply(I8X16, LOW_S),
            Op::I16x8ExtMulLowI8x16U(_) => self.extended_multiply(I8X16, LOW_U),
            Op::I16x8ExtMulHighI8x16S(_) => self.extended_multiply(I8X16, HIGH_S),
            Op::I16x8ExtMulHighI8x16U(_) => self.extended_multiply(I8X16, HIGH_U),
            Op::I32x4ExtMulLowI16x8S(_) => self.extended_multiply(I16X8, LOW_S),
            Op::I32x4ExtMulLowI16x8U(_) => self.extended_multiply(I16X8, LOW_U),
            Op::I32x4ExtMulHighI16x8S(_) => self.extended_multiply(I16X8, HIGH_S),
            Op::I32x4ExtMulHighI16x8U(_) => self.extended_multiply(I16X8, HIGH_U),
            Op::I64x2ExtMulLowI32x4S(_) => self.extended_multiply(I32X4, LOW_S),
            Op::I64x2ExtMulLowI32x4U(_) => self.extended_multiply(I32X4, LOW_U),
            Op::I64x2ExtMulHighI32x4S(_) => self.extended_multiply(I32X4, HIGH_S),
            Op::I64x2ExtMulHighI32x4U(_) => self.extended_multiply(I32X4, HIGH_U),

            Op::I16x8ExtAddPairwiseI8x16S(_) => self.add_pairwise(I8X16, LOW_S, HIGH_S),
            Op::I16x8ExtAddPairwiseI8x16U(_) => self.add_pairwise(I8X16, LOW_U, HIGH_U),
            Op::I32x4ExtAddPairwiseI16x8S(_) => self.add_pairwise(I16X8, LOW_S, HIGH_S),
            Op::I32x4ExtAddPairwiseI16x8U(_) => self.add_pairwise(I16X8, LOW_U, HIGH_U),
            Op::I32x4DotI16x8S(_) => self.dot_product(),

            Op::I32x4TruncSatF32x4S(_) => {
                self.vector_unary(F32X4, |i, v| i.fcvt_to_sint_sat(I32X4, v));
            }
            Op::I32x4TruncSatF32x4U(_) => {
                self.vector_unary(F32X4, |i, v| i.fcvt_to_uint_sat(I32X4, v));
            }
            Op::I32x4TruncSatF64x2SZero(_) => {
                self.truncate_zero(|i, v| i.fcvt_to_sint_sat(I64X2, v), |i, a, b| i.snarrow(a, b));
            }
            Op::I32x4TruncSatF64x2UZero(_) => {
                self.truncate_zero(|i, v| i.fcvt_to_uint_sat(I64X2, v), |i, a, b| i.uunarrow(a, b));
            }
            Op::F32x4ConvertI32x4S(_) => {
                self.vector_unary(I32X4, |i, v| i.fcvt_from_sint(F32X4, v));
            }
            Op::F32x4ConvertI32x4U(_) => {
                self.vector_unary(I32X4, |i, v| i.fcvt_from_uint(F32X4, v));
            }
            Op::F64x2ConvertLowI32x4S(_) => {
                self.vector_unary(I32X4, LOW_S);
                self.vector_unary(I64X2, |i, v| i.fcvt_from_sint(F64X2, v));
            }
            Op::F64x2ConvertLowI32x4U(_) => {
                self.vector_unary(I32X4, LOW_U);
                self.vector_unary(I64X2, |i, v| i.fcvt_from_uint(F64X2, v));
            }
            Op::F32x4DemoteF64x2Zero(_) => self.vector_unary(F64X2, |i, v| i.fvdemote(v)),
            Op::F64x2PromoteLowF32x4(_) => self.vector_unary(F32X4, |i, v| i.fvpromote_low(v)),
        }
        Ok(())
    }
}
