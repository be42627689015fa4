//! Modules that own their memory and have an initialiser, as Go builds them: on every engine the
//! host's heap and the guest's own growth keep out of each other's way, and time and chance are
//! the same in every call.

mod support;

use lithify_bench::Workload;
use lithify_bench::engine::KINDS;
use lithify_bench::workload::Call;
use lithify_runtime::polkadot::call::{REACTOR_GUEST_PAGES, REACTOR_HEAP_PAGES};
use lithify_runtime::polkadot::{Input, State};

/// Two initial pages. The initialiser takes one more; what it gets is the first behind the host's
/// heap, which leaves room behind the initial pages for a guest that does not look what it got.
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

fn workload(calls: Vec<Call>) -> Workload {
    let wasm = wat::parse_str(GUEST).expect("the test's text");
    let Ok(Input::Runtime(runtime)) = Input::read(wasm, "reactor") else { panic!("a module") };
    Workload::with_calls("reactor", &runtime, State::empty(), calls).expect("a workload")
}

fn call(entry: &str, output: &[u8]) -> Call {
    Call { output: Some(sp_crypto_hashing::blake2_256(output)), ..Call::new(entry, vec![1; 10]) }
}

#[test]
fn every_engine_serves_a_reactor() {
    let pages = REACTOR_GUEST_PAGES + REACTOR_HEAP_PAGES;
    let words = |words: &[u32]| words.iter().flat_map(|w| w.to_le_bytes()).collect::<Vec<u8>>();
    // The input of 10 bytes takes a block of 16, each with a header of 8.
    let first = (2 + REACTOR_GUEST_PAGES) * 65536 + 8;
    let places = words(&[2 + pages, first, 3 + pages, 0, first + 16 + 8]);
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
