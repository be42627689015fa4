//! Integers and floats.
//!
//! Cranelift's operations have the semantics of WebAssembly's; NaNs are made canonical by the
//! code generator (`enable_nan_canonicalization`).

use super::Translator;
use cranelift_codegen::ir::{
    InstBuilder, MemFlagsData, Type, Value,
    condcodes::{FloatCC, IntCC},
    types::I32,
};

impl Translator<'_, '_> {
    pub(super) fn unary<'s>(
        &'s mut self,
        emit: impl FnOnce(cranelift_frontend::FuncInstBuilder<'s, '_>, Value) -> Value,
    ) {
        let value = self.pop();
        let value = emit(self.builder.ins(), value);
        self.stack.push(value);
    }

    pub(super) fn binary<'s>(
        &'s mut self,
        emit: impl FnOnce(cranelift_frontend::FuncInstBuilder<'s, '_>, Value, Value) -> Value,
    ) {
        let [a, b] = self.pop_n();
        let value = emit(self.builder.ins(), a, b);
        self.stack.push(value);
    }

    pub(super) fn icmp(&mut self, condition: IntCC) {
        let [a, b] = self.pop_n();
        let value = self.builder.ins().icmp(condition, a, b);
        let value = self.builder.ins().uextend(I32, value);
        self.push(value);
    }

    pub(super) fn fcmp(&mut self, condition: FloatCC) {
        let [a, b] = self.pop_n();
        let value = self.builder.ins().fcmp(condition, a, b);
        let value = self.builder.ins().uextend(I32, value);
        self.push(value);
    }

    pub(super) fn sign_extend(&mut self, from: Type, to: Type) {
        let value = self.pop();
        let value = self.builder.ins().ireduce(from, value);
        let value = self.builder.ins().sextend(to, value);
        self.push(value);
    }

    pub(super) fn reinterpret(&mut self, ty: Type) {
        let value = self.pop();
        let value = self.builder.ins().bitcast(ty, MemFlagsData::new(), value);
        self.push(value);
    }
}
