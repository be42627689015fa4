//! The host functions as imports of a Wasm module.
//!
//! A pointer and a length travel as one `i64`, length in the high half. What the host returns lies
//! in blocks of the same heap that the global allocator serves, so a `Vec` takes them over.

use alloc::vec::Vec;

use parity_scale_codec::{Compact, Decode, Encode};

use crate::types::{AccountId, Hash};

mod import {
    #[link(wasm_import_module = "env")]
    unsafe extern "C" {
        pub fn ext_storage_get_version_1(key: u64) -> u64;
        pub fn ext_storage_set_version_1(key: u64, value: u64);
        pub fn ext_storage_clear_version_1(key: u64);
        pub fn ext_storage_exists_version_1(key: u64) -> u32;
        pub fn ext_storage_append_version_1(key: u64, value: u64);
        pub fn ext_storage_root_version_2(version: u32) -> u64;
        pub fn ext_storage_start_transaction_version_1();
        pub fn ext_storage_commit_transaction_version_1();
        pub fn ext_storage_rollback_transaction_version_1();
        pub fn ext_trie_blake2_256_ordered_root_version_2(input: u64, version: u32) -> u32;
        pub fn ext_hashing_blake2_128_version_1(data: u64) -> u32;
        pub fn ext_hashing_blake2_256_version_1(data: u64) -> u32;
        pub fn ext_hashing_twox_64_version_1(data: u64) -> u32;
        pub fn ext_crypto_sr25519_verify_version_2(
            signature: *const u8,
            message: u64,
            signer: *const u8,
        ) -> u32;
        pub fn ext_panic_handler_abort_on_panic_version_1(message: u64);
    }
}

/// Address and length in one integer, as the host takes them.
fn span(bytes: &[u8]) -> u64 {
    (bytes.len() as u64) << 32 | bytes.as_ptr() as u64
}

/// Takes over what the host returned.
fn owned(span: u64) -> Vec<u8> {
    let (address, len) = (span as u32, (span >> 32) as usize);
    // SAFETY: the host allocated exactly this many bytes for us, initialized, from the heap that
    // our global allocator frees to.
    unsafe { Vec::from_raw_parts(address as *mut u8, len, len) }
}

/// Takes over a result of known size and copies it out.
fn array<const N: usize>(address: u32) -> [u8; N] {
    let bytes = owned((N as u64) << 32 | u64::from(address));
    bytes.try_into().unwrap_or_else(|_| trap("the length was given"))
}

/// The value of `key`.
pub fn get(key: &[u8]) -> Option<Vec<u8>> {
    // SAFETY: reads the key's bytes.
    let mut value = owned(unsafe { import::ext_storage_get_version_1(span(key)) });
    let mut rest = value.as_slice();
    match u8::decode(&mut rest) {
        Ok(1) => {
            Compact::<u32>::decode(&mut rest).ok()?;
            let head = value.len() - rest.len();
            value.drain(..head);
            Some(value)
        }
        _ => None,
    }
}

/// Sets the value of `key`.
pub fn set(key: &[u8], value: &[u8]) {
    // SAFETY: reads the bytes of both.
    unsafe { import::ext_storage_set_version_1(span(key), span(value)) };
}

/// Removes `key`.
pub fn clear(key: &[u8]) {
    // SAFETY: reads the key's bytes.
    unsafe { import::ext_storage_clear_version_1(span(key)) };
}

/// Whether `key` has a value.
pub fn exists(key: &[u8]) -> bool {
    // SAFETY: reads the key's bytes.
    unsafe { import::ext_storage_exists_version_1(span(key)) != 0 }
}

/// Appends an encoded item to the list at `key`.
pub fn append(key: &[u8], item: &[u8]) {
    // SAFETY: reads the bytes of both.
    unsafe { import::ext_storage_append_version_1(span(key), span(item)) };
}

/// The state root, by the rules of state version 1.
pub fn storage_root() -> Hash {
    // SAFETY: takes a number.
    let root = owned(unsafe { import::ext_storage_root_version_2(1) });
    root.try_into().unwrap_or_else(|_| trap("the host's hash has 32 bytes"))
}

/// The root of a list, by the rules of state version 0.
#[expect(clippy::needless_pass_by_value, reason = "the native host takes the items over")]
pub fn ordered_root(items: Vec<Vec<u8>>) -> Hash {
    let input = items.encode();
    // SAFETY: reads the bytes of the list.
    array(unsafe { import::ext_trie_blake2_256_ordered_root_version_2(span(&input), 0) })
}

/// Opens a storage transaction.
pub fn begin() {
    // SAFETY: takes nothing.
    unsafe { import::ext_storage_start_transaction_version_1() };
}

/// Keeps what the innermost storage transaction wrote.
pub fn commit() {
    // SAFETY: takes nothing; without a transaction the host traps.
    unsafe { import::ext_storage_commit_transaction_version_1() };
}

/// Drops what the innermost storage transaction wrote.
pub fn rollback() {
    // SAFETY: takes nothing; without a transaction the host traps.
    unsafe { import::ext_storage_rollback_transaction_version_1() };
}

/// BLAKE2b with 16 bytes of output.
pub fn blake2_128(data: &[u8]) -> [u8; 16] {
    // SAFETY: reads the data.
    array(unsafe { import::ext_hashing_blake2_128_version_1(span(data)) })
}

/// BLAKE2b with 32 bytes of output.
pub fn blake2_256(data: &[u8]) -> [u8; 32] {
    // SAFETY: reads the data.
    array(unsafe { import::ext_hashing_blake2_256_version_1(span(data)) })
}

/// XXH64.
pub fn twox_64(data: &[u8]) -> [u8; 8] {
    // SAFETY: reads the data.
    array(unsafe { import::ext_hashing_twox_64_version_1(span(data)) })
}

/// Whether `signer` signed `message`.
pub fn sr25519_verify(signature: &[u8; 64], message: &[u8], signer: &AccountId) -> bool {
    let (signature, signer) = (signature.as_ptr(), signer.as_ptr());
    // SAFETY: reads 64 bytes, the message, 32 bytes, which is what the three point to.
    unsafe { import::ext_crypto_sr25519_verify_version_2(signature, span(message), signer) == 1 }
}

/// Ends the call as a trap does.
pub fn trap(message: &str) -> ! {
    // SAFETY: reads the message, and does not return.
    unsafe { import::ext_panic_handler_abort_on_panic_version_1(span(message.as_bytes())) };
    core::arch::wasm32::unreachable()
}
