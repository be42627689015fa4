//! Decides from the processes of two sides whether one is slower, with a known rate of false alarms.
//!
//! The sides of a block are drawn at random, so where they make no difference every other draw was as
//! likely: the test is exact by design, whatever the noise looks like, as long as a block's
//! processes follow each other. Looking several times, and at several rows, is paid for: each look
//! spends its own part of the error, and rows share it by Holm's rule.

use super::{QUANTILE, Ratio, Verdict, quantile_of_sorted};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Processes of each side in a block.
pub const BLOCK: usize = 4;
/// How often the rows are looked at while they are measured.
pub const LOOKS: usize = 5;
/// The error of all looks and rows together: how often equal sides may alarm.
pub const ERROR: f64 = 0.05;

/// A side of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// What is compared with.
    Base,
    /// What is compared.
    New,
}

/// One process: a measurement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Process {
    /// The block whose sides were drawn together.
    pub block: usize,
    /// Its side.
    pub side: Side,
    /// The logarithm of its number.
    pub log: f64,
}

/// What is known of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not enough to tell.
    Open,
    /// The interval lies inside the floor: more processes would tell no more.
    Same,
    /// Different by more than the floor, and not by chance, with an interval that says so, too.
    Alarmed,
}

/// A row that is measured.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its processes so far, block after block.
    pub processes: Vec<Process>,
    /// That of the last look at which it was open.
    pub p_value: f64,
    /// What the looks have told.
    pub state: State,
}

impl Default for Row {
    fn default() -> Self {
        Self { processes: Vec::new(), p_value: 1.0, state: State::Open }
    }
}

impl Row {
    /// Numbers of one side, in the unit of the measurement.
    pub fn numbers(&self, side: Side) -> Vec<f64> {
        self.processes.iter().filter(|p| p.side == side).map(|p| p.log.exp()).collect()
    }

    /// The new side divided by the base.
    pub fn ratio(&self, seed: u64) -> Option<Ratio> {
        super::ratio(&self.numbers(Side::New), &self.numbers(Side::Base), seed)
    }
}

/// Looks at all rows for the `look`th time, from 0 on, and settles those that can be told. A
/// difference below `floor` (as 0.01 for 1 %) is none.
pub fn look(rows: &mut [&mut Row], look: usize, floor: f64, resamples: usize, seed: u64) {
    for row in rows.iter_mut().filter(|row| row.state == State::Open) {
        row.p_value = p_value(&row.processes, resamples, seed);
    }
    // Those that alarmed stay significant; those that are the same were never.
    let p_values: Vec<f64> = (rows.iter())
        .map(|row| match row.state {
            State::Open => row.p_value,
            State::Alarmed => 0.0,
            State::Same => 1.0,
        })
        .collect();
    let alarms = holm(&p_values, ERROR * share(look));
    for (row, alarm) in rows.iter_mut().zip(alarms).filter(|(row, _)| row.state == State::Open) {
        let Some(ratio) = row.ratio(seed) else { continue };
        if ratio.verdict(floor) == Verdict::Same {
            row.state = State::Same;
        } else if alarm
            && ratio.ratio.ln().abs() > floor.ln_1p()
            && !(ratio.low..=ratio.high).contains(&1.0)
        {
            row.state = State::Alarmed;
        }
    }
}

/// The sides of a block, in the order in which its processes run.
pub fn draw(rng: &mut impl Rng) -> [Side; 2 * BLOCK] {
    let mut sides = [Side::Base; 2 * BLOCK];
    sides[BLOCK..].fill(Side::New);
    sides.shuffle(rng);
    sides
}

/// The part of [`ERROR`] that look `look`, from 0 on, may spend: little at first, when few processes
/// are there, most at last. In all it is 1.
pub fn share(look: usize) -> f64 {
    (2 * look + 1) as f64 / (LOOKS * LOOKS) as f64
}

/// Which of these p-values are significant together at `error`, by Holm's rule.
pub fn holm(p_values: &[f64], error: f64) -> Vec<bool> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    let mut significant = vec![false; p_values.len()];
    for (place, row) in order.into_iter().enumerate() {
        if p_values[row] > error / (p_values.len() - place) as f64 {
            break;
        }
        significant[row] = true;
    }
    significant
}

/// By how much the new side differs: the difference of the 25 % quantiles of logarithms.
pub fn effect(processes: &[Process]) -> Option<f64> {
    let of = |side| {
        let mut logs: Vec<f64> =
            processes.iter().filter(|p| p.side == side).map(|p| p.log).collect();
        logs.sort_by(f64::total_cmp);
        quantile_of_sorted(&logs, QUANTILE)
    };
    Some(of(Side::New)? - of(Side::Base)?)
}

/// How often sides without a difference would look at least as different as these, by `resamples`
/// other draws of the sides within each block: the smallest of the p-values of four statistics, made
/// a p-value in turn.
pub fn p_value(processes: &[Process], resamples: usize, seed: u64) -> f64 {
    let ranked = ranked(processes);
    let mut sides: Vec<Side> = processes.iter().map(|process| process.side).collect();
    // As measured first, then the other draws.
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut rows = vec![statistics(&ranked, &sides)];
    for _ in 0..resamples {
        for block in sides_of_blocks(processes, &mut sides) {
            block.shuffle(&mut rng);
        }
        rows.push(statistics(&ranked, &sides));
    }
    let mut smallest = vec![usize::MAX; rows.len()];
    for statistic in 0..STATISTICS {
        for (row, above) in at_least(&rows, |row| row[statistic]).into_iter().enumerate() {
            smallest[row] = smallest[row].min(above);
        }
    }
    // A small count is what is extreme.
    let extreme = smallest.iter().filter(|count| **count <= smallest[0]).count();
    extreme as f64 / rows.len() as f64
}

/// Consecutive processes of one block, as slices of `sides`.
fn sides_of_blocks<'s>(
    processes: &[Process],
    mut sides: &'s mut [Side],
) -> impl Iterator<Item = &'s mut [Side]> {
    let lens: Vec<usize> = processes.chunk_by(|a, b| a.block == b.block).map(<[_]>::len).collect();
    lens.into_iter().map(move |len| {
        let (block, rest) = std::mem::take(&mut sides).split_at_mut(len);
        sides = rest;
        block
    })
}

const STATISTICS: usize = 4;

/// A process with its place among all.
struct Ranked {
    process: usize,
    log: f64,
    /// Equal ones share the middle of their places.
    rank: f64,
}

/// The processes in order of their numbers.
fn ranked(processes: &[Process]) -> Vec<Ranked> {
    let mut order: Vec<usize> = (0..processes.len()).collect();
    order.sort_by(|a, b| processes[*a].log.total_cmp(&processes[*b].log));
    let mut ranked = Vec::with_capacity(order.len());
    for group in order.chunk_by(|a, b| processes[*a].log == processes[*b].log) {
        let rank = ranked.len() as f64 + (group.len() as f64 - 1.0) / 2.0;
        let one =
            |process: &usize| Ranked { process: *process, log: processes[*process].log, rank };
        ranked.extend(group.iter().map(one));
    }
    ranked
}

/// Differences at the 10, 25 and 50 % quantiles and of the ranks, without their sign.
fn statistics(ranked: &[Ranked], sides: &[Side]) -> [f64; STATISTICS] {
    let mut logs: [Vec<f64>; 2] = [const { Vec::new() }; 2];
    let mut ranks = 0.0;
    for Ranked { process, log, rank } in ranked {
        let new = sides[*process] == Side::New;
        logs[usize::from(new)].push(*log);
        ranks += if new { *rank } else { 0.0 };
    }
    let [base, new] = &logs;
    let expected = new.len() as f64 * (ranked.len() as f64 - 1.0) / 2.0;
    let difference = |q| match (quantile_of_sorted(new, q), quantile_of_sorted(base, q)) {
        (Some(new), Some(base)) => (new - base).abs(),
        _ => 0.0,
    };
    [difference(0.1), difference(0.25), difference(0.5), (ranks - expected).abs()]
}

/// For each row, how many have a value at least as large.
fn at_least<T>(rows: &[T], value: impl Fn(&T) -> f64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by(|a, b| value(&rows[*b]).total_cmp(&value(&rows[*a])));
    let mut counts = vec![0; rows.len()];
    let equal = |a: &usize, b: &usize| value(&rows[*a]) == value(&rows[*b]);
    let mut seen = 0;
    for group in order.chunk_by(equal) {
        seen += group.len();
        for row in group {
            counts[*row] = seen;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Processes of sides of which the new one is `slower` times as slow, with the noise of a shared
    /// machine: a third of the time it is up to 1.7 times slow, for some processes on end.
    fn measured(blocks: usize, slower: f64, seed: u64) -> Vec<Process> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut busy = false;
        let mut processes = Vec::new();
        for block in 0..blocks {
            for side in draw(&mut rng) {
                if rng.random_range(0..4) == 0 {
                    busy = rng.random_range(0..3) == 0;
                }
                let noise = rng.random_range(0.0..0.02)
                    + if busy { rng.random_range(0.0..0.7) } else { 0.0 };
                let slow = if side == Side::New { slower } else { 1.0 };
                processes.push(Process { block, side, log: ((1.0 + noise) * slow).ln() });
            }
        }
        processes
    }

    #[test]
    fn equal_sides_alarm_as_often_as_they_may() {
        let alarms = (0..400).filter(|seed| p_value(&measured(10, 1.0, *seed), 199, *seed) <= 0.05);
        let alarms = alarms.count();
        // 20 are expected; fewer than 8 or more than 36 come in one of 2 000 runs.
        assert!((8..=36).contains(&alarms), "{alarms} of 400 at 5 %");
    }

    #[test]
    fn a_planted_difference_is_found() {
        let found = |slower| {
            (0..20).filter(|seed| p_value(&measured(25, slower, *seed), 499, 1) <= 0.01).count()
        };
        assert_eq!(found(1.03), 20, "3 % in 100 processes a side");
        assert_eq!(found(0.97), 20, "either way");
        assert!(found(1.01) >= 15, "1 %");
        let effect = effect(&measured(25, 1.03, 1)).expect("both sides");
        assert!((effect.exp() - 1.03).abs() < 0.01, "{effect}");
    }

    /// Three rows with these effects, looked at five times.
    fn looked_at(slower: [f64; 3], seed: u64) -> [State; 3] {
        let mut row = 0;
        let all = slower.map(|slower| {
            row += 1;
            measured(5 * LOOKS, slower, seed + row)
        });
        let mut rows: [Row; 3] = Default::default();
        for at in 0..LOOKS {
            for (row, all) in rows.iter_mut().zip(&all) {
                row.processes = all[..(at + 1) * 5 * 2 * BLOCK].to_vec();
            }
            let [a, b, c] = &mut rows;
            look(&mut [a, b, c], at, 0.01, 999, seed);
        }
        rows.map(|row| row.state)
    }

    #[test]
    fn five_looks_at_three_rows_seldom_alarm_and_find_what_is_there() {
        let equal = |seed: u64| looked_at([1.0, 1.0, 1.0], 1000 * seed).contains(&State::Alarmed);
        let alarms = (0..40).filter(|seed| equal(*seed)).count();
        assert!(alarms <= 6, "{alarms} of 40 runs, where 2 may be expected");
        for seed in 0..5 {
            let states = looked_at([1.0, 1.05, 0.95], 7 + 1000 * seed);
            assert_eq!(states[1..], [State::Alarmed; 2], "{states:?}");
        }
    }

    #[test]
    fn a_draw_has_as_many_of_each_side() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for _ in 0..100 {
            let new = draw(&mut rng).iter().filter(|side| **side == Side::New).count();
            assert_eq!(new, BLOCK);
        }
    }

    #[test]
    fn the_looks_spend_the_error_once() {
        let all: f64 = (0..LOOKS).map(share).sum();
        assert!((all - 1.0).abs() < 1e-12);
    }

    #[test]
    fn holm_is_stricter_with_more_rows() {
        assert_eq!(holm(&[0.01, 0.04, 0.02], 0.05), [true, true, true]);
        assert_eq!(holm(&[0.01, 0.04, 0.03], 0.05), [true, false, false]);
        assert_eq!(holm(&[0.04, 0.5], 0.05), [false, false]);
        assert_eq!(holm(&[], 0.05), [false; 0]);
    }

    #[test]
    fn ties_count_as_extreme() {
        assert_eq!(at_least(&[3.0, 1.0, 3.0, 2.0], |value| *value), [2, 4, 2, 3]);
        let equal: Vec<_> =
            measured(5, 1.0, 1).into_iter().map(|p| Process { log: 1.0, ..p }).collect();
        assert_eq!(p_value(&equal, 99, 1), 1.0);
    }
}
