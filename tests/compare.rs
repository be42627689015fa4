//! `lithify compare` finds a runtime that was made slower, names the call, and says so by its exit
//! status.

mod support;

use support::outcome::{lithify, wat};

/// A runtime whose `Core_version` takes `rounds` rounds, and whose `Metadata_metadata` nothing.
fn runtime(name: &str, rounds: u32) -> String {
    let text = format!(
        r#"(module (import "env" "memory" (memory 20))
            (global (export "__heap_base") i32 (i32.const 65536))
            (func (export "Core_version") (param i32 i32) (result i64) (local i32 i32)
                (local.set 2 (i32.const {rounds}))
                (loop $l
                    (local.set 3 (i32.xor (i32.mul (local.get 3) (i32.const 17)) (local.get 2)))
                    (br_if $l (local.tee 2 (i32.sub (local.get 2) (i32.const 1)))))
                (i32.store (i32.const 1024) (local.get 3))
                (i64.const 0x0000000400000400))
            (func (export "Metadata_metadata") (param i32 i32) (result i64)
                (i64.const 0x0000000400000400)))"#
    );
    wat(name, &text)
}

fn compare(arguments: &[&str]) -> (i32, String) {
    let all = [&["compare"], arguments, &["--processes", "40", "--seed", "1"]].concat();
    let outcome = lithify(&all);
    (outcome.status, outcome.said())
}

#[test]
fn a_slower_call_is_named() {
    let base = runtime("compare-base.wasm", 100_000);
    let slow = runtime("compare-slow.wasm", 200_000);
    let (status, said) = compare(&[&base, &slow]);
    assert_eq!(status, 1, "{said}");
    let verdict = |call: &str| said.lines().find(|line| line.contains(call)).map(str::to_owned);
    assert!(verdict("Core_version").is_some_and(|line| line.starts_with("slower")), "{said}");
    assert!(!verdict("Metadata").is_some_and(|line| line.starts_with("slower")), "{said}");

    let (status, said) = compare(&[&slow, &base, "--json"]);
    assert_eq!(status, 0, "{said}");
    let object: serde_json::Value = serde_json::from_str(&said).expect("one JSON object");
    assert_eq!(object["calls"][0]["verdict"], "faster", "{said}");
    assert_eq!(object["calls"][0]["confirmed"], true);
}

#[test]
fn what_cannot_be_compared_has_a_status_of_its_own() {
    let base = runtime("compare-one.wasm", 10);
    let (status, said) = compare(&[&base, "/nonexistent.wasm"]);
    assert_eq!(status, 2, "{said}");
    assert!(said.contains("cannot read /nonexistent.wasm"), "{said}");
    let (status, said) = compare(&[&base, &base, "--engine", "nonesuch"]);
    assert_eq!(status, 2, "{said}");
    // What no longer makes a call is not faster.
    let trap = r#"(module (import "env" "memory" (memory 20))
        (global (export "__heap_base") i32 (i32.const 65536))
        (func (export "Core_version") (param i32 i32) (result i64) (unreachable))
        (func (export "Metadata_metadata") (param i32 i32) (result i64) (i64.const 0)))"#;
    let (status, said) = compare(&[&base, &wat("compare-broken.wasm", trap)]);
    assert_eq!(status, 2, "{said}");
    assert!(said.contains("does not make the call Core_version"), "{said}");
}
