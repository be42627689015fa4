//! Loads and stores of vectors and of their lanes. Addresses come from the sandbox in
//! `translate/memory.rs`, as all do.

use super::Translator;
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Type, Value};
use cranelift_frontend::FuncInstBuilder;
use wasmparser::MemArg;

impl Translator<'_, '_> {
    /// Loads eight bytes and widens the lanes in them to twice their size.
    pub(super) fn load_widen(
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

    pub(super) fn load_splat(&mut self, memarg: MemArg, shape: Type) {
        let value = self.load_value(memarg, shape.lane_type());
        let value = self.builder.ins().splat(shape, value);
        self.push_vector(value);
    }

    pub(super) fn load_zero(&mut self, memarg: MemArg, shape: Type) {
        let value = self.load_value(memarg, shape.lane_type());
        let value = self.builder.ins().scalar_to_vector(shape, value);
        self.push_vector(value);
    }

    pub(super) fn load_lane(&mut self, memarg: MemArg, shape: Type, lane: u8) {
        let vector = self.pop_vector(shape);
        let value = self.load_value(memarg, shape.lane_type());
        let value = self.builder.ins().insertlane(vector, value, lane);
        self.push_vector(value);
    }

    pub(super) fn store_lane(&mut self, memarg: MemArg, shape: Type, lane: u8) {
        let vector = self.pop_vector(shape);
        let value = self.builder.ins().extractlane(vector, lane);
        self.store_value(memarg, value);
    }
}
