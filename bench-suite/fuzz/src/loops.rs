//! Makes modules of loops that copy and fill memory, or nearly do: what a compiler might widen.
//!
//! Sources and destinations overlap, lie at the ends of memory and around the end of the address
//! space; loops go either way, count in every way, and some of them are not what they look like.
//! Each ends by itself, since every round stores somewhere else, so they take no fuel.

use crate::rewrite::{FUEL, FUEL_PER_CALL, MEMORY};
use rand::{Rng, RngCore};
use rand_chacha::ChaCha8Rng;
use std::fmt::Write;

/// Functions of a module.
const FUNCTIONS: u32 = 12;

/// Loads and stores by width.
const ACCESSES: [(&str, &str, i32); 12] = [
    ("i32.load8_u", "i32.store8", 1),
    ("i32.load8_s", "i32.store8", 1),
    ("i64.load8_u", "i64.store8", 1),
    ("i32.load16_u", "i32.store16", 2),
    ("i64.load16_s", "i64.store16", 2),
    ("i32.load", "i32.store", 4),
    ("i32.load", "i32.store", 4),
    ("i64.load32_u", "i64.store32", 4),
    ("f32.load", "f32.store", 4),
    ("i64.load", "i64.store", 8),
    ("f64.load", "f64.store", 8),
    ("i32.load", "i32.store8", 4),
];

/// A module in the form that `bounded` gives.
pub fn module(random: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = vec![0; 512];
    random.fill_bytes(&mut bytes);
    let data: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
    let mut text = format!(
        "(module (memory (export \"{MEMORY}\") 1)
           (global (export \"{FUEL}\") (mut i32) (i32.const {FUEL_PER_CALL}))
           (data (i32.const 0) \"{data}\") (data (i32.const 4096) \"{data}\")
           (data (i32.const 65024) \"{data}\")\n"
    );
    for index in 0..FUNCTIONS {
        function(&mut text, index, random);
    }
    text.push(')');
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn pick<T: Copy>(random: &mut ChaCha8Rng, from: &[T]) -> T {
    from[random.random_range(0..from.len())]
}

/// A function with one loop. It returns what its locals are afterwards.
fn function(text: &mut String, index: u32, random: &mut ChaCha8Rng) {
    let shifted = random.random_bool(0.2);
    let (mut access, mut unrolled) = (pick(random, &ACCESSES), pick(random, &[1, 1, 1, 2, 4, 8]));
    if shifted {
        access = pick(random, &[ACCESSES[5], ACCESSES[5], ACCESSES[9]]);
        unrolled = 1;
    }
    let (load, store, width) = access;
    let down = random.random_bool(0.3);
    let mut stride = width * unrolled;
    if random.random_bool(0.05) {
        stride += pick(random, &[-1, 1, 4]);
    }
    let stride = if down { -stride.max(1) } else { stride.max(1) };

    let near = pick(
        random,
        &[0, 20, 300, 300, 2000, 4096, 4096, 8192, 50_000, 65_200, 65_500, 65_535, -8],
    );
    let to = near + random.random_range(0..32);
    let from = match random.random_range(0..4) {
        0 => to + random.random_range(-40..=40),
        1 => to + pick(random, &[-16, 16, -15, 15, 1, -1, 0, 32, -32, 64, -64]),
        _ => pick(random, &[0, 4096, 65_100, 65_500]) + random.random_range(0..32),
    };
    // Some go on for so long that what makes rounds together makes them another way.
    let most = if random.random_bool(0.2) { 1500 } else { 90 };
    let rounds = random.random_range(0..most);
    let [to_offset, from_offset] =
        [(); 2].map(|()| pick(random, &[0, 0, 0, 0, 0, 4, 4, 16, 32, 70_000]));

    // How far `$i` goes: with the pointers, or on its own.
    let indexed = random.random_bool(0.3);
    let step = if indexed { stride } else { pick(random, &[stride, -1, 1, -4, 4, 3, -stride]) };
    let somewhere = random.random_range(-50..50);
    let start = pick(random, &[0, 0, 0, 4096, rounds * -step, rounds * -step, somewhere, i32::MIN]);
    let ragged = if random.random_bool(0.2) { random.random_range(-3..3) } else { 0 };
    let end = start.wrapping_add(rounds * step).wrapping_add(ragged);

    let place = |pointer: &str, at: i32| {
        let pointer = if indexed {
            format!("(i32.add (local.get {pointer}) (local.get $i))")
        } else {
            format!("(local.get {pointer})")
        };
        format!("(i32.add {pointer} (i32.const {at}))")
    };
    let fill = random.random_bool(0.35);
    let value = |ty: &str| match ty {
        "i64" => "(local.get $v)".to_owned(),
        "i32" => "(i32.wrap_i64 (local.get $v))".to_owned(),
        "f32" => "(f32.reinterpret_i32 (i32.wrap_i64 (local.get $v)))".to_owned(),
        _ => "(f64.reinterpret_i64 (local.get $v))".to_owned(),
    };
    let constant = random.random_bool(0.3);
    let repeated = pick(random, &[0x5a, 0x2a2a_2a2a, 0, -1]);
    let mut order: Vec<i32> = (0..unrolled).collect();
    if random.random_bool(0.2) {
        order.reverse();
    }
    let mut sources = order.clone();
    if random.random_bool(0.1) {
        sources.rotate_left(1);
    }
    let mut body = String::new();
    let mut before = String::new();
    if shifted {
        let ty = &store[..3];
        let load = |at: i32| format!("({load} offset={from_offset} {})", place("$q", at));
        let [first, word, after] = words(random, ty, stride, load);
        let place = place("$p", 0);
        body =
            format!("{word} ({store} offset={to_offset} {place} (local.get $word_{ty})) {after}\n");
        before = first;
        order.clear();
    }
    for (at, source_at) in order.iter().zip(sources) {
        // Part of the distance may stand in the access itself.
        let fixed = if random.random_bool(0.5) { at * width } else { 0 };
        let moved = at * width - fixed;
        let ty = &store[..3];
        let source = match (fill, constant && ty.starts_with('i')) {
            (true, true) => format!("({ty}.const {repeated})"),
            (true, false) => value(ty),
            (false, _) => {
                // Now and then from elsewhere, or with bits lost.
                let wrong = i32::from(random.random_bool(0.02));
                let place = place("$q", (source_at - at) * width + moved + wrong);
                let loaded = format!("({load} offset={} {place})", from_offset + fixed);
                if random.random_bool(0.1) && ty.starts_with('i') {
                    format!("({ty}.extend8_s {loaded})")
                } else {
                    loaded
                }
            }
        };
        let (place, offset) = (place("$p", moved), to_offset + fixed);
        let _ = writeln!(body, "({store} offset={offset} {place} {source})");
    }
    if random.random_bool(0.1) {
        // Two values of earlier rounds.
        body.push_str("(local.set $before (local.get $last)) (local.set $last (local.get $p))\n");
    }
    if random.random_bool(0.05) {
        body.push_str("(local.set $last (i32.load8_u (local.get $q)))\n");
    }

    let add = |local: &str, by: i32| {
        format!("(local.set {local} (i32.add (local.get {local}) (i32.const {by})))\n")
    };
    let pointers = if indexed { String::new() } else { add("$p", stride) + &add("$q", stride) };
    let advance = pointers + &add("$i", step);
    let condition = compare(random, step > 0);
    let test = format!("(local.set $again {condition})\n");
    // Tested at the start, at the end or in between; with the condition on the stack, as compilers
    // leave it, or in a local.
    let round = match random.random_range(0..10) {
        0 => format!("{body}{test}{advance}(br_if 0 (local.get $again))"),
        1 | 2 => format!("{body}{advance}{test}(br_if 0 (local.get $again))"),
        3..=5 => format!("(br_if 1 (i32.eqz {condition})){body}{advance}(br 0)"),
        6 => format!("{advance}(br_if 1 (i32.eqz {condition})){body}(br 0)"),
        _ => format!("{body}{advance}(br_if 0 {condition})"),
    };
    let _ = writeln!(
        text,
        "(func (export \"f{index}\") (param $v i64) (result i32)
           (local $p i32) (local $q i32) (local $i i32) (local $end i32) (local $last i32)
           (local $again i32) (local $before i32) (local $right i32) (local $left i32)
           (local $now_i32 i32) (local $kept_i32 i32) (local $word_i32 i32)
           (local $now_i64 i64) (local $kept_i64 i64) (local $word_i64 i64)
           (local.set $p (i32.const {to})) (local.set $q (i32.const {from}))
           (local.set $i (i32.const {start})) (local.set $end (i32.const {end}))
           {before}
           (block (loop {round}))
           (i32.add (i32.add (local.get $p) (i32.mul (local.get $q) (i32.const 31)))
             (i32.add (i32.mul (local.get $i) (i32.const 977))
               (i32.mul (i32.add (local.get $last) (local.get $again)) (i32.const 65537))))
           (i32.mul (local.get $before) (i32.const 7919)) (i32.add)
           (i32.xor (i32.xor (local.get $kept_i32) (i32.wrap_i64 (local.get $kept_i64)))))"
    );
}

/// A word put together from what is loaded and what the round before loaded: what comes before such a
/// loop, what a round stores, and what it does after.
fn words(
    random: &mut ChaCha8Rng,
    ty: &str,
    stride: i32,
    load: impl Fn(i32) -> String,
) -> [String; 3] {
    let bits = if ty == "i64" { 64 } else { 32 };
    let (now, kept) = (format!("(local.get $now_{ty})"), format!("(local.get $kept_{ty})"));
    // Whole bytes that fill a word, but for one in some.
    let right = match random.random_range(0..20) {
        0 => pick(random, &[0, 4, 12, 31, 33, 72]),
        _ => 8 * random.random_range(1..bits / 8),
    };
    let wrong = if random.random_bool(0.05) { 8 } else { 0 };
    let left = bits - right + wrong + pick(random, &[0, 0, 0, bits]);
    let shifts = if random.random_bool(0.3) {
        "(local.set $right (i32.and (i32.wrap_i64 (local.get $v)) (i32.const 24)))
         (local.set $left (i32.and (i32.sub (i32.const 0) (local.get $right)) (i32.const 24)))"
            .to_owned()
    } else {
        format!("(local.set $right (i32.const {right})) (local.set $left (i32.const {left}))")
    };
    // What memory has there, or something that may have the same bits where they count.
    let first = match random.random_range(0..10) {
        0 => format!("({ty}.const 0x01020304)"),
        1..=3 => format!("({ty}.and {} ({ty}.const -256))", load(-stride)),
        _ => load(-stride),
    };
    let by = |local: &str| match ty {
        "i64" => format!("(i64.extend_i32_u (local.get {local}))"),
        _ => format!("(local.get {local})"),
    };
    let upwards = (stride > 0) ^ random.random_bool(0.03);
    let (lower, upper) = if upwards { (&kept, &now) } else { (&now, &kept) };
    let lower = format!("({ty}.shr_u {lower} {})", by("$right"));
    let upper = format!("({ty}.shl {upper} {})", by("$left"));
    let (one, other) = if random.random_bool(0.5) { (lower, upper) } else { (upper, lower) };
    [
        format!("{shifts} (local.set $kept_{ty} {first})"),
        format!("(local.set $now_{ty} {}) (local.set $word_{ty} ({ty}.or {one} {other}))", load(0)),
        format!("(local.set $kept_{ty} {now})"),
    ]
}

/// A condition on which a loop goes on whose counter goes up or down to `$end`.
fn compare(random: &mut ChaCha8Rng, up: bool) -> String {
    let operators: &[&str] = if up {
        &["ne", "ne", "lt_u", "lt_u", "lt_s", "le_u", "le_s", "gt_u"]
    } else {
        &["ne", "ne", "gt_u", "gt_u", "gt_s", "ge_u", "ge_s", "lt_s"]
    };
    let operator = pick(random, operators);
    let (left, right) = ("(local.get $i)", "(local.get $end)");
    let swapped = |operator: &str| match operator {
        "ne" => "ne".to_owned(),
        other => {
            let letter = if other.starts_with('l') { 'g' } else { 'l' };
            format!("{letter}{}", &other[1..])
        }
    };
    match random.random_range(0..6) {
        0 => format!("(i32.{} {right} {left})", swapped(operator)),
        1 => {
            let opposite = match operator {
                "ne" => "eq",
                "lt_u" => "ge_u",
                "lt_s" => "ge_s",
                "le_u" => "gt_u",
                "le_s" => "gt_s",
                "gt_u" => "le_u",
                "gt_s" => "le_s",
                "ge_u" => "lt_u",
                _ => "lt_s",
            };
            format!("(i32.eqz (i32.{opposite} {left} {right}))")
        }
        2 => format!("(i32.sub {left} {right})"),
        _ => format!("(i32.{operator} {left} {right})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lithify_compiler::{Dump, Options, Profile, dump};
    use rand::SeedableRng;

    /// Otherwise they would test nothing; and some are there to be left alone.
    #[test]
    fn about_half_of_the_loops_are_widened() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let (mut all, mut widened) = (0, 0);
        for _ in 0..40 {
            let wasm = module(&mut random);
            let options = Options { profile: Some(Profile::General), ..Options::default() };
            let text = dump(&wasm, &options, Dump::Clif, None).expect("it compiles");
            for function in text.split(";; function ").skip(1) {
                all += 1;
                widened += u32::from(function.contains("load.i8x16") || function.contains("splat"));
            }
        }
        assert_eq!(all, 40 * FUNCTIONS);
        println!("{widened} of {all}");
        assert!((all / 3..all * 2 / 3).contains(&widened), "{widened} of {all} are widened");
    }
}
