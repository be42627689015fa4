//! Each family of host functions through `HostFunction::call`, with a guest that is only memory.

#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod host_support;

use std::collections::BTreeMap;

use host_support::{Caller, hex, unhex};
use lithify_polkadot::{Change, Session, State, StateVersion, functions, resolve};
use parity_scale_codec::{Decode, Encode};

/// A state whose main trie has these pairs, and whose child trie `c` has them too.
fn state(pairs: &[(&str, &str)]) -> State {
    let bytes = |text: &&str| text.as_bytes().to_vec();
    let pairs: BTreeMap<_, _> = pairs.iter().map(|(k, v)| (bytes(k), bytes(v))).collect();
    let children = BTreeMap::from([(b"c".to_vec(), pairs.clone())]);
    State::new(pairs, children, StateVersion::V1)
}

fn on<R>(session: &mut Session<'_>, f: impl FnOnce(&mut Caller) -> R) -> R {
    let mut caller = Caller::new();
    session.execute(|| f(&mut caller))
}

fn some(value: &[u8]) -> Vec<u8> {
    Some(value.to_vec()).encode()
}

const NONE: &[u8] = &[0];

#[test]
fn every_function_has_one_entry_per_name_and_type() {
    assert!(functions().len() <= 256, "more than `Imports::numbered` has shims for");
    let mut seen = BTreeMap::new();
    for function in functions() {
        let ours = function.name().starts_with("ext_");
        assert_eq!(function.module() == "env", ours, "{function:?}");
        assert!(function.ty().results.len() < 2, "{function:?}");
        let twin = seen.insert((function.name(), function.ty().clone()), ());
        assert!(twin.is_none(), "{function:?} is there twice");
        let found = resolve(function.module(), function.name(), function.ty()).expect("found");
        assert!(std::ptr::eq(found, function));
    }
    let none = lithify_abi::types::FuncType::default();
    for (name, message) in [
        ("ext_nothing", "there is no host function env:ext_nothing"),
        (
            "ext_hashing_twox_64_version_1",
            "host function env:ext_hashing_twox_64_version_1 has the type (i64) -> i32, not () -> ()",
        ),
        (
            "ext_wasm_tracing_enter_span_version_1",
            "host function env:ext_wasm_tracing_enter_span_version_1 has the type \
             (i64) -> i64 or (i64, i64) -> i64, not () -> ()",
        ),
    ] {
        assert_eq!(resolve("env", name, &none).expect_err(name).to_string(), message);
    }
}

#[test]
fn storage() {
    let state = state(&[("a1", "one"), ("a2", "two"), ("a3", "three"), ("b", "four")]);
    let mut session = state.session();
    on(&mut session, |c| {
        assert_eq!(c.call("storage_get_version_1", &[b"a1"]), some(b"one"));
        assert_eq!(c.call("storage_get_version_1", &[b"a"]), NONE);
        c.run("storage_set_version_1", &[b"a11", b""]);
        assert_eq!(c.call("storage_get_version_1", &[b"a11"]), some(b""));
        assert_eq!(c.run("storage_exists_version_1", &[b"a11"]), 1);
        c.run("storage_clear_version_1", &[b"a2"]);
        assert_eq!(c.run("storage_exists_version_1", &[b"a2"]), 0);

        // In order of bytes, over both the trie and what was written; deleted keys are skipped.
        let mut key = Vec::new();
        let mut keys = Vec::new();
        while let Some(next) =
            Option::<Vec<u8>>::decode(&mut &c.call("storage_next_key_version_1", &[&key])[..])
                .unwrap()
        {
            keys.push(String::from_utf8_lossy(&next).into_owned());
            key = next;
        }
        assert_eq!(keys, [":child_storage:default:c", "a1", "a11", "a3", "b"]);

        // Writes to the entries of child tries are refused without a trap.
        c.run("storage_set_version_1", &[b":child_storage:default:c", b"x"]);
        c.run("storage_clear_prefix_version_1", &[b":child"]);
        assert_ne!(c.call("storage_get_version_1", &[b":child_storage:default:c"]), NONE);
    });
    // Only what the last call wrote, and only until the next one.
    assert_eq!(session.changes().len(), 2);
    on(&mut session, |c| {
        assert_eq!(c.call("storage_get_version_1", &[b"a11"]), NONE);
    });
    assert_eq!(session.changes(), []);
}

#[test]
fn storage_read_copies_what_fits() {
    let state = state(&[("k", "0123456789")]);
    // Offset, size of the buffer, bytes left from the offset, buffer afterwards.
    let vectors: [(u64, usize, u32, &str); 5] = [
        (0, 4, 10, "0123"),
        (8, 4, 2, "89.."),
        (10, 2, 0, ".."),
        (4_000_000_000, 2, 0, ".."),
        (3, 0, 7, ""),
    ];
    for (offset, size, left, after) in vectors {
        on(&mut state.session(), |c| {
            let (key, out) = (c.fat(b"k"), c.fat(&vec![b'.'; size]));
            let result = c.raw("storage_read_version_1", &[key, out, offset]).unwrap();
            assert_eq!(c.bytes(result), Some(left).encode());
            assert_eq!(c.bytes(out), after.as_bytes());
            let missing = c.fat(b"missing");
            let result = c.raw("storage_read_version_1", &[missing, out, offset]).unwrap();
            assert_eq!(c.bytes(result), NONE);
        });
    }
}

#[test]
fn append_keeps_a_scale_list() {
    // The value before, as hex, and after `aa` was appended.
    let vectors = [
        ("", "04aa"),
        ("00", "04aa"),
        ("04bb", "08bbaa"),
        ("fc", "0101aa"),
        ("fdff", "02000100aa"),
        // Not a length: replaced.
        ("07", "04aa"),
        ("ff", "04aa"),
    ];
    let state = State::empty();
    for (before, after) in vectors {
        on(&mut state.session(), |c| {
            c.run("storage_set_version_1", &[b"k", &unhex(before)]);
            c.run("storage_append_version_1", &[b"k", &[0xaa]]);
            assert_eq!(hex(&c.call("storage_get_version_1", &[b"k"])[1..]), {
                let value = unhex(after);
                hex(&value.encode())
            });
        });
    }
    on(&mut state.session(), |c| {
        c.run("storage_start_transaction_version_1", &[]);
        c.run("storage_append_version_1", &[b"k", &[1]]);
        c.run("storage_start_transaction_version_1", &[]);
        c.run("storage_append_version_1", &[b"k", &[2]]);
        c.run("storage_rollback_transaction_version_1", &[]);
        c.run("storage_append_version_1", &[b"k", &[3]]);
        c.run("storage_commit_transaction_version_1", &[]);
        assert_eq!(c.call("storage_get_version_1", &[b"k"]), some(&[8, 1, 3]));
    });
}

#[test]
fn limited_clears_count_loops() {
    // Limit, answer (0 all removed, 1 some left; loops), keys of the trie that are left.
    type Vector = (Option<u32>, (u8, u32), &'static [&'static str]);
    let vectors: [Vector; 4] = [
        (None, (0, 3), &["b"]),
        (Some(3), (0, 3), &["b"]),
        (Some(2), (1, 2), &["a3", "b"]),
        (Some(0), (1, 0), &["a1", "a2", "a3", "b"]),
    ];
    let state = state(&[("a1", "1"), ("a2", "2"), ("a3", "3"), ("b", "4")]);
    for (limit, answer, left) in vectors {
        on(&mut state.session(), |c| {
            // Keys of the overlay go first, all of them, uncounted.
            c.run("storage_set_version_1", &[b"a4", b"x"]);
            c.run("default_child_storage_set_version_1", &[b"c", b"a4", b"x"]);
            let limit = limit.encode();
            let main = c.call("storage_clear_prefix_version_2", &[b"a", &limit]);
            assert_eq!(main, answer.encode());
            let child =
                c.call("default_child_storage_clear_prefix_version_2", &[b"c", b"a", &limit]);
            assert_eq!(child, answer.encode());
            for key in ["a1", "a2", "a3", "a4", "b"] {
                let expected = u64::from(left.contains(&key));
                let key = key.as_bytes();
                assert_eq!(c.run("storage_exists_version_1", &[key]), expected);
                let child = c.run("default_child_storage_exists_version_1", &[b"c", key]);
                assert_eq!(child, expected);
            }
        });
    }
    on(&mut state.session(), |c| {
        let result = c.call("storage_clear_prefix_version_3", &[b"a", &Some(1u32).encode(), NONE]);
        assert_eq!(result, (Some(b"a2".to_vec()), 1u32, 1u32, 1u32).encode());
        let kill = |c: &mut Caller, limit: u32| {
            c.call("default_child_storage_storage_kill_version_3", &[b"c", &Some(limit).encode()])
        };
        assert_eq!(kill(c, 3), (1u8, 3u32).encode());
        assert_eq!(kill(c, 9), (0u8, 4u32).encode());
    });
}

#[test]
fn transactions_nest_over_main_and_child_tries() {
    on(&mut State::empty().session(), |c| {
        let set = |c: &mut Caller, value: &[u8]| {
            c.run("storage_set_version_1", &[b"k", value]);
            c.run("default_child_storage_set_version_1", &[b"new", b"k", value]);
        };
        let check = |c: &mut Caller, value: &[u8]| {
            assert_eq!(c.call("storage_get_version_1", &[b"k"]), some(value));
            let child = c.call("default_child_storage_get_version_1", &[b"new", b"k"]);
            assert_eq!(child, some(value));
        };
        set(c, b"1");
        c.run("storage_start_transaction_version_1", &[]);
        set(c, b"2");
        c.run("storage_start_transaction_version_1", &[]);
        set(c, b"3");
        c.run("storage_rollback_transaction_version_1", &[]);
        check(c, b"2");
        c.run("storage_commit_transaction_version_1", &[]);
        check(c, b"2");
        let error = c.raw("storage_rollback_transaction_version_1", &[]).unwrap_err();
        assert!(error.contains("No open transaction"), "{error}");
        assert!(c.raw("storage_commit_transaction_version_1", &[]).is_err());
    });
}

/// The overlay keeps a root that the guest asked for, and does not notice what is appended later.
#[test]
fn a_root_is_that_of_the_final_state() {
    let pairs = BTreeMap::from([(b"a".to_vec(), b"\x04x".to_vec())]);
    let expected = State::new(pairs, BTreeMap::new(), StateVersion::V1);
    let empty = State::empty();
    let mut session = empty.session();
    on(&mut session, |c| {
        c.raw("storage_root_version_2", &[1]).unwrap();
        c.run("storage_append_version_1", &[b"a", b"x"]);
    });
    assert_eq!(session.root(StateVersion::V1), expected.root());
    let mut written = State::empty();
    written.apply(session.into_changes(StateVersion::V1));
    assert_eq!(written.root(), expected.root());
}

#[test]
fn roots_agree_with_a_state_of_the_same_pairs() {
    let long = "v".repeat(40);
    let pairs = [("a", "1"), ("b", &long)];
    for version in [StateVersion::V0, StateVersion::V1] {
        let mut expected = state(&pairs);
        expected.set_version(version);
        let empty = State::empty();
        let mut session = empty.session();
        on(&mut session, |c| {
            for (key, value) in pairs {
                let (key, value) = (key.as_bytes(), value.as_bytes());
                c.run("storage_set_version_1", &[key, value]);
                c.run("default_child_storage_set_version_1", &[b"c", key, value]);
            }
            let name = c.fat(b"c");
            let args = [name, version as u64];
            let child = c.raw("default_child_storage_root_version_2", &args).unwrap();
            let entry = expected.storage(b":child_storage:default:c").unwrap();
            assert_eq!(c.bytes(child), entry);
            let root = c.raw("storage_root_version_2", &[version as u64]).unwrap();
            assert_eq!(c.bytes(root), expected.root());
            // 2 is taken for 1.
            assert!(c.raw("storage_root_version_2", &[3]).is_err());
        });
        assert_eq!(session.root(version), expected.root());
        let changes = session.into_changes(version);
        let mut written = State::empty();
        written.apply(changes);
        assert_eq!(written.root(), expected.root());
        assert_eq!(written.pairs(), expected.pairs());
        assert_eq!(written.child_storage(b"c", b"b").unwrap(), long.as_bytes());
    }
    // The root of an empty trie, of either version.
    let empty = "03170a2e7597b7b7e3d84c05391d139a62b157e78786d8c082f29dcf4c111314";
    assert_eq!(hex(&State::empty().root()), empty);
}

#[test]
fn old_child_storage_is_the_present_one() {
    let state = state(&[("k", "value")]);
    let mut session = state.session();
    on(&mut session, |c| {
        let child = c.fat(b":child_storage:default:c");
        let (id, key, value) = (c.fat(b"id"), c.fat(b"k"), c.fat(b"new"));
        let get = c.raw("storage_child_get_version_1", &[child, id, 1, key]).unwrap();
        assert_eq!(c.bytes(get), some(b"value"));
        let args = [child, id, 1, key, value];
        assert_eq!(c.raw("storage_child_set_version_1", &args), Ok(0));
        let out = c.fat(b"......");
        let read = c.raw("storage_child_read_version_1", &[child, id, 1, key, out, 1]).unwrap();
        assert_eq!(c.bytes(read), Some(2u32).encode());
        assert_eq!(c.bytes(out), b"ew....");
        assert_eq!(c.raw("storage_child_exists_version_1", &[child, id, 1, key]), Ok(1));
        let root = c.raw("storage_child_root_version_1", &[child]).unwrap();
        assert_eq!(c.bytes(root).len(), 32);

        let wrong = c.fat(b":child_storage:other:c");
        assert!(c.raw("storage_child_get_version_1", &[wrong, id, 1, key]).is_err());
        assert!(c.raw("storage_child_get_version_1", &[child, id, 2, key]).is_err());
        assert_eq!(c.raw("storage_child_storage_kill_version_1", &[child, id, 1]), Ok(0));
        assert_eq!(c.raw("storage_child_exists_version_1", &[child, id, 1, key]), Ok(0));
    });
    let child = Some(b"c".to_vec());
    let key = b"k".to_vec();
    let value = None;
    assert!(session.changes().contains(&Change { child, key, value }));
}
