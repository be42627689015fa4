//! Makes modules of loops around a table of blocks, as Go makes one of every function, or nearly:
//! whose branches a compiler might lead right to where the table would.
//!
//! The block to go on with is a constant or computed, in the table, beyond it or outside the loop;
//! it is written in one arm only, on another path, in the condition of the branch; loops nest and
//! share the local. Each block takes one unit of fuel.

use crate::rewrite;
use rand::{Rng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

/// Functions of a module.
const FUNCTIONS: u32 = 6;
/// Loops within loops, at most.
const DEPTH: usize = 3;

/// A module in the form that `bounded` gives.
pub fn module(random: &mut ChaCha8Rng) -> Vec<u8> {
    let mut text = String::new();
    for index in 0..FUNCTIONS {
        text += &Function { random, index, loops: vec![], labels: 0 }.text();
    }
    rewrite::of_functions(&text)
}

/// A function being written.
struct Function<'r> {
    random: &'r mut ChaCha8Rng,
    index: u32,
    /// The loops around the current place.
    loops: Vec<Around>,
    labels: u32,
}

/// A loop around the current place.
#[derive(Clone, Copy)]
struct Around {
    /// Its label is `$go` with this number, that of what follows it `$out`.
    number: u32,
    /// The local that it looks at.
    next: &'static str,
    /// Entries of its table.
    entries: i32,
    /// Whether it takes a value.
    takes: bool,
}

impl Function<'_> {
    /// It returns what its locals are afterwards.
    fn text(&mut self) -> String {
        let start = match self.random.random_range(0..4) {
            0 => String::new(),
            1 => format!("(local.set $n (i32.const {}))", self.random.random_range(-1..6)),
            _ => "(local.set $n (i32.and (local.get $n) (i32.const 7)))".to_owned(),
        };
        let body = self.dispatch();
        let index = self.index;
        format!(
            "(func $f{index} (export \"f{index}\") (param $n i32) (param $l i64) (result i32)
               (local $m i32) (local $a i32) (local $b i32) (local $c i32) (local $i i32)
               (local.set $a (i32.wrap_i64 (local.get $l)))
               {start}
               {body}
               {RESULT})\n",
        )
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.random.random_range(0..from.len())]
    }

    fn chance(&mut self, of: f64) -> bool {
        self.random.random_bool(of)
    }

    fn label(&mut self) -> u32 {
        self.labels += 1;
        self.labels
    }

    /// A loop around a table, and what follows it.
    fn dispatch(&mut self) -> String {
        let number = self.label();
        let blocks: i32 = self.random.random_range(1..8);
        let entries = self.random.random_range(1..blocks + 3);
        let next = if self.loops.is_empty() { "$n" } else { self.pick(&["$m", "$m", "$n"]) };
        let mut targets: Vec<String> =
            (0..entries.max(blocks)).map(|i| format!("$b{number}_{}", i % blocks)).collect();
        if self.chance(0.3) {
            targets.shuffle(self.random);
        }
        targets.truncate(entries as usize);
        if self.chance(0.4) {
            let at = self.random.random_range(0..targets.len());
            targets[at] = self.elsewhere(number);
        }
        let default = if self.chance(0.5) {
            self.elsewhere(number)
        } else {
            format!("$b{number}_{}", self.random.random_range(0..blocks))
        };

        let takes = self.chance(0.04);
        let (first, index) = self.start(next);
        let first = if takes { format!("(local.set $c) {first}") } else { first };
        self.loops.push(Around { number, next, entries, takes });
        let mut code = format!("{index} (br_table {} {default})\n", targets.join(" "));
        for block in 0..blocks {
            code = format!("(block $b{number}_{block} {code})\n{}", self.block());
            if self.chance(0.04) {
                // A block that brings a value, which the table cannot name.
                code = format!("(block (result i32) {code} (local.get $c)) (local.set $c)\n");
            }
        }
        self.loops.pop();
        let (value, ty) = if takes { ("(local.get $b)", "(param i32)") } else { ("", "") };
        format!("(block $out{number} {value} (loop $go{number} {ty} {first} {code}))\n")
    }

    /// A label outside of the table's blocks.
    fn elsewhere(&mut self, number: u32) -> String {
        let around: Vec<u32> = self.loops.iter().filter(|l| !l.takes).map(|l| l.number).collect();
        match self.random.random_range(0..3) {
            0 if !around.is_empty() => format!("$go{}", self.pick(&around)),
            1 if !around.is_empty() => format!("$out{}", self.pick(&around)),
            _ => format!("$out{number}"),
        }
    }

    /// What a loop begins with, if anything, and what it looks at.
    fn start(&mut self, next: &str) -> (String, String) {
        let plain = format!("(local.get {next})");
        let (first, index) = match self.random.random_range(0..40) {
            0 => ("(nop)".to_owned(), plain),
            1 => (format!("(local.set $c {plain})"), plain),
            2 => (format!("(local.set {next} (i32.add {plain} (i32.const 1)))"), plain),
            3 => (String::new(), format!("(i32.add {plain} (i32.const 1))")),
            4 => (String::new(), format!("(local.tee $c {plain})")),
            5 => (String::new(), "(local.get $a)".to_owned()),
            6 => (String::new(), format!("(i32.popcnt {plain})")),
            7 => ("(global.set $g (global.get $fuel))".to_owned(), plain),
            _ => (String::new(), plain),
        };
        (first, index)
    }

    /// The code of one block.
    fn block(&mut self) -> String {
        let exhausted = if self.chance(0.1) {
            "(unreachable)".to_owned()
        } else {
            format!("(return {RESULT})")
        };
        let mut code = format!(
            "(if (i32.le_s (global.get $fuel) (i32.const 0)) (then {exhausted}))
             (global.set $fuel (i32.sub (global.get $fuel) (i32.const 1)))\n"
        );
        for _ in 0..self.random.random_range(0..4) {
            code += &self.statement();
        }
        // Otherwise it falls through into the next.
        if self.chance(0.6) {
            code += &self.jump();
        }
        code
    }

    /// Something that goes on after it, or does so under a condition.
    fn statement(&mut self) -> String {
        match self.random.random_range(0..12) {
            0..=3 => self.change(),
            4 => {
                let (value, to) = (self.value(), self.random.random_range(0..1000));
                format!(
                    "(i32.store (i32.const {to}) (i32.add (i32.load (i32.const {to})) {value}))\n"
                )
            }
            5 if self.index > 0 => {
                let (callee, value) = (self.random.random_range(0..self.index), self.value());
                format!(
                    "(local.set $b (call $f{callee} {value} (i64.extend_i32_u (local.get $a))))\n"
                )
            }
            6 if self.loops.len() < DEPTH => self.dispatch(),
            7 => copy(),
            _ => {
                let (condition, jump) = (self.value(), self.jump());
                match self.chance(0.2) {
                    false => format!("(if {condition} (then {jump}))\n"),
                    true => {
                        let otherwise = self.jump();
                        format!("(if {condition} (then {jump}) (else {otherwise}))\n")
                    }
                }
            }
        }
    }

    /// A local gets another value.
    fn change(&mut self) -> String {
        let (local, value) = (self.pick(&["$a", "$a", "$b", "$c", "$m"]), self.value());
        if self.chance(0.2) {
            "(local.set $l (i64.add (local.get $l) (i64.extend_i32_s (local.get $a))))\n".to_owned()
        } else {
            format!("(local.set {local} {value})\n")
        }
    }

    /// A value that nobody knows.
    fn value(&mut self) -> String {
        let local = self.pick(&["$a", "$a", "$b", "$c", "$n", "$m"]);
        let by = self.random.random_range(-3..9);
        match self.random.random_range(0..5) {
            0 => format!("(i32.and (local.get {local}) (i32.const {}))", by & 7),
            1 => format!("(i32.mul (local.get {local}) (i32.const {by}))"),
            2 => "(i32.rotl (local.get $a) (local.get $b))".to_owned(),
            3 => format!("(i32.lt_s (local.get {local}) (i32.const {by}))"),
            _ => format!("(i32.add (local.get {local}) (i32.const {by}))"),
        }
    }

    /// Leaves the block, or nearly always.
    fn jump(&mut self) -> String {
        let Around { number, next, entries, takes } = if self.chance(0.85) {
            *self.loops.last().expect("it is in one")
        } else {
            let at = self.random.random_range(0..self.loops.len());
            self.loops[at]
        };
        let [set, other] = [(); 2].map(|()| {
            let to = self.random.random_range(-1..entries + 2);
            format!("(local.set {next} (i32.const {to})) ")
        });
        let br = if takes {
            format!("(br $go{number} (local.get $a))\n")
        } else {
            format!("(br $go{number})\n")
        };
        let br_if = |condition: &str| {
            if takes {
                format!("(drop (br_if $go{number} (local.get $a) {condition}))\n")
            } else {
                format!("(br_if $go{number} {condition})\n")
            }
        };
        let (value, change) = (self.value(), self.change());
        let to = self.random.random_range(-1..entries + 2);
        match self.random.random_range(0..33) {
            // Known.
            0..=11 => set + &br,
            12 => set + &change.replace("$m", "$c") + &br,
            13..=15 => set + &br_if(&value),
            16 => {
                format!("(local.set $c {value}) ") + &set + &br_if("(local.get $c)") + &other + &br
            }
            17 => br_if(&format!("(local.tee {next} (i32.const {to}))")),
            18 => format!("(block (br_if 0 {value}) {set} {br})\n"),
            // Not known.
            19..=21 => format!("(local.set {next} (i32.and {value} (i32.const 7))) {br}"),
            22 => br,
            23 => format!("(if {value} (then {set}) (else {br}))\n"),
            24 => set + &format!("(if {value} (then {other}))") + &br,
            25 => set + &format!("(block (br_if 0 {value}) {other})") + &br,
            26 => set + &br_if(&format!("(local.tee {next} (i32.and {value} (i32.const 3)))")),
            27 => {
                let round = format!("{set} (loop {}", br_if("(local.get $b)").replace("\n", ""));
                let again = format!(
                    "(local.set {next} (i32.and {value} (i32.const 7)))
                     (local.set $b (i32.const 1)) (br 0))\n"
                );
                round + &again
            }
            28 => {
                let (a, b) = (to, self.random.random_range(0..entries));
                let select = format!("(select (i32.const {a}) (i32.const {b}) {value})");
                format!("(local.set {next} {select}) {br}")
            }
            29 => format!("(local.set $c (i32.const {to})) {br}"),
            30 if !takes => {
                let elsewhere = self.elsewhere(number);
                format!("{set} (br_table $go{number} {elsewhere} $go{number} {value})\n")
            }
            // Away.
            31 => format!("(br $out{number})\n"),
            _ => format!("(return {RESULT})\n"),
        }
    }
}

/// A round of copying, which is widened.
fn copy() -> String {
    "(local.set $i (i32.and (local.get $a) (i32.const 63)))
     (loop
       (i32.store8 offset=2000 (local.get $i) (i32.load8_u offset=40 (local.get $i)))
       (br_if 0 (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 100))))\n"
        .to_owned()
}

/// All locals in one value.
const RESULT: &str = "(i32.add
    (i32.add (i32.mul (local.get $a) (i32.const 31)) (i32.mul (local.get $b) (i32.const 977)))
    (i32.add
      (i32.add (i32.mul (local.get $c) (i32.const 65537)) (i32.mul (local.get $n) (i32.const 7919)))
      (i32.add (i32.mul (local.get $m) (i32.const 104729)) (i32.wrap_i64 (local.get $l)))))";

#[cfg(test)]
mod tests {
    use super::*;
    use lithify_compiler::{Dump, Options, Profile, dump};
    use rand::SeedableRng;

    /// Otherwise they would test nothing; and some are there to be left alone.
    #[test]
    fn some_of_the_functions_enter_their_table_once() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let (mut all, mut once) = (0, 0);
        for _ in 0..60 {
            let wasm = module(&mut random);
            let options = Options { profile: Some(Profile::General), ..Options::default() };
            let text = dump(&wasm, &options, Dump::Clif, None).expect("it compiles");
            for function in text.split(";; function ").skip(1) {
                all += 1;
                once += u32::from(function.contains(" cold:"));
            }
        }
        assert_eq!(all, 60 * FUNCTIONS);
        println!("{once} of {all}");
        assert!((all / 5..all * 4 / 5).contains(&once), "{once} of {all}");
    }
}
