//! The genesis state: made by the runtime, committed as a chain spec.

use crate::chain::Machine;
use lithify_ledger::generator;
use lithify_runtime::polkadot::{Input, State, StateVersion};
use parity_scale_codec::{Decode, Encode};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

const SPEC: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../workloads/ledger/genesis.json");
const MODULE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../workloads/ledger/rust/ledger.wasm");

/// The state that `genesis.json` holds.
pub fn state() -> State {
    let bytes = std::fs::read(SPEC).unwrap_or_else(|error| panic!("{SPEC}: {error}"));
    match Input::read(bytes, "genesis.json") {
        Ok(Input::Runtime(input)) => input.state.expect("a chain spec has a state"),
        Ok(_) => panic!("{SPEC} is no chain spec"),
        Err(error) => panic!("{SPEC}: {error}"),
    }
}

/// The committed chain spec is what the runtime makes of the generator's configuration.
/// `BLESS=1` writes it.
#[test]
fn genesis_is_made_by_the_runtime() {
    let spec = spec(&built(), &std::fs::read(MODULE).expect("the module"));
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(SPEC, &spec).expect("the chain spec can be written");
    }
    let committed = std::fs::read_to_string(SPEC).unwrap_or_default();
    assert!(committed == spec, "{} is another one", Path::new(SPEC).display());
}

/// The pairs that the native build writes.
fn built() -> BTreeMap<Vec<u8>, Vec<u8>> {
    let config = generator::genesis_config().encode();
    let empty = State::empty();
    let outcome = Machine::native().call(&empty, "GenesisBuilder_build_state", &config);
    assert_eq!(outcome.output, Some(vec![0]));
    let pairs = outcome.changes.into_iter();
    pairs.filter_map(|change| Some((change.key, change.value?))).collect()
}

fn spec(pairs: &BTreeMap<Vec<u8>, Vec<u8>>, code: &[u8]) -> String {
    let mut pairs = pairs.clone();
    pairs.insert(b":code".to_vec(), code.to_vec());
    let entries: Vec<_> = pairs
        .iter()
        .map(|(key, value)| format!("        \"{}\": \"{}\"", hex(key), hex(value)))
        .collect();
    format!(
        "{{\n  \"name\": \"Lithify ledger\",\n  \"id\": \"lithify_ledger\",\n  \
         \"chainType\": \"Local\",\n  \"bootNodes\": [],\n  \"telemetryEndpoints\": null,\n  \
         \"protocolId\": null,\n  \"properties\": {{ \"tokenDecimals\": 12, \"tokenSymbol\": \
         \"UNIT\" }},\n  \"codeSubstitutes\": {{}},\n  \"genesis\": {{\n    \"raw\": {{\n      \
         \"top\": {{\n{}\n      }},\n      \"childrenDefault\": {{}}\n    }}\n  }}\n}}\n",
        entries.join(",\n")
    )
}

/// `0x` and hex digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::from("0x"), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Presets, and configurations of every form, good and bad, from an empty state.
#[test]
fn every_machine_builds_the_same_genesis() {
    let machines = Machine::all();
    let account = |digits: &str| format!(r#"["0x{}",{digits}]"#, "ab".repeat(32));
    let of = |pairs: &str| format!(r#"{{"balances":{{"balances":[{pairs}]}}}}"#);
    let configs = [
        generator::genesis_config(),
        of(""),
        of(&account("1000000000")),
        of(&account("1000000000")).replace(['{', ','], "\n\t $0").replace("$0", "{"),
        of(&account("1000000000")).replace("ab", "aB"),
        of(&account("340282366920938463463374607431768211455")),
        of(&account("340282366920938463463374607431768211456")),
        of(&account("999999999")),
        of(&account("01000000000")),
        of(&account("0")),
        of(&account("")),
        of(&account("-1")),
        of(&account("1e12")),
        of(&format!("{},{}", account("1000000000"), account("1000000000"))),
        of(&format!(
            "{},{}",
            account("340282366920938463463374607431768211455"),
            account("1000000000").replace("ab", "cd")
        )),
        of(&format!("{},", account("1000000000"))),
        of(&account("1000000000").replace("ab", "zz")),
        of(&account("1000000000").replacen("ab", "", 1)),
        "{}".into(),
        r#"{"balances":{}}"#.into(),
        r#" { "balances" : { "balances" : [ ] } } "#.into(),
        r#"{"balances":[]}"#.into(),
        r#"{"system":{}}"#.into(),
        r#"{"balances":{"balances":[]}}}"#.into(),
        "[]".into(),
        String::new(),
    ];
    let mut calls: Vec<_> =
        configs.iter().map(|config| ("GenesisBuilder_build_state", config.encode())).collect();
    for id in [None, Some(""), Some("development"), Some("local_testnet")] {
        calls.push(("GenesisBuilder_get_preset", id.encode()));
    }
    calls.push(("GenesisBuilder_get_preset", vec![1, 4, 0xff]));
    let development = Machine::native().call(
        &State::empty(),
        calls[calls.len() - 3].0,
        &calls[calls.len() - 3].1,
    );
    let preset = Option::<Vec<u8>>::decode(&mut &development.output.expect("no trap")[..]);
    calls.push(("GenesisBuilder_build_state", preset.expect("bytes").expect("a preset").encode()));

    for (entry, input) in &calls {
        let expected = machines[0].call(&State::empty(), entry, input);
        for machine in &machines[1..] {
            let outcome = machine.call(&State::empty(), entry, input);
            let text = String::from_utf8_lossy(input);
            assert_eq!(outcome, expected, "{entry} of {text:?} on {}", machine.name);
        }
    }
}

/// The pairs of the genesis without code.
pub fn accounts() -> BTreeMap<Vec<u8>, Vec<u8>> {
    built()
}

/// A state of these pairs.
pub fn state_of(pairs: BTreeMap<Vec<u8>, Vec<u8>>) -> State {
    State::new(pairs, BTreeMap::new(), StateVersion::V1)
}
