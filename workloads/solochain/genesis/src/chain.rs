//! A chain that consists of its genesis state: runs the runtime on it, and writes it down in the
//! forms in which others read it.

use codec::{Decode, Encode};
use serde_json::{Map, Value, json};
use solochain_runtime::{Block, Hash, Header, apis::api};
use sp_core::storage::{StateVersion, Storage, StorageMap, well_known_keys};
use sp_runtime::traits::{BlakeTwo256, Hash as _, Header as _};
use sp_state_machine::TestExternalities;

/// What `system_version: 1` means for the state trie.
const STATE_VERSION: StateVersion = StateVersion::V1;

pub struct Chain {
    genesis: Storage,
}

impl Chain {
    pub fn new(genesis: Storage) -> Self {
        Self { genesis }
    }

    /// The hash of block 0, whose header says nothing but the state's root.
    pub fn genesis_hash(&self) -> Hash {
        let no_extrinsics = BlakeTwo256::trie_root(Vec::new(), STATE_VERSION);
        let state_root = *self.state().backend.root();
        Header::new(0, no_extrinsics, state_root, Hash::zero(), Default::default()).hash()
    }

    /// The genesis state to be called on, untouched by what was called before.
    pub fn state(&self) -> TestExternalities<BlakeTwo256> {
        let top = self.genesis.top.clone();
        // Left to itself, `TestExternalities` overwrites the code with nothing.
        let code = top[well_known_keys::CODE].clone();
        let storage = Storage { top, children_default: Default::default() };
        TestExternalities::new_with_code_and_state(&code, storage, STATE_VERSION)
    }

    /// Calls one entry point on the genesis state, and forgets what it changed.
    pub fn call(&self, entry_point: &str, input: &[u8]) -> Vec<u8> {
        self.state().execute_with(|| call(entry_point, input))
    }

    /// Executes the block as a node that received it would: the runtime panics if a signature,
    /// a root or anything else about it is wrong.
    pub fn execute(&self, block: &Block) -> Vec<u8> {
        self.call("Core_execute_block", &block.encode())
    }

    pub fn spec(&self) -> Value {
        json!({
            "name": "Lithify solochain",
            "id": "lithify_solochain",
            "chainType": "Local",
            "bootNodes": [],
            "telemetryEndpoints": null,
            "protocolId": null,
            "properties": { "tokenDecimals": 12, "tokenSymbol": "UNIT" },
            "codeSubstitutes": {},
            "genesis": {
                "raw": { "top": hex_map(&self.genesis.top), "childrenDefault": {} },
            },
        })
    }

    pub fn block_file(&self, block: &Block) -> Value {
        let body: Vec<_> =
            block.extrinsics.iter().map(|extrinsic| hex(&extrinsic.encode())).collect();
        json!({
            "block": { "header": hex(&block.header.encode()), "body": body },
            "parentStorage": { "mainTrie": hex_map(&self.genesis.top), "childTries": {} },
        })
    }
}

/// Calls one entry point of the native runtime on the state that is in scope.
pub fn call(entry_point: &str, input: &[u8]) -> Vec<u8> {
    api::dispatch(entry_point, input).expect("the runtime implements the entry point")
}

/// As `call`, for an output type that the caller knows.
pub fn call_for<T: Decode>(entry_point: &str, input: &[u8]) -> T {
    T::decode(&mut call(entry_point, input).as_slice()).expect("the runtime encodes this type")
}

fn hex_map(entries: &StorageMap) -> Map<String, Value> {
    entries.iter().map(|(key, value)| (hex(key), Value::String(hex(value)))).collect()
}

fn hex(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}
