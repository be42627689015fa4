//! `ext_benchmarking_*`: the clock, the counters and the database of a benchmark.
//!
//! Both sets that runtimes import: that of `frame-benchmarking`, and that of the Go runtimes of 2023,
//! whose host counts as the other does, on demand. They share names; where types differ, the type says
//! which is meant, and for the list of exceptions what is passed does.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use lithify_abi::types::{FuncType, ValType};
use lithify_runtime::host::HostError;
use parity_scale_codec::{Decode, DecodeAll, Encode};
use sp_core::storage::TrackedStorageKey;
use sp_externalities::{Externalities, ExternalitiesExt, with_externalities};
use sp_wasm_interface::{FunctionContext, Pointer};

use super::host_function::{Bridge, HostFunction};
use crate::context::benchmark::{Database, DatabaseExt};
use crate::pointer_size::PointerSize;

/// How many functions there are.
pub(crate) const COUNT: usize = FUNCTIONS.len();

type Result<T = u64> = std::result::Result<T, HostError>;
type Body = fn(&mut Bridge<'_>, &[u64]) -> Result;

const I32: ValType = ValType::I32;
const I64: ValType = ValType::I64;

const FUNCTIONS: [(&str, &[ValType], &[ValType], Body); 18] = [
    ("ext_benchmarking_current_time_version_1", &[], &[I32], current_time),
    ("ext_benchmarking_wipe_db_version_1", &[], &[], |_, _| on(|ext| ext.wipe())),
    ("ext_benchmarking_commit_db_version_1", &[], &[], |_, _| on(|ext| ext.commit())),
    ("ext_benchmarking_read_write_count_version_1", &[], &[I64], read_write_count),
    ("ext_benchmarking_reset_read_write_count_version_1", &[], &[], |_, _| {
        on(|ext| ext.reset_read_write_count())
    }),
    ("ext_benchmarking_get_whitelist_version_1", &[], &[I64], get_whitelist),
    ("ext_benchmarking_set_whitelist_version_1", &[I64], &[], set_whitelist),
    ("ext_benchmarking_add_to_whitelist_version_1", &[I64], &[], add_to_whitelist),
    ("ext_benchmarking_remove_from_whitelist_version_1", &[I64], &[], remove_from_whitelist),
    ("ext_benchmarking_get_read_and_written_keys_version_1", &[], &[I64], keys),
    ("ext_benchmarking_proof_size_version_1", &[], &[I64], proof_size),
    // The Go runtimes' own.
    ("ext_benchmarking_current_time_version_1", &[], &[I64], |_, _| Ok(checked(|_| now())? as u64)),
    ("ext_benchmarking_start_db_tracker_version_1", &[], &[], |_, _| on_it(|db| db.count(true))),
    ("ext_benchmarking_stop_db_tracker_version_1", &[], &[], |_, _| on_it(|db| db.count(false))),
    ("ext_benchmarking_store_snapshot_db_version_1", &[], &[], store),
    ("ext_benchmarking_restore_snapshot_db_version_1", &[], &[], restore),
    ("ext_benchmarking_db_read_count_version_1", &[], &[I32], |_, _| {
        checked(|ext| ext.read_write_count().0.into())
    }),
    ("ext_benchmarking_db_write_count_version_1", &[], &[I32], |_, _| {
        checked(|ext| ext.read_write_count().2.into())
    }),
];

/// The functions of this file.
pub(crate) fn functions() -> impl Iterator<Item = HostFunction> {
    FUNCTIONS.into_iter().map(|(name, params, results, body)| {
        HostFunction::own(name, FuncType::new(params, results), body)
    })
}

/// Does `work` on the externalities of a benchmark's call; an error in all others.
fn checked<R>(work: impl FnOnce(&mut dyn Externalities) -> R) -> Result<R> {
    let done = with_externalities(|mut ext| {
        let is_benchmark = ext.extension::<DatabaseExt>().is_some();
        is_benchmark.then(|| work(ext))
    });
    done.flatten().ok_or_else(|| {
        HostError("there are no counters outside of a benchmark, an entry point Benchmark_…".into())
    })
}

fn on(work: impl FnOnce(&mut dyn Externalities)) -> Result {
    checked(work).map(|()| 0)
}

/// The same on the database alone, which no overlay is between.
fn on_it(work: impl FnOnce(&Database)) -> Result {
    on(|mut ext| {
        let database = ext.extension::<DatabaseExt>().map(|database| Arc::clone(&database.0));
        work(&database.expect("it was there a moment ago"));
    })
}

/// Ns since 1970.
fn now() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos()
}

fn current_time(bridge: &mut Bridge<'_>, _: &[u64]) -> Result {
    let bytes = checked(|_| now())?.to_le_bytes();
    bridge.give(&bytes).map(|place| PointerSize::from_bits(place).address().into())
}

fn read_write_count(bridge: &mut Bridge<'_>, _: &[u64]) -> Result {
    let count = checked(|ext| ext.read_write_count())?;
    bridge.give(&count.encode())
}

fn keys(bridge: &mut Bridge<'_>, _: &[u64]) -> Result {
    let keys = checked(|ext| ext.get_read_and_written_keys())?;
    bridge.give(&keys.encode())
}

fn proof_size(bridge: &mut Bridge<'_>, _: &[u64]) -> Result {
    let size = checked(|ext| ext.proof_size())?;
    bridge.give(&size.encode())
}

/// What was written so far is part of the snapshot.
fn store(_: &mut Bridge<'_>, _: &[u64]) -> Result {
    on(|ext| ext.commit())?;
    on_it(Database::store)
}

/// What was written since is not.
fn restore(_: &mut Bridge<'_>, _: &[u64]) -> Result {
    // Into the contents that are about to be replaced.
    on(|ext| ext.commit())?;
    on_it(Database::restore)
}

fn get_whitelist(bridge: &mut Bridge<'_>, _: &[u64]) -> Result {
    let exceptions = checked(|ext| ext.get_whitelist())?;
    bridge.give(&exceptions.encode())
}

fn set_whitelist(bridge: &mut Bridge<'_>, args: &[u64]) -> Result {
    let bytes = read(bridge, args[0])?;
    let exceptions = exceptions(&bytes);
    on(|ext| ext.set_whitelist(exceptions))
}

fn add_to_whitelist(bridge: &mut Bridge<'_>, args: &[u64]) -> Result {
    let bytes = read(bridge, args[0])?;
    let added = TrackedStorageKey::decode_all(&mut &bytes[..]);
    let added = added.or_else(|_| Earlier::decode(&mut &bytes[..]).map(Into::into));
    let added = added.map_err(|error| HostError(format!("not a key to except: {error}")))?;
    on(|ext| {
        let mut exceptions = ext.get_whitelist();
        let same = |key: &&mut TrackedStorageKey| {
            key.key == added.key && key.child_trie_key == added.child_trie_key
        };
        match exceptions.iter_mut().find(same) {
            Some(known) => {
                known.reads = known.reads.saturating_add(added.reads);
                known.writes = known.writes.saturating_add(added.writes);
                known.whitelisted |= added.whitelisted;
            }
            None => exceptions.push(added),
        }
        ext.set_whitelist(exceptions);
    })
}

fn remove_from_whitelist(bridge: &mut Bridge<'_>, args: &[u64]) -> Result {
    let removed = read(bridge, args[0])?;
    on(|ext| {
        let mut exceptions = ext.get_whitelist();
        exceptions.retain(|key| key.key != removed);
        ext.set_whitelist(exceptions);
    })
}

/// A key as runtimes before 2026 encode it, which knew no child tries.
#[derive(Decode)]
struct Earlier {
    key: Vec<u8>,
    reads: u32,
    writes: u32,
    whitelisted: bool,
}

impl From<Earlier> for TrackedStorageKey {
    fn from(earlier: Earlier) -> Self {
        let Earlier { key, reads, writes, whitelisted } = earlier;
        Self { reads, writes, whitelisted, ..Self::new(key) }
    }
}

/// The list in the form of today's runtimes or of earlier ones, else the one key that a Go runtime
/// passes as it is. A form fits when it takes all bytes.
fn exceptions(bytes: &[u8]) -> Vec<TrackedStorageKey> {
    let today = Vec::<TrackedStorageKey>::decode_all(&mut &*bytes).ok();
    let earlier = || {
        let keys = Vec::<Earlier>::decode_all(&mut &*bytes).ok()?;
        Some(keys.into_iter().map(Into::into).collect())
    };
    today.or_else(earlier).unwrap_or_else(|| {
        let mut key = TrackedStorageKey::new(bytes.to_vec());
        key.whitelist();
        vec![key]
    })
}

fn read(bridge: &mut Bridge<'_>, fat: u64) -> Result<Vec<u8>> {
    let place = PointerSize::from_bits(fat);
    bridge.read_memory(Pointer::new(place.address()), place.len()).map_err(HostError)
}
