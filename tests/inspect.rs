//! What `lithify inspect` says of modules whose every fact is known, and what it leaves open.

mod support;

use support::outcome::lithify_with_input;

#[track_caller]
fn check(source: &str, expected: &[&str]) -> serde_json::Value {
    let wasm = wat::parse_str(source).unwrap();
    let inspect = |args: &[&str]| {
        let outcome = lithify_with_input(&[&["inspect", "-"], args].concat(), &wasm);
        assert_eq!(outcome.status, 0, "{}", outcome.stderr);
        outcome.stdout
    };
    let text = inspect(&[]);
    for part in expected {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
    serde_json::from_str(&inspect(&["--json"])).unwrap()
}

const LOWERS: &str = "(global.set 0 (i32.sub (global.get 0) (i32.const 16)))";

#[test]
fn stack_data_and_heap() {
    // As LLVM's linker lays it out with --stack-first.
    let first = format!(
        r#"(module (memory 3)
            (global $__stack_pointer (mut i32) (i32.const 0x10000))
            (global (export "__data_end") i32 (i32.const 0x10100))
            (global (export "__heap_base") i32 (i32.const 0x10110))
            (data (i32.const 0x10000) "hello") (data (i32.const 0x10020) "x")
            (func {LOWERS}) (func {LOWERS}) (func))"#
    );
    let parts = [
        "stack: 0x0..0x10000, below the data; grows down, as 2 functions lower it",
        "(global 0, __stack_pointer)",
        "data: 0x10000..0x10021, zeros up to 0x10100",
        "heap: from 0x10110, where __heap_base is",
        "features beyond mvp: none",
    ];
    check(&first, &parts);
    // And without: data first, then the stack.
    let above = r#"(module (memory 3) (global (mut i32) (i32.const 0x12000))
        (data (i32.const 0x400) "hello") (func))"#;
    let parts = [
        "stack: 0x405..0x12000, above the data; no function moves it at its start (global 0, by its place)",
        "heap: unknown: no export __heap_base",
    ];
    check(above, &parts);
    let nothing = "(module (memory 1) (global i32 (i32.const 5)))";
    let parts = ["stack: unknown: no mutable global", "data: unknown: no active data segment"];
    check(nothing, &parts);
    let amid = r#"(module (memory 1) (global (mut i32) (i32.const 0x402))
        (data (i32.const 0x400) "hello"))"#;
    check(amid, &["stack: unknown: global 0, by its place, begins as 0x402"]);
    let late = "(module (memory 1) (global (mut i32) (i32.const 0)))";
    check(late, &["stack: unknown: global 0, by its place, is set at run time"]);
}

#[test]
fn tools_and_collectors() {
    let tinygo = r#"(@producers (processed-by "TinyGo" "0.41.1"))"#;
    let with = |more: &str, parts: &[&str]| check(&format!("(module {more})"), parts);
    with("", &["made by: 1", "unknown: no producers section, and no function name that tells"]);
    let json = with(
        r#"(@producers (language "Rust" "") (processed-by "rustc" "1.96.0"))"#,
        &["language: Rust\n", "processed-by: rustc 1.96.0"],
    );
    assert!(json.get("collector").is_none(), "{json}");
    with(
        "(func $rust_begin_unwind)",
        &["Rust, as it has a function rust_begin_unwind; no producers"],
    );
    with(r#"(@producers (processed-by "Go cmd/compile" "go1.26.8"))"#, &["collector: Go's own"]);
    let collector = |functions: &str, expected: &str| {
        with(&format!("{tinygo} {functions}"), &[&format!("collector: {expected}")]);
    };
    collector("(func)", "unknown: functions have no names");
    collector("(func $runtime.alloc)", "unknown: leaking, none or custom");
    collector("(func $runtime.alloc) (func $lithify_gc_cycles)", "custom");
    collector("(func $runtime.runGC)", "conservative, or precise with its functions inlined");
    collector("(func $runtime.runGC) (func $runtime.scanWithMask)", "precise");
    collector("(func $GC_malloc)", "boehm");
    with("(func $runtime.markRoots)", &["TinyGo, as it has a function runtime.markRoots"]);
}

#[test]
fn features_and_where_they_are_first_used() {
    let parts = [
        "features beyond mvp: 3",
        "bulk-memory: 2 times, first in function 1, named, at 0x",
        "multi-value: 1 times, first at 0x",
        "sign-extension: 1 times, first in function 2, without a name, at 0x",
    ];
    check(
        r#"(module (memory 1) (func (result i32 i32) (i32.const 0) (i32.const 0))
            (func $named (memory.fill (i32.const 0) (i32.const 0) (i32.const 0))
                         (memory.copy (i32.const 0) (i32.const 0) (i32.const 0)))
            (func (param i32) (result i32) (i32.extend8_s (local.get 0))))"#,
        &parts,
    );
    // Also of a module that the compiler refuses, with the reason.
    check("(module (func (return_call 0)))", &["tail-call: 1 times, first", "not compiled: "]);
    check(
        r#"(module (import "a" "g" (global (mut i32))))"#,
        &["mutable-global: 1 times, first at 0x", "a.g: global (mut i32)"],
    );
}

/// A line for each fact, a column for each module; of lists what differs, and sizes beside each other.
#[test]
fn several_are_shown_beside_each_other() {
    let module = |name: &str, more: &str| {
        let text = format!(
            r#"(module (import "env" "both" (func)) (memory 3) (func $same (export "same")) {more})"#
        );
        support::outcome::wat(name, &text)
    };
    let small = module("beside-small.wasm", r#"(func $grows (nop))"#);
    let more = r#"(func $grows (nop) (nop) (nop)) (func $new (export "new"))"#;
    let large = module("beside-large.wasm", more);
    let inspect = |args: &[&str]| {
        let outcome = support::outcome::lithify(&[&["inspect", &small, &large], args].concat());
        assert_eq!(outcome.status, 0, "{}", outcome.said());
        outcome.stdout
    };
    let text = inspect(&["--functions"]);
    let line = |label: &str| -> Vec<&str> {
        let line = text.lines().find(|line| line.trim_start().starts_with(label));
        line.unwrap_or_else(|| panic!("no {label:?} in\n{text}")).split_whitespace().collect()
    };
    assert_eq!(line("beside-small.wasm"), ["beside-small.wasm", "beside-large.wasm"]);
    assert_eq!(line("memory pages"), ["memory", "pages", "3", "3"]);
    assert_eq!(line("exports"), ["exports", "1", "2"]);
    assert_eq!(line("new"), ["new", "-", "yes"]);
    assert_eq!(line("grows"), ["grows", "3", "5"]);
    assert!(!text.contains("env.both"), "what both import is counted: {text}");
    let short = inspect(&["--functions", "--short"]);
    assert!(!short.contains("grows") && short.contains("functions by size"), "{short}");
    let objects = inspect(&["--json"]);
    let names = objects.lines().map(|line| {
        let object: serde_json::Value = serde_json::from_str(line).unwrap();
        object["input"].as_str().unwrap().to_owned()
    });
    assert_eq!(names.collect::<Vec<_>>(), [&*small, &*large]);
    let refused = support::outcome::lithify(&["inspect", &small, &large, "--calls"]);
    assert_eq!(refused.status, 2, "{}", refused.said());
}
