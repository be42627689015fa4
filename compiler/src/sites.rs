//! The places of a compiled function where it can trap, and where its calls return; and which operators
//! its code is of.

use crate::isa;
use cranelift_codegen::{
    CompiledCode,
    ir::{Function, InstructionData, Opcode},
};
use lithify_abi::{
    site::{self, Inlined, Site},
    trap::TrapCode,
};
use std::{collections::HashMap, ops::Range};

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

/// Which operators the code of a function is of.
#[derive(Clone, Debug)]
pub struct Origins {
    /// The position where the own body ends, and the inlined ones begin.
    pub end: u32,
    /// The inlined bodies.
    pub inlined: Vec<Inlined>,
    /// Where the code of operators begins, in rising order from the start of the function.
    pub rows: Vec<Row>,
}

/// From here on, code is of this operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Offset of the code from the function's start, in bytes.
    pub code: u32,
    /// Position of the operator.
    pub position: u32,
}

impl Origins {
    /// Those of a function whose `body` lies there in the Wasm file and holds the `inlined` ones. At
    /// each of its `sites` they are what the site says.
    pub fn new(
        compiled: &CompiledCode,
        body: Range<u32>,
        inlined: &[Inlined],
        sites: &[Site],
    ) -> Self {
        let mut rows = vec![Row { code: 0, position: body.start }];
        let mut add = |code, position| {
            // The later one says what is there.
            rows.pop_if(|last: &mut Row| last.code == code);
            rows.push(Row { code, position });
        };
        let mut traps = sites.iter().filter(|site| site.kind != site::CALL).peekable();
        for location in compiled.buffer.get_srclocs_sorted() {
            if location.loc.is_default() {
                continue;
            }
            let position = location.loc.bits();
            add(location.start, position);
            let mut is_moved = false;
            while let Some(trap) = traps.next_if(|trap| trap.code < location.end) {
                // A trap that was a branch's has the place of the trap.
                if trap.code >= location.start && (is_moved || trap.position != position) {
                    is_moved = true;
                    add(trap.code, trap.position);
                }
            }
            if is_moved {
                add(location.end, position);
            }
        }
        let len = compiled.code_buffer().len() as u32;
        rows.retain(|row| row.code < len);
        Self { end: body.end, inlined: inlined.to_vec(), rows }
    }
}
