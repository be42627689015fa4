//! The relay chain as a parachain's block sees it, for a block that no relay chain will ever see:
//! one relay block with the configuration, the slot, the authority and the parachain's head, no
//! messages, and the blocks after it.
//!
//! A collator takes all of this from a relay chain's node. When a block is made or executed, three
//! things are checked: that the storage proof fits its root, that as many relay blocks follow as
//! the runtime wants (its relay parent offset), and that authorities of the proven state sealed
//! them. So a chain of one's own making does, with an authority for whom anyone can sign: the
//! public key and the signature are zero, which is valid for every message.
//!
//! The trie has layout V0: runtimes of before 2022 know no other, and all later ones read it.

use std::collections::BTreeMap;

use parity_scale_codec::{Compact, Encode};
use sp_core::Blake2Hasher;
use sp_core::storage::StateVersion;
use sp_crypto_hashing::twox_64;
use sp_state_machine::{InMemoryBackend, prove_read};

use super::{InherentId, RelayParent, babe_slot};
use crate::chain::block::{Header, SEAL};
use crate::chain::state::{State, storage_key};

/// Of parachains: what their relay chain says.
pub(crate) const PARACHAIN_SYSTEM: InherentId = *b"sysi1337";
/// The same with the relay blocks that follow, of runtimes since 2025.
pub(crate) const PARACHAIN_SYSTEM_1: InherentId = *b"sysi1338";
/// Time between relay blocks, in ms.
const RELAY_SLOT: u64 = 6000;
/// The identifier of a parachain that stores none.
const DEFAULT_ID: u32 = 100;
/// The largest proof that a relay chain would take with a block, in bytes.
const MAX_PROOF_BYTES: u32 = 5 << 20;
/// What Polkadot allows a parachain, in the order of `AbridgedHostConfiguration`: bytes of code
/// and of a head, messages and bytes in the queue upwards, bytes of a message, messages upwards
/// and sideways in a block, blocks between and before upgrades, candidates in flight, ancestors.
const CONFIGURATION: [u32; 11] =
    [3 << 20, 20 << 10, 174_762, 1 << 20, 64 << 10, 16, 10, 14_400, 600, 3, 2];
/// More blocks than any parachain lies behind its relay chain.
const MAX_OFFSET: u32 = 1000;
/// The relay chain's only authority: the key for which [`SIGNATURE`] is valid, and a weight.
const AUTHORITY: ([u8; 32], u64) = ([0; 32], 1);
/// A signature of sr25519, with the bit that marks it as one.
const SIGNATURE: [u8; 64] = {
    let mut zeros = [0; 64];
    zeros[63] = 0x80;
    zeros
};

/// A relay chain that was made up.
pub(crate) struct Relay {
    /// The block that the parachain's is made for.
    pub parent: RelayParent,
    /// The inherent data that say so.
    pub data: [(InherentId, Vec<u8>); 2],
}

/// The relay block and the inherent data of a parachain's block after the one with the header `parent`, in both forms;
/// `offset` relay blocks follow the one that it sees. `None` where `parent`'s number is none that a
/// relay chain could have.
///
/// It is a `ParachainInherentData`: validation data, proof of the relay chain's state, messages
/// from above, messages from the side; in the second form also the relay blocks, and no collator.
pub(crate) fn inherents(
    state: &State,
    parent: &Header,
    timestamp: u64,
    offset: u32,
) -> Option<Relay> {
    let id = state.storage(&storage_key("ParachainInfo", "ParachainId"));
    let id = id.unwrap_or_else(|| DEFAULT_ID.encode());
    let head = [storage_key("Paras", "Heads"), twox_64(&id).to_vec(), id].concat();
    let slot = timestamp / RELAY_SLOT;
    let pairs = BTreeMap::from([
        (storage_key("Configuration", "ActiveConfig"), CONFIGURATION.encode()),
        (storage_key("Babe", "CurrentSlot"), slot.encode()),
        (storage_key("Babe", "Authorities"), vec![AUTHORITY].encode()),
        (head, parent.encode().encode()),
    ]);
    let keys: Vec<Vec<u8>> = pairs.keys().cloned().collect();
    let relay = InMemoryBackend::<Blake2Hasher>::from((pairs, StateVersion::V0));
    let root = *relay.root();
    let proof = prove_read(relay, keys).ok()?;
    let number = u32::try_from(parent.number).ok()?.checked_add(1)?;
    let validation = (parent.encode(), number, root, MAX_PROOF_BYTES);
    let downward = Vec::<()>::new();
    let horizontal = BTreeMap::<u32, ()>::new();
    let data = (validation, proof, downward, horizontal).encode();
    let blocks = blocks(number, root.0, slot, offset);
    let mut with_blocks = data.clone();
    Compact(blocks.len() as u32).encode_to(&mut with_blocks);
    with_blocks.extend(blocks.iter().flat_map(Header::encode));
    None::<()>.encode_to(&mut with_blocks);
    Some(Relay {
        parent: RelayParent { number, state_root: root.0 },
        data: [(PARACHAIN_SYSTEM, data), (PARACHAIN_SYSTEM_1, with_blocks)],
    })
}

/// The sealed headers of the relay block that the parachain sees and of the `offset` ones after
/// it; none where none have to follow.
fn blocks(number: u32, state_root: [u8; 32], slot: u64, offset: u32) -> Vec<Header> {
    let mut blocks = Vec::<Header>::new();
    let count = if offset == 0 { 0 } else { u64::from(offset.min(MAX_OFFSET)) + 1 };
    for distance in 0..count {
        blocks.push(Header {
            parent_hash: blocks.last().map_or([0; 32], Header::hash),
            number: u64::from(number) + distance,
            state_root,
            extrinsics_root: [0; 32],
            digest: vec![babe_slot(slot + distance), (SEAL, *b"BABE", SIGNATURE.to_vec()).encode()],
        });
    }
    blocks
}
