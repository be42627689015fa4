//! How many branches lead to each block of a function, for passes over its CLIF.

use cranelift_codegen::{
    entity::SecondaryMap,
    ir::{Block, Function},
};

/// How many branches lead to each block of a function.
pub struct Edges(SecondaryMap<Block, u32>);

impl Edges {
    /// Counts them.
    pub fn new(func: &Function) -> Self {
        let mut counts = SecondaryMap::new();
        for block in func.layout.blocks() {
            for call in func.layout.last_inst(block).into_iter().flat_map(|branch| {
                func.dfg.insts[branch]
                    .branch_destination(&func.dfg.jump_tables, &func.dfg.exception_tables)
            }) {
                counts[call.block(&func.dfg.value_lists)] += 1;
            }
        }
        Self(counts)
    }

    /// Whether one branch leads to `block`, and brings nothing.
    pub fn only_one(&self, func: &Function, block: Block) -> bool {
        self.0[block] == 1 && func.dfg.num_block_params(block) == 0
    }
}
