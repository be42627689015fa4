//! What a study sets against each other: cells that differ in what is named, and in nothing else.
//!
//! ```toml
//! [[contrast]]
//! name = "the collector"
//! base = { compiler = "tinygo-2-leaking" }
//! new = { compiler = "tinygo-2-conservative" }
//! ```

use super::file::Cell;
use super::record::Record;
use crate::stats::{self, QUANTILE, Ratio, Verdict};
use serde::Deserialize;

/// Seed of the bootstrap; results are the same whenever tables are made.
pub(super) const SEED: u64 = 15;

/// Two sides.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contrast {
    /// What it is called.
    pub name: String,
    /// What all but the sides is compared with.
    pub base: Side,
    /// The other side.
    pub new: Side,
}

/// Parts of a cell's name.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Side {
    program: Option<String>,
    run: Option<String>,
    compiler: Option<String>,
    engine: Option<String>,
}

impl Side {
    fn parts<'c>(&'c self, cell: &'c Cell) -> [(&'c Option<String>, &'c str); 4] {
        [
            (&self.program, &cell.program),
            (&self.run, &cell.run),
            (&self.compiler, &cell.compiler),
            (&self.engine, &cell.engine),
        ]
    }

    /// Whether the cell has all named parts.
    fn has(&self, cell: &Cell) -> bool {
        self.parts(cell).iter().all(|(wanted, part)| wanted.as_deref().is_none_or(|w| w == *part))
    }
}

/// Two cells, compared.
#[derive(Clone, Debug)]
pub struct Contrasted<'r> {
    /// The base.
    pub base: &'r Record,
    /// The other one.
    pub new: &'r Record,
    /// By wall time; none where a side has no number that is positive.
    pub real: Option<Compared>,
    /// By CPU time, user and system, which depends less on what else the machine does.
    pub cpu: Option<Compared>,
}

/// A ratio, and what it says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Compared {
    /// New by base.
    pub ratio: Ratio,
    /// What that says.
    pub verdict: Verdict,
}

impl Contrast {
    /// All pairs of measured cells that it means, on the same instruction set.
    pub fn pairs<'r>(&self, records: &'r [Record]) -> Vec<Contrasted<'r>> {
        let bases = records.iter().filter(|record| self.base.has(&record.cell));
        let pairs = bases.flat_map(|base| {
            let fits = move |new: &&Record| {
                self.new.has(&new.cell)
                    && new.machine.arch == base.machine.arch
                    && self.is_alike(&base.cell, &new.cell)
            };
            records.iter().filter(fits).map(move |new| (base, new))
        });
        pairs.filter_map(|(base, new)| contrasted(base, new)).collect()
    }

    /// Whether two cells agree in what neither side names.
    fn is_alike(&self, base: &Cell, new: &Cell) -> bool {
        let pairs = self.base.parts(base).into_iter().zip(self.new.parts(new));
        let free = pairs.filter(|((base, _), (new, _))| base.is_none() && new.is_none());
        free.map(|((_, base), (_, new))| base == new).all(|same| same)
    }
}

/// Compares two cells that were measured.
fn contrasted<'r>(base: &'r Record, new: &'r Record) -> Option<Contrasted<'r>> {
    let (theirs, ours) = (base.measured()?, new.measured()?);
    Some(Contrasted {
        base,
        new,
        real: compared(&theirs.real_ns(), &ours.real_ns()),
        cpu: compared(&theirs.cpu_ns(), &ours.cpu_ns()),
    })
}

fn compared(base: &[f64], new: &[f64]) -> Option<Compared> {
    let ratio = stats::ratio(new, base, SEED)?;
    let verdict = ratio.verdict(stats::floor(stats::quantile(base, QUANTILE)?));
    Some(Compared { ratio, verdict })
}
