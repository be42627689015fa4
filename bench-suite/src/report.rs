//! Turns samples into a report: one number a row and phase, and ratios to the best wasmtime with
//! intervals and verdicts. It reads samples and nothing else.
//!
//! The best wasmtime is the best of its settings for each figure by itself, which is more than any
//! one setting reaches.

mod comparison;
mod csv;
pub mod export;
pub mod flame;
pub mod growth;
pub mod html;
mod markdown;
pub(crate) mod plot;
mod summary;
mod table;
mod trackers;

pub(crate) use csv::quoted;
pub(crate) use markdown::escape as escape_markdown;

pub use csv::csv;
pub use markdown::markdown;
pub use table::table;

use crate::engine::{Id, Kind};
use crate::phase::{Phase, Unit};
use crate::sample::{Absent, Header, Interrupted, Run, Series};
use crate::stats::decide::Floor;
use crate::stats::{self, QUANTILE, Ratio, Verdict};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Ours.
const OURS: &str = "lithify";
/// The peer that ratios are to.
const PEER: &str = "wasmtime";
/// How far the size of an artifact or memory may differ and still be the same.
const SIZE_FLOOR: f64 = 0.01;

/// A report.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// How it was measured.
    pub header: Option<Header>,
    /// What was left out.
    pub absent: Vec<Absent>,
    /// Where the run was cut short.
    pub interrupted: Option<Interrupted>,
    /// Whether the rest of its samples is missing.
    pub is_cut: bool,
    /// The workloads.
    pub workloads: Vec<WorkloadReport>,
    /// In how many processes a row was measured, at least and at most.
    pub processes: Option<[usize; 2]>,
    /// How many of the samples of calls took more than 1.2 times the minimum of their process:
    /// how noisy the machine was.
    pub slow_share: Option<f64>,
}

impl Report {
    /// In how many processes a row was measured, in words.
    fn processes(&self) -> String {
        match self.processes {
            Some([least, most]) if least < most => format!("{least} to {most} processes a row"),
            Some([count, _]) => format!("{count} processes a row"),
            None => "no call was measured".into(),
        }
    }
}

/// What is reported of a workload.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WorkloadReport {
    /// Its name.
    pub name: String,
    /// BLAKE2b-256 of the code, in hex.
    pub code_hash: String,
    /// Size of the module in bytes, where it was measured.
    pub wasm_bytes: Option<u64>,
    /// The module as a whole.
    pub module: Section,
    /// Each entry point.
    pub calls: Vec<(String, Section)>,
    /// Its calls on ours against those of the first module of the same workload, where it is another.
    pub beside: Vec<Beside>,
}

/// A call of a module against the same call of another module, both on ours.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Beside {
    /// The call.
    pub call: String,
    /// The name of the other workload.
    pub first: String,
    /// The module's total divided by the other's.
    pub ratio: Ratio,
    /// What that says.
    pub verdict: Verdict,
}

/// Engines against figures.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Section {
    /// The engines, ours first.
    pub rows: Vec<Row>,
    /// Ours against the best of the peer's settings, by figure.
    pub comparisons: Vec<Comparison>,
    /// Ours against each engine that is measured only by who names it.
    pub others: Vec<Comparison>,
    /// Host calls in a call; 0 for a module.
    pub host_calls: u64,
}

/// An engine.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Which, in which setting.
    pub engine: Id,
    /// Its figures, in the unit of the phase; absent where it has none.
    pub figures: BTreeMap<Phase, f64>,
    /// In how many processes it was measured.
    pub processes: usize,
}

/// Ours against a peer.
#[derive(Clone, Debug, PartialEq, Serialize)]
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

/// Makes a report of a run.
pub fn report(run: &Run) -> Report {
    // In the order of the run: workloads, and the calls of each.
    let mut workloads: Vec<((&str, &str), Vec<&str>)> = Vec::new();
    for Series { key, .. } in &run.series {
        let name = (&*key.workload, &*key.code_hash);
        let known = workloads.iter().position(|(known, _)| *known == name);
        let at = known.unwrap_or_else(|| {
            workloads.push((name, Vec::new()));
            workloads.len() - 1
        });
        let calls = &mut workloads[at].1;
        calls.extend(key.call.as_deref().filter(|call| !calls.contains(call)));
    }
    // Those of several threads were measured in random order.
    for (_, calls) in &mut workloads {
        let order = calls.clone();
        calls.sort_by_key(|call| {
            let threads = threads_of(call);
            threads.map(|(call, threads)| (order.iter().position(|other| *other == call), threads))
        });
    }
    let workload = |((name, code_hash), calls): ((&str, &str), Vec<&str>)| {
        let basis = |call: Option<&str>| Basis::new(run, (name, code_hash), call);
        WorkloadReport {
            name: name.to_owned(),
            code_hash: code_hash.to_owned(),
            wasm_bytes: (run.series.iter())
                .find(|series| series.key.phase == Phase::Module && series.key.workload == name)
                .and_then(|series| series.values.first().copied()),
            module: basis(None).section(Phase::MODULE),
            calls: (calls.into_iter())
                .map(|call| (call.to_owned(), basis(Some(call)).section(Phase::CALL)))
                .collect(),
            beside: Vec::new(),
        }
    };
    let mut workloads: Vec<WorkloadReport> = workloads.into_iter().map(workload).collect();
    side_by_side(run, &mut workloads);
    let rows = workloads.iter().flat_map(|workload| &workload.calls);
    let counts = rows.flat_map(|(_, section)| section.rows.iter().map(|row| row.processes));
    let (least, most) = (counts.clone().min(), counts.max());
    Report {
        processes: least.zip(most).map(|(least, most)| [least, most]),
        header: run.header.clone(),
        absent: run.absent.clone(),
        interrupted: run.interrupted.clone(),
        is_cut: run.is_cut(),
        workloads,
        slow_share: slow_share(&run.series),
    }
}

/// What a call on several threads is called.
pub fn on_threads(call: &str, threads: u32) -> String {
    format!("{call} on {threads} thread{}", if threads == 1 { "" } else { "s" })
}

/// The call and the number of threads, of what [`on_threads`] named.
fn threads_of(call: &str) -> Option<(&str, u32)> {
    let (call, threads) = call.rsplit_once(" on ")?;
    let (count, unit) = threads.split_once(' ')?;
    let count = count.parse().ok()?;
    matches!(unit, "thread" | "threads").then_some((call, count))
}

/// The modules of one workload are called by its name, a blank and theirs. Each gets its ratios to the
/// first of them that makes the call.
fn side_by_side(run: &Run, workloads: &mut [WorkloadReport]) {
    let totals = |workload: &WorkloadReport, call: &str| {
        let basis = Basis::new(run, (&workload.name, &workload.code_hash), Some(call));
        let ours = basis
            .measured
            .iter()
            .find(|((id, phase), _)| id.engine == OURS && *phase == Phase::Total);
        let numbers = ours.map(|(_, numbers)| numbers.values().copied().collect::<Vec<f64>>());
        numbers.map(|numbers| (numbers, basis.seed))
    };
    for at in 1..workloads.len() {
        let workload = &workloads[at];
        let Some((group, _)) = workload.name.split_once(' ') else { continue };
        let mut beside = Vec::new();
        for (call, _) in &workload.calls {
            let first = workloads[..at].iter().find(|other| {
                let same = other.name.split_once(' ').is_some_and(|(name, _)| name == group);
                same && other.calls.iter().any(|(other, _)| other == call)
            });
            let Some(first) = first else { continue };
            let (Some((ours, seed)), Some((theirs, _))) =
                (totals(workload, call), totals(first, call))
            else {
                continue;
            };
            let Some(ratio) = stats::ratio(&ours, &theirs, seed) else { continue };
            let verdict = ratio.verdict(Floor::Modules.at(0.0));
            let (call, first) = (call.clone(), first.name.clone());
            beside.push(Beside { call, first, ratio, verdict });
        }
        workloads[at].beside = beside;
    }
}

/// What a section is made of.
struct Basis {
    /// One number for each process, by process.
    measured: BTreeMap<(Id, Phase), BTreeMap<u32, f64>>,
    seed: u64,
    host_calls: u64,
}

impl Basis {
    fn new(run: &Run, (name, code_hash): (&str, &str), call: Option<&str>) -> Self {
        let mut measured = BTreeMap::<_, BTreeMap<u32, f64>>::new();
        for Series { key, values } in &run.series {
            let of_it = key.workload == name && key.code_hash == code_hash;
            if of_it
                && key.call.as_deref() == call
                && let Some(number) = stats::process_number(values)
            {
                let id = Id { engine: key.engine.clone(), setting: key.setting.clone() };
                let numbers = measured.entry((id, key.phase)).or_default();
                numbers.insert(key.process, number as f64);
            }
        }
        let processes: BTreeSet<u32> =
            measured.values().flat_map(|numbers| numbers.keys().copied()).collect();
        let ran = run.ran.iter().filter(|ran| processes.contains(&ran.process));
        let host_calls = ran.filter_map(|ran| ran.host_calls).max().unwrap_or(0);
        let seed = run.header.as_ref().map_or(0, |header| header.seed);
        Self { measured, seed, host_calls }
    }

    fn numbers(&self, engine: &Id, phase: Phase) -> Option<Vec<f64>> {
        Some(self.measured.get(&(engine.clone(), phase))?.values().copied().collect())
    }

    fn section(&self, phases: &[Phase]) -> Section {
        // Engines that are programs of others are in no table of ours.
        let known: Vec<Id> = Kind::all().map(Kind::id).collect();
        let programs: BTreeSet<Id> = self.measured.keys().map(|(id, _)| id.clone()).collect();
        let programs = programs.into_iter().filter(|id| !known.contains(id));
        let all = known.clone().into_iter().chain(programs);
        let rows: Vec<Row> = all.filter_map(|id| self.row(id, phases)).collect();
        let comparisons = phases.iter().filter_map(|phase| self.compare(&rows, *phase)).collect();
        let is_usual = |id: &Id| id.engine == OURS || Kind::of(id).is_ok_and(|kind| kind.every > 0);
        let named = rows.iter().map(|row| &row.engine).filter(|id| !is_usual(id));
        let others = named.flat_map(|peer| phases.iter().map(move |phase| (peer, *phase)));
        let others = others.filter_map(|(peer, phase)| self.against(&rows, peer, phase)).collect();
        Section { rows, comparisons, others, host_calls: self.host_calls }
    }

    fn row(&self, engine: Id, phases: &[Phase]) -> Option<Row> {
        let numbers = phases.iter().filter_map(|p| Some((*p, self.numbers(&engine, *p)?)));
        let numbers: Vec<(Phase, Vec<f64>)> = numbers.collect();
        let processes = numbers.iter().map(|(_, numbers)| numbers.len()).max()?;
        let figures = numbers
            .iter()
            .filter_map(|(phase, numbers)| Some((*phase, stats::quantile(numbers, QUANTILE)?)));
        Some(Row { figures: figures.collect(), processes, engine })
    }

    /// Against the best of the peer's settings.
    fn compare(&self, rows: &[Row], phase: Phase) -> Option<Comparison> {
        self.against(rows, best(rows, PEER, phase)?.0, phase)
    }

    fn against(&self, rows: &[Row], peer: &Id, phase: Phase) -> Option<Comparison> {
        // Time in host functions is the host's, not an engine's.
        if phase == Phase::Host {
            return None;
        }
        let (ours, value) = best(rows, OURS, phase)?;
        let ratio =
            stats::ratio(&self.numbers(ours, phase)?, &self.numbers(peer, phase)?, self.seed)?;
        let verdict = match phase {
            // The size of an artifact is not random, so one is as good as many.
            Phase::Artifact => Ratio { processes: usize::MAX, ..ratio }.verdict(SIZE_FLOOR),
            phase if phase.unit() == Unit::Bytes => ratio.verdict(SIZE_FLOOR),
            _ => ratio.verdict(stats::floor(value)),
        };
        Some(Comparison { phase, peer: peer.clone(), ratio, verdict })
    }
}

/// The setting of an engine that takes least, and what it takes.
fn best<'r>(rows: &'r [Row], engine: &str, phase: Phase) -> Option<(&'r Id, f64)> {
    let rows = rows.iter().filter(|row| row.engine.engine == engine);
    let figures = rows.filter_map(|row| Some((&row.engine, *row.figures.get(&phase)?)));
    figures.min_by(|a, b| a.1.total_cmp(&b.1))
}

fn slow_share(series: &[Series]) -> Option<f64> {
    let (mut slow, mut all) = (0, 0);
    // A baseline has one number a process, which says nothing of noise.
    let several = |series: &&Series| series.key.phase == Phase::Total && series.values.len() > 1;
    for Series { values, .. } in series.iter().filter(several) {
        let warm = stats::warm(values);
        let fastest = warm.iter().copied().min()?;
        slow += warm.iter().filter(|value| **value as f64 > 1.2 * fastest as f64).count();
        all += warm.len();
    }
    (all > 0).then(|| slow as f64 / all as f64)
}
