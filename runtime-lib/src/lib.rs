//! Loads images made by `lithify-compiler` and runs them.

pub mod host;
#[cfg(feature = "polkadot")]
pub mod polkadot;
