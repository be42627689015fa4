//! Measures Lithify against JITs and interpreters, with outputs compared.
//!
//! ```text
//! Workload --runner: processes of worker--> samples --report--> tables
//! ```
//!
//! `runner` never prints, `report` never measures: a report can be redone from raw samples. A
//! number counts only where all engines gave the same output and reached the same state.
//!
//! A process is a measurement, and this program starts itself for each:
//!
//! ```no_run
//! use lithify_bench::{Options, Workload, report, run, table, worker};
//! use lithify_polkadot::Input;
//!
//! # fn main() -> anyhow::Result<()> {
//! if std::env::args().nth(1).as_deref() == Some("worker") {
//!     return worker::main();
//! }
//! let input = Input::read(std::fs::read("block.json")?, "block.json")?;
//! let workload = Workload::new("my chain", input)?;
//! let options = Options { processes: 60, ..Options::new(&["worker"])? };
//! let measured = run(&[workload], &options, &mut ())?;
//! print!("{}", table(&report(&measured)));
//! # Ok(())
//! # }
//! ```

#![warn(clippy::unwrap_used)]

pub mod author;
pub mod calibrate;
mod callgrind;
pub mod comparison;
pub mod engine;
pub mod frames;
pub mod functions;
pub mod history;
pub mod machine;
pub mod manifest;
mod matching;
pub mod phase;
pub mod program;
pub mod report;
pub mod runner;
pub mod sample;
pub mod scratch;
pub mod soak;
pub mod stats;
pub mod study;
pub mod transfers;
pub mod worker;
pub mod workload;

pub use lithify_measure::child::Stop;
pub use manifest::{Calls, Manifest};
pub use report::{Report, csv, markdown, report, table};
pub use runner::{Observer, Options, run};
pub use sample::{Record, Run};
pub use workload::Workload;
