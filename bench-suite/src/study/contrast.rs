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
use crate::machine::Machine;
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
        let mut free = pairs.filter(|((base, _), (new, _))| base.is_none() && new.is_none());
        free.all(|((_, base), (_, new))| base == new)
    }
}

/// Compares two cells that were measured.
fn contrasted<'r>(base: &'r Record, new: &'r Record) -> Option<Contrasted<'r>> {
    let (theirs, ours) = (base.measured()?, new.measured()?);
    let is_told = !(is_crowded(&base.machine) || is_crowded(&new.machine));
    let compared = |base: Vec<f64>, new: Vec<f64>| {
        let ratio = stats::ratio(&new, &base, SEED)?;
        let floor = stats::floor(stats::quantile(&base, QUANTILE)?);
        let verdict = if is_told { ratio.verdict(floor) } else { Verdict::CannotTell };
        Some(Compared { ratio, verdict })
    };
    Some(Contrasted {
        base,
        new,
        real: compared(theirs.real_ns(), ours.real_ns()),
        cpu: compared(theirs.cpu_ns(), ours.cpu_ns()),
    })
}

/// Whether more wanted to run than there are processors when a cell began. Cells are measured one after the
/// other: what else ran beside the one is not what ran beside the other, and no interval has that.
pub(super) fn is_crowded(machine: &Machine) -> bool {
    machine.load_percent > 100 * machine.cpus
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::engine::Mode;
    use crate::study::record::{Execution, Measured, Outcome};

    /// A cell with executions of about so many microseconds.
    fn record(program: &str, engine: &str, us: u64) -> Record {
        let execution = |n: u64| {
            let real_ns = us * 1000 + n;
            Execution { real_ns, user_ns: real_ns / 2, ..Execution::default() }
        };
        let executions = (0..20).map(execution).collect();
        let measured = Measured { executions, ..Measured::default() };
        Record {
            study: "s".into(),
            cell: Cell {
                program: program.into(),
                run: "r".into(),
                compiler: "c".into(),
                engine: engine.into(),
            },
            language: "Go".into(),
            compiler: String::new(),
            flags: Vec::new(),
            mode: Mode::Jit,
            version: None,
            machine: Machine { cpus: 2, ..Machine::default() },
            emulated: false,
            started: 0,
            program_hash: String::new(),
            outcome: Outcome::Measured(Box::new(measured)),
        }
    }

    fn contrast(base: &str, new: &str) -> Contrast {
        let side = |program: &str| Side { program: Some(program.into()), ..Side::default() };
        Contrast { name: "n".into(), base: side(base), new: side(new) }
    }

    #[test]
    fn cells_differ_in_what_is_named_alone() {
        let mut records = vec![record("a", "x", 100), record("a", "y", 100), record("b", "x", 200)];
        records.push(record("b", "z", 200));
        let pairs = contrast("a", "b").pairs(&records);
        assert_eq!(pairs.len(), 1);
        let pair = &pairs[0];
        assert_eq!((&*pair.base.cell.engine, &*pair.new.cell.engine), ("x", "x"));
        for compared in [pair.real, pair.cpu] {
            let Compared { ratio, verdict } = compared.expect("positive");
            assert!((ratio.ratio - 2.0).abs() < 0.01, "{ratio:?}");
            assert_eq!(verdict, Verdict::Slower);
        }
        assert_eq!(
            contrast("b", "a").pairs(&records)[0].real.map(|r| r.verdict),
            Some(Verdict::Faster)
        );
        records[2].machine.arch = "other".into();
        assert!(contrast("a", "b").pairs(&records).is_empty());
    }

    #[test]
    fn nothing_is_told_of_a_crowded_machine() {
        let mut records = vec![record("a", "x", 100), record("b", "x", 200)];
        records[1].machine.load_percent = 201;
        let pairs = contrast("a", "b").pairs(&records);
        assert_eq!(pairs[0].real.map(|real| real.verdict), Some(Verdict::CannotTell));
        assert!(pairs[0].real.is_some_and(|real| real.ratio.low > 1.9));
    }
}
