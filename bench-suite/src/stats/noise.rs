//! Numbers as a shared machine makes them, for tests whose right answer is known.

use super::sides::{Block, Draw, Side};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Blocks of sides of which the new one is `slower` times as slow: a third of the time the machine is
/// up to 1.7 times slow, for some processes on end.
pub fn blocks(count: usize, slower: f64, seed: u64) -> Vec<Block> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut busy = false;
    let mut block = || {
        let draw = Draw::random(&mut rng);
        let numbers = std::array::from_fn(|place| {
            if rng.random_range(0..4) == 0 {
                busy = rng.random_range(0..3) == 0;
            }
            let slow = if busy { rng.random_range(0.0..0.7) } else { 0.0 };
            let noise: f64 = 1.0 + rng.random_range(0.0..0.02) + slow;
            10_000.0 * noise * if draw.side(place) == Side::New { slower } else { 1.0 }
        });
        Block::new(draw, numbers)
    };
    (0..count).map(|_| block()).collect()
}
