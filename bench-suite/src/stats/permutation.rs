//! How often would sides without a difference look as different as these? Asked of other draws of the
//! sides within each block, so the answer is exact by design: no assumption about the noise is in it.
//!
//! Four statistics share the question, since a change may show at the fast end or in the middle. The
//! smallest of their p-values is itself a statistic, judged by the same draws.

use super::quantile_of_sorted;
use super::sides::{BLOCK, Block, Draw};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Draws for a first impression, which is enough where nothing is remarkable.
const FEW: usize = 999;
/// Draws where the first impression is remarkable.
const MANY: usize = 49_999;
/// A first impression above this p-value stands.
const UNREMARKABLE: f64 = 0.1;

/// The p-value of the null hypothesis that the sides do not differ. At most two blocks are judged by
/// all of their draws, more by `seed`ed random ones. 1 without blocks.
pub fn p_value(blocks: &[Block], seed: u64) -> f64 {
    match blocks.len() {
        0 => 1.0,
        1 => of(blocks, Draw::ALL.map(|draw| vec![draw])),
        2 => {
            let pairs = Draw::ALL.iter().flat_map(|a| Draw::ALL.map(|b| vec![*a, b]));
            of(blocks, pairs)
        }
        len => {
            let drawn = |count| {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                let measured = blocks.iter().map(|block| block.draw).collect();
                let random =
                    (0..count).map(move |_| (0..len).map(|_| Draw::random(&mut rng)).collect());
                of(blocks, std::iter::once(measured).chain(random))
            };
            let first = drawn(FEW);
            if first > UNREMARKABLE { first } else { drawn(MANY) }
        }
    }
}

/// The share of `draws` that look at least as different as the one that was measured, which has to
/// be among them.
fn of(blocks: &[Block], draws: impl IntoIterator<Item = Vec<Draw>>) -> f64 {
    let ranked = ranked(blocks);
    let measured: Vec<Draw> = blocks.iter().map(|block| block.draw).collect();
    let mut scratch = Default::default();
    let mut own = None;
    let mut rows = Vec::new();
    for draws in draws {
        if own.is_none() && draws == measured {
            own = Some(rows.len());
        }
        rows.push(statistics(&ranked, &draws, &mut scratch));
    }
    let mut smallest = vec![usize::MAX; rows.len()];
    for statistic in 0..STATISTICS {
        for (row, above) in at_least(&rows, |row| row[statistic]).into_iter().enumerate() {
            smallest[row] = smallest[row].min(above);
        }
    }
    // A small count is what is extreme.
    let own = smallest[own.expect("what was measured is one of the draws")];
    smallest.iter().filter(|count| **count <= own).count() as f64 / rows.len() as f64
}

const STATISTICS: usize = 4;

/// A process with its place among all.
struct Ranked {
    block: usize,
    place: usize,
    log: f64,
    /// Equal ones share the middle of their places.
    rank: f64,
}

/// The processes in order of their numbers.
fn ranked(blocks: &[Block]) -> Vec<Ranked> {
    let mut all: Vec<Ranked> = (blocks.iter().enumerate())
        .flat_map(|(block, of)| {
            let one =
                move |(place, log): (usize, &f64)| Ranked { block, place, log: *log, rank: 0.0 };
            of.logs.iter().enumerate().map(one)
        })
        .collect();
    all.sort_by(|a, b| a.log.total_cmp(&b.log));
    let mut before = 0.0;
    for group in all.chunk_by_mut(|a, b| a.log == b.log) {
        let len = group.len() as f64;
        group.iter_mut().for_each(|one| one.rank = before + (len - 1.0) / 2.0);
        before += len;
    }
    all
}

/// Differences at the 10, 25 and 50 % quantiles and of the ranks, without their sign.
fn statistics(ranked: &[Ranked], draws: &[Draw], logs: &mut [Vec<f64>; 2]) -> [f64; STATISTICS] {
    logs.iter_mut().for_each(Vec::clear);
    let mut ranks = 0.0;
    for Ranked { block, place, log, rank } in ranked {
        let new = draws[*block].is_new(*place);
        logs[usize::from(new)].push(*log);
        ranks += if new { *rank } else { 0.0 };
    }
    let [base, new] = &*logs;
    let expected = (draws.len() * BLOCK) as f64 * (ranked.len() as f64 - 1.0) / 2.0;
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
    use crate::stats::noise::blocks;
    use crate::stats::sides::{PLACES, effect};

    /// Whatever the numbers are, of all draws of one block no more than a share `a` has a p-value up
    /// to `a`: the test is exact.
    #[test]
    fn one_block_is_judged_exactly() {
        for seed in 0..8 {
            let logs = blocks(1, 1.0, seed)[0].logs;
            let p_values = Draw::ALL.map(|draw| p_value(&[Block { draw, logs }], 0));
            for p in p_values {
                let up_to = p_values.iter().filter(|other| **other <= p).count();
                assert!(up_to as f64 <= p * Draw::COUNT as f64 + 1e-9, "{seed}: {up_to} up to {p}");
            }
        }
    }

    #[test]
    fn equal_sides_alarm_as_often_as_they_may() {
        for (count, blocks_each) in [(150, 2), (150, 10)] {
            let alarm = |seed: &u64| p_value(&blocks(blocks_each, 1.0, *seed), *seed) <= 0.05;
            let alarms = (0..count).filter(alarm).count() as f64;
            // So many come in one of some thousand runs of this test.
            let (mean, deviation) = (0.05 * count as f64, (0.0475 * count as f64).sqrt());
            assert!((alarms - mean).abs() < 3.6 * deviation, "{alarms} of {count} at 5 %");
        }
    }

    #[test]
    fn a_planted_difference_is_found() {
        let found =
            |slower| (0..5).filter(|seed| p_value(&blocks(25, slower, *seed), 1) <= 0.01).count();
        assert_eq!(found(1.03), 5, "3 % in 100 processes a side");
        assert_eq!(found(0.97), 5, "either way");
        assert!(found(1.01) >= 3, "1 %");
        let effect = effect(&blocks(25, 1.03, 1)).expect("both sides");
        assert!((effect.exp() - 1.03).abs() < 0.01, "{effect}");
    }

    /// Neither the unit of the numbers nor the names of the sides matter.
    #[test]
    fn scale_and_names_make_no_difference() {
        for seed in 0..4 {
            let measured = blocks(4, 1.02, seed);
            let p = p_value(&measured, 7);
            let scaled = measured.iter().map(|b| Block { logs: b.logs.map(|l| l + 8.0), ..*b });
            assert_eq!(p_value(&scaled.collect::<Vec<_>>(), 7), p);
            let one = &measured[..1];
            let mut sides = [0; PLACES].map(|_| crate::stats::sides::Side::Base);
            for (place, side) in sides.iter_mut().enumerate() {
                if !one[0].draw.is_new(place) {
                    *side = crate::stats::sides::Side::New;
                }
            }
            let swapped = Block { draw: Draw::of(sides).expect("four of each"), ..one[0] };
            assert_eq!(p_value(&[swapped], 0), p_value(one, 0));
        }
    }

    #[test]
    fn ties_count_as_extreme() {
        assert_eq!(at_least(&[3.0, 1.0, 3.0, 2.0], |value| *value), [2, 4, 2, 3]);
        for count in [1, 2, 5] {
            let equal: Vec<_> =
                blocks(count, 1.0, 1).into_iter().map(|b| Block { logs: [1.0; 8], ..b }).collect();
            assert_eq!(p_value(&equal, 1), 1.0);
        }
        assert_eq!(p_value(&[], 1), 1.0);
    }
}
