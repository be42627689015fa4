//! The index spaces of a module and of what is made of it.
//!
//! Each has a type, so that a number of one is never taken for a number of another: a function has
//! an index, a position among those with a body, a type, a distinct type, and maybe an import and a
//! record.

use cranelift_codegen::entity::entity_impl;

macro_rules! indices {
    ($($(#[$meta:meta])* $name:ident;)*) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(u32);
        entity_impl!($name);
    )*};
}

indices! {
    /// A function, as the module's operators name it: imported ones come first.
    FuncIndex;
    /// A function with a body: a position in the code section.
    DefinedFuncIndex;
    /// A type, as the module numbers them.
    TypeIndex;
    /// A distinct function type. Types of the module that are equal have one, and it is the number
    /// that compiled code compares.
    SignatureIndex;
    /// A position among all imports.
    ImportIndex;
    /// A table.
    TableIndex;
    /// A global.
    GlobalIndex;
    /// An element segment.
    ElementIndex;
    /// A data segment.
    DataIndex;
    /// A function record: what a reference to a function points at.
    RecordIndex;
}
