//! Makes searches of chains that compare one value with a constant after the other.
//!
//! ```text
//! x == 7 -> a                          x < 30 -> x == 7 -> a
//!   | no                                 | no      | no
//! x == 40 -> b        becomes            |       x == 21 -> c
//!   | no                                 |         | no
//! x == 21 -> c ... -> default          x == 40 -> b ... -> default
//! ```
//!
//! A call through an interface of Go is such a chain once TinyGo has compiled it, of as many links as
//! there are types: hundreds. What is recognised is the chain in CLIF, whatever operators made it.
//!
//! The rule not to break: a link does nothing but compare, so it makes no difference which of them are
//! passed. Of equal constants the first one counts. A comparison keeps its place in the Wasm file, since
//! Cranelift makes a trap of it where it leads to one (`sites.rs`).

use crate::edges::Edges;
use cranelift_codegen::{
    cursor::{Cursor, FuncCursor},
    ir::{
        Block, BlockCall, Function, Inst, InstBuilder, InstructionData, Opcode, SourceLoc, Value,
        condcodes::IntCC,
    },
};

/// Links of a chain for which a search pays: in shorter ones what is first may well be what is usual.
const MIN_LINKS: usize = 8;
/// So many constants are compared with in a row.
const IN_A_ROW: usize = 3;

/// Makes searches of the chains of `func`.
pub fn switch(func: &mut Function) {
    let edges = Edges::new(func);
    let blocks: Vec<Block> = func.layout.blocks().collect();
    for block in blocks {
        // A link of an earlier chain is not in the layout any more.
        if !func.layout.is_block_inserted(block) {
            continue;
        }
        if let Some(chain) = Chain::new(func, &edges, block) {
            chain.apply(func);
        }
    }
}

/// A comparison at the end of a block.
struct Link {
    branch: Inst,
    value: Value,
    /// The bits of the constant.
    constant: u64,
    equal: BlockCall,
    other: BlockCall,
}

impl Link {
    fn new(func: &Function, block: Block) -> Option<Self> {
        let dfg = &func.dfg;
        let branch = func.layout.last_inst(block)?;
        let InstructionData::Brif { arg, blocks: [then, otherwise], .. } = dfg.insts[branch] else {
            return None;
        };
        let def = |value: Value| {
            dfg.value_def(dfg.resolve_aliases(value)).inst().map(|inst| &dfg.insts[inst])
        };
        // A condition of Wasm is an i32.
        let condition = match def(arg)? {
            InstructionData::Unary { opcode: Opcode::Uextend, arg } => def(*arg)?,
            condition => condition,
        };
        let InstructionData::IntCompare { opcode: Opcode::Icmp, args: [a, b], cond } = condition
        else {
            return None;
        };
        let (equal, other) = match cond {
            IntCC::Equal => (then, otherwise),
            IntCC::NotEqual => (otherwise, then),
            _ => return None,
        };
        let iconst = |value: Value| match def(value) {
            Some(InstructionData::UnaryImm { opcode: Opcode::Iconst, imm }) => Some(imm.bits()),
            _ => None,
        };
        let (value, constant) = match (iconst(*a), iconst(*b)) {
            (None, Some(constant)) => (dfg.resolve_aliases(*a), constant),
            (Some(constant), None) => (dfg.resolve_aliases(*b), constant),
            _ => return None,
        };
        let unused = 64 - dfg.value_type(value).bits();
        let constant = (constant as u64) << unused >> unused;
        Some(Self { branch, value, constant, equal, other })
    }
}

/// Links one after the other.
struct Chain {
    head: Block,
    /// The blocks of the other links, and those between them.
    rest: Vec<Block>,
    links: Vec<Link>,
}

impl Chain {
    /// The chain that begins at the end of `head`, if it is worth a search.
    fn new(func: &Function, edges: &Edges, head: Block) -> Option<Self> {
        let mut links = vec![Link::new(func, head)?];
        let mut rest = Vec::new();
        let mut next = links[0].other.block(&func.dfg.value_lists);
        // So many of the blocks belong to the links so far.
        let mut used = 0;
        while next != head && edges.only_one(func, next) && only_compares(func, next) {
            rest.push(next);
            let end = func.layout.last_inst(next)?;
            next = match &func.dfg.insts[end] {
                // The end of an `if`, before the next one.
                InstructionData::Jump { destination, .. } => destination,
                _ => match Link::new(func, next).filter(|link| link.value == links[0].value) {
                    Some(link) => {
                        used = rest.len();
                        links.push(link);
                        &links[links.len() - 1].other
                    }
                    None => break,
                },
            }
            .block(&func.dfg.value_lists);
        }
        rest.truncate(used);
        (links.len() >= MIN_LINKS).then_some(Self { head, rest, links })
    }

    /// Puts a search in the place of the chain.
    fn apply(self, func: &mut Function) {
        let Self { head, rest, links } = self;
        let (first, last) = (&links[0], &links[links.len() - 1]);
        let (value, srcloc) = (first.value, func.srcloc(first.branch));
        // What leaves with no constant has one place to leave from, whatever it takes along.
        let miss = func.dfg.make_block();
        let default = last.other;
        func.layout.insert_block_after(miss, rest[rest.len() - 1]);
        let mut pos = FuncCursor::new(func).with_srcloc(srcloc);
        pos.goto_bottom(miss);
        let jump = pos.ins().jump(miss, &[]);
        let InstructionData::Jump { destination, .. } = &mut pos.func.dfg.insts[jump] else {
            unreachable!("a jump was just made")
        };
        *destination = default;

        let case = |link: &Link| Case {
            constant: link.constant,
            equal: link.equal,
            srcloc: func.srcloc(link.branch),
        };
        let mut cases: Vec<Case> = links.iter().map(case).collect();
        // Stable, so that the first of equals is kept.
        cases.sort_by_key(|case| case.constant);
        cases.dedup_by_key(|case| case.constant);

        // What links compute may be used elsewhere.
        func.layout.remove_inst(first.branch);
        for block in rest {
            while let Some(inst) = func.layout.first_inst(block) {
                func.layout.remove_inst(inst);
                if !func.dfg.insts[inst].opcode().is_branch() {
                    func.layout.append_inst(inst, head);
                }
            }
            func.layout.remove_block(block);
        }
        let mut pos = FuncCursor::new(func).with_srcloc(srcloc);
        Search { value, miss }.emit(&mut pos, head, &cases);
    }
}

/// A constant and what it leads to.
struct Case {
    constant: u64,
    equal: BlockCall,
    srcloc: SourceLoc,
}

/// Whether the block does nothing but what a comparison needs, or nothing.
fn only_compares(func: &Function, block: Block) -> bool {
    func.layout.block_insts(block).all(|inst| {
        let opcode = func.dfg.insts[inst].opcode();
        matches!(
            opcode,
            Opcode::Iconst | Opcode::Icmp | Opcode::Uextend | Opcode::Brif | Opcode::Jump
        )
    })
}

/// A search for `value` that ends in `miss` where it is none of the cases.
struct Search {
    value: Value,
    miss: Block,
}

impl Search {
    /// Emits the search among `cases`, in rising order, at the end of `block`.
    fn emit(&self, pos: &mut FuncCursor<'_>, block: Block, cases: &[Case]) {
        let ty = pos.func.dfg.value_type(self.value);
        if cases.len() > IN_A_ROW {
            let (low, high) = cases.split_at(cases.len() / 2);
            let [below, above] = [(); 2].map(|()| self.block(pos));
            pos.goto_bottom(block);
            let middle = pos.ins().iconst(ty, high[0].constant as i64);
            let less = pos.ins().icmp(IntCC::UnsignedLessThan, self.value, middle);
            pos.ins().brif(less, below, &[], above, &[]);
            self.emit(pos, below, low);
            self.emit(pos, above, high);
            return;
        }
        let mut block = block;
        for (index, case) in cases.iter().enumerate() {
            let other = if index + 1 < cases.len() { self.block(pos) } else { self.miss };
            pos.goto_bottom(block);
            pos.set_srcloc(case.srcloc);
            let constant = pos.ins().iconst(ty, case.constant as i64);
            let is_equal = pos.ins().icmp(IntCC::Equal, self.value, constant);
            let branch = pos.ins().brif(is_equal, self.miss, &[], other, &[]);
            let InstructionData::Brif { blocks: [then, _], .. } = &mut pos.func.dfg.insts[branch]
            else {
                unreachable!("a branch was just made")
            };
            *then = case.equal;
            block = other;
        }
    }

    /// A new block, before `miss`.
    fn block(&self, pos: &mut FuncCursor<'_>) -> Block {
        let block = pos.func.dfg.make_block();
        pos.func.layout.insert_block(block, self.miss);
        block
    }
}
