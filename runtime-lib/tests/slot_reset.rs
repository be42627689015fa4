//! Nothing that a call leaves behind reaches the next one: the sandbox between calls.
//!
//! Each test runs the same calls many times over, so that slots go through all their states: new,
//! open, closed, with pages entering and leaving the hot set. Debug builds compare every page
//! that was ever written with its initial bytes at each reset; these tests check from outside.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

mod support;

use lithify_runtime::{
    FuncType, Guest, HostError, Imports, Instance, MemoryPlan, Pool, Trap, ValType, Value,
};
use std::sync::Arc;
use support::{load, pool, pool_with};

const PAGE: usize = 0x1_0000;

fn call(instance: &mut Instance, name: &str, arguments: &[u128]) -> Result<u128, Trap> {
    let func = instance.func(name).expect("an export");
    let mut slots = [0; 8];
    slots[..arguments.len()].copy_from_slice(arguments);
    instance.call(&func, &mut slots, &mut ())?;
    let result = instance.func_type(&func).results.first();
    Ok(result.map_or(0, |ty| Value::from_bits(*ty, slots[0]).to_bits()))
}

/// A module with data, a mutable global and functions that write anywhere.
const WAT: &str = r#"(module
    (memory (export "memory") 4 40)
    (data (i32.const 100) "initial")
    (data (i32.const 0x12ff8) "across a page border")
    (global $g (export "g") (mut i32) (i32.const 5))
    (global $wide (export "wide") (mut i64) (i64.const -6))
    (func (export "store") (param i32 i32) local.get 0 local.get 1 i32.store8)
    (func (export "load") (param i32) (result i32) local.get 0 i32.load8_u)
    (func (export "fill") (param i32 i32 i32)
        local.get 0 local.get 1 local.get 2 memory.fill)
    (func (export "grow") (param i32) (result i32) local.get 0 memory.grow)
    (func (export "size") (result i32) memory.size)
    (func (export "globals") (param i32)
        (global.set $g (i32.add (global.get $g) (local.get 0)))
        (global.set $wide (i64.const 1)))
    (func (export "store_and_trap") (param i32 i32)
        local.get 0 local.get 1 i32.store8
        (global.set $g (i32.const 77))
        unreachable))"#;

/// Whether an instance is as the module describes it.
fn assert_fresh(instance: &mut Instance) {
    let memory = instance.memory();
    assert_eq!(memory.len(), 4 * PAGE);
    for (at, bytes) in [(100, &b"initial"[..]), (0x12ff8, b"across a page border")] {
        assert_eq!(&memory[at..at + bytes.len()], bytes);
    }
    let other = |(at, byte): (usize, &u8)| {
        *byte != 0 && !(100..107).contains(&at) && !(0x12ff8..0x1300c).contains(&at)
    };
    assert_eq!(memory.iter().enumerate().position(|(at, byte)| other((at, byte))), None);
    assert_eq!(instance.global_get("g"), Some(Value::I32(5)));
    assert_eq!(instance.global_get("wide"), Some(Value::I64(-6)));
}

/// Runs `use_it` on fresh instances again and again.
fn check(pool: &Pool, rounds: usize, mut use_it: impl FnMut(usize, &mut Instance)) {
    for round in 0..rounds {
        let mut instance = pool.instance().expect("an instance");
        assert_fresh(&mut instance);
        use_it(round, &mut instance);
    }
    assert_fresh(&mut pool.instance().expect("an instance"));
}

#[test]
fn stores_are_gone() {
    check(&pool(WAT, &Imports::new()), 300, |round, instance| {
        for at in [0, 100, 0x12fff, 0x13000, 0x3ffff, round * 4093 % (4 * PAGE)] {
            call(instance, "store", &[at as u128, 0xee]).unwrap();
            assert_eq!(call(instance, "load", &[at as u128]), Ok(0xee));
        }
    });
}

#[test]
fn stores_before_a_trap_are_gone() {
    check(&pool(WAT, &Imports::new()), 100, |round, instance| {
        let at = round * 5003 % (4 * PAGE);
        call(instance, "store_and_trap", &[at as u128, 0xee]).unwrap_err();
        assert_eq!(instance.memory()[at], 0xee);
        assert_eq!(instance.global_get("g"), Some(Value::I32(77)));
        call(instance, "load", &[1 << 30]).unwrap_err();
    });
}

#[test]
fn globals_are_reset() {
    check(&pool(WAT, &Imports::new()), 10, |_, instance| {
        call(instance, "globals", &[3]).unwrap();
        assert_eq!(instance.global_get("g"), Some(Value::I32(8)));
        assert!(instance.global_set("wide", Value::I64(9)));
        assert!(!instance.global_set("wide", Value::I32(9)));
    });
}

#[test]
fn growth_is_undone() {
    check(&pool(WAT, &Imports::new()), 20, |round, instance| {
        let delta = 1 + round % 7;
        assert_eq!(call(instance, "grow", &[delta as u128]), Ok(4));
        assert_eq!(call(instance, "size", &[]), Ok(4 + delta as u128));
        let last = (4 + delta) * PAGE - 1;
        assert_eq!(call(instance, "load", &[last as u128]), Ok(0));
        call(instance, "store", &[last as u128, 1]).unwrap();
        call(instance, "store", &[last as u128 + 1, 1]).unwrap_err();
        assert_eq!(call(instance, "grow", &[1]), Ok(4 + delta as u128));
        assert_eq!(call(instance, "load", &[last as u128 + 1]), Ok(0));
        assert_eq!(call(instance, "load", &[last as u128]), Ok(1));
        assert_eq!(call(instance, "grow", &[1000]), Ok(0xffff_ffff));
    });
    // And what was beyond the end before is beyond it again.
    let pool = pool(WAT, &Imports::new());
    for _ in 0..3 {
        let mut instance = pool.instance().unwrap();
        call(&mut instance, "load", &[4 * PAGE as u128]).unwrap_err();
        call(&mut instance, "grow", &[2]).unwrap();
        call(&mut instance, "load", &[4 * PAGE as u128]).unwrap();
    }
}

#[test]
fn bulk_writes_are_gone() {
    check(&pool(WAT, &Imports::new()), 40, |round, instance| {
        let start = round * 1000;
        let len = (round % 5) * 40_000;
        call(instance, "fill", &[start as u128, 0xdd, len as u128]).unwrap();
        call(instance, "fill", &[(4 * PAGE - 1) as u128, 0xdd, 2]).unwrap_err();
        assert!(instance.memory()[start..start + len].iter().all(|byte| *byte == 0xdd));
    });
}

#[test]
fn everything_is_overwritten_and_comes_back() {
    check(&pool(WAT, &Imports::new()), 5, |_, instance| {
        call(instance, "fill", &[0, 0xdd, 4 * PAGE as u128]).unwrap();
    });
}

#[test]
fn writes_of_the_embedder_and_of_its_threads_are_gone() {
    check(&pool(WAT, &Imports::new()), 200, |round, instance| {
        let memory = instance.memory();
        memory[round * 977 % (4 * PAGE)] = 0xcc;
        memory[100] = 0xcc;
        std::thread::scope(|scope| {
            for chunk in memory.chunks_mut(PAGE / 2 + 13) {
                scope.spawn(move || {
                    let last = chunk.len() - 1;
                    chunk[round * 31 % last] = 0xcc;
                });
            }
        });
    });
}

#[test]
fn writes_of_host_functions_are_gone() {
    let wat = format!(
        "{} {}",
        r#"(module (import "env" "host" (func $host (param i32)))
           (func (export "run") (param i32) local.get 0 call $host)"#,
        WAT.trim_start_matches("(module")
    );
    let mut imports = Imports::new();
    imports.func("env", "host", FuncType::new(&[ValType::I32], &[]), |caller, slots| {
        let at = slots[0] as usize;
        let memory = caller.memory();
        memory[at] = 1;
        memory[at / 2] = 2;
        caller.grow(1).ok_or_else(|| HostError("cannot grow".into()))?;
        let end = caller.memory().len();
        caller.memory()[end - 1] = 3;
        match at % 3 {
            0 => Err(HostError("enough".into())),
            1 => panic!("enough"),
            _ => Ok(()),
        }
    });
    let pool = pool(&wat, &imports);
    check(&pool, 60, |round, instance| {
        let at = round * 4099 % (4 * PAGE);
        let result = call(instance, "run", &[at as u128]);
        assert_eq!(result.is_ok(), at % 3 == 2);
        assert_eq!(instance.memory()[at / 2], 2);
    });
}

#[test]
fn system_calls_write_after_a_touch() {
    use std::io::Read;
    check(&pool(WAT, &Imports::new()), 10, |round, instance| {
        let range = round * 5000..round * 5000 + 20_000;
        instance.touch(range.clone());
        let mut source = std::fs::File::open("/dev/zero").unwrap().take(20_000);
        source.read_exact(&mut instance.memory()[range]).unwrap();
    });
}

#[test]
fn memory_of_the_options() {
    let module = |plan| pool_with(WAT, &Imports::new(), plan);
    for _ in 0..2 {
        let pool = module(MemoryPlan::Static { extra_pages: 2048 });
        for _ in 0..3 {
            let mut instance = pool.instance().unwrap();
            assert_eq!(instance.memory_len(), (4 + 2048) * PAGE);
            assert_eq!(call(&mut instance, "load", &[(2052 * PAGE - 1) as u128]), Ok(0));
            call(&mut instance, "store", &[(2052 * PAGE - 1) as u128, 1]).unwrap();
            call(&mut instance, "load", &[(2052 * PAGE) as u128]).unwrap_err();
            assert_eq!(call(&mut instance, "grow", &[1]), Ok(0xffff_ffff));
        }
    }
    let pool = module(MemoryPlan::Dynamic { extra_pages: 0, max_pages: Some(50) });
    let mut instance = pool.instance().unwrap();
    assert_eq!(instance.max_pages(), Some(50));
    assert_eq!(call(&mut instance, "grow", &[46]), Ok(4));
    assert_eq!(call(&mut instance, "grow", &[1]), Ok(0xffff_ffff));
    let pool = module(MemoryPlan::Dynamic { extra_pages: 0, max_pages: None });
    assert_eq!(pool.instance().unwrap().max_pages(), None);
    let image = load(WAT, &Imports::new());
    for plan in [
        MemoryPlan::Dynamic { extra_pages: 0, max_pages: Some(3) },
        MemoryPlan::Static { extra_pages: u32::MAX },
    ] {
        let options = lithify_runtime::InstanceOptions { memory: plan, ..Default::default() };
        let error = Pool::new(&image, &options).err().expect("too much or too little");
        assert!(error.to_string().starts_with("memory of "), "{error}");
    }
}

#[test]
fn a_full_memory_of_4_gib_works() {
    let wat = r#"(module (memory (export "memory") 65536)
        (func (export "store") (param i32) local.get 0 i32.const 9 i32.store8)
        (func (export "load") (param i32) (result i32) local.get 0 i32.load8_u)
        (func (export "load4") (param i32) (result i32) local.get 0 i32.load))"#;
    let pool = pool(wat, &Imports::new());
    for _ in 0..3 {
        let mut instance = pool.instance().unwrap();
        for at in [0, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff] {
            assert_eq!(call(&mut instance, "load", &[at]), Ok(0));
            call(&mut instance, "store", &[at]).unwrap();
            assert_eq!(call(&mut instance, "load", &[at]), Ok(9));
        }
        assert_eq!(call(&mut instance, "load4", &[0xffff_fffc]), Ok(0x0900_0000));
        call(&mut instance, "load4", &[0xffff_fffd]).unwrap_err();
    }
}

#[test]
fn huge_sets_of_pages_are_given_back() {
    let pool = pool_with(WAT, &Imports::new(), MemoryPlan::Static { extra_pages: 1024 });
    for round in 0..6 {
        let mut instance = pool.instance().unwrap();
        assert_eq!(instance.memory()[40 << 20], 0);
        assert_eq!(&instance.memory()[100..107], b"initial");
        // Every other call writes 48 MiB, more than a slot keeps.
        let len = if round % 2 == 0 { 48 << 20 } else { 3 << 20 };
        call(&mut instance, "fill", &[0, 1, len]).unwrap();
    }
}

#[test]
fn tables_and_segments_are_reset() {
    let wat = r#"(module
        (table $t (export "t") 2 10 funcref)
        (memory 1)
        (elem (i32.const 0) func $one)
        (elem $passive func $two $two)
        (data $d "xyz")
        (type $get (func (result i32)))
        (func $one (result i32) i32.const 1)
        (func $two (result i32) i32.const 2)
        (func (export "get") (param i32) (result i32)
            local.get 0 call_indirect $t (type $get))
        (func (export "size") (result i32) table.size $t)
        (func (export "change")
            (table.set $t (i32.const 0) (ref.func $two))
            (drop (table.grow $t (ref.func $two) (i32.const 3)))
            (table.init $t $passive (i32.const 1) (i32.const 0) (i32.const 2))
            (elem.drop $passive)
            (memory.init $d (i32.const 0) (i32.const 0) (i32.const 3))
            (data.drop $d))
        (func (export "init_again")
            (table.init $t $passive (i32.const 1) (i32.const 0) (i32.const 1))
            (memory.init $d (i32.const 0) (i32.const 0) (i32.const 1))))"#;
    let pool = pool(wat, &Imports::new());
    for _ in 0..3 {
        let mut instance = pool.instance().unwrap();
        assert_eq!(call(&mut instance, "get", &[0]), Ok(1));
        call(&mut instance, "get", &[1]).unwrap_err();
        assert_eq!(call(&mut instance, "size", &[]), Ok(2));
        call(&mut instance, "init_again", &[]).unwrap();
        call(&mut instance, "change", &[]).unwrap();
        assert_eq!(call(&mut instance, "get", &[0]), Ok(2));
        assert_eq!(call(&mut instance, "get", &[4]), Ok(2));
        assert_eq!(call(&mut instance, "size", &[]), Ok(5));
        call(&mut instance, "init_again", &[]).unwrap_err();
    }
}

#[test]
fn the_start_function_and_late_segments_run_for_each_instance() {
    let wat = r#"(module
        (import "env" "at" (global $at i32))
        (memory (export "memory") 1)
        (global $count (export "count") (mut i32) (i32.const 0))
        (data (global.get $at) "late")
        (func $start (global.set $count (i32.add (global.get $count) (i32.const 1))))
        (start $start))"#;
    let instances = |at: u128| {
        let mut imports = Imports::new();
        imports.global("env", "at", ValType::I32, false, at);
        pool(wat, &imports)
    };
    let pool = instances(0x8000);
    for _ in 0..3 {
        let mut instance = pool.instance().unwrap();
        assert_eq!(instance.global_get("count"), Some(Value::I32(1)));
        assert_eq!(&instance.memory()[0x7fff..0x8005], b"\0late\0");
        instance.memory()[0x8000] = 0;
    }
    let error = instances(0xfffe).instance().err().expect("a segment that does not fit");
    assert_eq!(error.to_string(), "instantiation trapped: out of bounds memory access");
}

#[test]
fn slots_are_kept_within_bounds() {
    let image = load(WAT, &Imports::new());
    let options =
        lithify_runtime::InstanceOptions { idle_per_entry: 2, idle_total: 3, ..Default::default() };
    let pool = Pool::new(&image, &options).unwrap();
    let (store, size) = (pool.entry("store").unwrap(), pool.entry("size").unwrap());
    assert!(pool.entry("absent").is_none() && pool.entry("memory").is_none());
    let all: Vec<_> = (0..5).map(|_| store.instance().unwrap()).collect();
    drop(all);
    assert_eq!(pool.idle(), 2);
    let all: Vec<_> = (0..5).map(|_| size.instance().unwrap()).collect();
    drop(all);
    assert_eq!(pool.idle(), 3);
    pool.trim();
    assert_eq!(pool.idle(), 0);
    assert_fresh(&mut store.instance().unwrap());
}

/// Threads that take and put back at once get fresh instances, and leave nothing behind: of the pool, of
/// those that are in use when it is dropped, of the image.
#[test]
fn a_pool_takes_its_slots_along() {
    let alive = Arc::new(());
    let imports = || {
        let (held, mut imports) = (Arc::clone(&alive), Imports::new());
        imports.func("env", "host", FuncType::new(&[], &[]), move |_, _| {
            let _ = &held;
            Ok(())
        });
        imports
    };
    const WAT: &str = r#"(module (import "env" "host" (func)) (memory 1)
        (global $g (export "g") (mut i32) (i32.const 5))
        (func (export "set") (global.set $g (i32.const 6)) (i32.store (i32.const 8) (i32.const 1)))
        (func (export "other")))"#;
    for idle_per_entry in [0, 1, 2, 40] {
        let options = lithify_runtime::InstanceOptions {
            idle_per_entry,
            idle_total: 6,
            ..Default::default()
        };
        let pool = Pool::new(&load(WAT, &imports()), &options).unwrap();
        let entries = ["set", "other"].map(|name| pool.entry(name).unwrap());
        let kept = std::thread::scope(|scope| {
            let threads = [0, 1, 2, 3].map(|thread| {
                let entries = &entries;
                scope.spawn(move || {
                    let mut held = Vec::new();
                    for round in 0..500 {
                        let entry = &entries[(round / 7 + thread) % 2];
                        let mut instance = entry.instance().unwrap();
                        assert_eq!(instance.global_get("g"), Some(Value::I32(5)));
                        assert_eq!(instance.memory()[8], 0);
                        instance.call(entry.func(), &mut [], &mut ()).unwrap();
                        if round % 3 == 0 {
                            held.push(instance);
                            held.truncate(3);
                        }
                    }
                    held
                })
            });
            threads.map(|thread| thread.join().unwrap())
        });
        assert!(pool.idle() <= 6, "{} at rest", pool.idle());
        assert_eq!(pool.idle() == 0, idle_per_entry == 0);
        drop((pool, entries));
        assert_eq!(Arc::strong_count(&alive), 2, "instances in use keep their image");
        drop(kept);
        assert_eq!(Arc::strong_count(&alive), 1, "{idle_per_entry} kept");
    }
}

/// What an instance had come to is where those of another pool begin: again and again, whatever calls
/// on them, or later ones on the first instance, do.
#[test]
fn instances_begin_where_another_was() {
    const WAT: &str = r#"(module
        (memory (export "memory") 2 40)
        (data (i32.const 100) "initial")
        (data $passive "abc")
        (table $table (export "table") 2 10 funcref)
        (elem (i32.const 0) func $one)
        (elem $more func $two)
        (global $g (export "g") (mut i32) (i32.const 5))
        (global $started (export "started") (mut i32) (i32.const 0))
        (start $start)
        (func $start (global.set $started (i32.add (global.get $started) (i32.const 1))))
        (func $one (result i32) (i32.const 1))
        (func $two (result i32) (i32.const 2))
        (func (export "settle")
            (i32.store (i32.const 100) (i32.const 0))
            (i32.store (i32.const 0x11000) (i32.const 7))
            (drop (memory.grow (i32.const 3)))
            (i32.store (i32.const 0x4fffc) (i32.const 8))
            (memory.init $passive (i32.const 200) (i32.const 0) (i32.const 3))
            (data.drop $passive)
            (table.init $table $more (i32.const 1) (i32.const 0) (i32.const 1))
            (drop (table.grow $table (ref.func $two) (i32.const 4)))
            (elem.drop $more)
            (global.set $g (i32.const 9)))
        (func (export "sum") (result i32)
            (i32.add (call_indirect $table (result i32) (i32.const 0))
                     (call_indirect $table (result i32) (i32.const 5))))
        (func (export "init") (param i32)
            (memory.init $passive (i32.const 300) (i32.const 0) (local.get 0)))
        (func (export "elem") (param i32)
            (table.init $table $more (i32.const 0) (i32.const 0) (local.get 0)))
        (func (export "disturb") (param i32)
            (memory.fill (local.get 0) (i32.const 0xee) (i32.const 0x2000))
            (drop (memory.grow (i32.const 5)))
            (drop (table.grow $table (ref.null func) (i32.const 1)))
            (table.fill $table (i32.const 0) (ref.func $two) (i32.const 6))
            (global.set $g (i32.const 77))))"#;
    fn settled(instance: &mut Instance) {
        assert_eq!(instance.memory().len(), 5 * PAGE);
        let known: [(usize, &[u8]); 4] =
            [(104, b"ial"), (200, b"abc"), (0x11000, &[7]), (0x4fffc, &[8])];
        let memory = instance.memory();
        let mut expected = vec![0; memory.len()];
        for (at, bytes) in known {
            expected[at..at + bytes.len()].copy_from_slice(bytes);
        }
        assert_eq!(memory.iter().zip(&expected).position(|(a, b)| a != b), None);
        assert_eq!(instance.global_get("g"), Some(Value::I32(9)));
        assert_eq!(instance.global_get("started"), Some(Value::I32(1)));
        assert_eq!(instance.table_len("table"), Some(6));
        assert_eq!(call(instance, "sum", &[]), Ok(3));
        // Dropped segments are empty ones.
        for name in ["init", "elem"] {
            assert_eq!(call(instance, name, &[0]), Ok(0));
            assert!(call(instance, name, &[1]).is_err());
        }
    }
    let pool = pool(WAT, &Imports::new());
    let mut first = pool.instance().unwrap();
    call(&mut first, "settle", &[]).unwrap();
    let from_first = Pool::from_instance(&mut first).unwrap();
    call(&mut first, "disturb", &[0]).unwrap();
    drop(first);
    let mut pools = vec![from_first];
    for round in 0..300 {
        for pool in &pools {
            let mut instance = pool.instance().unwrap();
            settled(&mut instance);
            let at = [0x4e000, 0, 0x10000 + round * 4093 % 0x20000][round % 3];
            call(&mut instance, "disturb", &[at as u128]).unwrap();
        }
        if round == 150 {
            // From one of those in turn.
            let next = Pool::from_instance(&mut pools[0].instance().unwrap()).unwrap();
            pools.push(next);
        }
        if round == 200 {
            // A pool needs no other.
            pools.remove(0);
        }
    }
    // Those of the module begin as it says.
    let mut instance = pool.instance().unwrap();
    assert_eq!(
        (instance.memory().len(), instance.global_get("g")),
        (2 * PAGE, Some(Value::I32(5)))
    );
    assert_eq!(&instance.memory()[100..107], b"initial");
    assert_eq!(call(&mut instance, "init", &[3]), Ok(0));
}
