//! The result of engines against engines, in a sentence and in one line a call.

use super::table::{footer, show, table, verdict};
use super::{Comparison, Report};
use crate::phase::Phase;
use crate::stats::Verdict;
use crate::workload::HOST_CALLS;

/// A call, ours against the best of the peer's settings.
pub struct Line<'r> {
    /// Name of the workload.
    pub workload: &'r str,
    /// The call, or `module`.
    pub what: &'r str,
    /// What the ratio is of.
    pub comparison: &'r Comparison,
    /// Our figure.
    pub ours: f64,
    /// The peer's.
    pub peer: f64,
}

/// What counts of each workload: the totals of its calls, and compiling.
pub fn lines(report: &Report) -> Vec<Line<'_>> {
    let mut lines = Vec::new();
    // What nobody asked for comes last.
    let is_ours = |workload: &&super::WorkloadReport| workload.name == HOST_CALLS;
    let asked = report.workloads.iter().filter(|workload| !is_ours(workload));
    for workload in asked.chain(report.workloads.iter().filter(is_ours)) {
        let module = std::iter::once(("module", &workload.module));
        let calls = workload.calls.iter().map(|(call, section)| (&**call, section));
        for (what, section) in calls.chain(module) {
            let wanted = |c: &&Comparison| matches!(c.phase, Phase::Total | Phase::CompileCpu);
            for comparison in section.comparisons.iter().filter(wanted) {
                let of = |engine: &dyn Fn(&super::Row) -> bool| {
                    let rows = section.rows.iter().filter(|row| engine(row));
                    let figures = rows.filter_map(|row| row.figures.get(&comparison.phase));
                    figures.copied().min_by(f64::total_cmp)
                };
                let ours = of(&|row| row.engine.engine == super::OURS);
                let peer = of(&|row| row.engine == comparison.peer);
                if let (Some(ours), Some(peer)) = (ours, peer) {
                    lines.push(Line { workload: &workload.name, what, comparison, ours, peer });
                }
            }
        }
    }
    lines
}

/// The result in a sentence; of calls only.
pub fn sentence(report: &Report) -> String {
    let is_call =
        |line: &Line<'_>| line.comparison.phase == Phase::Total && line.workload != HOST_CALLS;
    let calls: Vec<Line<'_>> = lines(report).into_iter().filter(is_call).collect();
    if calls.is_empty() {
        return "no call of a runtime was measured on lithify and on wasmtime".into();
    }
    let count = |verdict| calls.iter().filter(|line| line.comparison.verdict == verdict).count();
    let parts = [
        (Verdict::Faster, "faster than"),
        (Verdict::Slower, "slower than"),
        (Verdict::Same, "the same as"),
        (Verdict::CannotTell, "not to be told from"),
    ];
    let part = |(verdict, words)| {
        let count = count(verdict);
        (count > 0).then(|| format!("{words} the best of wasmtime in {count}"))
    };
    let parts: Vec<String> = parts.into_iter().filter_map(part).collect();
    let count = calls.len();
    format!("of {count} call{} lithify is {}", if count == 1 { "" } else { "s" }, parts.join(", "))
}

/// For a terminal: one line a call, at most 80 columns where names are short; all figures where there is nothing
/// to compare.
pub fn text(report: &Report) -> String {
    let lines = lines(report);
    let mut text = format!("{}\n", sentence(report));
    if lines.is_empty() {
        return text + "\n" + &table(report);
    }
    let mut workload = "";
    for line in lines {
        if line.workload != workload {
            workload = line.workload;
            text += &format!("\n{workload:<24}{:>9}{:>10}   ratio\n", "lithify", "wasmtime");
        }
        let Comparison { phase, ratio, .. } = line.comparison;
        let what = if *phase == Phase::Total { line.what } else { "compile, CPU time" };
        text += &format!(
            "  {what:<22}{:>9}{:>10}   {:.3} ({:.3} to {:.3}) {}\n",
            show(*phase, line.ours),
            show(*phase, line.peer),
            ratio.ratio,
            ratio.low,
            ratio.high,
            verdict(line.comparison)
        );
    }
    text += "\nTime of a fresh instance, the call and its end, against the best of wasmtime's \
             settings.\n--format tables has every engine and phase.\n\n";
    footer(&mut text, report);
    text
}
