//! The descriptor: what the runtime has to know about a module, as records.
//!
//! The metadata section starts with a [`Descriptor`]; everything it refers to by [`Span`] lies
//! in the same section, at an offset from its start. Two things lie elsewhere and are found by
//! an address relative to the field that names them, which a linker resolves: the text and the
//! initial memory image. Code is named by its offset from the start of the text.

use crate::record::record;

/// First bytes of a descriptor.
pub const MAGIC: [u8; 8] = *b"LITHIFY\0";

/// An absent offset or index.
pub const NONE: u32 = u32::MAX;

record! {
    /// Bytes in the metadata section.
    pub struct Span {
        /// Offset from the section's start, in bytes.
        pub offset: u32,
        /// Length, in bytes.
        pub len: u32,
    }
}

record! {
    /// The root of the metadata. Its encoding is 8-byte aligned in memory.
    pub struct Descriptor {
        /// [`MAGIC`].
        pub magic: [u8; 8],
        /// [`ABI_VERSION`](crate::ABI_VERSION).
        pub abi_version: u32,
        /// ELF machine number of the target.
        pub machine: u32,
        /// Address of the text, relative to this field.
        pub text: i64,
        /// Address of the memory image's bytes, relative to this field.
        pub memory_image: i64,
        /// Length of the text, in bytes.
        pub text_len: u32,
        /// Length of the memory image's bytes.
        pub memory_image_len: u32,
        /// Required CPU features, [`CpuFeature::bit`](crate::cpu::CpuFeature::bit).
        pub cpu_features: u64,
        /// BLAKE2b-256 of the code as it is stored on chain.
        pub code_hash: [u8; 32],
        /// Version of the compiler, UTF-8.
        pub compiler: Span,
        /// Options that shaped the code, UTF-8, `name=value` separated by spaces.
        pub options: Span,
        /// [`Function`] records in rising order of their code, closed by one with index
        /// [`NONE`] at the text's end.
        pub functions: Span,
        /// The streams of [`site`](crate::site).
        pub sites: Span,
        /// Bytes of all names.
        pub names: Span,
        /// Encoded [`FuncType`](crate::types::FuncType)s, one after the other.
        pub types: Span,
        /// [`Import`] records in the module's order.
        pub imports: Span,
        /// [`Export`] records in the module's order.
        pub exports: Span,
        /// [`Global`] records: every global that has a slot.
        pub globals: Span,
        /// [`MutableTable`] records.
        pub tables: Span,
        /// [`FuncRecord`]s: every function that a reference can name. 8-byte aligned.
        pub func_records: Span,
        /// [`Extent`] records of the memory image.
        pub extents: Span,
        /// [`DataSegment`] records: all segments that the image does not contain.
        pub data: Span,
        /// [`ElementSegment`] records.
        pub elements: Span,
        /// Size of the vmctx below `base`, in bytes, a multiple of 16.
        pub vmctx_size: u32,
        /// Where the [`Heap`](crate::heap::Heap) record lies, in bytes below `base`, a multiple
        /// of 16; 0 where compiled code uses none.
        pub heap: u32,
        /// Whether there is a memory: 0 none, 1 defined, 2 imported.
        pub memory: u32,
        /// Initial size of memory, in pages.
        pub memory_min: u32,
        /// Largest size of memory, in pages, or [`NONE`].
        pub memory_max: u32,
        /// Code of the start function, or [`NONE`].
        pub start: u32,
        /// Its entry trampoline, or [`NONE`].
        pub start_entry: u32,
        /// Contents of the custom section `runtime_version`.
        pub runtime_version: Span,
        /// Contents of the custom section `runtime_apis`.
        pub runtime_apis: Span,
    }
}

record! {
    /// A piece of the text: a guest function or a trampoline.
    pub struct Function {
        /// Start of its code in the text.
        pub code: u32,
        /// Start of its site stream in [`Descriptor::sites`]; it ends where the next one starts.
        pub sites: u32,
        /// Name, in [`Descriptor::names`].
        pub name: Span,
        /// Function index, or [`NONE`] for a trampoline or stub.
        pub index: u32,
        /// Offset of the function body in the Wasm file, in bytes.
        pub body: u32,
    }
}

/// Kinds of [`Import`] and [`Export`].
pub mod kind {
    /// A function.
    pub const FUNCTION: u32 = 0;
    /// A table.
    pub const TABLE: u32 = 1;
    /// A memory.
    pub const MEMORY: u32 = 2;
    /// A global.
    pub const GLOBAL: u32 = 3;
}

record! {
    /// An import.
    pub struct Import {
        /// One of [`kind`].
        pub kind: u32,
        /// Module name, in [`Descriptor::names`].
        pub module: Span,
        /// Field name, in [`Descriptor::names`].
        pub field: Span,
        /// Function: index in [`Descriptor::types`]. Global: its value type.
        /// Memory and table: initial size.
        pub ty: u32,
        /// Function: code of the exit trampoline, which takes the platform's C convention and
        /// calls [`Libcall::HostCall`](crate::libcall::Libcall::HostCall) with the import's
        /// position among the imports. Global: 1 when mutable. Memory and table: largest size,
        /// or [`NONE`].
        pub code: u32,
        /// Global: its offset from `base`.
        pub slot: i32,
    }
}

record! {
    /// An export.
    pub struct Export {
        /// One of [`kind`].
        pub kind: u32,
        /// Name, in [`Descriptor::names`].
        pub name: Span,
        /// Function, table, memory or global index.
        pub index: u32,
        /// Function: index in [`Descriptor::types`]. Global: its value type.
        /// Memory and table: initial size.
        pub ty: u32,
        /// Function: its code. Global: 1 when mutable. Memory and table: largest size, or
        /// [`NONE`].
        pub code: u32,
        /// Function: code of the entry trampoline `fn(base, callee, slots)`, which moves the
        /// value slots into the platform's C convention, calls `callee` and stores the results
        /// in the slots. Global: 1 when its value is in `value`, 0 when in `slot`.
        pub entry: u32,
        /// Global: its offset from `base`.
        pub slot: i32,
        /// Global that is a constant: its value.
        pub value: u128,
    }
}

/// Forms of an initial value.
pub mod init {
    /// The bits in `value`.
    pub const CONST: u32 = 0;
    /// The slot of another global, at `base + value as i32`.
    pub const GLOBAL: u32 = 1;
    /// The address of function record `value`.
    pub const FUNC: u32 = 2;
    /// None: the segment is passive.
    pub const PASSIVE: u32 = 3;
    /// None: the element segment is declarative, dropped from the start.
    pub const DECLARED: u32 = 4;
}

record! {
    /// A global with a slot in the vmctx. Imported ones come first and are of form
    /// [`init::CONST`] with the value 0, which the import replaces.
    pub struct Global {
        /// Offset from `base`.
        pub slot: i32,
        /// Value type.
        pub ty: u32,
        /// One of [`init`].
        pub form: u32,
        /// What the form says.
        pub value: u128,
    }
}

record! {
    /// A table that the guest can change; others are data that only the code knows.
    pub struct MutableTable {
        /// Offset of its [`TableRecord`](crate::vmctx::TableRecord) from `base`.
        pub slot: i32,
        /// Table index.
        pub index: u32,
        /// Initial size, in elements.
        pub min: u32,
        /// Largest size, in elements, or [`NONE`].
        pub max: u32,
        /// Form of the elements' initial value, one of [`init`].
        pub form: u32,
        /// What the form says.
        pub value: u128,
    }
}

record! {
    /// A function that a reference can name. Compiled code reads the first two fields.
    pub struct FuncRecord {
        /// Its code in the text.
        pub code: u32,
        /// Its type, an index in [`Descriptor::types`].
        pub ty: u32,
        /// Function index.
        pub index: u32,
        /// Code of the entry trampoline.
        pub entry: u32,
    }
}

record! {
    /// Bytes of the memory image that start at an address in memory.
    pub struct Extent {
        /// Address in linear memory, a multiple of [`IMAGE_GRANULE`](crate::IMAGE_GRANULE).
        pub address: u32,
        /// Offset in the memory image, likewise.
        pub offset: u32,
        /// Length, likewise.
        pub len: u32,
    }
}

record! {
    /// A data segment that is not in the memory image. Active ones are copied at instantiation,
    /// in order, and trap when they do not fit.
    pub struct DataSegment {
        /// Data segment index.
        pub index: u32,
        /// Form of its address, one of [`init`].
        pub form: u32,
        /// What the form says.
        pub value: u128,
        /// Its bytes.
        pub bytes: Span,
    }
}

record! {
    /// An element segment of a mutable table, or a passive one.
    pub struct ElementSegment {
        /// Element segment index.
        pub index: u32,
        /// Table index.
        pub table: u32,
        /// Form of its first element's position, one of [`init`].
        pub form: u32,
        /// What the form says.
        pub value: u128,
        /// [`Element`] records.
        pub items: Span,
    }
}

record! {
    /// One element of a segment.
    pub struct Element {
        /// One of [`init`].
        pub form: u32,
        /// What the form says.
        pub value: u128,
    }
}

record! {
    /// The note of an image, which is read before anything else of it.
    pub struct Note {
        /// [`ABI_VERSION`](crate::ABI_VERSION).
        pub abi_version: u32,
        /// ELF machine number of the target.
        pub machine: u32,
        /// Length of the file, in bytes.
        pub file_len: u64,
        /// Address of the descriptor.
        pub descriptor: u64,
        /// Length of the metadata section, in bytes.
        pub metadata_len: u64,
        /// BLAKE3 of the file with this field zero.
        pub file_hash: [u8; 32],
    }
}
