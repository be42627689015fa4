//! What lies below linear memory.
//!
//! ```text
//! base - vmctx_size      base - 128       base - 64          base
//!  | far fields           | header         | near globals     | linear memory ...
//! ```
//!
//! `base` is the one hidden argument of every guest function. A WebAssembly address is added to
//! it zero-extended, so the guest cannot name anything below it. Near globals and the header are
//! within an 8-bit displacement of `base`; which global lies where is in the descriptor.

/// Number of near globals: the first mutable globals of at most 8 bytes.
pub const NEAR_GLOBALS: u32 = 8;

/// Offset of near global `index` from `base`.
pub const fn near_global(index: u32) -> i32 {
    -8 * (index as i32 + 1)
}

/// Offset of the header from `base`.
pub const HEADER: i32 = -128;

/// Where far fields end: they lie below this offset from `base`, 16 bytes each.
pub const FAR_END: i32 = HEADER;

/// The part of the vmctx with fixed fields, at `base + HEADER`.
#[derive(Debug)]
#[repr(C)]
pub struct Header {
    /// A host call with the stack pointer at or below this address is a stack overflow.
    pub stack_limit: u64,
    /// The frame pointer of the guest function that made the latest host call.
    pub exit_fp: u64,
    /// The stack pointer at that call; it points at the return address on x86-64. On aarch64
    /// the return address is in [`Header::exit_pc`].
    pub exit_sp: u64,
    /// Return address of that call (aarch64 only).
    pub exit_pc: u64,
    /// Current size of linear memory, in bytes.
    pub memory_len: u64,
    /// The runtime's own instance.
    pub instance: u64,
    /// A value of the embedder's choice.
    pub host_data: u64,
    /// Reserved, zero.
    pub reserved: u64,
}

const _: () = assert!(size_of::<Header>() == 64);

/// Offset of [`Header::stack_limit`] from `base`.
pub const STACK_LIMIT: i32 = HEADER + core::mem::offset_of!(Header, stack_limit) as i32;
/// Offset of [`Header::exit_fp`] from `base`.
pub const EXIT_FP: i32 = HEADER + core::mem::offset_of!(Header, exit_fp) as i32;
/// Offset of [`Header::exit_sp`] from `base`.
pub const EXIT_SP: i32 = HEADER + core::mem::offset_of!(Header, exit_sp) as i32;
/// Offset of [`Header::exit_pc`] from `base`.
pub const EXIT_PC: i32 = HEADER + core::mem::offset_of!(Header, exit_pc) as i32;
/// Offset of [`Header::memory_len`] from `base`.
pub const MEMORY_LEN: i32 = HEADER + core::mem::offset_of!(Header, memory_len) as i32;
/// Offset of [`Header::instance`] from `base`.
pub const INSTANCE: i32 = HEADER + core::mem::offset_of!(Header, instance) as i32;
/// Offset of [`Header::host_data`] from `base`.
pub const HOST_DATA: i32 = HEADER + core::mem::offset_of!(Header, host_data) as i32;

/// A table that the guest can change: a far field holds this record.
#[derive(Debug)]
#[repr(C)]
pub struct TableRecord {
    /// Address of the elements, 8 bytes each: a function record's address, or 0 for null.
    pub elements: u64,
    /// Number of elements.
    pub len: u64,
}

/// Address space from `base` that a 32-bit index plus an unchecked offset can reach, in bytes:
/// 4 GiB of memory and [`GUARD`] behind it.
pub const RESERVATION: u64 = (4 << 30) + GUARD;

/// Inaccessible space behind the 4 GiB, in bytes. Accesses whose constant offset plus size
/// exceeds it are bounds-checked in the code.
pub const GUARD: u64 = 2 << 30;

/// Size of one argument or result of a trampoline, in bytes.
pub const VALUE_SIZE: u32 = 16;

/// A stack frame larger than this is probed page by page in its prologue, so that the guard
/// below the guest stack, which must be at least as large, cannot be jumped over. In bytes.
pub const STACK_PROBE: u64 = 64 * 1024;
