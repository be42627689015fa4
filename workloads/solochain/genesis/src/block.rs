//! The first block: the time, then transfers between accounts everybody has the keys of.

use codec::Encode;
use rand_core::{CryptoRng, RngCore};
use schnorrkel::{Keypair, context::attach_rng, signing_context};
use solochain_runtime::{
    AccountId, Block, Hash, Header, Nonce, RuntimeCall, SLOT_MILLIS, Signature, SignedPayload,
    TxExtension, UNIT, UncheckedExtrinsic, VERSION,
};
use sp_consensus_aura::{AURA_ENGINE_ID, Slot};
use sp_core::sr25519;
use sp_keyring::Sr25519Keyring::{self, Alice, Bob, Charlie, Dave, Eve, Ferdie};
use sp_runtime::{
    ApplyExtrinsicResult, Digest, DigestItem, ExtrinsicInclusionMode, generic::Era,
    traits::Header as _,
};

use crate::chain::{Chain, call_for};

/// The slot of the block: some time in June 2025.
const SLOT: u64 = 291_666_667;

/// In this order each of them pays the next one.
const RING: [Sr25519Keyring; 6] = [Alice, Bob, Charlie, Dave, Eve, Ferdie];

/// The block as its author would have made it, without the seal.
///
/// Every account of the ring sends four transfers: to its neighbour, to an account that this
/// brings into being, again to that account, and one too small to found an account, which fails
/// and costs its fee.
pub fn transfers(chain: &Chain) -> Block {
    let genesis = chain.genesis_hash();
    let now = pallet_timestamp::Call::set { now: SLOT * SLOT_MILLIS };

    let mut extrinsics = vec![UncheckedExtrinsic::new_bare(now.into())];
    for nonce in 0..4 {
        for (index, sender) in RING.into_iter().enumerate() {
            extrinsics.push(signed(sender, nonce, transfer(index, nonce), genesis));
        }
    }
    let (block, failures) = author(chain, genesis, extrinsics);
    assert_eq!(failures, RING.len(), "only the last transfer of each account fails");
    block
}

fn transfer(sender: usize, nonce: Nonce) -> RuntimeCall {
    let neighbour = RING[(sender + 1) % RING.len()].to_account_id();
    let newcomer = |round: u8| AccountId::new([16 * round + sender as u8; 32]);
    let (dest, value) = match nonce {
        0 => (neighbour, 100 * UNIT),
        1 => (newcomer(1), 10 * UNIT),
        2 => (newcomer(1), UNIT),
        _ => (newcomer(2), 1),
    };
    let dest = dest.into();
    let call = match nonce % 2 {
        0 => pallet_balances::Call::transfer_keep_alive { dest, value },
        _ => pallet_balances::Call::transfer_allow_death { dest, value },
    };
    call.into()
}

/// A transaction signed by `sender`; every second one expires.
fn signed(
    sender: Sr25519Keyring,
    nonce: Nonce,
    call: RuntimeCall,
    genesis: Hash,
) -> UncheckedExtrinsic {
    let era = if nonce.is_multiple_of(2) { Era::Immortal } else { Era::mortal(64, 0) };
    let extension: TxExtension = (
        frame_system::AuthorizeCall::new(),
        frame_system::CheckNonZeroSender::new(),
        frame_system::CheckSpecVersion::new(),
        frame_system::CheckTxVersion::new(),
        frame_system::CheckGenesis::new(),
        frame_system::CheckMortality::from(era),
        frame_system::CheckNonce::from(nonce),
        frame_system::CheckWeight::new(),
        pallet_transaction_payment::ChargeTransactionPayment::from(0),
        frame_system::WeightReclaim::new(),
    );
    // Block 0 is both the genesis and where each era begins.
    let (spec, transaction) = (VERSION.spec_version, VERSION.transaction_version);
    let implicit = ((), (), spec, transaction, genesis, genesis, (), (), (), ());

    let payload = SignedPayload::from_raw(call, extension, implicit);
    let signature = payload.using_encoded(|message| sign(sender, message));
    let (call, extension, _) = payload.deconstruct();
    UncheckedExtrinsic::new_signed(call, sender.to_account_id().into(), signature, extension)
}

/// Applies the extrinsics on the genesis state, which gives the header its roots. Returns the
/// block, and how many of its calls were valid but failed.
fn author(chain: &Chain, parent: Hash, extrinsics: Vec<UncheckedExtrinsic>) -> (Block, usize) {
    let slot = DigestItem::PreRuntime(AURA_ENGINE_ID, Slot::from(SLOT).encode());
    let digest = Digest { logs: vec![slot] };
    let header = Header::new(1, Hash::zero(), Hash::zero(), parent, digest);

    let (header, failures) = chain.state().execute_with(|| {
        let _: ExtrinsicInclusionMode = call_for("Core_initialize_block", &header.encode());
        let is_failure = |extrinsic: &&UncheckedExtrinsic| {
            let result: ApplyExtrinsicResult =
                call_for("BlockBuilder_apply_extrinsic", &extrinsic.encode());
            result.expect("the extrinsic is valid").is_err()
        };
        let failures = extrinsics.iter().filter(is_failure).count();
        let header: Header = call_for("BlockBuilder_finalize_block", &[]);
        (header, failures)
    });
    (Block { header, extrinsics }, failures)
}

/// Signs with a nonce that follows from key and message alone, so that the block is the same
/// every time it is made.
fn sign(sender: Sr25519Keyring, message: &[u8]) -> Signature {
    let keypair: Keypair = sender.pair().into();
    let transcript = attach_rng(signing_context(b"substrate").bytes(message), NoEntropy);
    sr25519::Signature::from(keypair.sign(transcript)).into()
}

/// Stands in for the random number generator that would be mixed into the nonce.
struct NoEntropy;

impl CryptoRng for NoEntropy {}

impl RngCore for NoEntropy {
    fn next_u32(&mut self) -> u32 {
        0
    }

    fn next_u64(&mut self) -> u64 {
        0
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        bytes.fill(0);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand_core::Error> {
        bytes.fill(0);
        Ok(())
    }
}
