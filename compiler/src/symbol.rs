//! What compiled code can refer to, and how CLIF names it.

use crate::{
    allocator::AllocatorCall,
    index::{FuncIndex, ImportIndex, TableIndex},
    short::Bulk,
};
use cranelift_codegen::ir::{ExternalName, Function, UserExternalName, UserFuncName};
use lithify_abi::libcall::Libcall;

macro_rules! symbols {
    ($($(#[$meta:meta])* $name:ident $(($index:ident: $ty:ty))? = $namespace:literal;)*) => {
        /// What compiled code can refer to.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Symbol {
            $($(#[$meta])* $name $(($ty))?,)*
        }

        impl Symbol {
            /// The name by which CLIF refers to it.
            pub fn external_name(self) -> UserExternalName {
                match self {
                    $(Self::$name $(($index))? => {
                        UserExternalName::new($namespace, 0 $(+ $index.number())?)
                    })*
                }
            }

            /// The symbol of a name that [`Symbol::external_name`] gave.
            pub fn from_external_name(name: &UserExternalName) -> Self {
                match name.namespace {
                    $($namespace => Self::$name $((<$ty>::from_number(name.index)))?,)*
                    other => unreachable!("namespace {other} is not ours"),
                }
            }
        }
    };
}

symbols! {
    /// A function; an import's is its stub.
    Function(index: FuncIndex) = 0;
    /// The stub of a libcall.
    Libcall(libcall: Libcall) = 1;
    /// The data of a read-only table.
    Table(index: TableIndex) = 2;
    /// The descriptor.
    Descriptor = 3;
    /// The start of the text.
    Text = 4;
    /// The host function of an import, which someone else defines.
    Import(import: ImportIndex) = 5;
    /// A function of the runtime, which someone else defines.
    Runtime(libcall: Libcall) = 6;
    /// What compiled code calls instead of an allocator function.
    Allocator(call: AllocatorCall) = 7;
    /// What compiled code calls instead of a libcall of bulk memory.
    Bulk(bulk: Bulk) = 8;
}

impl Symbol {
    /// Its name as that of a function under compilation.
    pub fn user_name(self) -> UserFuncName {
        UserFuncName::User(self.external_name())
    }

    /// Its name as `func` refers to it.
    pub fn declare_in(self, func: &mut Function) -> ExternalName {
        ExternalName::user(func.declare_imported_user_function(self.external_name()))
    }
}

/// What a symbol is one of, by number.
trait Numbered {
    fn number(self) -> u32;
    fn from_number(number: u32) -> Self;
}

macro_rules! numbered_indices {
    ($($ty:ty),*) => {$(
        impl Numbered for $ty {
            fn number(self) -> u32 {
                self.as_u32()
            }

            fn from_number(number: u32) -> Self {
                Self::from_u32(number)
            }
        }
    )*};
}
numbered_indices!(FuncIndex, ImportIndex, TableIndex);

macro_rules! numbered_enums {
    ($($ty:ty),*) => {$(
        impl Numbered for $ty {
            fn number(self) -> u32 {
                self as u32
            }

            fn from_number(number: u32) -> Self {
                Self::ALL[number as usize]
            }
        }
    )*};
}
numbered_enums!(Libcall, AllocatorCall, Bulk);
