//! Chains to call, and what a call did.

#![allow(dead_code, reason = "each test uses its part")]

use codec::Encode;
use lithify_executor::{LithifyExecutor, Options, Program};
use lithify_polkadot::{Input, RuntimeInput, state::Pairs};
use sc_executor::WasmExecutor;
use sp_core::{
    Blake2Hasher, H256,
    storage::{
        ChildInfo, StateVersion, Storage, StorageChild,
        well_known_keys::{CODE, DEFAULT_CHILD_STORAGE_KEY_PREFIX},
    },
    traits::{CallContext, CodeExecutor, ReadRuntimeVersionExt, RuntimeCode, WrappedRuntimeCode},
};
use sp_externalities::Extensions;
use sp_io::SubstrateHostFunctions;
use sp_state_machine::{Backend, InMemoryBackend, OverlayedChanges, StateMachine};
use std::{collections::BTreeMap, path::Path};

pub type Executor = LithifyExecutor<SubstrateHostFunctions>;
pub type Fallback = WasmExecutor<SubstrateHostFunctions>;

/// The program that compiles in tests.
pub fn worker() -> Program {
    Program::File(env!("CARGO_BIN_EXE_lithify-executor-worker").into())
}

/// An executor on the store in `folder`.
pub fn executor(folder: &Path) -> Executor {
    LithifyExecutor::new(&Options::new(folder, worker())).unwrap()
}

/// Code, and the state that it is called on.
pub struct Chain {
    pub name: String,
    pub code: Vec<u8>,
    /// What the node calls the code's hash.
    pub hash: Vec<u8>,
    pub heap_pages: Option<u64>,
    pub version: StateVersion,
    backend: InMemoryBackend<Blake2Hasher>,
}

/// What a call did.
#[derive(Debug, PartialEq)]
pub struct Outcome {
    /// The result, or what is the same of an error on all engines.
    pub result: Result<Vec<u8>, String>,
    /// Keys and values of the state, of child tries, and of the off-chain index, in their order.
    pub changes: Vec<(Vec<u8>, Vec<u8>)>,
    pub root: H256,
}

impl Chain {
    /// Code without a state.
    pub fn of_code(name: &str, code: Vec<u8>) -> Self {
        Self::new(name, code, Pairs::new(), BTreeMap::new(), StateVersion::V1)
    }

    /// Code of the text format.
    pub fn of_text(name: &str, text: &str) -> Self {
        Self::of_code(name, wat::parse_str(text).unwrap())
    }

    /// What a file holds.
    pub fn of_input(name: &str, input: &RuntimeInput) -> Self {
        let Some(state) = &input.state else { return Self::of_code(name, input.code.clone()) };
        let (top, children) = state.pairs();
        Self::new(name, input.code.clone(), top, children, state.version())
    }

    fn new(
        name: &str,
        code: Vec<u8>,
        mut top: Pairs,
        children: BTreeMap<Vec<u8>, Pairs>,
        version: StateVersion,
    ) -> Self {
        // The roots of child tries are made anew.
        top.retain(|key, _| !key.starts_with(DEFAULT_CHILD_STORAGE_KEY_PREFIX));
        let child = |(name, data): (Vec<u8>, Pairs)| {
            let child_info = ChildInfo::new_default(&name);
            (name, StorageChild { data, child_info })
        };
        let children_default = children.into_iter().map(child).collect();
        let backend = (Storage { top, children_default }, version).into();
        let hash = sp_crypto_hashing::blake2_256(&code).to_vec();
        Self { name: name.into(), code, hash, heap_pages: None, version, backend }
    }

    /// Does `then` with the code as a node hands it to its executor.
    pub fn with_code<R>(&self, then: impl FnOnce(&RuntimeCode<'_>) -> R) -> R {
        let fetcher = WrappedRuntimeCode(self.code.as_slice().into());
        let (hash, heap_pages) = (self.hash.clone(), self.heap_pages);
        then(&RuntimeCode { code_fetcher: &fetcher, hash, heap_pages })
    }

    /// A call as a node makes it.
    pub fn call<E: CodeExecutor>(
        &self,
        executor: &E,
        method: &str,
        data: &[u8],
        context: CallContext,
    ) -> Outcome {
        let mut overlay = OverlayedChanges::default();
        let result = self.execute(executor, method, data, context, &mut overlay);
        let done = overlay.drain_storage_changes(&self.backend, self.version).unwrap();
        let mut changes: Vec<_> = done
            .main_storage_changes
            .into_iter()
            .map(|(key, value)| (key, value.encode()))
            .collect();
        for (child, values) in done.child_storage_changes {
            changes.extend(
                values.into_iter().map(|(key, value)| ((&child, key).encode(), value.encode())),
            );
        }
        for change in done.offchain_storage_changes {
            changes.push((change.0.encode(), format!("{:?}", change.1).into_bytes()));
        }
        let result = result.map_err(|error| of_error(&error));
        Outcome { result, changes, root: done.transaction_storage_root }
    }

    /// Executes a block, keeps what it did, and returns the root. The code is the state's.
    pub fn import<E: CodeExecutor>(&mut self, executor: &E, argument: &[u8]) -> H256 {
        let mut overlay = OverlayedChanges::default();
        let context = CallContext::Onchain { import: true };
        self.execute(executor, "Core_execute_block", argument, context, &mut overlay).unwrap();
        let done = overlay.drain_storage_changes(&self.backend, self.version).unwrap();
        let root = done.transaction_storage_root;
        self.backend.apply_transaction(root, done.transaction);
        self.code = self.backend.storage(CODE).unwrap().unwrap();
        self.hash = sp_crypto_hashing::blake2_256(&self.code).to_vec();
        root
    }

    /// A call, and nothing of what comes after it.
    pub fn execute<E: CodeExecutor>(
        &self,
        executor: &E,
        method: &str,
        data: &[u8],
        context: CallContext,
        overlay: &mut OverlayedChanges<Blake2Hasher>,
    ) -> Result<Vec<u8>, String> {
        let mut extensions = Extensions::new();
        extensions.register(ReadRuntimeVersionExt::new(executor.clone()));
        let result = self.with_code(|code| {
            StateMachine::new(
                &self.backend,
                overlay,
                executor,
                method,
                data,
                &mut extensions,
                code,
                context,
            )
            .execute()
        });
        result.map_err(|error| error.to_string())
    }
}

/// A guest's own words, and of a trap only that it is one: engines name traps and places differently.
fn of_error(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    // sc-executor's list of them has any order.
    let missing = line.find("which are not present on the host");
    match missing {
        Some(at) => line[..at].to_owned(),
        None if line.contains("trap") => "trap".into(),
        None => line.to_owned(),
    }
}

/// Reads a file that holds a runtime.
pub fn read(bytes: Vec<u8>, name: &str) -> RuntimeInput {
    match Input::read(bytes, name).unwrap() {
        Input::Runtime(input) => *input,
        Input::Image(_) => panic!("{name} is an image"),
    }
}

/// A file of this repository.
pub fn file(path: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
