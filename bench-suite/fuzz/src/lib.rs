//! Does anyone disagree, and does any file bring a parser down?
//!
//! ```text
//! seed, number --generate--> module --rewrite, compare--> agreement | finding --shrink--> case
//! seed, number --parsers, structure--> damaged file --read--> an answer | finding --> case
//! seed --cost--> repeated shapes --compile--> the dearest | finding --> case
//! ```
//!
//! Workers are processes: a crash is a finding like any other. The one who starts them
//! (`supervise`) only makes inputs again, by their number, shrinks and keeps them.

#![warn(clippy::unwrap_used)]

mod chains;
pub mod compare;
mod copies;
pub mod cost;
mod dispatch;
pub mod generate;
mod loops;
pub mod parsers;
mod rewrite;
pub mod shrink;
mod stray;
mod structure;
pub mod supervise;
pub mod work;
