//! A report as Markdown: for a pull request, or a page.

use super::table::show;
use super::{Report, Row, Section};
use crate::phase::Phase;

/// The whole report: a heading for each workload, a table for the module and each call.
pub fn markdown(report: &Report) -> String {
    let mut blocks = Vec::new();
    for workload in &report.workloads {
        let hash = workload.code_hash.get(..16).unwrap_or(&workload.code_hash);
        blocks.push(format!("### {}, code 0x{hash}…", escape(&workload.name)));
        if !workload.module.rows.is_empty() {
            blocks.push(section("module", &workload.module, Phase::MODULE));
        }
        for (call, of_call) in &workload.calls {
            blocks.push(section(call, of_call, Phase::CALL));
        }
    }
    blocks.extend(super::table::partial(report).map(|partial| format!("**{partial}**")));
    let absent = report.absent.iter();
    blocks.extend(absent.map(|a| format!("Left out: {}: {}", escape(&a.what), escape(&a.reason))));
    if let Some(header) = &report.header {
        let machine = &header.machine;
        blocks.push(format!(
            "{}, seed {}; {} ({} CPUs), Linux {}.",
            report.processes(),
            header.seed,
            machine.cpu,
            machine.cpus,
            machine.kernel
        ));
        blocks.extend(machine.warnings().iter().map(|warning| format!("Warning: {warning}.")));
    }
    blocks.join("\n\n")
}

/// A line for each engine, and one with the ratios to the best wasmtime, their intervals and verdicts.
fn section(title: &str, section: &Section, phases: &[Phase]) -> String {
    let any = |phase: &&Phase| section.rows.iter().any(|row| row.figures.contains_key(phase));
    let phases: Vec<Phase> = phases.iter().filter(any).copied().collect();
    let row = |title: &str, cell: &dyn Fn(Phase) -> Option<String>| {
        let cells = phases.iter().map(|phase| cell(*phase).unwrap_or_default());
        let cells = std::iter::once(escape(title)).chain(cells);
        format!("| {} |", cells.collect::<Vec<_>>().join(" | "))
    };
    let mut lines = vec![row(title, &|phase| Some(phase.name().to_owned()))];
    lines.push(format!("|---|{}", "--:|".repeat(phases.len())));
    for Row { engine, figures, .. } in &section.rows {
        lines.push(row(&engine.to_string(), &|phase| Some(show(phase, *figures.get(&phase)?))));
    }
    if !section.comparisons.is_empty() {
        lines.push(row("ours / best wasmtime", &|phase| {
            let found = section.comparisons.iter().find(|c| c.phase == phase)?;
            Some(super::summary::ratio(found))
        }));
    }
    lines.join("\n")
}

/// Text that is no markup.
pub(crate) fn escape(text: &str) -> String {
    text.chars().fold(String::new(), |mut escaped, c| {
        if "\\`*_{}[]<>#|".contains(c) {
            escaped.push('\\');
        }
        escaped.push(if c.is_control() { ' ' } else { c });
        escaped
    })
}
