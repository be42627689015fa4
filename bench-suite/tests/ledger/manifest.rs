//! What `workload.toml` says must come of calls is what the native build does.

use crate::{build, chain::Machine, genesis};
use lithify_ledger::host::blake2_256;

const MANIFEST: &str = include_str!("../../../workloads/ledger/workload.toml");

/// The keys of a call that say what must come of it.
fn expectation(output: &[u8], root: Option<[u8; 32]>) -> String {
    let len = grouped(output.len());
    let hash = genesis::hex(&blake2_256(output));
    let mut lines = format!("output-len-bytes = {len}\noutput-blake2-256 = \"{hash}\"\n");
    if let Some(root) = root {
        lines += &format!("state-root = \"{}\"\n", genesis::hex(&root));
    }
    lines
}

#[test]
fn the_manifest_states_what_the_native_build_does() {
    let mut calls = vec![];
    for entry in ["Core_version", "Metadata_metadata"] {
        let output = Machine::native().call(&genesis::state(), entry, &[]).output.expect("no trap");
        let call = format!("entry = \"{entry}\"\nstate = \"genesis.json\"\ninput = \"0x\"\n");
        calls.push(call + &expectation(&output, None));
    }
    for count in [0, 1, 10, 100, 1_000] {
        let (_, root) = build(&[Machine::native()], count, &[]);
        let call = format!(
            "entry = \"Core_execute_block\"\nstate = \"genesis.json\"\ntransfers = {}\n",
            grouped(count as usize)
        );
        calls.push(call + &expectation(&[], Some(root)));
    }
    calls.retain(|call| !MANIFEST.contains(call.as_str()));
    assert!(
        calls.is_empty(),
        "the manifest should have\n\n[[call]]\n{}",
        calls.join("\n[[call]]\n")
    );
}

/// A number as it is written there.
fn grouped(number: usize) -> String {
    match number {
        0..1_000 => number.to_string(),
        _ => format!("{}_{:03}", number / 1_000, number % 1_000),
    }
}
