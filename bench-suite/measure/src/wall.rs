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

/// How long a chain of 8 000 multiplications takes, each of which waits for the last: some 20 us at
/// 2 GHz, whatever compiles it. What it varies by is the machine's doing.
pub fn reference() -> Duration {
    let start = Instant::now();
    let mut value = std::hint::black_box(1u64);
    for round in 0..8_000u64 {
        value = value.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ round;
    }
    std::hint::black_box(value);
    start.elapsed()
}

/// A duration in ns.
pub fn ns(duration: Duration) -> u64 {
    duration.as_nanos() as u64
}
