//! Exports that say themselves where their result lies.

/// Bytes of memory.
fn memory_len() -> u64 {
    core::arch::wasm32::memory_size::<0>() as u64 * (64 << 10)
}

/// A result of `len` bytes at `address`.
fn result(address: u64, len: u32) -> u64 {
    u64::from(len) << 32 | address
}

/// Longer than memory.
#[unsafe(no_mangle)]
pub extern "C" fn test_return_huge_len(_data: *const u8, _len: usize) -> u64 {
    result(0, u32::MAX)
}

/// The last byte of memory.
#[unsafe(no_mangle)]
pub extern "C" fn test_return_max_memory_offset(_data: *const u8, _len: usize) -> u64 {
    let last = memory_len() - 1;
    // SAFETY: it is in memory, and the heap is far from having come so far.
    unsafe { (last as usize as *mut u8).write_volatile(u8::MAX) };
    result(last, 1)
}

/// The byte behind it.
#[unsafe(no_mangle)]
pub extern "C" fn test_return_max_memory_offset_plus_one(_data: *const u8, _len: usize) -> u64 {
    result(memory_len(), 1)
}

/// A byte that ends where no address is.
#[unsafe(no_mangle)]
pub extern "C" fn test_return_overflow(_data: *const u8, _len: usize) -> u64 {
    result(u64::from(u32::MAX), 1)
}
