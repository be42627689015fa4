//! Makes a block on a state, as its author would: initialise, inherents, extrinsics, finalise.
//!
//! ```text
//! Core_initialize_block(header with the slot) -> BlockBuilder_inherent_extrinsics(time)
//!   -> BlockBuilder_apply_extrinsic, each -> BlockBuilder_finalize_block -> header with roots
//! ```
//!
//! Any executor will do: it is a closure that calls an entry point. All calls share one overlay,
//! so the closure runs inside one [`Session::execute`](crate::Session::execute). Nothing depends
//! on the clock or on chance: the same state and request give the same block.
//!
//! A parachain's block sees a relay chain that is made up (`relay.rs`). The state before the first block is
//! `genesis.rs`'s.
//!
//! Left out: the seal, which needs the author's key and which no runtime sees but a parachain's when it
//! validates (`candidate.rs`).

mod candidate;
mod genesis;
mod relay;

use std::collections::BTreeMap;

use parity_scale_codec::{Decode, Encode};
use sp_crypto_hashing::{blake2_64, blake2_256};
use sp_runtime::DispatchError;
use sp_runtime::transaction_validity::TransactionValidityError;
use sp_version::RuntimeVersion;

use crate::chain::block::{Block, Header, is_length_prefixed};
use crate::chain::state::{State, storage_key};
pub use candidate::{CandidateError, RelayParent, Sealer, candidate};
pub use genesis::GenesisBuilder;
use relay::{PARACHAIN_SYSTEM, PARACHAIN_SYSTEM_1};

/// Name of a kind of inherent data.
pub type InherentId = [u8; 8];

const TIMESTAMP: InherentId = *b"timstap0";
const AURA_SLOT: InherentId = *b"auraslot";
const BABE_SLOT: InherentId = *b"babeslot";
/// Of relay chains: what their parachains made.
const PARACHAINS: InherentId = *b"parachn0";
/// Of relay chains up to 2020.
const NEW_HEADS: InherentId = *b"newheads";
/// The kind of a digest item for a consensus engine before the block is executed.
const PRE_RUNTIME: u8 = 6;
/// The variant of BABE's digest that claims a slot without a proof.
const SECONDARY_PLAIN: u8 = 2;
/// Time between blocks of a chain without slots, in ms.
const DEFAULT_SLOT: u64 = 6000;
/// What FRAME says is the parent of its genesis.
const NO_PARENT: [u8; 32] = [69; 32];
/// What `Core_initialize_block` answers when a block takes inherents only.
const ONLY_INHERENTS: u8 = 1;

/// What a block is to be made of.
#[derive(Clone, Debug, Default)]
pub struct BlockRequest {
    /// The header that it follows: number and hash. By default the one of the genesis state.
    pub parent: Option<(u64, [u8; 32])>,
    /// The time, in ms since 1970. By default that of the next slot after the state's own time.
    pub timestamp: Option<u64>,
    /// More inherent data, or other data than what is made here.
    pub inherents: BTreeMap<InherentId, Vec<u8>>,
    /// The extrinsics, each with its length before it.
    pub extrinsics: Vec<Vec<u8>>,
}

/// A block that was made.
#[derive(Clone, Debug)]
pub struct BuiltBlock {
    /// The block, without a seal.
    pub block: Block,
    /// How many of its first extrinsics are inherents.
    pub inherents: usize,
    /// The requested extrinsics that are in the block but whose call failed: position in the
    /// request, and why.
    pub failed: Vec<(usize, DispatchError)>,
    /// The relay block that was made up for it, if one was.
    pub relay_parent: Option<RelayParent>,
}

/// Why there is no block. `E` is the error of the executor.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError<E: std::error::Error + 'static> {
    /// An entry point failed.
    #[error("{entry}")]
    Call {
        /// The entry point.
        entry: &'static str,
        /// What the executor says.
        #[source]
        error: E,
    },
    /// What an entry point returned is something else.
    #[error("{entry} did not return {what}")]
    Decode {
        /// The entry point.
        entry: &'static str,
        /// What it should have returned.
        what: &'static str,
        /// What the decoder says.
        #[source]
        error: parity_scale_codec::Error,
    },
    /// The state is not the first one of its chain.
    #[error(
        "the state is that of block {number}, and the hash of its header is not in it; give the \
         parent's hash"
    )]
    Parent {
        /// The number in the state.
        number: u64,
    },
    /// Inherent data that only the chain's own node can make.
    #[error("the runtime needs the inherent {}, {why}; give its data", name(.id))]
    Inherent {
        /// Its identifier.
        id: InherentId,
        /// What it is made of.
        why: &'static str,
    },
    /// An extrinsic without its length.
    #[error("extrinsic {index} does not begin with its own length")]
    Length {
        /// Its position in the request.
        index: usize,
    },
    /// An extrinsic was refused and so is not part of the block.
    #[error("extrinsic {index} is rejected: {error:?}: {}", explain(.error))]
    Rejected {
        /// Its position in the request.
        index: usize,
        /// Why.
        error: TransactionValidityError,
    },
    /// An inherent was refused.
    #[error("inherent {index} is rejected: {error:?}: {}", explain(.error))]
    Unfit {
        /// Its position in the block.
        index: usize,
        /// Why.
        error: TransactionValidityError,
    },
    /// The call of an inherent failed.
    #[error("inherent {index} failed: {error:?}")]
    InherentCall {
        /// Its position in the block.
        index: usize,
        /// Why.
        error: DispatchError,
    },
    /// The runtime makes no genesis state of a configuration.
    #[error("the runtime refuses the configuration: {0}")]
    Configuration(String),
    /// The block may hold inherents only, as the runtime is in the middle of a migration.
    #[error("the runtime takes no extrinsics in this block, only inherents")]
    OnlyInherents,
}

/// Makes a block on `state`, whose runtime has this version. `call` calls an entry point; see the
/// head of this file for where it runs.
pub fn build_block<E: std::error::Error + 'static>(
    state: &State,
    version: &RuntimeVersion,
    request: &BlockRequest,
    call: impl FnMut(&str, &[u8]) -> Result<Vec<u8>, E>,
) -> Result<BuiltBlock, BuildError<E>> {
    if let Some(index) = request.extrinsics.iter().position(|e| !is_length_prefixed(e)) {
        return Err(BuildError::Length { index });
    }
    let genesis = genesis_header(state);
    let number = stored_u64(state, "System", "Number");
    let parent = match request.parent {
        Some(parent) => parent,
        None if number == 0 || is_genesis(state) => (0, genesis.hash()),
        None => return Err(BuildError::Parent { number }),
    };
    let mut author = Author { version, call };
    let slot = author.slot(state, request)?;
    let header = Header {
        parent_hash: parent.1,
        number: parent.0 + 1,
        state_root: [0; 32],
        extrinsics_root: [0; 32],
        digest: slot.digest.clone().into_iter().collect(),
    };
    let mode = author.call("Core_initialize_block", &header.encode())?;
    if mode.first() == Some(&ONLY_INHERENTS) && !request.extrinsics.is_empty() {
        return Err(BuildError::OnlyInherents);
    }
    let parent_header = (parent == (0, genesis.hash())).then_some(&genesis);
    let Inherents { mut extrinsics, relay_parent } =
        author.inherents(state, request, &slot, parent_header)?;
    let inherents = extrinsics.len();
    for (index, inherent) in extrinsics.iter().enumerate() {
        match author.apply(inherent)? {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(BuildError::InherentCall { index, error }),
            Err(error) => return Err(BuildError::Unfit { index, error }),
        }
    }
    let mut failed = Vec::new();
    for (index, extrinsic) in request.extrinsics.iter().enumerate() {
        match author.apply(extrinsic)? {
            Ok(Ok(())) => {}
            Ok(Err(error)) => failed.push((index, error)),
            Err(error) => return Err(BuildError::Rejected { index, error }),
        }
        extrinsics.push(extrinsic.clone());
    }
    let entry = "BlockBuilder_finalize_block";
    let header = Header::decode(&author.call(entry, &[])?).map_err(|error| BuildError::Decode {
        entry,
        what: "a header",
        error,
    })?;
    Ok(BuiltBlock { block: Block { header, extrinsics }, inherents, failed, relay_parent })
}

/// The header of the block that nobody made, whose state is `state`.
pub fn genesis_header(state: &State) -> Header {
    Header {
        parent_hash: [0; 32],
        number: 0,
        state_root: state.root(),
        // The root of a trie without any key.
        extrinsics_root: blake2_256(&[0]),
        digest: Vec::new(),
    }
}

/// Whether it is a genesis state of FRAME, which up to 2019 gave it the number 1.
fn is_genesis(state: &State) -> bool {
    state.storage(&storage_key("System", "ParentHash")).is_some_and(|hash| hash == NO_PARENT)
}

/// Time and slot of a block.
struct SlotOfBlock {
    timestamp: u64,
    number: u64,
    digest: Option<Vec<u8>>,
}

/// The inherents of a block.
struct Inherents {
    /// Each with its length before it.
    extrinsics: Vec<Vec<u8>>,
    /// The relay block that was made up for them, if one was.
    relay_parent: Option<RelayParent>,
}

struct Author<'v, C> {
    version: &'v RuntimeVersion,
    call: C,
}

type Applied = Result<Result<(), DispatchError>, TransactionValidityError>;

impl<C, E> Author<'_, C>
where
    C: FnMut(&str, &[u8]) -> Result<Vec<u8>, E>,
    E: std::error::Error + 'static,
{
    fn call(&mut self, entry: &'static str, input: &[u8]) -> Result<Vec<u8>, BuildError<E>> {
        (self.call)(entry, input).map_err(|error| BuildError::Call { entry, error })
    }

    fn decoded<T: Decode>(
        &mut self,
        entry: &'static str,
        input: &[u8],
        what: &'static str,
    ) -> Result<T, BuildError<E>> {
        let output = self.call(entry, input)?;
        T::decode(&mut &output[..]).map_err(|error| BuildError::Decode { entry, what, error })
    }

    /// Whether the runtime implements that API.
    fn has(&self, api: &str) -> bool {
        self.version.api_version(&blake2_64(api.as_bytes())).is_some()
    }

    /// The time of the block, and the slot that its digest claims for the first authority.
    fn slot(
        &mut self,
        state: &State,
        request: &BlockRequest,
    ) -> Result<SlotOfBlock, BuildError<E>> {
        let (aura, babe) = (self.has("AuraApi"), self.has("BabeApi"));
        let duration = if aura {
            self.decoded::<u64>("AuraApi_slot_duration", &[], "a slot duration")?
        } else if babe {
            // The configuration begins with it.
            self.decoded::<u64>("BabeApi_configuration", &[], "BABE's configuration")?
        } else {
            DEFAULT_SLOT
        };
        let duration = duration.max(1);
        let now = stored_u64(state, "Timestamp", "Now");
        let timestamp = request.timestamp.unwrap_or((now / duration + 1).saturating_mul(duration));
        let number = timestamp / duration;
        let digest = if aura {
            Some((PRE_RUNTIME, *b"aura", number.encode()).encode())
        } else if babe {
            Some(babe_slot(number))
        } else {
            None
        };
        Ok(SlotOfBlock { timestamp, number, digest })
    }

    /// The extrinsics that the runtime makes of inherent data.
    fn inherents(
        &mut self,
        state: &State,
        request: &BlockRequest,
        slot: &SlotOfBlock,
        parent: Option<&Header>,
    ) -> Result<Inherents, BuildError<E>> {
        let mut data = BTreeMap::from([
            (TIMESTAMP, slot.timestamp.encode()),
            // Runtimes of before 2021 ask for these.
            (AURA_SLOT, slot.number.encode()),
            (BABE_SLOT, slot.number.encode()),
            (NEW_HEADS, Vec::<u8>::new().encode()),
        ]);
        let mut relay_parent = None;
        if let Some(parent) = parent {
            // No bitfields, no candidates, no disputes.
            data.insert(PARACHAINS, [vec![0, 0, 0], parent.encode()].concat());
            let offset = match self.has("RelayParentOffsetApi") {
                true => {
                    let entry = "RelayParentOffsetApi_relay_parent_offset";
                    self.decoded::<u32>(entry, &[], "a number of relay blocks")?
                }
                false => 0,
            };
            if let Some(relay) = relay::inherents(state, parent, slot.timestamp, offset) {
                relay_parent = Some(relay.parent);
                data.extend(relay.data);
            }
        }
        let given = |id| request.inherents.contains_key(&id);
        if given(PARACHAIN_SYSTEM) || given(PARACHAIN_SYSTEM_1) {
            relay_parent = None;
        }
        if given(PARACHAIN_SYSTEM) {
            // It would be preferred to what was given.
            data.remove(&PARACHAIN_SYSTEM_1);
        }
        data.extend(request.inherents.clone());
        let needed = [
            ("CollectCollationInfo", PARACHAIN_SYSTEM, "which says what the relay chain has"),
            ("ParachainHost", PARACHAINS, "which holds the header of the parent"),
        ];
        for (api, id, why) in needed {
            let given = data.contains_key(&id)
                || id == PARACHAIN_SYSTEM && data.contains_key(&PARACHAIN_SYSTEM_1);
            if self.has(api) && !given {
                return Err(BuildError::Inherent { id, why });
            }
        }
        let entry = "BlockBuilder_inherent_extrinsics";
        let list: Vec<Vec<u8>> = self.decoded(entry, &data.encode(), "a list of extrinsics")?;
        Ok(Inherents { extrinsics: list.iter().map(Encode::encode).collect(), relay_parent })
    }

    fn apply(&mut self, extrinsic: &[u8]) -> Result<Applied, BuildError<E>> {
        self.decoded("BlockBuilder_apply_extrinsic", extrinsic, "the outcome of an extrinsic")
    }
}

/// The digest item by which BABE's first authority claims a slot without a proof.
pub(crate) fn babe_slot(slot: u64) -> Vec<u8> {
    (PRE_RUNTIME, *b"BABE", (SECONDARY_PLAIN, 0u32, slot).encode()).encode()
}

/// A number that a pallet of FRAME stores, of 4 or 8 bytes; 0 where there is none.
fn stored_u64(state: &State, pallet: &str, item: &str) -> u64 {
    let mut bytes = state.storage(&storage_key(pallet, item)).unwrap_or_default();
    bytes.resize(8, 0);
    u64::from_le_bytes(bytes.try_into().expect("8 bytes"))
}

fn name(id: &InherentId) -> String {
    String::from_utf8_lossy(id).into_owned()
}

fn explain(error: &TransactionValidityError) -> &'static str {
    (*error).into()
}
