//! Proves of functions that they copy or fill memory: guest `memcpy`, `memmove`, `memset` and their kin.
//!
//! ```text
//! (func (param $to i32) (param $from i32) (param $len i32) (result i32)) -> Copying { Copy, any, aligned }
//! (func (param $to i32) (param $byte i32) (param $len i32) (result i32)) -> Copying { Fill, any, aligned }
//! (func (param $to i32) (param $len i32)), with zeros                    -> Copying { Fill, any, aligned }
//! ```
//!
//! Most copies of a runtime are of a few bytes, for which such a function takes a hundred instructions.
//! They have another body with each compiler, so neither name nor bytes say what one does; but for one
//! length, and addresses of which only the last bits are known, a body has one way through. So each
//! length up to a bound is run (`run.rs`) on what is known of values (`value.rs`), and what has been
//! stored in the end is looked at. For the lengths that were proved, translation puts a copy in line before
//! the body (`translate/copy.rs`), which stays for all else.
//!
//! The rule not to break: what was proved holds where [the copy's guard](MARGIN) does, and is all that the
//! body does: memory, globals and results are the same with it and without. A body that writes anywhere else,
//! to its stack for one, is no copy at that length.
//!
//! Bodies are not validated yet; an invalid one proves nothing, and is refused where it is translated.

mod run;
mod value;

use crate::{
    index::FuncIndex,
    module::{Body, Module},
    options::{Options, Tier},
    short::{Bulk, LONGEST},
};
use cranelift_codegen::entity::SecondaryMap;
use lithify_abi::types::{FuncType, ValType};
use run::Program;

/// Bytes before and behind either range that belong to memory too, by the guard: a body may read there,
/// and its pointers don't wrap around.
pub const MARGIN: u32 = 16;
/// Low bits of addresses that a body may look at: those within a word of a Wasm compiler, and of most bodies.
const WORD_BITS: u32 = 2;
/// The same of the one address that is filled at.
const FILL_BITS: u32 = 3;
/// Operators of a body that is tried.
const OPERATORS: usize = 4096;
/// Operators that are run for all functions of a module. A proof of a real one takes 24 000 to 540 000.
const STEPS: u32 = 2_000_000;

/// What was proved of a function `(to, from, len)`: that it copies, when both ranges are inside of memory
/// with [`MARGIN`] bytes around and are apart; or of one `(to, byte, len)`, or `(to, len)` with zeros, that
/// it fills such a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copying {
    /// Which of the two.
    pub bulk: Bulk,
    /// It does for every length from 1 to this one.
    pub any: u32,
    /// It does for every length from 1 to this one when both addresses are the same modulo 4.
    pub aligned: u32,
}

/// The functions of a module that copy or fill.
#[derive(Default)]
pub struct Copyings(SecondaryMap<FuncIndex, Option<Copying>>);

impl Copyings {
    /// Tries all functions of `module` that may copy, if it is optimised.
    pub fn new(module: &Module<'_>, options: &Options) -> Self {
        let mut this = Self::default();
        if options.tier == Tier::Fast {
            return this;
        }
        // The guard takes a page for granted.
        if module.memory.is_none_or(|memory| memory.min == 0) {
            return this;
        }
        let mut steps = STEPS;
        for (index, body) in module.defined() {
            let ty = module.function_type(index);
            let fits = ty.params == [ValType::I32; 3] || ty.params == [ValType::I32; 2];
            if fits && matches!(ty.results[..], [] | [ValType::I32]) {
                this.0[index] = prove(body, ty, &mut steps);
            }
        }
        this
    }

    /// What was proved of a function.
    pub fn of(&self, index: FuncIndex) -> Option<Copying> {
        self.0[index]
    }
}

/// Where the ranges of a copy lie, and how long they are.
#[derive(Clone, Copy)]
struct Case {
    len: u32,
    /// How many of the lowest bits of addresses are known, and what they are of destination and source.
    bits: u32,
    to: u32,
    from: u32,
}

fn prove(body: &Body<'_>, ty: &FuncType, steps: &mut u32) -> Option<Copying> {
    let program = Program::new(&body.body, ty, OPERATORS)?;
    let mut proved = Copying { bulk: program.bulk, any: 0, aligned: 0 };
    for len in 1..=LONGEST {
        if program.bulk == Bulk::Fill {
            let mut at = |to| program.does_it(Case { len, bits: FILL_BITS, to, from: 0 }, steps);
            if !(0..1 << FILL_BITS).all(&mut at) {
                break;
            }
            (proved.any, proved.aligned) = (len, len);
            continue;
        }
        // A body that goes by the byte does so wherever things are.
        let mut anywhere = || program.does_it(Case { len, bits: 0, to: 0, from: 0 }, steps);
        let any = proved.any == proved.aligned && anywhere();
        let mut so_far_apart = |apart: u32| {
            let places = 1 << WORD_BITS;
            (0..places).all(|to| {
                let from = (to + apart) % places;
                program.does_it(Case { len, bits: WORD_BITS, to, from }, steps)
            })
        };
        if !any && !so_far_apart(0) {
            break;
        }
        let any = any || proved.any == proved.aligned && (1..1 << WORD_BITS).all(so_far_apart);
        proved.aligned = len;
        if any {
            proved.any = len;
        }
    }
    (proved.aligned > 0).then_some(proved)
}
