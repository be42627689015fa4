//! Traps in the words of a node's engine, which nodes log and tests compare.

use lithify_runtime::{Trap, TrapCode};
use sc_executor_common::error::{Backtrace, Error, MessageWithBacktrace};
use std::fmt::Write;

/// The error of a call that trapped, after the guest may have said why it panics.
pub fn error(trap: &Trap, panic: Option<String>) -> Error {
    let backtrace = backtrace(trap);
    match panic {
        Some(message) => Error::AbortedDueToPanic(MessageWithBacktrace { message, backtrace }),
        None => {
            let message = message(trap);
            Error::AbortedDueToTrap(MessageWithBacktrace { message, backtrace })
        }
    }
}

fn message(trap: &Trap) -> String {
    let words = match trap.code {
        TrapCode::Host => return trap.message.clone().unwrap_or_default(),
        TrapCode::MissingHostFunction => {
            return format!("call to a missing function {}", missing(trap));
        }
        TrapCode::Unreachable => "wasm `unreachable` instruction executed",
        TrapCode::TableOutOfBounds | TrapCode::UndefinedElement => {
            "undefined element: out of bounds table access"
        }
        code => code.message(),
    };
    format!("wasm trap: {words}")
}

/// `env:name` of what is `env.name: type` in a trap.
fn missing(trap: &Trap) -> String {
    let text = trap.message.as_deref().unwrap_or_default();
    let name = text.rsplit_once(": ").map_or(text, |(name, _)| name);
    name.replacen('.', ":", 1)
}

fn backtrace(trap: &Trap) -> Option<Backtrace> {
    if trap.backtrace.is_empty() {
        return None;
    }
    let mut text = String::from("error while executing at wasm backtrace:");
    for (index, frame) in trap.backtrace.iter().enumerate() {
        // Writing to a string never fails.
        let _ = write!(text, "\n  {index:>3}: {frame}");
    }
    Some(Backtrace { backtrace_string: text })
}
