//! Engines in programs of others: what they are told, and what they say. The protocol is
//! `bench-suite/WORKERS.md`'s.
//!
//! A program gets a job as one JSON object on standard input and prints lines of JSON; whose samples they
//! are it need not know, so this file adds that.

use super::{Options, Runner};
use crate::engine::{Heap, Id, Kind, PROBE, Start, own_memory};
use crate::phase::{Phase, Unit};
use crate::sample::{Key, Ran, Record, Sample};
use crate::worker::Task;
use crate::workload::{Call, Workload, hex};
use anyhow::{Context, Result, anyhow, bail, ensure};
use lithify_measure::wall::ns;
use lithify_polkadot::state::Pairs;
use lithify_polkadot::{StateVersion, parse_hex};
use serde::Deserialize;
use serde_json::{Value, json};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

/// The version of the protocol.
const PROTOCOL: u32 = 1;
/// The setting of every engine of this kind.
const SETTING: &str = "worker";

/// A program that is an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The engine, by the name of its file.
    pub id: Id,
    /// It.
    pub path: PathBuf,
}

impl Program {
    /// The program at `path`.
    ///
    /// # Errors
    ///
    /// Where there is none.
    pub fn at(path: &Path) -> Result<Self> {
        let found = path.canonicalize();
        let path = found.with_context(|| format!("cannot find the worker {}", path.display()))?;
        let name = path.file_stem().context("a worker without a name")?;
        let engine = name.to_string_lossy().into_owned();
        Ok(Self { id: Id { engine, setting: SETTING.into() }, path })
    }
}

/// The engine of that name, among the programs of the options or our own.
pub fn kind(options: &Options, id: &Id) -> Result<&'static Kind> {
    let Some(program) = options.programs.iter().find(|program| program.id == *id) else {
        return Kind::of(id);
    };
    // A run has a few, and needs them to its end.
    let leak = |text: &str| -> &'static str { Box::leak(text.to_owned().into_boxed_str()) };
    Ok(Box::leak(Box::new(Kind {
        engine: leak(&id.engine),
        setting: leak(&id.setting),
        about: "a program of its own",
        start: Start::Artifact,
        every: 1,
        column: leak(&id.engine),
        program: Some(Box::leak(program.path.clone().into_boxed_path())),
        open: |_| Err(anyhow!("it is a program of its own")),
    })))
}

/// What programs are told of a workload that was stored.
#[derive(Default)]
pub struct Told {
    name: String,
    code_hash: String,
    calls: Vec<Call>,
    module: PathBuf,
    state: PathBuf,
    initialize: Option<String>,
}

/// A line that a program prints.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    phase: Option<Phase>,
    ns: Option<u64>,
    bytes: Option<u64>,
    output: Option<String>,
    state_root: Option<String>,
}

/// What a program said.
#[derive(Debug)]
struct Said {
    samples: Vec<Record>,
    /// Where the call left the state, in hex, where the program told.
    state_root: Option<String>,
}

impl Runner<'_> {
    /// Stores a workload for workers, and its module and state for programs of others, where there are any.
    pub(super) fn store(&mut self, index: usize, workload: &Workload) -> Result<()> {
        let stored = self.stored(index);
        workload.save(&stored)?;
        if self.options.programs.is_empty() {
            return Ok(());
        }
        let module = stored.with_extension("wasm");
        fs::write(&module, own_memory(&workload.wasm, Heap::Growing)?)
            .with_context(|| format!("cannot write {}", module.display()))?;
        let state = stored.with_extension("state.json");
        fs::write(&state, serde_json::to_vec(&pairs(workload))?)
            .with_context(|| format!("cannot write {}", state.display()))?;
        let told = Told {
            name: workload.name.clone(),
            code_hash: workload.code_hash_hex(),
            calls: workload.calls.clone(),
            module,
            state,
            initialize: workload.initialize.clone(),
        };
        self.told.insert(stored, told);
        Ok(())
    }

    /// What the program is told to do, and whose the samples are. None for what programs are not asked.
    fn asked(&self, kind: &Kind, task: &Task, process: u32) -> Result<Option<(Value, Key)>> {
        let told =
            |workload: &Path| self.told.get(workload).context("a workload that is not stored");
        let key = |told: &Told, call: Option<String>| Key {
            workload: told.name.clone(),
            code_hash: told.code_hash.clone(),
            engine: kind.engine.into(),
            setting: kind.setting.into(),
            phase: Phase::Total,
            call,
            process,
            output_hash: None,
        };
        Ok(match task {
            Task::Open => {
                let job = json!({ "protocol": PROTOCOL, "task": "open" });
                Some((job, key(&Told::default(), None)))
            }
            Task::Compile { workload, artifact } => {
                let told = told(workload)?;
                let job = json!({
                    "protocol": PROTOCOL,
                    "task": "compile",
                    "module": told.module,
                    "artifact": artifact,
                });
                Some((job, key(told, None)))
            }
            Task::Call { workload, call, artifact, samples, .. } => {
                let told = told(workload)?;
                let call = told.calls.get(*call).context("no such call")?;
                let job = json!({
                    "protocol": PROTOCOL,
                    "task": "call",
                    "module": told.module,
                    "artifact": artifact,
                    "entry": call.entry,
                    "input": format!("0x{}", hex(&call.input)),
                    "state": told.state,
                    "initialize": told.initialize,
                    "samples": samples,
                    "probe": PROBE,
                });
                Some((job, key(told, Some(call.label.clone()))))
            }
            _ => None,
        })
    }

    /// Has a program do a task.
    pub(super) fn foreign(
        &mut self,
        program: &Path,
        kind: &Kind,
        task: &Task,
        process: u32,
    ) -> Result<Vec<Record>> {
        let Some((job, key)) = self.asked(kind, task, process)? else {
            if matches!(task, Task::Repeat { .. }) {
                bail!("{} is a program of its own, whose instructions are not counted", kind.id());
            }
            return Ok(Vec::new());
        };
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let started = Instant::now();
        // A program of others does not bound itself, so all that it does for a task is bounded together.
        let works = match task {
            Task::Call { samples, .. } => 2 * samples + 3,
            _ => 1,
        };
        let limit = self.options.bounds.time.map(|time| time * works);
        let said = self
            .start(&[OsString::from(program)], &serde_json::to_vec(&job)?, limit)
            .and_then(|text| said(&text, &key))
            .with_context(|| format!("the worker {}", program.display()))?;
        let ran = Ran {
            process,
            workload: key.workload.clone(),
            engine: key.engine.clone(),
            setting: key.setting.clone(),
            call: key.call.clone(),
            state_root: said.state_root,
            started: now.map_or(0, ns),
            wall_ns: ns(started.elapsed()),
            ..Ran::default()
        };
        let mut records = match task {
            Task::Open => Vec::new(),
            _ => vec![Record::Ran { ran }],
        };
        records.extend(said.samples);
        if matches!(task, Task::Call { .. }) {
            let is_total = |record: &Record| {
                matches!(record, Record::Sample(sample) if sample.key.phase == Phase::Total
                    && sample.key.output_hash.is_some())
            };
            ensure!(
                records.iter().any(is_total),
                "the worker {} printed no output, or no sample of {}",
                program.display(),
                Phase::Total
            );
        }
        Ok(records)
    }
}

/// The state of a workload as programs read it.
fn pairs(workload: &Workload) -> Value {
    let text = |bytes: &[u8]| format!("0x{}", hex(bytes));
    let object = |pairs: Pairs| -> Value {
        pairs.iter().map(|(key, value)| (text(key), Value::from(text(value)))).collect()
    };
    let (top, children) = workload.state.pairs();
    let children: Value =
        children.into_iter().map(|(name, pairs)| (text(&name), object(pairs))).collect();
    let version = u8::from(workload.state.version() == StateVersion::V1);
    json!({ "version": version, "top": object(top), "children": children })
}

/// The lines of a program as samples of ours.
fn said(text: &str, key: &Key) -> Result<Said> {
    let mut lines = Vec::new();
    let mut output_hash = None;
    let mut state_root = None;
    for text in text.lines().filter(|line| !line.trim().is_empty()) {
        let line: Line = serde_json::from_str(text)
            .with_context(|| format!("prints what is no line of the protocol: {text:.80}"))?;
        if let Some(output) = &line.output {
            let bytes = parse_hex(output).map_err(|why| anyhow!("an output that {why}"))?;
            output_hash = Some(blake3::hash(&bytes).to_hex().to_string());
        }
        if let Some(root) = &line.state_root {
            let bytes = parse_hex(root).map_err(|why| anyhow!("a state root that {why}"))?;
            state_root = Some(hex(&bytes));
        }
        lines.push(line);
    }
    let sample = |line: Line| {
        let phase = line.phase?;
        let (call, output_hash) = match phase.is_of_call() {
            true => (key.call.clone(), output_hash.clone()),
            false => (None, None),
        };
        let key = Key { phase, call, output_hash, ..key.clone() };
        let (ns, bytes) = match phase.unit() {
            Unit::Ns => (line.ns, None),
            Unit::Bytes => (None, line.bytes),
        };
        Some((key, ns, bytes))
    };
    let sample = |line| {
        let (key, ns, bytes) = sample(line)?;
        let is_whole = ns.or(bytes).is_some();
        let phase = key.phase;
        Some(match is_whole {
            true => Ok(Record::Sample(Sample { key, ns, bytes })),
            false => Err(anyhow!("a sample of {phase} without {}", phase.unit().name())),
        })
    };
    let samples = lines.into_iter().filter_map(sample).collect::<Result<_>>()?;
    Ok(Said { samples, state_root })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        Key {
            workload: "w".into(),
            code_hash: String::new(),
            engine: "e".into(),
            setting: SETTING.into(),
            phase: Phase::Total,
            call: Some("c".into()),
            process: 3,
            output_hash: None,
        }
    }

    #[test]
    fn what_a_program_prints_becomes_samples() {
        let text = "{\"phase\":\"total\",\"ns\":7}\n\n{\"phase\":\"artifact\",\"bytes\":9}\n\
                    {\"output\":\"0x00\"}\n{\"state_root\":\"0xABcd\"}\n";
        let told = said(text, &key()).expect("lines of the protocol");
        let [Record::Sample(total), Record::Sample(artifact)] = &told.samples[..] else {
            panic!("{told:?}")
        };
        assert_eq!(told.state_root.as_deref(), Some("abcd"), "as ours write it");
        let hash = blake3::hash(&[0]).to_hex().to_string();
        assert_eq!((total.ns, total.key.output_hash.as_ref()), (Some(7), Some(&hash)));
        assert_eq!((artifact.bytes, artifact.key.call.as_ref()), (Some(9), None));
        for (text, part) in [
            ("no", "no line of the protocol"),
            ("{\"phase\":\"total\",\"bytes\":7}", "a sample of total without ns"),
            ("{\"phase\":\"tea\",\"ns\":7}", "no line of the protocol"),
            ("{\"output\":\"zz\"}", "an output that"),
            ("{\"state_root\":\"0x0\"}", "a state root that"),
        ] {
            let error = said(text, &key()).expect_err("not of the protocol");
            assert!(format!("{error:#}").contains(part), "{text}: {error:#}");
        }
    }
}
