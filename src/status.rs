//! Says by the exit status why a command ended.
//!
//! | status | |
//! |---|---|
//! | 0 | done |
//! | 1 | failed; `check`, `verify`: the answer is no; `compare`: a call is slower |
//! | 2 | wrong usage; `check`, `verify`, `compare`: there is no answer |
//! | 101 | a fault of Lithify's own, with a message that says so |
//! | 124 | the guest was stopped at its deadline, as `timeout(1)` has it |
//! | 130 | a measurement was interrupted, and reported what there is, if anything |
//! | 134 | the guest trapped |
//! | other | `run` of a program: its own |
//!
//! An error keeps its type on the way up, and here alone a type becomes a number.

use lithify_polkadot::{CallError, native::RuntimeError};
use lithify_runtime::{InstanceError, Trap, TrapCode};
use std::error::Error;

/// Something went wrong.
const FAILED: u8 = 1;
/// The command line asks for what there is not.
pub const USAGE: u8 = 2;
/// What `timeout(1)` ends with when it stopped a command.
pub const LATE: u8 = 124;
/// A measurement was interrupted, as a shell has it of SIGINT.
#[cfg(feature = "bench")]
pub const INTERRUPTED: u8 = 130;
/// A process that aborted has this one, and a guest that traps is to its host what such a process is.
const TRAPPED: u8 = 134;

/// The exit status for `error`. Where a command is a `question`, trouble is not an answer.
pub fn of(error: &anyhow::Error, question: bool) -> u8 {
    let status = error.chain().find_map(|cause| match trap(cause) {
        Some(trap) => Some(of_trap(trap)),
        None if cause.is::<Usage>() => Some(USAGE),
        None if cause.is::<Exit>() => cause.downcast_ref().map(|Exit(status)| *status),
        None if cause.is::<No>() => Some(FAILED),
        #[cfg(feature = "bench")]
        None if cause.is::<lithify_bench::Stop>() => Some(INTERRUPTED),
        None => None,
    });
    status.unwrap_or(trouble(question))
}

/// The exit status of trouble: where a command is a question, 1 would be an answer.
pub fn trouble(question: bool) -> u8 {
    if question { USAGE } else { FAILED }
}

/// The exit status for a guest that stopped.
fn of_trap(trap: &Trap) -> u8 {
    match trap.code {
        TrapCode::Deadline => LATE,
        _ => TRAPPED,
    }
}

/// The trap that an error is, in any of the forms in which the runtime library reports one.
fn trap<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e Trap> {
    if let Some(trap) = error.downcast_ref::<Trap>() {
        return Some(trap);
    }
    if let Some(InstanceError::Trap(trap)) = error.downcast_ref() {
        return Some(trap);
    }
    let call = match error.downcast_ref::<RuntimeError>() {
        Some(RuntimeError::Call(call)) => Some(call),
        Some(RuntimeError::Instance(InstanceError::Trap(trap))) => return Some(trap),
        _ => error.downcast_ref::<CallError<Trap>>(),
    };
    match call? {
        CallError::Trap { trap, .. } => Some(trap),
        _ => None,
    }
}

/// Wrong usage that only shows once a command looks at its arguments together, or at what they name.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// A program ended with a status of its own, about which there is nothing to say.
#[derive(Debug, thiserror::Error)]
#[error("the program ended with status {0}")]
pub struct Exit(pub u8);

/// The answer of a command that is a question.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct No(pub String);

/// A runtime that is refused, and the option that gets past it.
#[derive(Debug, thiserror::Error)]
#[error("{error}{}{way_out}", if matches!(error, RuntimeError::Image(_)) { "\n" } else { "; " })]
pub struct Refused {
    /// Why.
    pub error: RuntimeError,
    /// In half a sentence.
    pub way_out: &'static str,
}
