//! Compares two commands that print samples: whatever they measure, and in whatever language.
//!
//! A run of a command is one measurement. Each side runs once before, to see which rows both print.

use super::blocks::{Blocks, Processes};
use super::{Observer, Options, Runner};
use crate::comparison::{Compared, RowKey, Wanted, compared, plan};
use crate::sample::{Comparison, Place, Ran, Record, Run, Sides, parse};
use crate::scratch::Scratch;
use crate::stats::decide::decide;
use crate::stats::sides::Side;
use anyhow::{Context, Result, ensure};
use lithify_measure::child::Stop;
use std::ffi::OsString;

/// Compares the second of two commands of the shell with the first.
pub fn compare_commands(
    commands: &[String; 2],
    options: &Options,
    observer: &mut dyn Observer,
) -> Result<(Run, Compared)> {
    let [base, new] = commands.clone();
    let (of, floor) = (Sides::Commands, options.floor);
    let comparison = Comparison { of, base, new, compiles: 0, floor, links: None };
    let folder = Scratch::new()?;
    let mut runner = Runner::new(options, observer, folder.path());
    runner.header(Some(comparison.clone()))?;
    runner.total = 2;
    let mut both = Both { runner, commands, rows: Vec::new(), wanted: Wanted::default() };
    let [base, new] = [Side::Base, Side::New].map(|side| both.run(side));
    let pilots = [(Side::Base, base?), (Side::New, new?)];
    let series = pilots.iter().flat_map(|(side, run)| run.series.iter().map(|s| (s, *side)));
    both.wanted = Wanted::of(series);
    let rows = |run: &Run| both.wanted.rows(run.series.iter());
    let new = rows(&pilots[1].1);
    both.rows = rows(&pilots[0].1).into_iter().filter(|row| new.contains(row)).collect();
    ensure!(!both.rows.is_empty(), "the commands print no sample of the same thing");
    let plans = both.rows.iter().map(|row| plan(&comparison, options.processes, row.phase));
    let plans: Vec<_> = plans.collect();
    let rows = both.rows.len();
    let decided = decide(&plans, options.seed, &mut Blocks::new(&[rows], &mut both));
    both.runner.or_interrupted(decided.map(drop))?;
    let run = both.runner.run;
    let compared = compared(&run)?;
    Ok((run, compared))
}

struct Both<'c, 'r> {
    runner: Runner<'r>,
    commands: &'c [String; 2],
    rows: Vec<RowKey>,
    wanted: Wanted,
}

impl Both<'_, '_> {
    /// Runs a command once; its samples get the number of the process.
    fn run(&mut self, side: Side) -> Result<Run> {
        let command = &self.commands[side as usize];
        let (done, total) = (self.runner.process, self.runner.total);
        self.runner.observer.progress(done, total, command);
        self.runner.go_on()?;
        self.runner.process += 1;
        let shell = ["sh", "-c", command].map(OsString::from);
        let printed = self.runner.start(&shell, &[], self.runner.options.bounds.time);
        let printed = printed.map_err(|error| match error.is::<Stop>() {
            true => error,
            false => error.context(format!("{command:?}")),
        })?;
        let mut run = samples(command, &printed)?;
        // What came before belongs to the command, not to the comparison.
        run.series.iter_mut().for_each(|series| series.key.process = done);
        Ok(run)
    }
}

impl Processes for Both<'_, '_> {
    fn process(&mut self, _: usize, place: Place) -> Result<Vec<f64>> {
        let run = self.run(place.side)?;
        let numbers = (self.rows.iter())
            .map(|row| {
                let number = self.wanted.number(row, run.series.iter());
                let command = &self.commands[place.side as usize];
                number.with_context(|| format!("{command:?} printed no sample of {}", row.label()))
            })
            .collect::<Result<Vec<f64>>>()?;
        let process = run.series.first().map_or(0, |series| series.key.process);
        let ran = Ran { process, place: Some(place), ..Ran::default() };
        self.runner.record(Record::Ran { ran })?;
        for sample in run.series.iter().flat_map(|series| series.samples()) {
            self.runner.record(Record::Sample(sample))?;
        }
        Ok(numbers)
    }

    fn left(&mut self, processes: usize) {
        self.runner.total = self.runner.process + processes as u32;
    }
}

/// The samples in what a command of the shell printed.
fn samples(command: &str, text: &str) -> Result<Run> {
    let mut run = Run::default();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        run.push(parse(line).with_context(|| format!("{command:?} prints"))?);
    }
    Ok(run)
}
