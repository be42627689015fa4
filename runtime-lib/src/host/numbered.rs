//! A table of Rust functions as native code.
//!
//! The functions of a table are values and have no types of their own, from which `typed.rs` makes
//! its shims; but each has a number, and that can be part of a shim's code. All shims have one
//! signature, `base` and five words: on every machine that code is generated for, so many integers
//! come in registers, an `i32` with anything in the high half of its own, and the result goes in
//! one. What a guest does not pass is some value that nobody looks at.

use super::{Caller, HostError, Imports};
use lithify_abi::types::{FuncType, ValType};
use std::ffi::c_void;

/// Host functions that are told apart by their number in a table.
pub trait Numbered: 'static {
    /// Calls one of them. An `i32` is in the low half of its word, with anything in the high half;
    /// there may be more words than the function has parameters. The result is ignored where there
    /// is none.
    fn call(number: usize, caller: &mut Caller<'_>, words: &[u64]) -> Result<u64, HostError>;
}

/// How many arguments come in registers beside `base`.
const WORDS: usize = 5;

type Shim = unsafe extern "C" fn(*mut u8, u64, u64, u64, u64, u64) -> u64;

/// What a guest calls for number `16 * HIGH + LOW`.
///
/// # Safety
///
/// Only for compiled code, which passes its own `base`.
unsafe extern "C" fn shim<T: Numbered, const HIGH: usize, const LOW: usize>(
    base: *mut u8,
    a: u64,
    b: u64,
    c: u64,
    d: u64,
    e: u64,
) -> u64 {
    // SAFETY: as for this function, whose frame holds plain values only.
    unsafe { enter::<T>(base, 16 * HIGH + LOW, &[a, b, c, d, e]) }
}

/// What all shims share.
///
/// # Safety
///
/// Only for a shim, which passes what it got.
#[inline(never)]
unsafe fn enter<T: Numbered>(base: *mut u8, number: usize, words: &[u64; WORDS]) -> u64 {
    // SAFETY: compiled code passed `base` to the shim; both frames hold plain values only.
    unsafe { Caller::enter(base, |caller| T::call(number, caller, words)) }
}

macro_rules! shims {
    ($table:ident: $($high:literal)*) => {
        [$(shims!($table $high: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)),*]
    };
    ($table:ident $high:literal: $($low:literal)*) => {
        [$(shim::<$table, $high, $low> as Shim),*]
    };
}

impl Imports {
    /// Provides function `number` of `T`, whose type `ty` has at most one result and no vectors.
    /// It is native code where all values are integers, with at most five parameters, and the
    /// number is below 256.
    pub fn numbered<T: Numbered>(
        &mut self,
        module: &str,
        name: &str,
        ty: &FuncType,
        number: usize,
    ) -> &mut Self {
        let shims = const { shims!(T: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15) };
        let shim = shims.as_flattened().get(number);
        if let Some(shim) = shim.filter(|_| in_registers(ty)) {
            // SAFETY: a shim takes what functions of this type get, reads no more than registers,
            // and turns errors and panics into traps.
            return unsafe { self.native(module, name, ty.clone(), *shim as *const c_void) };
        }
        self.func(module, name, ty.clone(), move |caller, values| {
            let words: Vec<_> = values.iter().map(|value| *value as u64).collect();
            let result = T::call(number, caller, &words)?;
            if let Some(first) = values.first_mut() {
                *first = result.into();
            }
            Ok(())
        })
    }
}

/// Whether arguments and result of a function are words in registers.
fn in_registers(ty: &FuncType) -> bool {
    let integer = |ty: &ValType| matches!(ty, ValType::I32 | ValType::I64);
    ty.params.len() <= WORDS
        && ty.results.len() <= 1
        && ty.params.iter().chain(&ty.results).all(integer)
}
