//! The figures of a report as lines of a spreadsheet.

use super::Report;

/// A heading, and a line for each figure: the quantile over processes that the table shows.
pub fn csv(report: &Report) -> String {
    let mut text =
        String::from("workload,code_hash,call,engine,setting,phase,value,unit,processes\n");
    for workload in &report.workloads {
        let calls = workload.calls.iter().map(|(call, section)| (&**call, section));
        for (call, section) in std::iter::once(("", &workload.module)).chain(calls) {
            for row in &section.rows {
                for (phase, value) in &row.figures {
                    let unit = phase.unit().name();
                    let (name, call) = (quoted(&workload.name), quoted(call));
                    let (hash, engine) = (&workload.code_hash, &row.engine);
                    text += &format!(
                        "{name},{hash},{call},{},{},{phase},{value:.1},{unit},{}\n",
                        engine.engine, engine.setting, row.processes
                    );
                }
            }
        }
    }
    text
}

/// A text that may have commas, quotes and lines in it, and begin as what spreadsheets take for a formula.
pub(crate) fn quoted(field: &str) -> String {
    if field.starts_with(['=', '+', '-', '@']) {
        return quoted(&format!("'{field}"));
    }
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}
