//! A block, and its execution with a check of the state root.

use parity_scale_codec::{Compact, Decode, Encode, Input as _};

use super::state::Session;
use crate::call::{CallError, RuntimeInstance, call};
use crate::context::CallContext;
use sp_core::storage::StateVersion;
use sp_core::{Blake2Hasher, Hasher};

/// The digest item that a block's author signs it with.
pub(crate) const SEAL: u8 = 5;

/// The header of a block with BLAKE2b-256 hashes, as all Polkadot chains have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Hash of the parent's header.
    pub parent_hash: [u8; 32],
    /// The block's number.
    pub number: u64,
    /// The root of the state after the block.
    pub state_root: [u8; 32],
    /// The root of the list of extrinsics.
    pub extrinsics_root: [u8; 32],
    /// Digest items in order, each in its SCALE encoding.
    pub digest: Vec<Vec<u8>>,
}

/// A header and its extrinsics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The header, as it was given.
    pub header: Header,
    /// The extrinsics, each with its length before it.
    pub extrinsics: Vec<Vec<u8>>,
}

/// What came of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockReport {
    /// The state root in the header. The runtime has compared it with its own.
    pub expected_root: [u8; 32],
    /// The state root that the host computed afterwards.
    pub computed_root: [u8; 32],
}

impl BlockReport {
    /// Whether the host agrees with the header.
    pub fn matches(&self) -> bool {
        self.expected_root == self.computed_root
    }
}

impl Header {
    /// Decodes a header. It must be all of `bytes`.
    pub fn decode(mut bytes: &[u8]) -> Result<Self, parity_scale_codec::Error> {
        let input = &mut bytes;
        let header = Self {
            parent_hash: Decode::decode(input)?,
            number: Compact::<u64>::decode(input)?.0,
            state_root: Decode::decode(input)?,
            extrinsics_root: Decode::decode(input)?,
            digest: digest(input)?,
        };
        match input.is_empty() {
            true => Ok(header),
            false => Err("bytes follow the header".into()),
        }
    }

    /// The SCALE encoding.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.parent_hash.to_vec();
        Compact(self.number).encode_to(&mut out);
        out.extend(self.state_root);
        out.extend(self.extrinsics_root);
        Compact(self.digest.len() as u32).encode_to(&mut out);
        out.extend(self.digest.concat());
        out
    }

    /// The hash by which others name the block.
    pub fn hash(&self) -> [u8; 32] {
        Blake2Hasher::hash(&self.encode()).0
    }
}

impl Block {
    /// The argument of `Core_execute_block`. A seal at the end of the digest is left out: the
    /// import queue takes it off before a runtime sees the block.
    pub fn argument(&self) -> Vec<u8> {
        let mut header = self.header.clone();
        header.digest.pop_if(|item| item.first() == Some(&SEAL));
        [header.encode(), self.body()].concat()
    }

    /// The SCALE encoding of the list of extrinsics.
    pub(crate) fn body(&self) -> Vec<u8> {
        let mut out = Compact(self.extrinsics.len() as u32).encode();
        out.extend(self.extrinsics.concat());
        out
    }
}

/// Executes a block on the state of its parent. The runtime itself compares the state root and
/// panics when it differs; the report has the host's own view.
pub fn execute_block<I: RuntimeInstance>(
    session: &mut Session<'_>,
    instance: &mut I,
    context: &mut CallContext,
    block: &Block,
    version: StateVersion,
) -> Result<BlockReport, CallError<I::Trap>> {
    let argument = block.argument();
    session.execute(|| call(instance, context, "Core_execute_block", &argument))?;
    Ok(BlockReport { expected_root: block.header.state_root, computed_root: session.root(version) })
}

/// Whether `extrinsic` begins with its own length, as it does in a block.
pub fn is_length_prefixed(mut extrinsic: &[u8]) -> bool {
    let len = Compact::<u32>::decode(&mut extrinsic);
    len.is_ok_and(|len| len.0 as usize == extrinsic.len())
}

/// The digest items, each cut out whole. Only their lengths matter here.
fn digest(input: &mut &[u8]) -> Result<Vec<Vec<u8>>, parity_scale_codec::Error> {
    let count = Compact::<u32>::decode(input)?.0;
    // Not reserved by the count: it is whatever the file says.
    let mut items = Vec::new();
    for _ in 0..count {
        let start = *input;
        match input.read_byte()? {
            // Other.
            0 => drop(Vec::<u8>::decode(input)?),
            // The root of a changes trie, of blocks before 2022.
            2 => drop(<[u8; 32]>::decode(input)?),
            // Consensus, Seal, PreRuntime: an engine's id and its data.
            4..=6 => drop(<([u8; 4], Vec<u8>)>::decode(input)?),
            // The runtime environment was updated.
            8 => {}
            kind => {
                log::debug!("digest item of kind {kind}");
                return Err("unknown kind of digest item".into());
            }
        }
        items.push(start[..start.len() - input.len()].to_vec());
    }
    Ok(items)
}
