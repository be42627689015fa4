//! The relay chain as a parachain's block sees it, for a block that no relay chain will ever see:
//! one relay block with the configuration, the slot and the parachain's head, and no messages.
//!
//! A collator takes all of this from a relay chain's node. Nothing checks it when a block is made
//! or executed, but that the storage proof fits its root, so a chain of one's own making does.

use std::collections::BTreeMap;

use parity_scale_codec::Encode;
use sp_core::Blake2Hasher;
use sp_core::storage::StateVersion;
use sp_crypto_hashing::twox_64;
use sp_state_machine::{InMemoryBackend, prove_read};

use super::author::storage_key;
use super::state::State;

/// Time between relay blocks, in ms.
const RELAY_SLOT: u64 = 6000;
/// The largest proof that a relay chain would take with a block, in bytes.
const MAX_PROOF_BYTES: u32 = 5 << 20;
/// What Polkadot allows a parachain, in the order of `AbridgedHostConfiguration`: bytes of code
/// and of a head, messages and bytes in the queue upwards, bytes of a message, messages upwards
/// and sideways in a block, blocks between and before upgrades, candidates in flight, ancestors.
const CONFIGURATION: [u32; 11] =
    [3 << 20, 20 << 10, 174_762, 1 << 20, 64 << 10, 16, 10, 14_400, 600, 3, 2];

/// The inherent data `sysi1337` for the block after the one with the encoded header `parent`, or
/// `None` where the state names no parachain.
///
/// It is a `ParachainInherentData`: validation data, proof of the relay chain's state, messages
/// from above, messages from the side.
pub(super) fn inherent(
    state: &State,
    parent: &[u8],
    parent_number: u64,
    timestamp: u64,
) -> Option<Vec<u8>> {
    let id = state.storage(&storage_key("ParachainInfo", "ParachainId"))?;
    let head = [storage_key("Paras", "Heads"), twox_64(&id).to_vec(), id].concat();
    let pairs = BTreeMap::from([
        (storage_key("Configuration", "ActiveConfig"), CONFIGURATION.encode()),
        (storage_key("Babe", "CurrentSlot"), (timestamp / RELAY_SLOT).encode()),
        (head, parent.encode()),
    ]);
    let keys: Vec<Vec<u8>> = pairs.keys().cloned().collect();
    let relay = InMemoryBackend::<Blake2Hasher>::from((pairs, StateVersion::V1));
    let root = *relay.root();
    let proof = prove_read(relay, keys).ok()?;
    let number = u32::try_from(parent_number).ok()?.checked_add(1)?;
    let validation = (parent, number, root, MAX_PROOF_BYTES);
    let downward = Vec::<()>::new();
    let horizontal = BTreeMap::<u32, ()>::new();
    Some((validation, proof, downward, horizontal).encode())
}
