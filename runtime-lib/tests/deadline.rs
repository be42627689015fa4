//! A guest is left when its deadline passes, wherever it is, exactly once and never in the middle of
//! a host function; a call that ends in time knows nothing of it.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

mod support;

use lithify_runtime::{
    CallOptions, Caller, FuncType, Imports, Instance, InstanceError, Pool, Trap, TrapCode, ValType,
};
use std::time::{Duration, Instant};
use support::pool;

fn within(time: Duration) -> CallOptions {
    CallOptions::until(Instant::now() + time)
}

fn call(
    instance: &mut Instance,
    name: &str,
    argument: u128,
    options: CallOptions,
) -> Result<u128, Trap> {
    let func = instance.func(name).expect("an export");
    let mut slots = [argument];
    instance.call_with(&func, &mut slots, &mut (), options)?;
    Ok(slots[0])
}

/// Loops of every kind, all with a way out that is not taken.
const LOOPS: &str = r#"(module
    (import "env" "native" (func $native (param i32) (result i32)))
    (import "env" "closure" (func $closure (param i32) (result i32)))
    (memory 1)
    (table 1 funcref)
    (elem (i32.const 0) $step)
    (func $step (param i32) (result i32) (local.get 0))
    (func (export "empty") (param i32) (loop $l (br_if $l (local.get 0))))
    (func (export "memory") (param i32) (loop $l
        (i32.store (i32.and (local.get 0) (i32.const 0xfff0)) (local.get 0))
        (memory.fill (i32.const 0) (i32.const 1) (i32.const 60000))
        (br_if $l (local.get 0))))
    (func (export "calls") (param i32) (loop $l (br_if $l (call $step (local.get 0)))))
    (func (export "indirect") (param i32)
        (loop $l (br_if $l (call_indirect (param i32) (result i32) (local.get 0) (i32.const 0)))))
    (func (export "native") (param i32) (loop $l (br_if $l (call $native (local.get 0)))))
    (func (export "closure") (param i32) (loop $l (br_if $l (call $closure (local.get 0)))))
    (func $down (param i32 i32) (result i32)
        (if (local.get 0) (then
            (return (i32.add (call $down (i32.sub (local.get 0) (i32.const 1)) (local.get 1))
                (i32.const 1)))))
        (loop $l (br_if $l (local.get 1)))
        (i32.const 0))
    (func (export "deep") (param i32) (drop (call $down (i32.const 20000) (local.get 0)))))"#;

fn loops() -> Pool {
    let mut imports = Imports::new();
    imports.typed("env", "native", |_: &mut Caller<'_>, x: u32| Ok(x));
    let ty = FuncType::new(&[ValType::I32], &[ValType::I32]);
    imports.func("env", "closure", ty, |_, _| Ok(()));
    pool(LOOPS, &imports)
}

const NAMES: [&str; 7] = ["empty", "memory", "calls", "indirect", "native", "closure", "deep"];

#[test]
fn every_loop_is_left() {
    let pool = loops();
    for name in NAMES {
        let mut instance = pool.instance().unwrap();
        let trap = call(&mut instance, name, 1, within(Duration::from_millis(20))).unwrap_err();
        assert_eq!(trap.code, TrapCode::Deadline, "{name}");
        assert!(trap.backtrace.iter().all(|frame| frame.func_index >= 2), "{name}: {trap}");
        // The instance can be called again, with a deadline and without.
        call(&mut instance, name, 0, within(Duration::from_secs(3600))).unwrap();
        call(&mut instance, name, 0, CallOptions::default()).unwrap();
    }
}

#[test]
fn a_deadline_that_has_passed_ends_a_loop_at_once() {
    let pool = loops();
    let past = CallOptions::until(Instant::now());
    for name in NAMES {
        let trap = call(&mut pool.instance().unwrap(), name, 1, past).unwrap_err();
        assert_eq!(trap.code, TrapCode::Deadline, "{name}");
    }
}

#[test]
fn a_start_function_is_left() {
    let pool = pool("(module (func $s (loop $l (br $l))) (start $s))", &Imports::new());
    match pool.instance_with(within(Duration::from_millis(20))) {
        Err(InstanceError::Trap(trap)) => assert_eq!(trap.code, TrapCode::Deadline),
        other => panic!("{:?}", other.err()),
    }
}

#[test]
fn a_host_function_ends_before_its_guest_is_left() {
    /// What the host function is lent: when it began and ended how often, and the deadline.
    struct Seen {
        began: u32,
        ended: u32,
        deadline: Instant,
    }
    let mut imports = Imports::new();
    imports.func("env", "slow", FuncType::new(&[], &[]), |caller, _| {
        let seen = caller.data().downcast_mut::<Seen>().expect("what is seen");
        seen.began += 1;
        while Instant::now() < seen.deadline + Duration::from_millis(40) {
            std::hint::spin_loop();
        }
        seen.ended += 1;
        Ok(())
    });
    let wat = r#"(module (import "env" "slow" (func $slow))
        (func (export "call") (loop $l (call $slow) (br $l)))
        (func (export "call_once") (call $slow) (loop $l (br $l))))"#;
    let mut instance = pool(wat, &imports).instance().unwrap();
    for name in ["call", "call_once"] {
        let func = instance.func(name).unwrap();
        // On a busy machine a deadline may pass before there is a host call.
        let mut time = Duration::from_millis(20);
        loop {
            let deadline = Instant::now() + time;
            let mut seen = Seen { began: 0, ended: 0, deadline };
            let options = CallOptions::until(deadline);
            let trap = instance.call_with(&func, &mut [], &mut seen, options).unwrap_err();
            assert_eq!(trap.code, TrapCode::Deadline);
            assert!(
                seen.began == seen.ended && seen.began <= 1,
                "{} of {}",
                seen.ended,
                seen.began
            );
            if seen.began == 1 {
                break;
            }
            time *= 2;
        }
    }
}

#[test]
fn calls_within_calls_end_with_the_outermost() {
    let mut imports = Imports::new();
    // Goes into the guest again, and takes no notice of what became of it.
    imports.func("env", "again", FuncType::new(&[], &[]), |caller, _| {
        let func = caller.func("inner").expect("an export");
        let trap = caller.call(&func, &mut []).expect_err("an endless loop");
        assert_eq!(trap.code, TrapCode::Deadline);
        Ok(())
    });
    let wat = r#"(module (import "env" "again" (func $again))
        (func (export "inner") (loop $l (br $l)))
        (func (export "outer") (loop $l (call $again) (br $l)))
        (func (export "once") (call $again)))"#;
    let pool = pool(wat, &imports);
    // One would return before another signal comes.
    for (name, rounds) in [("outer", 1), ("once", 20)] {
        for _ in 0..rounds {
            let mut instance = pool.instance().unwrap();
            let func = instance.func(name).unwrap();
            let options = within(Duration::from_millis(20));
            let trap = instance.call_with(&func, &mut [], &mut (), options).unwrap_err();
            assert_eq!(trap.code, TrapCode::Deadline, "{name}");
        }
    }
}

#[test]
fn an_inner_deadline_leaves_the_outer_call_alone() {
    let inner_pool = loops();
    let mut imports = Imports::new();
    imports.func("env", "other", FuncType::new(&[], &[]), move |_, _| {
        let mut inner = inner_pool.instance().expect("an instance");
        let trap = call(&mut inner, "empty", 1, within(Duration::from_millis(10)));
        assert_eq!(trap.expect_err("an endless loop").code, TrapCode::Deadline);
        // The later one of the call around it, not a later one of its own, decides.
        let trap = call(&mut inner, "empty", 1, within(Duration::from_secs(3600)));
        assert_eq!(trap.expect_err("an endless loop").code, TrapCode::Deadline);
        Ok(())
    });
    let wat = r#"(module (import "env" "other" (func $other))
        (func (export "run") (call $other) (loop $l (br $l))))"#;
    let mut instance = pool(wat, &imports).instance().unwrap();
    let func = instance.func("run").unwrap();
    let started = Instant::now();
    let options = within(Duration::from_millis(100));
    let trap = instance.call_with(&func, &mut [], &mut (), options).unwrap_err();
    assert_eq!(trap.code, TrapCode::Deadline);
    assert!(started.elapsed() >= Duration::from_millis(100));
}

#[test]
fn threads_have_deadlines_of_their_own() {
    let pool = loops();
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let pool = &pool;
            scope.spawn(move || {
                for round in 0..8 {
                    let name = NAMES[(thread as usize + round) % NAMES.len()];
                    let time = Duration::from_millis(2 + thread * 3);
                    let started = Instant::now();
                    let mut instance = pool.instance().unwrap();
                    let trap = call(&mut instance, name, 1, within(time)).unwrap_err();
                    assert_eq!(trap.code, TrapCode::Deadline, "{name}");
                    assert!(started.elapsed() >= time, "{name} ends no earlier");
                    call(&mut instance, name, 0, CallOptions::default()).unwrap();
                }
            });
        }
        // One without is not disturbed by the others.
        scope.spawn(|| {
            for _ in 0..1000 {
                call(&mut pool.instance().unwrap(), "calls", 0, CallOptions::default()).unwrap();
            }
        });
    });
}

/// How many calls end at the moment of their deadline: `LITHIFY_DEADLINE_ROUNDS`, or a few.
fn rounds() -> u64 {
    let rounds = std::env::var("LITHIFY_DEADLINE_ROUNDS");
    rounds.ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(5_000)
}

#[test]
fn calls_that_end_with_their_deadline_end_in_one_way() {
    let mut imports = Imports::new();
    imports.typed("env", "step", |caller: &mut Caller<'_>, x: u32| {
        *caller.data().downcast_mut::<u32>().expect("a count") += 1;
        Ok(x - 1)
    });
    // The result tells whether every round was made.
    let wat = r#"(module (import "env" "step" (func $step (param i32) (result i32)))
        (func (export "plain") (param i32) (result i32) (local $n i32)
            (loop $l
                (local.set $n (i32.add (local.get $n) (i32.const 1)))
                (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
            (local.get $n))
        (func (export "host") (param i32) (result i32) (local $n i32)
            (loop $l
                (local.set $n (i32.add (local.get $n) (i32.const 1)))
                (br_if $l (local.tee 0 (call $step (local.get 0)))))
            (local.get $n)))"#;
    let pool = pool(wat, &imports);
    let mut instance = pool.instance().unwrap();
    for name in ["plain", "host"] {
        let func = instance.func(name).unwrap();
        let mut timed = |n: u32, options: CallOptions| {
            let (mut slots, mut count) = ([u128::from(n)], 0_u32);
            let result = instance.call_with(&func, &mut slots, &mut count, options);
            (result.map(|()| slots[0] as u32), count)
        };
        // Half of the calls are to be left: as long a call as it takes to wake the watching thread.
        let (mut n, mut left) = (20_000, 0_u64);
        for round in 0..rounds() {
            let (result, count) = timed(n, within(Duration::from_micros(20)));
            match &result {
                Ok(made) => assert_eq!(*made, n, "{name}, round {round}"),
                Err(trap) => assert_eq!(trap.code, TrapCode::Deadline, "{name}: {trap}"),
            }
            if name == "host" {
                assert!(if result.is_ok() { count == n } else { count <= n }, "{count} of {n}");
            }
            left += u64::from(result.is_err());
            n = if result.is_ok() { n + n / 64 + 1 } else { n - n / 64 };
            // And a call without one is like any other, whatever signal is still on its way.
            if round % 64 == 0 {
                assert_eq!(timed(n, CallOptions::default()).0, Ok(n), "{name}, round {round}");
            }
        }
        println!("{name}: {left} of {} calls left, at {n} rounds", rounds());
    }
}
