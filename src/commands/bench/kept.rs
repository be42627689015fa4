//! Samples that were kept: in a file that somebody named, or under the name of a baseline.

use crate::output::{self, Content, Destination};
use anyhow::{Context, Result, bail, ensure};
use lithify_bench::{Run, sample};
use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

/// Behind the name of a baseline, in the folder where it is saved.
const SUFFIX: &str = ".bench.jsonl";
/// How every file of samples begins.
const HEAD: &str = "{\"run\":";

/// A run that was kept.
pub struct Kept {
    /// It.
    pub run: Run,
    /// What it is called.
    pub name: String,
}

impl Kept {
    /// Reads the samples in a file.
    pub fn read(path: &Path) -> Result<Self> {
        Self::missed(path)?;
        let shown = path.display();
        let from: Box<dyn BufRead> = if path.as_os_str() == "-" {
            Box::new(std::io::stdin().lock())
        } else {
            let file = File::open(path).with_context(|| format!("cannot read {shown}"))?;
            Box::new(BufReader::new(file))
        };
        let run = Run::read(from).with_context(|| shown.to_string())?;
        ensure!(!run.series.is_empty(), "there are no samples in {shown}");
        if run.is_cut() {
            output::note(format_args!(
                "the samples in {shown} have no end: the file was cut, or what wrote it was ended"
            ));
        }
        Ok(Self { run, name: shown.to_string().trim_end_matches(SUFFIX).to_owned() })
    }

    /// An error where there is nothing of that name, and it looks like that of a baseline.
    pub fn missed(name: &Path) -> Result<()> {
        let (shown, baseline) = (name.display(), baseline(name));
        let is_name = name.extension().is_none() && name.as_os_str() != "-";
        ensure!(
            !is_name || name.exists() || baseline.exists(),
            "there is no file {shown}, and no baseline {}, which lithify bench --save {shown} makes",
            baseline.display()
        );
        Ok(())
    }

    /// What was kept by that name, where it is the name of a baseline or of a file of samples.
    pub fn find(name: &Path) -> Result<Option<Self>> {
        let baseline = baseline(name);
        if !name.exists() && baseline.exists() {
            return Self::read(&baseline).map(Some);
        }
        let Ok(file) = File::open(name) else { return Ok(None) };
        let mut head = Vec::new();
        let read = file.take(HEAD.len() as u64).read_to_end(&mut head);
        if read.is_ok() && head == HEAD.as_bytes() { Self::read(name).map(Some) } else { Ok(None) }
    }
}

/// The file of a baseline.
fn baseline(name: &Path) -> PathBuf {
    let mut file = name.as_os_str().to_owned();
    file.push(SUFFIX);
    file.into()
}

/// Where the baseline of that name goes.
pub fn place(name: &Path, inputs: &[&Path]) -> Result<Destination> {
    if name.file_name().is_none() {
        bail!(crate::status::Usage(format!("--save: {} is no name", name.display())));
    }
    Destination::open(&baseline(name), Content::Text, inputs)
}

/// Saves a baseline: the numbers of each process without its raw samples, small enough to commit.
pub fn save(run: &Run, to: &Destination) -> Result<()> {
    let mut bytes = Vec::new();
    for record in run.numbers() {
        sample::write(&mut bytes, &record)?;
    }
    to.write(&bytes)
}
