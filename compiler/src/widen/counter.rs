//! Reads from the condition of a loop how many rounds it comes back from.

use super::{
    round::{Loop, Next},
    sum::{Sum, Values},
};
use cranelift_codegen::{
    cursor::FuncCursor,
    ir::{
        InstBuilder, InstructionData, Opcode, Value,
        condcodes::{CondCode, IntCC},
        types::{I32, I64},
    },
};

/// Why the loop comes back: `value` has not reached `bound` yet.
pub struct Counter {
    value: Sum,
    bound: Sum,
    /// By how much `value` grows in a round; not 0.
    pub step: i32,
    signed: bool,
}

impl Counter {
    /// Reads the condition on which the loop comes back.
    pub fn new(of: &Loop<'_>, next: &[Next]) -> Option<Self> {
        let (mut condition, mut negated) = of.condition;
        let (code, left, right) = loop {
            condition = of.resolve(condition);
            match of.def(condition) {
                Some(&InstructionData::Unary { opcode: Opcode::Uextend, arg }) => condition = arg,
                Some(&InstructionData::IntCompare { cond, args: [a, b], .. }) => {
                    // What is compared may be a comparison, as in `i32.eqz (i32.lt_u …)`.
                    let inner = of.func.dfg.value_def(of.resolve(a)).inst();
                    let is_flag = inner.is_some_and(|inst| {
                        of.func.dfg.insts[inst].opcode() == Opcode::Uextend
                            && of.ty(of.func.dfg.inst_args(inst)[0]) != I32
                    });
                    match (cond, of.iconst(b)) {
                        (IntCC::Equal, Some(0)) if is_flag => {
                            condition = a;
                            negated = !negated;
                        }
                        (IntCC::NotEqual, Some(0)) if is_flag => condition = a,
                        _ => break (cond, of.sum_of(a)?, of.sum_of(b)?),
                    }
                }
                _ => break (IntCC::NotEqual, of.sum_of(condition)?, Sum::constant(0)),
            }
        };
        let code = if negated { code.complement() } else { code };
        let (code, value, bound, step) = match (of.step(&left, next)?, of.step(&right, next)?) {
            (0, 0) => return None,
            (step, 0) => (code, left, right, step),
            (0, step) => (code.swap_args(), right, left, step),
            _ => return None,
        };
        use IntCC::{
            NotEqual, SignedGreaterThan, SignedGreaterThanOrEqual, SignedLessThan,
            SignedLessThanOrEqual, UnsignedGreaterThan, UnsignedGreaterThanOrEqual,
            UnsignedLessThan, UnsignedLessThanOrEqual,
        };
        let signed = match (code, step > 0) {
            (NotEqual | UnsignedLessThan | UnsignedLessThanOrEqual, true)
            | (NotEqual | UnsignedGreaterThan | UnsignedGreaterThanOrEqual, false) => false,
            (SignedLessThan | SignedLessThanOrEqual, true)
            | (SignedGreaterThan | SignedGreaterThanOrEqual, false) => true,
            _ => return None,
        };
        Some(Self { value, bound, step, signed })
    }

    /// Emits how far it is to the bound, an i64. As long as that is above 0 before a round, the
    /// loop comes back from it; it shrinks by the step.
    pub fn distance(&self, pos: &mut FuncCursor<'_>, at: &Values<'_>) -> Value {
        let [value, bound] = [&self.value, &self.bound].map(|sum| {
            let value = sum.emit(pos, at);
            if self.signed { pos.ins().sextend(I64, value) } else { pos.ins().uextend(I64, value) }
        });
        if self.step > 0 { pos.ins().isub(bound, value) } else { pos.ins().isub(value, bound) }
    }
}
