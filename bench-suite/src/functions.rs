//! Turns calls that a sampler looks at into what each function of guest and host takes of them, and into
//! the stacks in which they were found.
//!
//! A sample belongs to the function that ran, be it the guest's or the host's; one that was inlined is its
//! caller's where the engine does not tell them apart ([`frames`](crate::frames)). What makes and ends
//! instances is [`HOST`], and so is the guest on an engine that does not tell.

use crate::engine::sampler;
use crate::sample::{Functions, Stack};
use anyhow::{Context, Result};
use lithify_polkadot::host_function_of;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How often a sampler looks. A prime number of microseconds, to meet no period of the guest's.
const SAMPLE_EVERY: Duration = Duration::from_micros(199);
/// What is found outside of the guest's code and of host functions with a name: making and ending
/// instances, requests to the heap, the way between guest and host.
pub const HOST: &str = "(host)";

/// A share of a hundredth is told to within a fifth by so many samples, more or less.
const ENOUGH: usize = 2_000;
/// How much longer than it should a machine that does much else may take for them.
const LONGEST: u32 = 4;

/// Makes a call for some `time`, or until there are enough samples, and looks where it is. `call` makes it once, observed by name
/// ([`Observe::Name`](lithify_polkadot::Observe)), and returns what it took in ns; `functions_at` names the
/// guest's functions at an address, those that were inlined there first. `call` is called on this thread.
///
/// # Errors
///
/// Those of `call`, or where the system has no timer.
pub fn look(
    time: Duration,
    functions_at: &dyn Fn(usize) -> Vec<String>,
    mut call: impl FnMut() -> Result<u64>,
) -> Result<Functions> {
    let (mut calls, mut total_ns) = (0, 0);
    let sampler = sampler(SAMPLE_EVERY).context("cannot look at calls")?;
    let started = Instant::now();
    let goes_on =
        |spent: Duration| spent < time || (sampler.samples() < ENOUGH && spent < LONGEST * time);
    while goes_on(started.elapsed()) {
        total_ns += call()?;
        calls += 1;
    }
    let found = sampler.finish();
    let mut names: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    let mut stacks: BTreeMap<Vec<String>, u64> = BTreeMap::new();
    let (mut samples, mut tells) = (0, false);
    for sample in found.samples() {
        let [pc, host, frames @ ..] = sample else { continue };
        let in_guest = frames.first() == Some(pc);
        let mut stack: Vec<String> = (frames.iter().enumerate())
            .flat_map(|(at, pc)| {
                // A return address lies behind its call.
                let pc = if at == 0 && in_guest { *pc } else { pc.saturating_sub(1) };
                names.entry(pc).or_insert_with(|| functions_at(pc)).clone()
            })
            .collect();
        tells |= !stack.is_empty();
        stack.reverse();
        if !in_guest {
            stack.push(host_function_of(*host).unwrap_or(HOST).to_owned());
        }
        samples += 1;
        *stacks.entry(stack).or_insert(0) += 1;
    }
    if !tells {
        // Host functions would be told from the guest, and that not from anything.
        stacks = BTreeMap::from([(vec![HOST.to_owned()], samples)]);
    }
    let mut functions = BTreeMap::new();
    for (stack, count) in &stacks {
        let own = stack.last().map_or(HOST, |own| own);
        *functions.entry(own.to_owned()).or_insert(0) += count;
    }
    let mut frames: Vec<String> = stacks.keys().flatten().cloned().collect();
    frames.sort_unstable();
    frames.dedup();
    let place = |frame: &String| frames.binary_search(frame).map_or(0, |place| place as u32);
    let stack = |(stack, samples): (&Vec<String>, &u64)| Stack {
        frames: stack.iter().map(place).collect(),
        samples: *samples,
    };
    let stacks = stacks.iter().map(stack).collect();
    Ok(Functions {
        calls,
        ns: total_ns,
        samples,
        functions,
        frames,
        stacks,
        ..Functions::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_told_apart_is_the_hosts() {
        let busy = || {
            let started = Instant::now();
            while started.elapsed() < Duration::from_millis(1) {}
            Ok(1_000_000)
        };
        let found = look(Duration::from_millis(60), &|_| Vec::new(), busy).expect("a timer");
        assert!(found.samples > 5 && found.calls > 5, "{found:?}");
        assert_eq!(found.functions, BTreeMap::from([(HOST.to_owned(), found.samples)]));
        assert_eq!(found.frames, [HOST]);
        assert_eq!(found.stacks, [Stack { frames: vec![0], samples: found.samples }]);
    }
}
