//! Every way in which a guest can fault ends in the right trap, with the right place, and leaves
//! the process and the instance usable.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

mod support;

use lithify_runtime::host::Numbered;
use lithify_runtime::{
    Caller, FuncType, Guest, HostError, Imports, Instance, InstanceError, InstanceOptions, Pool,
    STACK_MAX, STACK_MIN, Trap, TrapCode, ValType, Value,
};
use support::{instance, load, pool};

fn call(instance: &mut Instance, name: &str, arguments: &[u128]) -> Result<u128, Trap> {
    let func = instance.func(name).expect("an export");
    let mut slots = [0; 8];
    slots[..arguments.len()].copy_from_slice(arguments);
    instance.call(&func, &mut slots, &mut ())?;
    // Only the low bytes of a slot are the result's.
    let result = instance.func_type(&func).results.first();
    Ok(result.map_or(0, |ty| Value::from_bits(*ty, slots[0]).to_bits()))
}

/// Calls `run` of a module with each list of arguments, on one instance.
fn check(wat: &str, cases: &[(&[u128], Result<u128, TrapCode>)]) {
    let mut instance = instance(wat);
    for (arguments, expected) in cases {
        let result = call(&mut instance, "run", arguments);
        assert_eq!(result.map_err(|trap| trap.code), *expected, "run{arguments:?} of {wat}");
    }
}

#[test]
fn unreachable_traps_with_a_backtrace() {
    let wat = r#"(module
        (func $inner nop unreachable)
        (func $outer (export "run") (param i32) local.get 0 if call $inner end))"#;
    let mut instance = instance(wat);
    assert!(call(&mut instance, "run", &[0]).is_ok());
    let trap = call(&mut instance, "run", &[1]).unwrap_err();
    assert_eq!(trap.code, TrapCode::Unreachable);
    let names: Vec<_> = trap.backtrace.iter().map(|f| (f.func_index, f.name.as_str())).collect();
    assert_eq!(names, [(0, "inner"), (1, "outer")]);
    // The offsets are those of the operators in the binary.
    let wasm = wat::parse_str(wat).unwrap();
    let at = |frame: usize| wasm[trap.backtrace[frame].wasm_offset.unwrap() as usize];
    assert_eq!((at(0), at(1)), (0x00, 0x10), "unreachable, call");
    let offset = trap.wasm_offset().unwrap();
    let text = trap.to_string();
    let first = format!("unreachable executed\n  0: function 0 inner at offset {offset:#x}\n  1: ");
    assert!(text.starts_with(&first), "{text}");
    assert!(call(&mut instance, "run", &[0]).is_ok());
}

#[test]
fn memory_ends_where_it_ends() {
    let oob = Err(TrapCode::MemoryOutOfBounds);
    let page = 0x1_0000;
    check(
        r#"(module (memory 1) (func (export "run") (param i32) (result i32)
            local.get 0 i32.load8_u))"#,
        &[
            (&[0], Ok(0)),
            (&[page - 1], Ok(0)),
            (&[page], oob),
            (&[0xffff_ffff], oob),
            (&[0x7fff_ffff], oob),
            (&[page - 1], Ok(0)),
        ],
    );
    check(
        r#"(module (memory 1) (func (export "run") (param i32) (result i64)
            local.get 0 i64.load))"#,
        &[(&[page - 8], Ok(0)), (&[page - 7], oob), (&[page - 1], oob), (&[0xffff_fff9], oob)],
    );
    check(
        r#"(module (memory 1) (func (export "run") (param i32 i64) (result i32)
            local.get 0 local.get 1 i64.store offset=16 i32.const 1))"#,
        &[
            (&[page - 24, 5], Ok(1)),
            (&[page - 23, 5], oob),
            // The sum of index and offset does not wrap.
            (&[0xffff_fff0, 5], oob),
            (&[0xffff_ffff, 5], oob),
        ],
    );
    check(
        r#"(module (memory 1) (func (export "run") (param i32) (result i32)
            local.get 0 i32.load offset=0xffffffff))"#,
        &[(&[0], oob), (&[1], oob), (&[0xffff_ffff], oob)],
    );
    check(
        r#"(module (memory 1) (func (export "run") (param i32) (result i32)
            local.get 0 i32.load offset=0x7fffffff))"#,
        &[(&[0], oob), (&[0x7fff_ffff], oob), (&[0xffff_ffff], oob)],
    );
    check(
        r#"(module (memory 0) (func (export "run") (param i32) (result i32)
            local.get 0 i32.load8_u))"#,
        &[(&[0], oob), (&[page], oob)],
    );
}

#[test]
fn a_store_across_the_end_writes_nothing() {
    let wat = r#"(module (memory (export "memory") 1) (func (export "run") (param i32)
        local.get 0 i64.const -1 i64.store))"#;
    let mut instance = instance(wat);
    let trap = call(&mut instance, "run", &[0xfffc]).unwrap_err();
    assert_eq!(trap.code, TrapCode::MemoryOutOfBounds);
    assert!(instance.memory().iter().all(|byte| *byte == 0));
}

#[test]
fn grow_to_max_then_store_last_byte() {
    let wat = r#"(module (memory 1 3)
        (func (export "run") (param i32 i32) (result i32)
            local.get 0 memory.grow drop
            local.get 1 i32.const 7 i32.store8
            local.get 1 i32.load8_u))"#;
    let oob = Err(TrapCode::MemoryOutOfBounds);
    check(
        wat,
        &[
            (&[0, 0x1_0000], oob),
            (&[1, 0x1_ffff], Ok(7)),
            (&[0, 0x2_0000], oob),
            (&[2, 0x2_0000], oob),
            (&[1, 0x2_ffff], Ok(7)),
            (&[0, 0x3_0000], oob),
        ],
    );
}

#[test]
fn division_and_conversion_trap() {
    let (overflow, zero) = (Err(TrapCode::IntegerOverflow), Err(TrapCode::IntegerDivideByZero));
    let min32 = 0x8000_0000;
    let minus1 = 0xffff_ffff;
    let op = |ty: &str, op: &str| {
        format!(
            r#"(module (func (export "run") (param {ty} {ty}) (result {ty})
                local.get 0 local.get 1 {op}))"#
        )
    };
    let div_s: &[(&[u128], _)] =
        &[(&[7, 2], Ok(3)), (&[7, 0], zero), (&[min32, minus1], overflow), (&[7, 2], Ok(3))];
    check(&op("i32", "i32.div_s"), div_s);
    check(&op("i32", "i32.div_u"), &[(&[7, 0], zero), (&[min32, minus1], Ok(0))]);
    check(&op("i32", "i32.rem_s"), &[(&[7, 0], zero), (&[min32, minus1], Ok(0))]);
    check(&op("i32", "i32.rem_u"), &[(&[7, 0], zero), (&[7, 4], Ok(3))]);
    let min64 = 1 << 63;
    let minus1 = u128::from(u64::MAX);
    check(&op("i64", "i64.div_s"), &[(&[7, 0], zero), (&[min64, minus1], overflow)]);
    check(&op("i64", "i64.rem_s"), &[(&[7, 0], zero), (&[min64, minus1], Ok(0))]);
    check(&op("i64", "i64.rem_u"), &[(&[7, 0], zero)]);
    let trunc = |ty: &str, op: &str| {
        format!(r#"(module (func (export "run") (param {ty}) (result i32) local.get 0 {op}))"#)
    };
    let f32 = |value: f32| u128::from(value.to_bits());
    let f64 = |value: f64| u128::from(value.to_bits());
    let bad = Err(TrapCode::BadConversionToInteger);
    check(
        &trunc("f32", "i32.trunc_f32_s"),
        &[(&[f32(-1.5)], Ok(0xffff_ffff)), (&[f32(f32::NAN)], bad), (&[f32(3e9)], overflow)],
    );
    check(
        &trunc("f64", "i32.trunc_f64_u"),
        &[
            (&[f64(4294967295.9)], Ok(0xffff_ffff)),
            (&[f64(4294967296.0)], overflow),
            (&[f64(-1.0)], overflow),
            (&[f64(f64::NAN)], bad),
        ],
    );
}

#[test]
fn indirect_calls_trap() {
    check(
        r#"(module
            (type $unary (func (param i32) (result i32)))
            (table 4 funcref)
            (elem (i32.const 0) $double $nothing)
            (func $double (type $unary) local.get 0 i32.const 1 i32.shl)
            (func $nothing)
            (func (export "run") (param i32) (result i32)
                i32.const 21 local.get 0 call_indirect (type $unary)))"#,
        &[
            (&[0], Ok(42)),
            (&[1], Err(TrapCode::BadSignature)),
            (&[2], Err(TrapCode::UninitializedElement)),
            (&[4], Err(TrapCode::UndefinedElement)),
            (&[0xffff_ffff], Err(TrapCode::UndefinedElement)),
        ],
    );
}

#[test]
fn deep_recursion_is_a_trap_again_and_again() {
    let wat = r#"(module
        (func $down (export "run") (param i32) (result i32)
            local.get 0 i32.eqz if (result i32) i32.const 0
            else local.get 0 i32.const 1 i32.sub call $down i32.const 1 i32.add end))"#;
    let mut instance = instance(wat);
    for _ in 0..3 {
        assert_eq!(call(&mut instance, "run", &[10_000]), Ok(10_000));
        let trap = call(&mut instance, "run", &[1 << 30]).unwrap_err();
        assert_eq!(trap.code, TrapCode::StackOverflow);
        assert!(trap.backtrace.len() > 10 && trap.backtrace.iter().all(|f| f.name == "down"));
    }
}

#[test]
fn frames_larger_than_the_guard_do_not_jump_over_it() {
    // 16 results go through memory, and 1 000 live values make a frame of several KiB.
    let locals = 20_000;
    let set: String = (0..locals)
        .map(|i| {
            format!("local.get 0 i64.extend_i32_u i64.const {i} i64.add local.set {}\n", i + 1)
        })
        .collect();
    let sum: String = (0..locals).map(|i| format!("local.get {} i64.add\n", i + 1)).collect();
    let wat = format!(
        r#"(module (func $down (export "run") (param i32) (result i64)
            (local {})
            {set}
            local.get 0 if (result i64) local.get 0 i32.const 1 i32.sub call $down
            else i64.const 0 end
            {sum}))"#,
        "i64 ".repeat(locals)
    );
    let mut instance = instance(&wat);
    assert!(call(&mut instance, "run", &[3]).is_ok());
    let trap = call(&mut instance, "run", &[1 << 20]).unwrap_err();
    assert_eq!(trap.code, TrapCode::StackOverflow);
}

fn unary() -> FuncType {
    FuncType::new(&[ValType::I32], &[ValType::I32])
}

#[test]
fn host_functions_fail_panic_and_are_missing() {
    let wat = r#"(module
        (import "env" "fail" (func $fail (param i32) (result i32)))
        (import "env" "panic" (func $panic (param i32) (result i32)))
        (import "env" "absent" (func $absent (param i64 i32)))
        (func $caller (export "fail") (result i32) i32.const 5 call $fail)
        (func (export "panic") (result i32) i32.const 6 call $panic)
        (func (export "absent") i64.const 0 i32.const 1 call $absent))"#;
    let mut imports = Imports::new();
    imports
        .trap_missing(true)
        .func("env", "fail", unary(), |_, slots| Err(HostError(format!("got {}", slots[0] as u32))))
        .func("env", "panic", unary(), |_, slots| panic!("cannot do {}", slots[0] as u32));
    let mut instance = pool(wat, &imports).instance().unwrap();
    for _ in 0..3 {
        let trap = call(&mut instance, "fail", &[]).unwrap_err();
        assert_eq!((trap.code, trap.message.as_deref()), (TrapCode::Host, Some("got 5")));
        assert_eq!(trap.backtrace.len(), 1, "{trap}");
        assert_eq!(trap.frame().unwrap().name, "caller");
        assert!(trap.wasm_offset().is_some());
        let trap = call(&mut instance, "panic", &[]).unwrap_err();
        assert_eq!(trap.message.as_deref(), Some("panicked: cannot do 6"));
        let trap = call(&mut instance, "absent", &[]).unwrap_err();
        assert_eq!(trap.code, TrapCode::MissingHostFunction);
        assert_eq!(trap.message.as_deref(), Some("env.absent: (i64, i32) -> ()"));
    }
}

/// Function `n` of each hundred takes `n` words, the odd ones `i32`, and makes digits of them.
struct Digits;

impl Numbered for Digits {
    fn call(number: usize, caller: &mut Caller<'_>, words: &[u64]) -> Result<u64, HostError> {
        let count = number % 100;
        assert!(caller.data().is::<()>() && caller.guest_and_data::<()>().1.is_some());
        assert!(caller.guest_and_data::<u32>().1.is_none());
        let word = |i: usize| if i % 2 == 1 { u64::from(words[i] as u32) } else { words[i] };
        match (0..count).map(word).fold(0, |sum, word| sum * 10 + word) {
            0 => Err(HostError(format!("nothing in {number}"))),
            9 => panic!("{number} is full"),
            sum => Ok(sum),
        }
    }
}

#[test]
fn numbered_functions_get_their_words_and_may_fail() {
    // In registers, by the stack, and beyond the table of shims.
    for number in [0, 1, 2, 3, 4, 5, 6, 7, 101, 205, 300, 301, 305] {
        let count = number % 100;
        let params: Vec<_> = [ValType::I64, ValType::I32].into_iter().cycle().take(count).collect();
        // What is in the high half of an i32 is nobody's business.
        let passed = |(i, ty): (usize, &ValType)| match ty {
            ValType::I32 => format!("(i32.wrap_i64 (local.get {i}))"),
            _ => format!("(local.get {i})"),
        };
        let wat = format!(
            r#"(module
                (import "env" "f" (func $f (param {}) (result i64)))
                (func $caller (export "run") (param {}) (result i64) (call $f {})))"#,
            params.iter().map(|ty| format!("{ty} ")).collect::<String>(),
            "i64 ".repeat(count),
            params.iter().enumerate().map(passed).collect::<String>(),
        );
        let mut imports = Imports::new();
        imports.numbered::<Digits>("env", "f", &FuncType::new(&params, &[ValType::I64]), number);
        let mut instance = pool(&wat, &imports).instance().unwrap();
        let mut run = |digit: &dyn Fn(usize) -> usize| {
            let high = |i| if i % 2 == 1 { 0xabcd << 32 } else { 0 };
            let words: Vec<_> = (0..count).map(|i| digit(i) as u128 | high(i)).collect();
            call(&mut instance, "run", &words)
        };
        if count > 0 {
            let all = (1..=count as u128).fold(0, |sum, digit| sum * 10 + digit);
            assert_eq!(run(&|i| i + 1).unwrap(), all);
            let trap = run(&|i| if i + 1 == count { 9 } else { 0 }).unwrap_err();
            assert_eq!(trap.message, Some(format!("panicked: {number} is full")));
        }
        let trap = run(&|_| 0).unwrap_err();
        assert_eq!(trap.message, Some(format!("nothing in {number}")));
        assert_eq!((trap.code, trap.backtrace.len()), (TrapCode::Host, 1), "{trap}");
        assert_eq!(trap.frame().unwrap().name, "caller");
    }
}

#[test]
fn host_functions_see_memory_data_and_all_kinds_of_values() {
    use ValType::{F32, F64, I32, I64};
    let wat = r#"(module
        (import "env" "mix" (func $mix (param i32 i64 f32 f64 i64 i64 i64 i64 i64) (result f64)))
        (memory (export "memory") 1)
        (func (export "run") (result f64)
            i32.const -1 i64.const -2 f32.const 1.5 f64.const 2.5
            i64.const 5 i64.const 6 i64.const 7 i64.const 8 i64.const 9 call $mix))"#;
    let mut imports = Imports::new();
    let ty = FuncType::new(&[I32, I64, F32, F64, I64, I64, I64, I64, I64], &[F64]);
    imports.func("env", "mix", ty, |caller, slots| {
        assert_eq!(slots[0] as u32 as i32, -1);
        assert_eq!(slots[1] as u64 as i64, -2);
        assert_eq!(f32::from_bits(slots[2] as u32), 1.5);
        assert_eq!(f64::from_bits(slots[3] as u64), 2.5);
        assert_eq!(slots[4..9].iter().map(|s| *s as u64).collect::<Vec<_>>(), [5, 6, 7, 8, 9]);
        let (memory, data) = caller.memory_and_data();
        memory[100] = 77;
        *data.downcast_mut::<u32>().expect("the embedder's value") += 1;
        slots[0] = u128::from(0.25_f64.to_bits());
        Ok(())
    });
    let mut instance = pool(wat, &imports).instance().unwrap();
    let func = instance.func("run").unwrap();
    let (mut slots, mut data) = ([0; 9], 41_u32);
    instance.call(&func, &mut slots[..1], &mut data).unwrap();
    assert_eq!((f64::from_bits(slots[0] as u64), data), (0.25, 42));
    assert_eq!(instance.memory()[100], 77);
}

#[test]
fn a_trap_in_a_nested_call_shows_all_guest_frames() {
    let wat = r#"(module
        (import "env" "again" (func $again (param i32) (result i32)))
        (func $outer (export "run") (param i32) (result i32) local.get 0 call $again)
        (func $inner (export "inner") (param i32) (result i32)
            local.get 0 if unreachable end
            i32.const 5))"#;
    let mut imports = Imports::new();
    imports.func("env", "again", unary(), |caller, slots| {
        let inner = caller.func("inner").expect("an export");
        let argument = slots[0];
        let result = caller.call(&inner, slots);
        if argument != 0 {
            let trap = result.clone().unwrap_err();
            let names: Vec<_> = trap.backtrace.iter().map(|f| f.name.as_str()).collect();
            assert_eq!(names, ["inner", "outer"]);
        }
        slots[0] += 1;
        Ok(result?)
    });
    let mut instance = pool(wat, &imports).instance().unwrap();
    for _ in 0..3 {
        assert_eq!(call(&mut instance, "run", &[0]), Ok(6));
        let trap = call(&mut instance, "run", &[1]).unwrap_err();
        assert_eq!(trap.code, TrapCode::Host);
        assert!(trap.message.unwrap().starts_with("unreachable executed\n  0: function 2 inner"));
        assert_eq!(trap.backtrace.len(), 1);
        assert_eq!(trap.backtrace[0].name, "outer");
    }
}

#[test]
fn mutual_recursion_with_the_host_ends_before_the_stack_does() {
    let wat = r#"(module
        (import "env" "again" (func $again (param i32) (result i32)))
        (func $run (export "run") (param i32) (result i32)
            local.get 0 i32.const 1 i32.add call $again))"#;
    let mut imports = Imports::new();
    imports.func("env", "again", unary(), |caller, slots| {
        // A host function with a sizable frame of its own.
        let mut space = [0_u8; 10_000];
        space[slots[0] as usize % 10_000] = 1;
        std::hint::black_box(&mut space);
        let run = caller.func("run").expect("an export");
        caller.call(&run, slots).map_err(|trap| {
            let code = trap.code;
            HostError(trap.message.unwrap_or_else(|| code.to_string()))
        })
    });
    let mut instance = pool(wat, &imports).instance().unwrap();
    for _ in 0..2 {
        let trap = call(&mut instance, "run", &[0]).unwrap_err();
        assert_eq!(trap.message.as_deref(), Some("call stack exhausted"));
    }
}

#[test]
fn a_host_call_at_the_end_of_the_stack_is_a_stack_overflow() {
    // Recursion that calls the host at each level: the host must always have its share of stack.
    let wat = r#"(module
        (import "env" "use_stack" (func $use (param i32) (result i32)))
        (func $down (export "run") (param i32) (result i32)
            local.get 0 call $use drop
            local.get 0 i32.const 1 i32.add call $down))"#;
    let mut imports = Imports::new();
    imports.func("env", "use_stack", unary(), |_, slots| {
        let mut space = [0_u8; 200 * 1024];
        for page in space.chunks_mut(4096) {
            page[0] = slots[0] as u8;
        }
        std::hint::black_box(&mut space);
        Ok(())
    });
    let mut instance = pool(wat, &imports).instance().unwrap();
    for _ in 0..2 {
        let trap = call(&mut instance, "run", &[0]).unwrap_err();
        assert_eq!(trap.code, TrapCode::StackOverflow);
        assert_eq!(trap.frame().unwrap().name, "down");
        assert!(trap.wasm_offset().is_some(), "{trap}");
    }
}

#[test]
fn traps_on_many_threads_at_once() {
    let wat = r#"(module (memory 1)
        (func (export "run") (param i32) (result i32) local.get 0 i32.load))"#;
    let pool = pool(wat, &Imports::new());
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let pool = &pool;
            scope.spawn(move || {
                let entry = pool.entry("run").unwrap();
                for round in 0..200 {
                    let mut instance = entry.instance().unwrap();
                    let mut slots = [if (round + thread) % 2 == 0 { 0 } else { 0x2_0000 }];
                    let result = instance.call(entry.func(), &mut slots, &mut ());
                    assert_eq!(result.is_ok(), (round + thread) % 2 == 0);
                }
            });
        }
    });
}

#[test]
fn a_small_stack_is_enough_for_a_trap() {
    let wat = r#"(module (func $f (export "run") call $f))"#;
    let options = InstanceOptions { stack_size: 4096, ..InstanceOptions::default() };
    let pool = Pool::new(&load(wat, &Imports::new()), &options).unwrap();
    let mut instance = pool.instance().unwrap();
    let trap = call(&mut instance, "run", &[]).unwrap_err();
    assert_eq!(trap.code, TrapCode::StackOverflow);
}

/// Not as large as the pages that it takes.
#[test]
fn a_stack_is_as_large_as_it_says() {
    let wat = r#"(module (global $depth (export "depth") (mut i32) (i32.const 0))
        (func $f (export "run")
            (global.set $depth (i32.add (global.get $depth) (i32.const 1)))
            call $f))"#;
    let image = load(wat, &Imports::new());
    let depth = |stack_size| {
        let options = InstanceOptions { stack_size, ..InstanceOptions::default() };
        let mut instance = Pool::new(&image, &options).unwrap().instance().unwrap();
        let trap = call(&mut instance, "run", &[]).unwrap_err();
        assert_eq!(trap.code, TrapCode::StackOverflow);
        match instance.global_get("depth") {
            Some(Value::I32(depth)) => depth,
            other => panic!("{other:?}"),
        }
    };
    let page = 64 << 10;
    let (one, half_more, two) = (depth(page), depth(page + page / 2), depth(2 * page));
    assert!(((two - one) - 2 * (half_more - one)).abs() <= 2, "{one}, {half_more}, {two}");
    let little_more = depth(page + page / 2 + 256);
    assert!(half_more < little_more && little_more < two);
}

#[test]
fn a_stack_that_nobody_has_is_refused() {
    let image = load(r#"(module (func (export "run")))"#, &Imports::new());
    for stack_size in
        [0, STACK_MIN - 1, STACK_MAX + 1, usize::MAX - (1 << 20), usize::MAX - 4095, usize::MAX]
    {
        let options = InstanceOptions { stack_size, ..InstanceOptions::default() };
        let refused = Pool::new(&image, &options).err();
        assert!(matches!(refused, Some(InstanceError::Stack { bytes }) if bytes == stack_size));
    }
    for stack_size in [STACK_MIN, STACK_MIN + 1, STACK_MAX] {
        let options = InstanceOptions { stack_size, ..InstanceOptions::default() };
        let mut instance = Pool::new(&image, &options).unwrap().instance().unwrap();
        assert!(call(&mut instance, "run", &[]).is_ok());
    }
}

#[test]
fn bulk_operations_check_before_they_write() {
    let wat = r#"(module (memory (export "memory") 1)
        (data $d "abcdef")
        (func (export "fill") (param i32 i32 i32)
            local.get 0 local.get 1 local.get 2 memory.fill)
        (func (export "copy") (param i32 i32 i32)
            local.get 0 local.get 1 local.get 2 memory.copy)
        (func (export "init") (param i32 i32 i32)
            local.get 0 local.get 1 local.get 2 memory.init $d)
        (func (export "drop") data.drop $d))"#;
    let mut instance = instance(wat);
    let mut run = |name: &str, arguments: &[u128]| {
        call(&mut instance, name, arguments).map(drop).map_err(|trap| trap.code)
    };
    let oob = Err(TrapCode::MemoryOutOfBounds);
    assert_eq!(run("fill", &[0x1_0000, 1, 0]), Ok(()));
    assert_eq!(run("fill", &[0xfff0, 1, 0x11]), oob);
    assert_eq!(run("fill", &[0xffff_ffff, 1, 0xffff_ffff]), oob);
    assert_eq!(run("fill", &[0x8000, 0x1ff, 0x8000]), Ok(()));
    assert_eq!(run("copy", &[0x7fff, 0x8000, 0x8000]), Ok(()));
    assert_eq!(run("copy", &[0, 0x8000, 0x8001]), oob);
    assert_eq!(run("copy", &[0x8001, 0, 0x8000]), oob);
    assert_eq!(run("init", &[0, 1, 5]), Ok(()));
    assert_eq!(run("init", &[0, 1, 6]), oob);
    assert_eq!(run("init", &[0xfffe, 0, 3]), oob);
    assert_eq!(run("drop", &[]), Ok(()));
    assert_eq!(run("init", &[0, 0, 0]), Ok(()));
    assert_eq!(run("init", &[0, 0, 1]), oob);
    let memory = instance.memory();
    assert_eq!(&memory[..6], b"bcdef\0");
    assert_eq!((memory[0x7ffe], memory[0x7fff], memory[0xffff]), (0, 0xff, 0xff));
}
