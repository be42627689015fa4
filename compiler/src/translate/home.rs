//! Where the values of a plain function live between blocks: in its frame.
//!
//! ```text
//! optimised:  local -> variable (SSA)    operand -> value                 base -> parameter
//! plain:      local -> slot              operand -> value, slot at borders    base -> slot
//! ```
//!
//! The rule not to break: in a plain function no value is used in another block than its own, but
//! for arguments of branches and of indirect calls, over one edge. So there are no live ranges to
//! compute, to split and to join across blocks, which is what code generation is not linear in.

use super::Translator;
use crate::{isa, module::Body};
use cranelift_codegen::ir::{
    Block, InstBuilder, StackSlot, StackSlotData, StackSlotKind, Type, Value, types,
};
use cranelift_frontend::Variable;
use lithify_abi::types::ValType;
use std::collections::HashSet;
use wasmparser::Operator;

/// Operands of a plain function that are values at a time, at most twice: registers are fewer.
const VALUES: usize = 16;

/// Where a local is.
#[derive(Clone, Copy)]
pub(super) enum Local {
    Variable(Variable),
    Slot(StackSlot, Type),
    /// One that the body never mentions: thousands take a few bytes to declare.
    Nowhere,
}

/// The frame of a plain function.
#[derive(Default)]
pub(super) struct Homes {
    /// That of `base`.
    base: Option<StackSlot>,
    /// Locals that the body mentions.
    mentioned: HashSet<u32>,
    /// Those of operands, by their height.
    operands: Vec<StackSlot>,
    /// Operands below this height are at home; those above are values of the current block.
    settled: usize,
}

impl Homes {
    /// The frame of a function with this body.
    pub(super) fn new(body: &Body<'_>) -> Self {
        let operators = body.body.get_operators_reader().into_iter().flatten();
        let mentioned =
            operators.map_while(|operator| operator.ok()).filter_map(|operator| match operator {
                Operator::LocalGet { local_index }
                | Operator::LocalSet { local_index }
                | Operator::LocalTee { local_index } => Some(local_index),
                _ => None,
            });
        Self { mentioned: mentioned.collect(), ..Self::default() }
    }
}

impl Translator<'_, '_> {
    fn slot(&mut self, bytes: u32) -> StackSlot {
        let align_shift = bytes.trailing_zeros() as u8;
        let data = StackSlotData::new(StackSlotKind::ExplicitSlot, bytes, align_shift);
        self.builder.create_sized_stack_slot(data)
    }

    /// Begins the function with `base`.
    pub(super) fn set_base(&mut self, base: Value) {
        self.base = base;
        if self.homes.is_some() {
            let slot = self.slot(types::I64.bytes());
            self.builder.ins().stack_store(types::I64, base, slot, 0);
            self.homes.as_mut().expect("there are homes").base = Some(slot);
        }
    }

    /// Goes on in `block`.
    pub(super) fn start_block(&mut self, block: Block) {
        self.builder.switch_to_block(block);
        if let Some(slot) = self.homes.as_ref().and_then(|homes| homes.base) {
            self.base = self.builder.ins().stack_load(types::I64, types::I64, slot, 0);
        }
    }

    /// Goes on in `block` with its parameters on the stack. In a plain function they go home at
    /// once: where blocks hand values on from one to the next, these would be one long range.
    pub(super) fn land(&mut self, block: Block) {
        self.start_block(block);
        self.stack.extend_from_slice(self.builder.block_params(block));
        self.settle();
    }

    pub(super) fn declare_local(&mut self, ty: ValType, value: Value) {
        self.work += crate::limits::LOCAL_WORK;
        let ty = isa::clif_type(ty);
        let index = self.locals.len() as u32;
        let local = match &self.homes {
            None => Local::Variable(self.builder.declare_var(ty)),
            Some(homes) if homes.mentioned.contains(&index) => {
                Local::Slot(self.slot(ty.bytes()), ty)
            }
            Some(_) => Local::Nowhere,
        };
        self.locals.push(local);
        self.set_local(index, value);
    }

    pub(super) fn get_local(&mut self, index: u32) -> Value {
        match self.locals[index as usize] {
            Local::Variable(variable) => self.builder.use_var(variable),
            Local::Slot(slot, ty) => self.builder.ins().stack_load(types::I64, ty, slot, 0),
            Local::Nowhere => unreachable!("a local that is read is mentioned"),
        }
    }

    pub(super) fn set_local(&mut self, index: u32, value: Value) {
        match self.locals[index as usize] {
            Local::Variable(variable) => self.builder.def_var(variable, value),
            Local::Slot(slot, _) => {
                self.builder.ins().stack_store(types::I64, value, slot, 0);
            }
            Local::Nowhere => {}
        }
    }

    /// Sends all operands home: the block ends.
    pub(super) fn settle(&mut self) {
        self.settle_below(self.stack.len());
    }

    /// Has no more operands as values than registers can hold.
    pub(super) fn settle_deep(&mut self) {
        if let Some(homes) = &self.homes
            && self.reachable
            && self.stack.len() - homes.settled >= 2 * VALUES
        {
            self.settle_below(self.stack.len() - VALUES);
        }
    }

    fn settle_below(&mut self, height: usize) {
        let Some(homes) = &self.homes else { return };
        for at in homes.settled..height {
            let slot = self.operand_home(at);
            self.builder.ins().stack_store(types::I64, self.stack[at], slot, 0);
        }
        let homes = self.homes.as_mut().expect("there are homes");
        homes.settled = homes.settled.max(height);
    }

    /// Makes values of the top `count` operands, and returns where they begin.
    pub(super) fn fetch(&mut self, count: usize) -> usize {
        let start = self.stack.len() - count;
        if let Some(homes) = &self.homes {
            for at in start..homes.settled {
                let slot = self.operand_home(at);
                let ty = self.builder.func.dfg.value_type(self.stack[at]);
                self.stack[at] = self.builder.ins().stack_load(types::I64, ty, slot, 0);
            }
            let homes = self.homes.as_mut().expect("there are homes");
            homes.settled = homes.settled.min(start);
        }
        start
    }

    /// The top `count` operands as values, for a block's end that all of them outlive.
    pub(super) fn keep(&mut self, count: usize) -> &[Value] {
        let settled = self.homes.as_ref().map(|homes| homes.settled);
        let start = self.fetch(count);
        if let (Some(homes), Some(settled)) = (&mut self.homes, settled) {
            homes.settled = settled;
        }
        self.settle();
        &self.stack[start..]
    }

    /// Drops the operands above `height`.
    pub(super) fn truncate(&mut self, height: usize) {
        self.stack.truncate(height);
        if let Some(homes) = &mut self.homes {
            homes.settled = homes.settled.min(height);
        }
    }

    fn operand_home(&mut self, at: usize) -> StackSlot {
        while self.homes.as_ref().is_some_and(|homes| homes.operands.len() <= at) {
            let slot = self.slot(types::I8X16.bytes());
            self.homes.as_mut().expect("there are homes").operands.push(slot);
        }
        self.homes.as_ref().expect("only plain functions settle").operands[at]
    }
}
