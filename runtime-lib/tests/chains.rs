//! Chains of comparisons, which become searches, lead where they would, and trap where they would.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

mod support;

use lithify_runtime::Imports;
use std::fmt::Write;
use support::pool;

/// What each value leads to, at the ends of its type and between the constants, too.
#[test]
fn each_value_leads_where_the_first_equal_constant_says() {
    for (ty, bits) in [("i32", 32), ("i64", 64)] {
        let min = if bits == 32 { i64::from(i32::MIN) } else { i64::MIN };
        // The last three are there before.
        let constants =
            [5, 3, -1, min, 1000, 7, !min, 0, -9, 6, 5, 12, 0x10000, 2000, -1000, 5, min, 7];
        let mut arms = String::new();
        for (arm, constant) in constants.iter().enumerate() {
            let _ = match arm % 3 {
                0 => writeln!(
                    arms,
                    "(if ({ty}.eq (local.get 0) ({ty}.const {constant})) (then (return (i32.const {arm}))))"
                ),
                1 => writeln!(
                    arms,
                    "(drop (br_if $out (i32.const {arm}) ({ty}.eq ({ty}.const {constant}) (local.get 0))))"
                ),
                _ => writeln!(
                    arms,
                    "(if ({ty}.ne (local.get 0) ({ty}.const {constant})) (then) (else (return (i32.const {arm}))))"
                ),
            };
        }
        let text = format!(
            "(module (func (export \"find\") (param {ty}) (result i32)
               (block $out (result i32) {arms} (i32.const 99))))"
        );
        let mut instance = pool(&text, &Imports::new()).instance().unwrap();
        let find = instance.func("find").unwrap();
        let around = |constant: i64| [-1, 0, 1].map(|by| constant.wrapping_add(by));
        for value in constants.into_iter().flat_map(around) {
            let value = if bits == 32 { i64::from(value as i32) } else { value };
            let mut slots = [u128::from(value as u64 & (u64::MAX >> (64 - bits)))];
            instance.call(&find, &mut slots, &mut ()).unwrap();
            let first = constants.iter().position(|constant| *constant == value);
            assert_eq!(slots[0] as u32 as usize, first.unwrap_or(99), "{ty} {value}");
        }
    }
}

/// Every arm of these is a trap, and so is what follows them.
#[test]
fn traps_are_where_they_would_be() {
    const ARM: [u8; 4] = [0x04, 0x40, 0x00, 0x0b];
    let arms: String = (0..20)
        .map(|arm| {
            format!("(if (i32.eq (local.get 0) (i32.const {})) (then unreachable))", arm * 7 % 20)
        })
        .collect();
    let text = format!("(module (func (export \"trap\") (param i32) {arms} unreachable))");
    let wasm = wat::parse_str(&text).unwrap();
    let offsets: Vec<usize> = (wasm.windows(4).enumerate())
        .filter_map(|(at, bytes)| (bytes == ARM).then_some(at + 2))
        .collect();
    assert_eq!(offsets.len(), 20);
    let mut instance = pool(&text, &Imports::new()).instance().unwrap();
    let func = instance.func("trap").unwrap();
    for (arm, offset) in offsets.iter().enumerate() {
        let trap = instance.call(&func, &mut [arm as u128 * 7 % 20], &mut ()).unwrap_err();
        assert_eq!(trap.wasm_offset(), Some(*offset as u32), "{arm}");
    }
    let trap = instance.call(&func, &mut [20], &mut ()).unwrap_err();
    assert_eq!(trap.wasm_offset(), Some(offsets[19] as u32 + 2));
}
