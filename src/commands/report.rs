//! `lithify report`: samples that were kept, as a page for people who were not there.

use super::bench::{Format, Kept};
use crate::output::{self, Content, Destination};
use anyhow::{Context, Result};
use clap::Args;
use lithify_bench::report::html::{Shown, page};
use std::path::{Path, PathBuf};

/// Makes a page of samples: the result in a sentence, tables, plots, conditions and data.
///
/// The page is one file that fetches nothing and runs no script. Samples are what `bench --samples` and
/// `compare --samples` kept; runs of several machines stand below each other.
#[derive(Args)]
#[command(after_help = "\
Examples:
  lithify report samples.jsonl -o report.html
  lithify report samples.jsonl --format markdown")]
pub struct Report {
    /// Files of samples, or names of baselines; `-` is standard input.
    #[arg(required = true)]
    samples: Vec<PathBuf>,
    /// Where the page goes.
    #[arg(short, long, value_name = "FILE", default_value = "report.html")]
    output: PathBuf,
    /// Print the results in this form, and make no page.
    #[arg(long, value_name = "FORMAT", value_parser = Format::parser(), conflicts_with = "output")]
    format: Option<Format>,
}

impl Report {
    /// Runs the command.
    pub fn execute(self) -> Result<()> {
        let inputs: Vec<&Path> = self.samples.iter().map(PathBuf::as_path).collect();
        let to = match self.format {
            None => Some(Destination::open(&self.output, Content::Text, &inputs)?),
            Some(_) => None,
        };
        let kept = self.samples.iter().map(|path| match Kept::find(path)? {
            Some(Kept { run, name }) => Ok(Shown { name, run }),
            None => Kept::read(path).map(|Kept { run, name }| Shown { name, run }),
        });
        let runs: Vec<Shown> = kept.collect::<Result<_>>()?;
        let Some(to) = to else {
            let format = self.format.context("a form is asked for where no page is")?;
            return format.print_runs(runs.iter().map(|shown| &shown.run));
        };
        to.write(page(&runs)?.as_bytes())?;
        if to.is_stdout() {
            return Ok(());
        }
        output::line(format_args!("the report is in {}", to.name().display()))
    }
}
