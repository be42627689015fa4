//! Counts the instructions of a call, under callgrind: a worker that makes it twice against one that makes
//! it twelve times, a short one more often, so that neither the process around it nor the first call is in
//! the figure.

use super::Runner;
use crate::callgrind::{ARGUMENTS, Counted, Place};
use crate::engine::Kind;
use crate::frames::Frames;
use crate::functions::HOST;
use crate::sample::Functions;
use crate::worker::Task;
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// How often a call is made by the worker that makes it less often.
const FEW: u32 = 2;
/// How much more often by the other.
const MORE: u32 = 10;
/// And of a call of which a process takes so many samples or more, since what a process does now and then
/// would be much of it.
const MORE_OF_SHORT: u32 = 200;
const SHORT: u32 = 40;

/// Whether there is a valgrind.
///
/// # Errors
///
/// Where there is none.
pub fn valgrind() -> Result<()> {
    let version = Command::new("valgrind").arg("--version").stdout(Stdio::null()).status();
    let is_there = version.is_ok_and(|status| status.success());
    ensure!(is_there, "instructions are counted by valgrind, which is not installed");
    Ok(())
}

/// What is counted: a call of a stored workload.
pub struct Counting {
    /// Name of the workload.
    pub name: String,
    /// Its file.
    pub workload: PathBuf,
    /// The name of the call.
    pub label: String,
    /// Its index.
    pub call: usize,
    /// The artifact.
    pub artifact: PathBuf,
    /// How many samples of it a process takes.
    pub samples: u32,
}

impl Runner<'_> {
    /// The instructions of one call, by function.
    pub fn instructions(
        &mut self,
        worker: &[OsString],
        kind: &Kind,
        what: &Counting,
    ) -> Result<Functions> {
        let more = if what.samples >= SHORT { MORE_OF_SHORT } else { MORE };
        let [few, many] = [FEW, FEW + more].map(|calls| self.counted(worker, kind, what, calls));
        let ((few_total, few), (many_total, many)) = (few?, many?);
        let per_call = |few: u64, many: u64| many.saturating_sub(few) / u64::from(more);
        let mut instructions: BTreeMap<String, u64> = BTreeMap::new();
        for (name, many) in many {
            let few = few.get(&name).copied().unwrap_or(0);
            let count = per_call(few, many);
            if count > 0 {
                instructions.insert(name, count);
            }
        }
        let guest: u64 = instructions.values().sum();
        let host = per_call(few_total, many_total).saturating_sub(guest);
        instructions.insert(HOST.to_owned(), host);
        let (workload, call) = (what.name.clone(), what.label.clone());
        Ok(Functions { workload, call, instructions, ..Functions::default() })
    }

    /// All instructions of a worker that makes so many calls, and those of each of the guest's functions.
    fn counted(
        &mut self,
        worker: &[OsString],
        kind: &Kind,
        what: &Counting,
        calls: u32,
    ) -> Result<(u64, BTreeMap<String, u64>)> {
        let [counts, places] = ["counts", "places"].map(|name| self.folder.join(name));
        let (workload, artifact) = (what.workload.clone(), what.artifact.clone());
        let task =
            Task::Repeat { workload, call: what.call, artifact, calls, places: places.clone() };
        let file = format!("--callgrind-out-file={}", counts.display());
        let valgrind = ["valgrind", &file].into_iter().chain(ARGUMENTS.iter().copied());
        let valgrind = valgrind.map(OsString::from).chain(worker.iter().cloned());
        self.work_by(&valgrind.collect::<Vec<_>>(), kind, task)?;
        let read = |path: &Path| {
            let text = fs::read_to_string(path);
            text.with_context(|| format!("cannot read {}", path.display()))
        };
        let (counted, places) = (Counted::parse(&read(&counts)?)?, read_places(&read(&places)?)?);
        // What is no image tells no inlined functions.
        let frames = Frames::of_artifact(&what.artifact).ok().flatten();
        let inlined = |address: u64| {
            let (first, _) = places.first()?;
            frames.as_ref()?.after_first(address - first.start).into_iter().next()
        };
        Ok((counted.total, counted.by_function(&places, inlined)))
    }
}

/// Writes where functions are, for `read_places`.
pub fn write_places(path: &Path, places: &[Place]) -> Result<()> {
    let text = serde_json::to_string(places)?;
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn read_places(text: &str) -> Result<Vec<Place>> {
    serde_json::from_str(text).context("where functions are")
}
