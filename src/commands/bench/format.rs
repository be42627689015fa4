//! The forms in which results can be asked for.

use crate::output;
use anyhow::Result;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use lithify_bench::report::export::{EXPORTERS, Exporter, Results, exporter};

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

    /// Prints results.
    pub fn print(self, results: Results<'_>) -> Result<()> {
        let text = self.0.export(results)?;
        if self.0.is_json() { output::json(text) } else { output::text(&text) }
    }
}
