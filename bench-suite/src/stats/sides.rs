//! Two sides of a comparison, in blocks whose sides were drawn at random.
//!
//! A block is eight processes that follow each other, four of each side. Where the sides make no
//! difference every other draw was as likely: all that `permutation` needs, whatever the noise looks
//! like from block to block.

use super::{QUANTILE, Ratio, quantile};
use rand::Rng;
use serde::{Deserialize, Serialize};

/// Processes of each side in a block.
pub const BLOCK: usize = 4;
/// Processes of a block.
pub const PLACES: usize = 2 * BLOCK;

/// A side of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// What is compared with.
    Base,
    /// What is compared.
    New,
}

/// Which places of a block are the new side's: a bit for each place, four of eight set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw(u8);

impl Draw {
    /// How many there are.
    pub const COUNT: usize = 70;

    /// All of them, each as likely as another.
    pub const ALL: [Self; Self::COUNT] = {
        let mut all = [Self(0); Self::COUNT];
        let (mut at, mut bits) = (0, 0u8);
        while at < Self::COUNT {
            bits += 1;
            if bits.count_ones() as usize == BLOCK {
                all[at] = Self(bits);
                at += 1;
            }
        }
        all
    };

    /// One of them.
    pub fn random(rng: &mut impl Rng) -> Self {
        Self::ALL[rng.random_range(0..Self::COUNT)]
    }

    /// The one with the new side in the places where `sides` has it; none unless both have four.
    pub fn of(sides: [Side; PLACES]) -> Option<Self> {
        let bit = |place: usize| u8::from(sides[place] == Side::New) << place;
        let bits = (0..sides.len()).map(bit).fold(0, |all, bit| all | bit);
        (bits.count_ones() as usize == BLOCK).then_some(Self(bits))
    }

    /// The side in the place `place`, of eight.
    pub fn side(self, place: usize) -> Side {
        if self.is_new(place) { Side::New } else { Side::Base }
    }

    pub(super) fn is_new(self, place: usize) -> bool {
        self.0 >> place & 1 == 1
    }
}

/// Eight processes in the order in which they ran.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Block {
    /// Whose they are.
    pub draw: Draw,
    /// The logarithm of each one's number.
    pub logs: [f64; PLACES],
}

impl Block {
    /// From numbers, which have to be positive: one that is 0 counts as 1, the least that a clock shows.
    pub fn new(draw: Draw, numbers: [f64; PLACES]) -> Self {
        Self { draw, logs: numbers.map(|number| number.max(1.0).ln()) }
    }

    /// From processes in the order in which they ran; none unless each side has four.
    pub fn of(processes: &[(Side, u64)]) -> Option<Self> {
        let processes: [(Side, u64); PLACES] = processes.try_into().ok()?;
        let draw = Draw::of(processes.map(|(side, _)| side))?;
        Some(Self::new(draw, processes.map(|(_, number)| number as f64)))
    }

    fn logs(&self, side: Side) -> impl Iterator<Item = f64> {
        let draw = self.draw;
        (self.logs.iter().enumerate())
            .filter(move |(place, _)| draw.side(*place) == side)
            .map(|(_, log)| *log)
    }
}

/// The logarithms of one side, block after block.
pub fn logs(blocks: &[Block], side: Side) -> Vec<f64> {
    blocks.iter().flat_map(|block| block.logs(side)).collect()
}

/// The numbers of one side, in the unit of the measurement.
pub fn numbers(blocks: &[Block], side: Side) -> Vec<f64> {
    logs(blocks, side).into_iter().map(f64::exp).collect()
}

/// By how much the new side differs: the difference of the 25 % quantiles of logarithms.
pub fn effect(blocks: &[Block]) -> Option<f64> {
    let of = |side| quantile(&logs(blocks, side), QUANTILE);
    Some(of(Side::New)? - of(Side::Base)?)
}

/// The new side divided by the base.
pub fn ratio(blocks: &[Block], seed: u64) -> Option<Ratio> {
    super::ratio(&numbers(blocks, Side::New), &numbers(blocks, Side::Base), seed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn draws_are_all_different_with_as_many_of_each_side() {
        for (at, draw) in Draw::ALL.iter().enumerate() {
            let new = (0..PLACES).filter(|place| draw.side(*place) == Side::New).count();
            assert_eq!(new, BLOCK);
            assert!(!Draw::ALL[..at].contains(draw));
            let sides = std::array::from_fn(|place| draw.side(place));
            assert_eq!(Draw::of(sides), Some(*draw));
        }
        assert_eq!(Draw::of([Side::New; PLACES]), None);
    }

    #[test]
    fn a_random_draw_favours_no_place() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut new = [0; PLACES];
        for _ in 0..8000 {
            let draw = Draw::random(&mut rng);
            (0..PLACES).for_each(|place| new[place] += u32::from(draw.is_new(place)));
        }
        // 4 000 are expected, with a standard deviation of 45.
        assert!(new.iter().all(|count| (3800..=4200).contains(count)), "{new:?}");
    }

    #[test]
    fn sides_come_apart_again() {
        let sides = [Side::New, Side::Base].repeat(4);
        let draw = Draw::of(sides.try_into().expect("eight")).expect("four of each");
        let block = Block::new(draw, [2.0, 1.0, 4.0, 1.0, 6.0, 1.0, 8.0, 0.0]);
        let close = |a: Vec<f64>, b: [f64; 4]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-9);
        assert!(close(numbers(&[block], Side::New), [2.0, 4.0, 6.0, 8.0]));
        assert!(close(numbers(&[block], Side::Base), [1.0; 4]), "0 counts as 1");
        assert_eq!(effect(&[]), None);
    }
}
