//! Turns a profile, what the functions of a module did in calls, into how warm each function of a module
//! is: of the same one, or of its next version.
//!
//! ```text
//! lithify profile 1 of 3 functions
//! 8a1f0c3b9d2e4f56 5120 memcpy
//! 03b1a2c4d5e6f708 12 Core_version
//! 77aa0c3b9d2e4f56 0
//! ```
//!
//! A line is a function: a hash of its body, the sum of its entries and the rounds of its loops, and its
//! name if it has one. Functions that never ran have their line, too; one without is of another version,
//! and as warm as all are without a profile. The lines are in the module's order, and nothing in
//! them is an index of the module's: those are others in the next version.
//!
//! The rule not to break: what is read here depends on the profile and the module alone.

use crate::{
    error::{CompileError, OptionsError},
    index::FuncIndex,
    module::{Body, Module},
    options::{Options, Tier},
    parse,
};
use cranelift_codegen::entity::SecondaryMap;
use lithify_abi::plain::Plain;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

/// The first words of a profile.
const HEAD: &str = "lithify profile 1 of";
/// Of all that was counted, so many hundredths are in hot functions.
const HOT: u128 = 99;
/// A profile that knows less than one in so many functions of a module is one of another module.
const FEWEST: usize = 10;

/// What the functions of a module did in calls: a profile. As text it is what `lithify profile` writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heat {
    lines: Vec<Line>,
}

/// A function.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    /// A hash of its body, see [`body_hash`].
    body: u64,
    /// Its entries and the rounds of its loops.
    count: u64,
    /// Its name, or the one it is exported under, as [`Plain`]; empty without either.
    name: String,
}

impl Heat {
    /// The profile of `wasm`, a module for `options`, whose functions did so much, by their index. It
    /// asks of those with a body.
    ///
    /// # Errors
    ///
    /// Those of a module that does not compile, as far as they are found outside of bodies.
    pub fn new(
        wasm: &[u8],
        options: &Options,
        mut count: impl FnMut(u32) -> u64,
    ) -> Result<Self, CompileError> {
        parse::parse(wasm, options, |module| {
            let line = |(index, body): (FuncIndex, &Body<'_>)| Line {
                body: body_hash(body),
                count: count(index.as_u32()),
                name: name(&module, index),
            };
            Ok(Self { lines: module.defined().map(line).collect() })
        })
    }

    /// How many functions it knows, and how many of them ran.
    pub fn functions(&self) -> (usize, usize) {
        (self.lines.len(), self.lines.iter().filter(|line| line.count > 0).count())
    }

    /// What images call it that were made with it: 32 hex digits.
    pub fn hash(&self) -> String {
        blake3::hash(self.to_string().as_bytes()).to_hex()[..32].to_owned()
    }
}

impl fmt::Display for Heat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEAD} {} functions", self.lines.len())?;
        self.lines.iter().try_for_each(|Line { body, count, name }| {
            let space = if name.is_empty() { "" } else { " " };
            writeln!(f, "{body:016x} {count}{space}{name}")
        })
    }
}

/// Why text is no profile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct HeatError {
    /// Number of the line, from 1.
    line: usize,
    what: &'static str,
}

impl FromStr for Heat {
    type Err = HeatError;

    fn from_str(text: &str) -> Result<Self, HeatError> {
        let error = |line, what| HeatError { line, what };
        let mut rows = text.lines();
        let head = rows.next().and_then(|head| head.strip_prefix(HEAD)?.strip_suffix(" functions"));
        let count = head.and_then(|count| count.trim().parse::<usize>().ok());
        let count = count.ok_or(error(1, "it does not begin as a profile of this release does"))?;
        let mut lines = Vec::new();
        for (row, number) in rows.zip(2..) {
            let mut words = row.splitn(3, ' ');
            let body = words.next().filter(|word| word.len() == 16);
            let body = body.and_then(|word| u64::from_str_radix(word, 16).ok());
            let body = body.ok_or(error(number, "it begins with no hash of a body"))?;
            let count = words.next().and_then(|word| word.parse().ok());
            let count = count.ok_or(error(number, "there is no count behind the hash"))?;
            lines.push(Line { body, count, name: words.next().unwrap_or_default().to_owned() });
        }
        if lines.len() != count {
            return Err(error(
                lines.len() + 1,
                "it ends here, with fewer or more functions than it says",
            ));
        }
        Ok(Self { lines })
    }
}

/// What a function is worth, the warmest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Warmth {
    /// It is among those that do nearly all of the work.
    Hot,
    /// It ran, or nothing is known of it.
    #[default]
    Warm,
    /// It did not run.
    Cold,
}

/// How warm the functions of a module are.
pub struct Warmths(SecondaryMap<FuncIndex, Warmth>);

impl Warmths {
    /// Finds the functions of `module` in the profile of `options`, by their bodies, and what is left by
    /// name.
    pub fn new(module: &Module<'_>, options: &Options) -> Result<Self, OptionsError> {
        let default = match options.tier {
            Tier::Full => Warmth::Warm,
            Tier::Fast => Warmth::Cold,
        };
        let mut warmths = Self(SecondaryMap::with_default(default));
        let Some(heat) = options.used_heat() else { return Ok(warmths) };
        let counts = counts(module, heat);
        let functions = module.bodies.len();
        if counts.len() * FEWEST < functions {
            return Err(OptionsError::ForeignHeat { known: counts.len(), functions });
        }
        let total: u128 = counts.values().map(|count| u128::from(*count)).sum();
        let mut by_count: Vec<_> = counts.into_iter().collect();
        by_count.sort_by_key(|(index, count)| (std::cmp::Reverse(*count), *index));
        let mut before = 0;
        for (index, count) in by_count {
            warmths.0[index] = match count {
                0 => Warmth::Cold,
                _ if before * 100 < total * HOT => Warmth::Hot,
                _ => Warmth::Warm,
            };
            before += u128::from(count);
        }
        Ok(warmths)
    }

    /// That of a function.
    pub fn of(&self, index: FuncIndex) -> Warmth {
        self.0[index]
    }
}

/// What the functions of `module` did, those that `heat` knows.
fn counts(module: &Module<'_>, heat: &Heat) -> BTreeMap<FuncIndex, u64> {
    let mut lines: BTreeMap<u64, Vec<&Line>> = BTreeMap::new();
    heat.lines.iter().for_each(|line| lines.entry(line.body).or_default().push(line));
    let mut functions: BTreeMap<u64, Vec<FuncIndex>> = BTreeMap::new();
    for (index, body) in module.defined() {
        functions.entry(body_hash(body)).or_default().push(index);
    }
    let mut found = BTreeMap::new();
    for (body, functions) in &functions {
        let Some(lines) = lines.get(body) else { continue };
        let most = lines.iter().map(|line| line.count).max().unwrap_or(0);
        for (at, index) in functions.iter().enumerate() {
            // Where one came or went, none of them is known to be cold.
            let same = (lines.len() == functions.len()).then(|| lines[at].count);
            found.insert(*index, same.unwrap_or(most));
        }
    }
    let known: BTreeSet<u64> = functions.into_keys().collect();
    let left = heat.lines.iter().filter(|line| !known.contains(&line.body));
    let named = left.filter(|line| !line.name.is_empty()).map(|line| (&*line.name, line.count));
    let named: BTreeMap<&str, u64> = named.collect();
    for (index, _) in module.defined() {
        if !found.contains_key(&index)
            && let Some(count) = named.get(&*name(module, index))
        {
            found.insert(index, *count);
        }
    }
    found
}

/// What a function is called in a profile.
fn name(module: &Module<'_>, index: FuncIndex) -> String {
    let name = module.names[index].or_else(|| module.exported_as(index)).unwrap_or_default();
    Plain(name.trim()).to_string()
}

/// A hash of what a body does: of its operators as they are encoded, without what another build has
/// elsewhere. Of an invalid body it is that of what can be read.
fn body_hash(body: &Body<'_>) -> u64 {
    let bytes = body.body.as_bytes();
    let mut kept = Vec::with_capacity(bytes.len());
    if let Ok(mut operators) = body.body.get_operators_reader() {
        while !operators.eof() {
            let start = operators.original_position();
            if operators.read().is_err() {
                break;
            }
            let place = start - body.range.start..operators.original_position() - body.range.start;
            kept.extend_from_slice(without_place(&bytes[place]));
        }
    }
    let hash = blake3::hash(&kept);
    u64::from_be_bytes(*hash.as_bytes().first_chunk().expect("a hash has 32 bytes"))
}

/// An operator without indices of functions, types and globals, and without addresses of static data:
/// numbers of three bytes and more.
fn without_place(operator: &[u8]) -> &[u8] {
    const CALLS: [u8; 3] = [0x10, 0x11, 0xd2];
    const GLOBALS: [u8; 2] = [0x23, 0x24];
    const MEMORY: std::ops::RangeInclusive<u8> = 0x28..=0x3e;
    const I32_CONST: u8 = 0x41;
    let long = match operator[0] {
        opcode if CALLS.contains(&opcode) || GLOBALS.contains(&opcode) => true,
        opcode if MEMORY.contains(&opcode) => operator.len() > 4,
        I32_CONST => operator.len() > 3,
        _ => false,
    };
    if long { &operator[..1] } else { operator }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn options(heat: Heat) -> Options {
        Options { heat: Some(Arc::new(heat)), ..Options::default() }
    }

    fn module(functions: &[&str]) -> Vec<u8> {
        let text = format!("(module (memory 1) {})", functions.concat());
        wat::parse_str(text).expect("our own module")
    }

    fn warmths(wasm: &[u8], heat: Heat) -> Result<Vec<Warmth>, CompileError> {
        let options = options(heat);
        parse::parse(wasm, &options, |module| {
            let warmths = Warmths::new(&module, &options)?;
            Ok(module.defined().map(|(index, _)| warmths.of(index)).collect())
        })
    }

    const ADD: &str = "(func (param i32) (result i32) (i32.add (local.get 0) (i32.const 7)))";
    const SHIFT: &str = "(func (param i32) (result i32) (i32.shl (local.get 0) (i32.const 3)))";
    const LOAD: &str = "(func (param i32) (result i32) (i32.load offset=1048576 (local.get 0)))";
    const MOVED: &str = "(func (param i32) (result i32) (i32.load offset=1058000 (local.get 0)))";
    const NAMED: &str = "(func $named (result i32) (i32.const 1))";
    const CHANGED: &str = "(func $named (result i32) (i32.const 2))";
    const NEW: &str = "(func (result i64) (i64.const 5))";

    #[test]
    fn a_profile_serves_the_next_version() {
        let old = module(&[ADD, SHIFT, LOAD, NAMED]);
        let counts = [1000, 0, 5, 0];
        let heat = Heat::new(&old, &Options::default(), |index| counts[index as usize]);
        let heat = heat.expect("a module");
        assert_eq!(heat.to_string().parse(), Ok(heat.clone()));
        assert_eq!(heat.functions(), (4, 2));
        use Warmth::{Cold, Hot, Warm};
        assert_eq!(warmths(&old, heat.clone()).expect("its own"), [Hot, Cold, Warm, Cold]);
        let new = module(&[NEW, SHIFT, CHANGED, ADD, MOVED]);
        assert_eq!(warmths(&new, heat.clone()).expect("the next"), [Warm, Cold, Cold, Hot, Warm]);
        // Of three that were two, each may be the hot one.
        let more = module(&[ADD, ADD, SHIFT]);
        assert_eq!(warmths(&more, heat.clone()).expect("more"), [Hot, Hot, Cold]);
        let error = warmths(&module(&[NEW]), heat).expect_err("another module").to_string();
        assert!(error.contains("it knows 0 of 1 functions here"), "{error}");
    }

    #[test]
    fn damage_is_found_where_it_is() {
        let text = Heat::new(&module(&[ADD, SHIFT]), &Options::default(), u64::from);
        let text = text.expect("a module").to_string();
        let refused = |text: &str| text.parse::<Heat>().expect_err("damaged").to_string();
        let last = text.lines().last().expect("three lines");
        assert_eq!(refused(""), "line 1: it does not begin as a profile of this release does");
        assert!(refused(&text.replace("profile 1", "profile 2")).starts_with("line 1: "));
        assert!(refused(&text[..text.len() - last.len() - 1]).starts_with("line 2: it ends here"));
        assert!(refused(&text.replace(last, &last[1..])).starts_with("line 3: it begins with no"));
        assert!(refused(&text.replace(last, &last[..17])).starts_with("line 3: there is no count"));
        assert!(refused(&format!("{text}{last}\n")).starts_with("line 4: it ends here"));
    }
}
