//! The tables of a study, each with a name by which a document can ask for it.

use super::Shown;
use crate::report::escape_markdown;
use crate::stats::{self, Verdict};
use crate::study::contrast::{Compared, Contrasted, SEED};
use crate::study::engine::{Engine, Mode};
use crate::study::record::{Measured, Outcome, Record};
use crate::study::syscalls::{self, Names};
use lithify_measure::figure::{bytes, time};
use std::collections::BTreeMap;

/// A table.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Its name.
    pub id: String,
    /// What it shows.
    pub caption: String,
    /// Heads of its columns; the first ones are names.
    pub heads: Vec<String>,
    /// Its rows.
    pub rows: Vec<Vec<Value>>,
}

/// What stands in a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Value {
    /// The text.
    pub text: String,
    /// Its class on a page.
    pub class: String,
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self { text, class: String::new() }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self { text: text.to_owned(), class: "name".to_owned() }
    }
}

impl Table {
    fn new(id: &str, caption: &str, heads: &[&str]) -> Self {
        let heads = heads.iter().map(|head| (*head).to_owned()).collect();
        Self { id: id.to_owned(), caption: caption.to_owned(), heads, rows: Vec::new() }
    }

    /// The table in Markdown: a heading, a rule, its rows.
    pub fn markdown(&self) -> String {
        let line = |cells: Vec<String>| format!("| {} |", cells.join(" | "));
        let mut lines = vec![line(self.heads.iter().map(|head| escape_markdown(head)).collect())];
        lines.push(format!("|{}", "---|".repeat(self.heads.len())));
        let cells = |row: &Vec<Value>| row.iter().map(|cell| escape_markdown(&cell.text)).collect();
        lines.extend(self.rows.iter().map(|row| line(cells(row))));
        lines.join("\n")
    }
}

/// All tables of records of one instruction set that have any row.
pub fn tables(records: &[Record], shown: &Shown) -> Vec<Table> {
    let of = Of { records, shown };
    let mut tables = vec![
        of.engines(),
        of.compilers(),
        of.best(
            "times",
            "Wall time, the best of a language's settings",
            Record::figure_of_real,
            |own| own.map(time),
        ),
        of.best(
            "cpu",
            "CPU time, user and system, the best of a language's settings",
            Record::figure_of_cpu,
            |own| own.map(time),
        ),
        of.grid(),
        of.cells(),
        of.summaries(),
        of.sizes(),
        of.best(
            "calls",
            "System calls of all threads, the fewest of a language's settings",
            |record| Some(record.calls()?.1 as f64),
            |own| own.map(|calls| format!("{calls:.0}")),
        ),
        of.best(
            "calls-of-first-thread",
            "System calls of the first thread alone, the fewest of a language's settings",
            |record| Some(record.calls()?.0 as f64),
            |own| own.map(|calls| format!("{calls:.0}")),
        ),
    ];
    tables.extend(of.names());
    tables.extend(shown.contrasts.iter().map(|contrast| {
        let heads = [
            "of",
            "base, wall",
            "new",
            "new / base",
            "verdict",
            "base, CPU",
            "new",
            "new / base",
            "verdict",
        ];
        let mut table = Table::new(&contrast.name, &format!("Contrast: {}", contrast.name), &heads);
        table.rows = contrast.pairs(records).iter().map(contrasted).collect();
        table
    }));
    tables.push(of.left_out());
    tables.retain(|table| !table.rows.is_empty());
    tables
}

impl Record {
    fn figure_of_real(&self) -> Option<f64> {
        stats::quantile(&self.measured()?.real_ns(), stats::QUANTILE)
    }

    fn figure_of_cpu(&self) -> Option<f64> {
        stats::quantile(&self.measured()?.cpu_ns(), stats::QUANTILE)
    }

    /// System calls of the first thread, and of all.
    fn calls(&self) -> Option<(u64, u64)> {
        let traced = self.measured()?.calls.as_ref()?;
        Some((traced.first_thread.values().sum(), traced.all_threads.values().sum()))
    }
}

/// A row of many tables: a run of a program, written in a language.
type Row<'r> = (&'r str, &'r str, &'r str);

struct Of<'r> {
    records: &'r [Record],
    shown: &'r Shown,
}

impl<'r> Of<'r> {
    /// The engines that there are records of.
    fn engines_here(&self) -> Vec<&'static Engine> {
        Engine::all().filter(|e| self.records.iter().any(|r| r.cell.engine == e.name)).collect()
    }

    /// Those with numbers.
    fn engines_measured(&self) -> Vec<&'static Engine> {
        let is_measured = |e: &&Engine| {
            self.records.iter().any(|r| r.cell.engine == e.name && r.measured().is_some())
        };
        Engine::all().filter(is_measured).collect()
    }

    fn rows(&self) -> Vec<Row<'r>> {
        let mut rows: Vec<Row<'r>> = Vec::new();
        for record in self.records.iter().filter(|record| record.measured().is_some()) {
            let row = (&*record.cell.program, &*record.cell.run, &*record.language);
            if !rows.contains(&row) {
                rows.push(row);
            }
        }
        rows
    }

    /// The records of a row on an engine, in the order of the study.
    fn of<'s>(&'s self, row: Row<'s>, engine: &'s str) -> impl Iterator<Item = &'r Record> + 's {
        self.records.iter().filter(move |record| {
            let cell = &record.cell;
            (&*cell.program, &*cell.run, &*record.language) == row && cell.engine == engine
        })
    }

    fn engines(&self) -> Table {
        let heads = ["engine", "mode", "what it is", "version", "licence", "measured", "instead"];
        let mut table = Table::new("engines", "Engines", &heads);
        for engine in self.engines_here() {
            let of: Vec<_> = self.records.iter().filter(|r| r.cell.engine == engine.name).collect();
            let measured = of.iter().filter(|record| record.measured().is_some()).count();
            let version = of.iter().find_map(|record| record.version.clone()).unwrap_or_default();
            let absent = of.iter().find_map(|record| match &record.outcome {
                Outcome::Absent { reason } if record.version.is_none() => Some(reason.clone()),
                _ => None,
            });
            table.rows.push(vec![
                engine.name.into(),
                (&*engine.mode.to_string()).into(),
                engine.about.into(),
                (&*version).into(),
                engine.licence.into(),
                format!("{measured} of {}", of.len()).into(),
                (&*absent.unwrap_or_default()).into(),
            ]);
        }
        table
    }

    fn compilers(&self) -> Table {
        let heads = ["compiler and setting", "language", "version", "options"];
        let mut table = Table::new("compilers", "Compilers", &heads);
        let mut known: BTreeMap<&str, &Record> = BTreeMap::new();
        for record in self.records {
            known.entry(&record.cell.compiler).or_insert(record);
        }
        table.rows.extend(known.iter().map(|(name, record)| {
            let options = record.flags.join(" ");
            [*name, &*record.language, &*record.compiler, &*options].map(Value::from).into()
        }));
        table
    }

    /// The least of `number` over a language's settings, by engine; the other study's figures in brackets.
    fn best(
        &self,
        id: &str,
        caption: &str,
        number: impl Fn(&Record) -> Option<f64>,
        show: impl Fn(Option<f64>) -> Option<String>,
    ) -> Table {
        let engines = self.engines_measured();
        let mut table = Table::new(id, caption, &["program", "run", "language"]);
        table.heads.extend(engines.iter().map(|engine| engine.name.to_owned()));
        for row in self.rows() {
            let cells = engines.iter().map(|engine| {
                let numbers = self.of(row, engine.name).filter_map(&number);
                let least = numbers.min_by(f64::total_cmp);
                let theirs = self.original(id, row, engine).map(|text| format!(" ({text})"));
                let text = show(least).unwrap_or_default() + &theirs.unwrap_or_default();
                Value::from(text)
            });
            let names = [row.0, row.1, row.2].map(Value::from);
            table.rows.push(names.into_iter().chain(cells).collect());
        }
        table
    }

    /// What the other study has in that place. Its programs are in Go.
    fn original(
        &self,
        id: &str,
        (program, run, language): Row<'_>,
        engine: &Engine,
    ) -> Option<String> {
        let column = engine.original.filter(|_| language == "Go")?;
        let originals = &self.shown.originals;
        match id {
            "times" => originals.seconds(program, run, column).map(|s| time(s * 1e9)),
            "calls-of-first-thread" => {
                originals.calls(program, run, column).map(|calls| format!("{calls:.0}"))
            }
            _ => None,
        }
    }

    fn grid(&self) -> Table {
        let engines = self.engines_measured();
        let mut table = Table::new("grid", "Wall time, the mean", &["program", "run", "compiler"]);
        table.heads.extend(engines.iter().map(|engine| engine.name.to_owned()));
        let mut rows: Vec<[&str; 3]> = Vec::new();
        for record in self.records.iter().filter(|record| record.measured().is_some()) {
            let row = [&*record.cell.program, &*record.cell.run, &*record.cell.compiler];
            if !rows.contains(&row) {
                rows.push(row);
            }
        }
        for row in rows {
            let cells = engines.iter().map(|engine| {
                let record = self.records.iter().find(|record| {
                    let cell = &record.cell;
                    [&*cell.program, &*cell.run, &*cell.compiler] == row
                        && cell.engine == engine.name
                });
                let mean =
                    record.and_then(Record::measured).and_then(|m| stats::summary(&m.real_ns()));
                Value::from(mean.map(|summary| time(summary.mean)).unwrap_or_default())
            });
            table.rows.push(row.map(Value::from).into_iter().chain(cells).collect());
        }
        table
    }

    fn measured(&self) -> impl Iterator<Item = (&'r Record, &'r Measured)> {
        self.records.iter().filter_map(|record| Some((record, record.measured()?)))
    }

    fn cells(&self) -> Table {
        let heads = [
            "cell",
            "mode",
            "executions",
            "wall time",
            "95 % interval",
            "user",
            "system",
            "start-up",
            "compiling",
            "peak memory",
            "calls",
            "of the first thread",
        ];
        let mut table = Table::new("cells", "Every cell", &heads);
        for (record, measured) in self.measured() {
            let figure = |numbers: &[f64]| stats::quantile(numbers, stats::QUANTILE).map(time);
            let [low, real, high] =
                stats::interval(&measured.real_ns(), SEED).unwrap_or_default().map(time);
            let compiles: Vec<f64> =
                measured.compiles.iter().map(|one| one.real_ns as f64).collect();
            let floor = measured.peak_floor_bytes as f64;
            let peak = measured.peak_bytes().map(|peak| bytes(peak as f64));
            let calls = record.calls();
            let cut = if measured.is_cut { ", cut" } else { "" };
            let texts = [
                record.mode.to_string(),
                format!("{}{cut}", measured.executions.len()),
                real,
                format!("{low} to {high}"),
                figure(&measured.user_ns()).unwrap_or_default(),
                figure(&measured.system_ns()).unwrap_or_default(),
                figure(&measured.start_ns()).unwrap_or_default(),
                figure(&compiles).unwrap_or_default(),
                peak.unwrap_or_else(|| format!("under {}", bytes(floor))),
                calls.map(|calls| calls.1.to_string()).unwrap_or_default(),
                calls.map(|calls| calls.0.to_string()).unwrap_or_default(),
            ];
            let name = Value::from(&*record.cell.to_string());
            table.rows.push(std::iter::once(name).chain(texts.map(Value::from)).collect());
        }
        table
    }

    /// The layout of the other study's figures 28 to 30.
    fn summaries(&self) -> Table {
        let heads = ["cell", "time", "mean", "deviation", "least", "median", "most"];
        let caption = "Real, user and system time of every cell";
        let mut table = Table::new("summaries", caption, &heads);
        for (record, measured) in self.measured() {
            let name = record.cell.to_string();
            let kinds = [
                ("real", measured.real_ns()),
                ("user", measured.user_ns()),
                ("system", measured.system_ns()),
            ];
            for (kind, numbers) in kinds {
                let Some(s) = stats::summary(&numbers) else { continue };
                let texts = [s.mean, s.deviation, s.min, s.median, s.max].map(time);
                let names = [Value::from(&*name), Value::from(kind)];
                table.rows.push(names.into_iter().chain(texts.map(Value::from)).collect());
            }
        }
        table
    }

    fn sizes(&self) -> Table {
        let mut table = Table::new(
            "sizes",
            "Sizes; the reduction is 1 - module / native executable of the same language",
            &["program", "compiler", "size", "by gzip", "reduction"],
        );
        let ahead: Vec<_> = self
            .engines_measured()
            .into_iter()
            .filter(|engine| matches!(engine.mode, Mode::AheadOfTime | Mode::Native))
            .collect();
        table.heads.extend(ahead.iter().map(|engine| format!("code: {}", engine.name)));
        let mut seen: Vec<(&str, &str)> = Vec::new();
        for (record, measured) in self.measured() {
            let (program, compiler) = (&*record.cell.program, &*record.cell.compiler);
            if seen.contains(&(program, compiler)) {
                continue;
            }
            seen.push((program, compiler));
            let native = self.measured().find(|(other, _)| {
                other.mode == Mode::Native
                    && other.cell.program == program
                    && other.language == record.language
            });
            let reduction = native
                .filter(|_| record.mode != Mode::Native)
                .map(|(_, native)| reduction(measured.sizes.program, native.sizes.program));
            let theirs = self.shown.originals.kilobytes(program, compiler);
            let theirs = theirs.map(|kb| format!(" ({kb} kB)")).unwrap_or_default();
            let code = ahead.iter().map(|engine| {
                let of_it = self.measured().find(|(other, _)| {
                    (&*other.cell.program, &*other.cell.compiler) == (program, compiler)
                        && other.cell.engine == engine.name
                });
                let code = of_it.and_then(|(_, measured)| measured.sizes.code);
                code.map(|code| bytes(code as f64)).unwrap_or_default()
            });
            let texts = [
                bytes(measured.sizes.program as f64) + &theirs,
                measured.sizes.gzip.map(|gzip| bytes(gzip as f64)).unwrap_or_default(),
                reduction.map(|share| format!("{:.2} %", share * 100.0)).unwrap_or_default(),
            ];
            let names = [program, compiler].map(Value::from);
            let texts = texts.into_iter().chain(code).map(Value::from);
            table.rows.push(names.into_iter().chain(texts).collect());
        }
        table
    }

    /// Names of system calls, and how alike engines are by them: of each row the first setting that was
    /// measured on each engine.
    fn names(&self) -> Vec<Table> {
        let mut all = Vec::new();
        for row in self.rows() {
            let (program, run, language) = row;
            let sets = self.engines_measured().into_iter().filter_map(|engine| {
                let traced = |record: &'r Record| record.measured()?.calls.as_ref();
                let traced = self.of(row, engine.name).find_map(traced)?;
                Some((engine, syscalls::names(&traced.all_threads)))
            });
            let sets: Vec<(&Engine, Names)> = sets.collect();
            if sets.len() < 2 {
                continue;
            }
            let id = format!("{program}/{run}/{language}");
            let caption = format!("{id}: names of system calls, all threads");
            let heads = ["engine", "names", ""];
            let mut names = Table::new(&format!("names {id}"), &caption, &heads);
            names.rows = sets.iter().map(|(engine, set)| of_set(engine, set)).collect();
            all.push(names);
            let raw = format!(
                "{id}: likeness by those names; Sørensen and Dice above the diagonal, Jaccard below"
            );
            all.push(self.likeness(&format!("likeness {id}"), &raw, row, &sets));
            let sets: Vec<_> =
                sets.iter().map(|(engine, set)| (*engine, syscalls::at_forms(set))).collect();
            let raw = format!("{id}: the same with names in the form of every instruction set");
            all.push(self.likeness(&format!("likeness-at {id}"), &raw, row, &sets));
        }
        all
    }

    fn likeness(&self, id: &str, caption: &str, row: Row<'_>, sets: &[(&Engine, Names)]) -> Table {
        let mut table = Table::new(id, caption, &["engine"]);
        table.heads.extend(sets.iter().map(|(engine, _)| engine.name.to_owned()));
        for (i, (engine, a)) in sets.iter().enumerate() {
            let cells = sets.iter().enumerate().map(|(j, (other, b))| {
                let value = match i.cmp(&j) {
                    std::cmp::Ordering::Equal => return Value::default(),
                    std::cmp::Ordering::Less => syscalls::dice(a, b),
                    std::cmp::Ordering::Greater => syscalls::jaccard(a, b),
                };
                let pair = engine.original.zip(other.original).filter(|_| i < j && row.2 == "Go");
                let theirs = pair.and_then(|(a, b)| self.shown.originals.dice(row.0, a, b));
                let theirs = theirs.map(|dice| format!(" ({dice:.4})")).unwrap_or_default();
                // Ten shades.
                let class = format!("h{}", ((value * 10.0) as u32).min(9));
                Value { text: format!("{value:.4}{theirs}"), class }
            });
            table.rows.push(std::iter::once(Value::from(engine.name)).chain(cells).collect());
        }
        table
    }

    fn left_out(&self) -> Table {
        let caption = "Cells without numbers, and numbers that are missing";
        let mut table = Table::new("left-out", caption, &["what", "why", "cells"]);
        let mut reasons: BTreeMap<(String, &str), usize> = BTreeMap::new();
        for record in self.records {
            let missing = record.measured().into_iter().flat_map(|measured| &measured.left_out);
            let reasons_of = record.reason().into_iter().chain(missing.map(String::as_str));
            for reason in reasons_of {
                let cell = &record.cell;
                let what = match &record.outcome {
                    Outcome::Absent { .. } if record.version.is_none() => cell.engine.clone(),
                    Outcome::Absent { .. } => format!("{}/{}", cell.program, cell.compiler),
                    _ => cell.to_string(),
                };
                *reasons.entry((what, reason)).or_default() += 1;
            }
        }
        table.rows.extend(reasons.into_iter().map(|((what, reason), count)| {
            vec![Value::from(&*what), Value::from(reason), Value::from(count.to_string())]
        }));
        table
    }
}

fn of_set(engine: &Engine, set: &Names) -> Vec<Value> {
    let names: Vec<&str> = set.iter().map(String::as_str).collect();
    vec![engine.name.into(), set.len().to_string().into(), (&*names.join(" ")).into()]
}

/// How much smaller a module is than an executable: 1 - module / executable.
fn reduction(module: u64, executable: u64) -> f64 {
    1.0 - module as f64 / executable as f64
}

fn contrasted(pair: &Contrasted<'_>) -> Vec<Value> {
    let figures = |record: &Record| {
        let [real, cpu] = [record.figure_of_real(), record.figure_of_cpu()].map(|number| {
            let shown = number.map(time);
            Value::from(shown.unwrap_or_default())
        });
        (real, cpu)
    };
    let ((base_real, base_cpu), (real, cpu)) = (figures(pair.base), figures(pair.new));
    let name = Value::from(&*pair.new.cell.to_string());
    let [of_real, of_cpu] = [pair.real, pair.cpu].map(compared);
    let parts = [vec![name, base_real, real], of_real, vec![base_cpu, cpu], of_cpu];
    parts.concat()
}

/// A ratio with its interval, and its verdict.
fn compared(compared: Option<Compared>) -> Vec<Value> {
    let Some(Compared { ratio, verdict }) = compared else { return vec![Value::default(); 2] };
    let (word, class) = match verdict {
        Verdict::Faster => ("faster", "faster"),
        Verdict::Slower => ("slower", "slower"),
        Verdict::Same => ("same", "same"),
        Verdict::CannotTell => ("can't tell", "untold"),
    };
    let text = format!("{:.3} ({:.3} to {:.3})", ratio.ratio, ratio.low, ratio.high);
    [text, word.to_owned()].map(|text| Value { text, class: class.into() }).into()
}

#[cfg(test)]
mod tests {
    use super::reduction;

    /// Cells of the other study's table 14, in kB: module, executable, the printed reduction in %.
    #[test]
    fn the_reduction_is_that_of_the_study() {
        for (module, executable, printed) in [
            (38.0, 1331.2, "97.15"),
            (4.6, 1331.2, "99.65"),
            (79.0, 1331.2, "94.07"),
            (7.4, 1331.2, "99.44"),
            (139.0, 1536.0, "90.95"),
            (6.1, 1536.0, "99.60"),
            (165.0, 1638.4, "89.93"),
            (23.6, 1638.4, "98.56"),
            (333.0, 2048.0, "83.74"),
            (58.0, 2048.0, "97.17"),
            (286.0, 2048.0, "86.04"),
            (89.0, 2048.0, "95.65"),
        ] {
            let [module, executable] = [module, executable].map(|kb: f64| (kb * 1000.0) as u64);
            assert_eq!(format!("{:.2}", reduction(module, executable) * 100.0), printed);
        }
    }
}
