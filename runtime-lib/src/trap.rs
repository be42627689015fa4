//! What an embedder learns when a guest stops, and why a host function stops one.

use lithify_abi::plain::Plain;
use lithify_abi::trap::TrapCode;
use std::fmt;

/// A guest stopped before it returned. The instance can be called again, with what the call
/// left in its memory and globals.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Trap {
    /// Why.
    pub code: TrapCode,
    /// The words of the host function that failed, or which one is missing.
    pub message: Option<String>,
    /// The guest functions that were running, the innermost first; at most 64.
    pub backtrace: Vec<Frame>,
}

/// A guest function that was running.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Frame {
    /// Function index.
    pub func_index: u32,
    /// Name from the name section, or the export's; empty when it has none.
    pub name: String,
    /// Offset of the operator in the Wasm file, in bytes: the one that trapped in the first
    /// frame, the call in the others. Unknown for a stack overflow in a function's prologue.
    pub wasm_offset: Option<u32>,
}

impl Trap {
    /// A trap outside of any guest function, as when a segment does not fit.
    pub(crate) fn bare(code: TrapCode) -> Self {
        Self { code, message: None, backtrace: Vec::new() }
    }

    /// The innermost guest function.
    pub fn frame(&self) -> Option<&Frame> {
        self.backtrace.first()
    }

    /// Offset of the operator that trapped in the Wasm file, in bytes.
    pub fn wasm_offset(&self) -> Option<u32> {
        self.frame()?.wasm_offset
    }
}

impl fmt::Display for Trap {
    /// The reason in one line, then the guest's backtrace, one line a frame. What a guest or a
    /// host function says is shown as [`Plain`], so that it adds no line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some(message) = &self.message {
            write!(f, ": {}", Plain(message))?;
        }
        for (index, frame) in self.backtrace.iter().enumerate() {
            write!(f, "\n  {index}: {frame}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Frame {
    /// `function 12 name at offset 0x34`, the name as [`Plain`]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "function {}", self.func_index)?;
        if !self.name.is_empty() {
            write!(f, " {}", Plain(&self.name))?;
        }
        match self.wasm_offset {
            Some(offset) => write!(f, " at offset {offset:#x}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Trap {}

/// Why a host function stopped the guest. Lower case, no full stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostError(pub String);

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for HostError {}

impl From<Trap> for HostError {
    /// For a host function that called the guest and passes its trap on.
    fn from(trap: Trap) -> Self {
        Self(trap.to_string())
    }
}
