//! The names of the host API that no function here has, and why.

/// Why a host function of that name is left out; `None` for one that is not known, or that is there.
///
/// A name stands for its family where the whole of that is left out.
pub fn left_out(name: &str) -> Option<&'static str> {
    const INTERPRETER: &str =
        "it runs WebAssembly in the host; contract chains did so until 2022, and none does now";
    const TASKS: &str = "it runs a second instance beside the first; no live chain ever did so";
    const KEYS: &str = "keys of an experimental kind; hosts of live chains are built without";
    const CURVES: &str = "arithmetic of elliptic curves, for test networks";
    const GUESTS: &str = "guests of another kind, on no live chain";
    const FAMILIES: [(&str, &str); 9] = [
        ("ext_sandbox_", INTERPRETER),
        ("ext_runtime_tasks_", TASKS),
        ("ext_crypto_bls", KEYS),
        ("ext_crypto_ecdsa_bls", KEYS),
        ("ext_crypto_bandersnatch_", KEYS),
        ("ext_elliptic_curves_", CURVES),
        ("ext_host_calls_", CURVES),
        ("ext_virtualization_", GUESTS),
        (
            "ext_benchmarking_",
            "only a host that benchmarks has it; `lithify run` does, for entry points Benchmark_…",
        ),
    ];
    if RFC_145.contains(&name) {
        return Some("of RFC 145, whose runtimes allocate by themselves; there are none yet");
    }
    FAMILIES.iter().find(|(family, _)| name.starts_with(family)).map(|(_, why)| *why)
}

/// The functions of RFC 145, but for three whose names `sp-io` has with other types.
const RFC_145: [&str; 44] = [
    "ext_storage_read_version_2",
    "ext_storage_root_version_3",
    "ext_storage_next_key_version_2",
    "ext_default_child_storage_read_version_2",
    "ext_default_child_storage_root_version_3",
    "ext_default_child_storage_next_key_version_2",
    "ext_trie_blake2_256_root_version_3",
    "ext_trie_blake2_256_ordered_root_version_3",
    "ext_trie_keccak_256_root_version_3",
    "ext_trie_keccak_256_ordered_root_version_3",
    "ext_misc_runtime_version_version_2",
    "ext_misc_last_cursor_version_1",
    "ext_crypto_ed25519_public_keys_version_2",
    "ext_crypto_ed25519_generate_version_2",
    "ext_crypto_ed25519_sign_version_2",
    "ext_crypto_sr25519_public_keys_version_2",
    "ext_crypto_sr25519_generate_version_2",
    "ext_crypto_sr25519_sign_version_2",
    "ext_crypto_ecdsa_public_keys_version_2",
    "ext_crypto_ecdsa_generate_version_2",
    "ext_crypto_ecdsa_sign_version_2",
    "ext_crypto_ecdsa_sign_prehashed_version_2",
    "ext_crypto_secp256k1_ecdsa_recover_version_3",
    "ext_crypto_secp256k1_ecdsa_recover_compressed_version_3",
    "ext_hashing_keccak_256_version_2",
    "ext_hashing_keccak_512_version_2",
    "ext_hashing_sha2_256_version_2",
    "ext_hashing_blake2_128_version_2",
    "ext_hashing_blake2_256_version_2",
    "ext_hashing_twox_64_version_2",
    "ext_hashing_twox_128_version_2",
    "ext_hashing_twox_256_version_2",
    "ext_offchain_submit_transaction_version_2",
    "ext_offchain_network_peer_id_version_1",
    "ext_offchain_random_seed_version_2",
    "ext_offchain_local_storage_read_version_1",
    "ext_offchain_http_request_start_version_2",
    "ext_offchain_http_request_add_header_version_2",
    "ext_offchain_http_request_write_body_version_2",
    "ext_offchain_http_response_wait_version_2",
    "ext_offchain_http_response_header_name_version_1",
    "ext_offchain_http_response_header_value_version_1",
    "ext_offchain_http_response_read_body_version_2",
    "ext_input_read_version_1",
];
