//! Widens loops that copy or fill memory: most of their rounds are made 16 bytes at a time.
//!
//! ```text
//! ... -> loop <-+ -> ...        ... -> guard -> wide <-+ -> loop <-+ -> ...
//!          |____|                        |______|___|_______^ |____|
//! ```
//!
//! Guest `memcpy` and its kin are such loops, by the byte or the word, and so is much that was
//! inlined. What is recognised is the loop, never the function or its name: blocks in a row with one
//! way out, whose accesses advance by a constant and adjoin each other.
//!
//! The rule not to break: `wide` makes only rounds that the loop would make *and come back from*.
//! The guard proves that from the loop's own exit condition, that no access of them faults or
//! wraps around, and that source and destination are too far apart for the width to matter. So the
//! loop still leaves by itself, with the values that it would have, and traps where and as it would
//! have.
//!
//! Not here: other loops. What they do to values, not to memory, is Cranelift's business.

mod counter;
mod round;
mod shifted;
mod source;
mod stream;
mod sum;

use crate::edges::Edges;
use counter::Counter;
use cranelift_codegen::{
    cursor::{Cursor, FuncCursor},
    ir::{
        Block, BlockArg, Function, InstBuilder, InstructionData, MemFlagsData, Opcode, SourceLoc,
        Type, Value,
        condcodes::IntCC,
        types::{I8X16, I64},
    },
};
use lithify_abi::vmctx;
use round::{Loop, Next};
use shifted::Shifted;
use source::Source;
use stream::{Access, Stream};
use sum::Values;

/// Bytes of a vector.
const WIDTH: i64 = 16;
/// Loops of one function that are widened, so that a hostile one gains no more than these blocks.
const MAX_LOOPS: usize = 64;

/// Widens the loops of `func`, whose first parameter is the base of memory.
pub fn widen(func: &mut Function) {
    let edges = Edges::new(func);
    let plans: Vec<Plan> = (func.layout.blocks())
        .filter_map(|block| Plan::new(func, &edges, block))
        .take(MAX_LOOPS)
        .collect();
    for plan in plans {
        plan.apply(func);
    }
}

/// A loop that can be widened, and how.
struct Plan {
    blocks: Vec<Block>,
    base: Value,
    next: Vec<Next>,
    counter: Counter,
    to: Stream,
    source: Source,
    srcloc: SourceLoc,
}

impl Plan {
    fn new(func: &Function, edges: &Edges, header: Block) -> Option<Self> {
        let of = Loop::new(func, edges, header)?;
        let (mut loads, mut stores) = (Vec::new(), Vec::new());
        for inst in of.blocks.iter().flat_map(|block| func.layout.block_insts(*block)) {
            let opcode = func.dfg.insts[inst].opcode();
            match func.dfg.insts[inst] {
                InstructionData::Load { .. } => loads.push(Access::new(&of, inst)?),
                InstructionData::Store { .. } => stores.push(Access::new(&of, inst)?),
                _ if is_pure(opcode) || opcode.is_branch() => {}
                _ => return None,
            }
        }
        let next = of.next()?;
        let counter = Counter::new(&of, &next)?;
        let to = Stream::new(&of, &stores, &next)?;
        let source = Source::new(&of, &loads, &stores, &to, &next)?;
        let (base, srcloc) = (of.base, stores[0].srcloc);
        Some(Self { blocks: of.blocks, base, next, counter, to, source, srcloc })
    }

    /// Emits guard and wide loop, and leads everything to the guard that led to the loop.
    fn apply(&self, func: &mut Function) {
        let header = self.blocks[0];
        let params = func.dfg.block_params(header).to_vec();
        let types: Vec<Type> = params.iter().map(|param| func.dfg.value_type(*param)).collect();
        let [guard, check, wide] = [(); 3].map(|()| func.dfg.make_block());
        // What a round took from the one before is looked at where that is known to be in memory.
        let look = match &self.source {
            Source::Shifted(_) => Some(func.dfg.make_block()),
            _ => None,
        };
        self.redirect(func, guard);
        let copy = |func: &mut Function, block: Block| -> Vec<Value> {
            types.iter().map(|ty| func.dfg.append_block_param(block, *ty)).collect()
        };
        let at_guard = copy(func, guard);
        let at_wide = copy(func, wide);
        let left = func.dfg.append_block_param(wide, I64);

        let mut pos = FuncCursor::new(func);
        for block in [Some(guard), Some(check), look, Some(wide)].into_iter().flatten() {
            pos.func.layout.insert_block(block, header);
        }
        pos.set_srcloc(self.srcloc);
        let at = Values { params: &params, here: &at_guard };
        let arguments = |values: &[Value]| -> Vec<BlockArg> {
            values.iter().copied().map(BlockArg::Value).collect()
        };

        // A vector makes so many rounds, or a round takes so many vectors.
        let size = self.to.stride.abs();
        let rounds = (WIDTH / size).max(1);
        let step = i64::from(self.counter.step).abs();

        pos.goto_bottom(guard);
        let distance = self.counter.distance(&mut pos, &at);
        let enough = pos.ins().icmp_imm_s(IntCC::SignedGreaterThanOrEqual, distance, rounds * step);
        pos.ins().brif(enough, check, &[], header, &arguments(&at_guard));

        pos.goto_bottom(check);
        let bytes = if step == size {
            distance
        } else {
            let rounds = pos.ins().udiv_imm_u(distance, step);
            pos.ins().imul_imm_s(rounds, size)
        };
        let trusted = MemFlagsData::trusted();
        let memory = pos.ins().load(I64, trusted, self.base, vmctx::MEMORY_LEN);
        let first = self.to.first(&mut pos, &at);
        let mut good = self.to.is_inside(&mut pos, first, bytes, memory);
        let mut shift = None;
        // Where what is stored comes from, and how many bytes around that are read, too.
        let from = match &self.source {
            Source::Copy(from) => Some((from, 0)),
            Source::Shifted(Shifted { from, .. }) => Some((from, from.stride.abs())),
            Source::Fill(_) => None,
        };
        if let Some((from, around)) = from {
            let (mut source, mut start) = (from.first(&mut pos, &at), from.start);
            let inside = from.is_inside(&mut pos, source, bytes, memory);
            good = pos.ins().band(good, inside);
            if let Source::Shifted(shifted) = &self.source {
                let room = shifted.has_room(&mut pos, source, memory);
                let (by, whole) = shifted.shift(&mut pos);
                good = pos.ins().band(good, room);
                good = pos.ins().band(good, whole);
                source = pos.ins().iadd(source, by);
                start += shifted.lower();
                shift = Some(by);
            }
            // Neither within a vector nor within a round does one side see the other.
            let near = WIDTH.max(size) - 1 + around;
            let apart = pos.ins().isub(first, source);
            let apart = pos.ins().iadd_imm_s(apart, self.to.start - start + near);
            let far = pos.ins().icmp_imm_u(IntCC::UnsignedGreaterThan, apart, 2 * near);
            good = pos.ins().band(good, far);
        }
        let fill = match &self.source {
            Source::Copy(_) | Source::Shifted(_) => None,
            Source::Fill(fill) => Some(fill.emit(&mut pos)),
        };
        let with_distance = [&at_guard[..], &[distance]].concat();
        if let (Some(look), Source::Shifted(shifted)) = (look, &self.source) {
            pos.ins().brif(good, look, &[], header, &arguments(&at_guard));
            pos.goto_bottom(look);
            good = shifted.is_in_memory(&mut pos, &at, self.base);
        }
        pos.ins().brif(good, wide, &arguments(&with_distance), header, &arguments(&at_guard));

        pos.goto_bottom(wide);
        let at = Values { params: &params, here: &at_wide };
        let to = self.to.address(&mut pos, &at, self.base);
        let from = match &self.source {
            Source::Copy(from) => Some((from.address(&mut pos, &at, self.base), from.flags)),
            Source::Shifted(shifted) => {
                let (address, start) = shifted.from.address(&mut pos, &at, self.base);
                let address = shift.map_or(address, |by| pos.ins().iadd(address, by));
                Some(((address, start + shifted.lower() as i32), shifted.from.flags))
            }
            Source::Fill(_) => None,
        };
        for offset in (0..size.max(WIDTH) as i32).step_by(WIDTH as usize) {
            let vector = match (&from, fill) {
                (_, Some(fill)) => fill,
                (Some(((from, start), flags)), None) => {
                    pos.ins().load(I8X16, *flags, *from, start + offset)
                }
                (None, None) => unreachable!("it copies or fills"),
            };
            pos.ins().store(self.to.flags, vector, to.0, to.1 + offset);
        }
        let mut after = self.after(&mut pos, &at, rounds as i32);
        let left = pos.ins().iadd_imm_s(left, -rounds * step);
        let more = pos.ins().icmp_imm_s(IntCC::SignedGreaterThanOrEqual, left, rounds * step);
        let to_loop = arguments(&after);
        after.push(left);
        pos.ins().brif(more, wide, &arguments(&after), header, &to_loop);
    }

    /// Emits what the parameters are after so many rounds.
    fn after(&self, pos: &mut FuncCursor<'_>, at: &Values<'_>, rounds: i32) -> Vec<Value> {
        let mut after = at.here.to_vec();
        for (next, value) in self.next.iter().zip(&mut after) {
            match next {
                Next::Step(0) | Next::Sum(_) | Next::Loaded(_) => {}
                Next::Step(step) => {
                    *value = pos.ins().iadd_imm_s(*value, i64::from(step.wrapping_mul(rounds)));
                }
                Next::Fixed(fixed) => *value = *fixed,
            }
        }
        let stepped = after.clone();
        let stepped = Values { params: at.params, here: &stepped };
        for (next, value) in self.next.iter().zip(&mut after) {
            match (next, &self.source) {
                (Next::Sum(sum), _) => *value = sum.emit(pos, &stepped),
                (Next::Loaded(_), Source::Shifted(shifted)) => {
                    *value = shifted.word(pos, at, self.base, i64::from(rounds) - 1);
                }
                _ => {}
            }
        }
        after
    }

    /// Makes every branch to the loop from elsewhere one to `guard`.
    fn redirect(&self, func: &mut Function, guard: Block) {
        let blocks: Vec<Block> =
            func.layout.blocks().filter(|b| !self.blocks.contains(b)).collect();
        for block in blocks {
            let Some(branch) = func.layout.last_inst(block) else { continue };
            let dfg = &mut func.dfg;
            let targets = dfg.insts[branch]
                .branch_destination_mut(&mut dfg.jump_tables, &mut dfg.exception_tables);
            for target in targets {
                if target.block(&dfg.value_lists) == self.blocks[0] {
                    target.set_block(guard, &mut dfg.value_lists);
                }
            }
        }
    }
}

/// Whether it can be left out where its result is not needed.
fn is_pure(opcode: Opcode) -> bool {
    !(opcode.is_call()
        || opcode.is_branch()
        || opcode.is_terminator()
        || opcode.can_load()
        || opcode.can_store()
        || opcode.can_trap()
        || opcode.other_side_effects())
}
