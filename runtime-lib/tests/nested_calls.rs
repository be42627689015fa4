//! Host functions that call back into their guest: what they borrow, and what they own.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

mod support;

use lithify_runtime::{Caller, FuncType, Guest, HostError, Imports, TrapCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use support::pool;

fn nothing() -> FuncType {
    FuncType::new(&[], &[])
}

#[test]
fn data_and_memory_are_borrowed_again_after_a_nested_call() {
    let mut imports = Imports::new();
    imports.func("env", "outer", nothing(), |caller, _| {
        let (guest, data) = caller.guest_and_data::<Vec<u64>>();
        data.unwrap().push(guest.memory()[0].into());
        let inner = caller.func("inner").unwrap();
        caller.call(&inner, &mut [])?;
        let (guest, data) = caller.guest_and_data::<Vec<u64>>();
        assert_eq!((data.unwrap().as_slice(), guest.memory()[0]), (&[5, 7, 0][..], 9));
        Ok(())
    });
    imports.func("env", "replace", nothing(), |caller: &mut Caller<'_>, _| {
        let (memory, data) = caller.memory_and_data();
        *data.downcast_mut::<Vec<u64>>().unwrap() = vec![5, 7, memory[0].into()];
        Ok(())
    });
    let wat = r#"(module (import "env" "outer" (func $outer)) (import "env" "replace" (func $replace))
        (memory 1)
        (func (export "inner") (call $replace) (i32.store8 (i32.const 0) (i32.const 9)))
        (func (export "go") (call $outer)))"#;
    let mut instance = pool(wat, &imports).instance().unwrap();
    let go = instance.func("go").unwrap();
    let mut data: Vec<u64> = vec![0; 100];
    instance.call(&go, &mut [], &mut data).unwrap();
    assert_eq!(data, [5, 7, 0]);
}

/// Counts how often it is dropped.
struct Owned(Arc<AtomicU32>);

impl Drop for Owned {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A trap skips the guest's frames, and no frame of a host function that has a value to drop.
#[test]
fn what_a_host_function_owns_is_dropped_when_its_guest_traps() {
    let cases = [
        ("unreachable", TrapCode::Unreachable),
        ("outside", TrapCode::MemoryOutOfBounds),
        ("recursion", TrapCode::StackOverflow),
        ("refused", TrapCode::Host),
        ("panics", TrapCode::Host),
    ];
    let dropped = Arc::new(AtomicU32::new(0));
    let mut imports = Imports::new();
    for (name, code) in cases {
        let counter = Arc::clone(&dropped);
        imports.func("env", name, nothing(), move |caller, _| {
            let owned = [Owned(Arc::clone(&counter)), Owned(Arc::clone(&counter))];
            let inner = caller.func(name).unwrap();
            let trap = caller.call(&inner, &mut []).unwrap_err();
            assert_eq!(trap.code, code, "{trap}");
            if counter.load(Ordering::Relaxed).is_multiple_of(4) {
                panic!("with {} values", owned.len());
            }
            Err(trap.into())
        });
    }
    imports.func("env", "refuse", nothing(), |_, _| Err(HostError("refused".into())));
    imports.func("env", "panic", nothing(), |_, _| panic!("inside"));
    let wat = r#"(module
        (import "env" "unreachable" (func $unreachable)) (import "env" "outside" (func $outside))
        (import "env" "recursion" (func $recursion)) (import "env" "refused" (func $refused))
        (import "env" "panics" (func $panics))
        (import "env" "refuse" (func $refuse)) (import "env" "panic" (func $panic))
        (memory 1)
        (func (export "unreachable") (unreachable))
        (func (export "outside") (i32.store (i32.const -1) (i32.const 0)))
        (func $deep (export "recursion") (call $deep) (i32.store (i32.const 0) (i32.const 0)))
        (func (export "refused") (call $refuse))
        (func (export "panics") (call $panic))
        (func (export "go") (param i32)
            (if (i32.eq (local.get 0) (i32.const 0)) (then (call $unreachable)))
            (if (i32.eq (local.get 0) (i32.const 1)) (then (call $outside)))
            (if (i32.eq (local.get 0) (i32.const 2)) (then (call $recursion)))
            (if (i32.eq (local.get 0) (i32.const 3)) (then (call $refused)))
            (if (i32.eq (local.get 0) (i32.const 4)) (then (call $panics)))))"#;
    let mut instance = pool(wat, &imports).instance().unwrap();
    let go = instance.func("go").unwrap();
    for round in 0..3 {
        for case in 0..5 {
            let trap = instance.call(&go, &mut [case], &mut ()).unwrap_err();
            assert_eq!(trap.code, TrapCode::Host, "{trap}");
            let calls = round * 5 + case as u32 + 1;
            assert_eq!(dropped.load(Ordering::Relaxed), 2 * calls, "case {case}");
        }
    }
}
