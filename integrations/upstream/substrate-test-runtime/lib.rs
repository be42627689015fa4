//! What the tests of sc-executor use of the crate of this name, which is in no registry: a type of
//! blocks, whose API has a version, and a runtime to embed versions in.

use sp_runtime::{OpaqueExtrinsic, generic, traits::BlakeTwo256};

pub use sc_runtime_test::wasm_binary_unwrap;

/// The type of a block.
pub type Block = generic::Block<generic::Header<u64, BlakeTwo256>, OpaqueExtrinsic>;
