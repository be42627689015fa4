//! Decides rows of two builds of which each is there several times, linked in different orders.
//!
//! The order of linking moves a call by more than what is looked for, in all processes of a binary alike:
//! so here the binary is the unit, not the process, and its number is the 25 % quantile over its
//! processes. Where the builds do not differ, every division of the binaries into two sides was as likely.
//! All divisions are tried, so the test is exact, however the order of linking moves a row and whatever
//! the machine does meanwhile. Rows share the divisions: a row alarms where its difference is larger than
//! the largest that all rows together show in 95 % of them (Westfall and Young), which costs fewer
//! binaries than Holm's rule would.
//!
//! ```text
//! numbers of binaries --all divisions--> p-values of all rows together, intervals --> verdicts
//! ```
//!
//! What makes divisions alike is the order of the processes: in each round every binary of both sides is
//! there once, in random order (`runner/relinks.rs`).

use super::decide::{Decided, Floor};
use super::sides::Side;
use super::{QUANTILE, Ratio, Verdict, quantile};

/// The fewest binaries a side: of 4 and 4 the least p-value is 2 of 70.
pub const FEWEST: usize = 4;
/// The most: 12 870 divisions.
pub const MOST: usize = 8;
/// How often equal builds may alarm, all rows together.
const ERROR: f64 = 0.05;
/// A difference beyond this factor is not looked for.
const LARGEST: f64 = 10.0;

/// The logarithms of the numbers of processes, binary by binary.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// The binaries of the base.
    pub base: Vec<Vec<f64>>,
    /// As many of the new side.
    pub new: Vec<Vec<f64>>,
}

impl Row {
    /// The processes of a binary.
    pub fn of(&mut self, side: Side) -> &mut Vec<Vec<f64>> {
        match side {
            Side::Base => &mut self.base,
            Side::New => &mut self.new,
        }
    }

    /// Whether there are as many binaries on both sides as can be decided by, each with a process.
    fn is_whole(&self) -> bool {
        self.base.len() == self.new.len()
            && (FEWEST..=MOST).contains(&self.base.len())
            && self.base.iter().chain(&self.new).all(|processes| !processes.is_empty())
    }

    /// The numbers of the binaries, those of the base first.
    fn numbers(&self) -> Vec<f64> {
        let numbers = self.base.iter().chain(&self.new);
        numbers.filter_map(|processes| quantile(processes, QUANTILE)).collect()
    }

    /// The processes of the side that has fewer.
    fn processes(&self) -> usize {
        let count = |side: &[Vec<f64>]| side.iter().map(Vec::len).sum();
        usize::min(count(&self.base), count(&self.new))
    }
}

/// Decides the rows, which share the error and have equally many binaries. None for a row of which too
/// little was measured; it is left out of the others' error, too.
pub fn decide(rows: &[Row], floors: &[Floor]) -> Vec<Option<Decided>> {
    let numbers: Vec<Option<Vec<f64>>> =
        rows.iter().map(|row| row.is_whole().then(|| row.numbers())).collect();
    let whole: Vec<&[f64]> = numbers.iter().flatten().map(Vec::as_slice).collect();
    let mut p_values = together(&whole).into_iter();
    let decided = |((row, numbers), floor): ((&Row, &Option<Vec<f64>>), &Floor)| {
        let (numbers, p_value) = (numbers.as_ref()?, p_values.next()?);
        let links = numbers.len() / 2;
        let quantiles = [&numbers[..links], &numbers[links..]].map(|side| mean(side).exp());
        let [low, high] = interval(numbers);
        let ratio = Ratio {
            ratio: quantiles[1] / quantiles[0],
            low: low.exp(),
            high: high.exp(),
            processes: row.processes(),
        };
        let verdict = match ratio.verdict(floor.at(quantiles[0])) {
            Verdict::Slower | Verdict::Faster if p_value > ERROR => Verdict::CannotTell,
            verdict => verdict,
        };
        Some(Decided { verdict, ratio, p_value, confirmed: None, quantiles, blocks: Vec::new() })
    };
    rows.iter().zip(&numbers).zip(floors).map(decided).collect()
}

fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len() as f64
}

/// All divisions of twice `links` binaries into two sides: a bit for each that is on the new one.
fn divisions(links: usize) -> impl Iterator<Item = u32> + Clone {
    (0..1u32 << (2 * links)).filter(move |bits| bits.count_ones() as usize == links)
}

/// The division that was measured: the first half is the base.
fn measured(links: usize) -> u32 {
    ((1 << links) - 1) << links
}

/// By how much the side of the set bits is above the other one, in the mean.
fn difference(numbers: &[f64], division: u32) -> f64 {
    let signed = numbers
        .iter()
        .enumerate()
        .map(|(at, number)| if division >> at & 1 == 1 { *number } else { -*number });
    signed.sum::<f64>() / (numbers.len() / 2) as f64
}

/// Numbers that differ by rounding alone are equal.
fn at_least(a: f64, b: f64) -> bool {
    a >= b - 1e-12 * b.abs().max(1e-3)
}

/// The p-values of rows together: the share of divisions in which some row looks at least as different as
/// this one does. What makes rows alike is how they vary, so a difference counts by that: by its share of
/// all variation.
fn together(rows: &[&[f64]]) -> Vec<f64> {
    let Some(links) = rows.first().map(|numbers| numbers.len() / 2) else { return Vec::new() };
    let variation = |numbers: &[f64]| {
        let middle = mean(numbers);
        numbers.iter().map(|number| (number - middle).powi(2)).sum::<f64>()
    };
    let share = |numbers: &[f64], variation: f64, division: u32| {
        if variation > 0.0 { difference(numbers, division).powi(2) / variation } else { 0.0 }
    };
    let rows: Vec<(&[f64], f64)> = rows.iter().map(|row| (*row, variation(row))).collect();
    let largest: Vec<f64> = divisions(links)
        .map(|division| {
            rows.iter().map(|(row, all)| share(row, *all, division)).fold(0.0, f64::max)
        })
        .collect();
    let p_value = |(row, all): &(&[f64], f64)| {
        let own = share(row, *all, measured(links));
        largest.iter().filter(|largest| at_least(**largest, own)).count() as f64
            / largest.len() as f64
    };
    rows.iter().map(p_value).collect()
}

/// The 95 % interval of the difference: all differences that the test of this row alone does not reject.
fn interval(numbers: &[f64]) -> [f64; 2] {
    let links = numbers.len() / 2;
    let own = difference(numbers, measured(links));
    let mut shifted = numbers.to_vec();
    let mut is_rejected = |by: f64| {
        for (shifted, number) in shifted.iter_mut().zip(numbers).skip(links) {
            *shifted = number - by;
        }
        let own = difference(&shifted, measured(links)).abs();
        let all = divisions(links).count();
        let above = divisions(links)
            .filter(|division| at_least(difference(&shifted, *division).abs(), own))
            .count();
        above as f64 / all as f64 <= ERROR
    };
    let mut end = |sign: f64| {
        // What is rejected lies beyond what is not: the farther away, the fewer divisions are as far.
        let (mut inside, mut outside) = (0.0, LARGEST.ln());
        for _ in 0..30 {
            let middle = (inside + outside) / 2.0;
            if is_rejected(own + sign * middle) { outside = middle } else { inside = middle }
        }
        own + sign * outside
    };
    [end(-1.0), end(1.0)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Rows of builds of which the new one is `slower` times as slow. The order of linking moves each
    /// binary by up to `layout`, and processes vary as on a shared machine.
    fn rows(
        count: usize,
        links: usize,
        slower: f64,
        layout: f64,
        rng: &mut ChaCha8Rng,
    ) -> Vec<Row> {
        let mut binary = |slower: f64| -> Vec<f64> {
            let moved = 1.0 + rng.random_range(-layout..=layout);
            let mut process = || {
                let slow =
                    if rng.random_range(0..3) == 0 { rng.random_range(0.0..0.5) } else { 0.0 };
                (10_000.0 * slower * moved * (1.0 + rng.random_range(0.0..0.01) + slow)).ln()
            };
            (0..12).map(|_| process()).collect()
        };
        let mut side =
            |slower: f64| -> Vec<Vec<f64>> { (0..links).map(|_| binary(slower)).collect() };
        (0..count).map(|_| Row { base: side(1.0), new: side(slower) }).collect()
    }

    fn verdicts(rows: &[Row]) -> Vec<Verdict> {
        let floors = vec![Floor::Of(0.01); rows.len()];
        decide(rows, &floors).into_iter().map(|row| row.expect("whole").verdict).collect()
    }

    #[test]
    fn every_division_is_tried_once() {
        for (links, count) in [(4, 70), (5, 252), (MOST, 12_870)] {
            assert_eq!(divisions(links).count(), count);
            assert!(divisions(links).any(|division| division == measured(links)));
        }
    }

    /// Whatever the numbers are: of all divisions of 4 and 4 binaries no more than a share `a` has a
    /// p-value up to `a`, all rows together. So the test is exact.
    #[test]
    fn equal_builds_alarm_exactly_as_often_as_they_may() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for _ in 0..6 {
            let numbers: Vec<Vec<f64>> =
                rows(3, 4, 1.0, 0.02, &mut rng).iter().map(Row::numbers).collect();
            let least = divisions(4).map(|division| {
                // The binaries of the division, as if they had been the new side.
                let divided = |row: &Vec<f64>| -> Vec<f64> {
                    let on = |side: u32| {
                        (0..8)
                            .filter(move |at| division >> at & 1 == side)
                            .map(|at| row[at as usize])
                    };
                    on(0).chain(on(1)).collect()
                };
                let divided: Vec<Vec<f64>> = numbers.iter().map(divided).collect();
                let rows: Vec<&[f64]> = divided.iter().map(Vec::as_slice).collect();
                together(&rows).into_iter().fold(1.0, f64::min)
            });
            let least: Vec<f64> = least.collect();
            for p in &least {
                let up_to = least.iter().filter(|other| **other <= p + 1e-9).count();
                assert!(up_to as f64 <= p * 70.0 + 1e-6, "{up_to} of 70 up to {p}");
            }
            assert!(least.iter().any(|p| *p <= 0.05), "none could ever alarm");
        }
    }

    /// Where the order of linking moves calls by up to 2 %, builds that are equal alarm in no more than 5 %
    /// of comparisons, while a test by processes would take layout for a change.
    #[test]
    fn layout_is_no_change() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let (mut alarms, mut by_processes) = (0, 0);
        const COUNT: usize = 300;
        for _ in 0..COUNT {
            let rows = rows(3, 4, 1.0, 0.02, &mut rng);
            alarms += usize::from(verdicts(&rows).iter().any(|verdict| verdict.is_change()));
            // One binary a side, as if it had been built once, and an interval over its processes.
            let one = |side: &[Vec<f64>]| side[0].iter().map(|log| log.exp()).collect::<Vec<_>>();
            let is_change = |row: &Row| {
                let ratio = super::super::ratio(&one(&row.new), &one(&row.base), 1);
                ratio.is_some_and(|ratio| ratio.verdict(0.01).is_change())
            };
            by_processes += usize::from(rows.iter().any(is_change));
        }
        // 5 % are 15, and 3.6 deviations 14 more. The floor keeps some of them back.
        assert!(alarms <= 29, "{alarms} of {COUNT}");
        assert!(by_processes > COUNT / 4, "{by_processes} of {COUNT}: there was no layout to see");
    }

    #[test]
    fn what_is_slower_in_every_binary_is_found() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let found = |slower: f64, links, rng: &mut ChaCha8Rng| {
            let wanted = if slower > 1.0 { Verdict::Slower } else { Verdict::Faster };
            (0..20)
                .filter(|_| verdicts(&rows(2, links, slower, 0.01, rng)).contains(&wanted))
                .count()
        };
        assert!(found(1.05, 4, &mut rng) >= 18, "5 %");
        assert!(found(0.95, 4, &mut rng) >= 18, "either way");
        assert!(found(1.025, 6, &mut rng) >= 15, "more binaries tell less apart");
    }

    /// What `METHOD.md` says of how large a difference in one of several rows has to be, in standard
    /// deviations of what layout does, to be found by so many binaries a side.
    #[test]
    fn more_binaries_find_smaller_differences() {
        const COUNT: usize = 100;
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        // Twelve of these are about normal, with a deviation of 1.
        let mut layout = || (0..12).map(|_| rng.random_range(-0.5..0.5)).sum::<f64>();
        let mut found = |links: usize, rows: usize, deviations: f64| {
            let one = |_: &usize| {
                let mut rows: Vec<Vec<f64>> =
                    (0..rows).map(|_| (0..2 * links).map(|_| layout()).collect()).collect();
                rows[0][links..].iter_mut().for_each(|number| *number += deviations);
                let rows: Vec<&[f64]> = rows.iter().map(Vec::as_slice).collect();
                together(&rows)[0] <= ERROR
            };
            (0..COUNT).filter(one).count()
        };
        let mut table = Vec::new();
        for rows in [1, 5] {
            for links in [4, 5, 6, 8] {
                let line = [1.5, 2.0, 3.0, 4.0].map(|deviations| found(links, rows, deviations));
                println!("{rows} rows, {links} links: {line:?} of {COUNT}");
                assert!(line.is_sorted() || line[3] > 90, "{line:?}");
                table.push(line);
            }
        }
        assert!(table[0][2] >= 80, "4 links and one row tell 3 deviations");
        assert!(table[6][2] >= 80, "6 links and five rows do");
    }

    /// The interval holds what was planted about as often as it says.
    #[test]
    fn the_interval_covers() {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let covered = |_: &usize| {
            let row = rows(1, 5, 1.03, 0.015, &mut rng).remove(0);
            let [low, high] = interval(&row.numbers());
            (low..=high).contains(&1.03f64.ln())
        };
        let covered = (0..200usize).filter(covered).count();
        assert!(covered >= 180, "{covered} of 200");
    }

    #[test]
    fn equal_numbers_are_the_same_and_parts_are_nothing() {
        let equal = Row { base: vec![vec![7.0]; 4], new: vec![vec![7.0]; 4] };
        let floor = [Floor::Of(0.01)];
        let told = decide(std::slice::from_ref(&equal), &floor).remove(0).expect("whole");
        // Too few processes to say that.
        assert_eq!((told.verdict, told.p_value), (Verdict::CannotTell, 1.0));
        let many = Row { base: vec![vec![7.0; 4]; 4], new: vec![vec![7.0; 4]; 4] };
        assert_eq!(verdicts(&[many]), [Verdict::Same]);
        for part in [
            Row::default(),
            Row { base: vec![vec![7.0]; 3], new: vec![vec![7.0]; 3] },
            Row { base: vec![vec![7.0]; 4], new: vec![vec![7.0]; 5] },
            Row { new: vec![vec![7.0], vec![], vec![7.0], vec![7.0]], ..equal.clone() },
        ] {
            assert!(decide(&[part], &floor)[0].is_none());
        }
    }
}
