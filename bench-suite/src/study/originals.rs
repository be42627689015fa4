//! Figures of another study, to stand beside ours: a table of TOML, read as it is.
//!
//! ```toml
//! source = "what they are from"
//! [seconds.fasta."6250000"]    # best of the settings, by the engine's column
//! go = 0.344
//! [kilobytes.fasta]            # by compiler and setting
//! tinygo-2-conservative = 12
//! [calls.fasta."6250000"]      # system calls, fewest of the settings
//! [dice.fasta]                 # of two engines' names of system calls: "go-wasmtime"
//! ```

use anyhow::{Context, Result};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// A figure for each name.
pub type Figures = BTreeMap<String, f64>;
/// The same for each run of each program.
type ByRun = BTreeMap<String, BTreeMap<String, Figures>>;

/// Figures of another study.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Originals {
    /// Whose, and where they were measured.
    pub source: String,
    seconds: ByRun,
    calls: ByRun,
    kilobytes: BTreeMap<String, Figures>,
    dice: BTreeMap<String, Figures>,
}

impl Originals {
    /// Reads the file.
    pub fn read(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
        crate::manifest::parse(&text).context(name)
    }

    /// The best time over the settings, in s, of a column.
    pub fn seconds(&self, program: &str, run: &str, column: &str) -> Option<f64> {
        self.seconds.get(program)?.get(run)?.get(column).copied()
    }

    /// The fewest system calls over the settings.
    pub fn calls(&self, program: &str, run: &str, column: &str) -> Option<f64> {
        self.calls.get(program)?.get(run)?.get(column).copied()
    }

    /// The size of what a compiler makes, in kB of 1000 bytes as printed.
    pub fn kilobytes(&self, program: &str, compiler: &str) -> Option<f64> {
        self.kilobytes.get(program)?.get(compiler).copied()
    }

    /// The coefficient of two columns, in any order.
    pub fn dice(&self, program: &str, one: &str, other: &str) -> Option<f64> {
        let of = self.dice.get(program)?;
        of.get(&format!("{one}-{other}")).or_else(|| of.get(&format!("{other}-{one}"))).copied()
    }
}
