//! The clock on the wall.

use std::time::{Duration, Instant};

/// Runs `work` and tells how long it took.
pub fn timed<R>(work: impl FnOnce() -> R) -> (R, Duration) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed())
}

/// What it costs to time a span, in ns: time in host functions is a sum of many short ones.
#[derive(Clone, Copy, Debug)]
pub struct SpanCost {
    /// What the clock shows for a span in which nothing happens.
    pub inside: f64,
    /// What the two looks at the clock take besides.
    pub outside: f64,
}

impl SpanCost {
    /// Measures it.
    pub fn measure() -> Self {
        const SPANS: u32 = 500;
        let round = || {
            let (inside, all) =
                timed(|| (0..SPANS).map(|_| Instant::now().elapsed()).sum::<Duration>());
            let per_span = |time: Duration| time.as_nanos() as f64 / f64::from(SPANS);
            (per_span(all), per_span(inside))
        };
        // The quietest of a few rounds.
        let quietest = (0..20).map(|_| round()).min_by(|a, b| a.0.total_cmp(&b.0));
        let (all, inside) = quietest.unwrap_or_default();
        Self { inside, outside: all - inside }
    }

    /// What is left of `ns` without the cost of `spans` inside and outside of them.
    pub fn without(ns: u64, spans: u64, cost: f64) -> u64 {
        ns.saturating_sub((spans as f64 * cost) as u64)
    }
}

/// A duration in ns.
pub fn ns(duration: Duration) -> u64 {
    duration.as_nanos() as u64
}
