//! What happens on the chain: a transfer in each block, and half way new code for it.

use crate::interface::Hash;
use codec::{Compact, Encode};
use sp_core::{Pair, sr25519};
use sp_crypto_hashing::blake2_256;
use sp_maybe_compressed_blob::{CODE_BLOB_BOMB_LIMIT, compress_weakly, decompress};
use sp_runtime::OpaqueExtrinsic;
use sp_version::RuntimeVersion;
use std::error::Error;

/// How many blocks there are.
pub const BLOCKS: u32 = 100;
/// The block that sets new code. The next one is made by it.
pub const UPGRADE: u32 = BLOCKS / 2;

/// A transaction for each block, all of them Alice's, whom the genesis gives money and the right to
/// upgrade. Her signatures are made by chance, so each node gets the same ones.
pub fn transactions(genesis: Hash, version: &RuntimeVersion, next: &[u8]) -> Vec<OpaqueExtrinsic> {
    let alice = sr25519::Pair::from_string("//Alice", None).expect("a name is a derivation path");
    (1..=BLOCKS)
        .map(|block| {
            let call = if block == UPGRADE { set_code(next) } else { transfer(block) };
            OpaqueExtrinsic::from_blob(signed(&alice, genesis, version, block - 1, &call))
        })
        .collect()
}

/// The chain's code of a version later, as its section says, which is what a runtime asks before it
/// takes new code. All else is the same, so that transactions are valid on both.
pub fn next_code(code: &[u8], version: &RuntimeVersion) -> Result<Vec<u8>, Box<dyn Error>> {
    let section = |spec_version: u32| {
        // The list of interfaces is a section of its own.
        let version = RuntimeVersion { spec_version, apis: Default::default(), ..version.clone() };
        version.encode()
    };
    let old = section(version.spec_version);
    let new = section(version.spec_version + 1);
    let mut wasm =
        decompress(code, CODE_BLOB_BOMB_LIMIT).map_err(|error| format!("{error:?}"))?.into_owned();
    let at = wasm.windows(old.len()).position(|bytes| bytes == old);
    let at = at.ok_or("the chain's code has no section that tells its version")?;
    wasm[at..][..new.len()].copy_from_slice(&new);
    Ok(compress_weakly(&wasm, CODE_BLOB_BOMB_LIMIT).ok_or("the new code is too large")?)
}

/// `Balances::transfer_keep_alive` of one unit to an account that is new in each block.
fn transfer(block: u32) -> Vec<u8> {
    let account = blake2_256(&block.encode());
    [&[4, 3, 0][..], &account, &Compact(1_000_000_000_000u128).encode()].concat()
}

/// `Sudo::sudo_unchecked_weight(System::set_code(code))`, of no weight.
fn set_code(code: &[u8]) -> Vec<u8> {
    [&[6, 1, 0, 2][..], &code.encode(), &Compact(0u64).encode(), &Compact(0u64).encode()].concat()
}

/// A signed call, without its length.
fn signed(
    signer: &sr25519::Pair,
    genesis: Hash,
    version: &RuntimeVersion,
    nonce: u32,
    call: &[u8],
) -> Vec<u8> {
    // Valid for ever; no tip.
    let extension = (0u8, Compact(nonce), Compact(0u128)).encode();
    let implicit = (version.spec_version, version.transaction_version, genesis, genesis).encode();
    let payload = [call, &extension, &implicit].concat();
    let signature = match payload.len() {
        ..=256 => signer.sign(&payload),
        _ => signer.sign(&blake2_256(&payload)),
    };
    let address = [&[0][..], signer.public().as_ref()].concat();
    [&[0x84][..], &address, &[1], signature.as_ref(), &extension, call].concat()
}
