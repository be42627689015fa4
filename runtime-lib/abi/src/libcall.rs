//! Functions of the runtime that compiled code calls, under these symbols.
//!
//! All take `base` first, use the platform's C convention and go through the same stub as host
//! functions. Those that can trap do not return when they do.
//!
//! The table is a macro, [`for_each_libcall!`](crate::for_each_libcall): the compiler reads it here
//! as [`Libcall`], the runtime library makes its functions of it, so that neither can have other
//! parameters than the table says.

use crate::types::{FuncType, ValType};
use alloc::vec::Vec;

/// Hands the table of libcalls to the macro `$visit`: documentation, name, symbol, parameters after
/// `base`, result.
#[macro_export]
macro_rules! for_each_libcall {
    ($visit:ident) => {
        $visit! {
            /// Grows memory by a number of pages; the previous size in pages, or -1.
            MemoryGrow = lithify_memory_grow(pages: I32) -> I32;
            /// `memory.fill`.
            MemoryFill = lithify_memory_fill(to: I32, value: I32, len: I32);
            /// `memory.copy`.
            MemoryCopy = lithify_memory_copy(to: I32, from: I32, len: I32);
            /// `memory.init`.
            MemoryInit = lithify_memory_init(segment: I32, to: I32, from: I32, len: I32);
            /// `data.drop`.
            DataDrop = lithify_data_drop(segment: I32);
            /// Grows a table by a number of elements, all `value`; the previous size, or -1.
            TableGrow = lithify_table_grow(table: I32, value: I64, elements: I32) -> I32;
            /// `table.fill`.
            TableFill = lithify_table_fill(table: I32, to: I32, value: I64, len: I32);
            /// `table.copy`.
            TableCopy = lithify_table_copy(
                to_table: I32, from_table: I32, to: I32, from: I32, len: I32
            );
            /// `table.init`.
            TableInit = lithify_table_init(table: I32, segment: I32, to: I32, from: I32, len: I32);
            /// `elem.drop`.
            ElemDrop = lithify_elem_drop(segment: I32);
            /// Calls the host function of `import`, by its position, with an array of values at the
            /// address `values`: arguments in, results out. Exit trampolines use it.
            HostCall = lithify_host_call(import: I32, values: I64);
        }
    };
}

macro_rules! libcalls {
    ($(
        $(#[$meta:meta])*
        $name:ident = $symbol:ident($($param:ident: $ty:ident),*) $(-> $result:ident)?;
    )*) => {
        /// A function of the runtime that compiled code calls.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Libcall {
            $($(#[$meta])* $name,)*
        }

        impl Libcall {
            /// Every libcall, in the order of their declaration.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The symbol under which it is undefined in objects.
            pub fn symbol(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($symbol),)*
                }
            }

            /// The libcall of that symbol.
            pub fn of_symbol(symbol: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|libcall| libcall.symbol() == symbol)
            }

            /// Its type, without `base`.
            pub fn ty(self) -> FuncType {
                use ValType::*;
                match self {
                    $(Self::$name => FuncType {
                        params: Vec::from([$($ty),*]),
                        results: Vec::from([$($result)?] as [ValType; 0 $(+ { let _ = $result; 1 })?]),
                    },)*
                }
            }
        }
    };
}

for_each_libcall!(libcalls);
