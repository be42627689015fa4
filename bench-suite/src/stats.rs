//! Statistics: pure functions on slices.
//!
//! A process is the unit, its number the minimum of its samples: samples within a process are not
//! independent, and on a shared machine nothing is as steady as the minimum. Global minima lie,
//! so over processes the 25 % quantile counts, and a bootstrap over processes gives the interval.

pub mod change_points;
pub mod decide;
#[cfg(test)]
mod noise;
mod permutation;
pub mod relinks;
pub mod sequential;
pub mod sides;

pub use permutation::p_value;

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

/// The quantile over processes that stands for a row.
pub const QUANTILE: f64 = 0.25;
/// Fewer processes a side than this and an interval means nothing.
pub const MIN_PROCESSES: usize = 12;
/// Resamples of the bootstrap.
const RESAMPLES: usize = 2000;

/// The samples without the first fifth, which are slow: at least one, at most 20. A single sample
/// stays.
pub fn warm(samples: &[u64]) -> &[u64] {
    match samples.len() {
        0 | 1 => samples,
        len => &samples[(len / 5).clamp(1, 20)..],
    }
}

/// The number of a process: the minimum of its warm samples.
pub fn process_number(samples: &[u64]) -> Option<u64> {
    warm(samples).iter().copied().min()
}

/// The `q` quantile of `values`, interpolated between neighbours.
pub fn quantile(values: &[f64], q: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    quantile_of_sorted(&sorted, q)
}

fn quantile_of_sorted(sorted: &[f64], q: f64) -> Option<f64> {
    let place = q * (sorted.len().checked_sub(1)? as f64);
    let below = sorted[place.floor() as usize];
    let above = sorted[place.ceil() as usize];
    Some(below + (above - below) * place.fract())
}

/// What other studies print of a row's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Arithmetic mean.
    pub mean: f64,
    /// Standard deviation of a sample; 0 of one number.
    pub deviation: f64,
    /// The least.
    pub min: f64,
    /// The one in the middle.
    pub median: f64,
    /// The largest.
    pub max: f64,
}

/// What other studies print of `numbers`; `None` of none.
pub fn summary(numbers: &[f64]) -> Option<Summary> {
    let [min, median, max] = [0.0, 0.5, 1.0].map(|q| quantile(numbers, q));
    let count = numbers.len() as f64;
    let mean = numbers.iter().sum::<f64>() / count;
    let squares: f64 = numbers.iter().map(|number| (number - mean).powi(2)).sum();
    let deviation = (squares / (count - 1.0).max(1.0)).sqrt();
    Some(Summary { mean, deviation, min: min?, median: median?, max: max? })
}

/// A row's figure with its 95 % interval: lower end, the quantile over processes, upper end.
pub fn interval(numbers: &[f64], seed: u64) -> Option<[f64; 3]> {
    let figure = quantile(numbers, QUANTILE)?;
    let (mut rng, mut drawn) = (ChaCha8Rng::seed_from_u64(seed), Vec::new());
    let mut figures: Vec<f64> =
        (0..RESAMPLES).filter_map(|_| resampled(numbers, &mut rng, &mut drawn)).collect();
    figures.sort_by(f64::total_cmp);
    Some([quantile_of_sorted(&figures, 0.025)?, figure, quantile_of_sorted(&figures, 0.975)?])
}

/// A ratio of two rows with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Ratio {
    /// Quotient of the quantiles.
    pub ratio: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Processes on the side that has fewer.
    pub processes: usize,
}

/// `ours / theirs`, both one number a process.
///
/// `None` when a side has none, or one that is not positive.
pub fn ratio(ours: &[f64], theirs: &[f64], seed: u64) -> Option<Ratio> {
    let logs = |numbers: &[f64]| -> Option<Vec<f64>> {
        numbers.iter().map(|n| (*n > 0.0).then(|| n.ln())).collect()
    };
    let (ours, theirs) = (logs(ours)?, logs(theirs)?);
    let effect = quantile(&ours, QUANTILE)? - quantile(&theirs, QUANTILE)?;
    let (mut rng, mut drawn) = (ChaCha8Rng::seed_from_u64(seed), Vec::new());
    let mut resampled = |values: &[f64]| resampled(values, &mut rng, &mut drawn);
    let mut effects: Vec<f64> =
        (0..RESAMPLES).filter_map(|_| Some(resampled(&ours)? - resampled(&theirs)?)).collect();
    effects.sort_by(f64::total_cmp);
    Some(Ratio {
        ratio: effect.exp(),
        low: quantile_of_sorted(&effects, 0.025)?.exp(),
        high: quantile_of_sorted(&effects, 0.975)?.exp(),
        processes: ours.len().min(theirs.len()),
    })
}

/// The quantile of as many values drawn with replacement, without sorting all of them.
fn resampled(values: &[f64], rng: &mut ChaCha8Rng, drawn: &mut Vec<f64>) -> Option<f64> {
    drawn.clear();
    drawn.extend(values.iter().map(|_| values[rng.random_range(0..values.len())]));
    let place = QUANTILE * (drawn.len().checked_sub(1)? as f64);
    let (_, below, above) = drawn.select_nth_unstable_by(place.floor() as usize, f64::total_cmp);
    let below = *below;
    let above = above.iter().copied().min_by(f64::total_cmp).unwrap_or(below);
    Some(below + (above - below) * place.fract())
}

/// What a ratio says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Less time.
    Faster,
    /// More time.
    Slower,
    /// The interval lies inside the floor.
    Same,
    /// Too few processes, or too wide an interval.
    CannotTell,
}

impl Verdict {
    /// Whether it says that there is a difference.
    pub fn is_change(self) -> bool {
        matches!(self, Self::Slower | Self::Faster)
    }
}

impl Ratio {
    /// The verdict, given the largest effect that layout alone can have (as 0.03 for 3 %).
    pub fn verdict(&self, floor: f64) -> Verdict {
        let band = (1.0 / (1.0 + floor))..=(1.0 + floor);
        match self {
            _ if self.processes < MIN_PROCESSES => Verdict::CannotTell,
            _ if band.contains(&self.low) && band.contains(&self.high) => Verdict::Same,
            _ if self.high < 1.0 && self.ratio < *band.start() => Verdict::Faster,
            _ if self.low > 1.0 && self.ratio > *band.end() => Verdict::Slower,
            _ => Verdict::CannotTell,
        }
    }
}

/// The effect that relinking alone can have on a call of `ns`.
pub fn floor(ns: f64) -> f64 {
    if ns < 20_000.0 { 0.03 } else { 0.015 }
}

/// The items in a random order.
pub fn permuted<T: Clone>(items: &[T], rng: &mut ChaCha8Rng) -> Vec<T> {
    let mut items = items.to_vec();
    items.shuffle(rng);
    items
}

/// The order of a run: `rounds` times through all rows, each time in every row a block of all its
/// sides in random order. A side that is dear has an `every` above 1: it is in every such block
/// only. Each round is a list of pairs of (row, side) by index.
pub fn rounds(rows: usize, every: &[u32], rounds: u32, seed: u64) -> Vec<Vec<(usize, usize)>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut round = |round: u32| {
        let sides = |side: &usize| round.is_multiple_of(every[*side].max(1));
        let block: Vec<usize> = (0..every.len()).filter(sides).collect();
        let mut of_row = |row| permuted(&block, &mut rng).into_iter().map(move |side| (row, side));
        (0..rows).flat_map(&mut of_row).collect()
    };
    (0..rounds).map(&mut round).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warm_drops_a_fifth_between_1_and_20() {
        let samples: Vec<u64> = (0..200).collect();
        let left = |len: usize| warm(&samples[..len]).len();
        assert_eq!([0, 1, 2, 4, 5, 10, 100, 200].map(left), [0, 1, 1, 3, 4, 8, 80, 180]);
        assert_eq!(process_number(&[1, 9, 7, 8, 9]), Some(7));
        assert_eq!(process_number(&[]), None);
    }

    #[test]
    fn quantile_interpolates() {
        let values = [4.0, 1.0, 3.0, 2.0];
        assert_eq!(quantile(&values, 0.0), Some(1.0));
        assert_eq!(quantile(&values, 0.25), Some(1.75));
        assert_eq!(quantile(&values, 0.5), Some(2.5));
        assert_eq!(quantile(&values, 1.0), Some(4.0));
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn what_others_print_is_what_they_compute() {
        let found = summary(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]).expect("numbers");
        // Squares of the differences add up to 32, of seven degrees of freedom.
        assert_eq!((found.mean, found.min, found.median, found.max), (5.0, 2.0, 4.5, 9.0));
        assert!((found.deviation - (32.0f64 / 7.0).sqrt()).abs() < 1e-12, "{found:?}");
        assert_eq!(summary(&[3.0]).expect("a number").deviation, 0.0);
        assert_eq!((summary(&[]), interval(&[], 1)), (None, None));
    }

    #[test]
    fn a_figure_lies_in_its_interval() {
        let numbers = row(100.0, 60, 1);
        let [low, figure, high] = interval(&numbers, 3).expect("numbers");
        assert!(low <= figure && figure <= high && high - low < 2.0, "{low} {figure} {high}");
        assert_eq!(Some(figure), quantile(&numbers, QUANTILE));
        assert_eq!(interval(&[5.0; 4], 3), Some([5.0; 3]));
    }

    /// `count` numbers around `middle`, with the long tail upwards that busy machines make.
    fn row(middle: f64, count: usize, seed: u64) -> Vec<f64> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        (0..count)
            .map(|_| {
                let slow =
                    if rng.random_range(0..3) == 0 { rng.random_range(0.0..0.5) } else { 0.0 };
                middle * (1.0 + rng.random_range(0.0..0.02) + slow)
            })
            .collect()
    }

    #[test]
    fn ratio_finds_a_planted_effect() {
        let found = ratio(&row(80.0, 60, 1), &row(100.0, 60, 2), 3).expect("both sides");
        assert!(found.low < 0.8 && 0.8 < found.high, "{found:?}");
        assert!(found.high - found.low < 0.03, "{found:?}");
        assert_eq!(found.verdict(0.03), Verdict::Faster);
        assert_eq!(Some(found), ratio(&row(80.0, 60, 1), &row(100.0, 60, 2), 3), "not seeded");
    }

    /// All draws of one value are that value, and of two the quantile lies between them.
    #[test]
    fn resampling_needs_no_order() {
        let (mut rng, mut drawn) = (ChaCha8Rng::seed_from_u64(1), Vec::new());
        assert_eq!(resampled(&[3.0; 5], &mut rng, &mut drawn), Some(3.0));
        assert_eq!(resampled(&[], &mut rng, &mut drawn), None);
        for _ in 0..200 {
            let found = resampled(&[1.0, 2.0, 4.0, 8.0, 9.0], &mut rng, &mut drawn);
            assert_eq!(found, quantile(&drawn, QUANTILE));
        }
    }

    #[test]
    fn equal_sides_are_the_same_or_unknown() {
        for seed in 0..10 {
            let found =
                ratio(&row(50.0, 60, 2 * seed), &row(50.0, 60, 2 * seed + 1), 0).expect("sides");
            let verdict = found.verdict(0.015);
            assert!(
                matches!(verdict, Verdict::Same | Verdict::CannotTell),
                "{seed}: {found:?} {verdict:?}"
            );
        }
    }

    #[test]
    fn few_processes_cannot_tell() {
        let found = ratio(&row(10.0, 5, 1), &row(100.0, 60, 2), 3).expect("both sides");
        assert_eq!(found.verdict(0.03), Verdict::CannotTell);
        assert_eq!(ratio(&[], &[1.0], 0), None);
        assert_eq!(ratio(&[0.0], &[1.0], 0), None);
    }

    #[test]
    fn order_is_permuted_blocks_with_rows_round_robin() {
        let order = |seed| rounds(2, &[1, 1, 1, 4], 8, seed).concat();
        assert_eq!(order(7), order(7));
        assert_ne!(order(7), order(8));
        let order = order(7);
        // A block of four in rounds 0 and 4, of three in the others, each for both rows.
        assert_eq!(order.len(), 2 * (2 * 4 + 6 * 3));
        let sorted = |block: &[(usize, usize)]| {
            let mut block = block.to_vec();
            block.sort_unstable();
            block
        };
        assert_eq!(sorted(&order[..4]), [(0, 0), (0, 1), (0, 2), (0, 3)]);
        assert_eq!(sorted(&order[4..8]), [(1, 0), (1, 1), (1, 2), (1, 3)]);
        assert_eq!(sorted(&order[8..11]), [(0, 0), (0, 1), (0, 2)]);
    }
}
