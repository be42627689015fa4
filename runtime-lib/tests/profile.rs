//! Counters count what ran, and a profile of them decides what lies where.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use lithify_compiler::{Heat, Options, Profile, Target, compile_image, counter, counting};
use lithify_runtime::{
    Image, Imports, Instance, InstanceOptions, Metadata, Pool, Trust, ValType, Value,
};
use std::sync::Arc;

const WAT: &str = r#"(module
    (import "env" "global" (global $g i32))
    (global $own (mut i32) (i32.const 7))
    (func $never (result i32) (i32.sub (i32.const 3) (global.get $g)))
    (func $twice (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
    (func (export "run") (param $n i32) (result i32)
        (local $i i32) (local $sum i32)
        (loop $again
            (local.set $sum (i32.add (local.get $sum) (call $twice (local.get $i))))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $i) (local.get $n))))
        (if (i32.eq (local.get $n) (i32.const 5)) (then (local.set $sum (call $never))))
        (i32.add (local.get $sum) (global.get $own))))"#;

fn options() -> Options {
    Options { target: Target::host(), profile: Some(Profile::General), ..Options::default() }
}

fn instance(image: &[u8]) -> Instance {
    let mut imports = Imports::new();
    imports.global("env", "global", ValType::I32, false, 1);
    let image = Image::from_bytes(image, &imports, Trust::Verify).unwrap();
    Pool::new(&image, &InstanceOptions::default()).unwrap().instance().unwrap()
}

fn run(instance: &mut Instance, n: u128) -> u128 {
    let func = instance.func("run").unwrap();
    let mut slots = [n];
    instance.call(&func, &mut slots, &mut ()).unwrap();
    slots[0] & 0xffff_ffff
}

#[test]
fn entries_and_rounds_are_counted() {
    let wasm = wat::parse_str(WAT).unwrap();
    let image = compile_image(&counting(&wasm, &options()).unwrap(), &options()).unwrap();
    let mut counting = instance(&image);
    assert_eq!(run(&mut counting, 10), 97);
    let counts = [0, 1, 2].map(|index| match counting.global_get(&counter(index)) {
        Some(Value::I64(count)) => count as u64,
        other => panic!("{other:?}"),
    });
    assert_eq!(counts, [0, 10, 1 + 10]);

    let heat = Heat::new(&wasm, &options(), |index| counts[index as usize]).unwrap();
    let heat = Some(Arc::new(heat));
    let image = compile_image(&wasm, &Options { heat, ..options() }).unwrap();
    let metadata = Metadata::parse(&image, Trust::Verify).unwrap();
    let order: Vec<u32> = metadata.functions.iter().map(|function| function.index).collect();
    assert_eq!(order, [1, 2, 0], "what ran comes first");
    assert!(metadata.options.contains(" heat="), "{}", metadata.options);
    let plain = compile_image(&wasm, &options()).unwrap();
    for n in [0, 5, 10] {
        assert_eq!(run(&mut instance(&image), n), run(&mut instance(&plain), n));
    }
}

#[test]
fn modules_without_sections_for_counters_get_them() {
    for text in [
        "(module)",
        "(module (func))",
        r#"(module (func $f (export "f")) (start $f))"#,
        r#"(module (memory 1) (data (i32.const 0) "x") (func (drop (i32.const 1))) (@custom "c" "y"))"#,
    ] {
        let wasm = counting(&wat::parse_str(text).unwrap(), &options()).unwrap();
        let image = compile_image(&wasm, &options()).unwrap();
        let image = Image::from_bytes(&image, &Imports::new(), Trust::Verify).unwrap();
        Pool::new(&image, &InstanceOptions::default()).unwrap().instance().unwrap();
    }
    let taken = r#"(module (global (export "lithify count 0") i32 (i32.const 0)))"#;
    let error = counting(&wat::parse_str(taken).unwrap(), &options()).unwrap_err();
    assert!(error.to_string().contains("is called like a counter"), "{error}");
    assert!(counting(b"\0asm", &options()).is_err());
}
