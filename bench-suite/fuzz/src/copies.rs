//! Makes modules of functions that copy or fill memory as `memcpy`, `memmove` and `memset` do, or nearly
//! do: what a compiler might prove.
//!
//! They go by the byte, the word or a table, either way; and now and then one does something else besides,
//! at one length, at one address, for one byte of the source. Each is run for all lengths up to some bound,
//! with ranges that lie apart, adjoin, overlap, and meet the ends of memory, and returns a digest of
//! what was in memory then; it takes no fuel, as it ends by itself.

use crate::rewrite;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::fmt::Write;

/// Functions of a module.
const FUNCTIONS: u32 = 6;
/// The longest copy.
const LONGEST: i32 = 80;
/// Where ranges lie: at the start, where the middle is, and before the end of memory.
const PLACES: [i32; 3] = [0, 4096, 65_536 - 256];

/// A module in the form that `bounded` gives.
pub fn module(random: &mut ChaCha8Rng) -> Vec<u8> {
    let mut text = String::new();
    for index in 0..FUNCTIONS {
        copy(&mut text, index, random);
        runner(&mut text, index, random);
    }
    rewrite::of_functions(&text)
}

fn pick<T: Copy>(random: &mut ChaCha8Rng, from: &[T]) -> T {
    from[random.random_range(0..from.len())]
}

/// What is stored: what is loaded at `$s`, or a byte, so many times.
#[derive(Clone, Copy)]
enum Stored {
    Loaded,
    /// The lowest of `$from`, if the rest is cleared.
    Filler {
        cleared: bool,
    },
}

impl Stored {
    fn value(self, ty: &str, load: &str) -> String {
        let Self::Filler { cleared } = self else { return format!("({ty}.{load} (local.get $s))") };
        let byte = match cleared {
            true => "(i32.and (local.get $from) (i32.const 255))",
            false => "(local.get $from)",
        };
        match ty {
            "i32" => format!("(i32.mul {byte} (i32.const 0x01010101))"),
            _ => format!("(i64.mul (i64.extend_i32_u {byte}) (i64.const 0x0101010101010101))"),
        }
    }
}

/// One store at `$d`, and how it and `$s` go on.
fn step(stored: Stored, [ty, load, store]: [&str; 3], size: i32) -> String {
    let value = stored.value(ty, load);
    format!(
        "({ty}.{store} (local.get $d) {value})
         (local.set $d (i32.add (local.get $d) (i32.const {size})))
         (local.set $s (i32.add (local.get $s) (i32.const {size})))
         (local.set $n (i32.sub (local.get $n) (i32.const {size})))"
    )
}

/// While `$n` is at least so many.
fn while_left(size: i32, body: &str) -> String {
    format!(
        "(block $done (loop $again (br_if $done (i32.lt_u (local.get $n) (i32.const {size})))
           {body} (br $again)))"
    )
}

/// The function `$copyN`, which leaves `$d`, `$s` and `$n` as it likes.
fn copy(text: &mut String, index: u32, random: &mut ChaCha8Rng) {
    let stored = match random.random_range(0..5) {
        0..3 => Stored::Loaded,
        _ => Stored::Filler { cleared: random.random_bool(0.9) },
    };
    let byte = step(stored, ["i32", "load8_u", "store8"], 1);
    let bytes = while_left(1, &byte);
    let last = match stored {
        Stored::Loaded => "(i32.load8_u (i32.add (local.get $from) (local.get $n)))",
        Stored::Filler { .. } => "(local.get $from)",
    };
    let down = format!(
        "(block $done (loop $again (br_if $done (i32.eqz (local.get $n)))
           (local.set $n (i32.sub (local.get $n) (i32.const 1)))
           (i32.store8 (i32.add (local.get $to) (local.get $n)) {last}) (br $again)))"
    );
    let (ty, load, store, size) = pick(
        random,
        &[
            ("i32", "load", "store", 4),
            ("i64", "load", "store", 8),
            ("i32", "load16_u", "store16", 2),
            ("i64", "load32_u", "store32", 4),
        ],
    );
    let wide = while_left(size, &step(stored, [ty, load, store], size));
    let word = stored.value("i32", "load");
    let body = match random.random_range(0..7) {
        0 => bytes,
        1 => down,
        2 => format!("{wide} {bytes}"),
        3 => {
            // To where a word begins; then words if the source is at one, too, or is shifted.
            let shifted = match stored {
                Stored::Loaded if random.random_bool(0.5) => shifted(),
                _ => String::new(),
            };
            format!(
                "(if (i32.ge_u (local.get $n) (i32.const 16)) (then
                   (block $done (loop $again
                     (br_if $done (i32.eqz (i32.and (local.get $d) (i32.const 3)))) {byte} (br $again)))
                   (if (i32.eqz (i32.and (local.get $s) (i32.const 3)))
                     (then {wide}) (else {shifted}))))
                 {bytes}"
            )
        }
        4 => format!(
            "(if (i32.ge_u (i32.sub (local.get $to) (local.get $from)) (local.get $n))
               (then {wide} {bytes}) (else {down}))"
        ),
        5 => format!(
            "(if (i32.lt_u (local.get $from) (local.get $to)) (then {down}) (else {bytes}))"
        ),
        _ => {
            let straight: String = std::iter::repeat_n(format!("{byte}\n"), 7).collect();
            let cases = straight.lines().collect::<Vec<_>>().join("\n");
            format!(
                "(block $long (if (i32.gt_u (local.get $n) (i32.const 7)) (then (br $long)))
                 (block $c0 (block $c4 (br_table $c0 $c0 $c0 $c0 $c4 $c4 $c4 $c4 $c0 (local.get $n)))
                   (i32.store (local.get $d) {word})
                   (local.set $d (i32.add (local.get $d) (i32.const 4)))
                   (local.set $s (i32.add (local.get $s) (i32.const 4)))
                   (local.set $n (i32.sub (local.get $n) (i32.const 4))))
                 {bytes} (return (local.get $to)))
                 (if (i32.lt_u (local.get $n) (i32.const 7)) (then (unreachable)))
                 {cases} {bytes}"
            )
        }
    };
    let [before, after] =
        [(); 2].map(|()| if random.random_bool(0.3) { besides(random) } else { String::new() });
    let result = pick(
        random,
        &[
            "(local.get $to)",
            "(local.get $to)",
            "(local.get $to)",
            "(local.get $to)",
            "(local.get $d)",
            "(i32.const 0)",
            "(select (local.get $to) (local.get $from) (local.get $to))",
        ],
    );
    let _ = writeln!(
        text,
        "(func $copy{index} (param $to i32) (param $from i32) (param $len i32) (result i32)
           (local $d i32) (local $s i32) (local $n i32) (local $word i32) (local $next i32)
           (local.set $d (local.get $to)) (local.set $s (local.get $from))
           (local.set $n (local.get $len))
           {before} {body} {after} {result})"
    );
}

/// Words from aligned ones that are shifted together, as long as there are four bytes more.
fn shifted() -> String {
    let more = while_left(
        8,
        "(local.set $next (i32.load offset=4 (i32.and (local.get $s) (i32.const -4))))
         (i32.store (local.get $d) (i32.or
           (i32.shr_u (local.get $word) (i32.shl (local.get $s) (i32.const 3)))
           (i32.shl (local.get $next)
             (i32.sub (i32.const 0) (i32.shl (local.get $s) (i32.const 3))))))
         (local.set $word (local.get $next))
         (local.set $d (i32.add (local.get $d) (i32.const 4)))
         (local.set $s (i32.add (local.get $s) (i32.const 4)))
         (local.set $n (i32.sub (local.get $n) (i32.const 4)))",
    );
    format!("(local.set $word (i32.load (i32.and (local.get $s) (i32.const -4)))) {more}")
}

/// Something that no copy does, or only what nobody sees, under some condition.
fn besides(random: &mut ChaCha8Rng) -> String {
    let len = random.random_range(1..70);
    let [address, other] = [(); 2].map(|()| pick(random, &PLACES) + random.random_range(0..128));
    let low = random.random_range(0..16);
    let bits = pick(random, &[1, 3, 3, 7, 8, 15, 0x8000]);
    let condition = match random.random_range(0..13) {
        0..3 => format!("(i32.eq (local.get $len) (i32.const {len}))"),
        3 => format!("(i32.gt_u (local.get $len) (i32.const {len}))"),
        4 => format!("(i32.eq (i32.and (local.get $to) (i32.const {bits})) (i32.const {low}))"),
        5 => format!("(i32.eq (i32.and (local.get $from) (i32.const {bits})) (i32.const {low}))"),
        6 => format!(
            "(i32.eqz (i32.and (i32.xor (local.get $from) (local.get $to)) (i32.const {bits})))"
        ),
        7 => format!("(i32.eq (local.get $to) (i32.const {address}))"),
        8 => format!("(i32.lt_u (local.get $from) (i32.const {other}))"),
        9 => "(i32.lt_u (local.get $from) (local.get $to))".into(),
        10 => format!(
            "(i32.eq (i32.sub (local.get $from) (local.get $to)) (i32.const {}))",
            random.random_range(-70..70)
        ),
        11 => format!("(i32.eq (i32.load8_u (local.get $from)) (i32.const {}))", low * 16 + 5),
        _ => "(global.get $g)".into(),
    };
    let near = random.random_range(-20..90);
    let action = match random.random_range(0..10) {
        0..3 => {
            format!("(i32.store8 (i32.add (local.get $to) (i32.const {near})) (i32.const {low}))")
        }
        3 => format!("(i32.store8 (i32.const {address}) (i32.const {low}))"),
        4 => {
            format!("(i32.store8 (i32.add (local.get $from) (i32.const {near})) (i32.const {low}))")
        }
        5 => "(i32.store8 (i32.sub (global.get $g) (i32.const 8)) (i32.const 9))".into(),
        6 => format!("(drop (i32.load (i32.add (local.get $from) (i32.const {near}))))"),
        7 => format!("(drop (i32.load offset={near} (local.get $to)))")
            .replace("offset=-", "offset="),
        8 => "(return (local.get $from))".into(),
        _ => "(local.set $n (i32.const 1))".into(),
    };
    format!("(if {condition} (then {action}))")
}

/// The function `fN`, which runs a copy for all lengths at one distance, and looks at memory around.
fn runner(text: &mut String, index: u32, random: &mut ChaCha8Rng) {
    let to = pick(random, &PLACES) + random.random_range(0..100);
    let distance = match random.random_range(0..4) {
        0 => random.random_range(-90..90),
        1 => pick(random, &[16, -16, 32, -32, 64, -64, 65, -65, 0]),
        _ => 0,
    };
    let from = if distance == 0 {
        pick(random, &PLACES) + random.random_range(0..100)
    } else {
        to + distance
    };
    // Where a copy reaches the end of memory it traps, once.
    let ends = if random.random_bool(0.3) { 65_536 - random.random_range(0..80) } else { to };
    let _ = writeln!(
        text,
        "(func $f{index} (export \"f{index}\") (param $y i32) (result i32)
           (local $i i32) (local $at i32) (local $all i32) (local $to i32) (local $from i32)
           (loop $fill
             (i32.store8 (local.get $i)
               (i32.shr_u (i32.mul (local.get $i) (i32.const -1640531527)) (i32.const 24)))
             (local.set $i (i32.add (local.get $i) (i32.const 1)))
             (if (i32.eq (local.get $i) (i32.const 512)) (then (local.set $i (i32.const 3840))))
             (if (i32.eq (local.get $i) (i32.const 4608)) (then (local.set $i (i32.const 65024))))
             (br_if $fill (i32.lt_u (local.get $i) (i32.const 65536))))
           (local.set $i (i32.const 0))
           (loop $next
             (local.set $to (i32.add (i32.const {to}) (i32.and (local.get $i) (i32.const 7))))
             (local.set $from (i32.add (i32.const {from})
               (i32.and (i32.shr_u (local.get $i) (i32.const 3)) (i32.const 3))))
             (if (i32.eq (local.get $i) (i32.const {LONGEST}))
               (then (local.set $to (i32.const {ends}))))
             (local.set $all (i32.add (i32.mul (local.get $all) (i32.const 31))
               (call $copy{index} (local.get $to) (local.get $from) (local.get $i))))
             (local.set $at (i32.const 0))
             (loop $look
               (local.set $all (i32.xor (i32.mul (local.get $all) (i32.const 16777619))
                 (i32.add (i32.load8_u (i32.and (i32.const 0xffff)
                    (i32.sub (i32.add (local.get $to) (local.get $at)) (i32.const 24))))
                  (i32.load8_u (i32.and (i32.const 0xffff)
                    (i32.sub (i32.add (local.get $from) (local.get $at)) (i32.const 24)))))))
               (local.set $at (i32.add (local.get $at) (i32.const 1)))
               (br_if $look (i32.lt_u (local.get $at) (i32.const 140))))
             (local.set $i (i32.add (local.get $i) (i32.const 1)))
             (br_if $next (i32.le_u (local.get $i) (i32.const {LONGEST}))))
           (local.get $all))"
    );
}
