//! Reads a study's file: which programs, by which compilers, on which engines, how often and how long. Its keys
//! are in `workloads/studies/README.md`.

use super::contrast::Contrast;
use super::engine::Engine;
use super::originals::Originals;
use super::record::Record;
use crate::program::{Compiler, Program, Programs, Run};
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A study, with all that it names.
#[derive(Debug)]
pub struct Study {
    /// Its name.
    pub name: String,
    /// One sentence.
    pub about: String,
    /// How often each cell's program is run for its times.
    pub executions: u32,
    /// Figures of another study to show beside ours.
    pub originals: Originals,
    /// What is set against each other.
    pub contrasts: Vec<Contrast>,
    /// All programs and compilers.
    pub programs: Programs,
    /// What is measured.
    pub cells: Vec<Cell>,
    /// How long each of them may take, all its executions together.
    limits: Vec<Duration>,
}

/// A run of a program, built by one compiler with one setting, on one engine in one mode.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Cell {
    /// The program's name.
    pub program: String,
    /// The name of its run.
    pub run: String,
    /// The name of the compiler with its setting.
    pub compiler: String,
    /// The name of the engine with its mode.
    pub engine: String,
}

/// The name of a cell: its parts between slashes.
impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { program, run, compiler, engine } = self;
        f.pad(&format!("{program}/{run}/{compiler}/{engine}"))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    name: String,
    about: String,
    executions: u32,
    limit_s: f64,
    programs: String,
    originals: Option<String>,
    engines: Vec<String>,
    #[serde(rename = "select")]
    selections: Vec<Selection>,
    #[serde(rename = "contrast", default)]
    contrasts: Vec<Contrast>,
}

/// A part of the matrix.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Selection {
    program: String,
    /// All of the program's by default.
    runs: Option<Vec<String>>,
    /// All of the program's by default.
    compilers: Option<Vec<String>>,
    /// Those of the study by default.
    engines: Option<Vec<String>>,
    /// That of the study by default.
    limit_s: Option<f64>,
}

impl Study {
    /// Reads the file, and all manifests that it names; paths in it count from its folder.
    pub fn read(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::parse(&text, folder).with_context(|| name)
    }

    fn parse(text: &str, folder: &Path) -> Result<Self> {
        let file: File = crate::manifest::parse(text)?;
        ensure!(file.executions > 0, "executions is 0, but a cell is run once at least");
        let limit = limit(file.limit_s)?;
        let originals = file.originals.map(|name| Originals::read(&folder.join(name)));
        let mut study = Self {
            name: file.name,
            about: file.about,
            executions: file.executions,
            originals: originals.transpose()?.unwrap_or_default(),
            contrasts: file.contrasts,
            programs: Programs::read(&below(folder, &file.programs)?)?,
            cells: Vec::new(),
            limits: Vec::new(),
        };
        for selection in &file.selections {
            let cells = study.of_selection(selection, &file.engines);
            let context = || format!("program {}", selection.program);
            let limit = selection.limit_s.map_or(Ok(limit), self::limit).with_context(context)?;
            study.cells.extend(cells.with_context(context)?);
            study.limits.resize(study.cells.len(), limit);
        }
        ensure!(!study.cells.is_empty(), "it selects nothing");
        let mut sorted: Vec<&Cell> = study.cells.iter().collect();
        sorted.sort();
        let twice = sorted.windows(2).find(|pair| pair[0] == pair[1]);
        ensure!(
            twice.is_none(),
            "it has {} twice",
            twice.map_or(String::new(), |pair| pair[0].to_string())
        );
        Ok(study)
    }

    /// The cells that a selection means: builds for this machine on `native`, modules on all others.
    fn of_selection(&self, selection: &Selection, engines: &[String]) -> Result<Vec<Cell>> {
        let program = self.program(&selection.program)?;
        let compilers = selection.compilers.as_ref().unwrap_or(&program.compilers);
        let engines = selection.engines.as_deref().unwrap_or(engines);
        for engine in engines {
            ensure!(
                Engine::named(engine).is_some(),
                "there is no engine {engine}; `lithify engines` lists them"
            );
        }
        let runs = |run: &&Run| match &selection.runs {
            // A function that is called by name has no command but ours.
            None => run.invoke.is_none(),
            Some(names) => names.contains(&run.name),
        };
        for name in selection.runs.iter().flatten() {
            ensure!(program.runs.iter().any(|run| run.name == *name), "it has no run {name}");
        }
        let mut cells = Vec::new();
        for run in program.runs.iter().filter(runs) {
            let name = &run.name;
            ensure!(
                run.invoke.is_none(),
                "run {name} calls a function, and programs alone are measured"
            );
            for compiler in compilers {
                let of_program = program.compilers.contains(compiler);
                ensure!(of_program, "no compiler {compiler} builds it");
                let compiler = self.compiler(compiler)?;
                if !program.runs_of(compiler).any(|other| other.name == run.name) {
                    continue;
                }
                let fits = |engine: &&String| (*engine == "native") == compiler.is_native();
                cells.extend(engines.iter().filter(fits).map(|engine| Cell {
                    program: program.name.clone(),
                    run: run.name.clone(),
                    compiler: compiler.name.clone(),
                    engine: engine.clone(),
                }));
            }
        }
        Ok(cells)
    }

    /// How long a cell of the study may take, all its executions together.
    pub(super) fn limit(&self, cell: &Cell) -> Result<Duration> {
        let mut known = self.cells.iter().zip(&self.limits);
        let found = known.find(|(known, _)| *known == cell);
        Ok(*found.with_context(|| format!("there is no cell {cell}"))?.1)
    }

    /// A program of the study's folder.
    pub(super) fn program(&self, name: &str) -> Result<&Program> {
        self.programs.program(name).with_context(|| format!("there is no program {name}"))
    }

    /// A compiler of the study's folder.
    pub(super) fn compiler(&self, name: &str) -> Result<&Compiler> {
        self.programs.compiler(name).with_context(|| format!("there is no compiler {name}"))
    }

    /// Records in the order of the study's cells; what is of no cell of it comes last.
    pub fn in_order(&self, records: &[Record]) -> Vec<Record> {
        let place = |record: &Record| {
            let at = self.cells.iter().position(|cell| *cell == record.cell);
            at.unwrap_or(self.cells.len())
        };
        let mut ordered = records.to_vec();
        ordered.sort_by_cached_key(|record| (record.machine.arch.clone(), place(record)));
        ordered
    }

    /// The cell that somebody names: by its name, or by its number from 1 on.
    pub fn cell(&self, name: &str) -> Result<&Cell> {
        let by_number = name.parse::<usize>().ok().and_then(|n| self.cells.get(n.checked_sub(1)?));
        let found = by_number.or_else(|| self.cells.iter().find(|cell| cell.to_string() == name));
        let (study, last) = (&self.name, self.cells.len());
        found.with_context(|| {
            format!("{study} has no cell {name}; it has 1 to {last}, and `--list` has their names")
        })
    }
}

/// The longest that a cell may be given.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// A time that something may take.
fn limit(seconds: f64) -> Result<Duration> {
    let limit = Duration::try_from_secs_f64(seconds).ok();
    let limit = limit.filter(|limit| !limit.is_zero() && *limit <= LONGEST);
    limit.with_context(|| format!("limit-s is {seconds}, and not a time of up to a year"))
}

/// A folder by its path from another one, without steps up: they would stand in messages and records.
fn below(folder: &Path, path: &str) -> Result<PathBuf> {
    let (mut folder, mut rest) = (folder.to_owned(), Path::new(path));
    while let Ok(behind) = rest.strip_prefix("..") {
        let is_named = folder.file_name().is_some() && folder.pop();
        if !is_named {
            let whole = folder.join(rest);
            return fs::canonicalize(&whole)
                .with_context(|| format!("cannot read {}", whole.display()));
        }
        rest = behind;
    }
    Ok(folder.join(rest))
}
