//! The ledger runtime as a Wasm module: its exports, its heap, its end.

#![no_std]

extern crate alloc;

use alloc::vec::Vec;
use core::alloc::{GlobalAlloc, Layout};

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn ext_allocator_malloc_version_1(size: u32) -> *mut u8;
    fn ext_allocator_free_version_1(address: *mut u8);
}

/// The heap is the host's.
struct Host;

/// To what the host aligns its blocks.
const ALIGN: usize = 8;

// SAFETY: the host returns blocks of at least the given size that nobody else has, or traps. They
// are aligned to 8 bytes, and what needs more gets none.
unsafe impl GlobalAlloc for Host {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match layout.align() <= ALIGN {
            // SAFETY: takes a number.
            true => unsafe { ext_allocator_malloc_version_1(layout.size() as u32) },
            false => core::ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&self, address: *mut u8, _: Layout) {
        // SAFETY: the caller says that the block came from `alloc`, and so from the host.
        unsafe { ext_allocator_free_version_1(address) };
    }
}

#[global_allocator]
static HEAP: Host = Host;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    lithify_ledger::host::trap("the runtime panicked")
}

/// Address and length of an output, which stays until the instance ends.
fn leak(output: Vec<u8>) -> u64 {
    let output = output.leak();
    (output.len() as u64) << 32 | output.as_ptr() as u64
}

macro_rules! export {
    ($name:ident, $function:ident) => {
        #[unsafe(no_mangle)]
        extern "C" fn $name(address: *const u8, len: usize) -> u64 {
            let input = match len {
                0 => &[],
                // SAFETY: the host wrote that many bytes there before the call.
                _ => unsafe { core::slice::from_raw_parts(address, len) },
            };
            leak(lithify_ledger::api::$function(input))
        }
    };
}

lithify_ledger::for_each_entry_point!(export);
