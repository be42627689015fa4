//! Samples as they are kept: one JSON line each, and in memory the samples of one phase in one
//! process together.
//!
//! ```text
//! {"run": {...}}          how and where it was measured; the first line
//! {"absent": {...}}       an engine or an entry point that was left out, and why
//! {"ran": {...}}          a process: its place in the order and, in a comparison, in its block; its
//!                         use of the system; what it counted
//! {"workload": ...}       a sample
//! {"by_function": {...}}  where the time of a call goes
//! {"numbers": {...}}      of a baseline: one number for each of many processes
//! {"interrupted": {...}}  the last line of a run that was cut short
//! ```
//!
//! A report can be redone from these lines alone.

use crate::machine::Machine;
use crate::phase::{Phase, Unit};
use crate::stats::{self, sides::Side};
use anyhow::{Context, Result, ensure};
use lithify_measure::cpu::Usage;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, Write};

/// Whose samples they are.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key {
    /// Name of the workload.
    pub workload: String,
    /// BLAKE2b-256 of the code as stored, in hex. This and the other fields that may be left out are
    /// empty in the samples of others.
    #[serde(default)]
    pub code_hash: String,
    /// Name of the engine.
    pub engine: String,
    /// Its setting.
    #[serde(default)]
    pub setting: String,
    /// The phase.
    pub phase: Phase,
    /// The entry point; none for what happens once per module.
    pub call: Option<String>,
    /// Number of the process, in the order of the run.
    #[serde(default)]
    pub process: u32,
    /// BLAKE3 of the output, in hex, for phases that have one.
    #[serde(default)]
    pub output_hash: Option<String>,
}

/// A sample: one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// Whose it is.
    #[serde(flatten)]
    pub key: Key,
    /// Nanoseconds, for phases that take time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ns: Option<u64>,
    /// Bytes, for those that take space.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

/// The samples of one phase in one process, in the order in which they were taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    /// Whose they are.
    pub key: Key,
    /// The values, in the unit of the phase.
    pub values: Vec<u64>,
}

impl Series {
    /// One sample a line.
    pub fn samples(&self) -> impl Iterator<Item = Sample> {
        self.values.iter().map(|value| Sample {
            key: self.key.clone(),
            ns: (self.key.phase.unit() == Unit::Ns).then_some(*value),
            bytes: (self.key.phase.unit() == Unit::Bytes).then_some(*value),
        })
    }
}

/// How a run was made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// Version of this crate.
    pub version: String,
    /// BLAKE3 of the executable that the workers ran, in hex.
    pub executable: String,
    /// Decides the order and the resampling.
    pub seed: u64,
    /// Processes per row and setting.
    pub processes: u32,
    /// Where it ran.
    pub machine: Machine,
    /// Seconds since 1970 at the start.
    pub started: u64,
    /// What was compared with what, where two sides were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Comparison>,
}

/// What a run compares, and how: enough to decide it again from its samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// What the sides are.
    pub of: Sides,
    /// What the base is called.
    pub base: String,
    /// What the new side is called.
    pub new: String,
    /// The most processes a side that compile only.
    pub compiles: u32,
    /// The floor that was asked for, as 0.02 for 2 %, in the place of the usual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor: Option<f64>,
    /// How often each build is there, linked in different orders; none where it is there once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub links: Option<u32>,
}

/// Kinds of sides, which differ in how far equal ones can be apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sides {
    /// Two modules on one engine.
    Modules,
    /// One module on two builds of an engine.
    Builds,
    /// Two commands that print samples.
    Commands,
    /// Two runs of different hours.
    Hours,
}

/// The place of a process in a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Its side.
    pub side: Side,
    /// The block whose sides were drawn together, counted for each thing that is measured.
    pub block: u32,
    /// Which of the side's binaries it ran, where there are several: then a block is a round of all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<u32>,
}

/// What a call did, counted: the same in every process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Blocks that the host's heap handed out.
    pub allocations: u64,
    /// Sum of the sizes that were asked for.
    pub requested_bytes: u64,
    /// The most that was in use at a time.
    pub peak_bytes: u64,
    /// Host pages that were written, where the engine and the kernel tell.
    pub written_pages: Option<u64>,
    /// Collections of garbage, where the guest tells.
    pub collections: Option<u64>,
    /// Machine code of the whole module, where the engine tells.
    pub code_bytes: Option<u64>,
}

/// An engine, or an entry point of a workload, that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Absent {
    /// `wasmtime jit`, or `solochain Metadata_metadata`.
    pub what: String,
    /// Why.
    pub reason: String,
    /// Whether it was meant to work: an engine that cannot run on this machine was not.
    #[serde(default)]
    pub failed: bool,
}

/// What a process used, from its start to its end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ran {
    /// Its number, which is its place in the order.
    pub process: u32,
    /// Name of the workload.
    pub workload: String,
    /// Name of the engine.
    pub engine: String,
    /// Its setting.
    pub setting: String,
    /// The entry point.
    pub call: Option<String>,
    /// State root after the call, in hex.
    pub state_root: Option<String>,
    /// Number of host calls in one call, where they were counted: a program of others does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_calls: Option<u64>,
    /// What else was counted in a call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<Counts>,
    /// Where it stands in a comparison.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// Nanoseconds since 1970 when the work began.
    pub started: u64,
    /// Duration of the work, in ns.
    pub wall_ns: u64,
    /// What the work used of the machine, where the process measured it itself.
    #[serde(flatten)]
    pub usage: Option<Usage>,
}

/// Where the time of a call goes, by function of the guest: what a sampler found in one process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Functions {
    /// Name of the workload.
    pub workload: String,
    /// The call.
    pub call: String,
    /// How often it was made.
    pub calls: u64,
    /// What the calls took together, in ns.
    pub ns: u64,
    /// Samples in all.
    pub samples: u64,
    /// Samples by the name of the function, or its index.
    pub functions: BTreeMap<String, u64>,
    /// Instructions of one call by function; none where nobody counted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub instructions: BTreeMap<String, u64>,
    /// Names that stacks are made of; none where nobody asked for stacks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub frames: Vec<String>,
    /// Samples by stack.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stacks: Vec<Stack>,
}

/// Functions that called each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stack {
    /// Places in [`Functions::frames`], the outermost function first.
    pub frames: Vec<u32>,
    /// Samples in which it was found.
    pub samples: u64,
}

impl Functions {
    /// The same with other names for functions; what gets one name is one function.
    pub fn renamed(self, name: impl Fn(String) -> String) -> Self {
        let rename = |functions: BTreeMap<String, u64>| {
            let mut renamed = BTreeMap::new();
            for (function, count) in functions {
                *renamed.entry(name(function)).or_insert(0) += count;
            }
            renamed
        };
        Self {
            functions: rename(self.functions),
            instructions: rename(self.instructions),
            frames: self.frames.into_iter().map(&name).collect(),
            ..self
        }
    }

    /// The stacks by name, with their samples.
    pub fn named(&self) -> impl Iterator<Item = (Vec<&str>, u64)> {
        self.stacks.iter().map(|stack| {
            let names = stack.frames.iter().filter_map(|frame| self.frames.get(*frame as usize));
            (names.map(String::as_str).collect(), stack.samples)
        })
    }
}

/// The numbers of many processes in one line, as a baseline keeps them: the raw samples are gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Numbers {
    /// Whose they are; the process is that of the first.
    #[serde(flatten)]
    pub key: Key,
    /// One for each process, in the unit of the phase.
    pub values: Vec<u64>,
}

/// A run that came to its end: samples without this were cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Processes that ran.
    pub done: u32,
}

/// A run that was cut short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interrupted {
    /// Processes that ran.
    pub done: u32,
    /// Processes that were to run, as far as was known.
    pub total: u32,
}

/// A line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Record {
    /// The head.
    Run {
        /// It.
        run: Header,
    },
    /// Something left out.
    Absent {
        /// It.
        absent: Absent,
    },
    /// A process.
    Ran {
        /// It.
        ran: Ran,
    },
    /// Numbers of a baseline.
    Numbers {
        /// They.
        numbers: Numbers,
    },
    /// Where time goes.
    Functions {
        /// It.
        by_function: Functions,
    },
    /// The end, where it came early.
    Interrupted {
        /// It.
        interrupted: Interrupted,
    },
    /// The end.
    Ended {
        /// It.
        ended: Ended,
    },
    /// A sample.
    Sample(Sample),
}

/// Everything that came of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Run {
    /// How it was made.
    pub header: Option<Header>,
    /// What was left out.
    pub absent: Vec<Absent>,
    /// The processes.
    pub ran: Vec<Ran>,
    /// Their samples.
    pub series: Vec<Series>,
    /// Where time goes in some of the calls.
    pub functions: Vec<Functions>,
    /// Where it was cut short.
    pub interrupted: Option<Interrupted>,
    /// Where it came to its end.
    pub ended: Option<Ended>,
}

impl Run {
    /// Where each process of a comparison has its place, by its number.
    pub fn places(&self) -> HashMap<u32, Place> {
        self.ran.iter().filter_map(|ran| Some((ran.process, ran.place?))).collect()
    }

    /// Adds a line. Samples of one series follow each other.
    pub fn push(&mut self, record: Record) {
        match record {
            Record::Run { run } => self.header = Some(run),
            Record::Absent { absent } => self.absent.push(absent),
            Record::Ran { ran } => self.ran.push(ran),
            Record::Functions { by_function } => self.functions.push(by_function),
            Record::Interrupted { interrupted } => self.interrupted = Some(interrupted),
            Record::Ended { ended } => self.ended = Some(ended),
            Record::Numbers { numbers: Numbers { key, values } } => {
                self.series.extend(values.into_iter().zip(key.process..=u32::MAX).map(
                    |(value, process)| Series {
                        key: Key { process, ..key.clone() },
                        values: vec![value],
                    },
                ));
            }
            Record::Sample(Sample { key, ns, bytes }) => {
                let Some(value) = ns.or(bytes) else { return };
                match self.series.last_mut() {
                    Some(last) if last.key == key => last.values.push(value),
                    _ => self.series.push(Series { key, values: vec![value] }),
                }
            }
        }
    }

    /// Its lines with one sample for each series: the number that stands for it. What is decided and shown
    /// by processes is the same of these.
    pub fn condensed(&self) -> Vec<Record> {
        let header = self.header.clone().map(|run| Record::Run { run });
        let absent = self.absent.iter().cloned().map(|absent| Record::Absent { absent });
        let ran = self.ran.iter().cloned().map(|ran| Record::Ran { ran });
        let samples = self.series.iter().filter_map(|Series { key, values }| {
            let values = vec![stats::process_number(values)?];
            Series { key: key.clone(), values }.samples().next().map(Record::Sample)
        });
        let functions = self.functions.iter().cloned();
        let functions = functions.map(|by_function| Record::Functions { by_function });
        let head = header.into_iter().chain(absent).chain(ran);
        head.chain(samples).chain(functions).chain(self.end()).collect()
    }

    /// Its lines with one number for each process in the place of its samples. Numbers of one thing are
    /// together.
    pub fn numbers(&self) -> Vec<Record> {
        let mut all: Vec<Numbers> = Vec::new();
        let mut at = HashMap::new();
        for Series { key, values } in &self.series {
            let Some(number) = stats::process_number(values) else { continue };
            let key = Key { process: 0, ..key.clone() };
            let at = *at.entry(key.clone()).or_insert_with(|| {
                all.push(Numbers { key, values: Vec::new() });
                all.len() - 1
            });
            all[at].values.push(number);
        }
        let header = self.header.clone().map(|run| Record::Run { run });
        let absent = self.absent.iter().cloned().map(|absent| Record::Absent { absent });
        let numbers = all.into_iter().map(|numbers| Record::Numbers { numbers });
        header.into_iter().chain(absent).chain(numbers).chain(self.end()).collect()
    }

    /// How it ended.
    fn end(&self) -> impl Iterator<Item = Record> {
        let cut = self.interrupted.clone().map(|interrupted| Record::Interrupted { interrupted });
        cut.into_iter().chain(self.ended.map(|ended| Record::Ended { ended }))
    }

    /// Whether the rest of its samples is missing: a run of ours that has no end, as of a file that was cut.
    pub fn is_cut(&self) -> bool {
        self.header.is_some() && self.interrupted.is_none() && self.ended.is_none()
    }

    /// Reads lines that [`write()`] wrote.
    pub fn read(mut lines: impl BufRead) -> Result<Self> {
        let mut run = Self::default();
        let mut line = String::new();
        for number in 1.. {
            line.clear();
            let read = std::io::Read::take(&mut lines, LINE).read_line(&mut line);
            if read.context("cannot read samples")? == 0 {
                break;
            }
            let text = line.trim_end();
            if !text.is_empty() {
                run.push(parse(text).with_context(|| format!("line {number}"))?);
            }
        }
        Ok(run)
    }
}

/// The most that is read of a line, in bytes: a file may have none.
const LINE: u64 = 64 << 20;

/// Reads one line.
pub fn parse(line: &str) -> Result<Record> {
    let what = || format!("not a line of samples: {line:.80}");
    // Of an untagged enum serde says only that no variant fits.
    let record = serde_json::from_str(line).map_err(|any| mistake(line).unwrap_or(any));
    let record: Record = record.with_context(what)?;
    if let Record::Sample(Sample { key, .. }) = &record {
        let names = [&key.workload, &key.engine, &key.setting, &key.code_hash];
        for name in names.into_iter().chain(&key.call) {
            ensure!(!name.contains(char::is_control), "a control character in the name {name:?}");
        }
    }
    Ok(record)
}

/// What is wrong with a line, as what it looks like.
fn mistake(line: &str) -> Option<serde_json::Error> {
    use serde_json::{Value, from_value};
    let value: Value = serde_json::from_str(line).ok()?;
    let (name, inner) = value.as_object()?.iter().next()?;
    let inner = inner.clone();
    match &**name {
        "run" => from_value::<Header>(inner).err(),
        "absent" => from_value::<Absent>(inner).err(),
        "ran" => from_value::<Ran>(inner).err(),
        "numbers" => from_value::<Numbers>(inner).err(),
        "by_function" => from_value::<Functions>(inner).err(),
        "interrupted" => from_value::<Interrupted>(inner).err(),
        "ended" => from_value::<Ended>(inner).err(),
        _ => from_value::<Sample>(value).err(),
    }
}

/// Writes one line.
pub fn write(out: &mut impl Write, record: &Record) -> Result<()> {
    serde_json::to_writer(&mut *out, record)?;
    out.write_all(b"\n")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_is_told_as_what_it_is() {
        for (line, part) in [
            (r#"{"workload":"w","phase":"call","ns":1}"#, "missing field `engine`"),
            (r#"{"workload":"w","engine":"e","phase":"calls","ns":1}"#, "calls"),
            (r#"{"workload":"w","engine":"e","phase":"call","ns":-1}"#, "`-1`, expected u64"),
            (r#"{"ended":{"done":"x"}}"#, "\"x\", expected u32"),
            ("[1]", "did not match any variant"),
            ("{", "EOF while parsing"),
        ] {
            let told = format!("{:#}", parse(line).expect_err("a mistake"));
            assert!(told.contains(part), "{told}");
        }
    }

    fn series(phase: Phase, values: &[u64]) -> Series {
        let key = Key {
            workload: "w".into(),
            code_hash: "00ff".into(),
            engine: "lithify".into(),
            setting: "aot".into(),
            phase,
            call: Some("Core_version".into()),
            process: 3,
            output_hash: None,
        };
        Series { key, values: values.to_vec() }
    }

    #[test]
    fn lines_come_back() {
        let absent =
            Absent { what: "wasmi interpreter".into(), reason: "why".into(), failed: true };
        let ran = Ran { process: 3, ..Ran::default() };
        let mut run = Run { absent: vec![absent], ran: vec![ran], ..Run::default() };
        run.series = vec![series(Phase::Call, &[5, 6]), series(Phase::Artifact, &[7])];

        let mut text = Vec::new();
        for absent in &run.absent {
            write(&mut text, &Record::Absent { absent: absent.clone() }).expect("memory");
        }
        for ran in &run.ran {
            write(&mut text, &Record::Ran { ran: ran.clone() }).expect("memory");
        }
        for sample in run.series.iter().flat_map(Series::samples) {
            write(&mut text, &Record::Sample(sample)).expect("memory");
        }
        assert_eq!(Run::read(&text[..]).expect("our own lines"), run);
    }

    #[test]
    fn a_baseline_keeps_one_number_for_each_process() {
        let ended = Some(Ended { done: 3 });
        let mut run = Run { header: Some(Header::default()), ended, ..Run::default() };
        for process in 0..3u32 {
            let mut of_call = series(Phase::Total, &[90, 7 + u64::from(process), 8, 9, 9]);
            of_call.key.process = process;
            run.series.push(of_call);
        }
        let mut text = Vec::new();
        run.numbers().iter().for_each(|record| write(&mut text, record).expect("memory"));
        assert_eq!(text.iter().filter(|byte| **byte == b'\n').count(), 3, "a head, a line, an end");
        let kept = Run::read(&text[..]).expect("our own lines");
        let without_end = text.trim_ascii_end().iter().rposition(|byte| *byte == b'\n');
        let cut = Run::read(&text[..without_end.expect("lines")]).expect("our own lines");
        assert_eq!((kept.is_cut(), cut.is_cut()), (false, true));
        let numbers = |run: &Run| {
            let all = run.series.iter().map(|s| (s.key.process, stats::process_number(&s.values)));
            all.collect::<Vec<_>>()
        };
        assert_eq!(numbers(&kept), numbers(&run));
        assert_eq!(kept.header, run.header);
    }

    #[test]
    fn a_sample_is_one_flat_line() {
        let sample = series(Phase::Call, &[5]).samples().next().expect("one");
        let line = serde_json::to_string(&Record::Sample(sample)).expect("plain data");
        assert_eq!(
            line,
            r#"{"workload":"w","code_hash":"00ff","engine":"lithify","setting":"aot","phase":"call","call":"Core_version","process":3,"output_hash":null,"ns":5}"#
        );
        assert!(Run::read(&b"{\"nonsense\":1}"[..]).is_err());
    }
}
