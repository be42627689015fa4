//! 128-bit vectors.
//!
//! WebAssembly has one vector type, CLIF one for each shape. A vector on the operand stack, in a
//! local, a block parameter or a signature is an `i8x16` always; an operator casts it to the
//! shape it works on and its result back, which costs no instruction. The families below decide
//! only shape and instruction.
//!
//! NaNs are made canonical by the code generator, as they are for scalars: where an operator
//! only moves or compares lanes (`pmin`, `bitselect`), or changes signs, it keeps them.

mod convert;
mod float;
mod integer;
mod lane;
mod memory;
mod operator;

use super::Translator;
use cranelift_codegen::ir::{
    Endianness, InstBuilder, MemFlagsData, Type, Value,
    types::{I8X16, I32},
};
use cranelift_frontend::FuncInstBuilder;

impl Translator<'_, '_> {
    /// An `i8x16` of these bytes.
    pub(super) fn vector_constant(&mut self, bytes: [u8; 16]) -> Value {
        let constant = self.builder.func.dfg.constants.insert(bytes.as_slice().into());
        self.builder.ins().vconst(I8X16, constant)
    }

    /// The same bits as another shape.
    fn cast(&mut self, value: Value, shape: Type) -> Value {
        if self.builder.func.dfg.value_type(value) == shape {
            return value;
        }
        let flags = MemFlagsData::new().with_endianness(Endianness::Little);
        self.builder.ins().bitcast(shape, flags, value)
    }

    fn pop_vector(&mut self, shape: Type) -> Value {
        let value = self.pop();
        self.cast(value, shape)
    }

    fn pop_vectors(&mut self, shape: Type) -> [Value; 2] {
        self.pop_n().map(|value| self.cast(value, shape))
    }

    fn push_vector(&mut self, value: Value) {
        let value = self.cast(value, I8X16);
        self.push(value);
    }

    fn vector_unary(
        &mut self,
        shape: Type,
        emit: impl FnOnce(FuncInstBuilder<'_, '_>, Value) -> Value,
    ) {
        let value = self.pop_vector(shape);
        let value = emit(self.builder.ins(), value);
        self.push_vector(value);
    }

    fn vector_binary(
        &mut self,
        shape: Type,
        emit: impl FnOnce(FuncInstBuilder<'_, '_>, Value, Value) -> Value,
    ) {
        let [a, b] = self.pop_vectors(shape);
        let value = emit(self.builder.ins(), a, b);
        self.push_vector(value);
    }

    /// Pushes whether a vector passes a test, as an i32.
    fn vector_test(
        &mut self,
        shape: Type,
        emit: impl FnOnce(FuncInstBuilder<'_, '_>, Value) -> Value,
    ) {
        let value = self.pop_vector(shape);
        let passes = emit(self.builder.ins(), value);
        let passes = self.builder.ins().uextend(I32, passes);
        self.push(passes);
    }
}
