//! From calls to a profile, and from that to an image: exact, the same each time, of use to the next
//! version, and of no influence on what a runtime does.

mod support;

use std::fs;
use support::{
    outcome::{fails, file, succeeds, wat},
    scratch,
};

const STATE: &str = "workloads/ledger/genesis.json";

fn path(name: &str) -> String {
    scratch(name).to_str().unwrap().to_owned()
}

/// A block of the ledger, made of two transfers.
fn block(name: &str) -> String {
    let block = path(name);
    succeeds(&["build-block", "--state", STATE, "--transfers", "2", "-o", &block], &[]);
    block
}

#[test]
fn a_profile_of_a_block_makes_an_image_that_executes_it() {
    let block = &*block("profiled.json");
    let profile = &*path("profiled.profile");
    let made = ["profile", block, "-o", profile];
    succeeds(&made, &[" functions of ", " ran, in 3 calls"]);
    let first = fs::read(profile).unwrap();
    fs::remove_file(profile).unwrap();
    succeeds(&made, &[]);
    assert!(fs::read(profile).unwrap() == first, "it is exact");

    let image = &*path("profiled.so");
    let compile = ["compile", block, "--profile", profile, "-o", image];
    succeeds(&compile, &[]);
    succeeds(&compile, &[", unchanged"]);
    succeeds(&["inspect", image], &[" heat="]);
    let said = succeeds(&["run", block], &["matches"]).stdout;
    let by_image = succeeds(&["run", image, "--state", block], &[]).stdout;
    let by_fast = succeeds(&["run", block, "--tier", "fast"], &[]).stdout;
    assert_eq!((&*by_image, &*by_fast), (&*said, &*said));

    succeeds(&["verify", image, block, "--profile", profile], &["is what lithify"]);
    fails(&["verify", image, block], 2, &["it was made with a profile, "]);
    let plain = &*path("plain.so");
    succeeds(&["compile", block, "-o", plain], &[]);
    fails(&["verify", plain, block, "--profile", profile], 2, &["it was made without a profile"]);
    let text = String::from_utf8(first).unwrap();
    let (_, count) = text.lines().nth(1).unwrap().split_once(' ').unwrap();
    let changed = file("changed.profile", text.replacen(count, "123456", 1).as_bytes());
    fails(&["verify", image, block, "--profile", &changed], 2, &["and the one of --profile is "]);
    let fast = &*path("fast.so");
    succeeds(&["compile", block, "--tier", "fast", "-o", fast], &[]);
    succeeds(&["verify", fast, block], &["is what lithify"]);
}

#[test]
fn the_bundled_block_at_the_fast_tier() {
    let block = "workloads/solochain/block-transfers.json";
    succeeds(&["run", block, "--tier", "fast"], &["25 extrinsics executed", "matches"]);
}

#[test]
fn what_is_no_profile_of_a_module_is_refused() {
    let module = |name: &str, before: &str| {
        wat(
            name,
            &format!(
                r#"(module (memory (export "memory") 1)
                  (global (export "__heap_base") i32 (i32.const 8)) {before}
                  (func $f (param i32) (result i32) (i32.add (local.get 0) (i32.const 5)))
                  (func (export "Core_version") (param i32 i32) (result i64)
                    (drop (call $f (i32.const 1))) (i64.const 0)))"#
            ),
        )
    };
    let (old, new) = (module("old-version.wasm", ""), module("new-version.wasm", "(func $added)"));
    let (profile, image) = (&*path("old-version.profile"), &*path("new-version.so"));
    succeeds(&["profile", &old, "-o", profile], &["2 of 2 functions of "]);
    // With a function more, and all indices moved.
    succeeds(&["compile", &new, "--profile", profile, "-o", image], &[]);
    succeeds(&["run", image, "Core_version"], &["0x"]);

    let other = wat("other.wasm", r#"(module (func (export "g") (param i64) (nop)))"#);
    let compile = |module: &str, profile: &str| {
        fails(&["compile", module, "--profile", profile, "-o", image], 1, &[]).stderr
    };
    let said = compile(&other, profile);
    assert!(said.contains("it knows 0 of 1 functions here"), "{said}");
    let text = fs::read_to_string(profile).unwrap();
    let damaged = file("damaged.profile", text.replace(' ', "  ").as_bytes());
    let said = compile(&old, &damaged);
    assert!(said.contains("damaged.profile is no whole profile: line 1: "), "{said}");
    let damaged = file("damaged.profile", &text.as_bytes()[..text.len() - 30]);
    let said = compile(&old, &damaged);
    assert!(said.contains(": line 3: "), "{said}");
    let both = ["compile", &old, "--profile", profile, "--tier", "fast", "-o", image];
    fails(&both, 2, &["--tier fast says none"]);
    fails(&["profile", &other, "-o", profile], 1, &["has neither Core_version nor "]);
    fails(&["profile", &old, STATE, "-o", profile], 1, &["has no block; "]);
    fails(&["compile", &old, "--tier", "slow"], 2, &["there are full and fast"]);
}

/// Each block has the functions that asked for it, also where they would be inlined, and the request that
/// gave it back; one with the result of a host function has the function that called that.
#[test]
fn blocks_of_the_heap_are_traced() {
    let module = support::outcome::wat(
        "heap-trace.wasm",
        r#"(module
            (import "env" "ext_allocator_malloc_version_1" (func $malloc (param i32) (result i32)))
            (import "env" "ext_allocator_free_version_1" (func $free (param i32)))
            (import "env" "ext_misc_runtime_version_version_1"
                (func $version (param i64) (result i64)))
            (memory (export "memory") 20)
            (global (export "__heap_base") i32 (i32.const 65536))
            (func $inner (param i32) (result i32) (call $malloc (local.get 0)))
            (func $outer (result i32) (call $inner (i32.const 100)))
            (func (export "Core_version") (param i32 i32) (result i64)
                (drop (call $inner (i32.const 8)))
                (call $free (call $outer))
                (drop (call $version (i64.const 0)))
                (i64.const 0)))"#,
    );
    let trace = |more: &[&str]| {
        succeeds(&[&["run", &module, "Core_version", "--heap-trace"], more].concat(), &[]).stdout
    };
    let text = trace(&[]);
    for part in [
        "Core_version: 4 blocks of 109 B asked for, 1 given back; 3 of 9.00 B are left at the end",
        "0.00 B           -  (the call's argument)",
        "8.00 B           -  inner < Core_version",
        "100 B        at 4  inner < outer < Core_version",
        "1.00 B           -  Core_version",
    ] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
    let json: serde_json::Value = serde_json::from_str(&trace(&["--json"])).unwrap();
    let blocks = json["blocks"].as_array().unwrap();
    assert_eq!(blocks.len(), 4);
    assert_eq!((&blocks[2]["at"], &blocks[2]["freed_at"]), (&3.into(), &4.into()));
    assert_eq!(blocks[2]["functions"].as_array().unwrap()[..], ["inner", "outer", "Core_version"]);
    // Addresses are those of the allocator that the chain's blocks depend on.
    assert_eq!(blocks[0]["address"].as_u64().unwrap() % 8, 0);
}
