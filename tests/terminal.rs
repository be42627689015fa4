//! What a person sees: text of strangers that is only text, logs that say whose they are, one message
//! for a fault, and an exit status that tells faults apart.

mod support;

use std::{
    fs,
    process::{Command, Stdio},
};
use support::{
    outcome::{Outcome, hex, lithify, wat},
    scratch, text,
};

const LITHIFY: &str = env!("CARGO_BIN_EXE_lithify");

/// What a terminal would obey, or a reader not see.
fn is_harmful(c: char) -> bool {
    c != '\n' && (c.is_control() || "\u{200f}\u{202e}\u{2066}\u{2028}\u{feff}".contains(c))
}

/// A colour, a title, a line of its own, another direction, a control character of the second set.
const EVIL: &str =
    r"\1b[31mred\1b[0m\1b]0;title\07\0aforged line\e2\80\ae\e2\81\a6\c2\9b2J\e2\80\a8";

#[test]
fn text_of_strangers_is_only_text() {
    let module = wat(
        "evil.wasm",
        &format!(
            r#"(module
                (import "env" "memory" (memory 20))
                (import "env" "ext_logging_log_version_1" (func $log (param i32 i64 i64)))
                (import "env" "ext_misc_print_utf8_version_1" (func $print (param i64)))
                (global (export "__heap_base") i32 (i32.const 65536))
                (data (i32.const 100) "{EVIL}")
                (func $inner (export "name {EVIL}") (unreachable))
                (func (export "entry {EVIL}") (param i32 i32) (result i64) (i64.const 0))
                (func (export "go") (param i32 i32) (result i64)
                  (call $log (i32.const 0) (i64.const 0x4000000064) (i64.const 0x4000000064))
                  (call $print (i64.const 0x4000000064))
                  (call $inner)
                  (i64.const 0))
                (@custom "producers" "\01\08language\01\04Ru\1b[\03\1b[2"))"#
        ),
    );
    let import = wat(
        "evil-import.wasm",
        &format!(
            r#"(module (import "env" "{EVIL}" (func)) (import "{EVIL}" "{EVIL}" (func)) (memory 1)
                 (func (export "go") (param i32 i32) (result i64) (i64.const 0)))"#
        ),
    );
    let spec = scratch("evil.json");
    fs::write(&spec, "{\"\\u001b[31m\\n\\u202e\": 1, \"genesis\": {\"raw\": {\"top\": {\"\\u001b[2J\\n\": \"0x\"}}}}")
        .unwrap();
    let spec = spec.to_str().unwrap();
    let image = scratch("evil.so");
    let image = image.to_str().unwrap();
    assert_eq!(lithify(&["compile", &module, "-q", "-o", image]).status, 0);
    for args in [
        &["run", &module, "go", "--log", "trace"][..],
        &["run", image, "go", "--log", "trace"],
        &["run", &module],
        &["run", image, "none"],
        &["run", image, "name"],
        &["run", &module, "\u{1b}[31m\nred"],
        &["run", &module, "go", "--\u{1b}[31m\nred", "x"],
        &["\u{1b}[31m\nred"],
        &["run", &module, "go", "--log=\u{1b}[31m\nred"],
        &["run", &import, "go"],
        &["run", &import, "go", "--accept", "general"],
        &["inspect", &module, "--functions"],
        &["inspect", image, "--functions"],
        &["inspect", &import],
        &["inspect", &module, "--json"],
        &["check", &module],
        &["check", &import],
        &["compile", &module, "--emit", "asm"],
        &["compile", &module, "--emit", "clif"],
        &["compile", &module, "--emit", "asm", "--function", "none"],
        &["inspect", spec],
        &["build-block", "--state", spec, "-o", "-"],
    ] {
        let Outcome { stdout, stderr, .. } = lithify(args);
        for text in [&stdout, &stderr] {
            assert!(!text.chars().any(is_harmful), "{args:?}: {text:?}");
            let forged =
                text.lines().find(|line| line.starts_with("forged") || line.starts_with("red"));
            assert_eq!(forged, None, "{args:?}: {text}");
        }
    }
    // JSON has the name as it is, behind escapes of JSON.
    let json = lithify(&["inspect", image, "--json"]).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(json["exports"].to_string().contains("\\u001b[31mred"), "{json}");
    let names: Vec<_> =
        json["exports"].as_array().unwrap().iter().map(ToString::to_string).collect();
    assert!(names.iter().any(|name| name.contains('\u{202e}')), "{names:?}");
}

#[test]
fn a_log_says_whose_it_is() {
    let module = wat(
        "log.wasm",
        r#"(module
            (import "env" "memory" (memory 20))
            (import "env" "ext_logging_log_version_1" (func $log (param i32 i64 i64)))
            (global (export "__heap_base") i32 (i32.const 65536))
            (data (i32.const 100) "cranelift_codegen")
            (data (i32.const 200) "a word\0aERROR node: lost")
            (func (export "go") (param i32 i32) (result i64)
              (call $log (i32.const 3) (i64.const 0x1100000064) (i64.const 0x17000000c8))
              (i64.const 0)))"#,
    );
    for (level, lines) in [("debug", 1), ("trace", 1), ("info", 0), ("off", 0)] {
        let stderr = lithify(&["run", &module, "go", "--log", level]).stderr;
        let expected = "guest DEBUG cranelift_codegen: a word\\nERROR node: lost\n".repeat(lines);
        assert_eq!(stderr, expected, "{level}");
    }
}

/// A module with `body` in its entry point `go`.
fn entry(name: &str, imports: &str, body: &str) -> String {
    let text = format!(
        r#"(module {imports}
            (memory (export "memory") 20)
            (global (export "__heap_base") i32 (i32.const 65536))
            (func (export "go") (param i32 i32) (result i64) {body} (i64.const 0)))"#
    );
    wat(name, &text)
}

/// Each way to end has its status, and each reason is said once, in lines that are not Rust's.
#[test]
fn the_status_tells_why_it_ended() {
    let trap = entry("trap.wasm", "", "unreachable");
    let start = entry("start.wasm", "(func $s unreachable) (start $s)", "");
    let panics = entry(
        "panics.wasm",
        r#"(import "env" "ext_storage_commit_transaction_version_1" (func $commit))"#,
        "(call $commit)",
    );
    let code = hex(&fs::read(&trap).unwrap());
    let spec = scratch("trap.json");
    fs::write(&spec, format!(r#"{{"genesis":{{"raw":{{"top":{{"0x3a636f6465":"{code}"}}}}}}}}"#))
        .unwrap();
    let spec = spec.to_str().unwrap();
    let simd = entry("simd.wasm", r#"(import "env" "f" (func))"#, "(drop (v128.const i64x2 0 0))");
    let plain =
        wat("plain.wasm", r#"(module (func (export "f") (param i32) (result i32) unreachable))"#);
    let block = scratch("block.json");
    let block = block.to_str().unwrap();
    for (args, status, once) in [
        (&["run", &trap, "go"][..], 134, "unreachable executed"),
        (&["run", &trap, "go", "--profile"], 134, "unreachable executed"),
        (&["run", &start, "go", "--accept", "general"], 134, "unreachable executed"),
        (&["run", &panics, "go"], 134, "panicked: No open transaction"),
        (&["run", &trap, "go", "--heap-pages", "70000"], 1, "pages is not possible"),
        (&["run", &trap, "go", "--stack-size", "18446744073708503040"], 2, "4 KiB to 1 GiB"),
        (&["run", &trap, "go", "--stack-size", "18446744073709551615"], 2, "4 KiB to 1 GiB"),
        (&["run", &trap, "go", "--stack-size", "1025M"], 2, "4 KiB to 1 GiB"),
        (&["run", &trap, "go", "--stack-size", "1K"], 2, "4 KiB to 1 GiB"),
        (&["run", &simd, "go"], 1, "; `--accept general` accepts it"),
        (&["compile", &simd, "-o", block], 1, "; `--accept general` accepts it"),
        (
            &["run", &plain, "f"],
            1,
            "this one is a func (i32) -> i32, and an entry point takes (i32, i32)",
        ),
        (&["run", &trap, "GO"], 1, "did you mean go?"),
        (&["run", "/no/such/file", "go"], 1, "No such file"),
        (&["check", "/no/such/file"], 2, "No such file"),
        (&["check", &trap], 1, "cannot run on a Polkadot host"),
        (&["verify", &trap, &trap], 2, "is not an image"),
        (&["verify", "/no/such/file", &trap], 2, "No such file"),
        (&["run", &trap, "go", "--cpu", "i386"], 2, "unknown CPU level"),
        (&["run", &trap, "go", "--input", "zz"], 2, "--input"),
        (&["compile", &trap, "--function", "go"], 2, "--function goes with"),
        (&["bench", &trap, "--processes", "0"], 2, "--processes"),
        (&["build-block", "--state", spec, "-o", block], 1, "no entry point Core_version"),
    ] {
        let Outcome { stderr, status: ended, .. } = lithify(args);
        assert_eq!(ended, status, "{args:?}: {stderr}");
        assert_eq!(stderr.matches(once).count(), 1, "{args:?}: no single {once:?} in {stderr}");
        for word in ["thread '", "panicked at", "/src/", ".rs:", "RUST_BACKTRACE"] {
            assert!(!stderr.contains(word), "{args:?}: {word} in {stderr}");
        }
    }
}

/// A trap while a block is made is a trap.
#[test]
fn a_trap_in_build_block_is_a_trap() {
    let text = r#"(module
        (import "env" "memory" (memory 20))
        (global (export "__heap_base") i32 (i32.const 65536))
        (func (export "Core_version") (param i32 i32) (result i64) unreachable))"#;
    let code = wat::parse_str(text).unwrap();
    let code = hex(&code);
    let spec = scratch("trap-version.json");
    fs::write(&spec, format!(r#"{{"genesis":{{"raw":{{"top":{{"0x3a636f6465":"{code}"}}}}}}}}"#))
        .unwrap();
    let output = lithify(&["build-block", "--state", spec.to_str().unwrap(), "-o", "/dev/null"]);
    let Outcome { stderr, status, .. } = output;
    assert_eq!(status, 134, "{stderr}");
    assert_eq!(stderr.matches("unreachable executed").count(), 1, "{stderr}");
}

/// Memory that runs out is no trap, however little there is.
#[test]
fn memory_that_runs_out_is_told_apart() {
    let module = "workloads/solochain/solochain.compact.compressed.wasm";
    let mut refused = 0;
    for mebibytes in (100..=340).step_by(80) {
        let script =
            format!("ulimit -v {}; exec {LITHIFY} compile {module} -o /dev/null", mebibytes << 10);
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        let stderr = text(&output.stderr);
        match output.status.code() {
            Some(0) => {}
            // Before there is a program, there is nobody to say so.
            Some(127) => {}
            Some(1) => {
                refused += 1;
                assert!(stderr.contains("error: "), "{mebibytes} MiB: {stderr}");
            }
            other => panic!("{mebibytes} MiB: {other:?}: {stderr}"),
        }
    }
    assert!(refused > 0);
    // Address space for an instance, which is not memory yet.
    let trap = entry("space.wasm", "", "unreachable");
    let script = format!("ulimit -v 3000000; exec {LITHIFY} run {trap} go");
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert_eq!(stderr.matches("Cannot allocate memory").count(), 1, "{stderr}");
}

/// A terminal gets no bytes that are not text.
#[test]
fn bytes_are_not_for_a_terminal() {
    let trap = entry("bytes.wasm", "", "");
    for command in [
        format!("compile {trap} -o -"),
        format!("compile {trap} -o /dev/stdout"),
        format!("compile {trap} -o /dev/tty"),
        format!("run {trap} go --output raw"),
    ] {
        let shell = format!("{LITHIFY} {command}; echo status $?");
        let output = Command::new("script")
            .args(["-qec", &shell, "/dev/null"])
            .stdin(Stdio::null())
            .output();
        let Ok(output) = output else {
            eprintln!("skipped, as there is no script(1), which makes a terminal");
            return;
        };
        let seen = String::from_utf8_lossy(&output.stdout);
        assert!(
            seen.contains("bytes are not for a terminal") && seen.contains("status 2"),
            "{command}: {seen}"
        );
    }
}

/// -q leaves errors and what was asked for by name.
#[test]
fn quiet_is_quiet() {
    let trap = entry("quiet.wasm", "", "unreachable");
    let out = scratch("quiet.so");
    let out = out.to_str().unwrap();
    let Outcome { stdout, stderr, .. } = lithify(&["compile", &trap, "-q", "-o", out]);
    assert_eq!((stdout.as_str(), stderr.as_str()), ("", ""));
    let stdout = lithify(&["-q", "compile", &trap, "--json", "-o", out]).stdout;
    assert!(stdout.starts_with("{\"input\""), "{stdout}");
    let stderr = lithify(&["run", out, "go", "-q"]).stderr;
    assert!(stderr.starts_with("error: "), "{stderr}");
}

/// Nobody reads standard error, so that who writes there waits, and neither code nor deadline goes on.
#[test]
fn a_guest_that_waits_for_a_reader_ends() {
    let program = wat(
        "spam.wasm",
        r#"(module
            (import "wasi_snapshot_preview1" "fd_write"
                (func $write (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 2)
            (data (i32.const 0) "\10\00\00\00\00\00\01\00")
            (func (export "_start") (loop $l
                (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)))
                (br $l))))"#,
    );
    let runtime = wat(
        "chatty.wasm",
        r#"(module
            (import "env" "ext_logging_log_version_1" (func $log (param i32 i64 i64)))
            (memory (export "memory") 2)
            (global (export "__heap_base") i32 (i32.const 70000))
            (func (export "go") (param i32 i32) (result i64)
                (loop $l
                    (call $log (i32.const 0) (i64.const 0) (i64.const 0x0000100000000000))
                    (br $l))
                (i64.const 0)))"#,
    );
    for arguments in [vec!["run", &program], vec!["run", &runtime, "go"]] {
        let mut child = Command::new(LITHIFY)
            .args(&arguments)
            .args(["--timeout", "500ms"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let ended = (0..600).find_map(|_| {
            std::thread::sleep(std::time::Duration::from_millis(100));
            child.try_wait().unwrap()
        });
        let _ = child.kill();
        assert_eq!(ended.and_then(|status| status.code()), Some(124), "{arguments:?}");
    }
}
