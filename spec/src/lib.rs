//! Runs scripts of the WebAssembly specification: modules and assertions about them.
//!
//! ```text
//! script -> module -> image (made by the caller) -> instance -> calls -> tally
//! ```
//!
//! An assertion passes, fails, or is skipped for a reason that is counted. There is no compiler
//! in here, so that images made on one machine can be tested on another one; [`images`] hands
//! them over.

#![forbid(unsafe_code)]

pub mod images;
mod link;
mod script;
mod value;

pub use script::run;

use std::{collections::BTreeMap, fmt};

/// Why there is no image of a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The bytes are malformed or invalid.
    Invalid(String),
    /// The module is good, but the compiler cannot or will not.
    Other(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Invalid(message) | Self::Other(message)) = self;
        f.write_str(message)
    }
}

/// Makes an image of a module, for the machine that runs the script.
pub type Compile<'a> = dyn FnMut(&[u8]) -> Result<Vec<u8>, Refusal> + 'a;

/// How the assertions of a script went.
#[derive(Debug, Default)]
pub struct Tally {
    /// How many passed.
    pub passed: u32,
    /// How many of these are about text that the script's own parser refuses, so that there is no
    /// module to compile.
    pub text: u32,
    /// What failed, each with its line.
    pub failed: Vec<String>,
    /// How many were skipped for each reason.
    pub skipped: BTreeMap<String, u32>,
}

impl Tally {
    /// How many were skipped.
    pub fn skips(&self) -> u32 {
        self.skipped.values().sum()
    }

    /// Adds another script's.
    pub fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.text += other.text;
        self.failed.extend(other.failed);
        for (reason, count) in other.skipped {
            *self.skipped.entry(reason).or_default() += count;
        }
    }
}

impl fmt::Display for Tally {
    /// `12 passed, 1 failed, 3 skipped`, then a line for each failure and each reason.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { passed, failed, skipped, .. } = self;
        write!(f, "{passed} passed, {} failed, {} skipped", failed.len(), self.skips())?;
        failed.iter().try_for_each(|failure| write!(f, "\n  failed: {failure}"))?;
        skipped.iter().try_for_each(|(reason, count)| write!(f, "\n  skipped {count}: {reason}"))
    }
}
