//! One round of a loop of one block: which values it makes, and how its parameters go on.

use super::sum::Sum;
use cranelift_codegen::ir::{Block, Function, InstructionData, Opcode, Type, Value, types::I32};

/// Steps from a value back to what the loop gets from outside.
const MAX_STEPS: u32 = 32;

/// What becomes of a parameter in a round.
pub enum Next {
    /// It grows by a constant; by 0, it stays.
    Step(i32),
    /// It becomes this of the round, which grows by a constant.
    Sum(Sum, i32),
    /// It becomes a value from outside the loop.
    Fixed(Value),
}

/// A loop, as far as it can be seen: one block.
pub struct Loop<'f> {
    pub func: &'f Function,
    pub block: Block,
    pub params: &'f [Value],
    /// The base of memory.
    pub base: Value,
}

impl<'f> Loop<'f> {
    pub fn resolve(&self, value: Value) -> Value {
        self.func.dfg.resolve_aliases(value)
    }

    /// The instruction of the loop that makes `value`.
    pub fn def(&self, value: Value) -> Option<&'f InstructionData> {
        let inst = self.func.dfg.value_def(value).inst()?;
        (self.func.layout.inst_block(inst) == Some(self.block)).then(|| &self.func.dfg.insts[inst])
    }

    /// Whether `value` comes from outside and stays what it is.
    pub fn is_fixed(&self, value: Value) -> bool {
        !self.params.contains(&value) && self.def(value).is_none()
    }

    pub fn ty(&self, value: Value) -> Type {
        self.func.dfg.value_type(value)
    }

    /// `value`, if it is a constant.
    pub fn iconst(&self, value: Value) -> Option<i64> {
        let inst = self.func.dfg.value_def(self.resolve(value)).inst()?;
        match self.func.dfg.insts[inst] {
            InstructionData::UnaryImm { opcode: Opcode::Iconst, imm } => Some(imm.bits()),
            _ => None,
        }
    }

    /// `value`, which is an i32, as a sum of what the loop gets from outside.
    fn sum(&self, value: Value, steps: &mut u32) -> Option<Sum> {
        *steps = steps.checked_sub(1)?;
        let value = self.resolve(value);
        if let Some(constant) = self.iconst(value) {
            return Some(Sum::constant(constant as i32));
        }
        match self.def(value) {
            None => Some(Sum { terms: vec![(value, 1)], constant: 0 }),
            Some(InstructionData::Binary { opcode, args: [a, b] }) => match opcode {
                Opcode::Iadd => Some(self.sum(*a, steps)?.plus(1, &self.sum(*b, steps)?)),
                Opcode::Isub => Some(self.sum(*a, steps)?.plus(-1, &self.sum(*b, steps)?)),
                Opcode::Ishl => {
                    let factor = 1i32.wrapping_shl(self.iconst(*b)? as u32);
                    Some(Sum::constant(0).plus(factor, &self.sum(*a, steps)?))
                }
                _ => None,
            },
            Some(_) => None,
        }
    }

    /// The same; nothing where `value` is no i32 or no such sum.
    pub fn sum_of(&self, value: Value) -> Option<Sum> {
        (self.ty(value) == I32).then(|| self.sum(value, &mut { MAX_STEPS })).flatten()
    }

    /// What becomes of the parameters with the arguments of the branch back.
    pub fn next(&self, arguments: &[Value]) -> Option<Vec<Next>> {
        let simple = self.params.iter().zip(arguments).map(|(param, argument)| {
            if param == argument {
                return Some(Next::Step(0));
            }
            if self.is_fixed(*argument) {
                return Some(Next::Fixed(*argument));
            }
            let sum = self.sum_of(*argument)?;
            match sum.terms[..] {
                [(value, 1)] if value == *param => Some(Next::Step(sum.constant)),
                _ => Some(Next::Sum(sum, 0)),
            }
        });
        let mut all = simple.collect::<Option<Vec<Next>>>()?;
        for i in 0..all.len() {
            if let Next::Sum(sum, _) = &all[i] {
                let step = self.step(sum, &all)?;
                let Next::Sum(_, known) = &mut all[i] else { unreachable!("it just was") };
                *known = step;
            }
        }
        Some(all)
    }

    /// By how much `sum` grows in a round.
    pub fn step(&self, sum: &Sum, next: &[Next]) -> Option<i32> {
        sum.terms.iter().try_fold(0i32, |total, (value, times)| {
            match self.params.iter().position(|param| param == value) {
                None => Some(total),
                Some(i) => match next[i] {
                    Next::Step(step) => Some(total.wrapping_add(step.wrapping_mul(*times))),
                    _ => None,
                },
            }
        })
    }
}
