//! The ledger runtime: every module of it does what its native build does, on Lithify and on an
//! interpreter, and its native build does what FRAME does.
//!
//! Each test says which blocks and calls; `chain` has the machines that run them.

mod chain;
mod frame;
mod genesis;
mod manifest;

use chain::{Chain, Machine, Outcome};
use lithify_ledger::generator;

/// For calls that read the genesis state only.
fn check_calls(machines: &[Machine], name: &str, calls: &[(&str, Vec<u8>)]) {
    let state = genesis::state();
    for (entry, input) in calls {
        let expected = machines[0].call(&state, entry, input);
        for machine in &machines[1..] {
            let outcome = machine.call(&state, entry, input);
            assert_eq!(outcome, expected, "{name}: {entry} on {}", machine.name);
        }
    }
}

/// Builds a block of transfers call by call on all machines, and has them execute it. Returns the
/// argument of that, and the state root.
fn build(machines: Vec<Machine>, count: u32, digest: &[Vec<u8>]) -> (Vec<u8>, [u8; 32]) {
    let mut chain = Chain::new(machines, genesis::state());
    let transfers = generator::transfers(count, 1, chain.genesis_hash());
    chain.begin(digest);
    chain.apply(&generator::timestamp(), "the time");
    for transfer in &transfers {
        assert_eq!(chain.apply(transfer, "a transfer").output, Some(vec![0, 0]));
    }
    (chain.finalize_and_execute(), chain.state.root())
}

fn check_block(count: u32) {
    build(Machine::all(), count, &[chain::slot()]);
}

#[test]
fn blocks_of_0_and_1_transfers() {
    check_block(0);
    check_block(1);
}

#[test]
fn blocks_of_10_transfers() {
    check_block(10);
}

#[test]
fn blocks_of_100_transfers() {
    check_block(100);
}

/// The long block is built natively, and every module executes it.
#[test]
fn blocks_of_1000_transfers() {
    let (block, _) = build(vec![Machine::native()], 1_000, &[]);
    check_calls(&Machine::all(), "1000 transfers", &[("Core_execute_block", block)]);
}

/// Between valid transfers, every kind of extrinsic that is wrong or odd has the result that it
/// should, everywhere.
#[test]
fn blocks_of_valid_and_invalid_extrinsics() {
    for seed in 1..=2 {
        let mut chain = Chain::new(Machine::all(), genesis::state());
        let cases = generator::mix(20, seed, chain.genesis_hash());
        chain.begin(&[chain::consensus(), chain::slot()]);
        chain.apply(&generator::timestamp(), "the time");
        for case in &cases {
            let Outcome { output, .. } = chain.apply(&case.extrinsic, case.name);
            assert_eq!(output, case.result, "{}", case.name);
        }
        chain.finalize_and_execute();
    }
}

/// Entry points on the genesis state: judgements of every kind of extrinsic, and input that does
/// not decode.
#[test]
fn calls_outside_of_blocks() {
    let machines = Machine::all();
    let hash = chain::genesis_hash(&genesis::state());
    let mut calls = vec![
        ("Core_version", vec![]),
        ("Core_version", vec![0]),
        ("Metadata_metadata", vec![]),
        ("AccountNonceApi_account_nonce", vec![7; 32]),
        ("AccountNonceApi_account_nonce", vec![7; 31]),
        ("BlockBuilder_finalize_block", vec![]),
        ("Core_initialize_block", vec![0; 40]),
        ("Core_execute_block", vec![0; 200]),
    ];
    for case in generator::cases(hash) {
        for source in [0u8, 2, 3] {
            let input = [&[source][..], &case.extrinsic, &hash].concat();
            calls.push(("TaggedTransactionQueue_validate_transaction", input));
        }
        let input = [&case.extrinsic[..], &1_000u32.to_le_bytes()].concat();
        calls.push(("TransactionPaymentApi_query_info", input));
    }
    check_calls(&machines, "calls", &calls);
}

/// Inherents: made, and judged in blocks that have good, early, late and no ones.
#[test]
fn inherents() {
    let hash = chain::genesis_hash(&genesis::state());
    check_calls(&Machine::all(), "inherents", &chain::questions_of_inherents(hash));
}
