//! Sizes that an embedder gives to imported memories and tables: instances have them, and those
//! that do not fit the module are refused by name and type.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

mod support;

use lithify_runtime::{
    FuncType, Image, ImageError, Imports, Instance, Limits, Trust, ValType, Value,
};

const MODULE: &str = r#"(module
    (import "env" "memory" (memory 1 4))
    (import "env" "spare" (table $spare 1 externref))
    (import "env" "table" (table $table 2 8 externref))
    (export "spare" (table $spare))
    (export "table" (table $table))
    (func (export "size") (result i32) (memory.size))
    (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
    (func (export "table_size") (result i32) (table.size $table))
    (func (export "table_grow") (param i32) (result i32)
        (table.grow $table (ref.null extern) (local.get 0))))"#;

fn limits(min: u32, max: Option<u32>) -> Limits {
    Limits { min, max }
}

fn call(instance: &mut Instance, name: &str, arguments: &[i32]) -> i32 {
    let func = instance.func(name).unwrap();
    let arguments: Vec<Value> = arguments.iter().map(|i| Value::I32(*i)).collect();
    match instance.call_values(&func, &arguments, &mut ()).unwrap()[..] {
        [Value::I32(result)] => result,
        ref other => panic!("{other:?}"),
    }
}

#[test]
fn an_instance_has_the_sizes_that_were_provided() {
    let check = |memory: Option<Limits>, table: Option<Limits>, sizes: [i32; 2], most: [i32; 2]| {
        let mut imports = Imports::new();
        memory.map(|limits| imports.memory("env", "memory", limits));
        table.map(|limits| imports.table("env", "table", limits));
        let pool = support::pool(MODULE, &imports);
        // The second time on the same slot.
        for _ in 0..2 {
            let mut instance = pool.instance().unwrap();
            assert_eq!(instance.memory_len(), sizes[0] as usize * 65536);
            assert_eq!(instance.table_len("table"), Some(sizes[1] as u32));
            assert_eq!(instance.table_len("spare"), Some(1), "nobody provides that one");
            for (i, name) in ["", "table_"].into_iter().enumerate() {
                let [size, grow] = ["size", "grow"].map(|what| format!("{name}{what}"));
                assert_eq!(call(&mut instance, &size, &[]), sizes[i]);
                assert_eq!(call(&mut instance, &grow, &[most[i] - sizes[i]]), sizes[i]);
                assert_eq!(call(&mut instance, &grow, &[1]), -1, "{name} {most:?}");
                assert_eq!(call(&mut instance, &size, &[]), most[i]);
            }
            assert_eq!(instance.table_len("table"), Some(most[1] as u32));
        }
    };
    check(None, None, [1, 2], [4, 8]);
    check(Some(limits(2, Some(3))), Some(limits(5, Some(6))), [2, 5], [3, 6]);
    check(Some(limits(1, Some(1))), Some(limits(8, Some(8))), [1, 8], [1, 8]);
}

#[test]
fn a_segment_behind_the_module_s_own_size_fits() {
    let wat = r#"(module
        (import "env" "memory" (memory 0))
        (import "env" "table" (table 0 funcref))
        (func $f (result i32) (i32.const 42))
        (data (i32.const 65535) "x")
        (elem (i32.const 9) $f)
        (func (export "run") (result i32)
            (i32.add (i32.load8_u (i32.const 65535)) (call_indirect (result i32) (i32.const 9)))))"#;
    let mut imports = Imports::new();
    imports.memory("env", "memory", limits(1, None)).table("env", "table", limits(10, None));
    let mut instance = support::pool(wat, &imports).instance().unwrap();
    assert_eq!(call(&mut instance, "run", &[]), i32::from(b'x') + 42);
    imports.table("env", "table", limits(9, None));
    let error = support::pool(wat, &imports).instance().map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("out of bounds table access"), "{error}");
}

#[test]
fn sizes_that_do_not_fit_are_refused() {
    let image = support::compile(MODULE);
    let check = |provide: &dyn Fn(&mut Imports), expected: &str| {
        let mut imports = Imports::new();
        provide(&mut imports);
        match Image::from_bytes(&image, &imports, Trust::Verify).map(|_| ()) {
            Err(error @ ImageError::Imports { .. }) => {
                assert!(error.to_string().contains(expected), "{error}");
            }
            other => panic!("{expected}: {other:?}"),
        }
    };
    for (min, max, shown) in [(0, Some(4), "0 4"), (1, Some(5), "1 5"), (1, None, "1")] {
        let expected = format!("env.memory: memory 1 4, but provided as memory {shown}");
        check(&|i| _ = i.memory("env", "memory", limits(min, max)), &expected);
    }
    for (min, max, shown) in [(1, Some(8), "1 8"), (2, Some(9), "2 9"), (2, None, "2")] {
        let expected = format!("env.table: table 2 8, but provided as table {shown}");
        check(&|i| _ = i.table("env", "table", limits(min, max)), &expected);
    }
    let wanted = "env.memory: memory 1 4, but provided as";
    let table = |i: &mut Imports| _ = i.table("env", "memory", limits(1, Some(4)));
    check(&table, &format!("{wanted} table 1 4"));
    let global = |i: &mut Imports| _ = i.global("env", "memory", ValType::I32, true, 0);
    check(&global, &format!("{wanted} global (mut i32)"));
    let ty = FuncType::new(&[], &[ValType::I32]);
    let func = |i: &mut Imports| _ = i.func("env", "memory", ty.clone(), |_, _| Ok(()));
    check(&func, &format!("{wanted} () -> i32"));
}
