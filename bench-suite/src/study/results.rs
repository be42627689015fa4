//! The folder of a study's results: a file for each cell, and what is made of all of them together.
//!
//! ```text
//! DIR/cells/PROGRAM.RUN.COMPILER.ENGINE.json    a record, whole or not there
//! DIR/results.jsonl results.csv results.md study.html
//! ```

use super::file::{Cell, Study};
use super::record::{Outcome, Record};
use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The records of cells, and where they are kept.
pub struct Results {
    dir: PathBuf,
}

impl Results {
    /// The results in `dir`, which is made if it is not there.
    pub fn open(dir: &Path) -> Result<Self> {
        let cells = dir.join("cells");
        fs::create_dir_all(&cells).with_context(|| format!("cannot make {}", cells.display()))?;
        Ok(Self { dir: dir.to_owned() })
    }

    fn path(&self, cell: &Cell) -> PathBuf {
        let Cell { program, run, compiler, engine } = cell;
        // What is no letter or digit may mean something to a file system.
        let plain = |text: &str| -> String {
            let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
            text.chars().map(|c| if is_plain(c) { c } else { '_' }).collect()
        };
        let name = [program, run, compiler, engine].map(|part| plain(part)).join(".");
        self.dir.join("cells").join(name + ".json")
    }

    /// Keeps a record: whole, or not at all.
    pub fn keep(&self, record: &Record) -> Result<()> {
        let path = self.path(&record.cell);
        let context = || format!("cannot write {}", path.display());
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        let mut file = tempfile::Builder::new()
            .prefix(".cell-")
            .tempfile_in(self.dir.join("cells"))
            .with_context(context)?;
        file.write_all(&line).and_then(|()| file.flush()).with_context(context)?;
        file.persist(&path).with_context(context)?;
        Ok(())
    }

    /// The record of a cell, if there is one.
    pub fn record(&self, cell: &Cell) -> Result<Option<Record>> {
        let path = self.path(cell);
        if !path.exists() {
            return Ok(None);
        }
        let again = "remove the file to have its cell measured again";
        match read(&path).context(again)?.pop().filter(|record| record.cell == *cell) {
            None => bail!("{} holds no record of its cell; {again}", path.display()),
            found => Ok(found),
        }
    }

    /// The same, if it is of this study and the program that is there now, with as many executions as the
    /// study wants. What was absent or failed is tried again: the engine may be another one by now.
    pub fn done(&self, study: &Study, cell: &Cell) -> Result<Option<Record>> {
        let Some(record) = self.record(cell)? else { return Ok(None) };
        let program = study.program(&cell.program)?.built(study.compiler(&cell.compiler)?);
        let hash = program.and_then(|path| Ok(blake3::hash(&fs::read(path)?).to_hex().to_string()));
        let is_same = hash.is_ok_and(|hash| hash == record.program_hash);
        let is_wanted = match &record.outcome {
            Outcome::Absent { .. } | Outcome::Failed { .. } => false,
            Outcome::Late { .. } => true,
            Outcome::Measured(measured) => {
                measured.is_cut || measured.executions.len() == study.executions as usize
            }
        };
        Ok((is_same && is_wanted && record.study == study.name).then_some(record))
    }

    /// All records in the folder, by the names of their files.
    pub fn records(&self) -> Result<Vec<Record>> {
        records(&self.dir)
    }

    /// Writes a file of results, whole or not at all.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<PathBuf> {
        let path = self.dir.join(name);
        let context = || format!("cannot write {}", path.display());
        let mut file = tempfile::NamedTempFile::new_in(&self.dir).with_context(context)?;
        file.write_all(bytes).and_then(|()| file.flush()).with_context(context)?;
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        fs::set_permissions(file.path(), mode).with_context(context)?;
        file.persist(&path).with_context(context)?;
        Ok(path)
    }
}

/// The records of a folder of results, or of a file with one a line.
pub fn records(path: &Path) -> Result<Vec<Record>> {
    if !path.is_dir() {
        return read(path);
    }
    let cells = path.join("cells");
    let entries = fs::read_dir(&cells).with_context(|| {
        format!("cannot read {}; give the folder of a study's results", cells.display())
    })?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.with_context(|| format!("cannot read {}", cells.display()))?.path();
        files.extend(path.extension().is_some_and(|e| e == "json").then_some(path));
    }
    files.sort();
    let mut records = Vec::new();
    for file in files {
        records.extend(read(&file)?);
    }
    Ok(records)
}

fn read(path: &Path) -> Result<Vec<Record>> {
    let name = path.display().to_string();
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let record = |(n, line): (usize, &str)| {
        let record: Record =
            serde_json::from_str(line).with_context(|| format!("{name}, line {}", n + 1))?;
        let is_empty = record.measured().is_some_and(|measured| measured.executions.is_empty());
        ensure!(!is_empty, "{name}, line {}: it was measured, and has no execution", n + 1);
        Ok(record)
    };
    lines.map(record).collect()
}

/// Joins the records of several folders or files, named by who reads them, in the order of their cells.
///
/// A cell has one record for each instruction set. One that was measured wins over one that was not, the same
/// record may come twice, and two measurements of one cell are refused: which is right is nothing to guess. So
/// are times of an emulator.
pub fn merge(parts: Vec<(String, Vec<Record>)>) -> Result<Vec<Record>> {
    let mut joined: BTreeMap<(Cell, String), (String, Record)> = BTreeMap::new();
    for (name, records) in parts {
        for record in records {
            let cell = &record.cell;
            ensure!(
                !record.emulated || record.measured().is_none(),
                "{name}: {cell} was measured under an emulator, whose times are none of a machine's; \
                 leave it out"
            );
            let key = (cell.clone(), record.machine.arch.clone());
            let Some((other, known)) = joined.get(&key) else {
                joined.insert(key, (name.clone(), record));
                continue;
            };
            match (known.measured().is_some(), record.measured().is_some()) {
                _ if *known == record => {}
                (true, true) => bail!(
                    "{other} and {name} both have {cell} on {}; leave one of them out",
                    record.machine.arch
                ),
                (true, false) => {}
                (false, _) => {
                    joined.insert(key, (name.clone(), record));
                }
            }
        }
    }
    Ok(joined.into_values().map(|(_, record)| record).collect())
}
