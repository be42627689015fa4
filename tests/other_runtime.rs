//! `run OTHER --state BLOCK`: a block under another runtime than the one that made it.

mod support;

use lithify_polkadot::{Block, State, StateVersion, block::Header, block_file};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, path::PathBuf};
use support::{outcome::lithify, scratch};

/// What the block's own runtime writes at `key`.
const OWN: u8 = b'1';

/// A runtime whose block writes that value at `key` and at `ke` with as many bytes behind it, and panics
/// unless the state root is then that in the header.
fn runtime(value: u8, more: u8) -> Vec<u8> {
    let text = format!(
        r#"(module
          (import "env" "memory" (memory 1))
          (import "env" "ext_storage_set_version_1" (func $set (param i64 i64)))
          (import "env" "ext_storage_root_version_2" (func $root (param i32) (result i64)))
          (global (export "__heap_base") i32 (i32.const 4096))
          (data (i32.const 16) "key\{value:02x}")
          ;; Two names, and nothing but zeros.
          (data (i32.const 64) "\04t\04t")
          (func (export "Core_version") (param i32 i32) (result i64)
            (i64.const {version}))
          (func (export "Core_execute_block") (param $block i32) (param i32) (result i64)
            (local $n i32) (local $root i32)
            (call $set (i64.const 0x300000010) (i64.const 0x100000013))
            (local.set $n (i32.const {more}))
            (block (loop
              (br_if 1 (i32.eqz (local.get $n)))
              (i32.store8 (i32.const 18) (local.get $n))
              (call $set (i64.const 0x300000010) (i64.const 0x100000013))
              (local.set $n (i32.sub (local.get $n) (i32.const 1)))
              (br 0)))
            (local.set $root (i32.wrap_i64 (call $root (i32.const 0))))
            (local.set $n (i32.const 32))
            (block (loop
              (br_if 1 (i32.eqz (local.get $n)))
              (local.set $n (i32.sub (local.get $n) (i32.const 8)))
              (if (i64.ne
                    (i64.load (i32.add (local.get $root) (local.get $n)))
                    (i64.load offset=33 (i32.add (local.get $block) (local.get $n))))
                (then unreachable))
              (br 0)))
            (i64.const 0)))"#,
        version = 17u64 << 32 | 64,
    );
    wat::parse_str(text).unwrap()
}

fn root(pairs: &BTreeMap<Vec<u8>, Vec<u8>>) -> [u8; 32] {
    State::new(pairs.clone(), BTreeMap::new(), StateVersion::V0).root()
}

/// A block on a state whose code is the own runtime; its header has the root that `changes` lead to.
fn block(name: &str, changes: &[(&str, u8)]) -> PathBuf {
    let mut pairs =
        BTreeMap::from([(b":code".to_vec(), runtime(OWN, 0)), (b"key".to_vec(), b"0".to_vec())]);
    let state = State::new(pairs.clone(), BTreeMap::new(), StateVersion::V0);
    pairs.extend(changes.iter().map(|(key, value)| (key.as_bytes().to_vec(), vec![*value])));
    let header = Header {
        parent_hash: [7; 32],
        number: 5,
        state_root: root(&pairs),
        extrinsics_root: [0; 32],
        digest: vec![],
    };
    let path = scratch(name);
    fs::write(&path, block_file(&Block { header, extrinsics: vec![] }, &state)).unwrap();
    path
}

fn module(name: &str, wasm: &[u8]) -> PathBuf {
    let path = scratch(name);
    fs::write(&path, wasm).unwrap();
    path
}

#[test]
fn both_roots_and_the_keys_that_differ_are_shown() {
    let block = block("own-block.json", &[("key", OWN)]);
    let block = block.to_str().unwrap();
    assert_eq!(lithify(&["run", block]).status, 0, "its own runtime agrees");

    let other = module("other.wasm", &runtime(b'2', 2));
    let args = ["run", other.to_str().unwrap(), "--state", block];
    let said = lithify(&args);
    assert_eq!(said.status, 1, "{}", said.stderr);
    let lines: Vec<&str> = said.stdout.lines().collect();
    assert!(lines[0].starts_with("block 5: 0 extrinsics executed, state root 0x"), "{lines:?}");
    assert!(lines[0].ends_with(" differs"), "{lines:?}");
    let expected = [
        "  0x6b6501",
        "    its own runtime: no such key",
        "    this one:        0x32",
        "  0x6b6502",
        "    its own runtime: no such key",
        "    this one:        0x32",
        "  0x6b6579",
        "    its own runtime: 0x31",
        "    this one:        0x32",
    ];
    assert_eq!(lines[1..], expected);
    assert!(
        said.stderr.contains("3 keys differ from what its own runtime writes"),
        "{}",
        said.stderr
    );

    let said = lithify(&[&args[..], &["--json"]].concat());
    assert_eq!(said.status, 1);
    let report: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!((&report["block"], &report["matches"]), (&json!(5), &json!(false)));
    assert_ne!(report["state_root"], report["computed_root"]);
    let differences = json!([
        { "child": null, "key": "0x6b6501", "own": null, "other": "0x32" },
        { "child": null, "key": "0x6b6502", "own": null, "other": "0x32" },
        { "child": null, "key": "0x6b6579", "own": "0x31", "other": "0x32" },
    ]);
    assert_eq!(report["differences"], differences);
}

#[test]
fn a_long_list_is_cut() {
    let block = block("cut-block.json", &[("key", OWN)]);
    let other = module("many.wasm", &runtime(OWN, 30));
    let said = lithify(&["run", other.to_str().unwrap(), "--state", block.to_str().unwrap()]);
    assert_eq!(said.status, 1);
    let last = said.stdout.lines().last().unwrap();
    assert_eq!(last, "  and 10 more keys, which --json lists");
}

#[test]
fn a_wrong_root_without_another_runtime_is_two_roots() {
    let block = block("wrong-block.json", &[("key", b'9')]);
    let said = lithify(&["run", block.to_str().unwrap()]);
    assert_eq!(said.status, 1, "{}", said.stderr);
    assert!(said.stdout.trim_end().ends_with(" differs"), "{}", said.stdout);
    assert!(said.stderr.contains("the header of block 5 says 0x"), "{}", said.stderr);
    // The runtime in the state does not reach the root either, so there is nothing to compare with.
    let other = module("no-judge.wasm", &runtime(b'2', 0));
    let said = lithify(&["run", other.to_str().unwrap(), "--state", block.to_str().unwrap()]);
    assert_eq!(said.status, 1);
    assert!(said.stderr.contains("no other runtime that reaches that root"), "{}", said.stderr);
}

#[test]
fn a_block_that_panics_for_another_reason_is_a_trap() {
    let block = block("trap-block.json", &[("key", OWN)]);
    let wat = r#"(module (memory (export "memory") 1)
        (global (export "__heap_base") i32 (i32.const 4096))
        (data (i32.const 64) "\04t\04t")
        (func (export "Core_version") (param i32 i32) (result i64) (i64.const 0x1100000040))
        (func (export "Core_execute_block") (param i32 i32) (result i64) unreachable))"#;
    let other = module("traps.wasm", &wat::parse_str(wat).unwrap());
    let said = lithify(&["run", other.to_str().unwrap(), "--state", block.to_str().unwrap()]);
    assert_eq!(said.status, 134, "{}", said.stderr);
    assert!(said.stdout.is_empty(), "{}", said.stdout);
}
