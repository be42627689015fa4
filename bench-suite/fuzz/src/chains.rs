//! Makes modules that compare a value with one constant after the other, or nearly do: what a compiler
//! might make a search of.
//!
//! Constants repeat, are negative, lie at the ends of their type; comparisons leave, fall through, trap,
//! are of other values or do something besides. Each function runs its chain for every value around its
//! constants and returns which ways were taken; it takes no fuel, as it ends by itself.

use crate::rewrite;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::fmt::Write;

/// Functions of a module.
const FUNCTIONS: u32 = 8;
/// Links of a chain, at most.
const LINKS: u32 = 40;
/// Blocks around a chain that its links leave to.
const WAYS: u32 = 4;

/// A module in the form that `bounded` gives.
pub fn module(random: &mut ChaCha8Rng) -> Vec<u8> {
    let mut text = String::new();
    for index in 0..FUNCTIONS {
        function(&mut text, index, random);
    }
    rewrite::of_functions(&text)
}

/// A function that runs a chain for some eighty values. It returns a digest of the ways taken.
fn function(text: &mut String, index: u32, random: &mut ChaCha8Rng) {
    let ty = if random.random_bool(0.7) { "i32" } else { "i64" };
    let stride = [1, 1, 4, 1 << 20][random.random_range(0..4)];
    let base: i64 = match random.random_range(0..4) {
        0 => 0,
        1 => random.random_range(-100_000..100_000),
        2 if ty == "i64" => i64::MAX - 20,
        _ => i64::from(i32::MAX) - 20,
    };
    let constant = |random: &mut ChaCha8Rng| {
        let value = base.wrapping_add(i64::from(random.random_range(-5..60)) * stride);
        if ty == "i32" { i64::from(value as i32) } else { value }
    };
    let mut chain = String::new();
    let mut open = 0;
    for link in 0..random.random_range(1..LINKS) {
        let mut operands =
            ["(local.get $x)".to_owned(), format!("({ty}.const {})", constant(random))];
        if random.random_bool(0.1) {
            operands.swap(0, 1);
        }
        let [a, b] = operands;
        let way = random.random_range(0..WAYS);
        let note = format!("(local.set $r (i32.add (local.get $r) (i32.const {link})))");
        let _ = match random.random_range(0..20) {
            0..8 => writeln!(chain, "(br_if $w{way} ({ty}.eq {a} {b}))"),
            8..14 => writeln!(chain, "(if ({ty}.eq {a} {b}) (then {note} (br $w{way})))"),
            14..16 => {
                open += 1;
                writeln!(chain, "(if ({ty}.ne {a} {b}) (then")
            }
            16 => writeln!(chain, "(if ({ty}.eq {a} {b}) (then {note}))"),
            17 => writeln!(chain, "(br_if $w{way} ({ty}.eq (local.get $y) {b}))"),
            18 if random.random_bool(0.3) => {
                writeln!(chain, "(if ({ty}.eq {a} {b}) (then unreachable))")
            }
            18 => writeln!(chain, "(br_if $value (local.get $r) ({ty}.eq {a} {b})) (drop)"),
            _ => writeln!(chain, "(global.set $g (i32.add (global.get $g) (i32.const 1)))"),
        };
    }
    // What no constant was is one of the ways, or a trap.
    let rest = random.random_range(0..WAYS + 1);
    let rest =
        if rest < WAYS { format!("(br $w{rest})") } else { "(br $value (i32.const 7))".into() };
    chain.extend(std::iter::repeat_n("))\n", open));
    let mut body = format!("{chain}{rest}");
    for way in 0..WAYS {
        body = format!("(block $w{way} {body}) (br $value (i32.const {}))\n", 100 + way);
    }
    let value = match ty {
        "i32" => "(local.get $i)",
        _ => "(i64.extend_i32_s (local.get $i))",
    };
    let _ = writeln!(
        text,
        "(func $f{index} (export \"f{index}\") (param $y {ty}) (result i32)
           (local $x {ty}) (local $i i32) (local $r i32) (local $all i32)
           (local.set $i (i32.const -10))
           (loop $next
             (local.set $x ({ty}.add ({ty}.const {base}) ({ty}.mul {value} ({ty}.const {stride}))))
             (local.set $r (i32.const 0))
             (local.set $all (i32.add (i32.mul (local.get $all) (i32.const 31))
               (block $value (result i32) {body} (i32.const 3))))
             (local.set $all (i32.add (i32.mul (local.get $all) (i32.const 31)) (local.get $r)))
             (local.set $i (i32.add (local.get $i) (i32.const 1)))
             (br_if $next (i32.lt_s (local.get $i) (i32.const 70))))
           (local.get $all))"
    );
}
