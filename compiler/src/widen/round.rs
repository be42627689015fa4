//! One round of a loop: its blocks, which values they make, and how its parameters go on.

use super::sum::Sum;
use crate::edges::Edges;
use cranelift_codegen::ir::{
    Block, BlockCall, Function, InstructionData, Opcode, Type, Value, types::I32,
};

/// Blocks of a loop, at most.
const MAX_BLOCKS: usize = 4;
/// Steps from a value back to what the loop gets from outside.
const MAX_STEPS: u32 = 32;

/// What becomes of a parameter in a round.
pub enum Next {
    /// It grows by a constant; by 0, it stays.
    Step(i32),
    /// It becomes this sum of what the others become.
    Sum(Sum),
    /// It becomes a value from outside the loop.
    Fixed(Value),
    /// It becomes what this load gave.
    Loaded(Value),
}

/// A loop of blocks in a row, with one branch out of it.
pub struct Loop<'f> {
    pub func: &'f Function,
    /// Its blocks in order; the first is the one that is come back to.
    pub blocks: Vec<Block>,
    pub params: &'f [Value],
    /// The base of memory.
    pub base: Value,
    /// Decides whether the loop comes back: when it is true, or when it is not.
    pub condition: (Value, bool),
    /// The parameters of the next round.
    pub arguments: Vec<Value>,
}

impl<'f> Loop<'f> {
    /// The loop that begins with `header`, if there is one, of such blocks.
    pub fn new(func: &'f Function, edges: &Edges, header: Block) -> Option<Self> {
        let dfg = &func.dfg;
        let base = dfg.block_params(func.layout.entry_block()?)[0];
        let target = |call: &BlockCall| call.block(&dfg.value_lists);
        let mut blocks = vec![header];
        let mut condition = None;
        let back = loop {
            let branch = func.layout.last_inst(*blocks.last()?)?;
            let onward = match &dfg.insts[branch] {
                InstructionData::Jump { destination, .. } => destination,
                InstructionData::Brif { arg, blocks: [then, otherwise], .. } => {
                    let stays = [then, otherwise].map(|call| {
                        target(call) == header || lead_back(edges, func, target(call), header)
                    });
                    let negated = match stays {
                        [true, false] => false,
                        [false, true] => true,
                        _ => return None,
                    };
                    if condition.replace((*arg, negated)).is_some() {
                        return None;
                    }
                    if negated { otherwise } else { then }
                }
                _ => return None,
            };
            if target(onward) == header {
                break onward;
            }
            if blocks.len() == MAX_BLOCKS || !edges.only_one(func, target(onward)) {
                return None;
            }
            blocks.push(target(onward));
        };
        let arguments: Option<Vec<Value>> = (back.args(&dfg.value_lists))
            .map(|argument| Some(dfg.resolve_aliases(argument.as_value()?)))
            .collect();
        let params = dfg.block_params(header);
        Some(Self { func, blocks, params, base, condition: condition?, arguments: arguments? })
    }

    pub fn resolve(&self, value: Value) -> Value {
        self.func.dfg.resolve_aliases(value)
    }

    /// The instruction of the loop that makes `value`.
    pub fn def(&self, value: Value) -> Option<&'f InstructionData> {
        let inst = self.func.dfg.value_def(value).inst()?;
        let block = self.func.layout.inst_block(inst)?;
        self.blocks.contains(&block).then(|| &self.func.dfg.insts[inst])
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

    /// What becomes of the parameters.
    pub fn next(&self) -> Option<Vec<Next>> {
        let simple = self.params.iter().zip(&self.arguments).map(|(param, argument)| {
            if param == argument {
                return Some(Next::Step(0));
            }
            if self.is_fixed(*argument) {
                return Some(Next::Fixed(*argument));
            }
            if self.def(*argument).is_some_and(|def| def.opcode() == Opcode::Load) {
                return Some(Next::Loaded(*argument));
            }
            let sum = self.sum_of(*argument)?;
            match sum.terms[..] {
                [(value, 1)] if value == *param => Some(Next::Step(sum.constant)),
                _ => Some(Next::Sum(sum)),
            }
        });
        let mut all = simple.collect::<Option<Vec<Next>>>()?;
        for i in 0..all.len() {
            if let Next::Sum(sum) = &all[i] {
                // It is one of this round, which the others are one ahead of.
                let step = self.step(sum, &all)?;
                all[i] = Next::Sum(sum.clone().offset(step.wrapping_neg()));
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

/// Whether `block` and those after it do nothing but lead to `header`.
fn lead_back(edges: &Edges, func: &Function, mut block: Block, header: Block) -> bool {
    for _ in 0..MAX_BLOCKS {
        let Some(branch) = func.layout.last_inst(block) else { return false };
        let InstructionData::Jump { destination, .. } = func.dfg.insts[branch] else {
            return false;
        };
        if !edges.only_one(func, block) {
            return false;
        }
        block = destination.block(&func.dfg.value_lists);
        if block == header {
            return true;
        }
    }
    false
}
