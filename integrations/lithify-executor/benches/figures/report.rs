//! Tables of samples.

use crate::chance::Chance;
use serde_json::Value;

/// What is told of a process's samples: p50, p99, mean.
const TOLD: [fn(Vec<f64>) -> Option<f64>; 3] = [
    |values| quantile(values, 0.5),
    |values| quantile(values, 0.99),
    |values| Some(values.iter().sum::<f64>() / values.len() as f64),
];

/// Prints the table of a figure: what is told of each process, the median over the processes, and its
/// ratio to the first row's. With `before`, which is one of the parts, the ratio to that part of the
/// same row instead.
pub fn print(figure: &str, rows: &[&str], samples: &[Value], seed: u64, before: Option<&str>) {
    let of_row = |row: &str| -> Vec<&Value> {
        let is = |sample: &&Value| sample["figure"] == figure && sample["row"] == row;
        samples.iter().filter(is).map(|sample| &sample["sample"]).collect()
    };
    let Some(parts) = of_row(rows[0]).first().and_then(|sample| sample.as_object()) else { return };
    let to = before.map_or_else(|| format!("{}'s", rows[0]), |part| format!("that of {part}"));
    println!("\n{figure}: ratios are to {to}\n");
    println!("| | | p50 | p99 | mean | ratio of p50 | ratio of p99 | ratio of mean |");
    println!("|---|---|--:|--:|--:|---|---|---|");
    let unit = if figure == "memory" { bytes } else { time };
    for part in parts.keys() {
        for row in rows {
            let told = |row: &str, part: &str, tell: fn(Vec<f64>) -> Option<f64>| -> Vec<f64> {
                let of_process = |sample: &&Value| {
                    let values = sample[part].as_array()?;
                    tell(values.iter().filter_map(Value::as_f64).collect())
                };
                of_row(row).iter().filter_map(of_process).collect()
            };
            let cells = TOLD.map(|tell| {
                let ours = told(row, part, tell);
                let theirs = match before {
                    Some(before) => told(row, before, tell),
                    None => told(rows[0], part, tell),
                };
                let median = quantile(ours.clone(), 0.5).unwrap_or(f64::NAN);
                (unit(median), ratio(&ours, &theirs, seed))
            });
            let [values, ratios] = [
                cells.each_ref().map(|(value, _)| value.as_str()).join(" | "),
                cells.each_ref().map(|(_, ratio)| ratio.as_str()).join(" | "),
            ];
            println!("| {part} | {row} | {values} | {ratios} |");
        }
    }
}

/// The quantile `q` of values.
fn quantile(mut values: Vec<f64>, q: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    Some(values[(q * last as f64).round() as usize])
}

/// The ratio of medians, and its interval.
fn ratio(ours: &[f64], theirs: &[f64], seed: u64) -> String {
    let mut chance = Chance::new(seed);
    let mut resample = |values: &[f64]| {
        let drawn = values.iter().map(|_| values[chance.below(values.len())]).collect();
        quantile(drawn, 0.5)
    };
    let ratios =
        (0..2000).filter_map(|_| Some(resample(ours)? / resample(theirs)?)).collect::<Vec<_>>();
    let all = quantile(ours.to_vec(), 0.5).zip(quantile(theirs.to_vec(), 0.5));
    match (all, quantile(ratios.clone(), 0.025), quantile(ratios, 0.975)) {
        (Some((ours, theirs)), Some(low), Some(high)) => {
            format!("{:.2} ({low:.2} to {high:.2})", ours / theirs)
        }
        _ => "-".into(),
    }
}

fn time(ns: f64) -> String {
    match ns {
        ns if ns < 1e4 => format!("{:.2} us", ns / 1e3),
        ns if ns < 1e6 => format!("{:.0} us", ns / 1e3),
        ns => format!("{:.1} ms", ns / 1e6),
    }
}

fn bytes(bytes: f64) -> String {
    format!("{:.2} MB", bytes / 1e6)
}
