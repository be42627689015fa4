//! The state of a chain's heap allocator, where host functions and compiled code share it.
//!
//! Substrate's host hands out blocks of powers of two: a freed block goes to the list of its
//! order, an allocation takes from there or from the end of the heap ("freeing bump"; the
//! addresses are part of consensus). Nine in ten host calls of a block are these two operations,
//! so compiled code does the usual case itself, on this record in the vmctx, and leaves all others
//! to the host: a heap that has to grow, or anything that looks wrong.
//!
//! ```text
//! header (8 bytes, before each block)
//! free      link to the next free block of the order (low half), 0
//! occupied  order (low half), 1
//! ```
//!
//! A record of zeros leaves everything to the host: it is what an instance starts with.

/// The record. At [`Descriptor::heap`](crate::descriptor::Descriptor::heap) bytes below `base`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Heap {
    /// Where the memory that the allocator knows of ends; no block that compiled code handles
    /// lies beyond. 0: compiled code does nothing here.
    pub end: u64,
    /// Where the next new block's header goes.
    pub bumper: u32,
    /// Bytes in use, headers included.
    pub allocated: u32,
    /// First free block's header by order, or [`NIL`].
    pub heads: [u32; ORDERS],
    /// For the host: not 0 after an error, when every later request fails.
    pub poisoned: u32,
}

const _: () = assert!(size_of::<Heap>() == 112);

/// Number of orders: blocks of 8 bytes to 32 MiB.
pub const ORDERS: usize = 23;
/// The smallest block, in bytes; that of order `n` has this shifted by `n`.
pub const MIN_BLOCK: u32 = 8;
/// The largest block, in bytes.
pub const MAX_BLOCK: u32 = MIN_BLOCK << (ORDERS - 1);
/// Size of the header before a block, in bytes.
pub const HEADER: u32 = 8;
/// The end of a list of free blocks.
pub const NIL: u32 = u32::MAX;
/// What is set in the header of a block in use.
pub const OCCUPIED: u64 = 1 << 32;

/// The import that allocates: `(i32) -> i32`.
pub const MALLOC: &str = "ext_allocator_malloc_version_1";
/// The import that frees: `(i32)`.
pub const FREE: &str = "ext_allocator_free_version_1";
