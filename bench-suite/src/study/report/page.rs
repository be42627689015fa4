//! A study's results as one page that needs nothing else, in the style of the suite's other page.

use super::{METHOD, Shown, Table, by_arch, crowd, machines, sentence, tables};
use crate::report::html::{document, table};
use crate::report::plot::{self, Strip, escape};
use crate::stats::{self, QUANTILE};
use crate::study::record::Record;
use lithify_measure::figure::time;
use std::fmt::Write;

/// The page.
pub fn page(name: &str, records: &[Record], shown: &Shown) -> String {
    let said = sentence(records);
    let mut body = format!(
        "<section>\n<p class=\"note\">{}</p>\n<h1 class=\"sentence\">{}</h1>\n<p>{}</p>\n<p>{}</p>\n",
        escape(name),
        escape(&said),
        escape(&shown.about),
        escape(METHOD)
    );
    if !shown.originals.source.is_empty() {
        let _ = writeln!(body, "<p>In brackets: {}.</p>", escape(&shown.originals.source));
    }
    body += "</section>\n";
    for (arch, records) in by_arch(records) {
        let _ = write!(body, "<section>\n<h2>{}</h2>\n", escape(arch));
        for machine in machines(&records) {
            let _ = writeln!(body, "<p class=\"note\">{}</p>", escape(&machine));
        }
        let _ = writeln!(body, "<p class=\"note\">{}.</p>", escape(&crowd(&records)));
        for of in tables(&records, shown) {
            show(&mut body, &of);
            if of.id == "times" {
                executions(&mut body, &records);
            }
        }
        body += "</section>\n";
    }
    body += "<p class=\"note\"><code>lithify study merge results.jsonl -o DIR</code> makes this page again of \
             the records beside it.</p>\n";
    document(&format!("{name}: {said}"), &body)
}

fn show(body: &mut String, of: &Table) {
    let heads: Vec<&str> = of.heads.iter().map(String::as_str).collect();
    let row = |row: &'_ Vec<super::Value>| -> Vec<(String, String)> {
        row.iter().map(|value| (value.text.clone(), value.class.clone())).collect()
    };
    let rows: Vec<Vec<(String, String)>> = of.rows.iter().map(row).collect();
    let rows: Vec<Vec<(String, &str)>> = rows
        .iter()
        .map(|row| row.iter().map(|(text, class)| (text.clone(), class.as_str())).collect())
        .collect();
    table(body, &of.caption, &heads, &rows);
}

/// Every execution of the best setting on each engine, a plot for each run of a program in a language.
fn executions(body: &mut String, records: &[Record]) {
    let figure = |record: &Record| stats::quantile(&record.measured()?.real_ns(), QUANTILE);
    let mut rows: Vec<(&str, &str, &str, Vec<&Record>)> = Vec::new();
    for record in records.iter().filter(|record| record.measured().is_some()) {
        let row = (&*record.cell.program, &*record.cell.run, &*record.language);
        let known = rows.iter_mut().find(|known| (known.0, known.1, known.2) == row);
        let best = match known {
            Some(known) => &mut known.3,
            None => {
                rows.push((row.0, row.1, row.2, Vec::new()));
                &mut rows.last_mut().expect("just pushed").3
            }
        };
        match best.iter_mut().find(|other| other.cell.engine == record.cell.engine) {
            Some(other) if figure(record) < figure(other) => *other = record,
            Some(_) => {}
            None => best.push(record),
        }
    }
    for (program, run, language, mut best) in rows.into_iter().filter(|row| row.3.len() > 1) {
        best.sort_by(|a, b| figure(a).unwrap_or(0.0).total_cmp(&figure(b).unwrap_or(0.0)));
        let strips = best.iter().enumerate().filter_map(|(n, record)| {
            let (label, numbers) = (record.cell.engine.clone(), record.measured()?.real_ns());
            Some(Strip { label, numbers, mark: figure(record)?, class: format!("c{}", n % 6) })
        });
        let strips: Vec<Strip> = strips.collect();
        let title = format!(
            "{program}/{run} in {language}: wall time of every execution, and the 25 % quantile"
        );
        *body += &plot::strips(&title, &strips, time);
    }
}
