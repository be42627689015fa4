//! Results for services that keep them over time: a number with a name and a range for each row.

use super::export::{Exporter, Results};
use anyhow::Result;
use serde_json::{Map, Value, json};

/// A figure with a name that stays the same from run to run.
struct Figure {
    name: String,
    unit: &'static str,
    value: f64,
    /// The 95 % interval of its ratio to what it was compared with, where it was.
    ratio: Option<[f64; 3]>,
}

/// Of a comparison the new side; else every engine's.
fn figures(results: Results<'_>) -> Vec<Figure> {
    if let Some(compared) = results.compared {
        let row = |row: &crate::comparison::Row| Figure {
            name: row.label(),
            unit: row.phase.unit().name(),
            value: row.new,
            ratio: Some([row.ratio.ratio, row.ratio.low, row.ratio.high]),
        };
        let exact = |exact: &crate::comparison::Exact| Figure {
            name: exact.label(),
            unit: exact.unit(),
            value: exact.new as f64,
            ratio: None,
        };
        let rows = compared.rows.iter().map(row);
        return rows.chain(compared.exact.iter().map(exact)).collect();
    }
    let mut all = Vec::new();
    for workload in &results.report.workloads {
        let calls = workload.calls.iter().map(|(call, section)| (Some(call), section));
        for (call, section) in std::iter::once((None, &workload.module)).chain(calls) {
            for row in &section.rows {
                let call = call.map(|call| format!(" {call}")).unwrap_or_default();
                all.extend(row.figures.iter().map(|(phase, value)| Figure {
                    name: format!("{}{call} {phase} on {}", workload.name, row.engine),
                    unit: phase.unit().name(),
                    value: *value,
                    ratio: None,
                }));
            }
        }
    }
    all
}

/// What `github-action-benchmark` reads as `customSmallerIsBetter`.
pub struct ActionBenchmark;

impl Exporter for ActionBenchmark {
    fn name(&self) -> &'static str {
        "github-action-benchmark"
    }

    fn about(&self) -> &'static str {
        "an array for its tool customSmallerIsBetter"
    }

    fn export(&self, results: Results<'_>) -> Result<String> {
        let entry = |figure: Figure| {
            let mut entry = Map::new();
            entry.insert("name".into(), figure.name.into());
            entry.insert("unit".into(), figure.unit.into());
            entry.insert("value".into(), figure.value.into());
            if let Some([ratio, low, high]) = figure.ratio {
                let of_base =
                    format!("{ratio:.3} of the base, 95 % interval {low:.3} to {high:.3}");
                entry.insert("extra".into(), of_base.into());
            }
            Value::Object(entry)
        };
        Ok(Value::Array(figures(results).into_iter().map(entry).collect()).to_string())
    }

    fn is_json(&self) -> bool {
        true
    }
}

/// Bencher Metric Format.
pub struct Bencher;

impl Exporter for Bencher {
    fn name(&self) -> &'static str {
        "bencher"
    }

    fn about(&self) -> &'static str {
        "Bencher Metric Format: latency in ns, file-size in bytes, count"
    }

    fn export(&self, results: Results<'_>) -> Result<String> {
        let mut all = Map::new();
        for figure in figures(results) {
            let measure = match figure.unit {
                "ns" => "latency",
                "bytes" => "file-size",
                _ => "count",
            };
            let mut metric = json!({ "value": figure.value });
            if let (Some([ratio, low, high]), Some(metric)) = (figure.ratio, metric.as_object_mut())
            {
                metric.insert("lower_value".into(), (figure.value / ratio * low).into());
                metric.insert("upper_value".into(), (figure.value / ratio * high).into());
            }
            all.insert(figure.name, json!({ measure: metric }));
        }
        Ok(Value::Object(all).to_string())
    }

    fn is_json(&self) -> bool {
        true
    }
}
