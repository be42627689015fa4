//! Results as one page that needs nothing else: a sentence, tables, plots, conditions, and the numbers of
//! every process to take away. No script is in it, and nothing is fetched.
//!
//! It is made of samples alone, so that anyone makes it again; several runs stand below each other, and many
//! make a page of trends.

mod history;

pub use history::history;

use super::growth::{self, Curve};
use super::plot::{self, Bar, Interval, Point, Strip, escape};
use super::table::{partial, show, verdict};
use super::{Comparison, OURS, PEER, Report, Section, comparison, report, summary};
use crate::comparison::{Compared, Row};
use crate::phase::Phase;
use crate::sample::{Run, Sides, write};
use crate::stats::{self, QUANTILE, Verdict};
use anyhow::Result;
use lithify_measure::figure::{bytes, time};
use std::collections::BTreeMap;
use std::fmt::Write;

const STYLE: &str = include_str!("html/style.css");

/// A run, and what to call it.
pub struct Shown {
    /// Its name; of a file, its path.
    pub name: String,
    /// It.
    pub run: Run,
}

/// The page.
pub fn page(runs: &[Shown]) -> Result<String> {
    let mut body = String::new();
    let mut title = None;
    for (index, shown) in runs.iter().enumerate() {
        let compared = crate::comparison::of(&shown.run)?;
        let report = report(&shown.run);
        let sentence = match &compared {
            Some(compared) => comparison::sentence(compared),
            None => summary::sentence(&report),
        };
        let subject = match &compared {
            Some(compared) => {
                format!("{} against {}", compared.comparison.new, compared.comparison.base)
            }
            None => shown.name.clone(),
        };
        title.get_or_insert_with(|| format!("{subject}: {sentence}"));
        let is_slower = (compared.iter().flat_map(|compared| &compared.rows))
            .any(|row| row.verdict == Verdict::Slower);
        let class = if is_slower { " slower" } else { "" };
        let heading = if index == 0 { "h1" } else { "h2" };
        let _ = write!(
            body,
            "<section>\n<p class=\"note\">{}</p>\n<{heading} class=\"sentence{class}\">{}</{heading}>\n",
            escape(&subject),
            escape(&sentence)
        );
        if let Some(partial) = partial(&report) {
            let _ = writeln!(body, "<p class=\"partial\">{}</p>", escape(&partial));
        }
        match &compared {
            Some(compared) => of_comparison(&mut body, compared, &shown.run),
            None => of_engines(&mut body, &report, &shown.run),
        }
        conditions(&mut body, &report);
        download(&mut body, &shown.run, index)?;
        body += "</section>\n";
    }
    let title = title.unwrap_or_else(|| "nothing was measured".into());
    Ok(document(&title, &body))
}

/// A whole page around its body.
pub(crate) fn document(title: &str, body: &str) -> String {
    let title = escape(title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'unsafe-inline'; img-src data:\">\n\
         <link rel=\"icon\" href=\"data:,\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{body}</main>\n\
         </body>\n</html>\n"
    )
}

/// The class of a verdict.
fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Slower => "slower",
        Verdict::Faster => "faster",
        Verdict::Same => "same",
        Verdict::CannotTell => "untold",
    }
}

/// A table; the cells of a row come with their classes.
pub(crate) fn table(
    body: &mut String,
    caption: &str,
    heads: &[&str],
    rows: &[Vec<(String, &str)>],
) {
    let caption = escape(caption);
    let _ = write!(
        body,
        "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"{caption}\">\n\
         <table><caption>{caption}</caption>\n<thead><tr>"
    );
    for head in heads {
        let class = if matches!(*head, "row" | "figure") { " class=\"name\"" } else { "" };
        let _ = write!(body, "<th scope=\"col\"{class}>{}</th>", escape(head));
    }
    body.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        body.push_str("<tr>");
        for (cell, class) in row {
            let _ = write!(body, "<td class=\"{class}\">{}</td>", escape(cell));
        }
        body.push_str("</tr>\n");
    }
    body.push_str("</tbody></table></div>\n");
}

fn of_comparison(body: &mut String, compared: &Compared, run: &Run) {
    let rows = comparison::sorted(compared);
    let cells = rows.iter().map(|row| {
        let class = class(row.verdict);
        let word = comparison::word(row.verdict, Some(row.phase.unit()));
        vec![
            (word.to_owned(), class),
            (row.label(), "name"),
            (show(row.phase, row.base), ""),
            (show(row.phase, row.new), ""),
            (format!("{:.3}", row.ratio.ratio), class),
            (format!("{:.3} to {:.3}", row.ratio.low, row.ratio.high), ""),
            (format!("{:.1} %", row.floor * 100.0), ""),
            (row.ratio.processes.to_string(), ""),
        ]
    });
    let heads =
        ["verdict", "row", "base", "new", "new / base", "95 % interval", "floor", "processes"];
    table(body, "What was measured", &heads, &cells.collect::<Vec<_>>());
    let intervals = rows.iter().map(|row| Interval {
        label: row.label(),
        values: [row.ratio.low, row.ratio.ratio, row.ratio.high],
        class: class(row.verdict),
        floor: row.floor,
    });
    let title = "new / base with 95 % intervals; within the grey band there is no difference";
    *body += &plot::intervals(title, &intervals.collect::<Vec<_>>());
    let exact = compared.exact.iter().map(|exact| {
        vec![
            (exact.word().to_owned(), class(exact.verdict)),
            (exact.label(), "name"),
            (exact.show(exact.base), ""),
            (exact.show(exact.new), ""),
            (exact.change(), ""),
        ]
    });
    let exact: Vec<_> = exact.collect();
    if !exact.is_empty() {
        let heads = ["verdict", "figure", "base", "new", "change"];
        table(body, "What is counted, the same in every process", &heads, &exact);
    }
    for row in comparison::rows_explained(compared) {
        let heads = comparison::function_heads(row);
        let line = |function| {
            let cells = comparison::function_cells(function).into_iter().take(heads.len());
            let class = |at| if at == 0 { "name" } else { "" };
            cells.enumerate().map(|(at, cell)| (cell, class(at))).collect()
        };
        let lines: Vec<_> = comparison::explained(row).map(line).collect();
        let caption = format!("{}: where the difference is, per call", row.label());
        table(body, &caption, heads, &lines);
    }
    for row in rows.iter().filter(|row| row.phase == Phase::Total) {
        sides(body, row, run);
    }
    let _ = writeln!(body, "<p class=\"note\">{}.</p>", escape(&comparison::conditions(compared)));
    if compared.comparison.links.is_some() {
        body.push_str(
            "<p class=\"note\">Equal builds alarm in at most 5 of 100 comparisons, all rows together \
             (all divisions of the links into two sides, by the largest difference of any row).</p>\n",
        );
    } else if compared.comparison.of != Sides::Hours {
        body.push_str(
            "<p class=\"note\">Equal sides alarm in at most 5 of 100 comparisons, all rows together \
             (permutation test within blocks, five looks, Holm&#39;s rule), and an alarm is measured \
             again before it is believed. Can&#39;t tell: the interval is too wide, or an alarm did \
             not come again.</p>\n",
        );
    }
}

/// A side, and a binary of its where there are several.
type Drawn = (usize, Option<u32>);

/// The processes of a row's sides, and of each binary where there are several.
fn sides(body: &mut String, row: &Row, run: &Run) {
    let places = run.places();
    let mut numbers: BTreeMap<Drawn, Vec<(u32, f64)>> = BTreeMap::new();
    for series in run.series.iter().filter(|series| series.key.phase == row.phase) {
        let of_row = row.call.as_ref().zip(series.key.call.as_ref());
        let Some(place) = places.get(&series.key.process) else { continue };
        let number = stats::process_number(&series.values);
        if let (Some((row, call)), Some(number)) = (of_row, number)
            && row.ends_with(call.as_str())
        {
            let numbers = numbers.entry((place.side as usize, place.link)).or_default();
            numbers.push((series.key.process, number as f64));
        }
    }
    if numbers.is_empty() {
        return;
    }
    let strips = numbers.iter().map(|((side, link), numbers)| {
        let numbers: Vec<f64> = numbers.iter().map(|(_, number)| *number).collect();
        let mark = stats::quantile(&numbers, QUANTILE).unwrap_or(0.0);
        let link = link.map(|link| format!(", link {}", link + 1)).unwrap_or_default();
        let label = format!("{}{link}", ["base", "new"][*side]);
        Strip { label, numbers, mark, class: format!("c{side}") }
    });
    let strips: Vec<Strip> = strips.collect();
    let label = row.label();
    *body +=
        &plot::strips(&format!("{label}: every process, and the 25 % quantile"), &strips, time);
    let in_order = numbers.iter().flat_map(|((side, _), numbers)| {
        numbers.iter().map(move |(process, number)| (*process, *number, format!("c{side}")))
    });
    let in_order: Vec<_> = in_order.collect();
    *body += &plot::order(&format!("{label}: in the order of the run"), &in_order, time);
}

fn of_engines(body: &mut String, report: &Report, run: &Run) {
    let lines = summary::lines(report);
    let all = lines.iter().flat_map(|line| {
        let peers = line.wasmtime().into_iter().chain(line.others());
        peers.map(move |(comparison, takes)| (line, comparison, takes))
    });
    let all: Vec<_> = all.collect();
    let against = |comparison: &Comparison| match comparison.peer.engine == PEER {
        true => String::new(),
        false => format!(" against {}", comparison.peer),
    };
    let cells = all.iter().map(|(line, comparison, takes)| {
        let (phase, ratio) = (line.phase, comparison.ratio);
        let class = class(comparison.verdict);
        vec![
            (format!("{} {}{}", line.workload, line.what, against(comparison)), "name"),
            (phase.name().to_owned(), ""),
            (show(phase, line.ours), ""),
            (show(phase, *takes), ""),
            (format!("{:.3}", ratio.ratio), class),
            (summary::interval(&ratio).unwrap_or_default(), ""),
            (verdict(comparison).to_owned(), class),
        ]
    });
    let cells: Vec<_> = cells.collect();
    if !cells.is_empty() {
        let others = all.iter().any(|(_, comparison, _)| comparison.peer.engine != PEER);
        let (peer, title) = match others {
            true => {
                ("other", "Against the best of wasmtime's settings, and engines that were named")
            }
            false => (PEER, "Against the best of wasmtime's settings"),
        };
        table(
            body,
            title,
            &["row", "phase", OURS, peer, "ratio", "95 % interval", "verdict"],
            &cells,
        );
        let intervals = all.iter().map(|(line, comparison, _)| Interval {
            label: format!("{} {}{}", line.what, line.phase, against(comparison)),
            values: {
                let ratio = comparison.ratio;
                [ratio.low, ratio.ratio, ratio.high]
            },
            class: class(comparison.verdict),
            floor: stats::floor(line.ours),
        });
        let peer = if others { "other engine" } else { "best wasmtime" };
        let title = format!("lithify / {peer} with 95 % intervals; below 1 lithify takes less");
        *body += &plot::intervals(&title, &intervals.collect::<Vec<_>>());
    }
    for workload in &report.workloads {
        let hash = workload.code_hash.get(..16).unwrap_or(&workload.code_hash);
        let _ = writeln!(body, "<h2>{}, code 0x{}…</h2>", escape(&workload.name), escape(hash));
        engines(body, "module", &workload.module, Phase::MODULE);
        cost(body, workload);
        for (call, section) in &workload.calls {
            engines(body, call, section, Phase::CALL);
            distribution(body, run, (&workload.name, &workload.code_hash), call, section);
        }
    }
    modules(body, report);
    growth(body, report);
}

/// How figures grow, with the slope that was fitted.
fn growth(body: &mut String, report: &Report) {
    let curves = growth::curves(report);
    for of_it in curves.chunk_by(|a, b| (a.with, &a.title) == (b.with, &b.title)) {
        let Curve { title, with, .. } = &of_it[0];
        let lines = of_it.iter().enumerate().map(|(n, curve)| plot::Line {
            label: curve.engine.to_string(),
            points: curve.points.clone(),
            class: format!("c{}", n % 6),
        });
        let axes = [with.axis(), "time"];
        *body += &plot::lines(title, axes, &lines.collect::<Vec<_>>(), [with.show(), time]);
        let (step, for_one_more) = with.step();
        let signed = |ns: f64| if ns < 0.0 { format!("-{}", time(-ns)) } else { time(ns) };
        let rows = of_it.iter().map(|curve| {
            vec![
                (curve.engine.to_string(), "name"),
                (signed(curve.slope * step), ""),
                (signed(curve.fixed), ""),
                (curve.points.len().to_string(), ""),
            ]
        });
        let heads = ["engine", for_one_more, "the line at 0", "points"];
        let rows: Vec<_> = rows.collect();
        let caption = format!("{title}: the line through the points (Theil and Sen)");
        table(body, &caption, &heads, &rows);
    }
}

/// Every engine and phase.
fn engines(body: &mut String, title: &str, section: &Section, phases: &[Phase]) {
    if section.rows.is_empty() {
        return;
    }
    let any = |phase: &&Phase| section.rows.iter().any(|row| row.figures.contains_key(phase));
    let phases: Vec<Phase> = phases.iter().filter(any).copied().collect();
    let heads: Vec<&str> =
        std::iter::once("engine").chain(phases.iter().map(|phase| phase.name())).collect();
    let rows = section.rows.iter().map(|row| {
        let cells = phases.iter().map(|phase| {
            let figure = row.figures.get(phase);
            (figure.map(|value| show(*phase, *value)).unwrap_or_default(), "")
        });
        std::iter::once((row.engine.to_string(), "name")).chain(cells).collect()
    });
    let rows: Vec<Vec<(String, &str)>> = rows.collect();
    table(body, &format!("{title}: 25 % quantiles over processes"), &heads, &rows);
}

/// What a module costs to compile against what a call of it takes.
fn cost(body: &mut String, workload: &super::WorkloadReport) {
    let Some((call, section)) = workload.calls.last() else { return };
    let points = section.rows.iter().enumerate().filter_map(|(n, row)| {
        let module = workload.module.rows.iter().find(|module| module.engine == row.engine)?;
        let (x, y) = (*module.figures.get(&Phase::CompileCpu)?, *row.figures.get(&Phase::Total)?);
        Some(Point { label: row.engine.to_string(), x, y, class: format!("c{}", n % 6) })
    });
    let points: Vec<Point> = points.collect();
    if points.len() > 1 {
        let title = format!("{}: compile time against {call}", workload.name);
        let axes = ["compile, CPU time", "total of the call"];
        *body += &plot::scatter(&title, axes, &points, [time, time]);
    }
}

/// Every process of every engine.
fn distribution(
    body: &mut String,
    run: &Run,
    (name, code_hash): (&str, &str),
    call: &str,
    section: &Section,
) {
    let strips = section.rows.iter().enumerate().filter_map(|(n, row)| {
        let of_it = run.series.iter().filter(|series| {
            let key = &series.key;
            key.phase == Phase::Total
                && (&*key.workload, &*key.code_hash) == (name, code_hash)
                && key.call.as_deref() == Some(call)
                && (&key.engine, &key.setting) == (&row.engine.engine, &row.engine.setting)
        });
        let numbers = of_it.filter_map(|series| stats::process_number(&series.values));
        let numbers: Vec<f64> = numbers.map(|number| number as f64).collect();
        let mark = *row.figures.get(&Phase::Total)?;
        let label = row.engine.to_string();
        (!numbers.is_empty()).then(|| Strip { label, numbers, mark, class: format!("c{}", n % 6) })
    });
    let strips: Vec<Strip> = strips.collect();
    if !strips.is_empty() {
        let title = format!("{call}: total in every process, and the 25 % quantile");
        *body += &plot::strips(&title, &strips, time);
    }
}

/// Modules of one workload, in several languages perhaps, beside each other: the total on ours.
fn modules(body: &mut String, report: &Report) {
    let mut groups: BTreeMap<(&str, &str), Vec<Bar>> = BTreeMap::new();
    for workload in &report.workloads {
        let Some((group, module)) = workload.name.split_once(' ') else { continue };
        for (call, section) in &workload.calls {
            let ours = section.rows.iter().find(|row| row.engine.engine == super::OURS);
            let total = ours.and_then(|row| row.figures.get(&Phase::Total));
            let rows = groups.entry((group, call)).or_default();
            rows.extend(total.map(|total| Bar { label: module.to_owned(), value: *total }));
        }
    }
    for ((group, call), rows) in groups.iter().filter(|(_, rows)| rows.len() > 1) {
        *body += &plot::bars(&format!("{group}, {call}: total on lithify by module"), rows, time);
    }
}

/// Where and how it was measured, and what was left out.
fn conditions(body: &mut String, report: &Report) {
    body.push_str("<h2>Conditions</h2>\n<dl>\n");
    let mut item = |what: &str, value: &str| {
        let _ = writeln!(body, "<dt>{}</dt><dd>{}</dd>", escape(what), escape(value));
    };
    let mut warnings = Vec::new();
    if let Some(header) = &report.header {
        let machine = &header.machine;
        let or_unknown = |text: &Option<String>| text.clone().unwrap_or_else(|| "unknown".into());
        item("processor", &format!("{}, {} CPUs, {}", machine.cpu, machine.cpus, machine.arch));
        item("kernel", &format!("Linux {}", machine.kernel));
        item("clock", &or_unknown(&machine.clock_source));
        item("governor", &or_unknown(&machine.governor));
        item("load before", &format!("{:.2}", f64::from(machine.load_percent) / 100.0));
        item("lithify", &format!("{}, executable BLAKE3 {}", header.version, header.executable));
        item("started", &format!("{} s after 1970-01-01 (UTC)", header.started));
        item("seed", &header.seed.to_string());
        item("processes", &report.processes());
        warnings = machine.warnings();
    }
    if let Some(share) = report.slow_share {
        let share = format!("{:.0} % over 1.2 times the minimum of their process", share * 100.0);
        item("samples", &share);
    }
    for absent in &report.absent {
        item("left out", &format!("{}: {}", absent.what, absent.reason));
    }
    body.push_str("</dl>\n");
    for warning in warnings {
        let _ = writeln!(body, "<p class=\"warning\">{}</p>", escape(&warning));
    }
}

/// The numbers of every process as a file: what this page can be made of again.
fn download(body: &mut String, run: &Run, index: usize) -> Result<()> {
    let mut lines = Vec::new();
    for record in run.condensed() {
        write(&mut lines, &record)?;
    }
    let mut encoded = String::with_capacity(lines.len() * 3 / 2);
    for byte in &lines {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b':' | b',' => {
                encoded.push(char::from(*byte));
            }
            byte => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    let size = bytes(lines.len() as f64);
    let _ = writeln!(
        body,
        "<p class=\"download\"><a download=\"samples-{index}.jsonl\" \
         href=\"data:application/x-ndjson,{encoded}\">The number of every process, {size}</a>: \
         <code>lithify report samples-{index}.jsonl -o report.html</code> makes this page again.</p>"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_measured_is_a_page_too() {
        let page = page(&[]).expect("a page");
        assert!(page.contains("nothing was measured"), "{page}");
    }
}
