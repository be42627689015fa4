//! The forms in which results can be asked for.

use crate::output;
use anyhow::Result;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use lithify_bench::{
    Run, comparison, report,
    report::export::{EXPORTERS, Exporter, Results, exporter},
};

/// A form of results.
#[derive(Clone, Copy)]
pub struct Format(&'static dyn Exporter);

impl Format {
    /// The one that `--json` stands for.
    pub const JSON: &'static str = "json";

    /// Reads the name of one.
    pub fn parser() -> impl TypedValueParser<Value = Self> {
        let name =
            |exporter: &&dyn Exporter| PossibleValue::new(exporter.name()).help(exporter.about());
        PossibleValuesParser::new(EXPORTERS.iter().map(name)).map(|name| Self::of(&name))
    }

    /// The one of that name, or the usual one.
    pub fn of(name: &str) -> Self {
        Self(exporter(name).unwrap_or(EXPORTERS[0]))
    }

    /// Prints what came of a run, and of the comparison that it was.
    pub fn print_run(self, run: &Run) -> Result<()> {
        self.print_runs(std::iter::once(run))
    }

    /// Prints the results in the samples of several runs behind each other.
    pub fn print_runs<'r>(self, runs: impl Iterator<Item = &'r Run>) -> Result<()> {
        for (index, run) in runs.enumerate() {
            let (report, compared) = (report(run), comparison::of(run)?);
            let results = Results { report: &report, compared: compared.as_ref() };
            self.print_without(if index == 0 { 0 } else { self.0.heading() }, results)?;
        }
        Ok(())
    }

    /// Prints results.
    pub fn print(self, results: Results<'_>) -> Result<()> {
        self.print_without(0, results)
    }

    fn print_without(self, heading: usize, results: Results<'_>) -> Result<()> {
        let text = self.0.export(results)?;
        if self.0.is_json() {
            return output::json(text);
        }
        let lines: Vec<&str> = text.lines().skip(heading).collect();
        output::text(&lines.join("\n"))
    }
}
