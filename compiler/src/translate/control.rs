//! Blocks, branches and returns.

use super::{Translator, dispatch::Table, region};
use crate::{error::CompileError, index::TypeIndex, isa, limits};
use cranelift_codegen::ir::{
    self, Block, BlockArg, BlockCall, InstBuilder, InstructionData, JumpTableData, Opcode,
    SourceLoc, TrapCode, Value, condcodes::IntCC,
};
use lithify_abi::{trap, types::FuncType, vmctx};
use std::collections::HashMap;
use wasmparser::{BlockType, BrTable, Operator};

/// Runs of equal targets up to which a table is made of comparisons.
const MAX_RUNS: usize = 2;

/// One entry of the control stack.
pub(super) struct Frame {
    kind: Kind,
    /// Where a branch to this frame goes.
    target: Block,
    /// Where the code after `end` is; for a loop it differs from `target`.
    next: Block,
    /// Values that a branch to this frame carries.
    branch_arity: usize,
    /// Values that `end` leaves.
    results: usize,
    /// Height of the operand stack below the frame's parameters.
    height: usize,
    /// Whether `next` has been jumped to.
    next_used: bool,
    /// Loops that it is or is within.
    loops: u32,
}

enum Kind {
    /// `block`, or a function itself.
    Block,
    /// `block` whose `next` is jumped to until its dispatching loop ends.
    Late,
    Loop,
    /// A loop around a table; see `dispatch.rs`.
    Dispatch {
        /// Where the blocks between the two end, the innermost first.
        blocks: Vec<Block>,
        /// What is to be sealed at the loop's end.
        unsealed: Vec<Block>,
    },
    /// `if` whose `else` has not come yet: where its code goes, with the parameters it starts with.
    If {
        otherwise: Block,
    },
    /// The part after `else`.
    Else,
    /// Opened in unreachable code: nothing of it is translated.
    Dead,
}

impl Translator<'_, '_> {
    pub(super) fn push_function_frame(&mut self, ty: &FuncType) {
        let next = self.block_with(&ty.results);
        let results = ty.results.len();
        self.control.push(Frame {
            kind: Kind::Block,
            target: next,
            next,
            branch_arity: results,
            results,
            height: self.stack.len(),
            next_used: false,
            loops: self.loops(),
        });
    }

    /// Loops of its function that the current operator is in.
    pub(super) fn loops(&self) -> u32 {
        self.control.last().map_or(0, |frame| frame.loops)
    }

    /// Follows the nesting through code that cannot run.
    pub(super) fn unreachable_operator(&mut self, operator: &Operator<'_>) {
        match operator {
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => {
                let nowhere = Block::from_u32(0);
                self.control.push(Frame {
                    kind: Kind::Dead,
                    target: nowhere,
                    next: nowhere,
                    branch_arity: 0,
                    results: 0,
                    height: 0,
                    next_used: false,
                    loops: 0,
                });
            }
            Operator::Else => self.else_(),
            Operator::End => self.end(),
            _ => {}
        }
    }

    pub(super) fn unreachable(&mut self) {
        self.builder.ins().trap(isa::trap_code(trap::TrapCode::Unreachable));
        self.reachable = false;
    }

    fn block_type(&self, ty: BlockType) -> FuncType {
        match ty {
            BlockType::Empty => FuncType::default(),
            BlockType::Type(ty) => {
                let ty = crate::parse::val_type(ty).expect("the validator's features admit it");
                FuncType::new(&[], &[ty])
            }
            BlockType::FuncType(index) => {
                let signature = self.module.types[TypeIndex::from_u32(index)];
                self.module.signatures[signature].clone()
            }
        }
    }

    fn block_with(&mut self, types: &[lithify_abi::types::ValType]) -> Block {
        let block = self.builder.create_block();
        for ty in types {
            self.builder.append_block_param(block, isa::clif_type(*ty));
        }
        block
    }

    pub(super) fn block(&mut self, ty: BlockType) {
        let ty = self.block_type(ty);
        let next = self.block_with(&ty.results);
        self.control.push(Frame {
            kind: Kind::Block,
            target: next,
            next,
            branch_arity: ty.results.len(),
            results: ty.results.len(),
            height: self.stack.len() - ty.params.len(),
            next_used: false,
            loops: self.loops(),
        });
    }

    pub(super) fn loop_(&mut self, ty: BlockType) {
        let ty = self.block_type(ty);
        let header = self.block_with(&ty.params);
        let next = self.block_with(&ty.results);
        let height = self.stack.len() - ty.params.len();
        self.jump(header, ty.params.len());
        self.truncate(height);
        self.control.push(Frame {
            kind: Kind::Loop,
            target: header,
            next,
            branch_arity: ty.params.len(),
            results: ty.results.len(),
            height,
            next_used: false,
            loops: self.loops() + 1,
        });
        self.land(header);
    }

    pub(super) fn if_(&mut self, ty: BlockType) {
        self.branches += 1;
        let condition = self.pop();
        let ty = self.block_type(ty);
        let next = self.block_with(&ty.results);
        let then = self.builder.create_block();
        let otherwise = self.block_with(&ty.params);
        let params = self.arguments(ty.params.len());
        self.builder.ins().brif(condition, then, &[], otherwise, &params);
        self.builder.seal_block(then);
        self.builder.seal_block(otherwise);
        self.start_block(then);
        let height = self.stack.len() - ty.params.len();
        self.control.push(Frame {
            kind: Kind::If { otherwise },
            target: next,
            next,
            branch_arity: ty.results.len(),
            results: ty.results.len(),
            height,
            next_used: false,
            loops: self.loops(),
        });
    }

    pub(super) fn else_(&mut self) {
        let frame = self.control.last_mut().expect("the validator knows the nesting");
        let Kind::If { otherwise } = frame.kind else {
            return; // of a dead frame
        };
        frame.kind = Kind::Else;
        let (next, results, height) = (frame.next, frame.results, frame.height);
        if self.reachable {
            frame.next_used = true;
            self.jump(next, results);
        }
        self.start_else(otherwise, height);
        self.reachable = true;
    }

    pub(super) fn end(&mut self) {
        let mut frame = self.control.pop().expect("the validator knows the nesting");
        if let Kind::Dead = frame.kind {
            return;
        }
        if self.reachable {
            self.jump(frame.next, frame.results);
            frame.next_used = true;
        }
        let late = matches!(frame.kind, Kind::Late);
        match frame.kind {
            Kind::If { otherwise } => {
                self.start_else(otherwise, frame.height);
                self.jump(frame.next, frame.results);
                frame.next_used = true;
            }
            Kind::Loop => self.builder.seal_block(frame.target),
            Kind::Dispatch { unsealed, .. } => {
                for block in unsealed {
                    self.builder.seal_block(block);
                }
            }
            Kind::Block | Kind::Late | Kind::Else | Kind::Dead => {}
        }
        if !late {
            self.builder.seal_block(frame.next);
        }
        self.truncate(frame.height);
        self.reachable = frame.next_used;
        if !frame.next_used {
            return;
        }
        self.land(frame.next);
        if self.control.is_empty() {
            self.return_();
        }
    }

    /// Goes on where an `if` of this height goes that is not taken.
    fn start_else(&mut self, otherwise: Block, height: usize) {
        self.truncate(height);
        self.land(otherwise);
    }

    /// The frame that `depth` names, marked as branched to.
    fn branch_target(&mut self, depth: u32) -> (Block, usize) {
        let at = self.control.len() - 1 - depth as usize;
        let frame = &mut self.control[at];
        frame.next_used |= frame.target == frame.next;
        (frame.target, frame.branch_arity)
    }

    /// Where a branch goes: to the frame that `depth` names, or right to where the table at its
    /// start would lead from here.
    fn destination(&mut self, depth: u32) -> (Block, usize) {
        let Some(entry) = self.dispatches.jump(self.offset) else {
            return self.branch_target(depth);
        };
        let at = self.control.len() - 1 - depth as usize;
        let Kind::Dispatch { blocks, .. } = &self.control[at].kind else {
            unreachable!("a loop that is reached has a table that is reached")
        };
        let (block, count) = (blocks.get(entry as usize).copied(), blocks.len());
        let Some(block) = block else {
            return self.branch_target(depth + entry - count as u32);
        };
        // Unless it has ended.
        if let Some(frame) = self.control.get_mut(at + count - entry as usize)
            && frame.next == block
        {
            frame.next_used = true;
        }
        (block, 0)
    }

    /// The top `count` operands as arguments of a branch; they stay on the stack.
    fn arguments(&mut self, count: usize) -> Vec<BlockArg> {
        self.work += (count + self.all_locals()) as u64;
        self.carried += count as u64;
        self.keep(count).iter().map(|value| BlockArg::Value(*value)).collect()
    }

    fn jump(&mut self, block: Block, arity: usize) {
        self.branches += 1;
        let arguments = self.arguments(arity);
        self.builder.ins().jump(block, &arguments);
    }

    pub(super) fn br(&mut self, depth: u32) {
        let (target, arity) = self.destination(depth);
        self.jump(target, arity);
        self.reachable = false;
    }

    pub(super) fn br_if(&mut self, depth: u32) {
        let condition = self.pop();
        self.branch_if(condition, depth);
    }

    /// Branches where `condition` is not zero.
    fn branch_if(&mut self, condition: Value, depth: u32) {
        let (target, arity) = self.destination(depth);
        self.branches += 1;
        let arguments = self.arguments(arity);
        let next = self.builder.create_block();
        self.builder.ins().brif(condition, target, &arguments, next, &[]);
        self.builder.seal_block(next);
        self.start_block(next);
    }

    pub(super) fn br_table(&mut self, table: &BrTable<'_>) -> Result<(), CompileError> {
        let ways = u64::from(table.len());
        limits::check_function(self.index, ways, limits::BR_TABLE, "targets of a br_table")?;
        let index = self.pop();
        // The whole table is searched for each target when a local gets its parameter there.
        self.steps += u64::from(table.len()).pow(2) * (1 + self.all_locals() as u64);
        if self.start_dispatch() {
            return self.table_entered_once(index, table);
        }
        if let Some(runs) = self.few_runs(table)? {
            self.compare(index, &runs, table.default());
            return Ok(());
        }
        self.branches += 1;
        let mut calls = Vec::with_capacity(table.len() as usize);
        for depth in table.targets() {
            calls.push(self.block_call(depth?));
        }
        let default = self.block_call(table.default());
        let data = JumpTableData::new(default, &calls);
        let table = self.builder.create_jump_table(data);
        self.builder.ins().br_table(index, table);
        self.reachable = false;
        Ok(())
    }

    /// Runs of equal targets of a table, each with the index that ends it, where comparing with
    /// those takes no longer than the table: Go's small functions have such, for where they go on
    /// after a call.
    fn few_runs(&self, table: &BrTable<'_>) -> Result<Option<Vec<(u32, u32)>>, CompileError> {
        let mut runs: Vec<(u32, u32)> = Vec::new();
        for (end, depth) in (1..).zip(table.targets()) {
            let depth = depth?;
            if let Some(last) = runs.last_mut().filter(|last| last.1 == depth) {
                last.0 = end;
            } else if runs.len() < MAX_RUNS {
                runs.push((end, depth));
            } else {
                return Ok(None);
            }
        }
        runs.pop_if(|last| last.1 == table.default());
        // In a plain function the index would live from block to block.
        Ok((self.homes.is_none() || runs.len() < MAX_RUNS).then_some(runs))
    }

    /// Goes to the first of `runs` whose end is above `index`, or to `default`.
    fn compare(&mut self, index: Value, runs: &[(u32, u32)], default: u32) {
        for (number, (end, depth)) in (0..).zip(runs) {
            // A place of its own within the operator, since traps are told by the branch to them.
            self.builder.set_srcloc(SourceLoc::new(self.position() + number));
            let end = i64::from(*end);
            let inside = self.builder.ins().icmp_imm_u(IntCC::UnsignedLessThan, index, end);
            self.branch_if(inside, *depth);
        }
        let (target, arity) = self.branch_target(default);
        self.jump(target, arity);
        self.reachable = false;
    }

    /// Makes the loop a dispatching one where the current operator is the table of such a loop.
    /// Returns whether nothing leads to the table but the way into the loop.
    fn start_dispatch(&mut self) -> bool {
        let Some(Table { blocks, late, entered_once, .. }) = self.dispatches.table(self.offset)
        else {
            return false;
        };
        let at = self.control.len() - 1 - *blocks as usize;
        let mut unsealed = Vec::new();
        let header = self.control[at].target;
        if *entered_once {
            self.builder.seal_block(header);
        } else {
            unsealed.push(header);
        }
        let mut blocks = Vec::new();
        for (depth, frame) in (0..).zip(self.control[at + 1..].iter_mut().rev()) {
            blocks.push(frame.next);
            if late.contains(&depth) {
                frame.kind = Kind::Late;
                unsealed.push(frame.next);
            }
        }
        self.control[at].kind = Kind::Dispatch { blocks, unsealed };
        *entered_once
    }

    /// A table that only the way into its loop leads to. Compilers number their first block 0, so
    /// the table itself and all ways from it are cold, with what the merging of locals takes there.
    fn table_entered_once(
        &mut self,
        index: Value,
        table: &BrTable<'_>,
    ) -> Result<(), CompileError> {
        let depths = table.targets().collect::<Result<Vec<u32>, _>>()?;
        // In an inlined body. A block that is jumped back to would have to be translated by then.
        let late = self.dispatches.table(self.offset).is_none_or(|table| !table.late.is_empty());
        if self.constant_i32(index) == Some(0) && !late {
            self.br(depths[0]);
            return Ok(());
        }
        let (first, _) = self.branch_target(depths[0]);
        let other = self.cold_block();
        self.branches += 1;
        self.builder.ins().brif(index, other, &[], first, &[]);
        self.builder.seal_block(other);
        self.builder.switch_to_block(other);

        let mut ways: Vec<(u32, Block)> = Vec::new();
        let mut known: HashMap<u32, Block> = HashMap::new();
        let mut way = |translator: &mut Self, depth: u32| -> BlockCall {
            let block = *known.entry(depth).or_insert_with(|| {
                let block = translator.cold_block();
                ways.push((depth, block));
                block
            });
            BlockCall::new(block, [], &mut translator.builder.func.dfg.value_lists)
        };
        let default = way(self, table.default());
        // Not 0, which has gone elsewhere.
        let calls: Vec<BlockCall> = std::iter::once(default)
            .chain(depths[1..].iter().map(|depth| way(self, *depth)))
            .collect();
        let data = JumpTableData::new(default, &calls);
        let table = self.builder.create_jump_table(data);
        self.builder.ins().br_table(index, table);
        for (depth, block) in ways {
            self.builder.seal_block(block);
            self.builder.switch_to_block(block);
            let (target, arity) = self.branch_target(depth);
            self.jump(target, arity);
        }
        self.reachable = false;
        Ok(())
    }

    /// The constant that an i32 is, as far as the order of operators alone says so.
    pub(super) fn constant_i32(&self, value: Value) -> Option<u32> {
        let dfg = &self.builder.func.dfg;
        let inst = dfg.value_def(dfg.resolve_aliases(value)).inst()?;
        match dfg.insts[inst] {
            InstructionData::UnaryImm { opcode: Opcode::Iconst, imm } => Some(imm.bits() as u32),
            _ => None,
        }
    }

    fn cold_block(&mut self) -> Block {
        let block = self.builder.create_block();
        self.builder.set_cold_block(block);
        block
    }

    fn block_call(&mut self, depth: u32) -> BlockCall {
        let (target, arity) = self.branch_target(depth);
        let arguments = self.arguments(arity);
        BlockCall::new(target, arguments, &mut self.builder.func.dfg.value_lists)
    }

    /// Returns the top operands: the first in a register, the others in the return area; from an
    /// inlined body, to what follows it.
    pub(super) fn return_(&mut self) {
        if let Some(depth) = self.inlined_end() {
            let (target, arity) = self.branch_target(depth);
            self.jump(target, arity);
            self.reachable = false;
            return;
        }
        let count = self.module.function_type(self.index).results.len();
        let start = self.fetch(count);
        let results = self.stack[start..].to_vec();
        if let Some((first, rest)) = results.split_first() {
            let flags = self.trusted(region::VMCTX, "vmctx");
            for (i, value) in rest.iter().enumerate() {
                let offset = self.plan.return_area + (i as u32 * vmctx::VALUE_SIZE) as i32;
                self.builder.ins().store(flags, *value, self.base, offset);
            }
            self.builder.ins().return_(&[*first]);
        } else {
            self.builder.ins().return_(&[]);
        }
        self.reachable = false;
    }

    /// Traps with `code` when `condition` is not zero.
    pub(super) fn trap_if(&mut self, condition: Value, code: trap::TrapCode) {
        let code: TrapCode = isa::trap_code(code);
        self.builder.ins().trapnz(condition, code);
    }

    /// Pushes whether `value` is zero, as an i32.
    pub(super) fn is_zero(&mut self, value: Value) {
        let zero = self.builder.ins().icmp_imm_u(IntCC::Equal, value, 0);
        let zero = self.builder.ins().uextend(ir::types::I32, zero);
        self.push(zero);
    }
}
