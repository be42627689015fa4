//! The block itself: where it is, what happened in it, what header it gets.

use alloc::vec::Vec;

use parity_scale_codec::{Compact, Decode, Encode};

use crate::{
    host,
    outcome::{DispatchInfo, DispatchResult, Event, Phase, SystemEvent},
    params::{BASE_BLOCK, BASE_EXTRINSIC, BLOCK_HASH_COUNT, MAX_HEADER_LEN, NAME, SPEC_VERSION},
    payment,
    storage::{self, get, numbered, put},
    timestamp,
    types::{Call, Class, ConsumedWeight, DigestItem, Hash, Header, Weight},
};

/// Begins the block that has this header.
pub fn initialize(header: &Header) {
    host::clear(&storage::EVENTS);
    host::clear(&storage::EVENT_COUNT);
    note_upgrade();

    let is_pre_runtime = |item: &&DigestItem| matches!(item, DigestItem::PreRuntime(..));
    let digest: Vec<_> = header.digest.iter().filter(is_pre_runtime).cloned().collect();
    start(header.number, &header.parent_hash, &digest);

    let mandatory = BASE_BLOCK.plus(timestamp::ON_INITIALIZE);
    put(&storage::BLOCK_WEIGHT, &ConsumedWeight { mandatory, ..ConsumedWeight::default() });
    put(&storage::EXECUTION_PHASE, &Phase::ApplyExtrinsic(0));
}

/// Remembers which rules the state was last run by.
pub fn note_upgrade() {
    #[derive(Decode)]
    struct Last(Compact<u32>, Vec<u8>);

    let last: Option<Last> = storage::find(&storage::LAST_RUNTIME_UPGRADE);
    if last.is_none_or(|Last(spec, name)| spec.0 < SPEC_VERSION || name != NAME.as_bytes()) {
        put(&storage::LAST_RUNTIME_UPGRADE, &(Compact(SPEC_VERSION), NAME));
    }
}

/// Sets what extrinsics of the block can see of it.
pub fn start(number: u32, parent_hash: &Hash, digest: &[DigestItem]) {
    let expected = get::<u32>(&storage::NUMBER).checked_add(1);
    if expected != Some(number) {
        host::trap("the block does not follow the last one");
    }
    put(&storage::EXECUTION_PHASE, &Phase::Initialization);
    put(storage::EXTRINSIC_INDEX, &0u32);
    let entropy = (b"frame_system::initialize", parent_hash).using_encoded(host::blake2_256);
    host::set(storage::INTRABLOCK_ENTROPY, &entropy);
    put(&storage::NUMBER, &number);
    put(&storage::DIGEST, digest);
    put(&storage::PARENT_HASH, parent_hash);
    put(&numbered(&storage::BLOCK_HASH, number - 1), parent_hash);
    host::clear(&storage::BLOCK_WEIGHT);

    // Three hashes and an empty digest.
    let header_len = 3 * 32 + 1 + Compact(number).encoded_size();
    let size = (digest.encoded_size() + header_len) as u32;
    if size > MAX_HEADER_LEN {
        host::trap("the header is too long");
    }
    put(&storage::BLOCK_SIZE, &size);
}

/// Adds an event to those of the block.
pub fn deposit(event: Event) {
    if get::<u32>(&storage::NUMBER) == 0 {
        return;
    }
    let phase = storage::find(&storage::EXECUTION_PHASE).unwrap_or(Phase::Initialization);
    let Some(count) = get::<u32>(&storage::EVENT_COUNT).checked_add(1) else { return };
    put(&storage::EVENT_COUNT, &count);
    let no_topics = Compact(0u32);
    (phase, event, no_topics).using_encoded(|record| host::append(&storage::EVENTS, record));
}

/// Notes that what follows are no more inherents.
pub fn note_inherents_applied() {
    if !get::<bool>(&storage::INHERENTS_APPLIED) {
        put(&storage::INHERENTS_APPLIED, &true);
    }
}

/// Keeps the extrinsic for the root of all of them.
pub fn note_extrinsic(encoded: &[u8]) {
    let index = get(storage::EXTRINSIC_INDEX);
    put(&numbered(&storage::EXTRINSIC_DATA, index), encoded);
}

/// Says what came of the extrinsic, and goes on to the next one.
pub fn note_applied(result: DispatchResult, call: &Call, weight: Weight) {
    let class = call.class();
    let info = DispatchInfo { weight: weight.plus(BASE_EXTRINSIC), class, pays_fee: 0 };
    deposit(Event::System(match result {
        Ok(()) => SystemEvent::ExtrinsicSuccess(info),
        Err(error) => SystemEvent::ExtrinsicFailed(error, info),
    }));
    let next = get::<u32>(storage::EXTRINSIC_INDEX) + 1;
    put(storage::EXTRINSIC_INDEX, &next);
    put(&storage::EXECUTION_PHASE, &Phase::ApplyExtrinsic(next));
}

/// Adds an extrinsic to what the block takes; `None` if it is full.
pub fn book(class: Class, weight: Weight, len: u32) -> Option<()> {
    use crate::params::{MAX_BLOCK_TIME, MAX_NORMAL_TIME};

    let weight = weight.plus(BASE_EXTRINSIC).plus(Weight::new(0, len.into()));
    let mut consumed: ConsumedWeight = get(&storage::BLOCK_WEIGHT);
    let of_class = match class {
        Class::Normal => &mut consumed.normal,
        Class::Operational => &mut consumed.operational,
        Class::Mandatory => &mut consumed.mandatory,
    };
    *of_class = of_class.plus(weight);
    let total = consumed.normal.plus(consumed.operational).plus(consumed.mandatory);
    let full = consumed.normal.ref_time > MAX_NORMAL_TIME || total.ref_time > MAX_BLOCK_TIME;
    if class == Class::Normal && full {
        return None;
    }
    put(&storage::BLOCK_WEIGHT, &consumed);
    Some(())
}

/// Ends the block and returns its header.
pub fn finalize() -> Header {
    note_inherents_applied();
    let count: u32 = storage::take(storage::EXTRINSIC_INDEX);
    put(&storage::EXECUTION_PHASE, &Phase::Finalization);

    timestamp::on_finalize();
    payment::on_finalize();

    host::clear(&storage::EXECUTION_PHASE);
    host::clear(&storage::BLOCK_SIZE);
    host::clear(storage::INTRABLOCK_ENTROPY);
    host::clear(&storage::INHERENTS_APPLIED);

    let extrinsics =
        (0..count).map(|index| storage::take(&numbered(&storage::EXTRINSIC_DATA, index))).collect();
    let extrinsics_root = host::ordered_root(extrinsics);

    let number: u32 = get(&storage::NUMBER);
    let old = number.saturating_sub(BLOCK_HASH_COUNT).saturating_sub(1);
    // The genesis block's hash is part of what is signed.
    if old != 0 {
        host::clear(&numbered(&storage::BLOCK_HASH, old));
    }
    Header {
        parent_hash: get(&storage::PARENT_HASH),
        number,
        digest: get(&storage::DIGEST),
        extrinsics_root,
        state_root: host::storage_root(),
    }
}
