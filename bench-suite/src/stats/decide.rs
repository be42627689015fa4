//! Decides row by row whether the new side is slower, with a known rate of false alarms, taking as few
//! processes as that needs.
//!
//! ```text
//! blocks --look--> open, same or alarmed --five looks--> alarmed rows again, from nothing --> verdict
//! ```
//!
//! It measures nothing: a [`Source`] gives blocks, be they of processes that run now or of a trace that
//! was kept.

use super::permutation::p_value;
use super::sequential::{LOOKS, holm, p_value_of_look};
use super::sides::{self, BLOCK, Block, Side};
use super::{QUANTILE, Ratio, Verdict, quantile};
use anyhow::{Context, Result};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The error of all looks and rows together: how often equal sides may alarm at all.
pub const ERROR: f64 = 0.05;
/// Fewer processes a side than this and an interval is too uncertain to end a row as the same.
const SAME_FROM: usize = 40;
/// Processes a side when an alarming row is measured again, at least.
const AGAIN: usize = 40;

/// How large a difference has to be before it is one: as large as what makes none can be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Floor {
    /// Two modules on one engine binary: 1 %.
    Modules,
    /// Two builds of an engine, whose layout differs: 3 % below 20 us, and 1.5 % above.
    Builds,
    /// Runs of different hours, in which the same thing was seen to differ by 14 %: 15 %.
    Hours,
    /// As somebody says, as 0.02 for 2 %.
    Of(f64),
}

impl Floor {
    /// For a row that takes `ns`.
    pub fn at(self, ns: f64) -> f64 {
        match self {
            Self::Modules => 0.01,
            Self::Builds => super::floor(ns),
            Self::Hours => 0.15,
            Self::Of(floor) => floor,
        }
    }
}

/// How a row is decided.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The most processes a side.
    pub processes: usize,
    /// How large a difference has to be.
    pub floor: Floor,
}

impl Plan {
    /// Blocks between two looks.
    pub fn blocks_a_look(&self) -> usize {
        self.processes.div_ceil(BLOCK * LOOKS).max(1)
    }
}

/// Where blocks come from.
pub trait Source {
    /// The next block of a row, which follows the last one of that row. None where a trace ends early.
    fn block(&mut self, row: usize, rng: &mut ChaCha8Rng) -> Result<Option<Block>>;

    /// At most so many blocks are still wanted.
    fn left(&mut self, blocks: usize) {
        let _ = blocks;
    }
}

/// What is known of a row while it is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Not enough to tell.
    Open,
    /// The interval lies inside the floor: more processes would tell no more.
    Same,
    /// Different by more than the floor, and not by chance, with an interval that says so, too.
    Alarmed,
}

#[derive(Clone, Debug)]
struct Row {
    plan: Plan,
    blocks: Vec<Block>,
    p_value: f64,
    state: State,
}

impl Row {
    fn is_open(&self) -> bool {
        self.state == State::Open
    }
}

/// A row that was decided.
#[derive(Clone, Debug)]
pub struct Decided {
    /// What happened.
    pub verdict: Verdict,
    /// The new side divided by the base, with its interval.
    pub ratio: Ratio,
    /// The error of all looks at which this row alone would have alarmed.
    pub p_value: f64,
    /// Whether it alarmed, and so was measured again, and whether that agreed.
    pub confirmed: Option<bool>,
    /// The 25 % quantiles over processes of both sides.
    pub quantiles: [f64; 2],
    /// What it was decided by, without what was measured again.
    pub blocks: Vec<Block>,
}

/// Decides a row for each of the `plans`, which share the error. `seed` is that of all draws.
pub fn decide(plans: &[Plan], seed: u64, source: &mut dyn Source) -> Result<Vec<Decided>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let row = |plan: &Plan| Row { plan: *plan, blocks: vec![], p_value: 1.0, state: State::Open };
    let mut rows: Vec<Row> = plans.iter().map(row).collect();
    for at in 0..LOOKS {
        let wanted = |row: &Row| if row.is_open() { row.plan.blocks_a_look() } else { 0 };
        let wanted: Vec<usize> = rows.iter().map(wanted).collect();
        source.left((LOOKS - at) * wanted.iter().sum::<usize>());
        in_turns(&wanted, |row| {
            rows[row].blocks.extend(source.block(row, &mut rng)?);
            Ok(())
        })?;
        look(&mut rows, at, seed);
    }
    let wanted = |row: &Row| match row.state {
        State::Alarmed => row.blocks.len().max(AGAIN / BLOCK),
        _ => 0,
    };
    let wanted: Vec<usize> = rows.iter().map(wanted).collect();
    source.left(wanted.iter().sum());
    let mut again = vec![Vec::new(); rows.len()];
    in_turns(&wanted, |row| {
        again[row].extend(source.block(row, &mut rng)?);
        Ok(())
    })?;
    rows.into_iter().zip(again).map(|(row, again)| decided(row, &again, seed)).collect()
}

/// Does so much for each row, one after the other again and again: each is spread over the whole time.
fn in_turns(wanted: &[usize], mut one: impl FnMut(usize) -> Result<()>) -> Result<()> {
    for turn in 0..wanted.iter().copied().max().unwrap_or(0) {
        for (row, _) in wanted.iter().enumerate().filter(|(_, wanted)| turn < **wanted) {
            one(row)?;
        }
    }
    Ok(())
}

/// Looks at all rows for the `at`th time, from 0 on, and settles those that can be told.
fn look(rows: &mut [Row], at: usize, seed: u64) {
    for row in rows.iter_mut().filter(|row| row.is_open()) {
        let now = p_value_of_look(p_value(&row.blocks, seed), at);
        row.p_value = row.p_value.min(now);
    }
    let p_values: Vec<f64> = rows.iter().map(|row| row.p_value).collect();
    let alarms = holm(&p_values, ERROR);
    for (row, alarm) in rows.iter_mut().zip(alarms).filter(|(row, _)| row.is_open()) {
        let enough = row.blocks.len() * BLOCK >= SAME_FROM || at + 1 == LOOKS;
        // The interval is dear, and decides nothing before.
        let Some(ratio) = (alarm || enough).then(|| sides::ratio(&row.blocks, seed)).flatten()
        else {
            continue;
        };
        let base = quantile(&sides::numbers(&row.blocks, Side::Base), QUANTILE);
        let floor = row.plan.floor.at(base.unwrap_or(0.0));
        match ratio.verdict(floor) {
            Verdict::Same if enough => row.state = State::Same,
            Verdict::Faster | Verdict::Slower if alarm => row.state = State::Alarmed,
            _ => {}
        }
    }
}

/// Whether a row that alarmed shows the same when it is measured again, from nothing.
fn agrees(first: &[Block], again: &[Block], seed: u64) -> Option<bool> {
    let (first, second) = (sides::effect(first)?, sides::effect(again)?);
    Some(first.signum() == second.signum() && p_value(again, !seed) < ERROR)
}

fn decided(row: Row, again: &[Block], seed: u64) -> Result<Decided> {
    let confirmed = agrees(&row.blocks, again, seed);
    let ratio = sides::ratio(&row.blocks, seed);
    let ratio = ratio.context("a row without blocks")?;
    let verdict = match (row.state, confirmed) {
        (State::Same, _) => Verdict::Same,
        (State::Alarmed, Some(true)) if ratio.ratio > 1.0 => Verdict::Slower,
        (State::Alarmed, Some(true)) => Verdict::Faster,
        _ => Verdict::CannotTell,
    };
    let of = |side| quantile(&sides::numbers(&row.blocks, side), QUANTILE).unwrap_or(0.0);
    let quantiles = [Side::Base, Side::New].map(of);
    Ok(Decided { verdict, ratio, p_value: row.p_value, confirmed, quantiles, blocks: row.blocks })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::noise::blocks;

    /// Rows with these effects, and how many blocks were asked for.
    struct Planted {
        rows: Vec<std::vec::IntoIter<Block>>,
        taken: usize,
    }

    impl Source for Planted {
        fn block(&mut self, row: usize, _: &mut ChaCha8Rng) -> Result<Option<Block>> {
            self.taken += 1;
            Ok(self.rows[row].next())
        }
    }

    fn planted(slower: &[f64], seed: u64) -> Planted {
        let row = |(row, slower): (usize, &f64)| {
            blocks(120, *slower, 1000 * seed + row as u64).into_iter()
        };
        Planted { rows: slower.iter().enumerate().map(row).collect(), taken: 0 }
    }

    fn verdicts(slower: &[f64], seed: u64) -> (Vec<Verdict>, usize) {
        let plan = Plan { processes: 100, floor: Floor::Modules };
        let mut source = planted(slower, seed);
        let told = decide(&vec![plan; slower.len()], seed, &mut source)
            .expect("a source that does not fail");
        (told.iter().map(|row| row.verdict).collect(), source.taken)
    }

    #[test]
    fn equal_sides_are_seldom_different_and_what_differs_is_found() {
        use Verdict::{Faster, Slower};
        for seed in 0..4 {
            let (found, _) = verdicts(&[1.0, 1.05, 0.95], seed);
            assert!(!matches!(found[0], Faster | Slower), "{seed}: {found:?}");
            assert_eq!(found[1..], [Slower, Faster], "{seed}");
        }
    }

    #[test]
    fn what_is_clear_takes_fewer_processes() {
        let (_, clear) = verdicts(&[1.3], 1);
        let plan = Plan { processes: 100, floor: Floor::Modules };
        let (first, all) = (plan.blocks_a_look(), LOOKS * plan.blocks_a_look());
        assert!(clear < 2 * all, "{clear} blocks of {all} and as many again");
        assert!(clear >= 2 * first);
    }

    #[test]
    fn a_difference_below_the_floor_is_none() {
        let plan = Plan { processes: 200, floor: Floor::Of(0.1) };
        let told = decide(&[plan], 1, &mut planted(&[1.05], 3)).expect("a row");
        assert_eq!((told[0].verdict, told[0].confirmed), (Verdict::Same, None));
        assert!((told[0].quantiles[1] / told[0].quantiles[0] - told[0].ratio.ratio).abs() < 1e-3);
    }

    /// An alarm that the second measurement does not bear out is not believed.
    #[test]
    fn an_alarm_has_to_come_again() {
        let plan = Plan { processes: 40, floor: Floor::Modules };
        let told = |row: Vec<Block>| {
            let mut source = Planted { rows: vec![row.into_iter()], taken: 0 };
            decide(&[plan], 1, &mut source).expect("a row").remove(0)
        };
        let first = told(blocks(40, 1.2, 1));
        assert_eq!((first.verdict, first.confirmed), (Verdict::Slower, Some(true)));
        let once = told([first.blocks, blocks(40, 1.0, 2)].concat());
        assert_eq!((once.verdict, once.confirmed), (Verdict::CannotTell, Some(false)));
    }

    #[test]
    fn floors_go_by_what_is_compared() {
        let short_and_long = |floor: Floor| [8_000.0, 320_000.0].map(|ns| floor.at(ns));
        assert_eq!(short_and_long(Floor::Modules), [0.01, 0.01]);
        assert_eq!(short_and_long(Floor::Builds), [0.03, 0.015]);
        assert_eq!(short_and_long(Floor::Of(0.2)), [0.2, 0.2]);
        assert!(Floor::Hours.at(1.0) > 0.14);
    }
}
