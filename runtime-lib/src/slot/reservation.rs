//! The address space of a slot: guest stack, vmctx and linear memory, and the guards between them.
//!
//! ```text
//!  | guard | host's room | guest stack | guard | vmctx | linear memory | no access to 4 GiB | guard 2 GiB |
//!                                                      base            base + len
//! ```
//!
//! Compiled code adds a 32-bit index and an offset to `base` and checks nothing: the sum is guest
//! data, or a fault that `call/fault.rs` turns into a trap. This file is the sandbox.
//!
//! Host functions run on what the guest has left of its stack, and where that ends they go on into
//! the host's room. Nothing of it is accessible before a host function needs it (`open_room`), so
//! a guest's own stack ends where it says, and the room costs address space only.

use crate::sys::linux::mmap::{Mapping, Protection, page_size, round_up_to_page};
use lithify_abi::IMAGE_ALIGN;
use lithify_abi::vmctx::{RESERVATION, STACK_PROBE};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The host's room: address space below the guest stack that host functions may go on to, in
/// bytes. What recurses with the state (`trie_db`, some 3 kB for each key that begins with the
/// one before) needs more bytes of keys to fill it than a chain's state has.
pub const HOST_ROOM: usize = 256 << 20;
/// What the end of a stack is a multiple of, in bytes.
const STACK_ALIGN: usize = 16;
/// How much of the host's room becomes accessible beyond an address that was needed, in bytes.
const ROOM_STEP: usize = 1 << 20;

/// Sizes of the parts of a reservation, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Memory before the first call.
    pub memory_len: usize,
    /// The guest stack, of which so much is used as makes whole [`STACK_ALIGN`]s.
    pub stack_len: usize,
    /// The vmctx.
    pub vmctx_len: usize,
}

/// What lies below the vmctx, so that a debug build sees who writes there.
const CANARY_LEN: usize = 64;
const CANARY: [u8; CANARY_LEN] = [0xc5; CANARY_LEN];

/// A reservation.
pub struct Reservation {
    mapping: Mapping,
    /// Where linear memory starts in the mapping.
    base: usize,
    stack: Range<usize>,
    /// Where the host's room starts; it ends at the stack.
    room: usize,
    /// From where on the host's room is accessible.
    open_room: AtomicUsize,
    vmctx_len: usize,
}

impl Reservation {
    /// Reserves it all, and makes stack and vmctx accessible.
    pub fn new(sizes: Sizes) -> io::Result<Self> {
        let page = page_size();
        let align = IMAGE_ALIGN as usize;
        let guard = round_up_to_page(STACK_PROBE as usize);
        let stack_len = sizes.stack_len & !(STACK_ALIGN - 1);
        let stack_pages = round_up_to_page(stack_len);
        // The canary lies between the end of the mapped vmctx and the vmctx itself.
        let vmctx_len = round_up_to_page(sizes.vmctx_len + CANARY_LEN);
        let used = guard + HOST_ROOM + stack_pages + page + vmctx_len;
        let base = used.next_multiple_of(align);
        let room = base - used + guard;
        let stack = room + HOST_ROOM..room + HOST_ROOM + stack_len;
        let this = Self {
            mapping: Mapping::reserve(base + RESERVATION as usize, align)?,
            base,
            room,
            open_room: AtomicUsize::new(stack.start),
            stack,
            vmctx_len: sizes.vmctx_len,
        };
        let vmctx = base - vmctx_len..base;
        // SAFETY: the mapping is new, nothing refers to it.
        unsafe {
            let pages = this.stack.start..this.stack.start + stack_pages;
            this.mapping.protect(pages, Protection::ReadWrite)?;
            this.mapping.protect(vmctx, Protection::ReadWrite)?;
        }
        this.set_canary();
        Ok(this)
    }

    /// Address of linear memory.
    #[inline]
    pub fn base(&self) -> *mut u8 {
        self.mapping.at(self.base)
    }

    /// The addresses of the guest stack.
    #[inline]
    pub fn stack(&self) -> Range<usize> {
        let start = self.mapping.start() as usize;
        start + self.stack.start..start + self.stack.end
    }

    /// The addresses below the guest stack that catch its overflow: the host's room among them.
    pub fn stack_guard(&self) -> Range<usize> {
        let start = self.mapping.start() as usize;
        start..start + self.stack.start
    }

    /// Gives a host function that needs the stack at `address` more of its room. `false` when that
    /// is not in the room, or the system refuses. Safe to call in a signal handler.
    pub fn open_room(&self, address: usize) -> bool {
        let offset = address.wrapping_sub(self.mapping.start() as usize);
        let open = self.open_room.load(Ordering::Relaxed);
        if offset < self.room || offset >= open {
            return false;
        }
        let from = offset.saturating_sub(ROOM_STEP).max(self.room) & !(page_size() - 1);
        // SAFETY: nobody could use these pages of ours before.
        let done = unsafe { self.mapping.protect(from..open, Protection::ReadWrite) };
        if done.is_ok() {
            self.open_room.store(from, Ordering::Relaxed);
        }
        done.is_ok()
    }

    /// Takes back what host functions needed of their room.
    ///
    /// # Safety
    ///
    /// Nobody uses the stack.
    #[inline]
    pub unsafe fn close_room(&self) {
        if self.open_room.load(Ordering::Relaxed) != self.stack.start {
            // SAFETY: the caller vouches for it.
            unsafe { self.close_open_room() };
        }
    }

    #[cold]
    unsafe fn close_open_room(&self) {
        let open = self.open_room.load(Ordering::Relaxed)..self.stack.start;
        // SAFETY: the caller vouches that nobody uses it. Where the system refuses, it stays open.
        if unsafe { self.mapping.map_zeros(open, Protection::None) }.is_ok() {
            self.open_room.store(self.stack.start, Ordering::Relaxed);
        }
    }

    /// The lowest byte of the vmctx.
    pub fn vmctx(&self) -> *mut u8 {
        self.mapping.at(self.base - self.vmctx_len)
    }

    fn canary(&self) -> *mut [u8; CANARY_LEN] {
        self.mapping.at(self.base - self.vmctx_len - CANARY_LEN).cast()
    }

    fn set_canary(&self) {
        // SAFETY: the vmctx's mapping has room for it below the vmctx.
        unsafe { self.canary().write(CANARY) };
    }

    /// Checks that nobody wrote below the vmctx.
    pub fn check_canary(&self) {
        // SAFETY: the vmctx's mapping has room for it below the vmctx.
        assert_eq!(unsafe { self.canary().read() }, CANARY, "written below the vmctx");
    }

    /// The address of the byte at `offset` in linear memory.
    pub fn at(&self, offset: usize) -> *mut u8 {
        self.mapping.at(self.base + offset)
    }

    /// Where a range of linear memory lies in the mapping.
    fn place(&self, range: Range<usize>) -> Range<usize> {
        self.base + range.start..self.base + range.end
    }

    /// Changes the protection of pages of linear memory. Safe to call in a signal handler.
    ///
    /// # Safety
    ///
    /// As for [`Mapping::protect`].
    pub unsafe fn protect(&self, range: Range<usize>, protection: Protection) -> io::Result<()> {
        // SAFETY: the caller vouches for references.
        unsafe { self.mapping.protect(self.place(range), protection) }
    }

    /// Replaces pages of linear memory by those of `file` from `offset` on, writable.
    ///
    /// # Safety
    ///
    /// No reference into the range exists.
    pub unsafe fn map_file(&self, range: Range<usize>, file: &File, offset: u64) -> io::Result<()> {
        let range = self.place(range);
        // SAFETY: the caller vouches for references.
        unsafe { self.mapping.map_file(range, file, offset, Protection::ReadWrite) }
    }

    /// Makes pages of linear memory inaccessible, and forgets them.
    ///
    /// # Safety
    ///
    /// No reference into the range exists.
    pub unsafe fn forget(&self, range: Range<usize>) -> io::Result<()> {
        // SAFETY: the caller vouches for references.
        unsafe { self.mapping.map_zeros(self.place(range), Protection::None) }
    }

    /// Gives back pages of linear memory, which then read as what is mapped there.
    ///
    /// # Safety
    ///
    /// No reference into the range exists.
    pub unsafe fn give_back(&self, range: Range<usize>) -> io::Result<()> {
        // SAFETY: the caller vouches for references.
        unsafe { self.mapping.give_back(self.place(range)) }
    }

    /// Asks for ordinary pages in a range of linear memory; see [`Mapping::forbid_huge_pages`].
    pub fn forbid_huge_pages(&self, range: Range<usize>) {
        self.mapping.forbid_huge_pages(self.place(range));
    }
}
