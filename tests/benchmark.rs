//! `run RUNTIME Benchmark_…`: a runtime built for benchmarks loads, and measures on a database of its own.

mod support;

use std::fs;
use support::{
    outcome::{lithify, succeeds},
    scratch,
};

/// Reads a key twice, writes it, commits, and returns what was counted: 4 numbers of 4 bytes.
const RUNTIME: &str = r#"(module
  (import "env" "memory" (memory 1))
  (import "env" "ext_storage_get_version_1" (func $get (param i64) (result i64)))
  (import "env" "ext_storage_set_version_1" (func $set (param i64 i64)))
  (import "env" "ext_benchmarking_current_time_version_1" (func $time (result i32)))
  (import "env" "ext_benchmarking_commit_db_version_1" (func $commit))
  (import "env" "ext_benchmarking_wipe_db_version_1" (func $wipe))
  (import "env" "ext_benchmarking_read_write_count_version_1" (func $count (result i64)))
  (global (export "__heap_base") i32 (i32.const 4096))
  (data (i32.const 16) "key")
  (data (i32.const 64) "\04t\04t")
  (func (export "Core_version") (param i32 i32) (result i64) (i64.const 0x1100000040))
  (func (export "Benchmark_dispatch_benchmark") (param i32 i32) (result i64)
    (local $before i64) (local $count i64)
    (local.set $before (i64.load (call $time)))
    (drop (call $get (i64.const 0x300000010)))
    (drop (call $get (i64.const 0x300000010)))
    (call $set (i64.const 0x300000010) (i64.const 0x300000010))
    (call $commit)
    (local.set $count (call $count))
    (call $wipe)
    ;; Time goes on, and not backwards.
    (if (i64.gt_u (local.get $before) (i64.load (call $time))) (then unreachable))
    ;; The reset took the counts with it.
    (if (i64.ne (i64.load (i32.wrap_i64 (call $count))) (i64.const 0)) (then unreachable))
    (local.get $count))
  (func (export "Elsewhere") (param i32 i32) (result i64) (call $wipe) (i64.const 0)))"#;

#[test]
fn a_benchmark_counts_what_it_reads_and_writes() {
    let path = scratch("benchmark.wasm");
    fs::write(&path, wat::parse_str(RUNTIME).unwrap()).unwrap();
    let path = path.to_str().unwrap();
    let said = succeeds(&["run", path, "Benchmark_dispatch_benchmark"], &[]).stdout;
    assert_eq!(said.trim(), "0x01000000010000000100000000000000");
    // One that imports them loads for all else, too.
    assert!(succeeds(&["run", path, "Core_version"], &[]).stdout.starts_with("0x0474"));
    let refused = lithify(&["run", path, "Elsewhere"]);
    assert_eq!(refused.status, 134, "{}", refused.stderr);
    let why = "there are no counters outside of a benchmark, an entry point Benchmark_…";
    assert!(refused.stderr.contains(why), "{}", refused.stderr);
    let refused = lithify(&["run", path, "Benchmark_dispatch_benchmark", "--profile"]);
    assert_eq!(refused.status, 2, "{}", refused.stderr);
}

#[test]
fn an_ordinary_node_is_said_not_to_have_them() {
    let path = scratch("checked-benchmark.wasm");
    fs::write(&path, wat::parse_str(RUNTIME).unwrap()).unwrap();
    let said = lithify(&["check", path.to_str().unwrap()]);
    assert_eq!(said.status, 1);
    assert!(said.stdout.contains("only a host that benchmarks has it"), "{}", said.stdout);
}
