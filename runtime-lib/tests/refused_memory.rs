//! What a guest is refused is -1: tables and memories that the system has no room for.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

mod support;

use lithify_runtime::{Instance, TrapCode};
use std::fmt::Write as _;

/// Set in the process whose memory is limited.
const CASE: &str = "LITHIFY_REFUSED_MEMORY";
const TABLES: usize = 40;

/// Exports `grow0`, `grow1`, ...: each grows a table of its own and returns what that gives; `len0`,
/// ...; and the same for memory.
fn module() -> String {
    let mut wat = String::from(
        "(module (memory 16)
            (func (export \"memory\") (param i32) (result i32) (memory.grow (local.get 0)))
            (func (export \"store\") (param i32) (i32.store (local.get 0) (i32.const 1)))",
    );
    for table in 0..TABLES {
        writeln!(
            wat,
            "(table $t{table} 2 funcref)
             (func (export \"grow{table}\") (param i32) (result i32)
                (table.grow $t{table} (ref.null func) (local.get 0)))
             (func (export \"copy{table}\") (param i32)
                (table.copy $t{table} $t0 (i32.const 0) (i32.const 1) (local.get 0)))
             (func (export \"len{table}\") (result i32) (table.size $t{table}))"
        )
        .unwrap();
    }
    wat + ")"
}

fn call(instance: &mut Instance, name: &str, argument: u32) -> Result<u32, TrapCode> {
    let func = instance.func(name).expect(name);
    let mut slots = [u128::from(argument)];
    instance.call(&func, &mut slots, &mut ()).map_err(|trap| trap.code)?;
    Ok(slots[0] as u32)
}

fn grow_all() {
    let mut instance = support::instance(&module());
    let mut len = [2; TABLES];
    let mut refused = 0;
    for delta in [10_000_000, 1_000_000, 100_000, 10_000, 1000] {
        for (table, len) in len.iter_mut().enumerate() {
            match call(&mut instance, &format!("grow{table}"), delta).unwrap() {
                u32::MAX => refused += 1,
                old => {
                    assert_eq!(old, *len);
                    *len += delta;
                }
            }
            assert_eq!(call(&mut instance, &format!("len{table}"), 0), Ok(*len));
        }
    }
    assert!(len[0] > 1_000_000 && refused > TABLES, "{len:?}");
    // Values go from one table to another, and within one, as far as both go.
    assert_eq!(call(&mut instance, "copy1", len[1] + 1), Err(TrapCode::TableOutOfBounds));
    call(&mut instance, "copy0", len[0] - 1).unwrap();
    let mut pages = 16;
    for delta in [65_536 - 16, 10_000, 1000, 100, 10, 1] {
        while call(&mut instance, "memory", delta).unwrap() != u32::MAX {
            pages += delta;
        }
    }
    assert!(pages < 65_536, "the system refused");
    call(&mut instance, "store", pages * 65_536 - 4).unwrap();
    let beyond = call(&mut instance, "store", pages * 65_536 - 3);
    assert_eq!(beyond, Err(TrapCode::MemoryOutOfBounds));
}

#[test]
fn growing_beyond_what_the_system_gives_is_refused() {
    let name = "growing_beyond_what_the_system_gives_is_refused";
    if std::env::var_os(CASE).is_some() {
        return grow_all();
    }
    // An emulator's own memory is part of it.
    let kib = if cfg!(target_arch = "aarch64") { 1 << 20 } else { 256 << 10 };
    let output = support::limited(name, kib).env(CASE, "1").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{said}", output.status);
}

#[test]
fn all_tables_together_have_a_largest_size() {
    let mut instance = support::instance(&module());
    let grown = |instance: &mut Instance, table: usize, delta| {
        call(instance, &format!("grow{table}"), delta).unwrap() != u32::MAX
    };
    assert!(grown(&mut instance, 0, 9_000_000));
    assert!(!grown(&mut instance, 1, 9_000_000), "18 million elements");
    assert!(grown(&mut instance, 1, 7_000_000), "16 million");
    assert!(!grown(&mut instance, 2, 1_000_000));
    assert!(grown(&mut instance, 2, 1000));
}
