//! Trap codes, one table for the compiler and the runtime.

use core::fmt;

macro_rules! trap_codes {
    ($($(#[$meta:meta])* $name:ident = $code:literal, $message:literal;)*) => {
        /// Why a guest stopped.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum TrapCode {
            $($(#[$meta])* $name = $code,)*
        }

        impl TrapCode {
            /// Reads the encoding of a trap site.
            pub fn from_u8(code: u8) -> Option<Self> {
                match code {
                    $($code => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// The message of the specification's reference interpreter where it has one.
            pub fn message(self) -> &'static str {
                match self {
                    $(Self::$name => $message,)*
                }
            }
        }
    };
}

trap_codes! {
    /// The `unreachable` operator.
    Unreachable = 0, "unreachable executed";
    /// A load, store or bulk operation beyond linear memory.
    MemoryOutOfBounds = 1, "out of bounds memory access";
    /// A table operation beyond the table.
    TableOutOfBounds = 2, "out of bounds table access";
    /// `call_indirect` beyond the table.
    UndefinedElement = 3, "undefined element";
    /// `call_indirect` of a null entry.
    UninitializedElement = 4, "uninitialized element";
    /// `call_indirect` of a function of another type.
    BadSignature = 5, "indirect call type mismatch";
    /// Signed division overflow, or a float too large for the integer.
    IntegerOverflow = 6, "integer overflow";
    /// Division by zero.
    IntegerDivideByZero = 7, "integer divide by zero";
    /// Conversion of a NaN to an integer.
    BadConversionToInteger = 8, "invalid conversion to integer";
    /// The guest stack is used up.
    StackOverflow = 9, "call stack exhausted";
    /// A host function failed; the trap carries its message.
    Host = 10, "host function failed";
    /// A host function that was not provided was called.
    MissingHostFunction = 11, "call of a missing host function";
    /// The call's deadline has passed (`CallOptions::deadline`).
    Deadline = 12, "deadline exceeded";
    /// A signal came while the guest had used up its stack, and its handler, which somebody else
    /// installed without `SA_ONSTACK`, had no room there. The signal is lost.
    SignalStack = 13, "a signal found no room on the guest's stack";
    /// The system refused a page of the guest's own memory when it was written for the first time.
    MemoryRefused = 14, "the system has no memory left for a page that is written";
}

impl fmt::Display for TrapCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}
