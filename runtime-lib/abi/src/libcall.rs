//! Functions of the runtime that compiled code calls, under these symbols.
//!
//! All take `base` first, use the platform's C convention and go through the same stub as host
//! functions. Those that can trap do not return when they do.

use crate::types::{FuncType, ValType};
use alloc::vec::Vec;

macro_rules! libcalls {
    ($($(#[$meta:meta])* $name:ident = $symbol:literal, ($($param:ident),*) $(-> $result:ident)?;)*) => {
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
                    $(Self::$name => $symbol,)*
                }
            }

            /// Its type, without `base`.
            pub fn ty(self) -> FuncType {
                use ValType::*;
                match self {
                    $(Self::$name => FuncType {
                        params: Vec::from([$($param),*]),
                        results: Vec::from([$($result)?] as [ValType; 0 $(+ { let _ = $result; 1 })?]),
                    },)*
                }
            }
        }
    };
}

libcalls! {
    /// Grows memory by a number of pages; the previous size in pages, or -1.
    MemoryGrow = "lithify_memory_grow", (I32) -> I32;
    /// `memory.fill`: destination, value, length.
    MemoryFill = "lithify_memory_fill", (I32, I32, I32);
    /// `memory.copy`: destination, source, length.
    MemoryCopy = "lithify_memory_copy", (I32, I32, I32);
    /// `memory.init`: segment, destination, source, length.
    MemoryInit = "lithify_memory_init", (I32, I32, I32, I32);
    /// `data.drop`: segment.
    DataDrop = "lithify_data_drop", (I32);
    /// `table.grow`: table, initial value, number of elements; the previous size, or -1.
    TableGrow = "lithify_table_grow", (I32, I64, I32) -> I32;
    /// `table.fill`: table, destination, value, length.
    TableFill = "lithify_table_fill", (I32, I32, I64, I32);
    /// `table.copy`: destination table, source table, destination, source, length.
    TableCopy = "lithify_table_copy", (I32, I32, I32, I32, I32);
    /// `table.init`: table, segment, destination, source, length.
    TableInit = "lithify_table_init", (I32, I32, I32, I32, I32);
    /// `elem.drop`: segment.
    ElemDrop = "lithify_elem_drop", (I32);
    /// Calls the host function of import `i32` with an array of value slots at the address
    /// `i64`: arguments in, results out. Exit trampolines use it.
    HostCall = "lithify_host_call", (I32, I64);
}
