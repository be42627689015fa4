//! The default of the longest jump table there may be is called, and is where it is. That all other
//! branches arrive is shown by decoding them, in `compiler/tests/branches.rs`.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

mod support;

use support::instance;

/// `br_table` of 65 520 ways, the most there may be: they give 11, the default goes on.
fn table() -> String {
    let ways = "0 1 ".repeat(65_520 / 2);
    format!("(block (block (block (br_table {ways} 2 (local.get 0)))) (return (i32.const 11)))")
}

/// Calls `run` with each argument.
fn check(body: &str, cases: &[(u32, u32)]) {
    let mut instance =
        instance(&format!(r#"(module (func (export "run") (param i32) (result i32) {body}))"#));
    let run = instance.func("run").unwrap();
    for (argument, expected) in cases {
        let mut slots = [u128::from(*argument)];
        instance.call(&run, &mut slots, &mut ()).unwrap();
        assert_eq!(slots[0] as u32, *expected, "run({argument:#x})");
    }
}

#[test]
fn the_default_of_a_long_table_is_where_it_is() {
    let body = format!("{} (i32.const 22)", table());
    let last = 65_519;
    let cases = [(0, 11), (last, 11), (last + 1, 22), (0x7fff_ffff, 22), (u32::MAX, 22)];
    check(&body, &cases);
}
