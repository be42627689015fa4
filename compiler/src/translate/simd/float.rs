//! Float lanes: arithmetic and comparisons.

use super::Translator;
use cranelift_codegen::ir::{InstBuilder, Type, Value, condcodes::FloatCC};

impl Translator<'_, '_> {
    /// `b < a ? b : a` in each lane, and so `a` where one is a NaN.
    pub(super) fn pseudo_min(&mut self, shape: Type) {
        let [a, b] = self.pop_vectors(shape);
        self.choose_if_less(b, a, b, a);
    }

    /// `a < b ? b : a` in each lane.
    pub(super) fn pseudo_max(&mut self, shape: Type) {
        let [a, b] = self.pop_vectors(shape);
        self.choose_if_less(a, b, b, a);
    }

    /// `x < y ? then : otherwise` in each lane.
    fn choose_if_less(&mut self, x: Value, y: Value, then: Value, otherwise: Value) {
        let shape = self.builder.func.dfg.value_type(x);
        let less = self.builder.ins().fcmp(FloatCC::LessThan, x, y);
        let less = self.cast(less, shape);
        let value = self.builder.ins().bitselect(less, then, otherwise);
        self.push_vector(value);
    }

    /// Compares lane by lane; a lane of the result is all ones or all zeros.
    pub(super) fn vector_fcmp(&mut self, shape: Type, condition: FloatCC) {
        self.vector_binary(shape, |i, a, b| i.fcmp(condition, a, b));
    }
}
