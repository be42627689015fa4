//! Turns samples into a report: one number a row and phase, and ratios to the best wasmtime with
//! intervals and verdicts. It reads samples and nothing else.
//!
//! The best wasmtime is the best of its settings for each figure by itself, which is more than any
//! one setting reaches.

mod table;

pub use table::{bytes, table, time};

use crate::engine::{Id, KINDS};
use crate::phase::{Phase, Unit};
use crate::sample::{Absent, Header, Run, Series};
use crate::stats::{self, QUANTILE, Ratio, Verdict};
use std::collections::{BTreeMap, BTreeSet};

/// Ours.
const OURS: &str = "lithify";
/// The peer that ratios are to.
const PEER: &str = "wasmtime";
/// How far the size of an artifact or memory may differ and still be the same.
const SIZE_FLOOR: f64 = 0.01;

/// Phases of a module, in the order of a report.
pub const MODULE: &[Phase] =
    &[Phase::Compile, Phase::CompileCpu, Phase::CompilePeak, Phase::Artifact, Phase::Load];

/// Phases of a call.
pub const CALL: &[Phase] = &[
    Phase::Instantiate,
    Phase::Call,
    Phase::Drop,
    Phase::Total,
    Phase::Host,
    Phase::Guest,
    Phase::Cold,
];

/// A report.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// How it was measured.
    pub header: Option<Header>,
    /// What was left out.
    pub absent: Vec<Absent>,
    /// The workloads.
    pub workloads: Vec<WorkloadReport>,
    /// How many of the samples of calls took more than 1.2 times the minimum of their process:
    /// how noisy the machine was.
    pub slow_share: Option<f64>,
}

/// What is reported of a workload.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkloadReport {
    /// Its name.
    pub name: String,
    /// BLAKE2b-256 of the code, in hex.
    pub code_hash: String,
    /// The module as a whole.
    pub module: Section,
    /// Each entry point.
    pub calls: Vec<(String, Section)>,
}

/// Engines against figures.
#[derive(Clone, Debug, PartialEq)]
pub struct Section {
    /// The engines, ours first.
    pub rows: Vec<Row>,
    /// Ours against the best of the peer's settings, by figure.
    pub comparisons: Vec<Comparison>,
}

/// An engine.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// It.
    pub engine: Id,
    /// Its figures, in the unit of the phase; absent where it has none.
    pub figures: BTreeMap<Phase, f64>,
    /// In how many processes it was measured.
    pub processes: usize,
}

/// Ours against a peer.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// What is compared.
    pub phase: Phase,
    /// Against which.
    pub peer: Id,
    /// Ours divided by the peer's; less is better.
    pub ratio: Ratio,
    /// What that says.
    pub verdict: Verdict,
}

/// One number a process.
type Numbers = BTreeMap<u32, f64>;
/// Numbers of a section's engines.
type Measured = BTreeMap<(Id, Phase), Numbers>;

/// Makes a report of a run.
pub fn report(run: &Run) -> Report {
    let seed = run.header.as_ref().map_or(0, |header| header.seed);
    let mut order: Vec<(&str, &str)> = Vec::new();
    let mut calls: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for Series { key, .. } in &run.series {
        let workload = (&*key.workload, &*key.code_hash);
        if !order.contains(&workload) {
            order.push(workload);
        }
        let calls = calls.entry(&key.workload).or_default();
        if let Some(call) = &key.call
            && !calls.contains(&&**call)
        {
            calls.push(call);
        }
    }
    let workloads = order.into_iter().map(|(name, code_hash)| {
        let section = |call: Option<&str>, phases: &[Phase]| {
            let of_it = run
                .series
                .iter()
                .filter(|series| series.key.workload == name && series.key.call.as_deref() == call);
            section(&measured(of_it), phases, seed)
        };
        WorkloadReport {
            name: name.to_owned(),
            code_hash: code_hash.to_owned(),
            module: section(None, MODULE),
            calls: calls[name]
                .iter()
                .map(|call| ((*call).to_owned(), section(Some(call), CALL)))
                .collect(),
        }
    });
    Report {
        header: run.header.clone(),
        absent: run.absent.clone(),
        workloads: workloads.collect(),
        slow_share: slow_share(&run.series),
    }
}

fn measured<'s>(series: impl Iterator<Item = &'s Series>) -> Measured {
    let mut measured = Measured::new();
    for Series { key, values } in series {
        let id = Id { engine: key.engine.clone(), setting: key.setting.clone() };
        if let Some(number) = stats::process_number(values) {
            let numbers = measured.entry((id, key.phase)).or_default();
            numbers.insert(key.process, number as f64);
        }
    }
    measured
}

fn section(measured: &Measured, phases: &[Phase], seed: u64) -> Section {
    let rows = KINDS.iter().filter_map(|kind| {
        let engine = kind.id();
        let own = |phase: &Phase| measured.get(&(engine.clone(), *phase));
        let figure = |phase: &Phase| {
            let numbers: Vec<f64> = own(phase)?.values().copied().collect();
            Some((*phase, stats::quantile(&numbers, QUANTILE)?))
        };
        let processes: BTreeSet<u32> =
            phases.iter().filter_map(own).flat_map(|numbers| numbers.keys().copied()).collect();
        let figures: BTreeMap<Phase, f64> = phases.iter().filter_map(figure).collect();
        let processes = processes.len();
        (!figures.is_empty()).then_some(Row { engine, figures, processes })
    });
    let rows: Vec<Row> = rows.collect();
    let compare = |phase: &Phase| compare(measured, &rows, *phase, seed);
    let comparisons = phases.iter().filter_map(compare).collect();
    Section { rows, comparisons }
}

fn compare(measured: &Measured, rows: &[Row], phase: Phase, seed: u64) -> Option<Comparison> {
    // Time in host functions is the host's, not an engine's.
    if phase == Phase::Host {
        return None;
    }
    let best = |engine: &str| {
        let rows = rows.iter().filter(|row| row.engine.engine == engine);
        let figures = rows.filter_map(|row| Some((&row.engine, *row.figures.get(&phase)?)));
        figures.min_by(|a, b| a.1.total_cmp(&b.1))
    };
    let ((ours, value), (peer, _)) = (best(OURS)?, best(PEER)?);
    let numbers = |id: &Id| -> Option<Vec<f64>> {
        Some(measured.get(&(id.clone(), phase))?.values().copied().collect())
    };
    let ratio = stats::ratio(&numbers(ours)?, &numbers(peer)?, seed)?;
    let verdict = match phase.unit() {
        // The size of an artifact is not random, so one is as good as many.
        Unit::Bytes if phase == Phase::Artifact => {
            Ratio { processes: usize::MAX, ..ratio }.verdict(SIZE_FLOOR)
        }
        Unit::Bytes => ratio.verdict(SIZE_FLOOR),
        Unit::Ns => ratio.verdict(stats::floor(value)),
    };
    Some(Comparison { phase, peer: peer.clone(), ratio, verdict })
}

fn slow_share(series: &[Series]) -> Option<f64> {
    let (mut slow, mut all) = (0, 0);
    for Series { values, .. } in series.iter().filter(|s| s.key.phase == Phase::Total) {
        let warm = stats::warm(values);
        let fastest = warm.iter().copied().min()?;
        slow += warm.iter().filter(|value| **value as f64 > 1.2 * fastest as f64).count();
        all += warm.len();
    }
    (all > 0).then(|| slow as f64 / all as f64)
}
