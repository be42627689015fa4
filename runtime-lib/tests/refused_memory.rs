//! What a guest is refused is -1: tables and memories that the system has no room for.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

mod support;

#[cfg(target_arch = "x86_64")]
use lithify_runtime::Imports;
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

/// Runs `work` with no more memory than there is now.
#[cfg(target_arch = "x86_64")]
fn without_more_memory<R>(work: impl FnOnce() -> R) -> R {
    let set = |limit: &libc::rlimit| {
        // SAFETY: the limit is read.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_DATA, limit) }, 0);
    };
    let mut old = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `old` is ours to write.
    assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_DATA, &raw mut old) }, 0);
    // 0 would be no limit (for valgrind, as the kernel says).
    set(&libc::rlimit { rlim_cur: 4096, ..old });
    let result = work();
    set(&old);
    result
}

#[cfg(target_arch = "x86_64")]
fn write_when_refused() {
    let pool = support::pool(
        "(module (memory 64) (func (export \"write\") (param i32) (result i32)
            (i32.store (local.get 0) (i32.const 7))
            (i32.load (local.get 0))))",
        &Imports::new(),
    );
    let entry = pool.entry("write").expect("an export");
    let write = |address: u32| {
        let mut instance = entry.instance().expect("an instance");
        let mut values = [u128::from(address)];
        let done = instance.call(entry.func(), &mut values, &mut ());
        done.map(|()| values[0] as u32).map_err(|trap| trap.code)
    };
    // The first call learns which pages are written; later ones get no others for nothing.
    assert_eq!([write(0), write(0)], [Ok(7), Ok(7)]);
    for address in [1 << 20, 2 << 20, 0] {
        let mut instance = entry.instance().expect("an instance");
        let mut values = [u128::from(address as u32)];
        let done = without_more_memory(|| instance.call(entry.func(), &mut values, &mut ()));
        let known = address == 0;
        let expected = if known { Ok(()) } else { Err(TrapCode::MemoryRefused) };
        assert_eq!(done.map_err(|trap| trap.code), expected, "{address:#x}");
        drop(instance);
        // Fresh memory, that of this call, too.
        assert_eq!([write(0), write(1 << 20), write(0)], [Ok(7), Ok(7), Ok(7)]);
    }
}

/// The emulator ignores limits that its guest sets.
#[cfg(target_arch = "x86_64")]
#[test]
fn a_first_write_that_the_system_refuses_is_a_trap() {
    let name = "a_first_write_that_the_system_refuses_is_a_trap";
    if std::env::var_os(CASE).is_some() {
        return write_when_refused();
    }
    let output = support::limited(name, 8 << 20).env(CASE, "1").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{said}", output.status);
}
