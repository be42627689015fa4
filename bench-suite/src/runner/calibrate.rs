//! Records what comparisons are calibrated by: calls of a guest that does nothing but work, some of which
//! do a little more. A slowdown is real: the same code does so many rounds more, in the guest.

use super::outcome::{samples, shortest};
use super::{Observer, Options, Runner};
use crate::calibrate::Planted;
use crate::engine::Kind;
use crate::phase::Phase;
use crate::sample::{Place, Record, Run};
use crate::scratch::Scratch;
use crate::stats::sides::{BLOCK, Side};
use crate::stats::{self, permuted};
use crate::worker::Task;
use crate::workload::{Call, Workload};
use anyhow::{Context, Result, ensure};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// How long the calls take, in ns.
pub const DURATIONS: [u64; 5] = [1_000, 10_000, 100_000, 1_000_000, 15_000_000];
/// What is planted, in hundredths of a percent: nothing, and four slowdowns.
pub const SLOWDOWNS: [u32; 5] = [0, 50, 100, 300, 500];
/// Rounds of the two calls by which the time of a round is told.
const PROBES: [u32; 2] = [1_000, 401_000];

/// Records a trace of as many blocks as [`Options::processes`] says for each duration, on the first of
/// its engines. A process keeps its number only.
pub fn calibrate(durations: &[u64], options: &Options, observer: &mut dyn Observer) -> Result<Run> {
    let kind = Kind::of(options.engines.first().context("no engine to calibrate")?)?;
    let folder = Scratch::new()?;
    let mut runner = Runner::new(options, observer, folder.path());
    runner.header(None)?;
    let ended = runner.trace(durations, kind);
    runner.or_interrupted(ended)?;
    Ok(runner.run)
}

impl Runner<'_> {
    fn trace(&mut self, durations: &[u64], kind: &'static Kind) -> Result<()> {
        let probes = PROBES.map(|rounds| busy(&format!("{rounds} rounds"), 0, rounds));
        let workload = Workload::busy(probes.to_vec());
        workload.save(&self.stored(0))?;
        let compile = Task::Compile { workload: self.stored(0), artifact: self.artifact(0, kind) };
        self.work(kind, compile)?;
        let mut calls = Vec::new();
        for ns in durations {
            calls.extend(self.planted(*ns, kind)?);
        }
        let kinds: Vec<(Planted, u32)> = calls.iter().map(|(kind, _)| *kind).collect();
        Workload::busy(calls.into_iter().map(|(_, call)| call).collect()).save(&self.stored(0))?;
        let mut rng = ChaCha8Rng::seed_from_u64(self.options.seed);
        let blocks = self.options.processes;
        self.total = self.process + blocks * (BLOCK * kinds.len()) as u32;
        for block in 0..blocks {
            let late = self.options.budget.is_some_and(|budget| self.started.elapsed() > budget);
            if late && block > 0 {
                break;
            }
            for ns in durations {
                let of_it = (0..kinds.len()).filter(|call| kinds[*call].0.ns == *ns);
                let places: Vec<usize> = of_it.flat_map(|call| [call; BLOCK]).collect();
                for call in permuted(&places, &mut rng) {
                    let (planted, samples) = kinds[call];
                    let new = planted.slower.is_some();
                    let side = if new { Side::New } else { Side::Base };
                    self.number(kind, call, samples, Place { side, block, link: None })?;
                }
            }
        }
        Ok(())
    }

    /// The kinds of call that take about `ns`, and how many samples a process takes of them.
    fn planted(&mut self, ns: u64, kind: &'static Kind) -> Result<Vec<((Planted, u32), Call)>> {
        // A longer call walks over more memory.
        let mask = (ns / 8).next_power_of_two().clamp(1 << 10, 1 << 19) as u32 - 4;
        let probes = PROBES.map(|rounds| busy("probe", mask, rounds));
        Workload::busy(probes.to_vec()).save(&self.stored(0))?;
        let mut took = [u64::MAX; 2];
        for _ in 0..3 {
            for (call, took) in took.iter_mut().enumerate() {
                let records = self.work(kind, self.busy_call(kind, call, 20))?;
                *took = (*took).min(shortest(&records, Phase::Total));
            }
        }
        let rounds = f64::from(PROBES[1] - PROBES[0]);
        let slope = (took[1] as f64 - took[0] as f64) / rounds;
        ensure!(slope > 0.0, "more rounds take no more time: {took:?} ns");
        let fixed = took[0] as f64 - slope * f64::from(PROBES[0]);
        // A slow build may need more than that for the instance alone.
        let base = ((ns as f64 - fixed) / slope).round().max(1_000.0_f64.min(ns as f64));
        let total = fixed + base * slope;
        let of = |slower: Option<u32>| {
            let planted = Planted { ns, slower };
            let more = total * f64::from(slower.unwrap_or(0)) / 10_000.0 / slope;
            let call = busy(&planted.label(), mask, (base + more.round()) as u32);
            ((planted, samples(total as u64)), call)
        };
        Ok(std::iter::once(None).chain(SLOWDOWNS.map(Some)).map(of).collect())
    }

    fn busy_call(&self, kind: &Kind, call: usize, samples: u32) -> Task {
        let (workload, artifact) = (self.stored(0), self.artifact(0, kind));
        Task::Call { workload, call, artifact, samples, total_only: true }
    }

    /// Runs a process and keeps its number.
    fn number(
        &mut self,
        kind: &'static Kind,
        call: usize,
        samples: u32,
        place: Place,
    ) -> Result<()> {
        let mut totals = Vec::new();
        let mut kept = None;
        for record in self.work(kind, self.busy_call(kind, call, samples))? {
            match record {
                Record::Sample(sample) if sample.key.phase == Phase::Total => {
                    totals.extend(sample.ns);
                    kept = Some(sample);
                }
                Record::Ran { mut ran } => {
                    ran.place = Some(place);
                    self.record(Record::Ran { ran })?;
                }
                _ => {}
            }
        }
        let mut sample = kept.context("a process without samples")?;
        sample.ns = stats::process_number(&totals);
        self.record(Record::Sample(sample))
    }
}

/// A call of [`Workload::busy`].
fn busy(label: &str, mask: u32, rounds: u32) -> Call {
    let input = [rounds.to_le_bytes(), mask.to_le_bytes()].concat();
    Call { label: label.into(), ..Call::new("busy", input) }
}
