//! Where things lie in storage: the keys of the specification's section 4, and typed access.

use alloc::vec::Vec;

use parity_scale_codec::{Decode, Encode};

use crate::{
    host,
    types::{Account, AccountId},
};

/// A value's key: the hashes of pallet and item.
pub type Key = [u8; 32];

const fn key(hex: &str) -> Key {
    const fn digit(byte: u8) -> u8 {
        match byte {
            b'0'..=b'9' => byte - b'0',
            _ => byte - b'a' + 10,
        }
    }
    let hex = hex.as_bytes();
    let mut key = [0; 32];
    let mut at = 0;
    while at < key.len() {
        key[at] = digit(hex[2 * at]) << 4 | digit(hex[2 * at + 1]);
        at += 1;
    }
    key
}

macro_rules! keys {
    ($($name:ident = $hex:literal;)*) => {
        $(#[doc = concat!("The key `", $hex, "`.")] pub const $name: Key = key($hex);)*
    };
}

keys! {
    ACCOUNT = "26aa394eea5630e07c48ae0c9558cef7b99d880ec681799c0cf30e8886371da9";
    EXTRINSIC_COUNT = "26aa394eea5630e07c48ae0c9558cef7bdc0bd303e9855813aa8a30d4efc5112";
    INHERENTS_APPLIED = "26aa394eea5630e07c48ae0c9558cef7156afe25323c70e43eb722ed7c886297";
    BLOCK_WEIGHT = "26aa394eea5630e07c48ae0c9558cef734abf5cb34d6244378cddbf18e849d96";
    BLOCK_SIZE = "26aa394eea5630e07c48ae0c9558cef7dd2ecd4efaa88c313bb2e876dc3521ea";
    BLOCK_HASH = "26aa394eea5630e07c48ae0c9558cef7a44704b568d21667356a5a050c118746";
    EXTRINSIC_DATA = "26aa394eea5630e07c48ae0c9558cef7df1daeb8986837f21cc5d17596bb78d1";
    NUMBER = "26aa394eea5630e07c48ae0c9558cef702a5c1b19ab7a04f536c519aca4983ac";
    PARENT_HASH = "26aa394eea5630e07c48ae0c9558cef78a42f33323cb5ced3b44dd825fda9fcc";
    DIGEST = "26aa394eea5630e07c48ae0c9558cef799e7f93fc6a98f0874fd057f111c4d2d";
    EVENTS = "26aa394eea5630e07c48ae0c9558cef780d41e5e16056765bc8461851072c9d7";
    EVENT_COUNT = "26aa394eea5630e07c48ae0c9558cef70a98fdbe9ce6c55837576c60c7af3850";
    LAST_RUNTIME_UPGRADE = "26aa394eea5630e07c48ae0c9558cef7f9cce9c888469bb1a0dceaa129672ef8";
    UPGRADED_TO_U32_REF_COUNT = "26aa394eea5630e07c48ae0c9558cef75684a022a34dd8bfa2baaf44f172b710";
    UPGRADED_TO_TRIPLE_REF_COUNT = "26aa394eea5630e07c48ae0c9558cef7a7fd6c28836b9a28522dc924110cf439";
    EXECUTION_PHASE = "26aa394eea5630e07c48ae0c9558cef7ff553b5a9862a516939d82b3d3d8661a";
    SYSTEM_VERSION = "26aa394eea5630e07c48ae0c9558cef74e7b9012096b41c4eb3aaf947f6ea429";
    NOW = "f0c365c3cf59d671eb72da0e7a4113c49f1f0515f462cdcf84e0f1d6045dfcbb";
    DID_UPDATE = "f0c365c3cf59d671eb72da0e7a4113c4bbd108c4899964f707fdaffb82636065";
    TIMESTAMP_VERSION = "f0c365c3cf59d671eb72da0e7a4113c44e7b9012096b41c4eb3aaf947f6ea429";
    TOTAL_ISSUANCE = "c2261276cc9d1f8598ea4b6a74b15c2f57c875e4cff74148e4628f264b974c80";
    BALANCES_VERSION = "c2261276cc9d1f8598ea4b6a74b15c2f4e7b9012096b41c4eb3aaf947f6ea429";
    NEXT_FEE_MULTIPLIER = "3f1467a096bcd71a5b6a0c8155e208103f2edf3bdf381debe331ab7446addfdc";
    PAYMENT_RELEASE = "3f1467a096bcd71a5b6a0c8155e20810308ce9615de0775a82f8a94dc3d285a1";
    PAYMENT_VERSION = "3f1467a096bcd71a5b6a0c8155e208104e7b9012096b41c4eb3aaf947f6ea429";
}

/// The index of the extrinsic that is applied.
pub const EXTRINSIC_INDEX: &[u8] = b":extrinsic_index";
/// Something that differs from block to block.
pub const INTRABLOCK_ENTROPY: &[u8] = b":intrablock_entropy";

/// The key of an entry of a map whose keys are numbers.
pub fn numbered(map: &Key, number: u32) -> Vec<u8> {
    let number = number.to_le_bytes();
    [&map[..], &host::twox_64(&number), &number].concat()
}

/// The key of an account.
pub fn account_key(account: &AccountId) -> Vec<u8> {
    [&ACCOUNT[..], &host::blake2_128(account), account].concat()
}

/// The value of `key`, if there is one and it is a `T`.
pub fn find<T: Decode>(key: &[u8]) -> Option<T> {
    T::decode(&mut host::get(key)?.as_slice()).ok()
}

/// The value of `key`, or the default.
pub fn get<T: Decode + Default>(key: &[u8]) -> T {
    find(key).unwrap_or_default()
}

/// Sets the value of `key`.
pub fn put<T: Encode + ?Sized>(key: &[u8], value: &T) {
    value.using_encoded(|bytes| host::set(key, bytes));
}

/// Removes `key` and returns the value that it had, or the default.
pub fn take<T: Decode + Default>(key: &[u8]) -> T {
    let value = get(key);
    host::clear(key);
    value
}

/// The account; one that is not stored owns nothing.
pub fn account(id: &AccountId) -> Account {
    get(&account_key(id))
}

/// Stores the account.
pub fn put_account(id: &AccountId, account: &Account) {
    put(&account_key(id), account);
}
