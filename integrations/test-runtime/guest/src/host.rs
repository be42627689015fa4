//! Exports that call the host.

use alloc::vec::Vec;
use sp_core::{
    ed25519,
    offchain::{HttpRequestStatus, StorageKind},
    sr25519,
    storage::StateVersion,
};
use sp_io::{crypto, hashing, offchain, offchain_index, storage, trie, wasm_tracing};
use sp_runtime::print;

/// What the signatures are of, and the answer of exports that only have to come to their end.
const ALL_OK: &[u8] = b"all ok!";

/// A public key of 32 bytes and a signature of 64.
fn key_and_signature(input: &[u8]) -> ([u8; 32], [u8; 64]) {
    let (key, signature) = input.split_at(32);
    (key.try_into().expect("a key"), signature.try_into().expect("a signature"))
}

/// Posts what the test expects, and looks at what it answers.
fn post() -> Result<(), ()> {
    let id = offchain::http_request_start("POST", "http://localhost:12345", &[])?;
    offchain::http_request_add_header(id, "X-Auth", "test")?;
    for chunk in [&[1, 2, 3, 4][..], &[]] {
        offchain::http_request_write_body(id, chunk, None).map_err(drop)?;
    }
    let status = offchain::http_response_wait(&[id], None);
    assert_eq!(status, [HttpRequestStatus::Finished(200)]);
    let headers = offchain::http_response_headers(id);
    assert_eq!(headers, [(b"X-Auth".to_vec(), b"hello".to_vec())]);
    let mut body = [0; 64];
    for expected in [&[1, 2, 3][..], &[]] {
        let len = offchain::http_response_read_body(id, &mut body, None).map_err(drop)?;
        assert_eq!(&body[..len as usize], expected);
    }
    Ok(())
}

crate::exports! {
    fn test_data_in(input: Vec<u8>) -> Vec<u8> {
        print("into the state and out of it");
        storage::set(b"input", &input);
        let found = storage::get(b"foo").expect("what the test has put there");
        storage::set(b"baz", &found);
        ALL_OK.to_vec()
    }

    fn test_clear_prefix(prefix: Vec<u8>) -> Vec<u8> {
        let _ = storage::clear_prefix(&prefix, None);
        ALL_OK.to_vec()
    }

    fn test_blake2_256(input: Vec<u8>) -> Vec<u8> {
        hashing::blake2_256(&input).to_vec()
    }

    fn test_blake2_128(input: Vec<u8>) -> Vec<u8> {
        hashing::blake2_128(&input).to_vec()
    }

    fn test_sha2_256(input: Vec<u8>) -> Vec<u8> {
        hashing::sha2_256(&input).to_vec()
    }

    fn test_twox_256(input: Vec<u8>) -> Vec<u8> {
        hashing::twox_256(&input).to_vec()
    }

    fn test_twox_128(input: Vec<u8>) -> Vec<u8> {
        hashing::twox_128(&input).to_vec()
    }

    fn test_ed25519_verify(input: Vec<u8>) -> bool {
        let (key, signature) = key_and_signature(&input);
        crypto::ed25519_verify(
            &ed25519::Signature::from_raw(signature),
            ALL_OK,
            &ed25519::Public::from_raw(key),
        )
    }

    fn test_sr25519_verify(input: Vec<u8>) -> bool {
        let (key, signature) = key_and_signature(&input);
        crypto::sr25519_verify(
            &sr25519::Signature::from_raw(signature),
            ALL_OK,
            &sr25519::Public::from_raw(key),
        )
    }

    fn test_ordered_trie_root() -> Vec<u8> {
        let values = [&b"zero"[..], b"one", b"two"].map(<[u8]>::to_vec).to_vec();
        trie::blake2_256_ordered_root(values, StateVersion::V1).0.to_vec()
    }

    fn test_offchain_index_set() {
        offchain_index::set(b"k", b"v");
    }

    fn test_offchain_local_storage() -> bool {
        let get = || offchain::local_storage_get(StorageKind::PERSISTENT, b"test");
        let set = offchain::local_storage_compare_and_set;
        assert_eq!(get(), None);
        offchain::local_storage_set(StorageKind::PERSISTENT, b"test", b"first");
        assert_eq!(get().as_deref(), Some(&b"first"[..]));
        let done = set(StorageKind::PERSISTENT, b"test", Some(b"first".to_vec()), b"");
        assert_eq!(get().as_deref(), Some(&b""[..]));
        done
    }

    fn test_offchain_http() -> bool {
        post().is_ok()
    }

    fn test_enter_span() -> u64 {
        wasm_tracing::enter_span(Default::default())
    }

    fn test_exit_span(id: u64) {
        wasm_tracing::exit(id);
    }

    fn test_nested_spans() {
        sp_io::init_tracing();
        let outer = wasm_tracing::enter_span(Default::default());
        let inner = wasm_tracing::enter_span(Default::default());
        wasm_tracing::exit(inner);
        wasm_tracing::exit(outer);
    }
}
