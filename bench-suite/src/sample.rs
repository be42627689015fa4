//! Samples as they are kept: one JSON line each, and in memory the samples of one phase in one
//! process together.
//!
//! ```text
//! {"run": {...}}          how and where it was measured; the first line
//! {"absent": {...}}       an engine or an entry point that was left out, and why
//! {"ran": {...}}          a process: its place in the order, its use of the system
//! {"workload": ...}       a sample
//! ```
//!
//! A report can be redone from these lines alone.

use crate::machine::Machine;
use crate::phase::{Phase, Unit};
use anyhow::{Context, Result};
use lithify_measure::cpu::Usage;
use serde::{Deserialize, Serialize};
use std::io::{BufRead, Write};

/// Whose samples they are.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key {
    /// Name of the workload.
    pub workload: String,
    /// BLAKE2b-256 of the code as stored, in hex.
    pub code_hash: String,
    /// Name of the engine.
    pub engine: String,
    /// Its setting.
    pub setting: String,
    /// The phase.
    pub phase: Phase,
    /// The entry point; none for what happens once per module.
    pub call: Option<String>,
    /// Number of the process, in the order of the run.
    pub process: u32,
    /// BLAKE3 of the output, in hex, for phases that have one.
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
}

/// An engine, or an entry point of a workload, that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Absent {
    /// `wasmtime jit`, or `solochain Metadata_metadata`.
    pub what: String,
    /// Why.
    pub reason: String,
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
    /// Number of host calls in one call.
    pub host_calls: u64,
    /// Nanoseconds since 1970 when the work began.
    pub started: u64,
    /// Duration of the work, in ns.
    pub wall_ns: u64,
    /// What the work used of the machine.
    #[serde(flatten)]
    pub usage: Usage,
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// A sample.
    Sample(Sample),
}

/// Everything that came of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// How it was made.
    pub header: Option<Header>,
    /// What was left out.
    pub absent: Vec<Absent>,
    /// The processes.
    pub ran: Vec<Ran>,
    /// Their samples.
    pub series: Vec<Series>,
}

impl Run {
    /// Adds a line. Samples of one series follow each other.
    pub fn push(&mut self, record: Record) {
        match record {
            Record::Run { run } => self.header = Some(run),
            Record::Absent { absent } => self.absent.push(absent),
            Record::Ran { ran } => self.ran.push(ran),
            Record::Sample(Sample { key, ns, bytes }) => {
                let Some(value) = ns.or(bytes) else { return };
                match self.series.last_mut() {
                    Some(last) if last.key == key => last.values.push(value),
                    _ => self.series.push(Series { key, values: vec![value] }),
                }
            }
        }
    }

    /// Reads lines that [`write()`] wrote.
    pub fn read(lines: impl BufRead) -> Result<Self> {
        let mut run = Self::default();
        for (number, line) in lines.lines().enumerate() {
            let line = line.context("cannot read samples")?;
            if !line.is_empty() {
                run.push(parse(&line).with_context(|| format!("line {}", number + 1))?);
            }
        }
        Ok(run)
    }
}

/// Reads one line.
pub fn parse(line: &str) -> Result<Record> {
    serde_json::from_str(line).with_context(|| format!("not a line of samples: {line:.80}"))
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
        let absent = Absent { what: "wasmi interpreter".into(), reason: "why".into() };
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
