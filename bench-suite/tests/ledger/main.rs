//! The ledger runtime: every module of it does what its native build does, on Lithify, on an
//! interpreter and on Winch, and its native build does what FRAME does.
//!
//! Each check says which blocks and calls; `chain` has the machines that run them.

mod chain;
mod frame;
mod genesis;
mod manifest;

use chain::{Chain, Machine, Outcome};
use lithify_ledger::generator;

#[test]
fn modules_do_on_lithify_what_the_native_build_does() {
    check("lithify");
}

#[test]
fn modules_do_on_an_interpreter_what_the_native_build_does() {
    check("wasmi");
}

#[test]
fn modules_do_on_winch_what_the_native_build_does() {
    check("winch");
}

fn check(engine: &str) {
    let machines = Machine::on(engine);
    for count in [0, 1, 10, 100] {
        build(&machines, count, &[chain::slot()]);
    }
    // The long block is built natively, and every module executes it.
    let (block, _) = build(&[Machine::native()], 1_000, &[]);
    check_calls(&machines, "1000 transfers", &[("Core_execute_block", block)]);
    check_mixed_blocks(&machines);

    let genesis = chain::genesis_hash(&genesis::state());
    check_calls(&machines, "calls", &calls_outside_of_blocks(genesis));
    check_calls(&machines, "inherents", &chain::questions_of_inherents(genesis));
    genesis::check(&machines);
}

/// Calls on the genesis state.
fn check_calls(machines: &[Machine], name: &str, calls: &[(&str, Vec<u8>)]) {
    let state = genesis::state();
    for (entry, input) in calls {
        chain::agree(machines, &state, entry, input, name);
    }
}

/// Builds a block of transfers call by call on all machines, and has them execute it. Returns the
/// argument of that, and the state root.
fn build(machines: &[Machine], count: u32, digest: &[Vec<u8>]) -> (Vec<u8>, [u8; 32]) {
    let mut chain = Chain::new(machines, genesis::state());
    let transfers = generator::transfers(count, 1, chain.genesis_hash());
    chain.begin(digest);
    chain.apply(&generator::timestamp(), "the time");
    for transfer in &transfers {
        assert_eq!(chain.apply(transfer, "a transfer").output, Some(vec![0, 0]));
    }
    (chain.finalize_and_execute(), chain.state.root())
}

/// Between valid transfers, every kind of extrinsic that is wrong or odd has the result that it
/// should, everywhere.
fn check_mixed_blocks(machines: &[Machine]) {
    for seed in 1..=2 {
        let mut chain = Chain::new(machines, genesis::state());
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

/// Judgements of every kind of extrinsic, and input that does not decode.
fn calls_outside_of_blocks(genesis: [u8; 32]) -> Vec<(&'static str, Vec<u8>)> {
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
    for case in generator::cases(genesis) {
        for source in [0u8, 2, 3] {
            let input = [&[source][..], &case.extrinsic, &genesis].concat();
            calls.push(("TaggedTransactionQueue_validate_transaction", input));
        }
        let input = [&case.extrinsic[..], &1_000u32.to_le_bytes()].concat();
        calls.push(("TransactionPaymentApi_query_info", input));
    }
    calls
}
