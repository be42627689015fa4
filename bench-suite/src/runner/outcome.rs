//! What the records of a process say about its call: what it returned, and how long it took.

use crate::engine::Id;
use crate::phase::Phase;
use crate::sample::Record;
use anyhow::{Result, bail};

/// What a call returned and where it left the state, as far as the process told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// BLAKE3 of the output, in hex.
    pub output_hash: Option<String>,
    /// The state root, in hex.
    pub state_root: Option<String>,
}

/// How many samples of calls of that duration a process takes: 60 of the short ones, 50 of
/// 0.3 ms, 4 of the long ones.
pub fn samples(ns: u64) -> u32 {
    (15_000_000 / ns.max(1)).clamp(4, 60) as u32
}

/// The shortest sample of a phase; `u64::MAX` when there is none.
pub fn shortest(records: &[Record], phase: Phase) -> u64 {
    let of_phase = |record: &Record| match record {
        Record::Sample(sample) if sample.key.phase == phase => sample.ns,
        _ => None,
    };
    records.iter().filter_map(of_phase).min().unwrap_or(u64::MAX)
}

/// The outcome in the records of one process.
pub fn outcome(records: &[Record]) -> Outcome {
    let mut outcome = Outcome::default();
    for record in records {
        match record {
            Record::Ran { ran } => outcome.state_root.clone_from(&ran.state_root),
            Record::Sample(sample) if sample.key.phase == Phase::Total => {
                outcome.output_hash.clone_from(&sample.key.output_hash);
            }
            _ => {}
        }
    }
    outcome
}

/// An error unless both engines gave the same.
pub fn same(what: &str, a: (&Id, &Outcome), b: (&Id, &Outcome)) -> Result<()> {
    let none = || "nothing".to_owned();
    if a.1.output_hash != b.1.output_hash {
        let hash = |outcome: &Outcome| outcome.output_hash.clone().unwrap_or_else(none);
        bail!("{what}: {} returned {}, but {} {}", a.0, hash(a.1), b.0, hash(b.1));
    }
    // A program of others may have no state.
    if let (Some(_), Some(_)) = (&a.1.state_root, &b.1.state_root)
        && a.1.state_root != b.1.state_root
    {
        let root = |outcome: &Outcome| outcome.state_root.clone().unwrap_or_else(none);
        bail!("{what}: {} left the state root {}, but {} {}", a.0, root(a.1), b.0, root(b.1));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_follow_the_duration() {
        assert_eq!([65_000, 300_000, 15_000_000, 0].map(samples), [60, 50, 4, 60]);
    }

    #[test]
    fn a_mismatch_names_workload_entry_and_engines() {
        let id = |engine: &str| Id { engine: engine.into(), setting: "s".into() };
        let of = |hash: &str| Outcome { output_hash: Some(hash.into()), state_root: None };
        let (a, b) = (id("a"), id("b"));
        assert!(same("w e", (&a, &of("1")), (&b, &of("1"))).is_ok());
        let error = same("w e", (&a, &of("1")), (&b, &of("2"))).expect_err("they differ");
        assert_eq!(error.to_string(), "w e: a s returned 1, but b s 2");
    }
}
