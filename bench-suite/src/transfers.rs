//! Blocks of signed transfers for the ledger, built on a state by the ledger's native build.
//!
//! No engine that is measured has a part in it, and the same state and number give the same block.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use anyhow::{Context, Result, bail, ensure};
use lithify_ledger::{api, generator};
use lithify_polkadot::author::genesis_header;
use lithify_polkadot::{Block, BlockRequest, State, build_block, version};

/// The name of the ledger's runtime, whatever it was compiled by.
pub const SPEC_NAME: &str = "lithify-ledger";

/// Which of the generator's blocks manifests mean.
pub const SEED: u64 = 1;

/// What to ask for a block of `count` transfers on `state`, which is the ledger's genesis.
pub fn request(state: &State, count: u32, seed: u64) -> BlockRequest {
    let extrinsics = generator::transfers(count, seed, genesis_header(state).hash());
    BlockRequest { timestamp: Some(generator::TIME.1), extrinsics, ..BlockRequest::default() }
}

/// That block. The state gets the version of the ledger's tries.
pub fn block(state: &mut State, count: u32) -> Result<Block> {
    let version = version::decode(&call("Core_version", &[])?)?;
    state.set_version(version.state_version());
    let request = request(state, count, SEED);
    let mut session = state.session();
    let built = session.execute(|| build_block(state, &version, &request, call));
    let built = built.context("cannot build a block of transfers")?;
    if let Some((index, error)) = built.failed.first() {
        bail!("transfer {index} failed: {error:?}");
    }
    ensure!(built.block.extrinsics.len() == count as usize + 1, "the block lacks the time");
    Ok(built.block)
}

/// Calls the native ledger. On a state that is not its own it may trap, which is a panic.
pub fn call(entry: &str, input: &[u8]) -> io::Result<Vec<u8>> {
    match catch_unwind(AssertUnwindSafe(|| api::call(entry, input))) {
        Ok(Some(output)) => Ok(output),
        Ok(None) => Err(io::Error::other("the ledger has no such entry point")),
        Err(_) => Err(io::Error::other("the ledger trapped")),
    }
}
