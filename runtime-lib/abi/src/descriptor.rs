//! The descriptor: what the runtime has to know about a module, as records.
//!
//! The metadata section starts with a [`Descriptor`]; everything it refers to by [`Span`] lies
//! in the same section, at an offset from its start. Two things lie elsewhere and are found by
//! an address relative to the field that names them, which a linker resolves: the text and the
//! initial memory image. Code is named by its offset from the start of the text.

use crate::record::record;

/// First bytes of a descriptor.
pub const MAGIC: [u8; 8] = *b"LITHIFY\0";

/// An absent offset, index or size.
pub const NONE: u32 = u32::MAX;

/// A field that may be [`NONE`].
pub fn optional(field: u32) -> Option<u32> {
    (field != NONE).then_some(field)
}

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
        /// [`Function`] records in order of their code, closed by one with index [`NONE`] at the
        /// text's end. Functions and stubs of imports come first, in order of their function index.
        /// One that was inlined where it was called, and is called from nowhere else, has no code.
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
        /// [`ImportedFunction`] records, one for each import of a function.
        pub imported_functions: Span,
        /// [`FuncRecord`]s, one for each export of a function.
        pub exported_functions: Span,
        /// [`ExternTable`] records, one for each import or export of a table.
        pub extern_tables: Span,
        /// [`ExternGlobal`] records, one for each import or export of a global.
        pub extern_globals: Span,
        /// [`Global`] records: every global that lies in the vmctx.
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

/// What is imported or exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum ExternKind {
    /// A function.
    Function = 0,
    /// A table.
    Table = 1,
    /// The memory, whose sizes are in the [`Descriptor`].
    Memory = 2,
    /// A global.
    Global = 3,
}

impl ExternKind {
    /// Reads the number of a record.
    pub fn from_u32(kind: u32) -> Option<Self> {
        Some(match kind {
            0 => Self::Function,
            1 => Self::Table,
            2 => Self::Memory,
            3 => Self::Global,
            _ => return None,
        })
    }
}

record! {
    /// An import.
    pub struct Import {
        /// Module name, in [`Descriptor::names`].
        pub module: Span,
        /// Field name, in [`Descriptor::names`].
        pub field: Span,
        /// [`ExternKind`].
        pub kind: u32,
        /// Position of its record: in [`Descriptor::imported_functions`],
        /// [`Descriptor::extern_tables`] or [`Descriptor::extern_globals`]. Memory: 0.
        pub item: u32,
    }
}

record! {
    /// An export.
    pub struct Export {
        /// Name, in [`Descriptor::names`].
        pub name: Span,
        /// [`ExternKind`].
        pub kind: u32,
        /// Position of its record: in [`Descriptor::exported_functions`],
        /// [`Descriptor::extern_tables`] or [`Descriptor::extern_globals`]. Memory: 0.
        pub item: u32,
    }
}

record! {
    /// An imported function.
    pub struct ImportedFunction {
        /// Index in [`Descriptor::types`].
        pub ty: u32,
        /// Code of the exit trampoline, which takes the platform's C convention and calls
        /// [`Libcall::HostCall`](crate::libcall::Libcall::HostCall) with the import's position among
        /// the imports; [`NONE`] in an object.
        pub exit: u32,
    }
}

record! {
    /// A table that is imported or exported.
    pub struct ExternTable {
        /// Table index.
        pub index: u32,
        /// Initial size, in elements.
        pub min: u32,
        /// Largest size, in elements, or [`NONE`].
        pub max: u32,
    }
}

record! {
    /// A global that is imported or exported.
    pub struct ExternGlobal {
        /// Value type.
        pub ty: u32,
        /// 1 when it can change, else 0.
        pub mutable: u32,
        /// Its value, of a constant, or where it lies.
        pub place: Init,
    }
}

/// Forms of an [`Init`].
mod form {
    /// The bits in `value`.
    pub const CONST: u32 = 0;
    /// A global of the vmctx, at `base + value as i32`.
    pub const GLOBAL: u32 = 1;
    /// The address of function record `value`.
    pub const FUNC: u32 = 2;
    /// None: the segment is passive.
    pub const PASSIVE: u32 = 3;
    /// None: the element segment is declarative, dropped from the start.
    pub const DECLARED: u32 = 4;
}

record! {
    /// The encoding of an [`InitValue`] or a [`Placement`].
    pub struct Init {
        /// What `value` is.
        pub form: u32,
        /// What the form says.
        pub value: u128,
    }
}

/// A value that the beginning of an instance needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InitValue {
    /// These bits.
    Const(u128),
    /// What the global at this offset from `base` is then.
    Global(i32),
    /// The address of the function record at this position.
    Func(u32),
}

/// Where a segment goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// Copied at instantiation to this address or position.
    Active(InitValue),
    /// Copied by an operator.
    Passive,
    /// Of elements: dropped from the start.
    Declared,
}

impl Init {
    /// The value that it encodes; `None` where it encodes none.
    pub fn value(self) -> Option<InitValue> {
        let number = || u32::try_from(self.value).ok();
        Some(match self.form {
            form::CONST => InitValue::Const(self.value),
            form::GLOBAL => InitValue::Global(number()? as i32),
            form::FUNC => InitValue::Func(number()?),
            _ => return None,
        })
    }

    /// The placement that it encodes; `None` where it encodes none.
    pub fn placement(self) -> Option<Placement> {
        match self.form {
            form::PASSIVE => Some(Placement::Passive),
            form::DECLARED => Some(Placement::Declared),
            _ => self.value().map(Placement::Active),
        }
    }
}

impl From<InitValue> for Init {
    fn from(value: InitValue) -> Self {
        let (form, value) = match value {
            InitValue::Const(bits) => (form::CONST, bits),
            InitValue::Global(offset) => (form::GLOBAL, (offset as u32).into()),
            InitValue::Func(record) => (form::FUNC, record.into()),
        };
        Self { form, value }
    }
}

impl From<Placement> for Init {
    fn from(placement: Placement) -> Self {
        match placement {
            Placement::Active(value) => value.into(),
            Placement::Passive => Self { form: form::PASSIVE, value: 0 },
            Placement::Declared => Self { form: form::DECLARED, value: 0 },
        }
    }
}

record! {
    /// A global that lies in the vmctx. Imported ones come first; their initial value is 0, which
    /// the import replaces.
    pub struct Global {
        /// Offset from `base`.
        pub offset: i32,
        /// Value type.
        pub ty: u32,
        /// Its initial value.
        pub init: Init,
    }
}

record! {
    /// A table that the guest can change; others are data that only the code knows.
    pub struct MutableTable {
        /// Offset of its [`TableRecord`](crate::vmctx::TableRecord) from `base`.
        pub record: i32,
        /// Table index.
        pub index: u32,
        /// Initial size, in elements.
        pub min: u32,
        /// Largest size, in elements, or [`NONE`].
        pub max: u32,
        /// The elements' initial value.
        pub init: Init,
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
        /// Its [`Placement`]: an address.
        pub placement: Init,
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
        /// Its [`Placement`]: a position in the table.
        pub placement: Init,
        /// Its elements, [`Init`] records.
        pub items: Span,
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
