//! Modules that own their memory and have an initialiser, as Go builds them: on every engine the
//! host's heap and the guest's own growth keep out of each other's way, and time and chance are
//! the same in every call.

mod support;

use lithify_bench::Workload;
use lithify_bench::engine::KINDS;
use lithify_bench::workload::Call;
use lithify_polkadot::call::REACTOR_GUEST_PAGES;
use lithify_polkadot::{Input, State};

/// Two initial pages. The initialiser takes one more, and gets the one behind them, as a guest expects
/// that is alone in its memory.
/// The entry points run with a memory that the initialiser has changed.
const GUEST: &str = r#"(module
    (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
    (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (import "env" "ext_allocator_malloc_version_1" (func $malloc (param i32) (result i32)))
    (memory (export "memory") 2)
    (func (export "_initialize")
      (i32.store (i32.const 0) (memory.grow (i32.const 1)))
      (drop (call $clock (i32.const 1) (i64.const 1) (i32.const 8))))
    (func $out (param i32 i32) (result i64)
      (i64.or (i64.extend_i32_u (local.get 0))
              (i64.shl (i64.extend_i32_u (local.get 1)) (i64.const 32))))
    (func (export "places") (param i32 i32) (result i64)
      (i32.store (i32.const 4) (local.get 0))
      ;; The guest's growth goes on where it was, and its pages are empty.
      (i32.store (i32.const 8) (memory.grow (i32.const 2)))
      (i32.store (i32.const 12) (i32.load (i32.mul (i32.load (i32.const 8)) (i32.const 65536))))
      (i32.store (i32.const 16) (call $malloc (i32.const 1000)))
      (call $out (i32.const 0) (i32.const 20)))
    (func (export "system") (param i32 i32) (result i64)
      (drop (call $random (i32.const 16) (i32.const 12)))
      ;; A clock, relative, for a second.
      (i64.store (i32.const 112) (i64.const 0))
      (i64.store (i32.const 124) (i64.const 1000000000))
      (i64.store (i32.const 100) (i64.const 7))
      (i32.store (i32.const 32) (call $poll (i32.const 100) (i32.const 200) (i32.const 1) (i32.const 28)))
      (drop (call $clock (i32.const 0) (i64.const 1) (i32.const 36)))
      (i32.store (i32.const 300) (i32.const 8))
      (i32.store (i32.const 304) (i32.const 5))
      (drop (call $write (i32.const 1) (i32.const 300) (i32.const 1) (i32.const 44)))
      (i32.store (i32.const 48) (call $write (i32.const 3) (i32.const 300) (i32.const 1) (i32.const 44)))
      (i32.store (i32.const 52) (i32.load (i32.const 200)))
      (call $out (i32.const 8) (i32.const 48)))
    ;; How many pages there are before growing fails.
    (func (export "greedy") (param i32 i32) (result i64)
      (loop $again
        (i32.store (i32.const 4) (i32.add (i32.load (i32.const 4)) (i32.const 1)))
        (br_if $again (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
      (call $out (i32.const 4) (i32.const 4)))
    (func (export "too_much") (param i32 i32) (result i64)
      (drop (call $malloc (i32.const 16777216))) (i64.const 0))
    (func (export "exits") (param i32 i32) (result i64)
      (call $exit (i32.const 3)) (i64.const 0)))"#;

/// A collector that goes by `memory.size`, at the start and after it has grown: all behind its first
/// page is its own, up to there. What it has written there must stay, and what the host has in the same
/// memory must, too.
const BELIEVER: &str = r#"(module
    (import "env" "ext_storage_get_version_1" (func $get (param i64) (result i64)))
    (memory (export "memory") 2)
    (func $end (result i32) (i32.shl (memory.size) (i32.const 16)))
    (func $fill (local $at i32)
      (local.set $at (i32.const 65536))
      (loop $next
        (i64.store (local.get $at) (i64.const 0x5a5a5a5a5a5a5a5a))
        (local.set $at (i32.add (local.get $at) (i32.const 8)))
        (br_if $next (i32.lt_u (local.get $at) (call $end)))))
    (func $intact (result i32) (local $at i32)
      (local.set $at (i32.const 65536))
      (loop $next
        (if (i64.ne (i64.load (local.get $at)) (i64.const 0x5a5a5a5a5a5a5a5a))
          (then (return (i32.const 0))))
        (local.set $at (i32.add (local.get $at) (i32.const 8)))
        (br_if $next (i32.lt_u (local.get $at) (call $end))))
      (i32.const 1))
    (func (export "_initialize") (call $fill))
    (func (export "believes") (param $input i32) (param i32) (result i64)
      (drop (call $get (i64.const 0x3_0000_0400)))
      (i32.store (i32.const 0) (call $intact))
      (drop (memory.grow (memory.size)))
      (call $fill)
      (i32.store (i32.const 4) (i32.load8_u (local.get $input)))
      (drop (call $get (i64.const 0x3_0000_0400)))
      (i32.store (i32.const 8) (call $intact))
      (i32.store (i32.const 12) (memory.size))
      (i64.const 0x10_0000_0000)))"#;

/// A module that is a runtime but for an initialiser, which no node would call.
const UNREADY: &str = r#"(module
    (memory (export "memory") 2)
    (global (export "__heap_base") i32 (i32.const 65536))
    (global $ready (mut i32) (i32.const 0))
    (func (export "_start") (global.set $ready (i32.const 7)))
    (func (export "ready") (param i32 i32) (result i64)
      (if (i32.eqz (global.get $ready)) (then unreachable))
      (i32.store (i32.const 0) (global.get $ready))
      (i64.const 0x4_0000_0000)))"#;

/// What TinyGo makes of `reactor/main.go`.
const TINYGO: &[u8] = include_bytes!("reactor/tinygo.wasm");

fn workload(calls: Vec<Call>) -> Workload {
    of(GUEST, calls)
}

fn of(text: &str, calls: Vec<Call>) -> Workload {
    of_wasm(wat::parse_str(text).expect("the test's text"), calls)
}

fn of_wasm(wasm: Vec<u8>, calls: Vec<Call>) -> Workload {
    let Ok(Input::Runtime(runtime)) = Input::read(wasm, "reactor") else { panic!("a module") };
    Workload::with_calls("reactor", &runtime, State::empty(), calls).expect("a workload")
}

fn call(entry: &str, output: &[u8]) -> Call {
    Call { output: Some(sp_crypto_hashing::blake2_256(output)), ..Call::new(entry, vec![1; 10]) }
}

#[test]
fn every_engine_serves_a_reactor() {
    let words = |words: &[u32]| words.iter().flat_map(|w| w.to_le_bytes()).collect::<Vec<u8>>();
    // The input of 10 bytes takes a block of 16, each with a header of 8.
    let first = (2 + REACTOR_GUEST_PAGES) * 65536 + 8;
    let places = words(&[2, first, 3, 0, first + 16 + 8]);
    let begin = 1_735_689_600_000_000_000u64;
    let mut system = (begin + 1000).to_le_bytes().to_vec();
    system.extend(0xe220_a839_7b1d_cdafu64.to_le_bytes());
    // The second word of SplitMix64 from 0, cut off.
    system.extend(&0x6e78_9e6a_a1b9_65f4u64.to_le_bytes()[..4]);
    system.extend(words(&[1, 0]));
    system.extend((begin + 1_000_002_000).to_le_bytes());
    system.extend(words(&[5, 8, 7]));
    let settings: Vec<&str> = KINDS.iter().map(|kind| kind.setting).collect();
    // The guest's share, of which the initialiser took one page, and the attempt that failed.
    let greedy = words(&[REACTOR_GUEST_PAGES - 1 + 1]);
    let calls = vec![call("places", &places), call("system", &system), call("greedy", &greedy)];
    support::agree(&[workload(calls)], &settings);
}

#[test]
fn every_engine_keeps_the_heap_from_a_guest_that_goes_by_the_size() {
    let settings: Vec<&str> = KINDS.iter().map(|kind| kind.setting).collect();
    let output: Vec<u8> = [1u32, 1, 1, 4].iter().flat_map(|word| word.to_le_bytes()).collect();
    support::agree(&[of(BELIEVER, vec![call("believes", &output)])], &settings);
}

/// A megabyte of list and twice as much garbage between results of the host: nothing is changed in
/// either.
#[test]
fn every_engine_serves_a_reactor_of_tinygo() {
    let settings: Vec<&str> = KINDS.iter().map(|kind| kind.setting).collect();
    // Bytes changed, elements of the list, and the sum of all bytes of the hashes.
    let output: Vec<u8> =
        [0u32, 1024, 0x3e834].iter().flat_map(|word| word.to_le_bytes()).collect();
    let mut probe = call("probe", &output);
    probe.input = vec![0x5a, 16];
    support::agree(&[of_wasm(TINYGO.to_vec(), vec![probe])], &settings);
}

#[test]
fn every_engine_initialises_a_module_that_asks_for_it() {
    let settings: Vec<&str> = KINDS.iter().map(|kind| kind.setting).collect();
    let mut workload = of(UNREADY, vec![call("ready", &7u32.to_le_bytes())]);
    workload.initialize = Some("_start".into());
    support::agree(&[workload], &settings);
}

/// The host's heap does not grow into the guest's, and the guest may end itself.
#[test]
fn what_a_reactor_cannot_have() {
    for (entry, message) in [
        ("too_much", "cannot allocate 16777216 bytes: the heap is full"),
        ("exits", "the guest ended itself with exit code 3"),
    ] {
        for kind in KINDS {
            let mut options = support::options();
            options.engines = vec![kind.id()];
            let run = lithify_bench::runner::agree(
                &[workload(vec![Call::new(entry, Vec::new())])],
                &options,
                &mut (),
            );
            let absent = match run {
                Ok(run) => run.absent[0].reason.clone(),
                Err(error) => format!("{error:#}"),
            };
            assert!(
                absent.contains(message) || absent.contains("PAGEMAP_SCAN"),
                "{entry} on {}: {absent}",
                kind.id()
            );
        }
    }
}
