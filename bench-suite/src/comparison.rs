//! Turns the samples of a comparison into rows with verdicts. It reads samples and nothing else, so
//! what was decided while it was measured is decided again from a file, to the same verdicts.

use crate::functions::HOST;
use crate::phase::{Phase, Unit};
use crate::sample::{Absent, Comparison, Counts, Functions, Place, Ran, Run, Series, Sides};
use crate::stats::decide::{Decided, Floor, Plan, Source, decide};
use crate::stats::relinks;
use crate::stats::sides::{Block, Side};
use crate::stats::{self, QUANTILE, Ratio, Verdict};
use crate::workload::HOST_CALLS;
use anyhow::{Context, Result, ensure};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How far compiling the same module may differ in CPU time.
const COMPILE_FLOOR: f64 = 0.03;
/// And in memory.
const PEAK_FLOOR: f64 = 0.01;

/// And a call in instructions, of which the host's hang on chance: the seeds of its hash tables.
const INSTRUCTIONS_FLOOR: f64 = 0.001;
/// And of a very short call, so many.
const INSTRUCTIONS: f64 = 200.0;

/// Processes a side beyond which nobody plans.
const MOST_PROCESSES: u32 = 100_000;

/// What came of a comparison.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Compared {
    /// What was compared, and how.
    pub comparison: Comparison,
    /// What was measured, decided.
    pub rows: Vec<Row>,
    /// What is the same in every process, and so needs no statistics.
    pub exact: Vec<Exact>,
    /// Calls that the base makes and the new side does not.
    pub broken: Vec<String>,
    /// What could not be measured.
    pub absent: Vec<Absent>,
    /// The new run's reference work divided by the base's, where they are of different hours: what
    /// figures were divided by.
    pub reference: Option<f64>,
}

/// A row, decided.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The call; none for a module.
    pub call: Option<String>,
    /// What was measured of it.
    pub phase: Phase,
    /// What happened.
    pub verdict: Verdict,
    /// The 25 % quantile over processes of the base, in the unit of the phase; of several binaries, the
    /// geometric mean of theirs.
    pub base: f64,
    /// That of the new side.
    pub new: f64,
    /// The new side's divided by the base's, with its 95 % interval.
    pub ratio: Ratio,
    /// The error of all looks at which this row alone would have alarmed; none without a test.
    pub p_value: Option<f64>,
    /// Whether it alarmed, and so was measured again, and whether that agreed.
    pub confirmed: Option<bool>,
    /// A difference below this, as 0.01 for 1 %, is none.
    pub floor: f64,
    /// Where the difference is, by function, the largest first; empty where nobody looked.
    pub functions: Vec<Function>,
}

/// A function of the guest, or the host, in a call.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Function {
    /// Its name, or index.
    pub name: String,
    /// What it takes of a call of the base, in ns, without what it calls.
    pub base_ns: f64,
    /// What it takes of a call of the new side.
    pub new_ns: f64,
    /// Instructions in a call of both sides, without those of what it calls; none where nobody counted.
    pub instructions: Option<[u64; 2]>,
}

/// A figure without noise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Exact {
    /// The call; none for a module.
    pub call: Option<String>,
    /// What it is.
    pub what: &'static str,
    /// Whether it is a number of bytes.
    pub is_bytes: bool,
    /// What happened: less is faster.
    pub verdict: Verdict,
    /// That of the base.
    pub base: u64,
    /// That of the new side.
    pub new: u64,
}

impl Exact {
    /// The name of its unit.
    pub fn unit(&self) -> &'static str {
        if self.is_bytes { Unit::Bytes.name() } else { "count" }
    }
}

impl Row {
    /// The call and, where it is no whole call, what of it.
    pub fn label(&self) -> String {
        match &self.call {
            Some(call) if self.phase == Phase::Total => call.clone(),
            Some(call) => format!("{call} {}", self.phase),
            None => self.phase.name().to_owned(),
        }
    }
}

/// What came of a comparison, where the samples are of one.
pub fn of(run: &Run) -> Result<Option<Compared>> {
    let is_one = run.header.as_ref().is_some_and(|header| header.comparison.is_some());
    is_one.then(|| compared(run)).transpose()
}

/// Decides the rows of a comparison from its samples.
pub fn compared(run: &Run) -> Result<Compared> {
    let header = run.header.as_ref().context("samples without a head")?;
    let comparison = header.comparison.clone().context("the samples are of no comparison")?;
    // A file may say anything.
    let processes = header.processes.min(MOST_PROCESSES);
    let plan = |key: &RowKey| plan(&comparison, processes, key.phase);
    let decided = match comparison.links {
        Some(links) => linked(run, &comparison, links),
        None => {
            let mut trace = Trace::of(run);
            let plans: Vec<Plan> = trace.rows.iter().map(|(key, _)| plan(key)).collect();
            let decided = decide(&plans, header.seed, &mut trace)?;
            trace.rows.into_iter().map(|(key, _)| key).zip(decided).collect()
        }
    };
    let rows = decided.into_iter().map(|(key, decided)| {
        let plan = plan(&key);
        let Decided { verdict, ratio, p_value, confirmed, quantiles: [base, new], .. } = decided;
        let (call, phase) = (key.name(), key.phase);
        let (p_value, floor) = (Some(p_value), plan.floor.at(base));
        let functions = match phase {
            Phase::Total => functions(run, &comparison, key.call.as_deref(), [base, new]),
            _ => Vec::new(),
        };
        Row { call, phase, verdict, base, new, ratio, p_value, confirmed, floor, functions }
    });
    let rows = rows.collect();
    Ok(Compared {
        exact: exact(run, &comparison),
        broken: broken(run, &comparison),
        absent: run.absent.clone(),
        rows,
        comparison,
        reference: None,
    })
}

/// How a row of that phase is decided in this comparison.
pub fn plan(comparison: &Comparison, processes: u32, phase: Phase) -> Plan {
    let usual = match comparison.of {
        Sides::Modules | Sides::Commands => Floor::Modules,
        // What layout does is in the interval.
        Sides::Builds if comparison.links.is_some() => Floor::Modules,
        Sides::Builds => Floor::Builds,
        Sides::Hours => Floor::Hours,
    };
    let asked = comparison.floor.map(Floor::Of);
    // A command's processes do both.
    let compiles = comparison.of != Sides::Commands;
    let most = comparison.compiles.min(MOST_PROCESSES) as usize;
    let compiling = |floor| Plan { processes: most, floor };
    match phase {
        Phase::CompilePeak if compiles => compiling(Floor::Of(PEAK_FLOOR)),
        Phase::CompileCpu if compiles => compiling(Floor::Of(COMPILE_FLOOR)),
        _ => Plan { processes: processes as usize, floor: asked.unwrap_or(usual) },
    }
}

/// Which row a series belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RowKey {
    workload: Option<String>,
    engine: Option<String>,
    call: Option<String>,
    /// What was measured.
    pub phase: Phase,
}

impl RowKey {
    fn name(&self) -> Option<String> {
        let parts = [&self.workload, &self.engine, &self.call];
        let parts: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
        (!parts.is_empty()).then(|| parts.join(" "))
    }

    /// What to call it.
    pub fn label(&self) -> String {
        let of = self.name().map(|name| name + " ").unwrap_or_default();
        format!("{of}{}", self.phase)
    }
}

/// How series are told apart. What each side has one of only, such as its module, tells sides apart and
/// not rows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    workloads: bool,
    engines: bool,
    /// There are totals, of which other phases of a call are parts.
    totals: bool,
}

impl Wanted {
    /// From all series, with their sides.
    pub fn of<'s>(series: impl Iterator<Item = (&'s Series, Side)> + Clone) -> Self {
        let several = |of: fn(&Series) -> (&str, &str)| {
            [Side::Base, Side::New].iter().any(|side| {
                let names = series.clone().filter(|(_, of_side)| of_side == side);
                names.map(|(series, _)| of(series)).collect::<BTreeSet<_>>().len() > 1
            })
        };
        let workloads = several(|series| (&series.key.workload, ""));
        let engines = several(|series| (&series.key.engine, &series.key.setting));
        let mut phases = series.map(|(series, _)| series.key.phase);
        Self { workloads, engines, totals: phases.any(|phase| phase == Phase::Total) }
    }

    /// The row of a series; none where it is not decided.
    fn row(self, series: &Series) -> Option<RowKey> {
        let key = &series.key;
        let decided = Phase::DECIDED.contains(&key.phase);
        (key.phase != Phase::Reference && (decided || !self.totals)).then(|| RowKey {
            workload: self.workloads.then(|| key.workload.clone()),
            engine: self.engines.then(|| format!("{} {}", key.engine, key.setting)),
            call: key.call.clone(),
            phase: key.phase,
        })
    }

    /// The rows of these series.
    pub fn rows<'s>(self, series: impl Iterator<Item = &'s Series>) -> Vec<RowKey> {
        let mut rows = Vec::new();
        for row in series.filter_map(|series| self.row(series)) {
            if !rows.contains(&row) {
                rows.push(row);
            }
        }
        rows
    }

    /// The number of a process in a row, from its series.
    pub fn number<'s>(self, row: &RowKey, series: impl Iterator<Item = &'s Series>) -> Option<f64> {
        let of_row = series.filter(|series| self.row(series).as_ref() == Some(row));
        of_row.filter_map(|series| stats::process_number(&series.values)).min().map(|n| n as f64)
    }
}

/// Blocks as they were measured, row by row.
pub struct Trace {
    rows: Vec<(RowKey, VecDeque<Block>)>,
}

impl Trace {
    /// The blocks of the rows that both sides have.
    pub fn of(run: &Run) -> Self {
        // A block counts where all of its processes came to an end.
        let whole = |block: Processes| {
            let sides = block.into_iter().map(|(place, number)| (place.side, number));
            Block::of(&sides.collect::<Vec<_>>())
        };
        let of_row = |(row, blocks): (RowKey, Vec<Processes>)| {
            let blocks: VecDeque<Block> = blocks.into_iter().filter_map(whole).collect();
            (!blocks.is_empty()).then_some((row, blocks))
        };
        Self { rows: placed(run).into_iter().filter_map(of_row).collect() }
    }
}

/// The processes of a block in their order, with their numbers.
type Processes = Vec<(Place, u64)>;

/// The blocks of each row, in their order.
fn placed(run: &Run) -> Vec<(RowKey, Vec<Processes>)> {
    let places = run.places();
    let place = |series: &Series| places.get(&series.key.process).copied();
    let placed = run.series.iter().filter_map(|series| Some((series, place(series)?)));
    let wanted = Wanted::of(placed.clone().map(|(series, place)| (series, place.side)));
    let mut rows = Vec::new();
    for row in wanted.rows(placed.clone().map(|(series, _)| series)) {
        let mut blocks: BTreeMap<u32, BTreeMap<u32, (Place, u64)>> = BTreeMap::new();
        let of_row = |(series, _): &(&Series, Place)| wanted.row(series).as_ref() == Some(&row);
        for (series, place) in placed.clone().filter(of_row) {
            let Some(number) = stats::process_number(&series.values) else { continue };
            let block = blocks.entry(place.block).or_default();
            let kept = block.entry(series.key.process).or_insert((place, number));
            kept.1 = kept.1.min(number);
        }
        let blocks = blocks.into_values().map(|block| block.into_values().collect());
        rows.push((row, blocks.collect()));
    }
    rows
}

/// Decides the rows of two builds of which each is there `links` times, by the rounds in which all
/// processes came to an end.
pub fn linked(run: &Run, comparison: &Comparison, links: u32) -> Vec<(RowKey, Decided)> {
    let binaries = links.min(relinks::MOST as u32) as usize;
    let of_row = |(key, rounds): (RowKey, Vec<Processes>)| {
        let mut row = relinks::Row::default();
        for side in [Side::Base, Side::New] {
            row.of(side).resize(binaries, Vec::new());
        }
        for (place, number) in rounds.into_iter().filter(|r| r.len() == 2 * binaries).flatten() {
            let link = place.link.unwrap_or(0) as usize;
            if let Some(processes) = row.of(place.side).get_mut(link) {
                processes.push((number as f64).max(1.0).ln());
            }
        }
        (key, row)
    };
    let (keys, rows): (Vec<RowKey>, Vec<relinks::Row>) =
        placed(run).into_iter().map(of_row).unzip();
    // How many processes there were to be makes no difference to a floor.
    let floors: Vec<Floor> = keys.iter().map(|key| plan(comparison, 0, key.phase).floor).collect();
    let decided = relinks::decide(&rows, &floors);
    keys.into_iter().zip(decided).filter_map(|(key, row)| Some((key, row?))).collect()
}

impl Source for Trace {
    fn block(&mut self, row: usize, _: &mut ChaCha8Rng) -> Result<Option<Block>> {
        Ok(self.rows[row].1.pop_front())
    }
}

/// What each function takes of a call that takes `totals`, by its share of the samples, and how many
/// instructions; those of both sides that have one name are one function.
fn functions(
    run: &Run,
    comparison: &Comparison,
    call: Option<&str>,
    totals: [f64; 2],
) -> Vec<Function> {
    let mut all: BTreeMap<&str, ([f64; 2], [u64; 2])> = BTreeMap::new();
    let mut is_counted = false;
    for (side, name) in [&comparison.base, &comparison.new].into_iter().enumerate() {
        let of_it = |found: &&Functions| found.workload == *name && Some(&*found.call) == call;
        let looked = run.functions.iter().filter(of_it);
        let samples: u64 = looked.clone().map(|found| found.samples).sum();
        for (function, count) in looked.clone().flat_map(|found| &found.functions) {
            let share = *count as f64 / samples.max(1) as f64;
            all.entry(function).or_default().0[side] += share * totals[side];
        }
        for (function, count) in looked.flat_map(|found| &found.instructions) {
            all.entry(function).or_default().1[side] += count;
            is_counted = true;
        }
    }
    if all.keys().all(|name| *name == HOST) {
        // The engine does not tell.
        return Vec::new();
    }
    let function = |(name, (ns, counts)): (&str, ([f64; 2], [u64; 2]))| Function {
        name: name.to_owned(),
        base_ns: ns[0],
        new_ns: ns[1],
        instructions: is_counted.then_some(counts),
    };
    let mut all: Vec<Function> = all.into_iter().map(function).collect();
    let change = |function: &Function| (function.new_ns - function.base_ns).abs();
    let more =
        |function: &Function| function.instructions.map_or(0, |[base, new]| base.abs_diff(new));
    all.sort_by(|a, b| change(b).total_cmp(&change(a)).then(more(b).cmp(&more(a))));
    all
}

/// Sizes of modules and artifacts, and what calls were counted to do.
fn exact(run: &Run, comparison: &Comparison) -> Vec<Exact> {
    let mut all = Vec::new();
    let mut add = |call: Option<&str>, what, is_bytes, sides: [Option<u64>; 2], floor: f64| {
        let [Some(base), Some(new)] = sides else { return };
        let verdict = match new.cmp(&base) {
            _ if base.abs_diff(new) as f64 <= floor * base as f64 => Verdict::Same,
            std::cmp::Ordering::Less => Verdict::Faster,
            std::cmp::Ordering::Equal => Verdict::Same,
            std::cmp::Ordering::Greater => Verdict::Slower,
        };
        all.push(Exact { call: call.map(str::to_owned), what, is_bytes, verdict, base, new });
    };
    let size = |phase, name: &str| {
        let of_it = |s: &&Series| s.key.phase == phase && s.key.workload == name;
        run.series.iter().find(of_it)?.values.first().copied()
    };
    let names = [&comparison.base, &comparison.new];
    let code = |name: &str| counted(run, name).find_map(|ran| ran.counts?.code_bytes);
    for (what, phase) in [("module", Phase::Module), ("artifact", Phase::Artifact)] {
        add(None, what, true, names.map(|name| size(phase, name)), 0.0);
    }
    add(None, "machine code", true, names.map(|name| code(name)), 0.0);
    let calls: BTreeSet<&str> = run.functions.iter().map(|found| &*found.call).collect();
    for call in calls {
        let [base, new] = names.map(|name| instructions(run, name, call));
        let part = |of: fn(&[u64; 2]) -> u64| [base, new].map(|side| side.as_ref().map(of));
        add(Some(call), "guest's instructions", false, part(|[guest, _]| *guest), 0.0);
        let floor = base.map_or(0.0, |[_, all]| INSTRUCTIONS / all.max(1) as f64);
        let floor = floor.max(INSTRUCTIONS_FLOOR);
        add(Some(call), "instructions", false, part(|[_, all]| *all), floor);
    }
    for base in counted(run, names[0]) {
        let Some(new) = counted(run, names[1]).find(|new| new.call == base.call) else { continue };
        let mut of = |what, is_bytes, figure: &dyn Fn(&Ran, Counts) -> Option<u64>| {
            let figures = [base, new].map(|ran| figure(ran, ran.counts.unwrap_or_default()));
            add(base.call.as_deref(), what, is_bytes, figures, 0.0);
        };
        of("host calls", false, &|ran, _| ran.host_calls);
        of("allocations", false, &|_, counts| Some(counts.allocations));
        of("allocated", true, &|_, counts| Some(counts.requested_bytes));
        of("heap at most", true, &|_, counts| Some(counts.peak_bytes));
        of("pages written", false, &|_, counts| counts.written_pages);
        of("collections", false, &|_, counts| counts.collections);
    }
    all
}

/// Instructions of a call, the guest's and all.
fn instructions(run: &Run, workload: &str, call: &str) -> Option<[u64; 2]> {
    let of_it = |found: &&Functions| {
        found.workload == workload && found.call == call && !found.instructions.is_empty()
    };
    let found = run.functions.iter().find(of_it)?;
    let all: u64 = found.instructions.values().sum();
    let host = found.instructions.get(HOST).copied().unwrap_or(0);
    Some([all - host, all])
}

/// The processes that counted what calls of `workload` do.
fn counted<'r>(run: &'r Run, workload: &'r str) -> impl Iterator<Item = &'r Ran> {
    run.ran.iter().filter(move |ran| ran.workload == workload && ran.counts.is_some())
}

/// Calls of the base that failed on the new side.
fn broken(run: &Run, comparison: &Comparison) -> Vec<String> {
    let calls = run.absent.iter().filter_map(|absent| {
        absent.what.strip_prefix(&comparison.new)?.strip_prefix(' ').map(str::to_owned)
    });
    calls.collect()
}

/// Compares two runs of different hours, call by call on every engine that both have. Only what differs
/// by more than hours do is told, after what the reference work says of the machine.
pub fn of_hours(base: &Run, new: &Run, names: [&str; 2]) -> Result<Compared> {
    let seed = new.header.as_ref().map_or(0, |header| header.seed);
    let comparison = Comparison {
        of: Sides::Hours,
        base: names[0].to_owned(),
        new: names[1].to_owned(),
        compiles: 0,
        floor: None,
        links: None,
    };
    let floor = Floor::Hours.at(0.0);
    let reference = |run: &Run| {
        let series = run.series.iter().filter(|series| series.key.phase == Phase::Reference);
        let numbers: Vec<f64> =
            series.filter_map(|s| stats::process_number(&s.values)).map(|n| n as f64).collect();
        stats::quantile(&numbers, QUANTILE)
    };
    let reference = match (reference(base), reference(new)) {
        (Some(base), Some(new)) if base > 0.0 => Some(new / base),
        _ => None,
    };
    let (base_rows, new_rows) = (totals(base), totals(new));
    let mut rows = Vec::new();
    for (name, numbers) in &base_rows {
        let Some((_, others)) = new_rows.iter().find(|(other, _)| other == name) else { continue };
        let scaled: Vec<f64> = others.iter().map(|n| n / reference.unwrap_or(1.0)).collect();
        let Some(ratio) = stats::ratio(&scaled, numbers, seed) else { continue };
        let of = |numbers: &[f64]| stats::quantile(numbers, QUANTILE).unwrap_or(0.0);
        rows.push(Row {
            call: Some(name.clone()),
            phase: Phase::Total,
            verdict: ratio.verdict(floor),
            base: of(numbers),
            new: of(others),
            ratio,
            p_value: None,
            confirmed: None,
            floor,
            functions: Vec::new(),
        });
    }
    ensure!(!rows.is_empty(), "{} and {} have no call in common", names[0], names[1]);
    let mut absent = base.absent.clone();
    absent.extend(new.absent.iter().filter(|one| !base.absent.contains(one)).cloned());
    let is_broken = |(name, _): &&(String, Vec<f64>)| new_rows.iter().all(|(n, _)| n != name);
    let broken = base_rows.iter().filter(is_broken).map(|(name, _)| name.clone()).collect();
    Ok(Compared { comparison, rows, exact: Vec::new(), broken, absent, reference })
}

/// The totals of calls, one number a process, by what to call them.
fn totals(run: &Run) -> Vec<(String, Vec<f64>)> {
    let is_total =
        |series: &&Series| series.key.phase == Phase::Total && series.key.workload != HOST_CALLS;
    let names: BTreeSet<&str> =
        run.series.iter().filter(is_total).map(|series| &*series.key.workload).collect();
    let mut rows: Vec<(String, Vec<f64>)> = Vec::new();
    for Series { key, values } in run.series.iter().filter(is_total) {
        let Some(number) = stats::process_number(values) else { continue };
        let call = key.call.as_deref().unwrap_or_default();
        let mut name = format!("{call} on {} {}", key.engine, key.setting);
        if names.len() > 1 {
            name = format!("{} {name}", key.workload);
        }
        match rows.iter_mut().find(|(known, _)| *known == name) {
            Some((_, numbers)) => numbers.push(number as f64),
            None => rows.push((name, vec![number as f64])),
        }
    }
    rows
}
