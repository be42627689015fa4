//! The forms in which results leave: one table of them, so that whoever prints knows none by name.

use super::table::partial;
use super::{Report, comparison, csv, markdown, summary, table, trackers};
use crate::comparison::Compared;
use crate::phase::Phase;
use anyhow::Result;
use serde_json::json;

/// What there is to print.
#[derive(Clone, Copy, Debug)]
pub struct Results<'r> {
    /// Engines against engines.
    pub report: &'r Report,
    /// Side against side, where two were compared.
    pub compared: Option<&'r Compared>,
}

/// A form of results.
pub trait Exporter: Sync {
    /// Its name on the command line.
    fn name(&self) -> &'static str;

    /// What it is for, in half a sentence.
    fn about(&self) -> &'static str;

    /// The results in that form, without the last line's end.
    fn export(&self, results: Results<'_>) -> Result<String>;

    /// Lines that stand once where several results come behind each other.
    fn heading(&self) -> usize {
        0
    }

    /// Whether it is data for a program, in JSON.
    fn is_json(&self) -> bool {
        false
    }
}

/// All of them, the usual one first.
pub const EXPORTERS: &[&dyn Exporter] =
    &[&Text, &Tables, &Markdown, &Csv, &Json, &trackers::ActionBenchmark, &trackers::Bencher];

/// The one of that name.
pub fn exporter(name: &str) -> Option<&'static dyn Exporter> {
    EXPORTERS.iter().copied().find(|exporter| exporter.name() == name)
}

struct Text;

impl Exporter for Text {
    fn name(&self) -> &'static str {
        "text"
    }

    fn about(&self) -> &'static str {
        "for a terminal"
    }

    fn export(&self, results: Results<'_>) -> Result<String> {
        let Some(compared) = results.compared else {
            return Ok(summary::text(results.report).trim_end().to_owned());
        };
        let text = comparison::text(compared);
        let partial = partial(results.report).map_or_else(String::new, |line| format!("\n{line}"));
        Ok(format!("{}{partial}", text.trim_end()))
    }
}

struct Tables;

impl Exporter for Tables {
    fn name(&self) -> &'static str {
        "tables"
    }

    fn about(&self) -> &'static str {
        "for a wide terminal: every engine and phase, with a legend"
    }

    fn export(&self, results: Results<'_>) -> Result<String> {
        let legend = legend();
        Ok(format!("{}\n{legend}", table(results.report)).trim_end().to_owned())
    }
}

/// What the columns are.
fn legend() -> String {
    let line = |phase: &Phase| format!("{:<14}{}\n", phase.name(), phase.about());
    Phase::MODULE.iter().chain(Phase::CALL).map(line).collect()
}

struct Markdown;

impl Exporter for Markdown {
    fn name(&self) -> &'static str {
        "markdown"
    }

    fn about(&self) -> &'static str {
        "for a pull request; of a comparison what changed first, the rest folded"
    }

    fn export(&self, results: Results<'_>) -> Result<String> {
        let Some(compared) = results.compared else { return Ok(markdown(results.report)) };
        let partial = partial(results.report).map_or_else(String::new, |l| format!("**{l}**\n\n"));
        Ok(partial + &comparison::markdown(compared))
    }
}

struct Csv;

impl Exporter for Csv {
    fn name(&self) -> &'static str {
        "csv"
    }

    fn about(&self) -> &'static str {
        "a line for each figure, as a spreadsheet reads it"
    }

    fn heading(&self) -> usize {
        1
    }

    fn export(&self, results: Results<'_>) -> Result<String> {
        let text = results.compared.map_or_else(|| csv(results.report), comparison::csv);
        Ok(text.trim_end().to_owned())
    }
}

struct Json;

impl Exporter for Json {
    fn name(&self) -> &'static str {
        "json"
    }

    fn about(&self) -> &'static str {
        "one object, described in docs/json.md"
    }

    fn export(&self, results: Results<'_>) -> Result<String> {
        Ok(match results.compared {
            Some(compared) => object(results.report, compared).to_string(),
            None => serde_json::to_string(results.report)?,
        })
    }

    fn is_json(&self) -> bool {
        true
    }
}

/// What is left of logarithms.
fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// A comparison as one object. A name means one thing: the unit is in the names of figures.
fn object(report: &Report, compared: &Compared) -> serde_json::Value {
    let rows = compared.rows.iter().map(|row| {
        let unit = row.phase.unit().name();
        json!({
            "call": row.call,
            "phase": row.phase,
            "verdict": row.verdict,
            format!("base_{unit}"): tenths(row.base),
            format!("new_{unit}"): tenths(row.new),
            "ratio": row.ratio.ratio,
            "ratio_low": row.ratio.low,
            "ratio_high": row.ratio.high,
            "processes": row.ratio.processes,
            "p_value": row.p_value,
            "confirmed": row.confirmed,
            "floor": row.floor,
            "functions": row.functions.iter().map(|function| json!({
                "name": function.name,
                "base_ns": tenths(function.base_ns),
                "new_ns": tenths(function.new_ns),
                "base_instructions": function.instructions.map(|[base, _]| base),
                "new_instructions": function.instructions.map(|[_, new]| new),
            })).collect::<Vec<_>>(),
        })
    });
    let exact = compared.exact.iter().map(|exact| {
        let unit = exact.unit();
        json!({
            "call": exact.call,
            "what": exact.what,
            "verdict": exact.verdict,
            format!("base_{unit}"): exact.base,
            format!("new_{unit}"): exact.new,
        })
    });
    let header = report.header.as_ref();
    json!({
        "base_name": compared.comparison.base,
        "new_name": compared.comparison.new,
        "sides": compared.comparison.of,
        "links": compared.comparison.links,
        "seed": header.map(|header| header.seed),
        "machine": header.map(|header| &header.machine),
        "rows": rows.collect::<Vec<_>>(),
        "exact": exact.collect::<Vec<_>>(),
        "broken": compared.broken,
        "absent": compared.absent,
        "reference_ratio": compared.reference,
        "interrupted": report.interrupted,
        "is_cut": report.is_cut,
    })
}
