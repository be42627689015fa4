//! An author's calls, each on the state that it finds, come to the block that they are taken from.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use lithify_bench::{
    Workload, author,
    engine::{Clock, Host, Id, Kind},
};
use lithify_polkadot::{CallContext, Input};

const BLOCK: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../workloads/solochain/block-transfers.json");

/// The output of the only call of a workload.
fn output(workload: &Workload) -> Vec<u8> {
    let interpreter = Id { engine: "wasmi".into(), setting: "interpreter".into() };
    let engine = Kind::of(&interpreter).unwrap().open(Host::Polkadot).unwrap();
    let loaded = engine.load_source(&engine.prepare(&workload.wasm).unwrap()).unwrap();
    let [call] = &workload.calls[..] else { panic!("{} calls", workload.calls.len()) };
    let mut entry = loaded.entry(&call.entry).unwrap();
    let mut context = CallContext::new();
    let mut session = workload.state.session();
    session.execute(|| entry.call(&call.input, &mut context, Clock::Ends)).unwrap().output
}

#[test]
fn the_last_call_gives_the_header() {
    let Input::Runtime(input) = Input::read(std::fs::read(BLOCK).unwrap(), BLOCK).unwrap() else {
        panic!("a block file")
    };
    let workloads = author::workloads("solochain", &input).unwrap();
    let names: Vec<&str> = workloads.iter().map(|workload| &*workload.name).collect();
    let methods = ["initialize_block", "apply_extrinsic", "finalize_block", "genesis"];
    assert_eq!(names, methods.map(|method| format!("solochain {method}")));
    let header = input.block.unwrap().header;
    let [first, applied, last, genesis] = &workloads[..] else { panic!("four") };
    // Since 2024 it says whether the block may have extrinsics: any.
    assert_eq!(output(first), [0]);
    // The extrinsic was valid, and its call succeeded.
    assert_eq!(output(applied), [0, 0]);
    assert_eq!(output(last), header.encode());
    // Of nothing the runtime's default makes a state.
    assert!(genesis.state.is_empty());
    assert_eq!(output(genesis), [0]);
}
