//! The host functions natively: `sp-io` on the externalities of the thread.

use alloc::vec::Vec;

use sp_core::storage::StateVersion;
use sp_io::{crypto, hashing, storage, trie};

use crate::types::{AccountId, Hash};

pub use hashing::{blake2_128, blake2_256, twox_64};

/// The value of `key`.
pub fn get(key: &[u8]) -> Option<Vec<u8>> {
    storage::get(key).map(Vec::from)
}

/// Sets the value of `key`.
pub fn set(key: &[u8], value: &[u8]) {
    storage::set(key, value);
}

/// Removes `key`.
pub fn clear(key: &[u8]) {
    storage::clear(key);
}

/// Whether `key` has a value.
pub fn exists(key: &[u8]) -> bool {
    storage::exists(key)
}

/// Appends an encoded item to the list at `key`.
pub fn append(key: &[u8], item: &[u8]) {
    storage::append(key, item.to_vec());
}

/// The state root, by the rules of state version 1.
pub fn storage_root() -> Hash {
    let root = storage::root(StateVersion::V1);
    root.try_into().expect("the host's hash has 32 bytes")
}

/// The root of a list, by the rules of state version 0.
pub fn ordered_root(items: Vec<Vec<u8>>) -> Hash {
    trie::blake2_256_ordered_root(items, StateVersion::V0).0
}

/// Opens a storage transaction.
pub fn begin() {
    storage::start_transaction();
}

/// Keeps what the innermost storage transaction wrote.
pub fn commit() {
    storage::commit_transaction();
}

/// Drops what the innermost storage transaction wrote.
pub fn rollback() {
    storage::rollback_transaction();
}

/// Whether `signer` signed `message`.
pub fn sr25519_verify(signature: &[u8; 64], message: &[u8], signer: &AccountId) -> bool {
    crypto::sr25519_verify(&(*signature).into(), message, &(*signer).into())
}

/// Ends the call as a trap does.
pub fn trap(message: &str) -> ! {
    panic!("{message}")
}
