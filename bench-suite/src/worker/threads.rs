//! Calls of several threads at once: how many they make, and what the slow ones take.

use super::Calls;
use crate::engine::{Check, Clock, Host, Kind, LoadedModule};
use crate::workload::{Call, Workload};
use anyhow::{Result, anyhow, ensure};
use lithify_measure::Bounds;
use lithify_polkadot::Observe;
use std::path::Path;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

/// What came of it.
pub struct AtOnce {
    /// Time divided by the calls of all threads.
    pub per_call_ns: u64,
    /// The 99 % quantile of the calls.
    pub slow_ns: u64,
}

/// Makes a call on so many threads for so many ms. They share the module, where the engine can do so; else
/// each has an engine of its own.
pub fn at_once(
    kind: &Kind,
    workload: &Workload,
    call: &Call,
    artifact: &Path,
    (threads, ms): (u32, u64),
    bounds: &Bounds,
) -> Result<AtOnce> {
    let time = Duration::from_millis(ms);
    let loaded = kind.open(Host::Polkadot)?.load(artifact, Check::Whole)?;
    let shared = loaded.shared();
    // All begin when all are ready, the ones that failed among them.
    let start = Barrier::new(threads as usize);
    let work = || match shared {
        Some(module) => calls(module, workload, call, (&start, time), bounds),
        None => {
            let own =
                kind.open(Host::Polkadot).and_then(|engine| engine.load(artifact, Check::Whole));
            match own {
                Ok(module) => calls(&*module, workload, call, (&start, time), bounds),
                Err(error) => {
                    start.wait();
                    Err(error)
                }
            }
        }
    };
    let of_threads: Vec<Result<(Vec<u64>, Duration)>> = thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let joined = running.into_iter().map(thread::ScopedJoinHandle::join);
        joined.map(|one| one.unwrap_or_else(|_| Err(anyhow!("a thread panicked")))).collect()
    });
    let (mut rate, mut all) = (0.0, Vec::new());
    for of_thread in of_threads {
        let (times, took) = of_thread?;
        rate += times.len() as f64 / took.as_secs_f64();
        all.extend(times);
    }
    all.sort_unstable();
    ensure!(rate > 0.0 && !all.is_empty(), "no call was made");
    let slow_ns = all[(all.len() - 1) * 99 / 100];
    Ok(AtOnce { per_call_ns: (1e9 / rate) as u64, slow_ns })
}

/// The calls of one thread, and how long it made them.
fn calls(
    module: &dyn LoadedModule,
    workload: &Workload,
    call: &Call,
    (start, time): (&Barrier, Duration),
    bounds: &Bounds,
) -> Result<(Vec<u64>, Duration)> {
    let ready = || -> Result<Calls<'_>> {
        let mut calls = Calls::first(module, workload, call, bounds)?;
        for _ in 0..3 {
            calls.again(Observe::Off, Clock::Ends)?;
        }
        Ok(calls)
    };
    let ready = ready();
    start.wait();
    let (mut calls, mut times) = (ready?, Vec::new());
    let begin = Instant::now();
    while begin.elapsed() < time {
        times.push(calls.again(Observe::Off, Clock::Ends)?.total_ns);
    }
    let took = begin.elapsed();
    Ok((times, took))
}
