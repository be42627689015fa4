//! The genesis state: made by the runtime, committed as a chain spec.

use crate::chain::{self, Machine};
use lithify_ledger::generator;
use lithify_polkadot::{Input, State, StateVersion};
use parity_scale_codec::{Decode, Encode};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

const SPEC: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../workloads/ledger/genesis.json");
const MODULE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../workloads/ledger/rust/ledger.wasm");

/// The state that `genesis.json` holds.
pub fn state() -> State {
    let bytes = std::fs::read(SPEC).unwrap_or_else(|error| panic!("{SPEC}: {error}"));
    let mut state = match Input::read(bytes, "genesis.json") {
        Ok(Input::Runtime(input)) => input.state.expect("a chain spec has a state"),
        Ok(_) => panic!("{SPEC} is no chain spec"),
        Err(error) => panic!("{SPEC}: {error}"),
    };
    state.set_version(StateVersion::V1);
    state
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

/// Configurations of every form, good and bad, and presets, on all machines.
pub fn check(machines: &[Machine]) {
    for config in good_configurations() {
        check_build(machines, &config, Some(&[0]));
    }
    let refusal = Err::<(), _>("invalid genesis configuration").encode();
    for config in other_texts() {
        check_build(machines, &config, Some(&refusal));
    }
    for config in impossible_configurations() {
        check_build(machines, &config, None);
    }
    let get = |id: Vec<u8>| {
        let entry = "GenesisBuilder_get_preset";
        chain::agree(machines, &State::empty(), entry, &id, "a preset").output
    };
    for (id, known) in [(None, true), (Some("development"), true), (Some(""), false)] {
        let preset = get(id.encode()).expect("no trap");
        let preset = Option::<String>::decode(&mut &preset[..]).expect("text, if any");
        assert_eq!(preset.is_some(), known, "{id:?}");
        preset.iter().for_each(|config| check_build(machines, config, Some(&[0])));
    }
    let no_text = vec![1, 4, 0xff];
    assert_eq!(get(no_text), None);
}

fn check_build(machines: &[Machine], config: &str, output: Option<&[u8]>) {
    let entry = "GenesisBuilder_build_state";
    let outcome = chain::agree(machines, &State::empty(), entry, &config.encode(), config);
    assert_eq!(outcome.output.as_deref(), output, "{config}");
    assert_eq!(outcome.changes.is_empty(), output != Some(&[0]), "{config}");
}

const MOST: &str = "340282366920938463463374607431768211455";
const LEAST: &str = "1000000000";

/// An account and its balance.
fn pair(digit: char, balance: &str) -> String {
    format!(r#"["0x{}",{balance}]"#, String::from(digit).repeat(64))
}

fn of(pairs: &[String]) -> String {
    format!(r#"{{"balances":{{"balances":[{}]}}}}"#, pairs.join(","))
}

fn good_configurations() -> Vec<String> {
    let mut spaced = of(&[pair('a', LEAST), pair('b', LEAST)]);
    for token in ["{", "}", "[", "]", ",", ":"] {
        spaced = spaced.replace(token, &format!(" \t{token}\r\n"));
    }
    vec![
        generator::genesis_config(),
        of(&[]),
        of(&[pair('a', LEAST)]),
        of(&[pair('a', LEAST), pair('B', LEAST)]),
        of(&[pair('a', MOST)]),
        spaced,
        "{}".into(),
        r#"{"balances":{}}"#.into(),
        " { } ".into(),
    ]
}

fn other_texts() -> Vec<String> {
    let mut texts = vec![
        of(&[pair('a', "340282366920938463463374607431768211456")]),
        of(&[pair('a', "01000000000")]),
        of(&[pair('a', "")]),
        of(&[pair('a', "-1")]),
        of(&[pair('a', "1e12")]),
        of(&[pair('a', "\"1000000000\"")]),
        of(&[pair('z', LEAST)]),
        of(&[pair('a', LEAST).replacen("aa", "a", 1)]),
        of(&[pair('a', LEAST).replacen("aa", "aaa", 1)]),
        of(&[pair('a', LEAST).replace("0x", "")]),
        of(&[pair('a', LEAST), String::new()]),
        of(&["[]".into()]),
    ];
    let odd = [
        r#"{"balances":[]}"#,
        r#"{"system":{}}"#,
        r#"{"balances":{"balances":[]}}}"#,
        "[]",
        "",
        "{",
        r#"{"balances":{},"balances":{}}"#,
        r#"{ balances: {} }"#,
    ];
    texts.extend(odd.map(String::from));
    texts
}

fn impossible_configurations() -> Vec<String> {
    vec![
        of(&[pair('a', "999999999")]),
        of(&[pair('a', "0")]),
        of(&[pair('a', LEAST), pair('b', LEAST), pair('a', LEAST)]),
        of(&[pair('a', LEAST), pair('A', LEAST)]),
        of(&[pair('a', MOST), pair('b', LEAST)]),
    ]
}

/// The pairs of the genesis without code.
pub fn accounts() -> BTreeMap<Vec<u8>, Vec<u8>> {
    built()
}

/// A state of these pairs.
pub fn state_of(pairs: BTreeMap<Vec<u8>, Vec<u8>>) -> State {
    State::new(pairs, BTreeMap::new(), StateVersion::V1)
}
