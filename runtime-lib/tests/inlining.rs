//! A trap says the same of where the guest was, whether functions were inlined or not, at every tier and
//! in any order.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

mod support;

use lithify_compiler::{Heat, Inline, Options, Profile, Target, Tier, compile_image};
use lithify_runtime::{
    FuncType, HostError, Image, Imports, Instance, InstanceOptions, Metadata, Pool, Trap, TrapCode,
    Trust,
};
use std::{collections::BTreeSet, sync::Arc};

/// `run(way, argument)` goes through functions that are called in one place, and leaves in a loop.
const WAT: &str = r#"(module
    (import "env" "stop" (func $stop (param i32)))
    (memory 1)
    (table funcref (elem $outer $leaf))
    (type $other (func (param i64)))
    (global $sum (mut i32) (i32.const 0))

    (func $leaf (param i32) (result i32)
        (i32.load offset=4 (local.get 0)))
    (func $divide (param i32) (result i32)
        (i32.div_u (i32.const 100) (local.get 0)))
    (func $forbid (param i32)
        (if (local.get 0) (then unreachable)))
    (func $forbid_zero (param i32)
        (block $no (br_if $no (local.get 0)) unreachable))
    (func $add_one (param i32) (result i32)
        (i32.add (local.get 0) (i32.const 1)))
    (func $add (param i32 i32) (result i32)
        (i32.xor (local.get 0) (local.get 1)))
    (func $two (param i32) (result i32 i64)
        (i32.add (call $divide (local.get 0)) (i32.const 1))
        (i64.load32_u (local.get 0)))

    (func $choose (param i32)
        (block $c (block $b (block $a
            (br_table $a $b $c (local.get 0)))
            (unreachable))
            (unreachable)))
    (func $ask (param i32)
        (call $stop (local.get 0)))
    (func $indirect (param i32)
        (call_indirect (type $other) (i64.const 0) (local.get 0)))
    (func $inner (param $way i32) (param $of i32)
        (local $result i64)
        (if (i32.eq (local.get $way) (i32.const 0))
            (then (drop (call $leaf (call $leaf (local.get $of))))))
        (if (i32.eq (local.get $way) (i32.const 1))
            (then (drop (call $divide (call $leaf (local.get $of))))))
        (if (i32.eq (local.get $way) (i32.const 2))
            (then (call $forbid (local.get $of)) (call $forbid_zero (local.get $of))))
        (if (i32.eq (local.get $way) (i32.const 3))
            (then (call $forbid_zero (local.get $of)) (call $forbid (local.get $of))))
        (if (i32.eq (local.get $way) (i32.const 4))
            (then (call $ask (local.get $of))))
        (if (i32.eq (local.get $way) (i32.const 5))
            (then (call $indirect (local.get $of))))
        (if (i32.eq (local.get $way) (i32.const 6))
            (then
                (call $two (local.get $of))
                (local.set $result)
                (drop)
                (global.set $sum (i32.wrap_i64 (local.get $result)))))
        (if (i32.eq (local.get $way) (i32.const 7))
            (then (global.set $sum (call $add_one (i32.load (local.get $of))))))
        (if (i32.eq (local.get $way) (i32.const 8))
            (then
                (global.set $sum
                    (call $add (global.get $sum) (i32.load (local.get $of))))))
        (if (i32.eq (local.get $way) (i32.const 9))
            (then (call $choose (local.get $of)))))
    (func $middle (param i32 i32)
        (local $i i32)
        (loop $again
            (call $inner (local.get 0) (local.get 1))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $i) (i32.const 3)))))
    (func $outer (export "run") (param i32 i32) (result i32)
        (call $middle (local.get 0) (local.get 1))
        (global.get $sum)))"#;

fn options(inline: Inline) -> Options {
    let profile = Some(Profile::General);
    Options { target: Target::host(), profile, inline, ..Options::default() }
}

/// With a profile by which functions, by their index and `shift`, ran often, once or never.
fn profiled(shift: u32) -> Options {
    let plain = options(Inline::On);
    let count = |index: u32| [1000, 0, 1][(index + shift) as usize % 3];
    let heat = Heat::new(&wat::parse_str(WAT).unwrap(), &plain, count).unwrap();
    Options { heat: Some(Arc::new(heat)), ..plain }
}

fn image(options: &Options) -> Vec<u8> {
    compile_image(&wat::parse_str(WAT).unwrap(), options).unwrap()
}

fn instance(options: &Options) -> Instance {
    let mut imports = Imports::new();
    let stop = |_: &mut lithify_runtime::Caller<'_>, slots: &mut [u128]| match slots[0] as u32 {
        0 => Ok(()),
        words => Err(HostError(format!("{words} is enough"))),
    };
    let ty = FuncType::new(&[lithify_runtime::ValType::I32], &[]);
    imports.func("env", "stop", ty, stop);
    let image = Image::from_bytes(&image(options), &imports, Trust::Verify).unwrap();
    Pool::new(&image, &InstanceOptions::default()).unwrap().instance().unwrap()
}

fn run(instance: &mut Instance, way: u128, of: u128) -> Result<u128, Trap> {
    let func = instance.func("run").unwrap();
    let mut slots = [way, of];
    instance.call(&func, &mut slots, &mut ())?;
    Ok(slots[0] & 0xffff_ffff)
}

#[test]
fn traps_are_where_they_would_be() {
    let mut off = instance(&options(Inline::Off));
    let fast = Options { tier: Tier::Fast, ..options(Inline::On) };
    let ways = [options(Inline::On), fast, profiled(0), profiled(1), profiled(2)];
    let mut ways = ways.map(|options| instance(&options));
    let mut traps = Vec::new();
    for way in 0..10 {
        for of in [0, 1, 9, 65_532, 65_536, u32::MAX.into()] {
            let expected = run(&mut off, way, of);
            for instance in &mut ways {
                assert_eq!(run(instance, way, of), expected, "way {way} of {of}");
            }
            traps.extend(expected.err());
        }
    }
    let places: BTreeSet<_> = (traps.iter())
        .filter(|trap| trap.frame().is_some_and(|frame| frame.name == "choose"))
        .map(|trap| trap.wasm_offset())
        .collect();
    assert_eq!(places.len(), 2, "two ways to two traps");
    let has = |code| traps.iter().any(|trap| trap.code == code);
    let codes = [
        TrapCode::Unreachable,
        TrapCode::MemoryOutOfBounds,
        TrapCode::IntegerDivideByZero,
        TrapCode::Host,
        TrapCode::BadSignature,
        TrapCode::UndefinedElement,
    ];
    assert!(codes.into_iter().all(has), "{traps:#?}");
    let deepest = traps.iter().map(|trap| trap.backtrace.len()).max();
    assert_eq!(deepest, Some(5), "outer, middle, inner, two, divide");
}

#[test]
fn what_was_inlined_in_its_only_caller_has_no_code() {
    let code = |inline, name: &str| {
        let metadata = Metadata::parse(&image(&options(inline)), Trust::Verify).unwrap();
        let function = metadata.functions.iter().find(|function| function.name == name).unwrap();
        function.code_len
    };
    for name in ["middle", "inner", "indirect"] {
        assert!(code(Inline::Off, name) > 0, "{name}");
        assert_eq!(code(Inline::On, name), 0, "{name}");
    }
    for name in ["outer", "leaf", "divide"] {
        assert!(code(Inline::On, name) > 0, "{name}");
    }
}
