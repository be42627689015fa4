//! Host functions have room on the stack wherever the guest stands, and the guest's stack ends where
//! it says.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

mod support;

use lithify_runtime::{
    Caller, FuncType, Imports, Instance, InstanceOptions, Pool, Trap, TrapCode, ValType,
};
use std::hint::black_box;

/// `go` goes down so many levels and calls `host` there; `only` goes down.
const WAT: &str = r#"(module
    (import "env" "host" (func $host (param i32) (result i32)))
    (import "env" "closure" (func $closure (param i32) (result i32)))
    (func $down (param i32 i32) (result i32)
        (if (result i32) (local.get 0)
            (then (i32.add (call $down (i32.sub (local.get 0) (i32.const 1)) (local.get 1))
                (i32.const 1)))
            (else (call $host (local.get 1)))))
    (func (export "go") (param i32 i32) (result i32) (call $down (local.get 0) (local.get 1)))
    (func (export "closure") (param i32) (result i32) (call $closure (local.get 0)))
    (func $only (export "only") (param i32) (result i32)
        (if (result i32) (local.get 0)
            (then (i32.add (call $only (i32.sub (local.get 0) (i32.const 1))) (i32.const 1)))
            (else (i32.const 0)))))"#;

/// Uses `kib` KiB of stack; 0 for `kib`, in the end.
fn descend(kib: u32) -> u32 {
    let space = black_box([1_u8; 2048]);
    match kib {
        0..2 => 0,
        _ => descend(black_box(kib - 2)) + u32::from(space[kib as usize % 2048]) - 1,
    }
}

fn instance(stack_size: usize) -> Instance {
    let mut imports = Imports::new();
    imports.typed("env", "host", |_: &mut Caller<'_>, kib: u32| Ok(descend(kib)));
    let ty = FuncType::new(&[ValType::I32], &[ValType::I32]);
    imports.func("env", "closure", ty, |_, slots| {
        slots[0] = descend(slots[0] as u32).into();
        Ok(())
    });
    let image = support::load(WAT, &imports);
    let options = InstanceOptions { stack_size, ..InstanceOptions::default() };
    Pool::new(&image, &options).unwrap().instance().unwrap()
}

fn call(instance: &mut Instance, name: &str, arguments: &[u32]) -> Result<u32, Trap> {
    let func = instance.func(name).expect("an export");
    let mut slots: Vec<u128> = arguments.iter().map(|argument| u128::from(*argument)).collect();
    instance.call(&func, &mut slots, &mut ())?;
    Ok(slots[0] as u32)
}

/// The deepest level at which `name` succeeds, with more arguments `rest`.
fn deepest(instance: &mut Instance, name: &str, rest: &[u32]) -> u32 {
    let (mut good, mut bad) = (0_u32, 1 << 20);
    while bad - good > 1 {
        let middle = good.midpoint(bad);
        let arguments = [&[middle], rest].concat();
        match call(instance, name, &arguments) {
            Ok(level) => {
                assert_eq!(level, middle);
                good = middle;
            }
            Err(trap) => {
                assert_eq!(trap.code, TrapCode::StackOverflow, "{trap}");
                bad = middle;
            }
        }
    }
    good
}

#[test]
fn a_host_function_has_room_at_the_end_of_the_guests_stack() {
    let mut instance = instance(256 << 10);
    let deepest = deepest(&mut instance, "go", &[0]);
    assert!(deepest > 1000, "{deepest} levels");
    for level in [0, deepest / 2, deepest - 1, deepest] {
        for mib in [1, 8, 64] {
            assert_eq!(call(&mut instance, "go", &[level, mib << 10]).unwrap(), level);
        }
    }
    assert_eq!(call(&mut instance, "closure", &[64 << 10]).unwrap(), 0);
}

#[test]
fn a_guests_stack_does_not_grow_with_what_host_functions_use() {
    let mut instance = instance(256 << 10);
    let before = deepest(&mut instance, "only", &[]);
    call(&mut instance, "go", &[1000, 32 << 10]).unwrap();
    assert_eq!(deepest(&mut instance, "only", &[]), before, "after a host function that went deep");
    let mut larger = self::instance(512 << 10);
    let twice = deepest(&mut larger, "only", &[]);
    assert!(twice.abs_diff(2 * before) < 16, "{before} levels in 256 KiB, {twice} in 512 KiB");
}

#[test]
fn a_host_function_that_uses_up_its_room_says_so() {
    const CASE: &str = "LITHIFY_HOST_STACK_CASE";
    if std::env::var_os(CASE).is_some() {
        let _ = call(&mut instance(256 << 10), "go", &[0, 400 << 10]);
        return;
    }
    let name = "a_host_function_that_uses_up_its_room_says_so";
    let output = support::program(&std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(CASE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(said.contains("a host function used up its stack"), "{said}");
}
