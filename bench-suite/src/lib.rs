//! Measures Lithify against JITs and interpreters, with outputs compared.
//!
//! ```text
//! Workload --runner: processes of worker--> samples --report--> tables
//! ```
//!
//! `runner` never prints, `report` never measures: a report can be redone from raw samples. A
//! number counts only where all engines gave the same output and reached the same state.

#![warn(clippy::unwrap_used)]

pub mod engine;
pub mod machine;
pub mod manifest;
pub mod phase;
pub mod report;
pub mod runner;
pub mod sample;
pub mod soak;
pub mod stats;
pub mod transfers;
pub mod worker;
pub mod workload;

pub use manifest::{Calls, Manifest};
pub use report::{Report, markdown, report, table};
pub use runner::{Observer, Options, run};
pub use sample::{Record, Run};
pub use workload::Workload;
