//! Whole studies: programs by several compilers on several engines, each a command of its own.
//!
//! ```text
//! FILE.toml --file--> Study: cells --measure--> a Record each --results--> a folder --report--> tables, a page
//! ```
//!
//! A **cell** is a run of a program, built by one compiler with one setting, on one engine in one mode. It is
//! measured by itself and kept in a file of its own, so that cells can be spread over machines, a study goes on
//! where it was killed, and results of several machines are joined by putting files together.
//!
//! Engines are known by their commands alone, and an engine that is absent makes a record that says so: there
//! are never silently fewer rows. Not here: what is measured inside of a process, with engines as libraries
//! (`runner.rs`), and what programs there are (`program.rs`).

pub mod contrast;
pub mod engine;
pub mod file;
pub mod measure;
pub mod originals;
pub mod record;
pub mod report;
pub mod results;
pub mod syscalls;

pub use file::{Cell, Study};
pub use record::Record;
pub use results::Results;
