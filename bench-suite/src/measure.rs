//! Clocks and counters of this process, and the few things that only `unsafe` gives.

pub mod cpu;
pub mod limit;
pub mod refusal;
pub mod resources;
pub mod rss;
pub mod trusted;
pub mod wall;
