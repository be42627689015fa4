//! Records as lines of a spreadsheet: a line for each cell, all numbers of it in columns.

use crate::report::quoted;
use crate::stats;
use crate::study::contrast::SEED;
use crate::study::record::{Measured, Record};

/// The columns of three kinds of times.
const TIMES: [&str; 3] = ["real", "user", "system"];
/// The numbers of each.
const NUMBERS: [&str; 5] = ["mean", "deviation", "min", "median", "max"];

/// A heading, and a line for each record. Times are in ns, sizes in bytes; what there is not is empty.
pub fn csv(records: &[Record]) -> String {
    let mut heads: Vec<String> = [
        "study",
        "program",
        "run",
        "language",
        "compiler",
        "engine",
        "mode",
        "version",
        "arch",
        "cpu",
        "outcome",
        "executions",
    ]
    .map(str::to_owned)
    .into();
    heads.extend(TIMES.iter().flat_map(|time| NUMBERS.map(|number| format!("{time}_{number}_ns"))));
    let figures = [
        "figure_low_ns",
        "figure_ns",
        "figure_high_ns",
        "start_median_ns",
        "compile_median_ns",
        "compile_peak_bytes",
        "peak_bytes",
        "program_bytes",
        "gzip_bytes",
        "artifact_bytes",
        "code_bytes",
        "calls_first_thread",
        "calls_all_threads",
        "reason",
    ];
    heads.extend(figures.map(str::to_owned));
    let mut text = heads.join(",") + "\n";
    for record in records {
        let cell = &record.cell;
        let outcome = match record.measured() {
            Some(measured) if measured.is_cut => "cut",
            Some(_) => "measured",
            None => "none",
        };
        let mut fields = vec![
            record.study.clone(),
            cell.program.clone(),
            cell.run.clone(),
            record.language.clone(),
            cell.compiler.clone(),
            cell.engine.clone(),
            record.mode.to_string(),
            record.version.clone().unwrap_or_default(),
            record.machine.arch.clone(),
            record.machine.cpu.clone(),
            outcome.to_owned(),
        ];
        match record.measured() {
            Some(measured) => fields.extend(numbers(measured)),
            None => fields.resize(heads.len() - 1, String::new()),
        }
        fields.push(record.reason().unwrap_or_default().to_owned());
        let fields: Vec<String> = fields.iter().map(|field| quoted(field)).collect();
        text += &(fields.join(",") + "\n");
    }
    text
}

fn numbers(measured: &Measured) -> Vec<String> {
    let mut fields = vec![measured.executions.len().to_string()];
    let whole = |number: f64| format!("{number:.0}");
    for times in [measured.real_ns(), measured.user_ns(), measured.system_ns()] {
        let summary = stats::summary(&times);
        fields.extend(summary.map_or([const { String::new() }; 5], |s| {
            [s.mean, s.deviation, s.min, s.median, s.max].map(whole)
        }));
    }
    let interval = stats::interval(&measured.real_ns(), SEED);
    fields.extend(interval.map_or([const { String::new() }; 3], |interval| interval.map(whole)));
    let median = |numbers: &[f64]| stats::quantile(numbers, 0.5).map(whole);
    let compiles: Vec<f64> = measured.compiles.iter().map(|one| one.real_ns as f64).collect();
    let compile_peak = measured.compiles.iter().map(|one| one.peak_bytes).max();
    let calls = measured.calls.as_ref();
    let count = |number: Option<u64>| number.map(|number| number.to_string());
    let sizes = measured.sizes;
    let rest = [
        median(&measured.start_ns()),
        median(&compiles),
        count(compile_peak),
        count(measured.peak_bytes()),
        count(Some(sizes.program)),
        count(sizes.gzip),
        count(sizes.artifact),
        count(sizes.code),
        count(calls.map(|calls| calls.first_thread.values().sum())),
        count(calls.map(|calls| calls.all_threads.values().sum())),
    ];
    fields.extend(rest.map(Option::unwrap_or_default));
    fields
}
