//! Turns records into what people read: tables, and of those Markdown and a page; lines for a spreadsheet. It
//! reads records and nothing else, so all of it can be made again.
//!
//! Tables are of one instruction set each: times and system calls of two are not comparable.

mod csv;
mod page;
mod tables;

pub use csv::csv;
pub use page::page;
pub use tables::{Table, Value, tables};

use super::contrast::{self, Contrast};
use super::file::Study;
use super::originals::Originals;
use super::record::{Outcome, Record};
use crate::machine::Machine;
use crate::report::escape_markdown;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// What a study adds to its records, to be shown.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// What it is of, in one sentence.
    pub about: String,
    /// Figures of another study.
    pub originals: Originals,
    /// What is set against each other.
    pub contrasts: Vec<Contrast>,
}

impl From<&Study> for Shown {
    fn from(study: &Study) -> Self {
        Self {
            about: study.about.clone(),
            originals: study.originals.clone(),
            contrasts: study.contrasts.clone(),
        }
    }
}

/// What came of the cells, counted.
pub fn sentence(records: &[Record]) -> String {
    let count = |is: fn(&Outcome) -> bool| records.iter().filter(|r| is(&r.outcome)).count();
    let measured = count(|outcome| matches!(outcome, Outcome::Measured(_)));
    let mut parts = vec![format!("{measured} of {} cells measured", records.len())];
    let others = [
        (count(|outcome| matches!(outcome, Outcome::Absent { .. })), "need what is not here"),
        (count(|outcome| matches!(outcome, Outcome::Failed { .. })), "failed"),
        (count(|outcome| matches!(outcome, Outcome::Late { .. })), "took too long"),
    ];
    parts.extend(others.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")));
    parts.join(", ")
}

/// The records of each instruction set.
fn by_arch(records: &[Record]) -> BTreeMap<&str, Vec<Record>> {
    let mut sets: BTreeMap<&str, Vec<Record>> = BTreeMap::new();
    for record in records {
        sets.entry(&record.machine.arch).or_default().push(record.clone());
    }
    sets
}

/// The machines of records, in one line each; what was going on on them is left to the records.
fn machines(records: &[Record]) -> Vec<String> {
    let line = |machine: &Machine| {
        let Machine { cpu, cpus, arch, kernel, virtual_machine, .. } = machine;
        let kind = if *virtual_machine { ", a virtual machine" } else { "" };
        format!("{cpu}, {cpus} CPUs, {arch}{kind}, Linux {kernel}")
    };
    let lines: BTreeSet<String> = records.iter().map(|record| line(&record.machine)).collect();
    lines.into_iter().collect()
}

/// What holds for every number.
const METHOD: &str = "Each number is of a whole process, from the start of the engine's command to its end, \
    output thrown away. Executions of a cell follow each other, so that two cells were measured at two times: \
    where more wanted to run than there are processors, nothing is told of two cells. A figure is the 25 % \
    quantile over executions with its 95 % interval (bootstrap).";

/// How many cells were measured beside how much else.
fn crowd(records: &[Record]) -> String {
    let crowded = records.iter().filter(|record| contrast::is_crowded(&record.machine)).count();
    let most = records.iter().map(|record| record.machine.load_percent).max().unwrap_or(0);
    let most = f64::from(most) / 100.0;
    format!(
        "{crowded} of {} cells began with more to run than processors, load {most:.1} at most",
        records.len()
    )
}

/// All tables as Markdown.
pub fn markdown(name: &str, records: &[Record], shown: &Shown) -> String {
    let mut text = format!("# {}\n\n", escape_markdown(name));
    let mut line = |words: &str| {
        let _ = writeln!(text, "{words}\n");
    };
    line(&escape_markdown(&shown.about));
    line(&format!("{}. {METHOD}", sentence(records)));
    if !shown.originals.source.is_empty() {
        line(&format!("In brackets: {}.", escape_markdown(&shown.originals.source)));
    }
    for (arch, records) in by_arch(records) {
        let machines = escape_markdown(&machines(&records).join("; "));
        line(&format!("## {arch}\n\n{machines}; {}.", crowd(&records)));
        for table in tables(&records, shown) {
            line(&format!("### {}\n\n{}", escape_markdown(&table.caption), table.markdown()));
        }
    }
    text
}
