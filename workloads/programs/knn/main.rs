//! Tells irises apart by the eight nearest neighbours of each: half of the rows train, the other half
//! is asked, and the share that comes out right is printed.
//!
//! What the idea leaves open is settled so: neighbours at the same distance are taken in the order of
//! their rows, and of labels with the same number of votes the one of the nearest neighbour wins.

use std::{collections::HashMap, error::Error};

const FILE: &str = "iris.csv";

/// Rows `xx` with their labels `y`, of which `k` are asked.
struct Knn {
    k: usize,
    xx: Vec<Vec<f64>>,
    y: Vec<String>,
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()
}

impl Knn {
    fn predict(&self, row: &[f64]) -> Option<&str> {
        let known = self.xx.iter().map(|known| distance(row, known));
        let mut neighbours: Vec<(f64, &str)> =
            known.zip(self.y.iter().map(String::as_str)).collect();
        neighbours.sort_by(|a, b| a.0.total_cmp(&b.0));
        neighbours.truncate(self.k);
        let mut votes: HashMap<&str, usize> = HashMap::new();
        for (_, label) in &neighbours {
            *votes.entry(label).or_default() += 1;
        }
        let most = votes.values().max()?;
        neighbours.iter().map(|near| near.1).find(|label| votes[label] == *most)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let rows = read()?;
    let mut knn = Knn { k: 8, xx: Vec::new(), y: Vec::new() };
    for (row, label) in rows.iter().step_by(2) {
        knn.xx.push(row.clone());
        knn.y.push(label.clone());
    }
    let asked: Vec<_> = rows.iter().skip(1).step_by(2).collect();
    let right = asked.iter().filter(|(row, label)| knn.predict(row) == Some(label)).count();
    println!("{:.6}", right as f64 / asked.len() as f64);
    Ok(())
}

/// The numbers of each row, and the label behind them.
fn read() -> Result<Vec<(Vec<f64>, String)>, Box<dyn Error>> {
    let mut rows = Vec::new();
    for record in csv::Reader::from_path(FILE)?.records() {
        let record = record?;
        let (label, numbers) = (&record[record.len() - 1], record.len() - 1);
        let row = record.iter().take(numbers).map(str::parse).collect::<Result<_, _>>()?;
        rows.push((row, label.to_owned()));
    }
    Ok(rows)
}
