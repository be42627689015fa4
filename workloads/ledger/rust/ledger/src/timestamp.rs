//! The time: an inherent that each block has once.

use alloc::vec::Vec;

use parity_scale_codec::{Decode, Encode};

use crate::{
    extrinsic::Extrinsic,
    host,
    outcome::{CheckedInherents, DispatchError, DispatchResult, Inherents},
    params::{MAX_TIMESTAMP_DRIFT, MINIMUM_PERIOD, TIMESTAMP_FINALIZE},
    storage::{self, get, put},
    types::{AccountId, Block, Call, TimestampCall, Weight},
};

/// What is booked for the end of a block at its beginning.
pub const ON_INITIALIZE: Weight = TIMESTAMP_FINALIZE;

/// The name of the time among the data of inherents.
const IDENTIFIER: [u8; 8] = *b"timstap0";
/// What is wrong with a time, as it is encoded.
const TOO_EARLY: u8 = 0;
const TOO_FAR_IN_FUTURE: u8 = 1;
/// The first byte of an extrinsic that nobody signed.
const BARE: u8 = 0x05;

/// Sets the time.
pub fn dispatch(call: &TimestampCall, signer: Option<&AccountId>) -> DispatchResult {
    let TimestampCall::Set { now } = *call;
    if signer.is_some() {
        return Err(DispatchError::BadOrigin);
    }
    if host::exists(&storage::DID_UPDATE) {
        host::trap("the time is set once in a block");
    }
    let before: u64 = get(&storage::NOW);
    if before != 0 && now < before.saturating_add(MINIMUM_PERIOD) {
        host::trap("the time is too close to that of the last block");
    }
    put(&storage::NOW, &now);
    put(&storage::DID_UPDATE, &true);
    Ok(())
}

/// Ends a block, which must have set the time.
pub fn on_finalize() {
    if !storage::take::<bool>(&storage::DID_UPDATE) {
        host::trap("the time was not set");
    }
}

/// The extrinsic that sets the time, among those that a block begins with.
pub fn create_inherents(data: &Inherents) -> Vec<Vec<u8>> {
    let now = time(data).max(earliest());
    let call = Call::Timestamp(TimestampCall::Set { now });
    [(BARE, call).encode()].to_vec()
}

/// Whether the block's time can be right.
pub fn check_inherents(block: &Block<'_>, data: &Inherents) -> CheckedInherents {
    for mut encoded in block.extrinsics.iter().copied() {
        let Ok(extrinsic) = Extrinsic::decode(&mut encoded) else {
            host::trap("an extrinsic of the block does not decode")
        };
        if !extrinsic.is_inherent() {
            break;
        }
        let Call::Timestamp(TimestampCall::Set { now }) = extrinsic.call else { break };
        let error = if now > time(data).saturating_add(MAX_TIMESTAMP_DRIFT) {
            TOO_FAR_IN_FUTURE
        } else if now < earliest() {
            TOO_EARLY
        } else {
            continue;
        };
        let errors = [(IDENTIFIER, [error].to_vec())].to_vec();
        return CheckedInherents { okay: false, fatal: true, errors };
    }
    CheckedInherents { okay: true, fatal: false, errors: Vec::new() }
}

fn earliest() -> u64 {
    get::<u64>(&storage::NOW).saturating_add(MINIMUM_PERIOD)
}

/// The time that the node gives.
fn time(data: &Inherents) -> u64 {
    let entry = data.iter().rev().find(|(identifier, _)| *identifier == IDENTIFIER);
    let time = entry.and_then(|(_, data)| u64::decode(&mut data.as_slice()).ok());
    time.unwrap_or_else(|| host::trap("the data of the timestamp is missing or wrong"))
}
