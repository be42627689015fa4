//! Turns many runs, oldest first, into trends: a figure of each run, and where it changed for good.
//!
//! Runs are of different hours, so the machine is in their figures: times are divided by how long each
//! run's reference work took, which knows the processor's clock and no more. A mark says that a figure
//! changed, not why.

use crate::phase::{Phase, Unit};
use crate::sample::{Run, Series, Sides};
use crate::stats::change_points::{PART, Part, parts};
use crate::stats::sides::Side;
use crate::stats::{self, QUANTILE};
use serde::Serialize;
use std::collections::BTreeMap;

/// How often a page on which nothing changed may have a mark, all trends together.
const ERROR: f64 = 0.05;
/// A change below this is none.
const FLOOR: f64 = 0.03;
/// What is followed.
const PHASES: &[Phase] =
    &[Phase::Total, Phase::CompileCpu, Phase::CompilePeak, Phase::Artifact, Phase::Reference];

/// The fewest runs in which there can be a mark.
pub const LEAST: usize = 2 * PART;

/// A run, and what to call it.
pub struct Named {
    /// The name of its file.
    pub name: String,
    /// It.
    pub run: Run,
}

/// A figure over all runs that have it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Trend {
    /// What it is of: workload, call, engine, and the machine where there are several.
    pub label: String,
    /// What was measured.
    pub phase: Phase,
    /// The run by its place, and the figure in the unit of the phase.
    pub points: Vec<(usize, f64)>,
    /// Parts of `points` within which nothing changed.
    #[serde(skip)]
    pub parts: Vec<Part>,
}

impl Trend {
    /// Where it changed: the place of the first run of the new part, and the new median by the old.
    pub fn changes(&self) -> impl Iterator<Item = (usize, f64)> {
        let pairs = self.parts.iter().zip(self.parts.iter().skip(1));
        pairs.filter_map(|(old, new)| {
            let (run, _) = self.points.get(new.start)?;
            Some((*run, new.median / old.median))
        })
    }
}

/// Puts runs in order, the oldest first; those of one second by name.
pub fn sort(runs: &mut [Named]) {
    let started = |run: &Named| run.run.header.as_ref().map_or(0, |header| header.started);
    runs.sort_by(|a, b| started(a).cmp(&started(b)).then(a.name.cmp(&b.name)));
}

/// The trends of `runs`, which are in order; what changed last comes first. `seed` is that of all draws.
pub fn trends(runs: &[Named], seed: u64) -> Vec<Trend> {
    let machine = |run: &Run| {
        run.header.as_ref().map_or_else(String::new, |header| header.machine.cpu.clone())
    };
    let first = runs.first().map(|named| machine(&named.run));
    let several = runs.iter().any(|named| Some(machine(&named.run)) != first);
    let mut all: BTreeMap<(Phase, String), Vec<(usize, f64)>> = BTreeMap::new();
    // Of each machine the reference work of its first run.
    let mut references: BTreeMap<String, f64> = BTreeMap::new();
    for (at, Named { run, .. }) in runs.iter().enumerate() {
        let machine = machine(run);
        let figures = figures(run);
        let own = figures.get(&(Phase::Reference, String::new())).copied().filter(|ns| *ns > 0.0);
        let scale = own.map_or(1.0, |own| *references.entry(machine.clone()).or_insert(own) / own);
        for ((phase, label), figure) in figures {
            let is_time = phase.unit() == Unit::Ns && phase != Phase::Reference;
            let figure = if is_time { figure * scale } else { figure };
            let label = match (several, label.is_empty()) {
                (true, true) => machine.clone(),
                (true, false) => format!("{label}, {machine}"),
                (false, _) => label,
            };
            all.entry((phase, label)).or_default().push((at, figure));
        }
    }
    let error = ERROR / all.len().max(1) as f64;
    let trend = |((phase, label), points): (_, Vec<(usize, f64)>)| {
        let values: Vec<f64> = points.iter().map(|(_, figure)| *figure).collect();
        Trend { label, phase, parts: parts(&values, error, FLOOR, seed), points }
    };
    let mut trends: Vec<Trend> = all.into_iter().map(trend).collect();
    // The order within those that changed at one time, or never, stays.
    trends.sort_by_key(|trend| std::cmp::Reverse(trend.changes().map(|(run, _)| run + 1).max()));
    trends
}

/// The 25 % quantiles over processes of a run, by phase and what they are of; the reference work has no
/// label. Of a comparison, those of the new side.
fn figures(run: &Run) -> BTreeMap<(Phase, String), f64> {
    let comparison = run.header.as_ref().and_then(|header| header.comparison.as_ref());
    let places = run.places();
    let is_new = |series: &Series| match comparison {
        None => true,
        Some(comparison) if comparison.of == Sides::Commands => {
            places.get(&series.key.process).is_some_and(|place| place.side == Side::New)
        }
        Some(comparison) => series.key.workload == comparison.new,
    };
    let mut numbers: BTreeMap<(Phase, String), Vec<f64>> = BTreeMap::new();
    for series in run.series.iter().filter(|series| PHASES.contains(&series.key.phase)) {
        let key = &series.key;
        let is_reference = key.phase == Phase::Reference;
        let Some(number) = stats::process_number(&series.values) else { continue };
        if !is_reference && !is_new(series) {
            continue;
        }
        let label = match is_reference {
            true => String::new(),
            false => {
                let parts = [&*key.workload, key.call.as_deref().unwrap_or_default()];
                let parts = parts.into_iter().chain([&*key.engine, &*key.setting]);
                parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
            }
        };
        numbers.entry((key.phase, label)).or_default().push(number as f64);
    }
    let figure = |(key, numbers): (_, Vec<f64>)| Some((key, stats::quantile(&numbers, QUANTILE)?));
    numbers.into_iter().filter_map(figure).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Header, Key};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn series(phase: Phase, call: Option<&str>, process: u32, value: f64) -> Series {
        let key = Key {
            workload: "w".into(),
            code_hash: String::new(),
            engine: "lithify".into(),
            setting: "aot".into(),
            phase,
            call: call.map(str::to_owned),
            process,
            output_hash: None,
        };
        Series { key, values: vec![value as u64] }
    }

    /// 24 nights on a machine whose clock changes from night to night; from the 16th on one call takes 10 %
    /// more.
    fn nights() -> Vec<Named> {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let night = |at: u64| {
            let clock = rng.random_range(1.0..1.6);
            let header = Some(Header { started: 1000 - at, ..Header::default() });
            let mut run = Run { header, ..Run::default() };
            for process in 0..20 {
                let noise = 1.0 + rng.random_range(0.0..0.02);
                let slower = if 23 - at >= 16 { 1.1 } else { 1.0 };
                for (phase, call, ns) in [
                    (Phase::Reference, None, 20_000.0),
                    (Phase::Total, Some("steady"), 50_000.0),
                    (Phase::Total, Some("slower"), 80_000.0 * slower),
                ] {
                    run.series.push(series(phase, call, process, ns * clock * noise));
                }
            }
            Named { name: format!("{at}.jsonl"), run }
        };
        // The newest file comes first.
        (0..24).map(night).collect()
    }

    #[test]
    fn a_planted_change_is_marked_and_the_machine_is_not() {
        let mut runs = nights();
        sort(&mut runs);
        let trends = trends(&runs, 1);
        let slower = &trends[0];
        assert_eq!((&*slower.label, slower.phase), ("w slower lithify aot", Phase::Total));
        let changes: Vec<(usize, f64)> = slower.changes().collect();
        assert_eq!(changes.len(), 1, "{changes:?}");
        assert!(changes[0].0.abs_diff(16) <= 1, "{changes:?}");
        assert!((changes[0].1 - 1.1).abs() < 0.02, "{changes:?}");
        let steady =
            trends.iter().find(|trend| trend.label.contains("steady")).expect("it is there");
        assert_eq!((steady.points.len(), steady.changes().count()), (24, 0));
    }
}
