//! Runs a runtime again and again in one process, on several threads, with traps mixed in, and
//! watches what grows: memory, mappings, file handles, time.
//!
//! The rounds are cut into ten parts. Each part has new threads, so what a thread leaves behind
//! shows as well; after each part the process is looked at. The first part fills the pools, and is
//! what nothing is compared with.

use anyhow::{Context, Result, anyhow, bail, ensure};
use lithify_measure::resources::Resources;
use lithify_polkadot::native::{Runtime, RuntimeError};
use lithify_polkadot::{CallContext, CallError, State};
use serde::Serialize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Parts of a run.
pub const PARTS: u32 = 10;
/// Every so many rounds a call traps.
const TRAP_EVERY: u64 = 10;
/// How much more resident memory the last part may have than the second, in bytes: the
/// allocators of this process and the kernel's bookkeeping are not still either.
const MEMORY_SLACK: u64 = 4 << 20;
/// How many more mappings: a slot takes some, and how many slots there are depends on how many
/// threads happened to call at once.
const MAPPING_SLACK: u64 = 64;
/// By how much a fast call may be slower: a virtual machine's processor is half as fast while its neighbours
/// work. What grows with the calls that were made is more than that over as many.
const LATENCY_SLACK: f64 = 3.0;

/// How long and wide a run is.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Instances that are made, called and dropped.
    pub rounds: u64,
    /// Threads that share them.
    pub threads: u32,
}

impl Options {
    /// The least rounds that are enough for so many threads: a trap in each part on each of them.
    pub fn least_rounds(self) -> u64 {
        TRAP_EVERY * u64::from(PARTS) * u64::from(self.threads)
    }
}

/// One part of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Part {
    /// Rounds, all threads together.
    pub rounds: u64,
    /// How many of them trapped, all of which were meant to.
    pub traps: u64,
    /// The fast tenth of the calls that return took at most this, in ns.
    pub fast_ns: u64,
    /// Half of them took at most this, in ns.
    pub median_ns: u64,
    /// All but one in a hundred took at most this, in ns.
    pub slow_ns: u64,
    /// The process after it, its threads gone.
    pub resources: Resources,
}

/// Runs `runtime` on `state`. `done` is told after each part.
///
/// # Errors
///
/// When a call that should return does not, returns something else than before, or when one that
/// should trap returns.
pub fn soak(
    runtime: &Runtime,
    state: &State,
    options: Options,
    mut done: impl FnMut(&Part),
) -> Result<Vec<Part>> {
    ensure!(options.threads > 0, "there must be a thread");
    ensure!(options.rounds >= options.least_rounds(), "too few rounds");
    let per_thread = options.rounds / u64::from(PARTS) / u64::from(options.threads);
    let expected = version(runtime, state)?;
    (0..PARTS)
        .map(|_| {
            let part = part(runtime, state, per_thread, options.threads, &expected)?;
            done(&part);
            Ok(part)
        })
        .collect()
}

/// What grew in a run, as sentences; none if nothing did.
pub fn growth(parts: &[Part]) -> Vec<String> {
    let [_, early, .., last] = parts else { return Vec::new() };
    let (before, after) = (early.resources, last.resources);
    let mut grown = Vec::new();
    let mut count = |what: &str, before: u64, after: u64, slack: u64| {
        if after > before + slack {
            grown.push(format!("{what} grew from {before} to {after}"));
        }
    };
    count("resident memory", before.resident_bytes, after.resident_bytes, MEMORY_SLACK);
    count("the number of mappings", before.mappings, after.mappings, MAPPING_SLACK);
    count("the number of file handles", before.handles, after.handles, 0);
    count("the number of threads", before.threads, after.threads, 0);
    // A machine has slow moments, so the best part of each half stands for it.
    let fastest = |parts: &[Part]| parts.iter().map(|part| part.fast_ns).min().unwrap_or(0);
    let (first, second) = parts[1..].split_at(parts.len() / 2);
    let (first, second) = (fastest(first), fastest(second));
    if second as f64 > first as f64 * LATENCY_SLACK {
        grown.push(format!("a fast call took {first} ns at first and {second} ns at the end"));
    }
    grown
}

fn version(runtime: &Runtime, state: &State) -> Result<Vec<u8>> {
    let mut context = CallContext::new();
    let output = state.session().execute(|| runtime.call("Core_version", &[], &mut context));
    output.context("Core_version")
}

fn part(
    runtime: &Runtime,
    state: &State,
    rounds: u64,
    threads: u32,
    expected: &[u8],
) -> Result<Part> {
    let traps = AtomicU64::new(0);
    let times: Vec<Result<Vec<u64>>> = std::thread::scope(|scope| {
        let work = || thread(runtime, state, rounds, expected, &traps);
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        running
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err(anyhow!("a thread panicked"))))
            .collect()
    });
    let mut times = times.into_iter().collect::<Result<Vec<_>>>()?.concat();
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    let (fast_ns, median_ns, slow_ns) = (at(0.1), at(0.5), at(0.99));
    drop(times);
    Ok(Part {
        rounds: rounds * u64::from(threads),
        traps: traps.into_inner(),
        fast_ns,
        median_ns,
        slow_ns,
        resources: Resources::now()?,
    })
}

/// The rounds of one thread; the times of calls that returned.
fn thread(
    runtime: &Runtime,
    state: &State,
    rounds: u64,
    expected: &[u8],
    traps: &AtomicU64,
) -> Result<Vec<u64>> {
    let mut session = state.session();
    let mut context = CallContext::new();
    let mut times = Vec::with_capacity(rounds as usize);
    session.execute(|| {
        for round in 1..=rounds {
            if round % TRAP_EVERY == 0 {
                trap(runtime, &mut context)?;
                traps.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            let start = Instant::now();
            let output = runtime.call("Core_version", &[], &mut context)?;
            times.push(lithify_measure::wall::ns(start.elapsed()));
            ensure!(output == expected, "Core_version returned something else than before");
        }
        Ok(times)
    })
}

/// A block that is no block: the runtime panics while it decodes it.
fn trap(runtime: &Runtime, context: &mut CallContext) -> Result<()> {
    match runtime.call("Core_execute_block", &[0xff], context) {
        Err(RuntimeError::Call(CallError::Trap { .. })) => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => bail!("Core_execute_block took a single byte for a block"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(change: impl Fn(u64, &mut Part)) -> Vec<Part> {
        let resources =
            Resources { resident_bytes: 50 << 20, mappings: 100, handles: 10, threads: 1 };
        (0..u64::from(PARTS))
            .map(|i| {
                let mut part = Part {
                    rounds: 1,
                    traps: 0,
                    fast_ns: 300,
                    median_ns: 300,
                    slow_ns: 300,
                    resources,
                };
                change(i, &mut part);
                part
            })
            .collect()
    }

    #[test]
    fn what_grows_is_named() {
        type Change = fn(u64, &mut Part);
        let cases: [(Change, Option<&str>); 8] = [
            (|_, _| (), None),
            (|i, part| part.resources.resident_bytes += i << 20, Some("resident memory")),
            (|i, part| part.resources.mappings += 20 * i, Some("mappings")),
            (|i, part| part.resources.handles += i, Some("file handles")),
            (|i, part| part.fast_ns += 300 * i, Some("a fast call")),
            (|i, part| part.fast_ns *= if i > 4 { 2 } else { 1 }, None),
            // The first part is a world of its own, and one slow part is noise.
            (|i, part| part.fast_ns *= if i == 0 || i == 7 { 9 } else { 1 }, None),
            (|i, part| part.resources.mappings -= if i == 0 { 50 } else { 0 }, None),
        ];
        for (change, expected) in cases {
            let grown = growth(&parts(change)).join("; ");
            match expected {
                Some(part) => assert!(grown.contains(part), "{grown:?}"),
                None => assert_eq!(grown, ""),
            }
        }
    }
}
