//! A parachain's block as its validators get it: the argument of `validate_block`.
//!
//! Validators have no state of the parachain. They get the nodes of its trie that executing the block
//! reads, as a proof for the root in the parent's header, and run the same runtime on that.

use parity_scale_codec::Encode;
use sp_core::crypto::SecretStringError;
use sp_core::{Blake2Hasher, Pair, sr25519};
use sp_trie::CompactProof;

use super::{BuiltBlock, genesis_header};
use crate::chain::block::{Header, SEAL};
use crate::chain::state::Session;

/// The relay block that a parachain's block was made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayParent {
    /// Its number.
    pub number: u32,
    /// The root of its state.
    pub state_root: [u8; 32],
}

/// An author who seals blocks with a key of AURA's.
pub struct Sealer(sr25519::Pair);

impl Sealer {
    /// By the secret of the key: a phrase, or a path below the one that all development chains have, such as
    /// `//Alice`.
    ///
    /// # Errors
    ///
    /// When it is neither.
    pub fn by_secret(secret: &str) -> Result<Self, SecretStringError> {
        sr25519::Pair::from_string(secret, None).map(Self)
    }

    /// The digest item that seals the block with that header.
    fn seal(&self, header: &Header) -> Vec<u8> {
        (SEAL, *b"aura", self.0.sign(&header.hash()).0.to_vec()).encode()
    }
}

/// Why a block cannot be a candidate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CandidateError<E: std::error::Error + 'static> {
    /// Its relay block is not known.
    #[error(
        "validators ask which relay block the block was made for, which is known of a parachain's \
         first block alone"
    )]
    NoRelayParent,
    /// It cannot be executed.
    #[error("the block was made, but cannot be executed")]
    Execute(#[source] E),
    /// The nodes that were read make no proof.
    #[error("executing the block reads nothing of the state that it is made on")]
    NoProof,
}

/// The argument of `validate_block` for the first block of a parachain, made on the state of
/// `session`. Chains with AURA take it with the seal of the one whose slot it is; without a sealer, it
/// has none. `call` calls an entry point.
///
/// It is `ValidationParams` with a `ParachainBlockData` of one block in the form that all runtimes read.
pub fn candidate<E: std::error::Error + 'static>(
    session: &mut Session<'_>,
    built: &BuiltBlock,
    sealer: Option<&Sealer>,
    call: impl FnOnce(&str, &[u8]) -> Result<Vec<u8>, E>,
) -> Result<Vec<u8>, CandidateError<E>> {
    let relay = built.relay_parent.as_ref().ok_or(CandidateError::NoRelayParent)?;
    let parent = genesis_header(session.state());
    let argument = built.block.argument();
    let (executed, proof) = session.prove(|| call("Core_execute_block", &argument));
    executed.map_err(CandidateError::Execute)?;
    let proof = proof.into_compact_proof::<Blake2Hasher>(parent.state_root.into());
    let proof: CompactProof = proof.map_err(|_| CandidateError::NoProof)?;

    let mut header: Header = built.block.header.clone();
    if let Some(sealer) = sealer {
        header.digest.push(sealer.seal(&header));
    }
    let block = [header.encode(), built.block.body(), proof.encode()].concat();
    Ok((parent.encode(), block, relay.number, relay.state_root).encode())
}
