//! Lanes: splat, extract, replace, and their order.

use super::Translator;
use cranelift_codegen::ir::{
    InstBuilder, Type, Value,
    types::{F32X4, F64X2, I8X16, I16X8, I32, I32X4, I64X2},
};
use wasmparser::Operator;

impl Translator<'_, '_> {
    pub(super) fn vector_lane(&mut self, operator: &Operator<'_>) -> bool {
        use Operator as Op;
        match *operator {
            Op::I8x16Splat => self.splat(I8X16),
            Op::I16x8Splat => self.splat(I16X8),
            Op::I32x4Splat => self.splat(I32X4),
            Op::I64x2Splat => self.splat(I64X2),
            Op::F32x4Splat => self.splat(F32X4),
            Op::F64x2Splat => self.splat(F64X2),

            Op::I8x16ExtractLaneS { lane } => self.extract_narrow(I8X16, lane, true),
            Op::I8x16ExtractLaneU { lane } => self.extract_narrow(I8X16, lane, false),
            Op::I16x8ExtractLaneS { lane } => self.extract_narrow(I16X8, lane, true),
            Op::I16x8ExtractLaneU { lane } => self.extract_narrow(I16X8, lane, false),
            Op::I32x4ExtractLane { lane } => self.extract(I32X4, lane),
            Op::I64x2ExtractLane { lane } => self.extract(I64X2, lane),
            Op::F32x4ExtractLane { lane } => self.extract(F32X4, lane),
            Op::F64x2ExtractLane { lane } => self.extract(F64X2, lane),

            Op::I8x16ReplaceLane { lane } => self.replace(I8X16, lane),
            Op::I16x8ReplaceLane { lane } => self.replace(I16X8, lane),
            Op::I32x4ReplaceLane { lane } => self.replace(I32X4, lane),
            Op::I64x2ReplaceLane { lane } => self.replace(I64X2, lane),
            Op::F32x4ReplaceLane { lane } => self.replace(F32X4, lane),
            Op::F64x2ReplaceLane { lane } => self.replace(F64X2, lane),

            Op::I8x16Swizzle => self.vector_binary(I8X16, |i, a, b| i.swizzle(a, b)),
            Op::I8x16Shuffle { lanes } => {
                let [a, b] = self.pop_vectors(I8X16);
                let lanes = self.builder.func.dfg.immediates.push(lanes.as_slice().into());
                let value = self.builder.ins().shuffle(a, b, lanes);
                self.push_vector(value);
            }
            _ => return false,
        }
        true
    }

    /// Pops a scalar for a lane of `shape`; narrow lanes come as an i32.
    fn pop_lane(&mut self, shape: Type) -> Value {
        let value = self.pop();
        let lane = shape.lane_type();
        if self.builder.func.dfg.value_type(value) == lane {
            return value;
        }
        self.builder.ins().ireduce(lane, value)
    }

    fn splat(&mut self, shape: Type) {
        let value = self.pop_lane(shape);
        let value = self.builder.ins().splat(shape, value);
        self.push_vector(value);
    }

    fn extract(&mut self, shape: Type, lane: u8) {
        let vector = self.pop_vector(shape);
        let value = self.builder.ins().extractlane(vector, lane);
        self.push(value);
    }

    /// Extracts a lane that is narrower than an i32.
    fn extract_narrow(&mut self, shape: Type, lane: u8, signed: bool) {
        let vector = self.pop_vector(shape);
        let value = self.builder.ins().extractlane(vector, lane);
        let value = match signed {
            true => self.builder.ins().sextend(I32, value),
            false => self.builder.ins().uextend(I32, value),
        };
        self.push(value);
    }

    fn replace(&mut self, shape: Type, lane: u8) {
        let value = self.pop_lane(shape);
        let vector = self.pop_vector(shape);
        let value = self.builder.ins().insertlane(vector, value, lane);
        self.push_vector(value);
    }
}
