//! Integers and floats.
//!
//! Cranelift's operations have the semantics of WebAssembly's; NaNs are made canonical by the
//! code generator (`enable_nan_canonicalization`).

use super::Translator;
use cranelift_codegen::ir::{
    InstBuilder, MemFlagsData, Type, Value,
    condcodes::{FloatCC, IntCC},
    types::{F32, F64, I8, I16, I32, I64},
};
use wasmparser::Operator;

impl Translator<'_, '_> {
    /// Translates the operators that compute; false when it is none of them.
    pub(super) fn numeric_operator(&mut self, operator: &Operator<'_>) -> bool {
        use Operator as Op;
        match *operator {
            Op::I32Const { value } => {
                let value = self.builder.ins().iconst(I32, i64::from(value as u32));
                self.push(value);
            }
            Op::I64Const { value } => {
                let value = self.builder.ins().iconst(I64, value);
                self.push(value);
            }
            Op::F32Const { value } => {
                let value = self.builder.ins().f32const(f32::from_bits(value.bits()));
                self.push(value);
            }
            Op::F64Const { value } => {
                let value = self.builder.ins().f64const(f64::from_bits(value.bits()));
                self.push(value);
            }
            _ => return self.comparison(operator) || self.arithmetic(operator),
        }
        true
    }

    fn comparison(&mut self, operator: &Operator<'_>) -> bool {
        use Operator as Op;
        match operator {
            Op::I32Eqz | Op::I64Eqz => {
                let value = self.pop();
                self.is_zero(value);
            }
            Op::I32Eq | Op::I64Eq => self.icmp(IntCC::Equal),
            Op::I32Ne | Op::I64Ne => self.icmp(IntCC::NotEqual),
            Op::I32LtS | Op::I64LtS => self.icmp(IntCC::SignedLessThan),
            Op::I32LtU | Op::I64LtU => self.icmp(IntCC::UnsignedLessThan),
            Op::I32GtS | Op::I64GtS => self.icmp(IntCC::SignedGreaterThan),
            Op::I32GtU | Op::I64GtU => self.icmp(IntCC::UnsignedGreaterThan),
            Op::I32LeS | Op::I64LeS => self.icmp(IntCC::SignedLessThanOrEqual),
            Op::I32LeU | Op::I64LeU => self.icmp(IntCC::UnsignedLessThanOrEqual),
            Op::I32GeS | Op::I64GeS => self.icmp(IntCC::SignedGreaterThanOrEqual),
            Op::I32GeU | Op::I64GeU => self.icmp(IntCC::UnsignedGreaterThanOrEqual),
            Op::F32Eq | Op::F64Eq => self.fcmp(FloatCC::Equal),
            Op::F32Ne | Op::F64Ne => self.fcmp(FloatCC::NotEqual),
            Op::F32Lt | Op::F64Lt => self.fcmp(FloatCC::LessThan),
            Op::F32Gt | Op::F64Gt => self.fcmp(FloatCC::GreaterThan),
            Op::F32Le | Op::F64Le => self.fcmp(FloatCC::LessThanOrEqual),
            Op::F32Ge | Op::F64Ge => self.fcmp(FloatCC::GreaterThanOrEqual),
            _ => return false,
        }
        true
    }

    /// Arithmetic and conversions: one operator, one or two instructions.
    fn arithmetic(&mut self, operator: &Operator<'_>) -> bool {
        use Operator as Op;
        match operator {
            Op::I32Clz | Op::I64Clz => self.unary(|i, v| i.clz(v)),
            Op::I32Ctz | Op::I64Ctz => self.unary(|i, v| i.ctz(v)),
            Op::I32Popcnt | Op::I64Popcnt => self.unary(|i, v| i.popcnt(v)),
            Op::I32Add | Op::I64Add => self.binary(|i, a, b| i.iadd(a, b)),
            Op::I32Sub | Op::I64Sub => self.binary(|i, a, b| i.isub(a, b)),
            Op::I32Mul | Op::I64Mul => self.binary(|i, a, b| i.imul(a, b)),
            Op::I32DivS | Op::I64DivS => self.binary(|i, a, b| i.sdiv(a, b)),
            Op::I32DivU | Op::I64DivU => self.binary(|i, a, b| i.udiv(a, b)),
            Op::I32RemS | Op::I64RemS => self.binary(|i, a, b| i.srem(a, b)),
            Op::I32RemU | Op::I64RemU => self.binary(|i, a, b| i.urem(a, b)),
            Op::I32And | Op::I64And => self.binary(|i, a, b| i.band(a, b)),
            Op::I32Or | Op::I64Or => self.binary(|i, a, b| i.bor(a, b)),
            Op::I32Xor | Op::I64Xor => self.binary(|i, a, b| i.bxor(a, b)),
            Op::I32Shl | Op::I64Shl => self.binary(|i, a, b| i.ishl(a, b)),
            Op::I32ShrS | Op::I64ShrS => self.binary(|i, a, b| i.sshr(a, b)),
            Op::I32ShrU | Op::I64ShrU => self.binary(|i, a, b| i.ushr(a, b)),
            Op::I32Rotl | Op::I64Rotl => self.binary(|i, a, b| i.rotl(a, b)),
            Op::I32Rotr | Op::I64Rotr => self.binary(|i, a, b| i.rotr(a, b)),

            Op::F32Abs | Op::F64Abs => self.unary(|i, v| i.fabs(v)),
            Op::F32Neg | Op::F64Neg => self.unary(|i, v| i.fneg(v)),
            Op::F32Ceil | Op::F64Ceil => self.unary(|i, v| i.ceil(v)),
            Op::F32Floor | Op::F64Floor => self.unary(|i, v| i.floor(v)),
            Op::F32Trunc | Op::F64Trunc => self.unary(|i, v| i.trunc(v)),
            Op::F32Nearest | Op::F64Nearest => self.unary(|i, v| i.nearest(v)),
            Op::F32Sqrt | Op::F64Sqrt => self.unary(|i, v| i.sqrt(v)),
            Op::F32Add | Op::F64Add => self.binary(|i, a, b| i.fadd(a, b)),
            Op::F32Sub | Op::F64Sub => self.binary(|i, a, b| i.fsub(a, b)),
            Op::F32Mul | Op::F64Mul => self.binary(|i, a, b| i.fmul(a, b)),
            Op::F32Div | Op::F64Div => self.binary(|i, a, b| i.fdiv(a, b)),
            Op::F32Min | Op::F64Min => self.binary(|i, a, b| i.fmin(a, b)),
            Op::F32Max | Op::F64Max => self.binary(|i, a, b| i.fmax(a, b)),
            Op::F32Copysign | Op::F64Copysign => self.binary(|i, a, b| i.fcopysign(a, b)),

            Op::I32WrapI64 => self.unary(|i, v| i.ireduce(I32, v)),
            Op::I64ExtendI32S => self.unary(|i, v| i.sextend(I64, v)),
            Op::I64ExtendI32U => self.unary(|i, v| i.uextend(I64, v)),
            Op::I32Extend8S => self.sign_extend(I8, I32),
            Op::I32Extend16S => self.sign_extend(I16, I32),
            Op::I64Extend8S => self.sign_extend(I8, I64),
            Op::I64Extend16S => self.sign_extend(I16, I64),
            Op::I64Extend32S => self.sign_extend(I32, I64),

            Op::I32TruncF32S | Op::I32TruncF64S => self.unary(|i, v| i.fcvt_to_sint(I32, v)),
            Op::I32TruncF32U | Op::I32TruncF64U => self.unary(|i, v| i.fcvt_to_uint(I32, v)),
            Op::I64TruncF32S | Op::I64TruncF64S => self.unary(|i, v| i.fcvt_to_sint(I64, v)),
            Op::I64TruncF32U | Op::I64TruncF64U => self.unary(|i, v| i.fcvt_to_uint(I64, v)),
            Op::I32TruncSatF32S | Op::I32TruncSatF64S => {
                self.unary(|i, v| i.fcvt_to_sint_sat(I32, v));
            }
            Op::I32TruncSatF32U | Op::I32TruncSatF64U => {
                self.unary(|i, v| i.fcvt_to_uint_sat(I32, v));
            }
            Op::I64TruncSatF32S | Op::I64TruncSatF64S => {
                self.unary(|i, v| i.fcvt_to_sint_sat(I64, v));
            }
            Op::I64TruncSatF32U | Op::I64TruncSatF64U => {
                self.unary(|i, v| i.fcvt_to_uint_sat(I64, v));
            }
            Op::F32ConvertI32S | Op::F32ConvertI64S => self.unary(|i, v| i.fcvt_from_sint(F32, v)),
            Op::F32ConvertI32U | Op::F32ConvertI64U => self.unary(|i, v| i.fcvt_from_uint(F32, v)),
            Op::F64ConvertI32S | Op::F64ConvertI64S => self.unary(|i, v| i.fcvt_from_sint(F64, v)),
            Op::F64ConvertI32U | Op::F64ConvertI64U => self.unary(|i, v| i.fcvt_from_uint(F64, v)),
            Op::F32DemoteF64 => self.unary(|i, v| i.fdemote(F32, v)),
            Op::F64PromoteF32 => self.unary(|i, v| i.fpromote(F64, v)),
            Op::I32ReinterpretF32 => self.reinterpret(I32),
            Op::I64ReinterpretF64 => self.reinterpret(I64),
            Op::F32ReinterpretI32 => self.reinterpret(F32),
            Op::F64ReinterpretI64 => self.reinterpret(F64),
            _ => return false,
        }
        true
    }

    fn unary<'s>(
        &'s mut self,
        emit: impl FnOnce(cranelift_frontend::FuncInstBuilder<'s, '_>, Value) -> Value,
    ) {
        let value = self.pop();
        let value = emit(self.builder.ins(), value);
        self.stack.push(value);
    }

    fn binary<'s>(
        &'s mut self,
        emit: impl FnOnce(cranelift_frontend::FuncInstBuilder<'s, '_>, Value, Value) -> Value,
    ) {
        let [a, b] = self.pop_n();
        let value = emit(self.builder.ins(), a, b);
        self.stack.push(value);
    }

    fn icmp(&mut self, condition: IntCC) {
        let [a, b] = self.pop_n();
        let value = self.builder.ins().icmp(condition, a, b);
        let value = self.builder.ins().uextend(I32, value);
        self.push(value);
    }

    fn fcmp(&mut self, condition: FloatCC) {
        let [a, b] = self.pop_n();
        let value = self.builder.ins().fcmp(condition, a, b);
        let value = self.builder.ins().uextend(I32, value);
        self.push(value);
    }

    fn sign_extend(&mut self, from: Type, to: Type) {
        let value = self.pop();
        let value = self.builder.ins().ireduce(from, value);
        let value = self.builder.ins().sextend(to, value);
        self.push(value);
    }

    fn reinterpret(&mut self, ty: Type) {
        let value = self.pop();
        let value = self.builder.ins().bitcast(ty, MemFlagsData::new(), value);
        self.push(value);
    }
}
