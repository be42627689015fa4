//! What the tests of sc-executor and sc-executor-wasmtime call, by the names that they call it by.
//!
//! An export gets its SCALE-encoded arguments and gives its SCALE-encoded result, as runtimes do.
//! Built natively, this crate is empty.

#![cfg(substrate_runtime)]
#![no_std]

extern crate alloc;

mod heap;
mod host;
mod output;
mod stops;

use alloc::vec::Vec;
use codec::{Decode, Encode};
use core::sync::atomic::{AtomicU64, Ordering};

/// Defines exports.
macro_rules! exports {
    ($($(#[$meta:meta])* fn $name:ident($($argument:ident: $ty:ty),*) $(-> $result:ty)? $body:block)*) => {$(
        $(#[$meta])*
        #[allow(missing_docs, reason = "the tests that call it say what it does")]
        #[unsafe(no_mangle)]
        pub extern "C" fn $name(data: *const u8, len: usize) -> u64 {
            fn run($($argument: $ty),*) $(-> $result)? $body
            let ($($argument,)*) = $crate::arguments::<($($ty,)*)>(data, len);
            $crate::answer(&run($($argument),*))
        }
    )*};
}
pub(crate) use exports;

/// The arguments of an export.
fn arguments<T: Decode>(data: *const u8, len: usize) -> T {
    let bytes = match len {
        0 => &[][..],
        // SAFETY: the host has put so many bytes there, in a block of their own.
        _ => unsafe { core::slice::from_raw_parts(data, len) },
    };
    T::decode(&mut &bytes[..]).expect("arguments of an export")
}

/// The result of an export: where it lies, and in the high half how long it is.
fn answer(result: &impl Encode) -> u64 {
    let bytes: &[u8] = Vec::leak(result.encode());
    (bytes.len() as u64) << 32 | bytes.as_ptr() as u64
}

/// What a call changes here must be gone in the next one: where memory begins with something,
static COUNTER: AtomicU64 = AtomicU64::new(32);

/// and where it begins with zeros.
static COUNTER_FROM_ZERO: AtomicU64 = AtomicU64::new(0);

exports! {
    fn test_empty_return() {}

    fn test_return_value() -> u64 {
        1234
    }

    fn test_return_i8() -> i8 {
        -66
    }

    fn test_take_i8(value: i8) {
        assert_eq!(value, -66);
    }

    fn test_fp_f32add(a: [u8; 4], b: [u8; 4]) -> [u8; 4] {
        (f32::from_le_bytes(a) + f32::from_le_bytes(b)).to_le_bytes()
    }

    fn returns_mutable_static() -> u64 {
        COUNTER.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn returns_mutable_static_bss() -> u64 {
        COUNTER_FROM_ZERO.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The cases come with `sp-virtualization`; the program that they run is the host's to give.
    fn test_virtualization(program: Vec<u8>) {
        sp_virtualization::run_tests(&program);
    }
}
