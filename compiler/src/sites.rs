//! The places of a compiled function where it can trap, and where its calls return.

use crate::isa;
use cranelift_codegen::{
    CompiledCode,
    ir::{Function, InstructionData, Opcode},
};
use lithify_abi::{
    site::{self, Site},
    trap::TrapCode,
};
use std::collections::HashMap;

/// Where an `unreachable` is, by the position of a branch to it. Cranelift makes a trap of the
/// branch where nothing is between the two, which then has the branch's position.
#[derive(Debug, Default)]
pub struct Unreachable(HashMap<u32, u32>);

impl Unreachable {
    /// Those of a function that was translated, and not yet optimised.
    pub fn new(func: &Function) -> Self {
        let ends = || func.layout.blocks().filter_map(|block| func.layout.last_inst(block));
        let code = isa::trap_code(TrapCode::Unreachable);
        let is_one = |data| matches!(data, InstructionData::Trap { code: of, .. } if of == code);
        let traps: HashMap<_, _> = (ends().filter(|inst| is_one(func.dfg.insts[*inst])))
            .filter_map(|inst| Some((func.layout.inst_block(inst)?, func.srcloc(inst).bits())))
            .collect();
        if traps.is_empty() {
            return Self::default();
        }
        let branches = ends().filter(|inst| func.dfg.insts[*inst].opcode() == Opcode::Brif);
        let found = branches.filter_map(|inst| {
            let dfg = &func.dfg;
            let ways = dfg.insts[inst].branch_destination(&dfg.jump_tables, &dfg.exception_tables);
            let trap = ways.iter().find_map(|way| traps.get(&way.block(&dfg.value_lists)))?;
            Some((func.srcloc(inst).bits(), *trap))
        });
        Self(found.collect())
    }
}

/// Trap sites and call sites in order of their address, of a function whose first operator is at
/// `start`. Source locations in CLIF are positions, see [`site`].
pub fn sites(compiled: &CompiledCode, start: u32, unreachable: &Unreachable) -> Vec<Site> {
    let traps = (compiled.buffer.traps().iter())
        .map(|trap| (trap.offset, trap.offset, isa::from_trap_code(trap.code) as u8));
    // A call's return address is the byte after it: the call itself is one byte before.
    let calls = compiled.buffer.call_sites().map(|s| (s.ret_addr, s.ret_addr - 1, site::CALL));
    let mut sites: Vec<(u32, u32, u8)> = traps.chain(calls).collect();
    sites.sort_unstable();
    let mut locations = compiled.buffer.get_srclocs_sorted().iter().peekable();
    let mut position = start;
    (sites.into_iter())
        .map(|(code, inside, kind)| {
            while let Some(location) = locations.next_if(|l| l.start <= inside) {
                if !location.loc.is_default() {
                    position = location.loc.bits();
                }
            }
            let position = match kind == TrapCode::Unreachable as u8 {
                true => unreachable.0.get(&position).copied().unwrap_or(position),
                false => position,
            };
            Site { code, position, kind }
        })
        .collect()
}
