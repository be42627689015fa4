//! Several modules or images beside each other: a line for each fact, a column for each of them.

use super::{Fact, Facts, Words};
use crate::output;
use anyhow::Result;
use serde_json::Value;
use std::{cmp::Reverse, path::Path};

/// The widest that a cell is, in characters; what is longer is cut.
const CELL: usize = 24;

/// Prints the facts of each input beside those of the others. Of lists there are counts, and unless `short`,
/// lines for what they have: of imports, exports and tools those that not all have.
pub fn print(all: &[(String, Facts)], short: bool) -> Result<()> {
    let mut rows = vec![(String::new(), heads(all))];
    let mut keys: Vec<&'static str> = Vec::new();
    for fact in all.iter().flat_map(|(_, facts)| &facts.facts) {
        if !keys.contains(&fact.key) {
            keys.push(fact.key);
        }
    }
    for key in keys {
        let of = |facts: &'_ Facts| facts.facts.iter().find(|fact| fact.key == key).map(cell);
        let cells: Vec<String> =
            all.iter().map(|(_, facts)| of(facts).unwrap_or_default()).collect();
        if cells.iter().any(|cell| !cell.is_empty()) {
            rows.push((key.replace('_', " "), cells));
        }
        if !short {
            rows.extend(entries(all, key));
        }
    }
    let width = |texts: &mut dyn Iterator<Item = &String>| {
        texts.map(|text| text.chars().count()).max().unwrap_or(0)
    };
    let label = width(&mut rows.iter().map(|(label, _)| label)).min(72);
    let widths: Vec<usize> =
        (0..all.len()).map(|at| width(&mut rows.iter().map(|(_, cells)| &cells[at]))).collect();
    for (name, cells) in &rows {
        let cells = cells.iter().zip(&widths).map(|(cell, width)| format!("  {cell:>width$}"));
        output::line(format!("{name:<label$}{}", cells.collect::<String>()).trim_end())?;
    }
    Ok(())
}

/// Names of the inputs: of files the last part, unless it is another's too.
fn heads(all: &[(String, Facts)]) -> Vec<String> {
    let last = |name: &str| {
        let last = Path::new(name).file_name().map(|name| name.to_string_lossy().into_owned());
        last.unwrap_or_else(|| name.to_owned())
    };
    let lasts: Vec<String> = all.iter().map(|(name, _)| last(name)).collect();
    let is_only = |name: &String| lasts.iter().filter(|other| *other == name).count() == 1;
    let heads = lasts.iter().zip(all);
    heads.map(|(last, (name, _))| cut(if is_only(last) { last } else { name })).collect()
}

fn cell(fact: &Fact) -> String {
    match &fact.words {
        Words::None => String::new(),
        Words::Line(words) => cut(words),
        // The way to know more is for one input alone.
        Words::Named(_, words) => cut(words.split(';').next().unwrap_or(words)),
        Words::List(lines) => lines.len().to_string(),
    }
}

fn cut(text: &str) -> String {
    if text.chars().count() <= CELL {
        return text.to_owned();
    }
    text.chars().take(CELL - 1).chain(['…']).collect()
}

/// Lines for what lists of that name have, the largest first where it is a matter of size.
fn entries(all: &[(String, Facts)], key: &str) -> Vec<(String, Vec<String>)> {
    // A name that comes twice in one list has its numbers added.
    let mut rows: Vec<(String, Vec<Option<Entry>>)> = Vec::new();
    for (at, (_, facts)) in all.iter().enumerate() {
        let list = facts.facts.iter().find(|fact| fact.key == key);
        let items = list.and_then(|fact| fact.data.as_array()).into_iter().flatten();
        for (name, entry) in items.filter_map(entry) {
            let row = match rows.iter().position(|(other, _)| *other == name) {
                Some(row) => row,
                None => {
                    rows.push((name, vec![None; all.len()]));
                    rows.len() - 1
                }
            };
            let place = &mut rows[row].1[at];
            *place = Some(match (place.take(), entry) {
                (Some(Entry::Number(first)), Entry::Number(more)) => Entry::Number(first + more),
                (_, entry) => entry,
            });
        }
    }
    rows.retain(|(_, cells)| cells.iter().any(|cell| !matches!(cell, Some(Entry::There))));
    rows.sort_by_key(|(_, cells)| {
        Reverse(
            cells.iter().map(|cell| if let Some(Entry::Number(n)) = cell { *n } else { 0 }).max(),
        )
    });
    let shown = |cell: Option<Entry>| match cell {
        None => "-".to_owned(),
        Some(Entry::There) => "yes".into(),
        Some(Entry::Number(number)) => number.to_string(),
    };
    let row = |(name, cells): (String, Vec<Option<Entry>>)| {
        (format!("  {}", name), cells.into_iter().map(shown).collect())
    };
    rows.into_iter().map(row).collect()
}

/// What a list has of something.
#[derive(Clone, Copy)]
enum Entry {
    There,
    /// A size in bytes, or how many there are.
    Number(u64),
}

/// The name of an item of a list, and what the list says of it.
fn entry(item: &Value) -> Option<(String, Entry)> {
    if let Some(name) = item.as_str() {
        return Some((name.to_owned(), Entry::There));
    }
    let text = |key: &str| item.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let number = |key: &str| item.get(key).and_then(Value::as_u64);
    if let (Some(export), Some(calls)) = (text("export"), item.get("calls")) {
        let calls = calls.as_array().map_or(0, Vec::len) as u64;
        return Some((export.to_owned(), Entry::Number(calls)));
    }
    let size = number("body_bytes").or(number("code_bytes")).or(number("count"));
    let name = match (text("module"), text("name"), number("index")) {
        (Some(module), Some(name), _) => format!("{module}.{name}"),
        (None, Some(name), _) => name.to_owned(),
        (_, None, Some(index)) => format!("function {index}"),
        _ => return None,
    };
    Some((name, size.map_or(Entry::There, Entry::Number)))
}
