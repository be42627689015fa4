//! A reactor's initialiser runs once where that makes no difference to anybody, else in each call.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use lithify_compiler::{Options, Target, compile_image};
use lithify_polkadot::native::{Runtime, RuntimeOptions};
use lithify_polkadot::{CallContext, Change, Observe, State};
use lithify_runtime::TrapCode;
use std::time::Duration;

/// A module whose initialiser is `body`, with an entry point that tells all that is left of it: memory's
/// size, what was stored at 0, the clock, chance, and where the host puts a block.
fn runtime(body: &str, options: &RuntimeOptions) -> Runtime {
    let text = format!(
        r#"(module
        (import "wasi_snapshot_preview1" "clock_time_get"
            (func $clock (param i32 i64 i32) (result i32)))
        (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_write"
            (func $write (param i32 i32 i32 i32) (result i32)))
        (import "env" "ext_allocator_malloc_version_1" (func $malloc (param i32) (result i32)))
        (import "env" "ext_allocator_free_version_1" (func $free (param i32)))
        (import "env" "ext_storage_append_version_1" (func $append (param i64 i64)))
        (memory (export "memory") 2)
        (data (i32.const 1024) "key\04x")
        (global $passes (mut i32) (i32.const 0))
        (func (export "_initialize") {body}
            (global.set $passes (i32.add (global.get $passes) (i32.const 1))))
        (func (export "tell") (param i32 i32) (result i64)
            (i32.store (i32.const 4) (memory.size))
            (i32.store (i32.const 8) (global.get $passes))
            (global.set $passes (i32.const 100))
            (drop (call $clock (i32.const 0) (i64.const 1) (i32.const 16)))
            (drop (call $random (i32.const 24) (i32.const 8)))
            (i32.store (i32.const 32) (call $malloc (i32.const 100)))
            (i32.store (i32.const 36) (local.get 0))
            (drop (memory.grow (i32.const 1)))
            (i64.const 0x28_0000_0000)))"#
    );
    let wasm = wat::parse_str(text).unwrap();
    let options_of_image = Options { target: Target::host(), ..Options::default() };
    let image = compile_image(&wasm, &options_of_image);
    Runtime::from_bytes(&image.unwrap(), options).unwrap()
}

type Outcome = Result<(Vec<u8>, Vec<Change>), String>;

fn outcome(runtime: &Runtime, observe: Observe) -> Outcome {
    let state = State::empty();
    let mut session = state.session();
    let mut context = CallContext::new();
    context.observe(observe);
    let output = session.execute(|| runtime.call("tell", b"input", &mut context));
    output.map(|output| (output, session.changes())).map_err(|error| error.to_string())
}

/// Whether a call runs the initialiser.
fn initializes(runtime: &Runtime) -> bool {
    let state = State::empty();
    let mut context = CallContext::new();
    let _ = state.session().execute(|| runtime.call("tell", b"input", &mut context));
    context.instruments().initialize_ns() > 0
}

/// Whoever watches host calls has the initialiser run in each call: it is the measure.
fn same_as_watched(body: &str, kept: bool) -> Outcome {
    let runtime = runtime(body, &RuntimeOptions::default());
    let expected = outcome(&runtime, Observe::Time);
    for _ in 0..5 {
        assert_eq!(outcome(&runtime, Observe::Off), expected, "{body}");
        assert_eq!(outcome(&runtime, Observe::Time), expected, "{body}");
        assert_eq!(initializes(&runtime), !kept, "{body}");
    }
    expected
}

#[test]
fn what_the_initialiser_leaves_behind_is_there_in_each_call() {
    let (output, changes) = same_as_watched(
        r#"(local $block i32)
        (i32.store (i32.const 0) (memory.grow (i32.const 3)))
        (i32.store (i32.const 0x40000) (i32.const 1))
        (drop (call $clock (i32.const 0) (i64.const 1) (i32.const 64)))
        (drop (call $random (i32.const 72) (i32.const 24)))
        (drop (call $malloc (i32.const 500)))
        (local.set $block (call $malloc (i32.const 100)))
        (drop (call $malloc (i32.const 9)))
        (call $free (local.get $block))"#,
        true,
    )
    .unwrap();
    let word = |at: usize| u32::from_le_bytes(output[at..at + 4].try_into().unwrap());
    assert_eq!((word(0), word(4), word(8), changes), (2, 5, 1, Vec::new()));
    // The second reading of the clock.
    assert_eq!(output[16..24], (1_735_689_600_000_000_000u64 + 2000).to_le_bytes());
}

#[test]
fn what_changes_the_chain_happens_in_each_call() {
    let append = "(call $append (i64.const 0x3_0000_0400) (i64.const 0x2_0000_0403))";
    let (_, changes) = same_as_watched(append, false).unwrap();
    assert_eq!(changes.len(), 1);
}

#[test]
fn what_is_written_is_written_in_each_call() {
    let log = "(drop (call $write (i32.const 1) (i32.const 512) (i32.const 1) (i32.const 520)))";
    same_as_watched(log, false).unwrap();
}

#[test]
fn an_initialiser_that_traps_does_so_in_each_call() {
    let error = same_as_watched("unreachable", false).unwrap_err();
    assert!(error.contains("unreachable"), "{error}");
}

#[test]
fn an_initialiser_that_takes_too_long_is_stopped_in_each_call() {
    let call_timeout = Some(Duration::from_millis(20));
    let options = RuntimeOptions { call_timeout, ..RuntimeOptions::default() };
    let runtime = runtime("(loop $again (br $again))", &options);
    for _ in 0..3 {
        let error = outcome(&runtime, Observe::Off).unwrap_err();
        assert!(error.contains(&TrapCode::Deadline.to_string()), "{error}");
    }
}

/// A replayed call is one behind the initialiser, if that was kept.
#[test]
fn replayed_calls_begin_behind_the_initialiser() {
    let clock = "(drop (call $clock (i32.const 0) (i64.const 1) (i32.const 64)))";
    let runtime = runtime(clock, &RuntimeOptions::default());
    let expected = outcome(&runtime, Observe::Off).unwrap().0;
    let state = State::empty();
    let mut context = CallContext::new();
    for observe in [Observe::Record, Observe::Replay, Observe::Replay] {
        context.observe(observe);
        let output = state.session().execute(|| runtime.call("tell", b"input", &mut context));
        assert_eq!(output.unwrap(), expected);
    }
}
