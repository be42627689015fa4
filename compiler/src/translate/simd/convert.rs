//! Lanes of one width or kind into lanes of another.

use super::Translator;
use cranelift_codegen::ir::{
    InstBuilder, Type, Value,
    types::{F32X4, F64X2, I8X16, I16X8, I32X4, I64X2},
};
use cranelift_frontend::FuncInstBuilder;
use wasmparser::Operator;

/// Widens one half of a vector's lanes to twice their width.
type Widen = fn(FuncInstBuilder<'_, '_>, Value) -> Value;

const LOW_S: Widen = |i, v| i.swiden_low(v);
const LOW_U: Widen = |i, v| i.uwiden_low(v);
const HIGH_S: Widen = |i, v| i.swiden_high(v);
const HIGH_U: Widen = |i, v| i.uwiden_high(v);

impl Translator<'_, '_> {
    pub(super) fn vector_conversion(&mut self, operator: &Operator<'_>) -> bool {
        self.vector_width(operator) || self.vector_kind(operator)
    }

    /// Between widths of integers.
    fn vector_width(&mut self, operator: &Operator<'_>) -> bool {
        use Operator as Op;
        match operator {
            Op::I8x16NarrowI16x8S => self.vector_binary(I16X8, |i, a, b| i.snarrow(a, b)),
            Op::I8x16NarrowI16x8U => self.vector_binary(I16X8, |i, a, b| i.unarrow(a, b)),
            Op::I16x8NarrowI32x4S => self.vector_binary(I32X4, |i, a, b| i.snarrow(a, b)),
            Op::I16x8NarrowI32x4U => self.vector_binary(I32X4, |i, a, b| i.unarrow(a, b)),

            Op::I16x8ExtendLowI8x16S => self.vector_unary(I8X16, LOW_S),
            Op::I16x8ExtendLowI8x16U => self.vector_unary(I8X16, LOW_U),
            Op::I16x8ExtendHighI8x16S => self.vector_unary(I8X16, HIGH_S),
            Op::I16x8ExtendHighI8x16U => self.vector_unary(I8X16, HIGH_U),
            Op::I32x4ExtendLowI16x8S => self.vector_unary(I16X8, LOW_S),
            Op::I32x4ExtendLowI16x8U => self.vector_unary(I16X8, LOW_U),
            Op::I32x4ExtendHighI16x8S => self.vector_unary(I16X8, HIGH_S),
            Op::I32x4ExtendHighI16x8U => self.vector_unary(I16X8, HIGH_U),
            Op::I64x2ExtendLowI32x4S => self.vector_unary(I32X4, LOW_S),
            Op::I64x2ExtendLowI32x4U => self.vector_unary(I32X4, LOW_U),
            Op::I64x2ExtendHighI32x4S => self.vector_unary(I32X4, HIGH_S),
            Op::I64x2ExtendHighI32x4U => self.vector_unary(I32X4, HIGH_U),

            Op::I16x8ExtMulLowI8x16S => self.extended_multiply(I8X16, LOW_S),
            Op::I16x8ExtMulLowI8x16U => self.extended_multiply(I8X16, LOW_U),
            Op::I16x8ExtMulHighI8x16S => self.extended_multiply(I8X16, HIGH_S),
            Op::I16x8ExtMulHighI8x16U => self.extended_multiply(I8X16, HIGH_U),
            Op::I32x4ExtMulLowI16x8S => self.extended_multiply(I16X8, LOW_S),
            Op::I32x4ExtMulLowI16x8U => self.extended_multiply(I16X8, LOW_U),
            Op::I32x4ExtMulHighI16x8S => self.extended_multiply(I16X8, HIGH_S),
            Op::I32x4ExtMulHighI16x8U => self.extended_multiply(I16X8, HIGH_U),
            Op::I64x2ExtMulLowI32x4S => self.extended_multiply(I32X4, LOW_S),
            Op::I64x2ExtMulLowI32x4U => self.extended_multiply(I32X4, LOW_U),
            Op::I64x2ExtMulHighI32x4S => self.extended_multiply(I32X4, HIGH_S),
            Op::I64x2ExtMulHighI32x4U => self.extended_multiply(I32X4, HIGH_U),

            Op::I16x8ExtAddPairwiseI8x16S => self.add_pairwise(I8X16, LOW_S, HIGH_S),
            Op::I16x8ExtAddPairwiseI8x16U => self.add_pairwise(I8X16, LOW_U, HIGH_U),
            Op::I32x4ExtAddPairwiseI16x8S => self.add_pairwise(I16X8, LOW_S, HIGH_S),
            Op::I32x4ExtAddPairwiseI16x8U => self.add_pairwise(I16X8, LOW_U, HIGH_U),
            Op::I32x4DotI16x8S => self.dot_product(),
            _ => return false,
        }
        true
    }

    /// Between integers and floats, and widths of floats.
    fn vector_kind(&mut self, operator: &Operator<'_>) -> bool {
        use Operator as Op;
        match operator {
            Op::I32x4TruncSatF32x4S => {
                self.vector_unary(F32X4, |i, v| i.fcvt_to_sint_sat(I32X4, v));
            }
            Op::I32x4TruncSatF32x4U => {
                self.vector_unary(F32X4, |i, v| i.fcvt_to_uint_sat(I32X4, v));
            }
            Op::I32x4TruncSatF64x2SZero => {
                self.truncate_zero(|i, v| i.fcvt_to_sint_sat(I64X2, v), |i, a, b| i.snarrow(a, b));
            }
            Op::I32x4TruncSatF64x2UZero => {
                self.truncate_zero(|i, v| i.fcvt_to_uint_sat(I64X2, v), |i, a, b| i.uunarrow(a, b));
            }
            Op::F32x4ConvertI32x4S => self.vector_unary(I32X4, |i, v| i.fcvt_from_sint(F32X4, v)),
            Op::F32x4ConvertI32x4U => self.vector_unary(I32X4, |i, v| i.fcvt_from_uint(F32X4, v)),
            Op::F64x2ConvertLowI32x4S => {
                self.vector_unary(I32X4, LOW_S);
                self.vector_unary(I64X2, |i, v| i.fcvt_from_sint(F64X2, v));
            }
            Op::F64x2ConvertLowI32x4U => {
                self.vector_unary(I32X4, LOW_U);
                self.vector_unary(I64X2, |i, v| i.fcvt_from_uint(F64X2, v));
            }
            Op::F32x4DemoteF64x2Zero => self.vector_unary(F64X2, |i, v| i.fvdemote(v)),
            Op::F64x2PromoteLowF32x4 => self.vector_unary(F32X4, |i, v| i.fvpromote_low(v)),
            _ => return false,
        }
        true
    }

    /// Multiplies one half of the lanes without losing bits.
    fn extended_multiply(&mut self, shape: Type, widen: Widen) {
        let [a, b] = self.pop_vectors(shape).map(|value| widen(self.builder.ins(), value));
        let value = self.builder.ins().imul(a, b);
        self.push_vector(value);
    }

    /// Adds neighbours without losing bits.
    fn add_pairwise(&mut self, shape: Type, low: Widen, high: Widen) {
        let value = self.pop_vector(shape);
        let low = low(self.builder.ins(), value);
        let high = high(self.builder.ins(), value);
        let value = self.builder.ins().iadd_pairwise(low, high);
        self.push_vector(value);
    }

    /// Multiplies all lanes without losing bits and adds neighbours.
    fn dot_product(&mut self) {
        let [a, b] = self.pop_vectors(I16X8);
        let [low, high] = [LOW_S, HIGH_S].map(|widen| {
            let (a, b) = (widen(self.builder.ins(), a), widen(self.builder.ins(), b));
            self.builder.ins().imul(a, b)
        });
        let value = self.builder.ins().iadd_pairwise(low, high);
        self.push_vector(value);
    }

    /// Two floats into the lower two of four integers, zeros into the upper ones. Cranelift
    /// lowers this, and no other, narrowing from 64 bits: of a conversion, together with zeros.
    fn truncate_zero(
        &mut self,
        convert: Widen,
        narrow: fn(FuncInstBuilder<'_, '_>, Value, Value) -> Value,
    ) {
        let value = self.pop_vector(F64X2);
        let value = convert(self.builder.ins(), value);
        let zero = self.builder.func.dfg.constants.insert([0; 16].as_slice().into());
        let zero = self.builder.ins().vconst(I64X2, zero);
        let value = narrow(self.builder.ins(), value, zero);
        self.push_vector(value);
    }
}
