//! How figures grow: a call with the transfers in its block, compiling with the size of the module. A line
//! is fitted to each by the median of the slopes between all pairs (Theil and Sen), which one figure far
//! off does not move.

use super::Report;
use crate::engine::Id;
use crate::phase::Phase;
use crate::stats::quantile;
use crate::workload::HOST_CALLS;
use lithify_measure::figure::bytes;
use std::collections::BTreeMap;

/// The fewest points of a curve.
const POINTS: usize = 3;

/// What figures grow with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum With {
    /// Transfers in a block.
    Transfers,
    /// Bytes of a module.
    Bytes,
}

impl With {
    /// What is counted, for an axis.
    pub fn axis(self) -> &'static str {
        match self {
            Self::Transfers => "transfers in the block",
            Self::Bytes => "size of the module",
        }
    }

    /// A number of them.
    pub fn show(self) -> fn(f64) -> String {
        match self {
            Self::Transfers => |count| format!("{count:.0}"),
            Self::Bytes => bytes,
        }
    }

    /// By how many a slope is told, and what to call that.
    pub fn step(self) -> (f64, &'static str) {
        match self {
            Self::Transfers => (1.0, "for one more transfer"),
            Self::Bytes => (1000.0, "for one more kB"),
        }
    }
}

/// A figure over what it grows with.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// What grows.
    pub title: String,
    /// With what.
    pub with: With,
    /// On which engine.
    pub engine: Id,
    /// What it grows with, and the figure in ns, by the former.
    pub points: Vec<(f64, f64)>,
    /// More ns for one more.
    pub slope: f64,
    /// What is left for none, in ns.
    pub fixed: f64,
}

/// The curves of a report: of blocks that differ in the number behind the name of the call, and of modules
/// that differ in size.
pub fn curves(report: &Report) -> Vec<Curve> {
    let mut all: BTreeMap<(With, String, Id), Vec<(f64, f64)>> = BTreeMap::new();
    for workload in report.workloads.iter().filter(|workload| workload.name != HOST_CALLS) {
        for (call, section) in &workload.calls {
            let Some((entry, count)) = call.rsplit_once(' ') else { continue };
            let Ok(count) = count.parse::<u32>() else { continue };
            for row in &section.rows {
                let title = format!("{} {entry}, total", workload.name);
                if let Some(total) = row.figures.get(&Phase::Total) {
                    let key = (With::Transfers, title, row.engine.clone());
                    let curve = all.entry(key).or_default();
                    curve.push((f64::from(count), *total));
                }
            }
        }
        for row in &workload.module.rows {
            let size = workload.wasm_bytes.map(|bytes| bytes as f64);
            if let Some((size, compile)) = size.zip(row.figures.get(&Phase::CompileCpu)) {
                let key = (With::Bytes, "compile, CPU time".to_owned(), row.engine.clone());
                all.entry(key).or_default().push((size, *compile));
            }
        }
    }
    let curve = |((with, title, engine), mut points): (_, Vec<(f64, f64)>)| {
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (slope, fixed) = fitted(&points)?;
        Some(Curve { title, with, engine, points, slope, fixed })
    };
    all.into_iter().filter_map(curve).collect()
}

/// Slope and what is left at 0; none for too few different places.
fn fitted(points: &[(f64, f64)]) -> Option<(f64, f64)> {
    let mut places: Vec<f64> = points.iter().map(|(x, _)| *x).collect();
    places.dedup();
    if places.len() < POINTS {
        return None;
    }
    let mut slopes = Vec::new();
    for (at, (x, y)) in points.iter().enumerate() {
        let before = points[..at].iter().filter(|(other, _)| other < x);
        slopes.extend(before.map(|(other_x, other_y)| (y - other_y) / (x - other_x)));
    }
    let slope = quantile(&slopes, 0.5)?;
    let left: Vec<f64> = points.iter().map(|(x, y)| y - slope * x).collect();
    Some((slope, quantile(&left, 0.5)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_fitted_past_what_is_far_off() {
        let mut points: Vec<(f64, f64)> =
            (0..9).map(|x| (f64::from(x), 50.0 + 7.0 * f64::from(x))).collect();
        assert_eq!(fitted(&points), Some((7.0, 50.0)));
        points[4].1 = 1000.0;
        let (slope, fixed) = fitted(&points).expect("enough points");
        assert!((slope - 7.0).abs() < 0.5 && (fixed - 50.0).abs() < 3.0, "{slope}, {fixed}");
        assert_eq!(fitted(&points[..2]), None);
        assert_eq!(fitted(&[(1.0, 2.0); 5]), None);
    }
}
