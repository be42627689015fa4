//! Short copies and fills that are made in line do to memory what was asked for: those before the bodies of
//! functions that copy or fill, and bulk operators.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

mod support;

use lithify_runtime::{Guest, Imports};
use support::pool;

/// So many bytes of a copy as a local says, which is 0 then.
fn by_byte(left: &str) -> String {
    format!(
        "(block $done
          (loop $again
            (br_if $done (i32.eqz (local.get {left})))
            (i32.store8 (local.get $d) (i32.load8_u (local.get $from)))
            (local.set $d (i32.add (local.get $d) (i32.const 1)))
            (local.set $from (i32.add (local.get $from) (i32.const 1)))
            (local.set {left} (i32.sub (local.get {left}) (i32.const 1)))
            (br $again)))"
    )
}

/// A copy by the byte, and one that aligns what it stores to and goes by the word where the source allows
/// it; where not, it leaves a note on its stack, as Rust's does.
fn copies() -> String {
    let [head, rest] = ["$head", "$len"].map(by_byte);
    format!(
        r#"(module (memory (export "memory") 1) (global $stack (mut i32) (i32.const 1024))
  (func $bytes (export "bytes") (param $to i32) (param $from i32) (param $len i32) (result i32)
    (local $d i32)
    (local.set $d (local.get $to))
    {rest}
    (local.get $to))
  (func (export "words") (param $to i32) (param $from i32) (param $len i32) (result i32)
    (local $d i32) (local $head i32)
    (local.set $d (local.get $to))
    (if (i32.ge_u (local.get $len) (i32.const 16))
      (then
        (local.set $head (i32.and (i32.sub (i32.const 0) (local.get $to)) (i32.const 3)))
        (local.set $len (i32.sub (local.get $len) (local.get $head)))
        {head}
        (if (i32.and (local.get $from) (i32.const 3))
          (then (i32.store (i32.sub (global.get $stack) (i32.const 16)) (i32.const 0x01020304)))
          (else
            (loop $again
              (i32.store (local.get $d) (i32.load (local.get $from)))
              (local.set $d (i32.add (local.get $d) (i32.const 4)))
              (local.set $from (i32.add (local.get $from) (i32.const 4)))
              (local.set $len (i32.sub (local.get $len) (i32.const 4)))
              (br_if $again (i32.ge_u (local.get $len) (i32.const 4))))))))
    {rest}
    (local.get $to)))"#
    )
}

const PAGE: usize = 65_536;

/// What memory is after a copy, and whether it ends in a trap.
fn expected(name: &str, memory: &mut [u8], to: usize, from: usize, len: usize) -> bool {
    let head = (to.wrapping_neg() % 4).min(len);
    let (notes, words) = match (name, len >= 16) {
        ("words", true) => (!(from + head).is_multiple_of(4), (from + head).is_multiple_of(4)),
        _ => (false, false),
    };
    let mut at = 0;
    while at < len {
        if at == head && notes {
            memory[1008..1012].copy_from_slice(&[4, 3, 2, 1]);
        }
        let size = if words && at >= head && len - at >= 4 { 4 } else { 1 };
        if from + at + size > PAGE || to + at + size > PAGE {
            return false;
        }
        memory.copy_within(from + at..from + at + size, to + at);
        at += size;
    }
    true
}

/// At all lengths, alignments and distances; at the ends of memory; and with a trap in the middle.
#[test]
fn memory_is_what_the_body_makes_of_it() {
    let image = pool(&copies(), &Imports::new());
    let mut ranges = vec![];
    for len in (0..=70usize).chain([100]) {
        for shift in 0..16 {
            ranges.push((2048 + shift % 4, 3072 + shift / 4, len));
        }
        // Before and behind each other, with and without a byte in common; and over the note.
        for distance in [0, 1, 3, 4, len.saturating_sub(1), len, len + 1] {
            ranges.extend([(2048, 2048 + distance, len), (2048 + distance, 2048, len)]);
        }
        for near in [0, 1, 15, 16, 17, 32] {
            ranges.extend([(near, 2048, len), (2048, near, len)]);
            let end = PAGE - near - len;
            ranges.extend([(end, 2048, len), (2048, end, len), (end + 4, 2048, len)]);
        }
        ranges.extend([(1000, 2049, len), (1001, 2049, len), (2048, 1001, len)]);
    }
    let start: Vec<u8> = (0..PAGE).map(|at| (at * 7 + at / 251) as u8).collect();
    for name in ["bytes", "words"] {
        let mut trapped = 0;
        for (to, from, len) in &ranges {
            let (to, from, len) = (*to, *from, *len);
            let mut instance = image.instance().unwrap();
            let copy = instance.func(name).unwrap();
            instance.memory().copy_from_slice(&start);
            let mut memory = start.clone();
            let whole = expected(name, &mut memory, to, from, len);
            let mut slots = [to as u128, from as u128, len as u128];
            let result = instance.call(&copy, &mut slots, &mut ());
            assert_eq!(result.is_ok(), whole, "{name} {to} {from} {len}");
            assert!(!whole || slots[0] == to as u128, "{name} {to} {from} {len}");
            assert!(instance.memory() == memory, "{name} {to} {from} {len}");
            trapped += u32::from(!whole);
        }
        assert!(trapped > 10);
    }
}

/// Fills by the byte, by words after the first ones, and with zeros; as C's libraries do from both ends.
const FILLS: &str = r#"(module (memory (export "memory") 1)
  (func (export "bytes") (param $to i32) (param $byte i32) (param $len i32) (result i32)
    (local $at i32)
    (block $done
      (loop $again
        (br_if $done (i32.eq (local.get $at) (local.get $len)))
        (i32.store8 (i32.add (local.get $to) (local.get $at)) (local.get $byte))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $again)))
    (local.get $to))
  (func (export "words") (param $to i32) (param $byte i32) (param $len i32) (result i32)
    (local $at i32) (local $end i32) (local $word i32)
    (local.set $at (local.get $to))
    (local.set $end (i32.add (local.get $to) (local.get $len)))
    (local.set $word
      (i32.mul (i32.and (local.get $byte) (i32.const 255)) (i32.const 0x01010101)))
    (block $done
      (loop $again
        (br_if $done (i32.eq (local.get $at) (local.get $end)))
        (if
          (i32.or
            (i32.and (local.get $at) (i32.const 3))
            (i32.lt_u (i32.sub (local.get $end) (local.get $at)) (i32.const 4)))
          (then
            (i32.store8 (local.get $at) (local.get $byte))
            (local.set $at (i32.add (local.get $at) (i32.const 1))))
          (else
            (i32.store (local.get $at) (local.get $word))
            (local.set $at (i32.add (local.get $at) (i32.const 4)))))
        (br $again)))
    (local.get $to))
  (func (export "zeros") (param $to i32) (param $len i32)
    (local $end i32)
    (if (i32.eqz (local.get $len)) (then (return)))
    (local.set $end (i32.add (local.get $to) (local.get $len)))
    (i32.store8 (local.get $to) (i32.const 0))
    (i32.store8 (i32.sub (local.get $end) (i32.const 1)) (i32.const 0))
    (loop $again
      (if (i32.gt_u (i32.sub (local.get $end) (local.get $to)) (i32.const 2))
        (then
          (local.set $end (i32.sub (local.get $end) (i32.const 1)))
          (i32.store8 (i32.sub (local.get $end) (i32.const 1)) (i32.const 0))
          (br $again))))))"#;

/// At all lengths and alignments, and at the ends of memory: where it traps, bytes before may be filled.
#[test]
fn a_fill_is_what_the_body_makes_of_it() {
    let image = pool(FILLS, &Imports::new());
    let start: Vec<u8> = (0..PAGE).map(|at| (at * 7 + at / 251) as u8 | 1).collect();
    let mut instance = image.instance().unwrap();
    for name in ["bytes", "words", "zeros"] {
        let fill = instance.func(name).unwrap();
        for len in (0..=70usize).chain([100]) {
            let places = (2048..2056).chain([0, 1, 15, 16, 17]);
            let ends = [0, 1, 15, 16, 17, 32].map(|near| PAGE - near - len);
            for to in places.chain(ends).chain([PAGE - len + 1]) {
                instance.memory().copy_from_slice(&start);
                let byte = if name == "zeros" { 0 } else { 0xa5 };
                let mut slots = match name {
                    "zeros" => [to as u128, len as u128, 0],
                    _ => [to as u128, 0x1234_56a5, len as u128],
                };
                let result = instance.call(&fill, &mut slots, &mut ());
                let whole = to + len <= PAGE || len == 0;
                assert_eq!(result.is_ok(), whole, "{name} {to} {len}");
                let memory = instance.memory();
                for (at, (now, before)) in memory.iter().zip(&start).enumerate() {
                    let inside = (to..to + len).contains(&at);
                    let good = match (inside, whole) {
                        (true, true) => *now == byte,
                        (true, false) => now == before || *now == byte,
                        (false, _) => now == before,
                    };
                    assert!(good, "{name} {to} {len}: {at}");
                }
                if !whole {
                    instance = image.instance().unwrap();
                }
            }
        }
    }
}

/// Of all lengths, constants and not, overlapping either way, up to the end of memory and beyond, where
/// nothing is written.
#[test]
fn bulk_operators_are_whole_or_traps() {
    let mut functions = String::new();
    for operator in ["copy", "fill"] {
        for len in 0..=66 {
            functions += &format!(
                "(func (export \"{operator}{len}\") (param i32 i32 i32)
                   (memory.{operator} (local.get 0) (local.get 1) (i32.const {len})))"
            );
        }
        functions += &format!(
            "(func (export \"{operator}\") (param i32 i32 i32)
               (memory.{operator} (local.get 0) (local.get 1) (local.get 2)))"
        );
    }
    let image =
        pool(&format!("(module (memory (export \"memory\") 1) {functions})"), &Imports::new());
    let start: Vec<u8> = (0..PAGE).map(|at| (at * 7 + at / 251) as u8).collect();
    let mut instance = image.instance().unwrap();
    for len in 0..=66 {
        let end = PAGE - len;
        for (operator, name) in ["copy", "fill"].into_iter().flat_map(|operator| {
            [(operator, operator.into()), (operator, format!("{operator}{len}"))]
        }) {
            let function = instance.func(&name).unwrap();
            for (to, other) in
                [(0, 100), (7, 8), (8, 7), (100, 90), (90, 100), (end, 300), (300, end), (5, 5)]
                    .into_iter()
                    .chain([
                        (end + 1, 3),
                        (1, end + 1),
                        (PAGE + 1, 0),
                        (0, usize::MAX),
                        (usize::MAX, 0),
                    ])
            {
                let (to, other) = (to as u32 as usize, other as u32 as usize);
                instance.memory().copy_from_slice(&start);
                let mut memory = start.clone();
                let from = if operator == "copy" { other } else { 0 };
                let inside = to + len <= PAGE && from + len <= PAGE;
                match operator {
                    _ if !inside => {}
                    "copy" => memory.copy_within(from..from + len, to),
                    _ => memory[to..to + len].fill(other as u8),
                }
                let mut slots = [to as u128, other as u128, len as u128];
                let result = instance.call(&function, &mut slots, &mut ());
                assert_eq!(result.is_ok(), inside, "{name} {to} {other} {len}");
                assert!(instance.memory() == memory, "{name} {to} {other} {len}");
            }
        }
    }
}

/// Accesses far behind a range trap, whatever else the function copies.
#[test]
fn an_access_far_behind_a_range_is_none_of_it() {
    for access in [
        "(drop (i32.load8_u offset=2147483647 (local.get 1)))",
        "(drop (i64.load offset=4294967295 (local.get 1)))",
        "(i32.store8 offset=2147483647 (local.get 0) (i32.const 7))",
        "(i64.store offset=4294967295 (local.get 0) (i64.const 7))",
    ] {
        let text = format!(
            "(module (memory 1) (func (export \"f\") (param i32 i32 i32) (result i32) (local i32)
               {access}
               (block $done (loop $again
                 (br_if $done (i32.eq (local.get 3) (local.get 2)))
                 (i32.store8 (i32.add (local.get 0) (local.get 3))
                   (i32.load8_u (i32.add (local.get 1) (local.get 3))))
                 (local.set 3 (i32.add (local.get 3) (i32.const 1)))
                 (br $again)))
               (local.get 0)))"
        );
        let mut instance = pool(&text, &Imports::new()).instance().unwrap();
        let f = instance.func("f").unwrap();
        assert!(instance.call(&f, &mut [1000, 2000, 8], &mut ()).is_err(), "{access}");
    }
}
