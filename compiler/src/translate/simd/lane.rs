//! Lanes: splat, extract, replace, and their order.

use super::Translator;
use cranelift_codegen::ir::{
    InstBuilder, Type, Value,
    types::{I8X16, I32},
};

impl Translator<'_, '_> {
    /// Pops a scalar for a lane of `shape`; narrow lanes come as an i32.
    fn pop_lane(&mut self, shape: Type) -> Value {
        let value = self.pop();
        let lane = shape.lane_type();
        if self.builder.func.dfg.value_type(value) == lane {
            return value;
        }
        self.builder.ins().ireduce(lane, value)
    }

    pub(super) fn splat(&mut self, shape: Type) {
        let value = self.pop_lane(shape);
        let value = self.builder.ins().splat(shape, value);
        self.push_vector(value);
    }

    pub(super) fn extract(&mut self, shape: Type, lane: u8) {
        let vector = self.pop_vector(shape);
        let value = self.builder.ins().extractlane(vector, lane);
        self.push(value);
    }

    /// Extracts a lane that is narrower than an i32.
    pub(super) fn extract_narrow(&mut self, shape: Type, lane: u8, signed: bool) {
        let vector = self.pop_vector(shape);
        let value = self.builder.ins().extractlane(vector, lane);
        let value = match signed {
            true => self.builder.ins().sextend(I32, value),
            false => self.builder.ins().uextend(I32, value),
        };
        self.push(value);
    }

    pub(super) fn replace(&mut self, shape: Type, lane: u8) {
        let value = self.pop_lane(shape);
        let vector = self.pop_vector(shape);
        let value = self.builder.ins().insertlane(vector, value, lane);
        self.push_vector(value);
    }

    pub(super) fn shuffle(&mut self, lanes: [u8; 16]) {
        let [a, b] = self.pop_vectors(I8X16);
        let lanes = self.builder.func.dfg.immediates.push(lanes.as_slice().into());
        let value = self.builder.ins().shuffle(a, b, lanes);
        self.push_vector(value);
    }
}
