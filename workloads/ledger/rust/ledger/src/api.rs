//! The entry points: from the bytes of the arguments to those of the result.

use alloc::vec::Vec;

use parity_scale_codec::{Decode, Encode, Error};

use crate::{
    executive::{self, apply},
    extrinsic::{Extrinsic, Preamble},
    genesis, host,
    outcome::{Inherents, QueriedInfo},
    params, payment, storage, system, timestamp,
    types::{AccountId, Balance, Block, Hash, Header},
};

/// Version 14 metadata, made by `../../metadata`.
const METADATA: &[u8] = include_bytes!("../../../metadata.scale");

/// Takes the function from bytes to bytes of each entry point, by name: `$each!(name, function)`.
#[macro_export]
macro_rules! for_each_entry_point {
    ($each:ident) => {
        $each!(Core_version, version);
        $each!(Core_initialize_block, initialize_block);
        $each!(Core_execute_block, execute_block);
        $each!(BlockBuilder_apply_extrinsic, apply_extrinsic);
        $each!(BlockBuilder_inherent_extrinsics, inherent_extrinsics);
        $each!(BlockBuilder_check_inherents, check_inherents);
        $each!(BlockBuilder_finalize_block, finalize_block);
        $each!(TaggedTransactionQueue_validate_transaction, validate_transaction);
        $each!(AccountNonceApi_account_nonce, account_nonce);
        $each!(TransactionPaymentApi_query_info, query_info);
        $each!(Metadata_metadata, metadata);
        $each!(GenesisBuilder_get_preset, get_preset);
        $each!(GenesisBuilder_build_state, build_state);
    };
}

/// Calls the entry point `name`; `None` if there is no such one. A trap is a panic.
pub fn call(name: &str, input: &[u8]) -> Option<Vec<u8>> {
    macro_rules! try_each {
        ($name:ident, $function:ident) => {
            if name == stringify!($name) {
                return Some($function(input));
            }
        };
    }
    for_each_entry_point!(try_each);
    None
}

/// The version of this runtime.
pub fn version(input: &[u8]) -> Vec<u8> {
    nothing(input);
    params::version().encode()
}

/// Begins a block.
pub fn initialize_block(mut input: &[u8]) -> Vec<u8> {
    let header: Header = decoded(Header::decode(&mut input));
    system::initialize(&header);
    // All kinds of extrinsics are welcome.
    [0].to_vec()
}

/// Executes a block, or traps.
pub fn execute_block(mut input: &[u8]) -> Vec<u8> {
    executive::execute_block(&decoded(Block::decode(&mut input)));
    Vec::new()
}

/// Applies an extrinsic to the block that was begun.
pub fn apply_extrinsic(mut input: &[u8]) -> Vec<u8> {
    apply(&decoded(Extrinsic::decode(&mut input))).encode()
}

/// The extrinsics that a block begins with.
pub fn inherent_extrinsics(mut input: &[u8]) -> Vec<u8> {
    let data: Inherents = decoded(Decode::decode(&mut input));
    timestamp::create_inherents(&data).encode()
}

/// Whether the inherents of a block can be right.
pub fn check_inherents(mut input: &[u8]) -> Vec<u8> {
    let block = decoded(Block::decode(&mut input));
    let data: Inherents = decoded(Decode::decode(&mut input));
    timestamp::check_inherents(&block, &data).encode()
}

/// Ends the block that was begun.
pub fn finalize_block(input: &[u8]) -> Vec<u8> {
    nothing(input);
    system::finalize().encode()
}

/// Judges a transaction.
pub fn validate_transaction(mut input: &[u8]) -> Vec<u8> {
    let source: u8 = decoded(Decode::decode(&mut input));
    if source > 2 {
        host::trap("there is no such source of transactions");
    }
    let extrinsic = decoded(Extrinsic::decode(&mut input));
    let block_hash: Hash = decoded(Decode::decode(&mut input));
    executive::validate(&extrinsic, &block_hash).encode()
}

/// How many transactions the account has sent.
pub fn account_nonce(mut input: &[u8]) -> Vec<u8> {
    let account: AccountId = decoded(Decode::decode(&mut input));
    storage::account(&account).nonce.encode()
}

/// What a transaction weighs and costs.
pub fn query_info(mut input: &[u8]) -> Vec<u8> {
    let extrinsic = decoded(Extrinsic::decode(&mut input));
    let len: u32 = decoded(Decode::decode(&mut input));
    let weight = extrinsic.weight();
    let partial_fee: Balance = match extrinsic.preamble {
        Preamble::Bare => 0,
        _ => payment::fee(len, weight, 0),
    };
    QueriedInfo { weight, class: extrinsic.call.class(), partial_fee }.encode()
}

/// What there is to call and to read, for tools.
pub fn metadata(input: &[u8]) -> Vec<u8> {
    nothing(input);
    METADATA.encode()
}

/// A genesis configuration by name.
pub fn get_preset(mut input: &[u8]) -> Vec<u8> {
    let id: Option<alloc::string::String> = decoded(Decode::decode(&mut input));
    genesis::preset(id.as_ref().map(|id| id.as_bytes())).encode()
}

/// Writes the genesis state.
pub fn build_state(mut input: &[u8]) -> Vec<u8> {
    let config: Vec<u8> = decoded(Decode::decode(&mut input));
    genesis::build(&config).encode()
}

/// The argument; what does not decode traps.
fn decoded<T>(argument: Result<T, Error>) -> T {
    argument.unwrap_or_else(|_| host::trap("the input does not decode"))
}

/// Makes sure that there is no argument.
fn nothing(input: &[u8]) {
    if !input.is_empty() {
        host::trap("the entry point takes no input");
    }
}
