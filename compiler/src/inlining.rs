//! Decides from the call graph which calls are translated as the body that they reach.
//!
//! Two kinds of functions are: small ones wherever they are called, larger ones in loops, and if
//! they call nothing; and those with a single caller and no other way in, which leave nothing
//! behind: they are not compiled for themselves where that call was their last one. What ends in
//! `unreachable` stays where it is: it runs where something has gone wrong.
//!
//! With a profile, what did not run is not inlined, and what is hot is inlined in hot functions where it
//! is longer than elsewhere.
//!
//! The rule not to break: what is decided here depends on module and options alone, so that the code
//! does not depend on who compiles what first. Bodies are not validated yet; what is read of an invalid
//! one is of no matter, since it is validated again where it is translated.
//!
//! Not here: how it is done (`translate/inline.rs`).

use crate::{
    copying::Copyings,
    heat::{Warmth, Warmths},
    index::FuncIndex,
    module::{Body, Module},
    options::{Inline, Options},
    vmctx::{TablePlace, VmctxPlan},
};
use cranelift_codegen::entity::SecondaryMap;
use wasmparser::Operator;

/// Operators of a function without calls that is inlined everywhere.
const LEAF: u32 = 40;
/// The same, where the call is in a loop.
const LEAF_IN_LOOP: u32 = 80;
/// Operators of a function that calls others which is inlined everywhere.
const CALLING: u32 = 40;
/// The same, where the call is in a loop.
const CALLING_IN_LOOP: u32 = 60;
/// So many times as many operators, where a hot function calls another one.
const HOT: u32 = 2;
/// Operators of a function with a single caller that is inlined there.
const ALONE: u32 = 400;
/// Inlined bodies within each other.
pub const DEPTH: usize = 8;
/// Bytes of copies that any function may have, beside half of its own bytes.
const COPIES: u64 = 256;
/// Bytes that a function has at most with what is inlined in it.
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
    /// Whether its body ends in `unreachable`: it is called where something has gone wrong.
    diverges: bool,
    /// Whether it calls itself.
    recursive: bool,
    /// Whether it copies memory: what its code begins with (`copying.rs`) is better than its body.
    copies: bool,
    /// What a profile says of it.
    warmth: Warmth,
}

impl Callee {
    fn is_alone(self) -> bool {
        let stays = self.named || self.diverges || self.copies || self.warmth == Warmth::Cold;
        self.callers == 1 && !stays && (1..=ALONE).contains(&self.operators)
    }
}

impl Inlining {
    /// Reads the bodies of `module` once.
    pub fn new(
        module: &Module<'_>,
        plan: &VmctxPlan,
        options: &Options,
        warmths: &Warmths,
        copyings: &Copyings,
    ) -> Self {
        let mut this = Self::default();
        if options.inlines() == Inline::Off {
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
        for (index, _) in module.defined() {
            this.callees[index].warmth = warmths.of(index);
            this.callees[index].copies = copyings.of(index).is_some();
        }
        this
    }

    fn read(&mut self, index: FuncIndex, body: &Body<'_>) {
        let Ok(mut operators) = body.body.get_operators_reader() else { return };
        let mut this = self.callees[index];
        while !operators.eof() {
            let Ok(operator) = operators.read() else { return };
            this.operators += 1;
            if !matches!(operator, Operator::End) {
                this.diverges = matches!(operator, Operator::Unreachable);
            }
            match operator {
                Operator::Call { function_index } => {
                    this.calls = true;
                    this.recursive |= function_index == index.as_u32();
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
        *callee = Callee { callers: callee.callers, ..this };
    }

    /// What translating a call of `callee` in the body of `caller` as its body is to the size of the
    /// code; none where that is not worth it. The call is perhaps in a loop, and in a body that is
    /// itself a copy.
    pub fn price(
        &self,
        caller: FuncIndex,
        callee: FuncIndex,
        in_loop: bool,
        in_copy: bool,
    ) -> Option<Price> {
        let of = self.callees[callee];
        if of.is_alone() && !in_copy {
            return Some(Price::Moved);
        }
        let most = match (of.calls, in_loop) {
            (false, false) => LEAF,
            (false, true) => LEAF_IN_LOOP,
            (true, false) => CALLING,
            (true, true) => CALLING_IN_LOOP,
        };
        let hot = self.callees[caller].warmth == Warmth::Hot && of.warmth == Warmth::Hot;
        let most = if hot { HOT * most } else { most };
        let small = (1..=most).contains(&of.operators) && of.warmth != Warmth::Cold;
        (small && !of.diverges && !of.recursive && !of.copies).then_some(Price::Copied)
    }

    /// Whether a function is only compiled where the code of another one turns out to call it.
    pub fn is_optional(&self, index: FuncIndex) -> bool {
        self.callees[index].is_alone()
    }

    /// Bytes of bodies that may be inlined in a function of `bytes`: copies, and all.
    pub fn room(&self, bytes: u64) -> Room {
        let all = GROWN.saturating_sub(bytes);
        Room { copies: (COPIES + bytes / 2).min(all), all }
    }
}

/// What an inlined body is to the size of the code.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Price {
    /// It has no code elsewhere.
    Moved,
    /// It has.
    Copied,
}

/// Bytes of bodies that may be inlined in a function.
#[derive(Clone, Copy, Default)]
pub struct Room {
    copies: u64,
    all: u64,
}

impl Room {
    /// The room that is left after a body of `bytes`; none where it does not fit.
    pub fn after(self, price: Price, bytes: u64) -> Option<Self> {
        let copies = if price == Price::Copied { bytes } else { 0 };
        Some(Self { copies: self.copies.checked_sub(copies)?, all: self.all.checked_sub(bytes)? })
    }
}
