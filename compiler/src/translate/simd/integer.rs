//! Integer lanes: arithmetic, shifts, comparisons.

use super::Translator;
use cranelift_codegen::ir::{
    InstBuilder, Type, Value,
    condcodes::IntCC,
    types::{I8X16, I16X8, I32, I32X4, I64X2},
};
use cranelift_frontend::FuncInstBuilder;
use wasmparser::Operator;

impl Translator<'_, '_> {
    pub(super) fn vector_integer(&mut self, operator: &Operator<'_>) -> bool {
        self.vector_arithmetic(operator)
            || self.vector_shift_or_test(operator)
            || self.vector_comparison(operator)
    }

    fn vector_arithmetic(&mut self, operator: &Operator<'_>) -> bool {
        use Operator as Op;
        match operator {
            Op::I8x16Add => self.vector_binary(I8X16, |i, a, b| i.iadd(a, b)),
            Op::I16x8Add => self.vector_binary(I16X8, |i, a, b| i.iadd(a, b)),
            Op::I32x4Add => self.vector_binary(I32X4, |i, a, b| i.iadd(a, b)),
            Op::I64x2Add => self.vector_binary(I64X2, |i, a, b| i.iadd(a, b)),
            Op::I8x16Sub => self.vector_binary(I8X16, |i, a, b| i.isub(a, b)),
            Op::I16x8Sub => self.vector_binary(I16X8, |i, a, b| i.isub(a, b)),
            Op::I32x4Sub => self.vector_binary(I32X4, |i, a, b| i.isub(a, b)),
            Op::I64x2Sub => self.vector_binary(I64X2, |i, a, b| i.isub(a, b)),
            Op::I16x8Mul => self.vector_binary(I16X8, |i, a, b| i.imul(a, b)),
            Op::I32x4Mul => self.vector_binary(I32X4, |i, a, b| i.imul(a, b)),
            Op::I64x2Mul => self.vector_binary(I64X2, |i, a, b| i.imul(a, b)),
            Op::I8x16Neg => self.vector_unary(I8X16, |i, v| i.ineg(v)),
            Op::I16x8Neg => self.vector_unary(I16X8, |i, v| i.ineg(v)),
            Op::I32x4Neg => self.vector_unary(I32X4, |i, v| i.ineg(v)),
            Op::I64x2Neg => self.vector_unary(I64X2, |i, v| i.ineg(v)),
            Op::I8x16Abs => self.vector_unary(I8X16, |i, v| i.iabs(v)),
            Op::I16x8Abs => self.vector_unary(I16X8, |i, v| i.iabs(v)),
            Op::I32x4Abs => self.vector_unary(I32X4, |i, v| i.iabs(v)),
            Op::I64x2Abs => self.vector_unary(I64X2, |i, v| i.iabs(v)),
            Op::I8x16Popcnt => self.vector_unary(I8X16, |i, v| i.popcnt(v)),
            Op::I8x16AddSatS => self.vector_binary(I8X16, |i, a, b| i.sadd_sat(a, b)),
            Op::I16x8AddSatS => self.vector_binary(I16X8, |i, a, b| i.sadd_sat(a, b)),
            Op::I8x16AddSatU => self.vector_binary(I8X16, |i, a, b| i.uadd_sat(a, b)),
            Op::I16x8AddSatU => self.vector_binary(I16X8, |i, a, b| i.uadd_sat(a, b)),
            Op::I8x16SubSatS => self.vector_binary(I8X16, |i, a, b| i.ssub_sat(a, b)),
            Op::I16x8SubSatS => self.vector_binary(I16X8, |i, a, b| i.ssub_sat(a, b)),
            Op::I8x16SubSatU => self.vector_binary(I8X16, |i, a, b| i.usub_sat(a, b)),
            Op::I16x8SubSatU => self.vector_binary(I16X8, |i, a, b| i.usub_sat(a, b)),
            Op::I8x16MinS => self.vector_binary(I8X16, |i, a, b| i.smin(a, b)),
            Op::I16x8MinS => self.vector_binary(I16X8, |i, a, b| i.smin(a, b)),
            Op::I32x4MinS => self.vector_binary(I32X4, |i, a, b| i.smin(a, b)),
            Op::I8x16MinU => self.vector_binary(I8X16, |i, a, b| i.umin(a, b)),
            Op::I16x8MinU => self.vector_binary(I16X8, |i, a, b| i.umin(a, b)),
            Op::I32x4MinU => self.vector_binary(I32X4, |i, a, b| i.umin(a, b)),
            Op::I8x16MaxS => self.vector_binary(I8X16, |i, a, b| i.smax(a, b)),
            Op::I16x8MaxS => self.vector_binary(I16X8, |i, a, b| i.smax(a, b)),
            Op::I32x4MaxS => self.vector_binary(I32X4, |i, a, b| i.smax(a, b)),
            Op::I8x16MaxU => self.vector_binary(I8X16, |i, a, b| i.umax(a, b)),
            Op::I16x8MaxU => self.vector_binary(I16X8, |i, a, b| i.umax(a, b)),
            Op::I32x4MaxU => self.vector_binary(I32X4, |i, a, b| i.umax(a, b)),
            Op::I8x16AvgrU => self.vector_binary(I8X16, |i, a, b| i.avg_round(a, b)),
            Op::I16x8AvgrU => self.vector_binary(I16X8, |i, a, b| i.avg_round(a, b)),
            Op::I16x8Q15MulrSatS => self.vector_binary(I16X8, |i, a, b| i.sqmul_round_sat(a, b)),
            _ => return false,
        }
        true
    }

    fn vector_shift_or_test(&mut self, operator: &Operator<'_>) -> bool {
        use Operator as Op;
        match operator {
            Op::I8x16Shl => self.vector_shift(I8X16, |i, v, by| i.ishl(v, by)),
            Op::I16x8Shl => self.vector_shift(I16X8, |i, v, by| i.ishl(v, by)),
            Op::I32x4Shl => self.vector_shift(I32X4, |i, v, by| i.ishl(v, by)),
            Op::I64x2Shl => self.vector_shift(I64X2, |i, v, by| i.ishl(v, by)),
            Op::I8x16ShrS => self.vector_shift(I8X16, |i, v, by| i.sshr(v, by)),
            Op::I16x8ShrS => self.vector_shift(I16X8, |i, v, by| i.sshr(v, by)),
            Op::I32x4ShrS => self.vector_shift(I32X4, |i, v, by| i.sshr(v, by)),
            Op::I64x2ShrS => self.vector_shift(I64X2, |i, v, by| i.sshr(v, by)),
            Op::I8x16ShrU => self.vector_shift(I8X16, |i, v, by| i.ushr(v, by)),
            Op::I16x8ShrU => self.vector_shift(I16X8, |i, v, by| i.ushr(v, by)),
            Op::I32x4ShrU => self.vector_shift(I32X4, |i, v, by| i.ushr(v, by)),
            Op::I64x2ShrU => self.vector_shift(I64X2, |i, v, by| i.ushr(v, by)),

            Op::I8x16AllTrue => self.vector_test(I8X16, |i, v| i.vall_true(v)),
            Op::I16x8AllTrue => self.vector_test(I16X8, |i, v| i.vall_true(v)),
            Op::I32x4AllTrue => self.vector_test(I32X4, |i, v| i.vall_true(v)),
            Op::I64x2AllTrue => self.vector_test(I64X2, |i, v| i.vall_true(v)),
            Op::I8x16Bitmask => self.vector_bitmask(I8X16),
            Op::I16x8Bitmask => self.vector_bitmask(I16X8),
            Op::I32x4Bitmask => self.vector_bitmask(I32X4),
            Op::I64x2Bitmask => self.vector_bitmask(I64X2),
            _ => return false,
        }
        true
    }

    fn vector_comparison(&mut self, operator: &Operator<'_>) -> bool {
        use Operator as Op;
        match operator {
            Op::I8x16Eq => self.vector_icmp(I8X16, IntCC::Equal),
            Op::I16x8Eq => self.vector_icmp(I16X8, IntCC::Equal),
            Op::I32x4Eq => self.vector_icmp(I32X4, IntCC::Equal),
            Op::I64x2Eq => self.vector_icmp(I64X2, IntCC::Equal),
            Op::I8x16Ne => self.vector_icmp(I8X16, IntCC::NotEqual),
            Op::I16x8Ne => self.vector_icmp(I16X8, IntCC::NotEqual),
            Op::I32x4Ne => self.vector_icmp(I32X4, IntCC::NotEqual),
            Op::I64x2Ne => self.vector_icmp(I64X2, IntCC::NotEqual),
            Op::I8x16LtS => self.vector_icmp(I8X16, IntCC::SignedLessThan),
            Op::I16x8LtS => self.vector_icmp(I16X8, IntCC::SignedLessThan),
            Op::I32x4LtS => self.vector_icmp(I32X4, IntCC::SignedLessThan),
            Op::I64x2LtS => self.vector_icmp(I64X2, IntCC::SignedLessThan),
            Op::I8x16LtU => self.vector_icmp(I8X16, IntCC::UnsignedLessThan),
            Op::I16x8LtU => self.vector_icmp(I16X8, IntCC::UnsignedLessThan),
            Op::I32x4LtU => self.vector_icmp(I32X4, IntCC::UnsignedLessThan),
            Op::I8x16GtS => self.vector_icmp(I8X16, IntCC::SignedGreaterThan),
            Op::I16x8GtS => self.vector_icmp(I16X8, IntCC::SignedGreaterThan),
            Op::I32x4GtS => self.vector_icmp(I32X4, IntCC::SignedGreaterThan),
            Op::I64x2GtS => self.vector_icmp(I64X2, IntCC::SignedGreaterThan),
            Op::I8x16GtU => self.vector_icmp(I8X16, IntCC::UnsignedGreaterThan),
            Op::I16x8GtU => self.vector_icmp(I16X8, IntCC::UnsignedGreaterThan),
            Op::I32x4GtU => self.vector_icmp(I32X4, IntCC::UnsignedGreaterThan),
            Op::I8x16LeS => self.vector_icmp(I8X16, IntCC::SignedLessThanOrEqual),
            Op::I16x8LeS => self.vector_icmp(I16X8, IntCC::SignedLessThanOrEqual),
            Op::I32x4LeS => self.vector_icmp(I32X4, IntCC::SignedLessThanOrEqual),
            Op::I64x2LeS => self.vector_icmp(I64X2, IntCC::SignedLessThanOrEqual),
            Op::I8x16LeU => self.vector_icmp(I8X16, IntCC::UnsignedLessThanOrEqual),
            Op::I16x8LeU => self.vector_icmp(I16X8, IntCC::UnsignedLessThanOrEqual),
            Op::I32x4LeU => self.vector_icmp(I32X4, IntCC::UnsignedLessThanOrEqual),
            Op::I8x16GeS => self.vector_icmp(I8X16, IntCC::SignedGreaterThanOrEqual),
            Op::I16x8GeS => self.vector_icmp(I16X8, IntCC::SignedGreaterThanOrEqual),
            Op::I32x4GeS => self.vector_icmp(I32X4, IntCC::SignedGreaterThanOrEqual),
            Op::I64x2GeS => self.vector_icmp(I64X2, IntCC::SignedGreaterThanOrEqual),
            Op::I8x16GeU => self.vector_icmp(I8X16, IntCC::UnsignedGreaterThanOrEqual),
            Op::I16x8GeU => self.vector_icmp(I16X8, IntCC::UnsignedGreaterThanOrEqual),
            Op::I32x4GeU => self.vector_icmp(I32X4, IntCC::UnsignedGreaterThanOrEqual),
            _ => return false,
        }
        true
    }

    /// Shifts all lanes by the same amount, which counts modulo their width.
    fn vector_shift(
        &mut self,
        shape: Type,
        emit: impl FnOnce(FuncInstBuilder<'_, '_>, Value, Value) -> Value,
    ) {
        let by = self.pop();
        let value = self.pop_vector(shape);
        let value = emit(self.builder.ins(), value, by);
        self.push_vector(value);
    }

    /// Pushes the lanes' highest bits, the first lane's as the lowest.
    fn vector_bitmask(&mut self, shape: Type) {
        let value = self.pop_vector(shape);
        let bits = self.builder.ins().vhigh_bits(I32, value);
        self.push(bits);
    }

    /// Compares lane by lane; a lane of the result is all ones or all zeros.
    fn vector_icmp(&mut self, shape: Type, condition: IntCC) {
        self.vector_binary(shape, |i, a, b| i.icmp(condition, a, b));
    }
}
