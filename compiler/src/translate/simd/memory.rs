//! Loads and stores of vectors and of their lanes. Addresses come from the sandbox in
//! `translate/memory.rs`, as all do.

use super::Translator;
use cranelift_codegen::ir::{
    InstBuilder, MemFlagsData, Type, Value,
    types::{F32X4, F64X2, I8X16, I16X8, I32X4, I64X2},
};
use cranelift_frontend::FuncInstBuilder;
use wasmparser::{MemArg, Operator};

impl Translator<'_, '_> {
    pub(super) fn vector_memory(&mut self, operator: &Operator<'_>) -> bool {
        use Operator as Op;
        match *operator {
            Op::V128Load { memarg } => {
                let value = self.load_value(memarg, I8X16);
                self.push(value);
            }
            Op::V128Store { memarg } => {
                let value = self.pop();
                self.store_value(memarg, value);
            }
            Op::V128Load8x8S { memarg } => {
                self.load_widen(memarg, |i, f, a, o| i.sload8x8(f, a, o));
            }
            Op::V128Load8x8U { memarg } => {
                self.load_widen(memarg, |i, f, a, o| i.uload8x8(f, a, o));
            }
            Op::V128Load16x4S { memarg } => {
                self.load_widen(memarg, |i, f, a, o| i.sload16x4(f, a, o));
            }
            Op::V128Load16x4U { memarg } => {
                self.load_widen(memarg, |i, f, a, o| i.uload16x4(f, a, o));
            }
            Op::V128Load32x2S { memarg } => {
                self.load_widen(memarg, |i, f, a, o| i.sload32x2(f, a, o));
            }
            Op::V128Load32x2U { memarg } => {
                self.load_widen(memarg, |i, f, a, o| i.uload32x2(f, a, o));
            }
            Op::V128Load8Splat { memarg } => self.load_splat(memarg, I8X16),
            Op::V128Load16Splat { memarg } => self.load_splat(memarg, I16X8),
            Op::V128Load32Splat { memarg } => self.load_splat(memarg, I32X4),
            Op::V128Load64Splat { memarg } => self.load_splat(memarg, I64X2),
            Op::V128Load32Zero { memarg } => self.load_zero(memarg, F32X4),
            Op::V128Load64Zero { memarg } => self.load_zero(memarg, F64X2),
            Op::V128Load8Lane { memarg, lane } => self.load_lane(memarg, I8X16, lane),
            Op::V128Load16Lane { memarg, lane } => self.load_lane(memarg, I16X8, lane),
            Op::V128Load32Lane { memarg, lane } => self.load_lane(memarg, I32X4, lane),
            Op::V128Load64Lane { memarg, lane } => self.load_lane(memarg, I64X2, lane),
            Op::V128Store8Lane { memarg, lane } => self.store_lane(memarg, I8X16, lane),
            Op::V128Store16Lane { memarg, lane } => self.store_lane(memarg, I16X8, lane),
            Op::V128Store32Lane { memarg, lane } => self.store_lane(memarg, I32X4, lane),
            Op::V128Store64Lane { memarg, lane } => self.store_lane(memarg, I64X2, lane),
            _ => return false,
        }
        true
    }

    /// Loads eight bytes and widens the lanes in them to twice their size.
    fn load_widen(
        &mut self,
        memarg: MemArg,
        emit: impl FnOnce(FuncInstBuilder<'_, '_>, MemFlagsData, Value, i32) -> Value,
    ) {
        let index = self.pop();
        let (address, offset) = self.address(memarg, index, 8);
        let flags = self.memory_flags();
        let value = emit(self.builder.ins(), flags, address, offset);
        self.push_vector(value);
    }

    fn load_splat(&mut self, memarg: MemArg, shape: Type) {
        let value = self.load_value(memarg, shape.lane_type());
        let value = self.builder.ins().splat(shape, value);
        self.push_vector(value);
    }

    fn load_zero(&mut self, memarg: MemArg, shape: Type) {
        let value = self.load_value(memarg, shape.lane_type());
        let value = self.builder.ins().scalar_to_vector(shape, value);
        self.push_vector(value);
    }

    fn load_lane(&mut self, memarg: MemArg, shape: Type, lane: u8) {
        let vector = self.pop_vector(shape);
        let value = self.load_value(memarg, shape.lane_type());
        let value = self.builder.ins().insertlane(vector, value, lane);
        self.push_vector(value);
    }

    fn store_lane(&mut self, memarg: MemArg, shape: Type, lane: u8) {
        let vector = self.pop_vector(shape);
        let value = self.builder.ins().extractlane(vector, lane);
        self.store_value(memarg, value);
    }
}
