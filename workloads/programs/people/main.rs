//! Reads a large file of donations, one a line, and counts its rows, its people, the most common of
//! their first names, and the donations of each month.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap, HashSet},
    env,
    fs::File,
    io::{BufRead, BufReader},
    process::ExitCode,
};

/// Fields of a line, between bars.
const NAME: usize = 7;
const DATE: usize = 13;

fn main() -> ExitCode {
    let Some(file) = env::args().nth(1) else {
        eprintln!("give the name of a file");
        return ExitCode::FAILURE;
    };
    match process(&file) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{file}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn process(file: &str) -> Result<(), String> {
    let opened = File::open(file).map_err(|error| error.to_string())?;
    let mut rows = 0;
    let mut people = HashSet::new();
    let mut first_names: HashMap<String, usize> = HashMap::new();
    let mut months: BTreeMap<String, usize> = BTreeMap::new();
    for line in BufReader::new(opened).lines() {
        let line = line.map_err(|error| error.to_string())?;
        let fields: Vec<&str> = line.split('|').collect();
        let (Some(name), Some(month)) =
            (fields.get(NAME), fields.get(DATE).and_then(|date| date.get(..2)))
        else {
            return Err(format!("a line has no date: {line}"));
        };
        rows += 1;
        // LAST, FIRST MIDDLE
        let first = name.split_once(", ").map_or("", |(_, first)| first);
        let first = first.split(' ').next().unwrap_or_default();
        *first_names.entry(first.to_owned()).or_default() += 1;
        *months.entry((*month).to_owned()).or_default() += 1;
        people.insert((*name).to_owned());
    }
    // Of names that are as common, the first of the alphabet.
    let common = first_names.iter().max_by_key(|(name, count)| (**count, Reverse(*name)));
    let (name, count) = common.map_or(("", 0), |(name, count)| (name, *count));
    println!("rows: {rows}\npeople: {}\ncommon name: {name} {count}", people.len());
    for month in 1..=12 {
        let month = format!("{month:02}");
        println!("month {month}: {}", months.get(&month).unwrap_or(&0));
    }
    Ok(())
}
