//! Measures two sides against each other, call by call, until each can be told: two modules on one
//! engine, or one module on two builds of an engine.
//!
//! The sides of a row come in blocks, in random order, and rows take turns, so that each is spread
//! over the whole run. Which blocks are wanted is `stats::decide`'s business, of builds that are there
//! several times `relinks`'; what came of it, that of `comparison`, which reads the samples.

use super::blocks::{Blocks, Processes};
use super::foreign::kind as kind_of;
use super::instructions::{Counting, valgrind};
use super::outcome::{Outcome, outcome, same, samples, shortest};
use super::relinks;
use super::{Observer, Options, Runner};
use crate::comparison::{Compared, compared, linked, plan};
use crate::engine::{Id, Kind, called, nameless};
use crate::matching::matching;
use crate::phase::Phase;
use crate::sample::{Comparison, Functions, Place, Record, Run, Sides};
use crate::scratch::Scratch;
use crate::stats::decide::{Decided, decide};
use crate::stats::sides::Side;
use crate::worker::Task;
use crate::workload::Workload;
use anyhow::{Context, Result, bail, ensure};
use lithify_measure::child::Stop;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

/// Processes of each side that look where the time of a call goes.
const LOOKS_AT: usize = 3;
/// For how long each, in ms: some 2 500 samples.
const LOOK_MS: u64 = 500;

/// A side.
pub struct SideOf {
    /// What it runs. Its name tells it from the other side in the samples.
    pub workload: Workload,
    /// The program of its workers, and its arguments; several where the same was linked in different
    /// orders, as many as of the other side.
    pub workers: Vec<Vec<OsString>>,
}

/// What processes are measured together: a call, or the compilation.
enum Group {
    Call(Pair),
    Compile,
}

/// A call of both sides.
struct Pair {
    label: String,
    /// Where it is among the calls of each side.
    calls: [usize; 2],
    samples: u32,
    outcomes: [Outcome; 2],
}

/// Compares the second side with the first on the engine `id`, with at most [`Options::processes`]
/// processes a side and call, and [`Options::compiles`] that compile. The samples come, too.
pub fn compare(
    sides: &[SideOf; 2],
    of: Sides,
    id: &Id,
    options: &Options,
    observer: &mut dyn Observer,
) -> Result<(Run, Compared)> {
    let kind = kind_of(options, id)?;
    let [base, new] = [0, 1].map(|side| sides[side].workload.name.clone());
    ensure!(base != new, "both sides are called {base}");
    if options.instructions {
        valgrind()?;
    }
    let count = |side: usize| sides[side].workers.len();
    ensure!(count(0) == count(1) && count(0) > 0, "{} and {} programs", count(0), count(1));
    let links = (count(0) > 1).then_some(count(0) as u32);
    let (compiles, floor) = (options.compiles, options.floor);
    let comparison = Comparison { of, base, new, compiles, floor, links };
    let folder = Scratch::new()?;
    let mut runner = Runner::new(options, observer, folder.path());
    runner.header(Some(comparison.clone()))?;
    let nameless = match of {
        Sides::Modules => matching(&sides[0].workload.wasm, &sides[1].workload.wasm)?,
        _ => BTreeMap::new(),
    };
    let mut live = Live { runner, sides, of, kind, groups: Vec::new(), nameless };
    live.compile_each()?;
    live.pairs()?;
    ensure!(!live.groups.is_empty(), "there is no call that both sides can make");
    if options.instructions {
        live.instructions()?;
    }
    let mut phases = vec![vec![Phase::Total]; live.groups.len()];
    // A worker tells of compiling where it can.
    let mut compiled = live.runner.run.series.iter().map(|series| series.key.phase);
    if options.compiles > 0 && compiled.any(|phase| phase == Phase::CompileCpu) {
        live.groups.push(Group::Compile);
        phases.push(vec![Phase::CompileCpu, Phase::CompilePeak]);
    }
    let plan = |phase: &Phase| plan(&comparison, options.processes, *phase);
    let decided = match links {
        Some(links) => {
            let rounds = |of: &Vec<Phase>| plan(&of[0]).processes.div_ceil(links as usize);
            let rounds: Vec<usize> = phases.iter().map(rounds).collect();
            let measured = relinks::measure(&rounds, links, options.seed, &mut live);
            let decided = || linked(&live.runner.run, &comparison, links);
            measured.map(|()| decided().into_iter().map(|(_, row)| row).collect())
        }
        None => {
            let plans: Vec<_> = phases.iter().flatten().map(plan).collect();
            let rows: Vec<usize> = phases.iter().map(Vec::len).collect();
            decide(&plans, options.seed, &mut Blocks::new(&rows, &mut live))
        }
    };
    let explained = decided.and_then(|decided: Vec<Decided>| live.explain(&decided));
    live.runner.or_interrupted(explained)?;
    let run = live.runner.run;
    let compared = compared(&run)?;
    Ok((run, compared))
}

struct Live<'s, 'r> {
    runner: Runner<'r>,
    sides: &'s [SideOf; 2],
    of: Sides,
    kind: &'static Kind,
    groups: Vec<Group>,
    /// Functions of the new module and what they were in the base.
    nameless: BTreeMap<u32, u32>,
}

impl Live<'_, '_> {
    /// Where the time of a call goes, with functions of the new side that have no name by their index in
    /// the base, and those that have none there as new.
    fn named(&self, side: Side, found: Functions) -> Functions {
        if side == Side::Base || self.of != Sides::Modules {
            return found;
        }
        found.renamed(|name| {
            match nameless(&name).map(|index| (index, self.nameless.get(&index))) {
                Some((index, None)) => format!("new {}", called(index, "")),
                Some((_, Some(base))) => called(*base, ""),
                None => name,
            }
        })
    }

    fn work(&mut self, side: Side, task: Task) -> Result<Vec<Record>> {
        self.work_by_link(side, 0, task)
    }

    /// By one of the side's binaries.
    fn work_by_link(&mut self, side: Side, link: u32, task: Task) -> Result<Vec<Record>> {
        let worker = self.sides[side as usize].workers.get(link as usize);
        self.runner.work_by(worker.context("no such binary")?, self.kind, task)
    }

    fn stored(&self, side: Side) -> PathBuf {
        self.runner.stored(side as usize)
    }

    fn artifact(&self, side: Side) -> PathBuf {
        self.runner.artifact(side as usize, self.kind)
    }

    fn compilation(&self, side: Side, artifact: PathBuf) -> Task {
        Task::Compile { workload: self.stored(side), artifact }
    }

    /// Makes the artifacts.
    fn compile_each(&mut self) -> Result<()> {
        let calls: usize = self.sides.iter().map(|side| side.workload.calls.len()).sum();
        self.runner.total = 2 + 2 * calls as u32;
        for side in [Side::Base, Side::New] {
            let workload = &self.sides[side as usize].workload;
            self.runner.store(side as usize, workload)?;
            let task = self.compilation(side, self.artifact(side));
            let records = self.work(side, task);
            self.runner.keep(records.with_context(|| workload.name.clone())?)?;
        }
        Ok(())
    }

    /// The calls that both sides can make, each made once. What only the base can make is absent.
    fn pairs(&mut self) -> Result<()> {
        let [base, new] = [0, 1].map(|side| &self.sides[side].workload);
        for (at, call) in base.calls.iter().enumerate() {
            let Some(in_new) = new.calls.iter().position(|other| other.label == call.label) else {
                continue;
            };
            let mut pair = Pair {
                label: call.label.clone(),
                calls: [at, in_new],
                samples: 2,
                outcomes: Default::default(),
            };
            if let Some(fastest) = self.pilot(&mut pair)? {
                pair.samples = samples(fastest);
                self.groups.push(Group::Call(pair));
            }
        }
        Ok(())
    }

    /// The time of the call, where both sides can make it.
    fn pilot(&mut self, pair: &mut Pair) -> Result<Option<u64>> {
        let mut fastest = u64::MAX;
        for side in [Side::Base, Side::New] {
            match self.work(side, self.call(pair, side)) {
                Ok(records) => {
                    fastest = fastest.min(shortest(&records, Phase::Total));
                    pair.outcomes[side as usize] = outcome(&records);
                }
                Err(error) if error.is::<Stop>() => return Err(error),
                Err(error) => {
                    let name = &self.sides[side as usize].workload.name;
                    self.runner.absent(format!("{name} {}", pair.label), &error, true)?;
                    return Ok(None);
                }
            }
        }
        if self.of == Sides::Builds {
            // One module: whatever compiles it, it does the same.
            let what = format!("{}: {}", pair.label, self.kind.id());
            let names = [0, 1].map(|side| Id {
                engine: self.sides[side].workload.name.clone(),
                setting: String::new(),
            });
            same(&what, (&names[0], &pair.outcomes[0]), (&names[1], &pair.outcomes[1]))?;
        }
        for side in [Side::Base, Side::New] {
            let task = Task::Count {
                workload: self.stored(side),
                call: pair.calls[side as usize],
                artifact: self.artifact(side),
            };
            match self.work(side, task) {
                Ok(records) => self.runner.keep(records)?,
                // Another build may not know how to count.
                Err(_) if self.of == Sides::Builds => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Some(fastest))
    }

    /// Has functions that were inlined told from those around them, where a side knows how.
    fn tell_inlined(&mut self) -> Result<()> {
        for side in [Side::Base, Side::New] {
            let (workload, artifact) = (self.stored(side), self.artifact(side));
            match self.work(side, Task::Explain { workload, artifact }) {
                Ok(_) => {}
                Err(error) if error.is::<Stop>() => return Err(error),
                // Another build may not know how.
                Err(_) if self.of == Sides::Builds => {}
                Err(error) => {
                    let name = &self.sides[side as usize].workload.name;
                    self.runner.absent(format!("inlined functions of {name}"), &error, true)?;
                }
            }
        }
        Ok(())
    }

    /// Counts the instructions of every call.
    fn instructions(&mut self) -> Result<()> {
        self.tell_inlined()?;
        for group in 0..self.groups.len() {
            for side in [Side::Base, Side::New] {
                let Group::Call(pair) = &self.groups[group] else { continue };
                let SideOf { workload, workers } = &self.sides[side as usize];
                let what = Counting {
                    name: workload.name.clone(),
                    workload: self.stored(side),
                    label: pair.label.clone(),
                    call: pair.calls[side as usize],
                    artifact: self.artifact(side),
                    samples: pair.samples,
                };
                match self.runner.instructions(&workers[0], self.kind, &what) {
                    Ok(found) => {
                        let by_function = self.named(side, found);
                        self.runner.record(Record::Functions { by_function })?;
                    }
                    Err(error) if error.is::<Stop>() => return Err(error),
                    Err(error) => {
                        let what = format!("instructions of {} {}", what.name, what.label);
                        self.runner.absent(what, &error, true)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Looks where the time goes in calls that differ, or in all that were asked for. Calls come first
    /// among the rows.
    fn explain(&mut self, decided: &[Decided]) -> Result<()> {
        let calls: Vec<Task> = (self.groups.iter().zip(decided))
            .filter(|(_, row)| row.verdict.is_change() || self.runner.options.explain)
            .filter_map(|(group, _)| match group {
                Group::Call(pair) => Some([Side::Base, Side::New].map(|side| Task::Sample {
                    workload: self.stored(side),
                    call: pair.calls[side as usize],
                    artifact: self.artifact(side),
                    ms: LOOK_MS,
                    stacks: self.runner.options.stacks,
                })),
                Group::Compile => None,
            })
            .flatten()
            .collect();
        if !calls.is_empty() {
            self.tell_inlined()?;
        }
        self.left(calls.len() * LOOKS_AT);
        for _ in 0..LOOKS_AT {
            for (at, task) in calls.iter().enumerate() {
                let side = [Side::Base, Side::New][at % 2];
                match self.work(side, task.clone()) {
                    Ok(records) => {
                        let named = records.into_iter().map(|record| match record {
                            Record::Functions { by_function } => {
                                Record::Functions { by_function: self.named(side, by_function) }
                            }
                            other => other,
                        });
                        let named = named.collect();
                        self.runner.keep(named)?;
                    }
                    // Another build may not know how to look.
                    Err(error) if self.of == Sides::Modules || error.is::<Stop>() => {
                        return Err(error);
                    }
                    Err(_) => return Ok(()),
                }
            }
        }
        Ok(())
    }

    fn call(&self, pair: &Pair, side: Side) -> Task {
        Task::Call {
            workload: self.stored(side),
            call: pair.calls[side as usize],
            artifact: self.artifact(side),
            samples: pair.samples,
            // Another build may not know the word, and then its processes would differ.
            total_only: self.of == Sides::Modules,
        }
    }
}

impl Processes for Live<'_, '_> {
    fn process(&mut self, group: usize, place: Place) -> Result<Vec<f64>> {
        let side = place.side;
        let (task, phases) = match &self.groups[group] {
            Group::Call(pair) => (self.call(pair, side), &[Phase::Total][..]),
            Group::Compile => {
                let artifact = self.runner.folder.join("again");
                (self.compilation(side, artifact), &[Phase::CompileCpu, Phase::CompilePeak][..])
            }
        };
        let mut records = self.work_by_link(side, place.link.unwrap_or(0), task)?;
        if let Group::Call(pair) = &self.groups[group] {
            let (id, found) = (self.kind.id(), outcome(&records));
            same(&pair.label, (&id, &pair.outcomes[side as usize]), (&id, &found))?;
        }
        for record in &mut records {
            if let Record::Ran { ran } = record {
                ran.place = Some(place);
            }
        }
        let numbers = phases.iter().map(|phase| number(&records, *phase)).collect();
        self.runner.keep(records)?;
        numbers
    }

    fn left(&mut self, processes: usize) {
        self.runner.total = self.runner.process + processes as u32;
    }
}

/// The number of a process in that phase.
fn number(records: &[Record], phase: Phase) -> Result<f64> {
    let of_phase = |record: &Record| match record {
        Record::Sample(sample) if sample.key.phase == phase => sample.ns.or(sample.bytes),
        _ => None,
    };
    let samples: Vec<u64> = records.iter().filter_map(of_phase).collect();
    match crate::stats::process_number(&samples) {
        Some(number) => Ok(number as f64),
        None => bail!("a process without samples of {phase}"),
    }
}
