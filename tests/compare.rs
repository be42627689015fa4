//! `lithify compare` finds a runtime that was made slower, names the call, and says so by its exit
//! status.

mod support;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use support::outcome::{lithify, wat};

/// A runtime whose `Core_version` takes `rounds` rounds, and whose `Metadata_metadata` nothing.
/// What is planted here is a multiple that no load of the machine hides; what the method finds
/// among little is what `bench --calibrate` measures.
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
    let slow = runtime("compare-slow.wasm", 1_000_000);
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

/// The function that was made slower is the first of those that changed, whatever calls it.
#[test]
fn a_slower_function_is_named() {
    // Longer than what is inlined, as then it would be the caller's.
    let step = "(local.set 1 (i32.xor (i32.mul (local.get 1) (i32.const 17)) (local.get 0)))";
    let loops = format!(
        "(loop $l {} (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (local.get 1)",
        step.repeat(20)
    );
    let module = |name: &str, rounds: u32| {
        let text = format!(
            r#"(module (memory (export "memory") 20)
                (global (export "__heap_base") i32 (i32.const 65536))
                (func $work (param i32) (result i32) (local i32) {loops})
                (func $steady (export "steady") (param i32) (result i32) (local i32) {loops})
                (func (export "Core_version") (param i32 i32) (result i64)
                    (drop (call $steady (i32.const 3000))) (drop (call $work (i32.const 1)))
                    (drop (call $work (i32.const {rounds}))) (i64.const 0)))"#
        );
        wat(name, &text)
    };
    let (base, slow) = (module("named-base.wasm", 3_000), module("named-slow.wasm", 60_000));
    let (status, said) = compare(&[&base, &slow, "--compiles", "0", "--json"]);
    assert_eq!(status, 1, "{said}");
    let object: serde_json::Value = serde_json::from_str(json(&said)).expect("one JSON object");
    let functions = object["rows"][0]["functions"].as_array().expect("explained, since it differs");
    let function = |name: &str| {
        let found = functions.iter().find(|function| function["name"] == name);
        let found = found.unwrap_or_else(|| panic!("no {name} in {said}"));
        ["base_ns", "new_ns"].map(|side| found[side].as_f64().expect("a number"))
    };
    assert_eq!(functions[0]["name"], "work", "{said}");
    // Against what is the same on both sides, as the clock of one may be slower.
    let [work, steady] = ["work", "steady"].map(function);
    let grown = work[1] / steady[1] / (work[0] / steady[0]);
    assert!((15.0..25.0).contains(&grown), "{grown}: {said}");
}

/// The script of `examples/ci` ends as `compare` does, and leaves a page for each night but the first.
#[test]
fn a_nightly_script_tells_of_a_slower_runtime() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("nights");
    let _ = std::fs::remove_dir_all(&folder);
    let (base, slow) = (runtime("night-base.wasm", 20_000), runtime("night-slow.wasm", 400_000));
    let path = std::env::var("PATH").expect("a path");
    let ours = Path::new(env!("CARGO_BIN_EXE_lithify")).parent().expect("a folder").display();
    for (module, status) in [(&base, 0), (&slow, 1)] {
        let output = std::process::Command::new("examples/ci/nightly.sh")
            .arg(module)
            .arg(&folder)
            .env("PATH", format!("{ours}:{path}"))
            .env("LITHIFY_COMPARE", "--processes 40 --compiles 0 --seed 1")
            .output()
            .expect("a shell");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{said}");
    }
    let files = std::fs::read_dir(&folder).expect("made").flatten();
    let pages = files.filter(|file| file.path().extension().is_some_and(|e| e == "html"));
    assert_eq!(pages.count(), 1);
}

/// Verdicts are made of samples alone: of a file they are those of the run.
#[test]
fn samples_that_were_kept_give_the_same_verdicts() {
    let base = runtime("kept-base.wasm", 20_000);
    let slow = runtime("kept-slow.wasm", 400_000);
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
        assert!(!told.contains("have no end"), "{format}: {told}");
    }
    // What was lost is told.
    let whole = std::fs::read_to_string(&samples).expect("kept");
    let last = whole.trim_end().rfind('\n').expect("lines");
    std::fs::write(&samples, &whole[..=last]).expect("cut");
    let told = lithify(&["bench", "--report", &samples]).said();
    assert!(told.contains("kept.jsonl have no end: the file was cut"), "{told}");
    // What was interrupted is labelled in each form that is read by people, and in the object.
    let cut = whole[..=last].to_owned() + r#"{"interrupted":{"done":7,"total":90}}"#;
    std::fs::write(&samples, cut).expect("interrupted");
    for (format, part) in [
        ("text", "\npartial: the run was interrupted after 7 of at most 90 processes"),
        ("markdown", "**partial: the run was interrupted after 7 of at most 90 processes**\n\n"),
        ("json", r#""interrupted":{"done":7,"total":90}"#),
    ] {
        let told = lithify(&["bench", "--report", &samples, "--format", format]).said();
        assert!(told.contains(part), "{format}: {told}");
    }
    // Names of others are neither lines of their own nor formulas, and as long as they like.
    let named = |name: &str| {
        let named = whole.replace(r#""call":"Core_version""#, &format!(r#""call":"{name}""#));
        std::fs::write(&samples, named).expect("named");
    };
    named(r"a\nb");
    let told = lithify(&["report", &samples, "--format", "text"]);
    assert_eq!(told.status, 1, "{}", told.said());
    assert!(told.said().contains(r#"a control character in the name "a\nb""#), "{}", told.said());
    named(&"x".repeat(70_000));
    assert_eq!(lithify(&["report", &samples, "--format", "text"]).status, 0);
    named("=1+1");
    let twice = lithify(&["report", &samples, &samples, "--format", "csv"]).said();
    assert!(twice.contains("\n'=1+1,"), "{twice}");
    assert_eq!(twice.matches("row,unit,").count(), 1, "{twice}");
}

/// A command is ended with what it started, beyond its time and where somebody does not want to wait.
#[test]
fn commands_that_hang_are_ended() {
    let hangs = ["sleep 7771; true", "sleep 7772; true"];
    let (status, said) = compare(&["--runs", hangs[0], hangs[1], "--timeout", "1"]);
    assert_eq!(status, 2, "{said}");
    assert!(said.contains("\"sleep 7771; true\": did not end in 1.0s"), "{said}");
    let mut waits = std::process::Command::new(env!("CARGO_BIN_EXE_lithify"))
        .args(["compare", "--runs", hangs[0], hangs[1]])
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("it starts");
    std::thread::sleep(std::time::Duration::from_millis(500));
    let kill = std::process::Command::new("kill").arg(waits.id().to_string()).status();
    assert!(kill.expect("there is a kill").success());
    assert_eq!(waits.wait().expect("a child").code(), Some(130));
    let (status, said) = compare(&["--runs", "echo why >&2; exit 3", "true"]);
    assert_eq!(status, 2, "{said}");
    assert!(said.contains("why"), "{said}");
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

/// Of builds that are there several times a binary is one measurement; verdicts are made of samples alone.
#[test]
fn builds_that_were_linked_several_times_are_compared() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("relinks");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    // Different files that are the same program.
    let link = |name: &str| {
        let path = folder.join(name).display().to_string();
        let program = env!("CARGO_BIN_EXE_lithify");
        let script = format!("#!/bin/sh\nexec '{program}' \"$@\" # {name}\n");
        std::fs::write(&path, script).expect("written");
        std::fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("ours");
        path
    };
    let links = |names: [&str; 4]| names.map(link).join(",");
    let (old, new) = (links(["o1", "o2", "o3", "o4"]), links(["n1", "n2", "n3", "n4"]));
    let module = runtime("relinked.wasm", 5_000);
    let samples = folder.join("samples.jsonl").display().to_string();
    let builds = [&old, &module, "--engine", "lithify@old", "--relinks", &new, "--compiles", "8"];
    let (status, said) = compare(&[&builds[..], &["--samples", &samples, "--json"]].concat());
    let object: serde_json::Value = serde_json::from_str(json(&said)).expect("one JSON object");
    assert_eq!(object["links"], 4, "{said}");
    let rows = object["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), 4, "two calls, and time and memory of compiling: {said}");
    // One comparison in twenty may find what is not there.
    assert!(status == 0 || status == 1, "{said}");
    for row in rows {
        let p_value = row["p_value"].as_f64().expect("a number");
        assert!((p_value * 70.0).fract().min(1.0 - (p_value * 70.0).fract()) < 1e-6, "{said}");
        assert!(
            row["confirmed"].is_null() && row["ratio_low"].as_f64() < row["ratio_high"].as_f64()
        );
    }
    let again = lithify(&["bench", "--report", &samples, "--format", "json"]);
    assert_eq!(json(&again.said()), json(&said));
    let text = lithify(&["bench", "--report", &samples]).said();
    assert!(text.contains("Each build is there 4 times"), "{text}");

    let first = |all: &str, count: usize| all.split(',').take(count).collect::<Vec<_>>().join(",");
    for (old, new, part) in [
        (old.clone(), first(&new, 3), "there are 4 of the base, and with --relinks 3 of the other"),
        (first(&old, 3), first(&new, 3), "4 to 8 links each"),
        (
            format!("{},{}", first(&old, 3), first(&old, 1)),
            new.clone(),
            "is one of the others again",
        ),
    ] {
        let (status, said) =
            compare(&[&old, &module, "--engine", "lithify@old", "--relinks", &new]);
        assert_eq!(status, 2, "{said}");
        assert!(said.contains(part), "{said}");
    }
    let (status, said) = compare(&[&old, &module, "--engine", "lithify@old"]);
    assert_eq!((status, said.contains("this program alone")), (2, true), "{said}");
    let (status, said) = compare(&[&module, &module, "--relinks", &new]);
    assert_eq!((status, said.contains("two builds of lithify")), (2, true), "{said}");
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
    let (base, slow) = (runtime("hours.wasm", 50_000), runtime("hours-slow.wasm", 1_000_000));
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
    let (status, said) = compare(&[&name("never"), &base]);
    assert_eq!(status, 2, "{said}");
    assert!(said.contains("never.bench.jsonl, which lithify bench --save "), "{said}");
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
