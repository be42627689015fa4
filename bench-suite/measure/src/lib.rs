//! Clocks, counters and bounds of this process: what the command and the bench suite share.
//!
//! It has no words for people but units, and decides no process's end: whoever sets a bound, or
//! wants to be told that memory is refused, says what happens then.

#![warn(clippy::unwrap_used)]

pub mod bounds;
pub mod child;
pub mod cpu;
pub mod figure;
pub mod out_of_memory;
pub mod peak;
pub mod resources;
pub mod sampler;
pub mod wall;

pub use bounds::{Allocator, Bounds, Exceeded};
