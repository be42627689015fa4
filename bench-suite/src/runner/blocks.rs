//! Turns processes into the blocks that are decided by. A process may tell of several rows at once, and
//! then runs once for all of them.

use crate::sample::Place;
use crate::stats::decide::Source;
use crate::stats::sides::{Block, Draw, PLACES};
use anyhow::{Result, ensure};
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;

/// Runs processes.
pub trait Processes {
    /// Runs one of the group `group` and returns a number for each row of it.
    fn process(&mut self, group: usize, place: Place) -> Result<Vec<f64>>;

    /// At most so many are still wanted.
    fn left(&mut self, processes: usize);
}

/// Blocks of processes that run now.
pub struct Blocks<'p> {
    /// The group of each row, and its place there.
    rows: Vec<(usize, usize)>,
    /// Blocks that were measured for the sake of another row of the group.
    waiting: Vec<VecDeque<Block>>,
    /// How many blocks of each group there were.
    count: Vec<u32>,
    processes: &'p mut dyn Processes,
}

impl<'p> Blocks<'p> {
    /// For groups with so many rows each; rows are numbered group after group.
    pub fn new(groups: &[usize], processes: &'p mut dyn Processes) -> Self {
        let of_group = |(group, rows): (usize, &usize)| (0..*rows).map(move |row| (group, row));
        let rows: Vec<_> = groups.iter().enumerate().flat_map(of_group).collect();
        let waiting = vec![VecDeque::new(); rows.len()];
        Self { rows, waiting, count: vec![0; groups.len()], processes }
    }

    fn measure(&mut self, group: usize, draw: Draw) -> Result<()> {
        let rows: Vec<usize> =
            (0..self.rows.len()).filter(|row| self.rows[*row].0 == group).collect();
        let mut numbers = vec![[0.0; PLACES]; rows.len()];
        for place in 0..PLACES {
            let at = Place { side: draw.side(place), block: self.count[group], link: None };
            let of_rows = self.processes.process(group, at)?;
            ensure!(of_rows.len() == rows.len(), "a process told of {} rows", of_rows.len());
            numbers.iter_mut().zip(of_rows).for_each(|(row, number)| row[place] = number);
        }
        self.count[group] += 1;
        for (row, numbers) in rows.into_iter().zip(numbers) {
            self.waiting[row].push_back(Block::new(draw, numbers));
        }
        Ok(())
    }
}

impl Source for Blocks<'_> {
    fn block(&mut self, row: usize, rng: &mut ChaCha8Rng) -> Result<Option<Block>> {
        if self.waiting[row].is_empty() {
            self.measure(self.rows[row].0, Draw::random(rng))?;
        }
        Ok(self.waiting[row].pop_front())
    }

    fn left(&mut self, blocks: usize) {
        self.processes.left(blocks * PLACES);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::sides::{Side, numbers};
    use rand::SeedableRng;

    /// Two rows of one process, which takes its number from the side.
    struct Two(Vec<Place>);

    impl Processes for Two {
        fn process(&mut self, _: usize, place: Place) -> Result<Vec<f64>> {
            self.0.push(place);
            let number = if place.side == Side::New { 3.0 } else { 2.0 };
            Ok(vec![number, 10.0 * number])
        }

        fn left(&mut self, _: usize) {}
    }

    #[test]
    fn a_process_tells_of_all_its_rows() {
        let (mut two, mut rng) = (Two(Vec::new()), ChaCha8Rng::seed_from_u64(1));
        let mut blocks = Blocks::new(&[2], &mut two);
        let mut next = |row| blocks.block(row, &mut rng).expect("a block").expect("one");
        let [a, b, later] = [next(0), next(1), next(0)];
        assert_eq!(a.draw, b.draw);
        for (block, base, new) in [(a, 2.0, 3.0), (b, 20.0, 30.0), (later, 2.0, 3.0)] {
            let close =
                |side, to: f64| numbers(&[block], side).iter().all(|n| (n - to).abs() < 1e-9);
            assert!(close(Side::Base, base) && close(Side::New, new), "{block:?}");
        }
        let blocks: Vec<u32> = two.0.iter().map(|place| place.block).collect();
        assert_eq!(blocks, [[0; 8], [1; 8]].concat(), "eight processes for two rows");
    }
}
