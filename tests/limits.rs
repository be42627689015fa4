//! Bounds on compiling: beyond one the command fails, says which it was, and leaves nothing
//! behind.

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use support::{
    RUNTIME,
    outcome::{Outcome, lithify, wat},
    scratch,
};

/// A folder of one test's own, empty.
fn folder(name: &str) -> PathBuf {
    let folder = scratch(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder can be made");
    folder
}

/// Runs a command that writes to `folder`: it ends with `status`, says `expected` if it fails, and
/// then leaves nothing in the folder.
#[track_caller]
fn check(folder: &Path, args: &[&str], status: i32, expected: &str) {
    let Outcome { stderr: said, status: ended, .. } = lithify(args);
    assert_eq!(ended, status, "{args:?}: {said}");
    let left: Vec<_> =
        fs::read_dir(folder).expect("the folder").map(|e| e.unwrap().path()).collect();
    if status == 0 {
        assert_eq!(left.len(), 1, "{args:?}: {left:?}");
        return;
    }
    assert!(said.contains(expected), "{args:?}: no {expected:?} in {said}");
    assert!(!said.contains("panicked") && said.lines().count() < 4, "{args:?}: {said}");
    assert!(left.is_empty(), "{args:?} left {left:?}");
}

#[test]
fn memory_and_time_of_a_compilation_are_bounded() {
    let folder = folder("bounded");
    let path = folder.join("runtime.so");
    let out = path.to_str().expect("a path in UTF-8");
    let compile = |limits: &[&'static str]| [&["compile", RUNTIME, "-o", out], limits].concat();
    let memory = "out of memory: compiling takes more than --max-memory allows; allow more";
    for size in ["1K", "1M", "4M", "16M"] {
        for jobs in ["1", "2", "16"] {
            check(&folder, &compile(&["--max-memory", size, "--jobs", jobs]), 1, memory);
        }
    }
    let time = "timeout: compiling takes longer than the";
    for duration in ["1ms", "10ms", "50ms"] {
        check(&folder, &compile(&["--timeout", duration]), 1, time);
    }
    check(&folder, &compile(&["--timeout", "50ms", "--emit", "asm"]), 1, time);
    check(&folder, &["run", RUNTIME, "Core_version", "--max-memory", "4M"], 1, memory);
    check(&folder, &["run", RUNTIME, "Core_version", "--timeout", "10ms"], 1, time);
    for (limit, value) in [("--max-memory", "0"), ("--max-memory", "4X"), ("--timeout", "-1")] {
        let wrong = format!("{limit}={value}");
        let said = lithify(&["compile", RUNTIME, "-o", out, &wrong]);
        assert_eq!(said.status, 2, "{wrong}");
    }
    check(&folder, &compile(&["--max-memory", "1G", "--timeout", "10m"]), 0, "");
    let image = out;
    let verify = |limits: &[&'static str]| [&["verify", image, RUNTIME], limits].concat();
    for (limits, expected) in [(["--max-memory", "4M"], memory), (["--timeout", "5ms"], time)] {
        let Outcome { stderr: said, status, .. } = lithify(&verify(&limits));
        assert!(status == 2 && said.contains(expected), "{said}");
    }
    assert!(lithify(&verify(&["--max-memory", "1G", "--timeout", "10m"])).status == 0);
}

/// 30 kB of which inlining everything would take 4 GB.
#[test]
fn what_is_inlined_takes_no_more_memory_than_the_code_is_worth() {
    let folder = folder("inlined");
    let calls = "call $f i32.add ".repeat(10_000);
    let text = format!(
        "(module (func $f (result i32) (local {}) local.get 0)
           (func (export \"e\") (result i32) i32.const 0 {calls}))",
        "i32 ".repeat(1_000)
    );
    let path = scratch("inlined.wat");
    fs::write(&path, text).unwrap();
    let image = folder.join("inlined.so");
    let [path, image] = [&path, &image].map(|path| path.to_str().expect("a path in UTF-8"));
    check(&folder, &["compile", path, "-o", image, "--max-memory", "1G"], 0, "");
}

/// Compressed code is bounded while it decompresses, whatever it says about itself.
#[test]
fn a_bomb_is_refused() {
    let folder = folder("bomb");
    // One block of a run of zeros after another: 128 KiB for four bytes.
    let mut bomb = vec![0x52, 0xbc, 0x53, 0x76, 0x46, 0xdb, 0x8e, 0x05, 0x28, 0xb5, 0x2f, 0xfd];
    // No content size, a window of 8 MiB.
    bomb.extend([0, 0x68]);
    let block = |last: u32| ((128 << 10) << 3 | 1 << 1 | last).to_le_bytes();
    for _ in 0..80_000 {
        bomb.extend(&block(0)[..3]);
        bomb.push(0);
    }
    bomb.extend(&block(1)[..3]);
    bomb.push(0);
    let path = scratch("bomb.zst");
    fs::write(&path, &bomb).expect("written");
    let started = Instant::now();
    let path = path.to_str().expect("a path in UTF-8");
    let out = folder.join("bomb.so");
    let expected = "the code decompresses to more than 50 MiB";
    check(&folder, &["compile", path, "-o", out.to_str().expect("UTF-8")], 1, expected);
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

/// Commands that run a guest stop it, whatever it does and wherever it does it.
#[test]
fn guests_that_do_not_end_are_stopped() {
    let folder = folder("endless");
    let runtime = |name: &str, start: &str, body: &str| {
        let text = format!(
            r#"(module (import "env" "memory" (memory 20))
                (import "env" "ext_logging_max_level_version_1" (func $host (result i32)))
                (global (export "__heap_base") i32 (i32.const 65536))
                (func $start {start}) (start $start)
                (func (export "Core_version") (param i32 i32) (result i64) {body} (i64.const 0)))"#
        );
        wat(&format!("endless-{name}.wasm"), &text)
    };
    let endless = [
        runtime("loop", "", "(loop $l (br $l))"),
        runtime("host", "", "(loop $l (drop (call $host)) (br $l))"),
        runtime("start", "(loop $l (br $l))", ""),
    ];
    for runtime in &endless {
        let run = ["run", runtime, "Core_version", "--timeout", "500ms", "--accept", "general"];
        check(&folder, &run, 124, "deadline exceeded");
        let profile = [&run[..], &["--profile"]].concat();
        check(&folder, &profile, 124, "deadline exceeded");
    }
    let few = ["--processes", "1", "--compiles", "1", "--no-page"];
    let bench = [&["bench", &endless[0], "--timeout", "2s"][..], &few].concat();
    let Outcome { stdout, stderr, status } = lithify(&bench);
    assert_eq!(status, 1, "what failed is in the exit status: {stderr}");
    assert!(stdout.contains("timeout: the call takes longer"), "{stdout}{stderr}");
}
