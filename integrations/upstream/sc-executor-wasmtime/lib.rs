//! The tests of the crate that ours stands in for, which name it `crate`.

pub use sc_executor_wasmtime::*;

#[cfg(test)]
#[path = "../../target/upstream/sc-executor-wasmtime-0.47.0/src/tests.rs"]
mod tests;
