//! Turns what callgrind writes about a process into instructions by address, and those by function.
//!
//! Callgrind knows no function of an image, which is no file that a process maps; so it is asked for the
//! address of every instruction (`--dump-instr`), without abbreviations, and whoever loaded the image for
//! where its functions are. Instructions are counted, not timed: nothing is said of caches and branches,
//! nor of the kernel.

use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::ops::Range;

/// The arguments of valgrind that [`Counted::parse`] goes by, beside the name of its file.
pub const ARGUMENTS: &[&str] = &[
    "--tool=callgrind",
    "--dump-instr=yes",
    "--compress-strings=no",
    "--compress-pos=no",
    "--error-exitcode=0",
    "-q",
];

/// Instructions that a process executed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// All of them.
    pub total: u64,
    /// By the address of the instruction.
    pub by_address: BTreeMap<u64, u64>,
}

/// A function and where its code is.
pub type Place = (Range<u64>, String);

impl Counted {
    /// Reads a file that callgrind wrote.
    pub fn parse(text: &str) -> Result<Self> {
        let mut counted = Self::default();
        let mut is_inclusive = false;
        for line in text.lines() {
            if line.starts_with("0x") {
                // Address, line of a source, instructions. Behind `calls=`, what a call took in all.
                let mut words = line.split_whitespace();
                let address = words.next().and_then(|word| word.strip_prefix("0x"));
                let address = address.and_then(|word| u64::from_str_radix(word, 16).ok());
                let count = words.nth(1).and_then(|word| word.parse::<u64>().ok());
                let (address, count) =
                    address.zip(count).with_context(|| format!("a line of callgrind: {line}"))?;
                if !std::mem::take(&mut is_inclusive) {
                    *counted.by_address.entry(address).or_insert(0) += count;
                }
            } else if line.starts_with("calls=") {
                is_inclusive = true;
            } else if let Some(events) = line.strip_prefix("events:") {
                ensure!(events.trim() == "Ir", "callgrind counted{events}, and not Ir alone");
            }
        }
        counted.total = counted.by_address.values().sum();
        ensure!(counted.total > 0, "callgrind counted no instruction");
        Ok(counted)
    }

    /// What is executed in each of the functions at `places`; `inlined` knows the one that was inlined
    /// at an address, if any.
    pub fn by_function(
        &self,
        places: &[Place],
        inlined: impl Fn(u64) -> Option<String>,
    ) -> BTreeMap<String, u64> {
        let mut functions = BTreeMap::new();
        for (range, name) in places {
            for (address, count) in self.by_address.range(range.clone()) {
                let name = inlined(*address).unwrap_or_else(|| name.clone());
                *functions.entry(name).or_insert(0) += count;
            }
        }
        functions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "version: 1\npositions: instr line\nevents: Ir\nsummary: 118\n\n\
        ob=/bin/worker\nfl=???\nfn=main\n0x1000 0 10\n0x1004 0 5\ncfn=0x4000\ncalls=2 0x4000 0\n\
        0x1008 0 103\n0x100c 3 1\n\nob=???\nfn=0x4000\n0x4000 0 2\n0x4003 0 60\n0x4010 0 40\n\n\
        totals: 118\n";

    #[test]
    fn instructions_are_found_by_address() {
        let counted = Counted::parse(TEXT).expect("what callgrind writes");
        assert_eq!(counted.total, 118, "the call is not counted again");
        let place = |range, name: &str| (range, name.to_owned());
        let places = [place(0x4000..0x4010, "a"), place(0x4010..0x4020, "b"), place(0..9, "c")];
        let counts = |of: &[(&str, u64)]| of.iter().map(|(n, c)| (n.to_string(), *c)).collect();
        let expected: BTreeMap<String, u64> = counts(&[("a", 62), ("b", 40)]);
        assert_eq!(counted.by_function(&places, |_| None), expected);
        let inlined = |address| (address == 0x4003).then(|| "inlined".to_owned());
        let expected: BTreeMap<String, u64> = counts(&[("a", 2), ("b", 40), ("inlined", 60)]);
        assert_eq!(counted.by_function(&places, inlined), expected);
    }

    #[test]
    fn what_is_something_else_is_refused() {
        assert!(Counted::parse("").is_err());
        assert!(Counted::parse("events: Ir Dr\n0x1 0 5 5\n").is_err());
        assert!(Counted::parse("events: Ir\n0x1 zero\n").is_err());
    }
}
