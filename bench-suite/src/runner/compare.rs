//! Measures two modules against each other on one engine, call by call, until each can be told.
//!
//! The sides of a row come in blocks, in random order, and rows take turns, so that each is spread
//! over the whole run. After each fifth of the processes a row that is clearly different, or clearly
//! the same, is done. One that alarms is measured again, from nothing, before it is believed.

use super::outcome::{Outcome, outcome, same, samples, shortest};
use super::{Observer, Options, Runner, folder};
use crate::engine::{Id, Kind};
use crate::phase::Phase;
use crate::sample::{Record, Run};
use crate::stats::sides::{self, BLOCK, ERROR, LOOKS, Process, Row, Side, State};
use crate::stats::{self, Ratio, Verdict};
use crate::worker::Task;
use crate::workload::Workload;
use anyhow::{Context, Result, ensure};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

/// What layout alone can do to a call of one engine binary: two modules have to differ by more.
const FLOOR: f64 = 0.01;
/// Draws of a test. The first look cannot alarm below one of so many.
const RESAMPLES: usize = 9_999;
/// Processes a side when an alarming row is measured again.
const AGAIN: usize = 40;

/// What came of a comparison.
#[derive(Clone, Debug)]
pub struct Compared {
    /// The raw samples.
    pub run: Run,
    /// The calls that both sides have.
    pub calls: Vec<Call>,
    /// Calls that the base makes and the new module does not.
    pub broken: Vec<String>,
    /// What is the same in every process, and so needs no statistics.
    pub exact: Vec<Exact>,
}

/// A call, compared.
#[derive(Clone, Debug, Serialize)]
pub struct Call {
    /// Its name.
    pub call: String,
    /// What happened.
    pub verdict: Verdict,
    /// Nanoseconds with the base: the 25 % quantile over processes.
    pub base_ns: f64,
    /// Nanoseconds with the new module.
    pub new_ns: f64,
    /// The new module's time divided by the base's; its 95 % interval.
    pub ratio: Ratio,
    /// How often equal sides look that different.
    pub p_value: f64,
    /// Whether it alarmed, and so was measured again, and whether that agreed.
    pub confirmed: Option<bool>,
}

/// A figure without noise.
#[derive(Clone, Debug, Serialize)]
pub struct Exact {
    /// `module`, `artifact`, or `host calls of` a call.
    pub what: String,
    /// Whether it is a number of bytes.
    pub bytes: bool,
    /// That of the base.
    pub base: u64,
    /// That of the new module.
    pub new: u64,
}

/// A call that is being measured.
struct Pair {
    label: String,
    /// Where it is among the calls of each side.
    calls: [usize; 2],
    samples: u32,
    outcomes: [Outcome; 2],
    row: Row,
}

/// Compares the second workload with the first on the engine `id`, with at most
/// [`Options::processes`] processes a side and row.
pub fn compare(
    workloads: &[Workload; 2],
    id: &Id,
    options: &Options,
    observer: &mut dyn Observer,
) -> Result<Compared> {
    let kind = Kind::of(id)?;
    let folder = folder()?;
    let mut runner = Runner::new(options, observer, folder.path());
    runner.header()?;
    let able = runner.compile(workloads, &[kind])?;
    let failed = runner.run.absent.first().map(|absent| absent.reason.clone());
    ensure!(able.iter().all(|(_, kinds)| !kinds.is_empty()), failed.unwrap_or_default());
    let (mut pairs, broken) = runner.pairs(workloads, kind)?;
    ensure!(!pairs.is_empty(), "there is no call that both modules can make");
    runner.sides(&mut pairs, kind)?;
    let mut calls = Vec::new();
    for pair in &mut pairs {
        calls.push(runner.verdict(pair, kind)?);
    }
    let exact = exact(workloads, &runner.run, &pairs);
    Ok(Compared { run: runner.run, calls, broken, exact })
}

impl Runner<'_> {
    /// The calls that both sides can make, each made once, and those that only the base can.
    fn pairs(
        &mut self,
        workloads: &[Workload; 2],
        kind: &'static Kind,
    ) -> Result<(Vec<Pair>, Vec<String>)> {
        let [base, new] = workloads;
        let (mut pairs, mut broken) = (Vec::new(), Vec::new());
        for (at, call) in base.calls.iter().enumerate() {
            let Some(in_new) = new.calls.iter().position(|other| other.label == call.label) else {
                continue;
            };
            let mut pair = Pair {
                label: call.label.clone(),
                calls: [at, in_new],
                samples: 2,
                outcomes: Default::default(),
                row: Row::default(),
            };
            let mut fastest = u64::MAX;
            let mut failed = None;
            for side in [Side::Base, Side::New] {
                match self.work(kind, self.side(&pair, side, kind)) {
                    Ok(records) => {
                        fastest = fastest.min(shortest(&records, Phase::Total));
                        pair.outcomes[side as usize] = outcome(&records);
                    }
                    Err(error) => {
                        failed = Some((&workloads[side as usize].name, error));
                        if side == Side::Base {
                            break;
                        }
                        broken.push(pair.label.clone());
                    }
                }
            }
            match failed {
                Some((name, error)) => self.absent(format!("{name} {}", pair.label), &error)?,
                None => {
                    pair.samples = samples(fastest);
                    pairs.push(pair);
                }
            }
        }
        Ok((pairs, broken))
    }

    fn side(&self, pair: &Pair, side: Side, kind: &Kind) -> Task {
        Task::Call {
            workload: self.stored(side as usize),
            call: pair.calls[side as usize],
            artifact: self.artifact(side as usize, kind),
            samples: pair.samples,
        }
    }

    /// Measures every pair until it is told, or there are enough processes.
    fn sides(&mut self, pairs: &mut [Pair], kind: &'static Kind) -> Result<()> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.options.seed);
        let blocks = (self.options.processes as usize).div_ceil(BLOCK * LOOKS).max(1);
        for look in 0..LOOKS {
            let open = pairs.iter().filter(|pair| pair.row.state == State::Open).count();
            let left = (LOOKS - look) * blocks * 2 * BLOCK * open;
            self.total = self.process + left as u32;
            for _ in 0..blocks {
                for pair in pairs.iter_mut().filter(|pair| pair.row.state == State::Open) {
                    self.block(pair, kind, &mut rng)?;
                }
            }
            let mut rows: Vec<&mut Row> = pairs.iter_mut().map(|pair| &mut pair.row).collect();
            sides::look(&mut rows, look, FLOOR, RESAMPLES, self.options.seed);
        }
        Ok(())
    }

    /// One block of processes.
    fn block(&mut self, pair: &mut Pair, kind: &'static Kind, rng: &mut ChaCha8Rng) -> Result<()> {
        let block = pair.row.processes.last().map_or(0, |last| last.block + 1);
        for side in sides::draw(rng) {
            let records = self.work(kind, self.side(pair, side, kind))?;
            let id = kind.id();
            let found = outcome(&records);
            same(&pair.label, (&id, &pair.outcomes[side as usize]), (&id, &found))?;
            let total: Vec<u64> = (records.iter())
                .filter_map(|record| match record {
                    Record::Sample(sample) if sample.key.phase == Phase::Total => sample.ns,
                    _ => None,
                })
                .collect();
            let number = stats::process_number(&total).context("a process without samples")?;
            let log = (number.max(1) as f64).ln();
            pair.row.processes.push(Process { block, side, log });
            self.keep(records)?;
        }
        Ok(())
    }

    /// What became of a pair; one that alarmed is measured again.
    fn verdict(&mut self, pair: &mut Pair, kind: &'static Kind) -> Result<Call> {
        let seed = self.options.seed;
        let ratio = pair.row.ratio(seed).context("a call without processes")?;
        let mut confirmed = None;
        if pair.row.state == State::Alarmed {
            let first = std::mem::take(&mut pair.row);
            let mut rng = ChaCha8Rng::seed_from_u64(!seed);
            self.total = self.process + 2 * AGAIN as u32;
            for _ in 0..AGAIN.div_ceil(BLOCK) {
                self.block(pair, kind, &mut rng)?;
            }
            let again = std::mem::replace(&mut pair.row, first);
            let effect = sides::effect(&again.processes).unwrap_or(0.0);
            let agrees = effect.signum() == ratio.ratio.ln().signum();
            confirmed = Some(agrees && sides::p_value(&again.processes, RESAMPLES, seed) < ERROR);
        }
        let verdict = match (pair.row.state, confirmed) {
            (State::Same, _) => Verdict::Same,
            (State::Alarmed, Some(true)) if ratio.ratio > 1.0 => Verdict::Slower,
            (State::Alarmed, Some(true)) => Verdict::Faster,
            _ => Verdict::CannotTell,
        };
        let number = |side| stats::quantile(&pair.row.numbers(side), stats::QUANTILE);
        Ok(Call {
            call: pair.label.clone(),
            verdict,
            base_ns: number(Side::Base).unwrap_or(0.0),
            new_ns: number(Side::New).unwrap_or(0.0),
            ratio,
            p_value: pair.row.p_value,
            confirmed,
        })
    }
}

/// Sizes of modules and artifacts, and the host calls of each call.
fn exact(workloads: &[Workload; 2], run: &Run, pairs: &[Pair]) -> Vec<Exact> {
    let artifact = |workload: &Workload| {
        let mut series = run.series.iter();
        let of_it = |s: &&crate::sample::Series| {
            s.key.phase == Phase::Artifact && s.key.workload == workload.name
        };
        series.find(of_it).and_then(|series| series.values.first().copied()).unwrap_or(0)
    };
    let host_calls = |workload: &Workload, label: &str| {
        let of_it = |ran: &&crate::sample::Ran| {
            ran.workload == workload.name && ran.call.as_deref() == Some(label)
        };
        run.ran.iter().find(of_it).map_or(0, |ran| ran.host_calls)
    };
    let [base, new] = workloads;
    let bytes = |what: &str, base, new| Exact { what: what.into(), bytes: true, base, new };
    let mut all = vec![
        bytes("module", base.wasm.len() as u64, new.wasm.len() as u64),
        bytes("artifact", artifact(base), artifact(new)),
    ];
    all.extend(pairs.iter().map(|pair| Exact {
        what: format!("host calls of {}", pair.label),
        bytes: false,
        base: host_calls(base, &pair.label),
        new: host_calls(new, &pair.label),
    }));
    all
}
