//! Integer lanes: arithmetic, shifts, comparisons.

use super::Translator;
use cranelift_codegen::ir::{InstBuilder, Type, Value, condcodes::IntCC, types::I32};
use cranelift_frontend::FuncInstBuilder;

impl Translator<'_, '_> {
    /// Shifts all lanes by the same amount, which counts modulo their width.
    pub(super) fn vector_shift(
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
    pub(super) fn vector_bitmask(&mut self, shape: Type) {
        let value = self.pop_vector(shape);
        let bits = self.builder.ins().vhigh_bits(I32, value);
        self.push(bits);
    }

    /// Compares lane by lane; a lane of the result is all ones or all zeros.
    pub(super) fn vector_icmp(&mut self, shape: Type, condition: IntCC) {
        self.vector_binary(shape, |i, a, b| i.icmp(condition, a, b));
    }
}
