//! Runs the processes of two builds of which each is there several times: in each round every binary of both
//! sides once, in random order, so that none is like another by its place. Rows take turns.

use super::blocks::Processes;
use crate::sample::Place;
use crate::stats::permuted;
use crate::stats::sides::Side;
use anyhow::Result;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Runs so many `rounds` of each group, with `links` binaries a side.
pub fn measure(
    rounds: &[usize],
    links: u32,
    seed: u64,
    processes: &mut dyn Processes,
) -> Result<()> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let binaries: Vec<(Side, u32)> =
        [Side::Base, Side::New].into_iter().flat_map(|s| (0..links).map(move |l| (s, l))).collect();
    processes.left(rounds.iter().sum::<usize>() * binaries.len());
    for round in 0..rounds.iter().copied().max().unwrap_or(0) {
        for (group, _) in rounds.iter().enumerate().filter(|(_, wanted)| round < **wanted) {
            for (side, link) in permuted(&binaries, &mut rng) {
                let place = Place { side, block: round as u32, link: Some(link) };
                processes.process(group, place)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Seen(Vec<(usize, Place)>);

    impl Processes for Seen {
        fn process(&mut self, group: usize, place: Place) -> Result<Vec<f64>> {
            self.0.push((group, place));
            Ok(vec![1.0])
        }

        fn left(&mut self, processes: usize) {
            assert_eq!(processes, 4 * 8);
        }
    }

    #[test]
    fn each_round_has_every_binary_once_in_another_order() {
        let mut seen = Seen(Vec::new());
        measure(&[3, 1], 4, 7, &mut seen).expect("no process fails");
        let mut orders = Vec::new();
        for (round, processes) in seen.0.chunks(8).enumerate() {
            let (group, block) = [(0, 0), (1, 0), (0, 1), (0, 2)][round];
            assert!(processes.iter().all(|(g, place)| (*g, place.block) == (group, block)));
            let order: Vec<_> =
                processes.iter().map(|(_, place)| (place.side, place.link)).collect();
            for side in [Side::Base, Side::New] {
                assert!((0..4).all(|link| order.contains(&(side, Some(link)))), "{order:?}");
            }
            assert!(!orders.contains(&order));
            orders.push(order);
        }
        assert_eq!(orders.len(), 4);
    }
}
