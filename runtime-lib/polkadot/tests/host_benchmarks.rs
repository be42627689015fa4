//! `ext_benchmarking_*`: what is counted, what is excepted, and what a commit and a reset do.

#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod host_support;

use host_support::Caller;
use lithify_polkadot::{HostSet, State, StateVersion};
use parity_scale_codec::{Decode, Encode};
use sp_core::storage::TrackedStorageKey;
use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

/// Reads, repeated reads, writes, repeated writes.
type Count = (u32, u32, u32, u32);

/// A main trie with two keys, and a child trie `c` with one.
fn state() -> State {
    let pairs = |keys: &[&str]| -> BTreeMap<_, _> {
        keys.iter().map(|key| (key.as_bytes().to_vec(), b"value".to_vec())).collect()
    };
    let children = BTreeMap::from([(b"c".to_vec(), pairs(&["one"]))]);
    State::new(pairs(&["one", "two"]), children, StateVersion::V1)
}

fn benchmark<R>(state: &State, work: impl FnOnce(&mut Bench) -> R) -> R {
    state.session().benchmark(|| work(&mut Bench(Caller::new())))
}

/// A guest in a benchmark.
struct Bench(Caller);

impl Bench {
    fn raw(&mut self, name: &str, args: &[u64]) -> u64 {
        self.0.raw(&format!("benchmarking_{name}_version_1"), args).expect(name)
    }

    /// For a result by fat pointer.
    fn give<T: Decode>(&mut self, name: &str) -> T {
        let place = self.raw(name, &[]);
        T::decode(&mut &self.0.bytes(place)[..]).unwrap()
    }

    fn pass(&mut self, name: &str, bytes: &[u8]) {
        let place = self.0.fat(bytes);
        self.raw(name, &[place]);
    }

    fn get(&mut self, key: &str) -> Option<Vec<u8>> {
        let value = self.0.call("storage_get_version_1", &[key.as_bytes()]);
        Option::decode(&mut &value[..]).unwrap()
    }

    fn set(&mut self, key: &str, value: &str) {
        self.0.run("storage_set_version_1", &[key.as_bytes(), value.as_bytes()]);
    }

    fn count(&mut self) -> Count {
        self.give("read_write_count")
    }
}

#[test]
fn reads_count_at_once_and_writes_with_the_commit() {
    let state = state();
    let root = state.root();
    benchmark(&state, |b| {
        assert_eq!(b.count(), (0, 0, 0, 0));
        b.get("one");
        b.get("one");
        b.get("absent");
        assert_eq!(b.count(), (2, 1, 0, 0));
        b.set("one", "new");
        // What the overlay knows is not read again.
        assert_eq!(b.get("one"), Some(b"new".to_vec()));
        assert_eq!(b.count(), (2, 1, 0, 0));
        b.raw("commit_db", &[]);
        assert_eq!(b.count(), (2, 1, 1, 0));
        // The commit emptied the overlay.
        assert_eq!(b.get("one"), Some(b"new".to_vec()));
        assert_eq!(b.count(), (2, 2, 1, 0));
        b.set("one", "newer");
        b.raw("commit_db", &[]);
        assert_eq!(b.count(), (2, 2, 1, 1));
        b.raw("reset_read_write_count", &[]);
        assert_eq!(b.count(), (0, 0, 0, 0));
    });
    // Nothing of it was the state's.
    assert_eq!(state.root(), root);
    assert_eq!(state.storage(b"one"), Some(b"value".to_vec()));
}

#[test]
fn children_count_apart() {
    benchmark(&state(), |b| {
        b.get("one");
        let get = "default_child_storage_get_version_1";
        assert_eq!(b.0.call(get, &[b"c", b"one"]), Some(b"value".to_vec()).encode());
        assert_eq!(b.count(), (2, 0, 0, 0));
        b.0.run("default_child_storage_set_version_1", &[b"c", b"one", b"new"]);
        b.raw("commit_db", &[]);
        // The root of the child in the main trie does not count.
        assert_eq!(b.count(), (2, 0, 1, 0));
        assert_eq!(b.0.call(get, &[b"c", b"one"]), Some(b"new".to_vec()).encode());
    });
}

#[test]
fn a_reset_brings_back_the_state() {
    benchmark(&state(), |b| {
        b.set("one", "new");
        b.set("three", "more");
        b.raw("commit_db", &[]);
        b.set("two", "pending");
        b.0.raw("storage_start_transaction_version_1", &[]).unwrap();
        b.raw("wipe_db", &[]);
        assert_eq!(b.count(), (0, 0, 0, 0));
        for (key, value) in [("one", Some("value")), ("two", Some("value")), ("three", None)] {
            assert_eq!(b.get(key), value.map(|value| value.as_bytes().to_vec()), "{key}");
        }
        // And the same again, from there on.
        b.set("one", "other");
        b.raw("commit_db", &[]);
        assert_eq!(b.get("one"), Some(b"other".to_vec()));
        b.raw("wipe_db", &[]);
        assert_eq!(b.get("one"), Some(b"value".to_vec()));
    });
}

#[test]
fn exceptions_do_not_count_from_the_next_reset_on() {
    let excepted = |key: &str| {
        let mut key = TrackedStorageKey::new(key.as_bytes().to_vec());
        key.whitelist();
        key
    };
    // As runtimes encode it today, as they did before they knew child tries, and one key as it is.
    let earlier = vec![(b"one".to_vec(), 0u32, 0u32, true)].encode();
    for list in [vec![excepted("one")].encode(), earlier, b"one".to_vec()] {
        benchmark(&state(), |b| {
            b.pass("set_whitelist", &list);
            b.get("one");
            assert_eq!(b.count(), (1, 0, 0, 0), "not before the reset");
            b.raw("reset_read_write_count", &[]);
            b.get("one");
            b.get("two");
            assert_eq!(b.count(), (1, 0, 0, 0));
            assert_eq!(b.give::<Vec<TrackedStorageKey>>("get_whitelist"), [excepted("one")]);
        });
    }
    benchmark(&state(), |b| {
        b.pass("add_to_whitelist", &excepted("one").encode());
        b.pass("add_to_whitelist", &excepted("two").encode());
        b.pass("add_to_whitelist", &TrackedStorageKey { reads: 2, ..excepted("one") }.encode());
        let one = TrackedStorageKey { reads: 2, ..excepted("one") };
        assert_eq!(
            b.give::<Vec<TrackedStorageKey>>("get_whitelist"),
            [one.clone(), excepted("two")]
        );
        b.pass("remove_from_whitelist", b"two");
        assert_eq!(b.give::<Vec<TrackedStorageKey>>("get_whitelist"), [one]);
        // A key that was read is only not counted when it is excepted, too.
        let read = TrackedStorageKey { reads: 1, ..TrackedStorageKey::new(b"two".to_vec()) };
        b.pass("set_whitelist", &vec![read].encode());
        b.raw("reset_read_write_count", &[]);
        b.get("two");
        assert_eq!(b.count(), (1, 1, 0, 0));
    });
}

#[test]
fn keys_are_told_by_their_first_32_bytes() {
    let (long, longer) = ("k".repeat(40), "k".repeat(50));
    benchmark(&state(), |b| {
        b.get(&long);
        b.get(&long);
        b.get(&longer);
        b.set("one", "new");
        b.raw("commit_db", &[]);
        let keys: Vec<(Vec<u8>, u32, u32, bool)> = b.give("get_read_and_written_keys");
        let expected = [(vec![b'k'; 32], 2, 0, false), (b"one".to_vec(), 0, 1, false)];
        assert_eq!(keys, expected);
    });
}

#[test]
fn the_proof_grows_with_what_is_read() {
    let pairs: BTreeMap<_, _> = (0u32..1000)
        .map(|n| (sp_crypto_hashing::blake2_256(&n.encode()).to_vec(), vec![7; 100]))
        .collect();
    let keys: Vec<_> = pairs.keys().take(2).cloned().collect();
    let state = State::new(pairs, BTreeMap::new(), StateVersion::V1);
    benchmark(&state, |b| {
        let size = |b: &mut Bench| b.give::<Option<u32>>("proof_size").unwrap();
        let none = size(b);
        b.0.call("storage_get_version_1", &[&keys[0]]);
        let one = size(b);
        assert!(one > none + 100, "{none} {one}");
        b.0.call("storage_get_version_1", &[&keys[0]]);
        assert_eq!(size(b), one);
        b.0.call("storage_get_version_1", &[&keys[1]]);
        assert!(size(b) > one);
        b.raw("commit_db", &[]);
        assert_eq!(size(b), none);
    });
}

#[test]
fn what_go_runtimes_import() {
    benchmark(&state(), |b| {
        b.get("one");
        b.raw("stop_db_tracker", &[]);
        b.get("two");
        assert_eq!(b.raw("db_read_count", &[]), 1);
        b.raw("start_db_tracker", &[]);
        b.set("one", "stored");
        b.raw("store_snapshot_db", &[]);
        assert_eq!(b.raw("db_write_count", &[]), 1);
        b.set("one", "lost");
        b.raw("commit_db", &[]);
        b.set("two", "lost, too");
        b.raw("restore_snapshot_db", &[]);
        assert_eq!(b.get("one"), Some(b"stored".to_vec()));
        assert_eq!(b.get("two"), Some(b"value".to_vec()));
    });
}

#[test]
fn the_clock_is_that_of_the_system() {
    let ns = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    benchmark(&state(), |b| {
        let before = ns();
        let [by_pointer, by_value] = ["i32", "i64"].map(|result| {
            let time = HostSet::Benchmarks.functions().find(|function| {
                function.name() == "ext_benchmarking_current_time_version_1"
                    && function.ty().results[0].to_string() == result
            });
            time.unwrap().call(&mut b.0.context, &mut b.0.memory, &[]).unwrap()
        });
        let bytes = b.0.bytes(16 << 32 | by_pointer);
        let times = [u128::from_le_bytes(bytes.try_into().unwrap()), by_value.into()];
        assert!(before <= times[0] && times[0] <= times[1] && times[1] <= ns());
    });
}

#[test]
fn elsewhere_there_are_no_counters() {
    let state = state();
    let message = state.session().execute(|| {
        let mut caller = Caller::new();
        caller.raw("benchmarking_wipe_db_version_1", &[]).unwrap_err()
    });
    let expected = "ext_benchmarking_wipe_db_version_1: there are no counters outside of a benchmark, \
                    an entry point Benchmark_…";
    assert_eq!(message, expected);
}
