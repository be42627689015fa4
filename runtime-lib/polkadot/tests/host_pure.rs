//! Host functions that need no state: hashing, signatures, tries, allocator, logging, versions.

#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod host_support;

use std::sync::Arc;

use host_support::{Caller, HEAP_BASE, hex, unhex};
use lithify_polkadot::{State, StateVersion};
use parity_scale_codec::Encode;

#[test]
fn hashing() {
    let vectors = [
        ("keccak_256", 32, "", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
        ("sha2_256", 32, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ("blake2_128", 16, "", "cae66941d9efbd404e4d88758ea67670"),
        ("blake2_256", 32, "", "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8"),
        ("twox_64", 8, "", "99e9d85137db46ef"),
        ("twox_128", 16, "System", "26aa394eea5630e07c48ae0c9558cef7"),
        ("twox_256", 32, "", "99e9d85137db46ef4bbea33613baafd56f963c64b1f3685a4eb4abd67ff6203a"),
        (
            "keccak_512",
            64,
            "",
            "0eab42de4c3ceb9235fc91acffe746b29c29a8c366b7c60e4e67c466f36a4304\
             c00fa9caf9d87976ba469bcbe06713b435f091ef2769fb160cdab33d3670680e",
        ),
    ];
    for (name, len, input, expected) in vectors {
        let mut c = Caller::new();
        let digest = c.run(&format!("hashing_{name}_version_1"), &[input.as_bytes()]);
        assert_eq!(hex(&c.bytes(len << 32 | digest)), expected, "{name}");
        // A fat pointer that ends beyond memory.
        let beyond = c.raw(&format!("hashing_{name}_version_1"), &[0xffff_ffff_0000_0000]);
        let error = beyond.unwrap_err();
        assert!(error.contains("outside memory"), "{error}");
    }
}

#[test]
fn keys_and_signatures() {
    // Name, length of public key and signature, version that verifies.
    for (name, public_len, verify) in [
        ("ed25519", 32, "crypto_ed25519_verify_version_1"),
        ("sr25519", 32, "crypto_sr25519_verify_version_2"),
        ("sr25519", 32, "crypto_sr25519_verify_version_1"),
        ("ecdsa", 33, "crypto_ecdsa_verify_version_2"),
        ("ecdsa", 33, "crypto_ecdsa_verify_version_1"),
    ] {
        let state = State::empty();
        state.session().execute(|| {
            let mut c = Caller::new();
            let (id, message) = (c.at(b"test"), c.fat(b"message"));
            let seed = c.fat(&Some(b"//Alice".to_vec()).encode());
            let generate = format!("crypto_{name}_generate_version_1");
            let public = c.raw(&generate, &[id, seed]).unwrap();
            let keys = c.raw(&format!("crypto_{name}_public_keys_version_1"), &[id]).unwrap();
            let key = c.bytes(public_len << 32 | public);
            assert_eq!(c.bytes(keys), [&[4][..], &key].concat());
            let sign = format!("crypto_{name}_sign_version_1");
            let signature = c.raw(&sign, &[id, public, message]).unwrap();
            let signature = c.bytes(signature);
            assert_eq!(signature[0], 1);
            let signature = c.at(&signature[1..]);
            assert_eq!(c.raw(verify, &[signature, message, public]), Ok(1), "{verify}");
            let other = c.fat(b"massage");
            assert_eq!(c.raw(verify, &[signature, other, public]), Ok(0), "{verify}");
            let bad = c.fat(&Some(vec![0xff]).encode());
            assert!(c.raw(&generate, &[id, bad]).is_err(), "a seed must be text");
        });
    }
    // Without externalities there is no keystore: a trap, not a crash.
    let mut c = Caller::new();
    let id = c.at(b"test");
    assert!(c.raw("crypto_ed25519_public_keys_version_1", &[id]).is_err());
}

/// Key, signature and outcome of each function that recovers a secp256k1 key.
#[test]
fn recovers_keys() {
    let message = unhex("ce0677bb30baa8cf067c88db9811f4333d131bf8bcf12fe7065d211dce971008");
    let signature = unhex(
        "90f27b8b488db00b00606796d2987f6a5f59ae62ea05effe84fef5b8b0e549984a691139ad57a3f0b906637673aa2f63\
         d1f55cb1a69199d4009eea23ceaddc9301",
    );
    let key = "e32df42865e97135acfb65f3bae71bdc86f4d49150ad6a440b6f15878109880a0a2b2667f7e725ceea70c67\
               3093bf67663e0312623c8e091b13cf2c0f11ef652";
    let with = |at: usize, bytes: &[u8]| {
        let mut changed = signature.clone();
        changed[at..at + bytes.len()].copy_from_slice(bytes);
        changed
    };
    let call = |name: &str, signature: &[u8]| {
        let mut c = Caller::new();
        let args = [c.at(signature), c.at(&message)];
        let result = c.raw(&format!("crypto_secp256k1_ecdsa_{name}"), &args);
        hex(&c.bytes(result.unwrap()))
    };
    for version in [1, 2] {
        let full = format!("recover_version_{version}");
        let compressed = format!("recover_compressed_version_{version}");
        assert_eq!(call(&full, &signature), format!("00{key}"));
        assert_eq!(call(&compressed, &signature), format!("0002{}", &key[..64]));
        // V of 27 and 28 mean 0 and 1; V is looked at first; R and S are bounded in version 2.
        assert_eq!(call(&full, &with(64, &[28])), format!("00{key}"));
        assert_eq!(call(&full, &with(64, &[5])), "0101");
        assert_eq!(call(&compressed, &with(64, &[5])), "0101");
        let overflowing = with(32, &[0xff; 32]);
        let outcome = call(&full, &overflowing);
        assert_eq!(outcome == "0100", version == 2, "version {version}: {outcome}");
    }
}

#[test]
fn tries() {
    let pairs = vec![(b"a".to_vec(), vec![1u8; 40]), (b"b".to_vec(), vec![2])].encode();
    let list = vec![vec![1u8; 40], vec![2]].encode();
    let ours = |version| {
        let pairs = [(b"a".to_vec(), vec![1u8; 40]), (b"b".to_vec(), vec![2])];
        State::new(pairs.into(), Default::default(), version).root()
    };
    use StateVersion::{V0, V1};
    let mut c = Caller::new();
    let input = c.fat(&pairs);
    let mut root = |name: &str, args: &[u64]| {
        let address = c.raw(&format!("trie_{name}"), args).unwrap();
        c.bytes(32 << 32 | address)
    };
    assert_eq!(root("blake2_256_root_version_1", &[input]), ours(V0));
    assert_eq!(root("blake2_256_root_version_2", &[input, 0]), ours(V0));
    assert_eq!(root("blake2_256_root_version_2", &[input, 1]), ours(V1));
    assert_ne!(root("keccak_256_root_version_1", &[input]), ours(V0));
    let mut c = Caller::new();
    let input = c.fat(&list);
    for hasher in ["blake2", "keccak"] {
        let name = |version| format!("trie_{hasher}_256_ordered_root_version_{version}");
        let first = c.raw(&name(1), &[input]).unwrap();
        let second = c.raw(&name(2), &[input, 0]).unwrap();
        assert_eq!(c.bytes(32 << 32 | first), c.bytes(32 << 32 | second));
        assert!(c.raw(&name(2), &[input, 3]).is_err());
        let broken = c.fat(&[0xff]);
        assert!(c.raw(&name(1), &[broken]).is_err());
    }
}

#[test]
fn allocator_addresses() {
    let mut c = Caller::new();
    let malloc = |c: &mut Caller, size: u64| c.raw("allocator_malloc_version_1", &[size]);
    let free = |c: &mut Caller, address: u64| c.raw("allocator_free_version_1", &[address]);
    let base = u64::from(HEAP_BASE);
    // A block has the next power of two from 8 on, and 8 bytes before it.
    let mut expected = base;
    for (size, block) in [(0, 8), (1, 8), (8, 8), (9, 16), (100, 128), (65536, 65536)] {
        assert_eq!(malloc(&mut c, size), Ok(expected + 8));
        expected += 8 + block;
    }
    // Freed blocks of a size come back last in, first out.
    assert_eq!(free(&mut c, base + 8), Ok(0));
    assert_eq!(free(&mut c, base + 24), Ok(0));
    assert_eq!(malloc(&mut c, 5), Ok(base + 24));
    assert_eq!(malloc(&mut c, 5), Ok(base + 8));
    // Memory is doubled: it has 16 pages of at most 32.
    assert_eq!(malloc(&mut c, 1 << 19), Ok(expected + 8));
    assert_eq!(c.memory.bytes.len(), 32 << 16);

    // Results are blocks too, also empty ones.
    let mut c = Caller::new();
    State::empty().session().execute(|| {
        c.call("storage_get_version_1", &[b"k"]);
        assert_eq!(malloc(&mut c, 8), Ok(base + 8 + 8 + 8));
    });

    // Any error poisons the heap for the rest of the call.
    type Failure = fn(&mut Caller) -> Result<u64, String>;
    let failures: [Failure; 4] = [
        |c| c.raw("allocator_malloc_version_1", &[(32 << 20) + 1]),
        |c| c.raw("allocator_malloc_version_1", &[16 << 20]),
        |c| c.raw("allocator_free_version_1", &[4]),
        |c| c.raw("allocator_free_version_1", &[64]),
    ];
    for failure in failures {
        let mut c = Caller::new();
        assert_eq!(malloc(&mut c, 8), Ok(base + 8));
        failure(&mut c).unwrap_err();
        let error = malloc(&mut c, 8).unwrap_err();
        assert!(error.contains("failed before"), "{error}");
        assert!(free(&mut c, base + 8).is_err());
        c.context.begin(&mut c.memory, HEAP_BASE);
        assert_eq!(malloc(&mut c, 8), Ok(base + 8));
    }
    // A block that is freed twice.
    let mut c = Caller::new();
    let block = malloc(&mut c, 8).unwrap();
    assert_eq!(free(&mut c, block), Ok(0));
    assert!(free(&mut c, block).is_err());
}

#[test]
fn logging_and_panics() {
    let mut c = Caller::new();
    for (set, level) in
        [(log::LevelFilter::Off, 0), (log::LevelFilter::Warn, 2), (log::LevelFilter::Trace, 5)]
    {
        log::set_max_level(set);
        assert_eq!(c.raw("logging_max_level_version_1", &[]), Ok(level));
    }
    log::set_max_level(log::LevelFilter::Off);
    let (target, message, broken) = (c.fat(b"target"), c.fat(b"message"), c.fat(&[0xff]));
    assert_eq!(c.raw("logging_log_version_1", &[4, target, message]), Ok(0));
    assert_eq!(c.raw("logging_log_version_1", &[0, target, broken]), Ok(0));
    assert!(c.raw("logging_log_version_1", &[0, broken, message]).is_err());
    assert!(c.raw("logging_log_version_1", &[5, target, message]).is_err());
    assert_eq!(c.raw("panic_handler_abort_on_panic_version_1", &[message]), Ok(0));
    assert_eq!(c.context.panic_message(), Some("message"));
    assert!(c.raw("panic_handler_abort_on_panic_version_1", &[broken]).is_err());
}

#[test]
fn functions_of_other_times() {
    let mut c = Caller::new();
    assert_eq!(c.raw("misc_chain_id_version_1", &[]), Ok(0));
    let size = c.raw("storage_proof_size_storage_proof_size_version_1", &[]);
    assert_eq!(size, Ok(u64::MAX));
    let text = c.fat(b"text");
    assert_eq!(c.raw("wasm_tracing_enter_span_version_1", &[text, text]), Ok(0));
    assert_eq!(c.raw("wasm_tracing_exit_span_version_1", &[0]), Ok(0));
    assert_eq!(c.raw("statement_store_submit_statement_version_1", &[text]), Ok(3));
    assert_eq!(c.call("statement_store_broadcasts_version_1", &[b"\0"]), [0]);
    // No offchain worker: a trap.
    State::empty().session().execute(|| {
        assert!(c.raw("offchain_timestamp_version_1", &[]).is_err());
        assert_eq!(c.run("offchain_index_set_version_1", &[b"k", b"v"]), 0);
    });
    // One batch at a time; its outcome is the and of all.
    State::empty().session().execute(|| {
        let zeros = c.at(&[0; 64]);
        assert!(c.raw("crypto_finish_batch_verify_version_1", &[]).is_err());
        c.run("crypto_start_batch_verify_version_1", &[]);
        assert!(c.raw("crypto_start_batch_verify_version_1", &[]).is_err());
        let args = [zeros, text, zeros];
        assert_eq!(c.raw("crypto_sr25519_batch_verify_version_1", &args), Ok(0));
        assert_eq!(c.run("crypto_finish_batch_verify_version_1", &[]), 0);
    });
}

#[test]
fn versions_of_other_runtimes() {
    let section = |name: &str, payload: &[u8]| {
        let mut body = name.encode();
        body[0] >>= 2;
        body.extend(payload);
        [&[0, body.len() as u8][..], &body].concat()
    };
    let wasm = b"\0asm\x01\0\0\0".to_vec();
    // Empty names and list of APIs; authoring 1, spec 2, impl 3; transaction 4, state version 1.
    let fields = |tail: &[u8]| [&[0, 0][..], &(1u32, 2u32, 3u32).encode(), &[0], tail].concat();
    let core = [0xdf, 0x6a, 0xcb, 0x68, 0x99, 0x07, 0x60, 0x9b];
    let apis = |version: u32| [&core[..], &version.encode()].concat();
    let answer = |version: u32| {
        let mut out = fields(&[]);
        out.pop();
        out.extend(vec![(core, version)].encode());
        out.extend((4u32, 1u8).encode());
        Some(out).encode()
    };
    let embedded = |version: u32| {
        let fields = fields(&(4u32, 1u8).encode());
        [wasm.clone(), section("runtime_version", &fields), section("runtime_apis", &apis(version))]
            .concat()
    };
    let broken = [wasm.clone(), section("runtime_version", b"x")].concat();
    let ragged =
        [&embedded(4)[..8], &section("runtime_version", b""), &section("runtime_apis", b"x")]
            .concat();
    // Without a hook, and with one that answers for the bare module only.
    let bare = wasm.clone();
    let hook = move |asked: &[u8]| {
        assert_eq!(Caller::new().call("storage_get_version_1", &[b"k"]), [0]);
        (asked == bare).then(|| b"hooked".to_vec())
    };
    let pairs = [(b"k".to_vec(), b"of the guest".to_vec())];
    let state = State::new(pairs.into(), Default::default(), StateVersion::V1);
    for (code, without, with) in [
        (&embedded(4), answer(4), answer(4)),
        (&wasm, vec![0], some(b"hooked")),
        (&broken, vec![0], vec![0]),
        (&ragged, vec![0], vec![0]),
        (&b"rubbish".to_vec(), vec![0], vec![0]),
    ] {
        for (mut session, expected) in
            [(state.session(), without), (state.session_with(Some(Arc::new(hook.clone()))), with)]
        {
            let version =
                session.execute(|| Caller::new().call("misc_runtime_version_version_1", &[code]));
            assert_eq!(hex(&version), hex(&expected), "{code:?}");
        }
    }
}

fn some(value: &[u8]) -> Vec<u8> {
    Some(value.to_vec()).encode()
}
