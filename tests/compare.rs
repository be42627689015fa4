//! `lithify compare` finds a runtime that was made slower, names the call, and says so by its exit
//! status.

mod support;

use std::path::Path;
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

/// The line of JSON in what a command said, which may have told how far it is.
fn json(said: &str) -> &str {
    said.lines().find(|line| line.starts_with('{')).unwrap_or_else(|| panic!("no JSON in {said}"))
}

#[test]
fn a_slower_call_is_named() {
    let base = runtime("compare-base.wasm", 100_000);
    let slow = runtime("compare-slow.wasm", 200_000);
    let (status, said) = compare(&[&base, &slow]);
    assert_eq!(status, 1, "{said}");
    assert!(said.contains("\nslower     Core_version "), "{said}");
    assert!(!said.contains("\nslower     Metadata"), "{said}");
    assert!(said.contains("\n1 row is slower: Core_version, by "), "{said}");
    assert!(said.lines().filter(|line| line.contains("->")).all(|line| line.len() <= 80), "{said}");

    let (status, said) = compare(&[&slow, &base, "--json"]);
    assert_eq!(status, 0, "{said}");
    let object: serde_json::Value = serde_json::from_str(json(&said)).expect("one JSON object");
    let row = &object["rows"][0];
    assert_eq!(
        (&row["call"], &row["verdict"]),
        (&"Core_version".into(), &"faster".into()),
        "{said}"
    );
    assert_eq!(row["confirmed"], true);
    let exact = object["exact"].as_array().expect("figures");
    let code = exact.iter().find(|exact| exact["what"] == "machine code").expect("told by images");
    assert!(code["base_bytes"].as_u64() > Some(0), "{said}");
    let pages = exact.iter().find(|exact| exact["what"] == "pages written");
    assert!(pages.is_none_or(|pages| pages["verdict"] == "same"), "{said}");
}

/// Verdicts are made of samples alone: of a file they are those of the run.
#[test]
fn samples_that_were_kept_give_the_same_verdicts() {
    let base = runtime("kept-base.wasm", 20_000);
    let slow = runtime("kept-slow.wasm", 30_000);
    let samples = format!("{}/kept.jsonl", env!("CARGO_TARGET_TMPDIR"));
    let _ = std::fs::remove_file(&samples);
    let (_, said) = compare(&[&base, &slow, "--json", "--compiles", "0", "--samples", &samples]);
    let again = lithify(&["bench", "--report", &samples, "--format", "json"]);
    assert_eq!(json(&again.said()), json(&said));
    for (format, part) in [
        ("text", "slower     Core_version"),
        ("markdown", "| slower | Core\\_version |"),
        ("csv", "Core_version,ns,"),
        ("bencher", "{\"Core_version\":{\"latency\":{\"value\":"),
        ("github-action-benchmark", "\"unit\":\"ns\""),
    ] {
        let told = lithify(&["bench", "--report", &samples, "--format", format]).said();
        assert!(told.contains(part), "{format}: {told}");
    }
}

/// The module runs on both builds; of one and the same build none is slower.
#[test]
fn two_builds_of_lithify_are_compared() {
    let module = runtime("builds.wasm", 5_000);
    let program = env!("CARGO_BIN_EXE_lithify");
    let builds = [program, &module, "--engine", "lithify@old", "--compiles", "0"];
    let (status, said) = compare(&builds);
    assert_eq!(status, 0, "{said}");
    assert!(said.contains(&format!("{module} against {module} by old")), "{said}");
    assert!(said.contains("moves a call"), "{said}");
    let (status, said) = compare(&["/nonexistent", &module, "--engine", "lithify@old"]);
    assert_eq!(status, 2, "{said}");
    assert!(said.contains("cannot find the program /nonexistent"), "{said}");
}

/// Any two commands that print samples, here of a clock that never varies.
#[test]
fn two_commands_are_compared() {
    let prints = |ns: u32| {
        let sample =
            format!(r#"{{"workload":"w","engine":"e","phase":"total","call":"c","ns":{ns}}}"#);
        format!("echo '{sample}'")
    };
    let (status, said) = compare(&["--runs", &prints(1000), &prints(1100)]);
    assert_eq!(status, 1, "{said}");
    assert!(said.contains("c                         1.00 us ->  1.10 us  1.100"), "{said}");
    let (status, said) = compare(&["--runs", &prints(1000), &prints(1000)]);
    assert_eq!((status, said.contains("1 row is the same")), (0, true), "{said}");
    let (status, said) = compare(&["--runs", &prints(1000), "echo no; exit 3"]);
    assert_eq!(status, 2, "{said}");
    assert!(said.contains("exit status: 3"), "{said}");
}

/// Runs of different hours are told apart by more than hours make, and it is said that this is little.
#[test]
fn a_baseline_is_compared_with() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let name = |name: &str| folder.join(name).display().to_string();
    let save = |module: &str, name: &str| {
        let few = ["--processes", "12", "--compiles", "1", "--engines", "lithify", "--no-page"];
        let outcome = lithify(&[&["bench", module, "--save", name][..], &few].concat());
        assert_eq!(outcome.status, 0, "{}", outcome.said());
    };
    let (base, slow) = (runtime("hours.wasm", 50_000), runtime("hours-slow.wasm", 150_000));
    save(&base, &name("main"));
    save(&slow, &name("HEAD"));
    let len = std::fs::metadata(name("main.bench.jsonl")).expect("saved").len();
    assert!(len < 30_000, "{len} bytes are not to be committed");
    for new in [&name("HEAD"), &slow] {
        let (status, said) = compare(&[&name("main"), new]);
        assert_eq!(status, 1, "{said}");
        assert!(said.contains("slower     Core_version on lithify aot"), "{said}");
        assert!(said.contains("Two runs of different hours"), "{said}");
    }
    let (status, said) = compare(&[&base, &name("main")]);
    assert_eq!(status, 2, "{said}");
    assert!(said.contains("it goes first"), "{said}");
}

#[test]
fn what_cannot_be_compared_has_a_status_of_its_own() {
    let base = runtime("compare-one.wasm", 10);
    // Before anything is done to the first.
    let endless = r#"(module (import "env" "memory" (memory 20))
        (global (export "__heap_base") i32 (i32.const 65536))
        (func (export "Core_version") (param i32 i32) (result i64) (loop $l (br $l)) (i64.const 0)))"#;
    let (status, said) = compare(&[&wat("compare-endless.wasm", endless), "/nonexistent.wasm"]);
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
