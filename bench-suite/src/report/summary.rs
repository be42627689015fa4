//! The result of engines against engines, in a sentence and in one line a call.

use super::table::{footer, partial, show, table, verdict};
use super::{Comparison, OURS, PEER, Report, WorkloadReport, best};
use crate::engine::Id;
use crate::phase::Phase;
use crate::stats::{MIN_PROCESSES, Ratio, Verdict};
use crate::workload::HOST_CALLS;

/// A call or module by what it takes: ours, and what that is against other engines.
pub struct Line<'r> {
    /// Name of the workload.
    pub workload: &'r str,
    /// The call, or `module`.
    pub what: &'r str,
    /// What it takes of: the time of a call, by several threads that for each one, or CPU time of a compile.
    pub phase: Phase,
    /// Our figure.
    pub ours: f64,
    /// Against the best of the peer's settings, and then each engine that somebody named; with theirs.
    pub peers: Vec<(&'r Comparison, f64)>,
}

impl<'r> Line<'r> {
    /// Against the best of wasmtime's settings, and what that takes.
    pub fn wasmtime(&self) -> Option<(&'r Comparison, f64)> {
        self.peers.iter().find(|(comparison, _)| comparison.peer.engine == PEER).copied()
    }

    /// Against others.
    pub fn others(&self) -> impl Iterator<Item = (&'r Comparison, f64)> {
        let others = |peer: &(&Comparison, f64)| peer.0.peer.engine != PEER;
        self.peers.iter().copied().filter(others)
    }
}

/// What counts of each workload: the totals of its calls, and compiling.
pub fn lines(report: &Report) -> Vec<Line<'_>> {
    let mut lines = Vec::new();
    // What nobody asked for comes last.
    let is_ours = |workload: &&WorkloadReport| workload.name == HOST_CALLS;
    let asked = report.workloads.iter().filter(|workload| !is_ours(workload));
    for workload in asked.chain(report.workloads.iter().filter(is_ours)) {
        let module = ("module", &workload.module, Phase::CompileCpu);
        // A call of several threads has no total.
        let calls = workload.calls.iter().flat_map(|(call, section)| {
            [Phase::Total, Phase::PerCall].map(|phase| (&**call, section, phase))
        });
        for (what, section, phase) in calls.chain([module]) {
            let figure = |id: &Id| {
                let row = section.rows.iter().find(|row| row.engine == *id);
                row?.figures.get(&phase).copied()
            };
            let all = section.comparisons.iter().chain(&section.others);
            let of_phase = all.filter(|comparison| comparison.phase == phase);
            let peers = of_phase.filter_map(|of| Some((of, figure(&of.peer)?)));
            let peers: Vec<(&Comparison, f64)> = peers.collect();
            if let (Some((_, ours)), false) = (best(&section.rows, OURS, phase), peers.is_empty()) {
                lines.push(Line { workload: &workload.name, what, phase, ours, peers });
            }
        }
    }
    lines
}

/// The result in a sentence; of calls only.
pub fn sentence(report: &Report) -> String {
    let lines = lines(report);
    let calls = lines.iter().filter(|line| line.phase == Phase::Total);
    let calls = calls.filter(|line| line.workload != HOST_CALLS);
    let verdicts = calls.filter_map(|line| Some(line.wasmtime()?.0.verdict));
    let verdicts: Vec<Verdict> = verdicts.collect();
    if verdicts.is_empty() {
        return "no call of a runtime was measured on lithify and on wasmtime".into();
    }
    let count = |verdict| verdicts.iter().filter(|other| **other == verdict).count();
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
    let count = verdicts.len();
    format!("of {count} call{} lithify is {}", if count == 1 { "" } else { "s" }, parts.join(", "))
}

/// For a terminal: one line a call, at most 80 columns where names are short, and one below it for each engine
/// that somebody named; all figures where there is nothing to compare.
pub fn text(report: &Report) -> String {
    let lines = lines(report);
    let partial = partial(report).map_or_else(String::new, |partial| format!("{partial}\n"));
    let mut text = format!("{partial}{}\n", sentence(report));
    if lines.is_empty() {
        return text + "\n" + &table(report);
    }
    let title = |line: &Line<'_>| match line.phase {
        Phase::CompileCpu => "compile, CPU time".to_owned(),
        _ => line.what.to_owned(),
    };
    let other = |comparison: &Comparison| format!("  {}", comparison.peer);
    let names = lines.iter().flat_map(|line| {
        let others = line.others().map(|(comparison, _)| other(comparison));
        others.chain([title(line), line.workload.chars().skip(2).collect()])
    });
    let width = names.map(|name| name.chars().count()).max().unwrap_or(0).clamp(22, 100);
    let wasmtime = if lines.iter().any(|line| line.wasmtime().is_some()) { PEER } else { "other" };
    let has_threads = lines.iter().any(|line| line.phase == Phase::PerCall);
    let mut workload = "";
    for line in lines {
        if line.workload != workload {
            workload = line.workload;
            let width = width + 2;
            text += &format!("\n{workload:<width$}{OURS:>9}{wasmtime:>10}   ratio\n");
        }
        let against = |(comparison, peer): (&Comparison, f64)| {
            format!("{:>10}   {}", show(line.phase, peer), ratio(comparison))
        };
        let peer = line.wasmtime().map(against).unwrap_or_default();
        text += &format!("  {:<width$}{:>9}{peer}\n", title(&line), show(line.phase, line.ours));
        for (comparison, peer) in line.others() {
            let (other, against) = (other(comparison), against((comparison, peer)));
            text += &format!("  {other:<width$}{:>9}{against}\n", "");
        }
    }
    text += "\nTime of a fresh instance, the call and its end, against the best of\n\
             wasmtime's settings.\n";
    if has_threads {
        text += "Of several threads: time divided by the calls of all.\n";
    }
    text += "--format tables has every engine and phase.\n\n";
    footer(&mut text, report);
    text
}

/// A ratio with its interval and verdict.
pub fn ratio(comparison: &Comparison) -> String {
    let interval = interval(&comparison.ratio);
    let interval = interval.map(|interval| format!(" ({interval})")).unwrap_or_default();
    format!("{:.3}{interval} {}", comparison.ratio.ratio, verdict(comparison))
}

/// The ends of an interval, where there are enough processes for one.
pub fn interval(ratio: &Ratio) -> Option<String> {
    let is_one = ratio.processes >= MIN_PROCESSES;
    is_one.then(|| format!("{:.3} to {:.3}", ratio.low, ratio.high))
}
