//! Exports that take much memory.

use alloc::vec::Vec;
use core::hint::black_box;

/// Bytes of a page of WebAssembly, and of one of the host.
const PAGE: usize = 64 << 10;
const HOST_PAGE: usize = 4 << 10;

crate::exports! {
    fn test_allocate_vec(size: u32) -> Vec<u8> {
        black_box(Vec::with_capacity(size as usize))
    }

    /// In blocks that a chain's heap gives out.
    fn allocate_two_gigabyte() -> u32 {
        let blocks: Vec<Vec<u8>> = (0..205).map(|_| Vec::with_capacity(10 << 20)).collect();
        black_box(&blocks).iter().map(|block| block.capacity() as u32).sum()
    }

    /// Three quarters of the guest's own stack, which has a megabyte.
    fn allocates_huge_stack_array(trap: bool) -> Vec<u8> {
        let mut array = black_box([0u8; 768 << 10]);
        array.iter_mut().zip((0..=u8::MAX).cycle()).for_each(|(byte, value)| *byte = value);
        assert!(!trap, "with the array still on the stack");
        black_box(&array).to_vec()
    }

    /// Writes to each of the host's pages in so many pages behind the one that the heap begins in.
    fn test_dirty_plenty_memory(heap_base: u32, pages: u32) {
        let start = (heap_base as usize).next_multiple_of(PAGE);
        for at in (start..start + pages as usize * PAGE).step_by(HOST_PAGE) {
            // SAFETY: nothing of Rust lies there: the heap is far from having come so far.
            unsafe { (at as *mut u8).write_volatile(0) };
        }
    }
}
