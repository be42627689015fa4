//! A comparison in words: what became slower first, then what else changed, then the rest.

use super::markdown::escape;
use super::table::show;
use crate::comparison::{Compared, Exact, Function, Row};
use crate::phase::Unit;
use crate::sample::Sides;
use crate::stats::Verdict;
use lithify_measure::figure::{bytes, time};

/// Functions of a row that are shown at most.
const FUNCTIONS: usize = 12;

/// The result in a sentence.
pub fn sentence(compared: &Compared) -> String {
    let of = |verdict| compared.rows.iter().filter(move |row| row.verdict == verdict);
    let worst = |verdict: Verdict| {
        let row = of(verdict)
            .max_by(|a, b| a.ratio.ratio.ln().abs().total_cmp(&b.ratio.ratio.ln().abs()))?;
        let more = if of(verdict).count() > 1 { ", most of all" } else { ":" };
        let percent = (row.ratio.ratio - 1.0).abs() * 100.0;
        Some(format!("{more} {}, by {percent:.1} %", row.label()))
    };
    let count = |verdict: Verdict, words: [&str; 2]| {
        let count = of(verdict).count();
        let what = if count == 1 { words[0] } else { words[1] };
        let which = worst(verdict).filter(|_| verdict.is_change()).unwrap_or_default();
        (count > 0).then(|| format!("{count} {what}{which}"))
    };
    let parts = [
        count(Verdict::Slower, ["row is slower", "rows are slower"]),
        count(Verdict::Faster, ["row is faster", "rows are faster"]),
        count(Verdict::Same, ["row is the same", "rows are the same"]),
        count(Verdict::CannotTell, ["row cannot be told", "rows cannot be told"]),
    ];
    let mut parts: Vec<String> = parts.into_iter().flatten().collect();
    match &compared.broken[..] {
        [] => {}
        [call] => parts.insert(0, format!("{call} fails now")),
        calls => parts.insert(0, format!("{} calls fail now", calls.len())),
    }
    parts.join("; ")
}

/// Slower, faster, untold, the same; within each as they were measured.
pub(super) fn sorted(compared: &Compared) -> Vec<&Row> {
    let order = [Verdict::Slower, Verdict::Faster, Verdict::CannotTell, Verdict::Same];
    let rows = |verdict| compared.rows.iter().filter(move |row| row.verdict == verdict);
    order.into_iter().flat_map(rows).collect()
}

/// What a verdict is called for a figure in that unit.
pub fn word(verdict: Verdict, unit: Option<Unit>) -> &'static str {
    match (verdict, unit) {
        (Verdict::CannotTell, _) => "can't tell",
        (Verdict::Same, _) => "same",
        (Verdict::Faster, Some(Unit::Ns)) => "faster",
        (Verdict::Slower, Some(Unit::Ns)) => "slower",
        (Verdict::Faster, Some(Unit::Bytes)) => "smaller",
        (Verdict::Slower, Some(Unit::Bytes)) => "larger",
        (Verdict::Faster, None) => "fewer",
        (Verdict::Slower, None) => "more",
    }
}

fn row_word(row: &Row) -> &'static str {
    word(row.verdict, Some(row.phase.unit()))
}

impl Exact {
    /// The call, and what of it.
    pub fn label(&self) -> String {
        let call = self.call.as_ref().map(|call| format!("{call} "));
        format!("{}{}", call.unwrap_or_default(), self.what)
    }

    pub(super) fn show(&self, value: u64) -> String {
        if self.is_bytes { bytes(value as f64) } else { value.to_string() }
    }

    pub(super) fn word(&self) -> &'static str {
        word(self.verdict, self.is_bytes.then_some(Unit::Bytes))
    }

    /// By how much it differs; nothing where there was none.
    pub(super) fn change(&self) -> String {
        match self.base {
            0 => String::new(),
            base => format!("{:+.2} %", (self.new as f64 / base as f64 - 1.0) * 100.0),
        }
    }
}

/// What the sides are and how far apart equal ones may be, in a sentence.
pub fn conditions(compared: &Compared) -> String {
    match (compared.comparison.of, compared.comparison.links) {
        (Sides::Modules, _) => {
            "Processes of both sides ran in random order; differences below the floor \
                           of 1 % are none"
                .into()
        }
        (Sides::Builds, Some(links)) => format!(
            "Each build is there {links} times, linked in different orders, and a binary is one \
             measurement, so that what layout does is in the interval; processes of all of them ran in \
             random order; differences below the floor of 1 % are none"
        ),
        (Sides::Builds, None) => {
            "Processes of both builds ran in random order; layout alone moves a call by \
                          up to 3 %, above 20 us by 1.5 %, and less is no difference"
                .into()
        }
        (Sides::Commands, _) => {
            "Runs of both commands came in random order; differences below 1 % are \
                            none"
                .into()
        }
        (Sides::Hours, _) => {
            let machine = compared.reference.map_or_else(
                || "there is no reference work to tell by how much".to_owned(),
                |reference| {
                    let by = (reference - 1.0) * 100.0;
                    format!("its reference work took {by:+.1} %, which is taken out")
                },
            );
            format!(
                "Two runs of different hours, between which the machine changes: {machine}; what is \
                 left below 15 % is no difference. To tell more, measure both sides at once: \
                 lithify compare OLD.wasm NEW.wasm"
            )
        }
    }
}

/// For a terminal: one line a row, at most 80 columns where names are short.
pub fn text(compared: &Compared) -> String {
    let comparison = &compared.comparison;
    let mut lines = vec![format!("{} against {}", comparison.new, comparison.base)];
    lines.push(sentence(compared));
    lines.push(String::new());
    for row in sorted(compared) {
        let (base, new) = (show(row.phase, row.base), show(row.phase, row.new));
        let (ratio, word) = (row.ratio, row_word(row));
        lines.push(format!(
            "{word:<10} {:<24} {base:>8} -> {new:>8}  {:.3} ({:.3} to {:.3})",
            row.label(),
            ratio.ratio,
            ratio.low,
            ratio.high
        ));
    }
    let changed = compared.exact.iter().filter(|exact| exact.verdict != Verdict::Same);
    let mut count = 0;
    for exact in changed {
        count += 1;
        let (base, new) = (exact.show(exact.base), exact.show(exact.new));
        let line = format!(
            "{:<10} {:<32} {base:>8} -> {new:>8}  {}",
            exact.word(),
            exact.label(),
            exact.change()
        );
        lines.push(line.trim_end().to_owned());
    }
    if !compared.exact.is_empty() {
        let same = compared.exact.len() - count;
        lines.push(format!("same       {same} of {} exact figures", compared.exact.len()));
    }
    for row in rows_explained(compared) {
        lines.push(String::new());
        lines.push(format!("{}, by function of the guest, per call:", row.label()));
        for function in explained(row) {
            let [name, base, new, change, instructions] = function_cells(function);
            let line = format!("{change:>10}  {base:>8} -> {new:>8}  {name}  {instructions}");
            lines.push(line.trim_end().to_owned());
        }
    }
    for absent in &compared.absent {
        lines.push(format!("left out   {}: {}", absent.what, absent.reason));
    }
    lines.push(String::new());
    let mut words = conditions(compared);
    words += ". The ratio is new / base, with its 95 % interval.";
    if compared.rows.iter().any(|row| row.verdict == Verdict::CannotTell) {
        words += match comparison.links {
            Some(_) => " Can't tell: the interval is too wide; more links of each build may.",
            None => {
                " Can't tell: the interval is too wide, or an alarm did not come again; more \
                 --processes may."
            }
        };
    }
    lines.extend(wrapped(&words));
    lines.join("\n")
}

/// The heads of [`function_cells`]. Without a count of instructions the last is left out.
pub(super) fn function_heads(row: &Row) -> &'static [&'static str] {
    let heads = &["function", "base", "new", "change", "instructions"];
    let is_counted = row.functions.iter().any(|function| function.instructions.is_some());
    if is_counted { heads } else { &heads[..4] }
}

/// A function of a row as it is shown: what it takes of both sides, the change, and instructions.
pub(super) fn function_cells(function: &Function) -> [String; 5] {
    let change = function.new_ns - function.base_ns;
    let sign = if change < 0.0 { "-" } else { "+" };
    let change = format!("{sign}{}", time(change.abs()));
    let instructions = function.instructions.map(|[base, new]| format!("{base} -> {new}"));
    let name = function.name.clone();
    let (base, new) = (time(function.base_ns), time(function.new_ns));
    [name, base, new, change, instructions.unwrap_or_default()]
}

/// Rows of which somebody looked where their time goes, and found a change.
pub(super) fn rows_explained(compared: &Compared) -> Vec<&Row> {
    sorted(compared).into_iter().filter(|row| explained(row).next().is_some()).collect()
}

/// The functions of a row that are worth a line: the largest changes.
pub(super) fn explained(row: &Row) -> impl Iterator<Item = &Function> {
    // Below a hundredth of the call a change is noise of the sampler.
    let least = row.base.max(row.new) / 100.0;
    let counts = row.functions.iter().filter_map(|function| function.instructions);
    let all = counts.fold([0, 0], |[a, b], [base, new]| [a + base, b + new]);
    let least_instructions = (all[0].max(all[1]) / 100).max(1);
    let worth = move |function: &&Function| {
        let more = function.instructions.map_or(0, |[base, new]| base.abs_diff(new));
        (function.new_ns - function.base_ns).abs() >= least || more >= least_instructions
    };
    row.functions.iter().filter(worth).take(FUNCTIONS)
}

/// Lines of at most 80 columns.
fn wrapped(words: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in words.split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > 80 {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

/// For a pull request: what changed is open, the rest folded.
pub fn markdown(compared: &Compared) -> String {
    let comparison = &compared.comparison;
    let head = "| | | base | new | new / base | |\n|---|---|--:|--:|--:|---|";
    let row = |row: &Row| {
        let ratio = row.ratio;
        format!(
            "| {} | {} | {} | {} | {:.3} ({:.3} to {:.3}) | {} processes a side |",
            row_word(row),
            escape(&row.label()),
            show(row.phase, row.base),
            show(row.phase, row.new),
            ratio.ratio,
            ratio.low,
            ratio.high,
            ratio.processes
        )
    };
    let exact = |exact: &Exact| {
        let label = escape(&exact.label());
        let (base, new) = (exact.show(exact.base), exact.show(exact.new));
        format!("| {} | {label} | {base} | {new} | {} | exact |", exact.word(), exact.change())
    };
    let lines = |changed: bool| {
        let rows = sorted(compared).into_iter().filter(|row| row.verdict.is_change() == changed);
        let figures = compared.exact.iter().filter(|exact| exact.verdict.is_change() == changed);
        rows.map(row).chain(figures.map(exact)).collect::<Vec<_>>()
    };
    let mut blocks = vec![
        format!("### {} against {}", escape(&comparison.new), escape(&comparison.base)),
        format!("**{}**", escape(&sentence(compared))),
    ];
    let changed = lines(true);
    if !changed.is_empty() {
        blocks.push(format!("{head}\n{}", changed.join("\n")));
    }
    let rest = lines(false);
    if !rest.is_empty() {
        let count = rest.len();
        blocks.push(format!("<details><summary>{count} without a change</summary>"));
        blocks.push(format!("{head}\n{}", rest.join("\n")));
        blocks.push("</details>".into());
    }
    for row in rows_explained(compared) {
        let heads = function_heads(row);
        let line = |function: &Function| {
            let cells = function_cells(function).map(|cell| escape(&cell));
            format!("| {} |", cells[..heads.len()].join(" | "))
        };
        let lines: Vec<String> = explained(row).map(line).collect();
        let head = format!("| {} |\n|---{}|", heads.join(" | "), "|--:".repeat(heads.len() - 1));
        let label = escape(&row.label());
        blocks.push(format!("{label}, by function of the guest, per call:"));
        blocks.push(format!("{head}\n{}", lines.join("\n")));
    }
    let absent = compared.absent.iter();
    blocks.extend(absent.map(|a| format!("Left out: {}: {}", escape(&a.what), escape(&a.reason))));
    blocks.push(format!("{}.", escape(&conditions(compared))));
    blocks.join("\n\n")
}

/// A line for each row and exact figure.
pub fn csv(compared: &Compared) -> String {
    let mut text = String::from("row,unit,base,new,ratio,low,high,processes,p_value,verdict\n");
    for row in &compared.rows {
        let (ratio, unit) = (row.ratio, row.phase.unit().name());
        let p_value = row.p_value.map(|p| p.to_string()).unwrap_or_default();
        text += &format!(
            "{},{unit},{:.1},{:.1},{:.5},{:.5},{:.5},{},{p_value},{}\n",
            super::csv::quoted(&row.label()),
            row.base,
            row.new,
            ratio.ratio,
            ratio.low,
            ratio.high,
            ratio.processes,
            row_word(row)
        );
    }
    for exact in &compared.exact {
        let (unit, label) = (exact.unit(), super::csv::quoted(&exact.label()));
        text += &format!("{label},{unit},{},{},,,,,,{}\n", exact.base, exact.new, exact.word());
    }
    text
}
