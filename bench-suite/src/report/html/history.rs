//! Trends over many runs as a page: what changed first, each with its plot, then the runs.

use super::{document, table};
use crate::history::{Named, Trend};
use crate::phase::Unit;
use crate::report::{plot, table::show};
use lithify_measure::figure::{bytes, time};
use std::fmt::Write;

/// The page.
pub fn history(runs: &[Named], trends: &[Trend]) -> String {
    let changed = trends.iter().filter(|trend| trend.changes().next().is_some()).count();
    let sentence = match changed {
        0 => format!("nothing changed over {} runs", runs.len()),
        1 => format!("1 figure changed over {} runs", runs.len()),
        changed => format!("{changed} figures changed over {} runs", runs.len()),
    };
    let mut body = format!("<section>\n<h1 class=\"sentence\">{sentence}</h1>\n");
    let mut rows = Vec::new();
    for trend in trends {
        for (run, ratio) in trend.changes() {
            let class = if ratio > 1.0 { "slower" } else { "faster" };
            rows.push(vec![
                (format!("{} {}", trend.label, trend.phase), "name"),
                (format!("{:+.1} %", (ratio - 1.0) * 100.0), class),
                (run.to_string(), ""),
                (runs[run].name.clone(), ""),
            ]);
        }
    }
    if !rows.is_empty() {
        let heads = ["figure", "change", "from run", "file"];
        table(&mut body, "What changed, and stayed so", &heads, &rows);
    }
    for trend in trends {
        let by = match trend.phase.unit() {
            Unit::Ns => time,
            Unit::Bytes => bytes,
        };
        let title = format!("{} {}", trend.label, trend.phase);
        body += &plot::trend(title.trim(), &trend.points, &trend.parts, by);
    }
    body += "<p class=\"note\">A dot is the 25 % quantile over the processes of a run; a line the median \
             of the runs between changes. Runs are of different hours: times are divided by how long \
             each run&#39;s reference work took, and what is left of the machine is in them. A mark \
             says that a figure changed by 3 % or more, not why; where nothing changed, one page in 20 \
             has any. Lithify compare finds out.</p>\n<h2>Runs</h2>\n";
    let runs = runs.iter().enumerate().map(|(at, Named { name, run })| {
        let header = run.header.clone().unwrap_or_default();
        vec![
            (at.to_string(), "name"),
            (name.clone(), ""),
            (header.started.to_string(), ""),
            (header.machine.cpu, ""),
            (header.version, ""),
        ]
    });
    let heads = ["run", "file", "seconds since 1970", "processor", "lithify"];
    table(&mut body, "The runs, oldest first", &heads, &runs.collect::<Vec<_>>());
    let latest = trends.iter().filter_map(|trend| {
        let (_, figure) = trend.points.last()?;
        let name = format!("{} {}", trend.label, trend.phase);
        Some(vec![(name, "name"), (show(trend.phase, *figure), "")])
    });
    table(&mut body, "The latest figures", &["figure", "value"], &latest.collect::<Vec<_>>());
    let _ = writeln!(body, "</section>");
    document(&format!("trends: {sentence}"), &body)
}
