//! What a module may be at most.
//!
//! Every limit is there because something grows faster than the module's bytes. One function below
//! them compiles in seconds and in some hundred MB; one that optimising is quadratic in is compiled
//! plainly. The largest figures among 20 modules are beside each limit: runtimes, Kusama's and
//! Westend's among them, and Go programs.

use crate::{
    error::{CompileError, Excess},
    index::FuncIndex,
};
use std::sync::atomic::{AtomicU64, Ordering};

type Result<T> = std::result::Result<T, CompileError>;

/// Bytes of a module. Met: 7.4 MB; chains accept 50 MiB.
pub const MODULE: u64 = 128 << 20;
/// Functions, imported ones among them. Met: 7 087.
pub const FUNCTIONS: u64 = 200_000;
/// Imports. Met: 51.
pub const IMPORTS: u64 = 10_000;
/// Items of all element segments. Met: 3 674.
pub const ELEMENTS: u64 = 4 << 20;
/// Elements that all tables begin with. Met: 3 675.
pub const TABLES: u64 = 16 << 20;
/// Bytes of initial memory that an image holds. Met: 1.9 MB.
pub const MEMORY_IMAGE: u64 = 64 << 20;
/// Bytes of a function body. Met: 113 726.
pub const BODY: u64 = 1 << 20;
/// Blocks within blocks. Met: 549.
pub const NESTING: u64 = 10_000;
/// Branches in a function, and ends of blocks that code runs into: each is an edge between basic
/// blocks, in whose number the code generator is quadratic. A `br_table` is one whatever its
/// length. Met: 6 591.
pub const BRANCHES: u64 = 32 << 10;
/// Targets of one `br_table`, its default apart. Met: 534; wasmtime refuses more.
pub const BR_TABLE: u64 = 65_520;
/// Values that the calls in a function pass and get back, each of which is moved where the
/// convention wants it. Met: below 47 000.
pub const CALL_OPERANDS: u64 = 128 << 10;
/// Work of a function: its operators, its locals, the operands that its branches carry, and its
/// locals again at every branch, which all may have to be merged there. Met: 2.8 million.
pub const FUNCTION_WORK: u64 = 8 << 20;
/// Work of all functions: some 100 MB of a module. Met: 13 million.
pub const MODULE_WORK: u64 = 160 << 20;
/// Bytes of a function body that is optimised. Values may be alive from one end of it to the other,
/// without a local to show it, and in their number the code generator is quadratic. A longer one is
/// compiled plainly: its values live in its frame. Met: 113 726.
pub const OPTIMISED_BODY: u64 = 256 << 10;
/// Steps for each byte of a function body that is optimised: two for each branch before an operator,
/// 8 for each local and operand, 256 for each loop around it, for a `br_table` the square of its
/// length for each local, and for a body that is inlined its locals for each block before it. Each stands for something in the code generator that is quadratic, and
/// for some 2 ns. A function beyond it is compiled plainly, too. Met: below 4 000.
pub const STEPS: u64 = 6 << 10;
/// Operands that the branches of a function carry which is not optimised: the register allocator is
/// quadratic in them. Met: there is no such function.
pub const PLAIN_CARRIED: u64 = 4 << 10;
/// Steps that are a unit of work.
pub const STEPS_OF_WORK: u64 = 1024;
/// Work of declaring a local.
pub const LOCAL_WORK: u64 = 4;

/// Bytes of code, on every machine: a call on aarch64 reaches 128 MiB to either side, and no more
/// than that is between any two places of the text. Met: 12 MB.
pub const TEXT: u64 = 128 << 20;

/// Steps that optimising a body of `bytes` may take.
pub(crate) fn steps(bytes: u64) -> u64 {
    if bytes > OPTIMISED_BODY { 0 } else { STEPS * bytes }
}

/// An error when `found` is beyond `limit`; `what` takes the place of the number's unit.
pub(crate) fn check(found: u64, limit: u64, what: &'static str) -> Result<()> {
    refuse_beyond(None, found, limit, what)
}

/// An error when the function has more than `limit` of `what`.
pub(crate) fn check_function(
    func: FuncIndex,
    found: u64,
    limit: u64,
    what: &'static str,
) -> Result<()> {
    refuse_beyond(Some(func), found, limit, what)
}

fn refuse_beyond(
    func: Option<FuncIndex>,
    found: u64,
    limit: u64,
    what: &'static str,
) -> Result<()> {
    if found <= limit {
        return Ok(());
    }
    let (func, found) = (func.map(FuncIndex::as_u32), Some(found));
    Err(CompileError::Limit(Excess { func, what, found, limit }))
}

/// Work done by all workers.
#[derive(Default)]
pub(crate) struct Work(AtomicU64);

impl Work {
    /// Adds the work of a function.
    pub fn add(&self, work: u64) -> Result<()> {
        let before = self.0.fetch_add(work, Ordering::Relaxed);
        refuse_sum(before + work, MODULE_WORK, "units of work in all functions")
    }
}

/// An error when the code of functions that were compiled so far, `len` bytes, is too long.
pub(crate) fn check_text(len: u64) -> Result<()> {
    refuse_sum(len, TEXT, "bytes of code")
}

/// An error when a sum over functions is beyond `limit`. What it is when it becomes too much depends
/// on the workers; the message does not.
fn refuse_sum(sum: u64, limit: u64, what: &'static str) -> Result<()> {
    if sum <= limit {
        return Ok(());
    }
    Err(CompileError::Limit(Excess { func: None, what, found: None, limit }))
}
