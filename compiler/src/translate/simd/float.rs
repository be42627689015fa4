//! Float lanes: arithmetic and comparisons.

use super::Translator;
use cranelift_codegen::ir::{
    InstBuilder, Type, Value,
    condcodes::FloatCC,
    types::{F32X4, F64X2},
};
use wasmparser::Operator;

impl Translator<'_, '_> {
    pub(super) fn vector_float(&mut self, operator: &Operator<'_>) -> bool {
        use Operator as Op;
        match operator {
            Op::F32x4Add => self.vector_binary(F32X4, |i, a, b| i.fadd(a, b)),
            Op::F64x2Add => self.vector_binary(F64X2, |i, a, b| i.fadd(a, b)),
            Op::F32x4Sub => self.vector_binary(F32X4, |i, a, b| i.fsub(a, b)),
            Op::F64x2Sub => self.vector_binary(F64X2, |i, a, b| i.fsub(a, b)),
            Op::F32x4Mul => self.vector_binary(F32X4, |i, a, b| i.fmul(a, b)),
            Op::F64x2Mul => self.vector_binary(F64X2, |i, a, b| i.fmul(a, b)),
            Op::F32x4Div => self.vector_binary(F32X4, |i, a, b| i.fdiv(a, b)),
            Op::F64x2Div => self.vector_binary(F64X2, |i, a, b| i.fdiv(a, b)),
            Op::F32x4Min => self.vector_binary(F32X4, |i, a, b| i.fmin(a, b)),
            Op::F64x2Min => self.vector_binary(F64X2, |i, a, b| i.fmin(a, b)),
            Op::F32x4Max => self.vector_binary(F32X4, |i, a, b| i.fmax(a, b)),
            Op::F64x2Max => self.vector_binary(F64X2, |i, a, b| i.fmax(a, b)),

            Op::F32x4Abs => self.vector_unary(F32X4, |i, v| i.fabs(v)),
            Op::F64x2Abs => self.vector_unary(F64X2, |i, v| i.fabs(v)),
            Op::F32x4Neg => self.vector_unary(F32X4, |i, v| i.fneg(v)),
            Op::F64x2Neg => self.vector_unary(F64X2, |i, v| i.fneg(v)),
            Op::F32x4Sqrt => self.vector_unary(F32X4, |i, v| i.sqrt(v)),
            Op::F64x2Sqrt => self.vector_unary(F64X2, |i, v| i.sqrt(v)),
            Op::F32x4Ceil => self.vector_unary(F32X4, |i, v| i.ceil(v)),
            Op::F64x2Ceil => self.vector_unary(F64X2, |i, v| i.ceil(v)),
            Op::F32x4Floor => self.vector_unary(F32X4, |i, v| i.floor(v)),
            Op::F64x2Floor => self.vector_unary(F64X2, |i, v| i.floor(v)),
            Op::F32x4Trunc => self.vector_unary(F32X4, |i, v| i.trunc(v)),
            Op::F64x2Trunc => self.vector_unary(F64X2, |i, v| i.trunc(v)),
            Op::F32x4Nearest => self.vector_unary(F32X4, |i, v| i.nearest(v)),
            Op::F64x2Nearest => self.vector_unary(F64X2, |i, v| i.nearest(v)),

            Op::F32x4PMin => self.pseudo_min(F32X4),
            Op::F64x2PMin => self.pseudo_min(F64X2),
            Op::F32x4PMax => self.pseudo_max(F32X4),
            Op::F64x2PMax => self.pseudo_max(F64X2),

            Op::F32x4Eq => self.vector_fcmp(F32X4, FloatCC::Equal),
            Op::F64x2Eq => self.vector_fcmp(F64X2, FloatCC::Equal),
            Op::F32x4Ne => self.vector_fcmp(F32X4, FloatCC::NotEqual),
            Op::F64x2Ne => self.vector_fcmp(F64X2, FloatCC::NotEqual),
            Op::F32x4Lt => self.vector_fcmp(F32X4, FloatCC::LessThan),
            Op::F64x2Lt => self.vector_fcmp(F64X2, FloatCC::LessThan),
            Op::F32x4Gt => self.vector_fcmp(F32X4, FloatCC::GreaterThan),
            Op::F64x2Gt => self.vector_fcmp(F64X2, FloatCC::GreaterThan),
            Op::F32x4Le => self.vector_fcmp(F32X4, FloatCC::LessThanOrEqual),
            Op::F64x2Le => self.vector_fcmp(F64X2, FloatCC::LessThanOrEqual),
            Op::F32x4Ge => self.vector_fcmp(F32X4, FloatCC::GreaterThanOrEqual),
            Op::F64x2Ge => self.vector_fcmp(F64X2, FloatCC::GreaterThanOrEqual),
            _ => return false,
        }
        true
    }

    /// `b < a ? b : a` in each lane, and so `a` where one is a NaN.
    fn pseudo_min(&mut self, shape: Type) {
        let [a, b] = self.pop_vectors(shape);
        self.choose_if_less(b, a, b, a);
    }

    /// `a < b ? b : a` in each lane.
    fn pseudo_max(&mut self, shape: Type) {
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
    fn vector_fcmp(&mut self, shape: Type, condition: FloatCC) {
        self.vector_binary(shape, |i, a, b| i.fcmp(condition, a, b));
    }
}
