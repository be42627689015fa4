//! A report as text for a terminal.

use super::{Beside, Comparison, Report, Row, Section, WorkloadReport};
use crate::engine::Kind;
use crate::phase::{Phase, Unit};
use crate::stats::{MIN_PROCESSES, Verdict};
use crate::workload::{HOST_CALLS, HOST_CALLS_PER_CALL};
use lithify_measure::figure::{bytes, time};
use std::collections::BTreeSet;
use std::fmt::Write;

/// Width of the column of engines.
const ENGINE: usize = 26;
/// Width of the others.
const FIGURE: usize = 13;

/// Figures beside each other; more come below.
const FIGURES: usize = 8;

/// The whole report, some lines for each workload, at most 132 columns wide.
pub fn table(report: &Report) -> String {
    let mut text = String::new();
    for workload in &report.workloads {
        workload_table(&mut text, workload);
    }
    side_by_side(&mut text, &report.workloads);
    footer(&mut text, report);
    text
}

fn workload_table(text: &mut String, workload: &WorkloadReport) {
    let hash = workload.code_hash.get(..16).unwrap_or(&workload.code_hash);
    line(text, &format!("{}  code 0x{hash}…", workload.name));
    if !workload.module.rows.is_empty() {
        section(text, "module", &workload.module, Phase::MODULE);
    }
    for (call, of_call) in &workload.calls {
        section(text, call, of_call, Phase::CALL);
        if workload.name == HOST_CALLS {
            per_host_call(text, of_call);
        }
    }
}

/// The modules of one workload, a line each, call by call: the total on each engine, and on ours
/// as a multiple of the first module's, with its 95 % interval.
fn side_by_side(text: &mut String, workloads: &[WorkloadReport]) {
    let group = |workload: &WorkloadReport| Some(workload.name.split_once(' ')?.0.to_owned());
    let mut shown = BTreeSet::new();
    for workload in workloads {
        let Some(of) = group(workload) else { continue };
        let modules = workloads.iter().filter(|other| group(other).as_ref() == Some(&of));
        for (call, _) in &workload.calls {
            let rows: Vec<_> = modules
                .clone()
                .filter_map(|module| {
                    let (_, section) = module.calls.iter().find(|(name, _)| name == call)?;
                    Some((module, section))
                })
                .collect();
            if rows.len() > 1 && shown.insert((of.clone(), call)) {
                compared(text, &of, call, &rows);
            }
        }
    }
}

/// A table of [`side_by_side`]: a column for each that engines name, of those that are measured only by
/// who names them where they were.
fn compared(text: &mut String, of: &str, call: &str, rows: &[(&WorkloadReport, &Section)]) {
    let was_measured = |kind: &Kind| {
        let mut measured = rows.iter().flat_map(|(_, section)| &section.rows);
        measured.any(|row| row.engine == kind.id())
    };
    let is_shown = |kind: &&Kind| kind.every > 0 || was_measured(kind);
    let mut columns: Vec<&str> = Kind::all().filter(is_shown).map(|kind| kind.column).collect();
    columns.dedup();
    let figure = |section: &Section, column: &str, phase| {
        let of_it = |row: &&Row| Kind::of(&row.engine).is_ok_and(|kind| kind.column == column);
        let rows = section.rows.iter().filter(of_it);
        rows.filter_map(|row| row.figures.get(&phase).copied()).min_by(f64::total_cmp)
    };
    line(text, &format!("{of}, total of {call}"));
    let headings = ["artifact"].iter().chain(&columns);
    let headings: String = headings.map(|h| format!("{:>FIGURE$}", format!("{h} "))).collect();
    let of_first = rows.first().map_or("", |(workload, _)| module_of(workload));
    let against = format!("vs {of_first}");
    let width = against.len().max(22) + 2;
    line(text, &format!("  {:<ENGINE$}{headings}{against:>width$}", "module"));
    for (workload, section) in rows {
        let artifact = figure(&workload.module, columns[0], Phase::Artifact);
        let mut cells = format!("  {:<ENGINE$}", module_of(workload));
        let totals = columns.iter().map(|column| figure(section, column, Phase::Total).map(time));
        for cell in [artifact.map(bytes)].into_iter().chain(totals) {
            let _ = write!(cells, "{:>FIGURE$}", cell.unwrap_or_default() + " ");
        }
        let beside = workload.beside.iter().find(|beside| beside.call == call);
        let ratio = beside.map(|Beside { ratio, verdict, .. }| match verdict {
            Verdict::CannotTell => format!("{} can't tell", times(ratio.ratio)),
            _ => format!("{} ({}-{})", times(ratio.ratio), times(ratio.low), times(ratio.high)),
        });
        line(text, &format!("{cells}{:>width$}", ratio.unwrap_or_default()));
    }
    line(text, "");
}

/// A multiple, in three digits or so.
fn times(ratio: f64) -> String {
    let digits = if ratio < 10.0 { 2 } else { 0 };
    format!("{ratio:.digits$}x")
}

/// The name of the module within its workload.
fn module_of(workload: &WorkloadReport) -> &str {
    workload.name.split_once(' ').map_or(&*workload.name, |(_, module)| module)
}

/// Engines and their figures, and under each figure the ratio of ours to the peer's best, which
/// has a star, with its interval and verdict.
fn section(text: &mut String, title: &str, section: &Section, phases: &[Phase]) {
    // Few modules have an initialiser, and few calls are made by several threads.
    let any = |phase: &Phase| section.rows.iter().any(|row| row.figures.contains_key(phase));
    let phases = phases.iter().copied().filter(any);
    for phases in phases.collect::<Vec<_>>().chunks(FIGURES) {
        figures(text, title, section, phases);
    }
}

/// Some figures of a section.
fn figures(text: &mut String, title: &str, section: &Section, phases: &[Phase]) {
    row(text, title, phases, |phase| Some(format!("{} ", phase.name())));
    for Row { engine, figures, .. } in &section.rows {
        row(text, &engine.to_string(), phases, |phase| {
            let best = |c: &Comparison| c.phase == phase && c.peer == *engine;
            let star = if section.comparisons.iter().any(best) { '*' } else { ' ' };
            figures.get(&phase).map(|value| format!("{}{star}", show(phase, *value)))
        });
    }
    if section.comparisons.is_empty() {
        line(text, "");
        return;
    }
    let compared = |phase| section.comparisons.iter().find(move |c| c.phase == phase);
    row(text, "ours / best wasmtime (*)", phases, |phase| {
        Some(format!("{:.3} ", compared(phase)?.ratio.ratio))
    });
    let told = |phase| compared(phase).map(|c| c.ratio).filter(|r| r.processes >= MIN_PROCESSES);
    row(text, "  from", phases, |phase| Some(format!("{:.3} ", told(phase)?.low)));
    row(text, "  to", phases, |phase| Some(format!("{:.3} ", told(phase)?.high)));
    row(text, "", phases, |phase| Some(format!("{} ", verdict(compared(phase)?))));
    line(text, "");
}

/// A line of cells.
fn row(text: &mut String, title: &str, phases: &[Phase], cell: impl Fn(Phase) -> Option<String>) {
    let mut cells = format!("  {title:<ENGINE$}");
    for phase in phases {
        let _ = write!(cells, "{:>FIGURE$}", cell(*phase).unwrap_or_default());
    }
    line(text, &cells);
}

pub(super) fn verdict(comparison: &Comparison) -> &'static str {
    match (comparison.verdict, comparison.phase.unit()) {
        (Verdict::CannotTell, _) => "can't tell",
        (Verdict::Same, _) => "the same",
        (Verdict::Faster, Unit::Ns) => "faster",
        (Verdict::Slower, Unit::Ns) => "slower",
        (Verdict::Faster, Unit::Bytes) => "smaller",
        (Verdict::Slower, Unit::Bytes) => "larger",
    }
}

fn per_host_call(text: &mut String, section: &Section) {
    for Row { engine, figures, .. } in &section.rows {
        if let Some(call) = figures.get(&Phase::Call) {
            let ns = call / f64::from(HOST_CALLS_PER_CALL);
            line(text, &format!("    {engine}: {ns:.2} ns a host call, with the loop around it"));
        }
    }
    line(text, "");
}

/// How far a run came that did not come to its end.
pub(super) fn partial(report: &Report) -> Option<String> {
    if report.is_cut {
        return Some(
            "partial: the samples have no end: their file was cut, or what wrote it was ended"
                .into(),
        );
    }
    let cut = report.interrupted.as_ref()?;
    Some(format!(
        "partial: the run was interrupted after {} of at most {} processes",
        cut.done, cut.total
    ))
}

pub(super) fn footer(text: &mut String, report: &Report) {
    if let Some(partial) = partial(report) {
        line(text, &partial);
    }
    for absent in &report.absent {
        line(text, &format!("left out: {}: {}", absent.what, absent.reason));
    }
    if let Some(header) = &report.header {
        let machine = &header.machine;
        line(
            text,
            &format!(
                "{}, seed {}; {} ({} CPUs), Linux {}",
                report.processes(),
                header.seed,
                machine.cpu,
                machine.cpus,
                machine.kernel
            ),
        );
        line(
            text,
            &format!(
                "intervals: 95 %, over processes; fewer than {MIN_PROCESSES} can't tell, 100 make them \
                 narrow"
            ),
        );
        for warning in machine.warnings() {
            line(text, &format!("warning: {warning}"));
        }
    }
    if let Some(share) = report.slow_share {
        line(
            text,
            &format!(
                "{:.0} % of the samples took over 1.2 times the minimum of their process",
                share * 100.0
            ),
        );
    }
}

fn line(text: &mut String, line: &str) {
    text.push_str(line.trim_end());
    text.push('\n');
}

pub(super) fn show(phase: Phase, value: f64) -> String {
    match phase.unit() {
        Unit::Ns => time(value),
        Unit::Bytes => bytes(value),
    }
}
