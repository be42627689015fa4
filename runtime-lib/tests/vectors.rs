//! Vectors cross every border: arguments and results of calls, host functions of both kinds,
//! globals, more of them than there are registers; and their accesses end where memory ends.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

mod support;

use lithify_runtime::{CallError, FuncType, Imports, TrapCode, ValType, Value};

const V: ValType = ValType::V128;
const A: u128 = 0x0f0e_0d0c_0b0a_0908_0706_0504_0302_0100;
const B: u128 = 0xfff0_e1d2_c3b4_a596_8778_695a_4b3c_2d1e;

#[test]
fn through_calls_and_closures() {
    // Ten vectors and an integer do not fit the registers of either machine.
    let many = format!("{} i64", "v128 ".repeat(10));
    let gets: String = (0..11).map(|i| format!("(local.get {i})")).collect();
    let wat = format!(
        r#"(module
        (import "env" "swap" (func $swap (param {many}) (result v128 i64 v128)))
        (import "env" "start" (global $start v128))
        (global $g (export "g") (mut v128) (global.get $start))
        (global $c (export "c") v128 (v128.const i64x2 1 2))
        (func (export "run") (param {many}) (result v128 i64 v128)
            (global.set $g (v128.xor (global.get $g) (local.get 9)))
            (call $swap {gets})))"#
    );
    let mut params = vec![V; 10];
    params.push(ValType::I64);
    let mut imports = Imports::new();
    imports.global("env", "start", V, false, A);
    let ty = FuncType::new(&params, &[V, ValType::I64, V]);
    imports.func("env", "swap", ty, |_, slots| {
        let (first, last, number) = (slots[0], slots[9], slots[10]);
        (slots[0], slots[1], slots[2]) = (last, number, first);
        Ok(())
    });
    let pool = support::pool(&wat, &imports);
    for _ in 0..2 {
        let mut instance = pool.instance().unwrap();
        assert_eq!(instance.global_get("g"), Some(Value::V128(A)));
        assert_eq!(instance.global_get("c"), Some(Value::V128((2 << 64) | 1)));
        assert!(!instance.global_set("c", Value::V128(A)), "it is not mutable");
        assert!(instance.global_set("g", Value::V128(B)));
        let run = instance.func("run").unwrap();
        let mut arguments = vec![Value::V128(0); 10];
        (arguments[0], arguments[9]) = (Value::V128(A), Value::V128(B));
        arguments.push(Value::I64(-7));
        let results = instance.call_values(&run, &arguments, &mut ()).unwrap();
        assert_eq!(results, [Value::V128(B), Value::I64(-7), Value::V128(A)]);
        assert_eq!(instance.global_get("g"), Some(Value::V128(0)));
    }
}

#[test]
fn through_native_code() {
    #[cfg(target_arch = "aarch64")]
    use std::arch::aarch64::uint8x16_t as Vector;
    #[cfg(target_arch = "x86_64")]
    use std::arch::x86_64::__m128i as Vector;

    #[allow(improper_ctypes_definitions, reason = "the platform's C convention knows vectors")]
    extern "C" fn second(_base: *mut u8, _: Vector, number: i32, vector: Vector) -> Vector {
        assert_eq!(number, 5);
        vector
    }
    let mut imports = Imports::new();
    let ty = FuncType::new(&[V, ValType::I32, V], &[V]);
    // SAFETY: it has that type in the C convention, and does not unwind with this argument.
    unsafe { imports.native("env", "second", ty, second as *const _) };
    let wat = r#"(module
        (import "env" "second" (func $second (param v128 i32 v128) (result v128)))
        (func (export "run") (param v128 v128) (result v128)
            (call $second (local.get 0) (i32.const 5) (local.get 1))))"#;
    let mut instance = support::pool(wat, &imports).instance().unwrap();
    let run = instance.func("run").unwrap();
    let arguments = [Value::V128(A), Value::V128(B)];
    let results = instance.call_values(&run, &arguments, &mut ()).unwrap();
    assert_eq!(results, [Value::V128(B)]);
}

/// All NaNs that come out of arithmetic have the same bits, in whatever lane and from whatever
/// NaN; operators that only move lanes keep them.
#[test]
fn nans_of_arithmetic_are_canonical() {
    let unary = ["sqrt", "ceil", "floor", "trunc", "nearest"];
    let binary = ["add", "sub", "mul", "div", "min", "max"];
    let shape = |shape: &str| {
        let one = unary.iter().map(|op| format!("({shape}.{op} (local.get 0))"));
        let two = binary.iter().flat_map(|op| {
            ["0) (local.get 1", "1) (local.get 0"]
                .map(|ab| format!("({shape}.{op} (local.get {ab}))"))
        });
        one.chain(two).collect::<Vec<_>>()
    };
    let (f32x4, f64x2) = (shape("f32x4"), shape("f64x2"));
    let casts = [
        "(f32x4.demote_f64x2_zero (local.get 0))".to_owned(),
        "(f64x2.promote_low_f32x4 (local.get 0))".to_owned(),
    ];
    let bodies: Vec<&String> = f32x4.iter().chain(&f64x2).chain(&casts).collect();
    let functions: String = (bodies.iter().enumerate())
        .map(|(i, body)| {
            format!(r#"(func (export "f{i}") (param v128 v128) (result v128) {body})"#)
        })
        .collect();
    let mut instance = support::instance(&format!("(module {functions})"));
    // Quiet and signalling NaNs of both signs with payloads; these are NaNs in both shapes.
    for nan in [0x7ff0_dead_7fa0_0001_u64, 0xfff8_0000_ffc1_2345, 0xfff7_ffff_ffff_ffff] {
        let nans = Value::V128((u128::from(nan) << 64) | u128::from(nan));
        for (i, body) in bodies.iter().enumerate() {
            let func = instance.func(&format!("f{i}")).unwrap();
            let results = instance.call_values(&func, &[nans, Value::V128(0)], &mut ()).unwrap();
            let expected = if body.starts_with("(f64x2") {
                0x7ff8_0000_0000_0000_7ff8_0000_0000_0000
            } else if body.contains("zero") {
                0x7fc0_0000_7fc0_0000
            } else {
                0x7fc0_0000_7fc0_0000_7fc0_0000_7fc0_0000
            };
            assert_eq!(results, [Value::V128(expected)], "{body} of {nan:#x}");
        }
    }
}

/// Every access of a vector, with its size in bytes: at the last place where it fits, one byte
/// further, at the end of 32 bits, and with offsets that the code checks and that the guard does.
#[test]
fn accesses_end_where_memory_ends() {
    let loads = [
        ("v128.load", 16),
        ("v128.load8x8_s", 8),
        ("v128.load16x4_u", 8),
        ("v128.load32x2_s", 8),
        ("v128.load8_splat", 1),
        ("v128.load16_splat", 2),
        ("v128.load32_splat", 4),
        ("v128.load64_splat", 8),
        ("v128.load32_zero", 4),
        ("v128.load64_zero", 8),
    ];
    let lanes = [("8", 1), ("16", 2), ("32", 4), ("64", 8)];
    let index = "(local.get 0)";
    let offsets = [0u64, 3, (1 << 31) - 16, (1 << 31) - 1, 0xffff_ffff];
    let mut functions = String::new();
    let mut sizes = vec![];
    for offset in offsets {
        let mut add = |size: u64, body: String| {
            let name = sizes.len();
            functions += &format!(r#"(func (export "f{name}") (param i32) {body})"#);
            sizes.push((offset, size, body));
        };
        for (op, size) in loads {
            add(size, format!("(drop ({op} offset={offset} {index}))"));
        }
        let vector = "(v128.const i64x2 0 0)";
        add(16, format!("(v128.store offset={offset} {index} {vector})"));
        for (width, size) in lanes {
            let load = format!("v128.load{width}_lane offset={offset}");
            add(size, format!("(drop ({load} 1 {index} {vector}))"));
            add(size, format!("(v128.store{width}_lane offset={offset} 1 {index} {vector})"));
        }
    }
    let mut instance = support::instance(&format!("(module (memory 2) {functions})"));
    let mut check = |i: usize, address: u64, fits: bool| {
        let (offset, _, body) = &sizes[i];
        let Some(index) = address.checked_sub(*offset) else { return };
        let Ok(index) = u32::try_from(index) else { return };
        let func = instance.func(&format!("f{i}")).unwrap();
        match instance.call_values(&func, &[Value::I32(index as i32)], &mut ()) {
            Ok(_) => assert!(fits, "{body} at {address:#x}"),
            Err(CallError::Trap(trap)) => {
                assert_eq!(trap.code, TrapCode::MemoryOutOfBounds, "{body} at {address:#x}");
                assert!(!fits, "{body} at {address:#x}");
            }
            Err(error) => panic!("{body}: {error}"),
        }
    };
    for (i, (offset, size, _)) in sizes.iter().enumerate() {
        let end = 2 * 65536;
        check(i, end - size, true);
        for address in [end - size + 1, end - 1, end, 1 << 31, (1 << 32) - 1, 1 << 32] {
            check(i, address, address + size <= end);
        }
        // With the largest index the sum is beyond all memory, and must not wrap.
        check(i, offset + 0xffff_ffff, false);
        check(i, offset + 0xffff_ffff - size, false);
    }
}
