//! `lithify study`: programs by several compilers on several engines, as a file says; and the results of several
//! machines together.

use super::bench::interrupts;
use crate::{
    output::{self, Plain},
    status::{Exit, INTERRUPTED, Usage},
};
use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Subcommand};
use lithify_bench::{
    Stop,
    study::{
        Cell, Record, Results, Study,
        measure::{ensure_machine, measure},
        report::{self, Shown},
        results,
    },
};
use std::{path::PathBuf, sync::atomic::Ordering};

/// Measures what a file says: programs by several compilers on several engines, into a folder.
///
/// A cell is one run of a program, by one compiler and setting, on one engine and mode. What is in the folder
/// already is not measured again, so that a study that was ended goes on where it was; what was absent or failed
/// is tried again, and so is what the study's file now wants in another way. In the end the folder has results.jsonl, results.csv, results.md and study.html.
///
/// LITHIFY names another build of this command to be measured in its place.
#[derive(Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "\
Exit status: 0 done, whatever came of the cells, 1 failed, 2 wrong usage, 130 interrupted.

Examples:
  lithify study workloads/studies/quick.toml -o quick/
  lithify study workloads/studies/quick.toml --list
  lithify study workloads/studies/quick.toml --cell 1 -o quick/
  lithify study workloads/studies/quick.toml --cell quicksort/ten/tinygo-2-leaking/node -o quick/
  lithify study merge first/ second/results.jsonl --study workloads/studies/quick.toml -o both/"
)]
pub struct StudyCommand {
    #[command(subcommand)]
    merge: Option<Part>,
    /// The study's file.
    #[arg(required = true)]
    file: Option<PathBuf>,
    /// The folder of its results, which is made if it is not there.
    #[arg(short, long, value_name = "DIR", required_unless_present = "list")]
    output: Option<PathBuf>,
    /// Measure this cell only, by its name or its number from 1 on, and make no tables: `merge` makes them
    /// when all are there. May be given more than once.
    #[arg(long = "cell", value_name = "CELL")]
    cells: Vec<String>,
    /// Print the names of all cells, one a line, and measure none.
    #[arg(long, conflicts_with_all = ["output", "cells"])]
    list: bool,
}

/// What there is besides measuring.
#[derive(Subcommand)]
enum Part {
    Merge(Merge),
}

/// Joins results of several machines, or makes the tables of one again.
///
/// Inputs are folders of `lithify study`, or files with a record a line. A cell that two machines of the same
/// instruction set measured is refused, and so are times of an emulator.
#[derive(Args)]
#[command(after_help = "\
Examples:
  lithify study merge first/ second/results.jsonl -o both/
  lithify study merge first/ --study workloads/studies/quick.toml -o first/")]
struct Merge {
    /// Folders or files.
    #[arg(required = true)]
    results: Vec<PathBuf>,
    /// The study's file: it has the order of the cells, contrasts, and figures to stand beside.
    #[arg(long, value_name = "FILE")]
    study: Option<PathBuf>,
    /// The folder of all of them together.
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
}

impl StudyCommand {
    /// Runs the command.
    pub fn execute(self) -> Result<()> {
        if let Some(Part::Merge(merge)) = self.merge {
            return merge.execute();
        }
        let study = Study::read(&self.file.context("the parser asks for a file")?)?;
        if self.list {
            return study.cells.iter().try_for_each(|cell| output::line(cell.to_string()));
        }
        let wanted: Vec<&Cell> = match &self.cells[..] {
            [] => study.cells.iter().collect(),
            names => names
                .iter()
                .map(|name| study.cell(name).map_err(|error| Usage(error.to_string()).into()))
                .collect::<Result<_>>()?,
        };
        ensure_machine()?;
        let results = Results::open(&self.output.context("the parser asks for a folder")?)?;
        let is_interrupted = run(&study, &wanted, &results)?;
        if self.cells.is_empty() {
            // The folder may have been another study's before.
            let mut records = results.records()?;
            records.retain(|record| study.cells.contains(&record.cell));
            write(&study.name, &records, Some(&study), &results)?;
        } else {
            let records = wanted.iter().filter_map(|cell| results.record(cell).transpose());
            let said = report::sentence(&records.collect::<Result<Vec<_>>>()?);
            output::line(format_args!("{}: {said}", study.name))?;
        }
        if is_interrupted {
            bail!(Exit(INTERRUPTED));
        }
        Ok(())
    }
}

/// Measures what is not there; says whether it was interrupted.
fn run(study: &Study, cells: &[&Cell], results: &Results) -> Result<bool> {
    let interrupted = interrupts()?;
    let bar = output::bar(cells.len() as u64, "[{bar:20}] {pos}/{len} cells {eta:>4} {wide_msg}");
    for cell in cells {
        bar.set_message(Plain(&cell.to_string()).to_string());
        if results.done(study, cell)?.is_none() {
            match measure(study, cell, &interrupted) {
                Err(error) if error.is::<Stop>() => break,
                record => results.keep(&record?)?,
            }
        }
        bar.inc(1);
    }
    let done = bar.position();
    bar.finish_and_clear();
    let is_interrupted = interrupted.load(Ordering::Relaxed);
    if is_interrupted {
        output::note(format_args!(
            "interrupted after {done} of {} cells; the same command measures the others",
            cells.len()
        ));
    }
    Ok(is_interrupted)
}

impl Merge {
    fn execute(self) -> Result<()> {
        let study = self.study.as_deref().map(Study::read).transpose()?;
        let parts = self.results.iter().map(|path| {
            let records = results::records(path)?;
            ensure!(!records.is_empty(), "there are no results in {}", path.display());
            Ok((path.display().to_string(), records))
        });
        let records = results::merge(parts.collect::<Result<_>>()?)?;
        let results = Results::open(&self.output)?;
        records.iter().try_for_each(|record| results.keep(record))?;
        let first = records.first().map(|record| record.study.clone()).unwrap_or_default();
        write(&first, &records, study.as_ref(), &results)
    }
}

/// Writes all that is made of records, and says in one line what came of them.
fn write(name: &str, records: &[Record], study: Option<&Study>, results: &Results) -> Result<()> {
    let shown = study.map(Shown::from).unwrap_or_default();
    let records = match study {
        Some(study) => study.in_order(records),
        None => records.to_vec(),
    };
    let mut lines = Vec::new();
    for record in &records {
        serde_json::to_writer(&mut lines, record)?;
        lines.push(b'\n');
    }
    results.write("results.jsonl", &lines)?;
    results.write("results.csv", report::csv(&records).as_bytes())?;
    results.write("results.md", report::markdown(name, &records, &shown).as_bytes())?;
    let page = report::page(name, &records, &shown);
    let page = results.write("study.html", page.as_bytes())?;
    let said = report::sentence(&records);
    output::line(format_args!("{name}: {said}; the page is {}", page.display()))
}
