//! The ledger runtime: accounts, transfers and fees, as `../../SPEC.md` has it.
//!
//! ```text
//! input --api--> Extrinsic, Block --executive--> system, timestamp, balances, payment
//!                                                  `--> storage --> host
//! ```
//!
//! One source for Wasm and for a native process, where it is what every engine is compared with;
//! only `host` knows which of them it is in. Exports and heap of the Wasm module are in the crate around this one.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod api;
pub mod balances;
pub mod executive;
pub mod extrinsic;
#[cfg(feature = "std")]
pub mod generator;
pub mod genesis;
pub mod host;
pub mod outcome;
pub mod params;
pub mod payment;
pub mod storage;
pub mod system;
pub mod timestamp;
pub mod types;
