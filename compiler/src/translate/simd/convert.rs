//! Lanes of one width or kind into lanes of another.

use super::Translator;
use cranelift_codegen::ir::{
    InstBuilder, Type, Value,
    types::{F64X2, I16X8, I64X2},
};
use cranelift_frontend::FuncInstBuilder;

/// Widens one half of a vector's lanes to twice their width.
pub(super) type Widen = fn(FuncInstBuilder<'_, '_>, Value) -> Value;

pub(super) const LOW_S: Widen = |i, v| i.swiden_low(v);
pub(super) const LOW_U: Widen = |i, v| i.uwiden_low(v);
pub(super) const HIGH_S: Widen = |i, v| i.swiden_high(v);
pub(super) const HIGH_U: Widen = |i, v| i.uwiden_high(v);

impl Translator<'_, '_> {
    /// Multiplies one half of the lanes without losing bits.
    pub(super) fn extended_multiply(&mut self, shape: Type, widen: Widen) {
        let [a, b] = self.pop_vectors(shape).map(|value| widen(self.builder.ins(), value));
        let value = self.builder.ins().imul(a, b);
        self.push_vector(value);
    }

    /// Adds neighbours without losing bits.
    pub(super) fn add_pairwise(&mut self, shape: Type, low: Widen, high: Widen) {
        let value = self.pop_vector(shape);
        let low = low(self.builder.ins(), value);
        let high = high(self.builder.ins(), value);
        let value = self.builder.ins().iadd_pairwise(low, high);
        self.push_vector(value);
    }

    /// Multiplies all lanes without losing bits and adds neighbours.
    pub(super) fn dot_product(&mut self) {
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
    pub(super) fn truncate_zero(
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
