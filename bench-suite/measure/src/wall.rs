//! The clock on the wall.

use std::time::{Duration, Instant};

/// Runs `work` and tells how long it took.
pub fn timed<R>(work: impl FnOnce() -> R) -> (R, Duration) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed())
}

/// What the clock shows for a span in which nothing happens, in ns: time in host functions is a
/// sum of many short ones.
#[derive(Clone, Copy, Debug)]
pub struct SpanCost(f64);

impl SpanCost {
    /// Measures it.
    pub fn measure() -> Self {
        const SPANS: u32 = 500;
        let round = || (0..SPANS).map(|_| Instant::now().elapsed()).sum::<Duration>();
        // The quietest of a few rounds.
        let quietest = (0..20).map(|_| round()).min().unwrap_or_default();
        Self(quietest.as_nanos() as f64 / f64::from(SPANS))
    }

    /// What is left of `ns`, which `spans` spans took.
    pub fn without(self, ns: u64, spans: u64) -> u64 {
        ns.saturating_sub((spans as f64 * self.0) as u64)
    }
}

/// A duration in ns.
pub fn ns(duration: Duration) -> u64 {
    duration.as_nanos() as u64
}
