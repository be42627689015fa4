//! Decides from the call graph which calls are translated as the body that they reach.
//!
//! Two kinds of functions are: small ones that call nothing, wherever they are called, more
//! of them in loops; and those with a single caller and no other way in, which leave nothing
//! behind: they are not compiled for themselves where that call was their last one.
//!
//! The rule not to break: what is decided here depends on the module alone, so that the code does
//! not depend on who compiles what first. Bodies are not validated yet; what is read of an invalid one
//! is of no matter, since it is validated again where it is translated.
//!
//! Not here: how it is done (`translate/inline.rs`).

use crate::{
    index::FuncIndex,
    module::{Body, Module},
    options::Inline,
    vmctx::{TablePlace, VmctxPlan},
};
use cranelift_codegen::entity::SecondaryMap;
use wasmparser::Operator;

/// Operators of a function without calls that is inlined everywhere.
const LEAF: u32 = 20;
/// The same, where the call is in a loop.
const LEAF_IN_LOOP: u32 = 60;
/// Operators of a function with a single caller that is inlined there.
const ALONE: u32 = 400;
/// Inlined bodies within each other.
pub const DEPTH: usize = 8;
/// Bytes of bodies that are inlined in a function, at least, ...
const GROWTH: u64 = 4 << 10;
/// ... and what a function has at most with them.
const GROWN: u64 = 48 << 10;

/// What the call graph says of each function.
#[derive(Default)]
pub struct Inlining {
    callees: SecondaryMap<FuncIndex, Callee>,
}

/// A function as the calls of it see it.
#[derive(Clone, Copy, Default)]
struct Callee {
    /// Operators of its body; 0 where it has none that can be read.
    operators: u32,
    /// Whether it calls functions.
    calls: bool,
    /// Direct calls of it.
    callers: u32,
    /// Whether it can be called in another way.
    named: bool,
}

impl Callee {
    fn is_alone(self) -> bool {
        self.callers == 1 && !self.named && (1..=ALONE).contains(&self.operators)
    }
}

impl Inlining {
    /// Reads the bodies of `module` once.
    pub fn new(module: &Module<'_>, plan: &VmctxPlan, inline: Inline) -> Self {
        let mut this = Self::default();
        if inline == Inline::Off {
            return this;
        }
        for (index, body) in module.defined() {
            this.read(index, body);
        }
        let in_tables = plan.tables.values().flat_map(|table| match table {
            TablePlace::ReadOnly(functions) => &functions[..],
            TablePlace::Mutable(_) => &[],
        });
        let named = (module.exported_functions().chain(module.start))
            .chain(plan.func_records.values().copied())
            .chain(in_tables.filter_map(|function| *function));
        for index in named {
            this.callees[index].named = true;
        }
        this
    }

    fn read(&mut self, index: FuncIndex, body: &Body<'_>) {
        let Ok(mut operators) = body.body.get_operators_reader() else { return };
        let mut this = self.callees[index];
        while !operators.eof() {
            let Ok(operator) = operators.read() else { return };
            this.operators += 1;
            match operator {
                Operator::Call { function_index } => {
                    this.calls = true;
                    // The number can be anything yet.
                    if (function_index as usize) < crate::limits::FUNCTIONS as usize {
                        let callee = &mut self.callees[FuncIndex::from_u32(function_index)];
                        callee.callers = callee.callers.saturating_add(1);
                    }
                }
                Operator::CallIndirect { .. } => this.calls = true,
                _ => {}
            }
        }
        let callee = &mut self.callees[index];
        (callee.operators, callee.calls) = (this.operators, this.calls);
    }

    /// Whether a call of `callee` is worth its body.
    pub fn is_worth(&self, callee: FuncIndex, in_loop: bool) -> bool {
        let of = self.callees[callee];
        let leaf = if in_loop { LEAF_IN_LOOP } else { LEAF };
        of.is_alone() || (!of.calls && (1..=leaf).contains(&of.operators))
    }

    /// Whether a function is only compiled where the code of another one turns out to call it, which
    /// is one other at most.
    pub fn is_optional(&self, index: FuncIndex) -> bool {
        self.callees[index].is_alone()
    }

    /// Bytes of bodies that may be inlined in a function of `bytes`.
    pub fn room(&self, bytes: u64) -> u64 {
        bytes.max(GROWTH).min(GROWN.saturating_sub(bytes))
    }
}
