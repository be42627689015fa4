//! `run --pvf`: a parachain's block as validators take it.

mod support;

use serde_json::{Value, json};
use std::{fs, path::Path};
use support::{
    outcome::{lithify, succeeds},
    scratch,
};

/// Where runtimes of others are, besides the folders that `LITHIFY_CORPUS` names.
const CORPUS: &str = "../shared/corpus";
/// `Aura::Authorities` and `AuraExt::Authorities`, which a chain's first block goes by.
const AUTHORITIES: [&str; 2] = [
    "0x57f8dc2f5ab09467896f47300f0424385e0621c4869aa60c02be9adcc98a0d1d",
    "0x3c311d57d4daf52904616cf69648081e5e0621c4869aa60c02be9adcc98a0d1d",
];
/// A list of one key: that of `//Alice`.
const ALICE: &str = "0x04d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d";

/// Calls itself as often as its input says, each time with an operand and a local on the stack, and asks
/// for what validators do not have where that is more than a million.
const MODULE: &str = r#"(module
  (import "env" "memory" (memory 1))
  (import "env" "ext_storage_get_version_1" (func $get (param i64) (result i64)))
  (global (export "__heap_base") i32 (i32.const 4096))
  (func $deeper (param $n i32) (result i32) (local i64)
    (if (result i32) (local.get $n)
      (then (i32.add (i32.const 1) (call $deeper (i32.sub (local.get $n) (i32.const 1)))))
      (else (i32.const 0))))
  (func (export "validate_block") (param $at i32) (param i32) (result i64)
    (if (i32.gt_u (i32.load (local.get $at)) (i32.const 1000000))
      (then (return (call $get (i64.const 0x100000000)))))
    (i32.store (i32.const 16) (call $deeper (i32.load (local.get $at))))
    (i64.const 0x400000010)))"#;

#[test]
fn the_depth_of_the_stack_is_counted() {
    let path = scratch("validates.wasm");
    fs::write(&path, wat::parse_str(MODULE).unwrap()).unwrap();
    let path = path.to_str().unwrap();
    let run = |depth: u32, parameters: &[&str]| {
        let input: String = depth.to_le_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let input = format!("0x{input}");
        lithify(&[&["run", path, "--pvf", "--input", &input], parameters].concat())
    };
    // StackLogicalMax, and with it a memory of 33 pages at most.
    let shallow = ["--executor-params", "0x0802000400000101000000"];
    let depths = |parameters: &[&str]| {
        let (mut passes, mut traps) = (0, 1 << 17);
        while traps - passes > 1 {
            let depth = (passes + traps) / 2;
            match run(depth, parameters) {
                said if said.status == 0 => passes = depth,
                said => {
                    assert_eq!(said.status, 134, "{}", said.stderr);
                    traps = depth;
                }
            }
        }
        passes
    };
    // Each call has a local and up to five operands, and the last one calls nothing.
    let (usual, shallow) = (depths(&[]), depths(&shallow));
    assert_eq!((usual, shallow), (65_536 / 6 - 1, 1024 / 6 - 1));
    let said = run(2_000_000, &[]);
    assert_eq!(said.status, 134);
    assert!(said.stderr.contains("ext_storage_get_version_1"), "{}", said.stderr);
}

/// The images that a folder keeps.
fn images(folder: &Path) -> usize {
    let list = ["cache", "list", "--json", "--dir", folder.to_str().unwrap()];
    succeeds(&list, &[]).stdout.lines().count()
}

#[test]
fn executor_parameters_are_part_of_what_an_image_is_called() {
    let (path, store) = (scratch("kept.wasm"), scratch("kept-images"));
    let _ = fs::remove_dir_all(&store);
    fs::write(&path, wat::parse_str(MODULE).unwrap()).unwrap();
    let cache = format!("--cache={}", store.display());
    let run = |parameters: &str| {
        let args = ["run", path.to_str().unwrap(), "--pvf", "--input", "0x05000000", &cache];
        let args = [&args[..], &["--executor-params", parameters]].concat();
        assert_eq!(succeeds(&args, &[]).stdout.trim(), "0x05000000");
        images(&store)
    };
    // None; another stack in values; the same in bytes, which changes nothing of the code.
    let kept = [run("0x00"), run("0x00"), run("0x040200100000"), run("0x0802001000000300001000")];
    assert_eq!(kept, [1, 1, 2, 2]);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let path = scratch("refused.wasm");
    fs::write(&path, wat::parse_str(MODULE).unwrap()).unwrap();
    let path = path.to_str().unwrap();
    let cases: [(&[&str], &str); 6] = [
        (&["--executor-params", "0x00"], "--pvf"),
        (&["--pvf", "--executor-params", "0x04"], "not a list of executor parameters"),
        (&["--pvf", "--executor-params", "xyz"], "--executor-params: the text"),
        (&["--pvf", "Core_version"], "--pvf calls validate_block, and no Core_version"),
        (&["--pvf", "--profile"], "cannot be used with"),
        (&["--pvf"], "--pvf wants a candidate: --input @FILE"),
    ];
    for (args, part) in cases {
        let said = lithify(&[&["run", path], args].concat());
        assert_eq!(said.status, 2, "{args:?}: {}", said.stderr);
        assert!(said.stderr.contains(part), "{args:?}: {}", said.stderr);
    }
}

/// The chain spec of a parachain in the corpus, and whether it asks who seals: then its only author is
/// `//Alice`.
fn parachain(name: &str) -> Option<(String, bool)> {
    let named = std::env::var("LITHIFY_CORPUS").unwrap_or_default();
    let mut folders = named.split(':').chain([CORPUS]);
    let text = folders.find_map(|f| fs::read(format!("{f}/{name}.chain-spec.json")).ok());
    let Some(text) = text else {
        eprintln!("skipped: the corpus has no {name}");
        return None;
    };
    let mut spec: Value = serde_json::from_slice(&text).unwrap();
    let top = spec["genesis"]["raw"]["top"].as_object_mut().unwrap();
    let is_sealed = AUTHORITIES.iter().all(|key| top.contains_key(*key));
    if is_sealed {
        top.extend(AUTHORITIES.map(|key| (key.to_owned(), json!(ALICE))));
    }
    let path = scratch(&format!("{name}.json"));
    fs::write(&path, serde_json::to_vec(&spec).unwrap()).unwrap();
    Some((path.to_str().unwrap().into(), is_sealed))
}

fn validates(name: &str) {
    let Some((spec, is_sealed)) = parachain(name) else { return };
    let place = |suffix| scratch(&format!("{name}.{suffix}")).to_str().unwrap().to_owned();
    let (block, candidate, broken) = (place("block"), place("candidate"), place("broken"));
    let args = ["build-block", "--state", &spec, "-o", &block, "--candidate", &candidate, "--json"];
    let sealer: &[&str] = if is_sealed { &["--seal-by", "//Alice"] } else { &[] };
    let built = succeeds(&[&args[..], sealer].concat(), &[]).stdout;
    let built: Value = serde_json::from_str(&built).unwrap();

    let store = format!("--cache={}", scratch(&format!("{name}.images")).display());
    let validate = |candidate: &str| {
        let input = format!("@{candidate}");
        lithify(&["run", &spec, "--pvf", "--input", &input, "--output", "json", &store])
    };
    let said = validate(&candidate);
    assert_eq!(said.status, 0, "{}", said.stderr);
    let said: Value = serde_json::from_str(&said.stdout).unwrap();
    let output = lithify_polkadot::parse_hex(said["output"].as_str().unwrap()).unwrap();
    // It begins with the new head, which is the block's header with its seal.
    let head: Vec<u8> = parity_scale_codec::Decode::decode(&mut &output[..]).unwrap();
    let head = lithify_polkadot::block::Header::decode(&head).unwrap();
    let root = lithify_polkadot::Hex(&head.state_root).to_string();
    assert_eq!(
        (json!(head.number), json!(root)),
        (built["block"].clone(), built["state_root"].clone())
    );

    // A bit of the proof, and it is one of another state.
    let mut bytes = fs::read(&candidate).unwrap();
    let place = bytes.len() * 3 / 4;
    bytes[place] ^= 1;
    fs::write(&broken, bytes).unwrap();
    let said = validate(&broken);
    assert_eq!(said.status, 134, "{}{}", said.stdout, said.stderr);
}

#[test]
fn a_parachain_of_2021_validates() {
    validates("asset-hub-2021");
}

#[test]
fn a_parachain_of_2024_validates() {
    validates("polkadot-coretime");
}
