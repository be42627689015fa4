//! The clock on the wall.

use std::time::{Duration, Instant};

/// Runs `work` and tells how long it took.
pub fn timed<R>(work: impl FnOnce() -> R) -> (R, Duration) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed())
}

/// What the clock shows when nothing happens between two looks at it, in ns.
///
/// Time in host functions is a sum of many short spans, each too long by this.
pub fn clock_cost() -> u64 {
    let span = || Instant::now().elapsed().as_nanos() as u64;
    (0..2000).map(|_| span()).min().unwrap_or(0)
}

/// A duration in ns.
pub fn ns(duration: Duration) -> u64 {
    duration.as_nanos() as u64
}
