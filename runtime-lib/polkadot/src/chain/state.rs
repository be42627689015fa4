//! The state a call runs on: a trie in memory, and over it the changes of one call.
//!
//! A [`State`] is what the chain has; a [`Session`] serves calls on it, each with an overlay of its
//! own, so that no call sees what another wrote. Overlay and externalities are made anew for
//! every call because the alternatives (a transaction around it, a shared overlay that is cleared)
//! take other paths in `sp-state-machine` than a node does.
//!
//! The trie is built when something first needs it: a call, or the root. What only asks for a value,
//! or for nothing of the state, does without.
//!
//! No offchain worker: its host functions trap, as in block execution. Writes to the offchain
//! index are dropped with the overlay.

use std::any::TypeId;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use sp_core::storage::well_known_keys::{CODE, DEFAULT_CHILD_STORAGE_KEY_PREFIX, HEAP_PAGES};
use sp_core::storage::{ChildInfo, StateVersion, Storage};
use sp_core::traits::{ReadRuntimeVersion, ReadRuntimeVersionExt};
use sp_core::{Blake2Hasher, H256};
use sp_crypto_hashing::twox_128;
use sp_externalities::{Extensions, Externalities, set_and_run_with_externalities};
use sp_keystore::KeystoreExt;
use sp_keystore::testing::MemoryKeystore;
use sp_state_machine::backend::Backend;
use sp_state_machine::{
    Ext, InMemoryBackend, IterArgs, OverlayedChanges, StorageChanges, TrieBackendBuilder,
};
use sp_trie::StorageProof;
use sp_trie::recorder::Recorder;

use super::code;
use super::room::{longest_path, with_room};
use super::version;
use crate::context::benchmark::{Database, DatabaseExt};

/// Key/value pairs of one trie.
pub type Pairs = BTreeMap<Vec<u8>, Vec<u8>>;

/// Why reading the main trie cannot fail.
const IN_MEMORY: &str = "the main trie is in memory and complete";

/// Each block that is applied adds its own paths to the estimate of the longest; beyond so many nodes
/// it is counted anew.
const RECOUNT: usize = 1024;

/// The key under which FRAME stores a pallet's item, or with which the keys of its map begin.
pub(crate) fn storage_key(pallet: &str, item: &str) -> Vec<u8> {
    [twox_128(pallet.as_bytes()), twox_128(item.as_bytes())].concat()
}

/// Main trie and child tries of a chain at one block.
pub struct State {
    /// What the tries are built of; taken when they are.
    pairs: Mutex<Option<Storage>>,
    tries: OnceLock<Tries>,
    version: StateVersion,
}

#[derive(Clone)]
struct Tries {
    backend: InMemoryBackend<Blake2Hasher>,
    /// No path in one of them has more nodes.
    longest_path: usize,
}

impl Clone for State {
    fn clone(&self) -> Self {
        let version = self.version;
        let copy = |pairs: &Storage| Storage {
            top: pairs.top.clone(),
            children_default: pairs.children_default.clone(),
        };
        match self.unbuilt(copy) {
            Some(pairs) => Self { pairs: Some(pairs).into(), tries: OnceLock::new(), version },
            None => Self { pairs: None.into(), tries: self.tries().clone().into(), version },
        }
    }
}

impl State {
    /// A state without any key.
    pub fn empty() -> Self {
        Self::new(Pairs::new(), BTreeMap::new(), StateVersion::V1)
    }

    /// A state of these pairs, encoded by the rules of `version`. `children` are the default child
    /// tries by their names without prefix.
    ///
    /// The roots of child tries that are given are computed, whatever `top` has for them. A root
    /// in `top` whose child trie is not given stays: the state root is right then, but reading
    /// that child fails the call.
    pub fn new(mut top: Pairs, children: BTreeMap<Vec<u8>, Pairs>, version: StateVersion) -> Self {
        let mut storage = Storage::default();
        for (name, data) in children {
            top.remove(&[DEFAULT_CHILD_STORAGE_KEY_PREFIX, &name].concat());
            let child_info = ChildInfo::new_default(&name);
            let child = sp_core::storage::StorageChild { data, child_info };
            storage.children_default.insert(name, child);
        }
        storage.top = top;
        Self { pairs: Some(storage).into(), tries: OnceLock::new(), version }
    }

    /// What `read` finds in the pairs while no trie was built of them.
    fn unbuilt<R>(&self, read: impl FnOnce(&Storage) -> R) -> Option<R> {
        // They are taken in one step, so they are whole whatever panicked.
        self.pairs.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(read)
    }

    fn tries(&self) -> &Tries {
        self.tries.get_or_init(|| {
            let pairs = self.pairs.lock().unwrap_or_else(PoisonError::into_inner).take();
            let (pairs, version) = (pairs.expect("they are taken once"), self.version);
            let children = pairs.children_default.values().map(|child| path(&child.data));
            let longest_path = children.fold(path(&pairs.top), usize::max);
            Tries { backend: with_room(longest_path, || (pairs, version).into()), longest_path }
        })
    }

    fn backend(&self) -> &InMemoryBackend<Blake2Hasher> {
        &self.tries().backend
    }

    /// The state root.
    pub fn root(&self) -> [u8; 32] {
        self.backend().root().0
    }

    /// How many keys the main trie has, the roots of child tries among them.
    pub fn len(&self) -> usize {
        let unbuilt = self.unbuilt(|pairs| pairs.top.len() + pairs.children_default.len());
        unbuilt
            .unwrap_or_else(|| self.backend().pairs(IterArgs::default()).expect(IN_MEMORY).count())
    }

    /// Whether it has no key.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The version whose rules encode the trie.
    pub fn version(&self) -> StateVersion {
        self.version
    }

    /// Encodes the trie by the rules of `version`, anew if it is there. Call it when the version of
    /// the runtime was not known when the state was made: the root depends on it.
    pub fn set_version(&mut self, version: StateVersion) {
        if version != self.version && self.tries.get().is_some() {
            let (top, children) = self.pairs();
            *self = Self::new(top, children, version);
        }
        self.version = version;
    }

    /// The value of `key` in the main trie.
    pub fn storage(&self, key: &[u8]) -> Option<Vec<u8>> {
        // Only the trie has the root of a child trie.
        let is_root = key.starts_with(DEFAULT_CHILD_STORAGE_KEY_PREFIX);
        let unbuilt = self.unbuilt(|pairs| (!is_root).then(|| pairs.top.get(key).cloned()));
        let built = || self.backend().storage(key).expect(IN_MEMORY);
        unbuilt.flatten().unwrap_or_else(built)
    }

    /// The value of `key` in the default child trie of that name.
    pub fn child_storage(&self, child: &[u8], key: &[u8]) -> Option<Vec<u8>> {
        let child = ChildInfo::new_default(child);
        self.backend().child_storage(&child, key).ok().flatten()
    }

    /// The runtime's code as it is stored, perhaps compressed.
    pub fn code(&self) -> Option<Vec<u8>> {
        self.storage(CODE)
    }

    /// The override of the heap's size, in pages of 64 KiB.
    pub fn heap_pages(&self) -> Option<u64> {
        let value = self.storage(HEAP_PAGES)?;
        Some(u64::from_le_bytes(value.get(..8)?.try_into().ok()?))
    }

    /// Every pair, as [`new`](Self::new) takes them.
    pub fn pairs(&self) -> (Pairs, BTreeMap<Vec<u8>, Pairs>) {
        let top: Pairs = self
            .backend()
            .pairs(IterArgs::default())
            .expect(IN_MEMORY)
            .map(|pair| pair.expect(IN_MEMORY))
            .collect();
        let children = top
            .keys()
            .filter_map(|key| key.strip_prefix(DEFAULT_CHILD_STORAGE_KEY_PREFIX))
            .filter_map(|name| Some((name.to_vec(), self.child_pairs(name)?)))
            .collect();
        (top, children)
    }

    /// `None` for a child trie of which only the root was given.
    fn child_pairs(&self, name: &[u8]) -> Option<Pairs> {
        let mut args = IterArgs::default();
        args.child_info = Some(ChildInfo::new_default(name));
        self.backend().pairs(args).ok()?.collect::<Result<_, _>>().ok()
    }

    /// Writes what a call changed. The changes must come from a session on this very state.
    pub fn apply(&mut self, changes: StateChanges) {
        let StorageChanges { transaction, transaction_storage_root, .. } = changes.changes;
        self.tries();
        let tries = self.tries.get_mut().expect("built a line before");
        tries.backend.apply_transaction(transaction_storage_root, transaction);
        tries.longest_path = changes.longest_path;
        if tries.longest_path > RECOUNT {
            let (top, children) = self.pairs();
            let longest = children.values().map(path).fold(path(&top), usize::max);
            self.tries.get_mut().expect("they are there").longest_path = longest;
        }
    }

    /// A session without a fallback for the version of nested runtimes.
    pub fn session(&self) -> Session<'_> {
        self.session_with(None)
    }

    /// A session; `version_of` runs the `Core_version` of a runtime that a guest asks about and
    /// that embeds no version, given its decompressed Wasm.
    pub fn session_with(&self, version_of: Option<VersionHook>) -> Session<'_> {
        let mut extensions = Extensions::new();
        extensions.register(KeystoreExt::new(MemoryKeystore::new()));
        extensions.register(ReadRuntimeVersionExt::new(VersionReader(version_of)));
        // Now rather than in the first call, whose time somebody takes.
        self.tries();
        Session { state: self, overlay: OverlayedChanges::default(), extensions, left_open: 0 }
    }
}

/// Runs `Core_version` of the given Wasm and returns its output, or `None` when that failed. It
/// runs inside the call that asks, with an empty storage of its own.
pub type VersionHook = Arc<dyn Fn(&[u8]) -> Option<Vec<u8>> + Send + Sync>;

/// Serves calls on a state: the externalities that host functions find on their thread.
///
/// The in-memory keystore lives as long as the session; everything else as long as one call.
pub struct Session<'s> {
    state: &'s State,
    overlay: OverlayedChanges<Blake2Hasher>,
    extensions: Extensions,
    left_open: usize,
}

/// What a call changed, ready for [`State::apply`].
pub struct StateChanges {
    changes: StorageChanges<Blake2Hasher>,
    /// No path of a trie with them in it has more nodes.
    longest_path: usize,
}

/// One changed key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// Name of the default child trie, without prefix; `None` for the main trie.
    pub child: Option<Vec<u8>>,
    /// The key.
    pub key: Vec<u8>,
    /// Its new value; `None` when it was removed.
    pub value: Option<Vec<u8>>,
}

impl Session<'_> {
    /// Runs `call` with the state and an empty overlay as the externalities of this thread, and
    /// keeps what it changed. Transactions that it left open are rolled back.
    ///
    /// To time a call alone, take the time inside: what happens before and after is set-up.
    pub fn execute<R>(&mut self, call: impl FnOnce() -> R) -> R {
        self.overlay = OverlayedChanges::default();
        let backend = self.state.backend();
        let mut ext = Ext::new(&mut self.overlay, backend, Some(&mut self.extensions));
        let result = set_and_run_with_externalities(&mut ext, call);
        self.left_open = self.overlay.transaction_depth();
        for _ in 0..self.left_open {
            self.overlay
                .rollback_transaction()
                .expect("as many transactions are open as were counted");
        }
        if self.left_open > 0 {
            log::warn!("{} storage transactions were left open", self.left_open);
        }
        // A root that the call asked for is kept by the overlay, and appending to a value does not
        // mark it as out of date; taking a transaction back does.
        self.overlay.start_transaction();
        self.overlay.rollback_transaction().expect("it was just opened");
        result
    }

    /// Runs `call` on the state, and returns the nodes of the tries that it read as well. Nothing is kept.
    pub(crate) fn prove<R>(&mut self, call: impl FnOnce() -> R) -> (R, StorageProof) {
        let recorder = Recorder::default();
        let backend = TrieBackendBuilder::wrap(self.state.backend());
        let backend = backend.with_recorder(recorder.clone()).build();
        let mut overlay = OverlayedChanges::default();
        let mut ext = Ext::new(&mut overlay, &backend, Some(&mut self.extensions));
        let result = set_and_run_with_externalities(&mut ext, call);
        (result, recorder.to_storage_proof())
    }

    /// Runs `call` as a benchmark of a node's: on a copy of the state, which it may commit to and reset,
    /// and which counts the keys that it reads and writes. `ext_benchmarking_*` is how a guest does so;
    /// elsewhere these functions fail. Nothing is kept, and there is nothing that was changed.
    pub fn benchmark<R>(&mut self, call: impl FnOnce() -> R) -> R {
        let database = Arc::new(Database::new(self.state.backend()));
        self.overlay = OverlayedChanges::default();
        let mut overlay = OverlayedChanges::default();
        overlay.enter_runtime().expect("a fresh overlay is in no runtime");
        self.extensions.register(DatabaseExt(Arc::clone(&database)));
        let mut ext = Ext::new(&mut overlay, &*database, Some(&mut self.extensions));
        let result = set_and_run_with_externalities(&mut ext, call);
        self.extensions.deregister(TypeId::of::<DatabaseExt>());
        result
    }

    /// The same without keys to sign with: what needs one fails.
    pub fn without_keys(mut self) -> Self {
        self.extensions.deregister(TypeId::of::<KeystoreExt>());
        self
    }

    /// The state that calls read.
    pub fn state(&self) -> &State {
        self.state
    }

    /// How many transactions the last call left open.
    pub fn left_open(&self) -> usize {
        self.left_open
    }

    /// The state root after the last call.
    pub fn root(&mut self, version: StateVersion) -> [u8; 32] {
        let (longest_path, backend) = (self.longest_path(), self.state.backend());
        let overlay = &mut self.overlay;
        with_room(longest_path, || {
            H256::from_slice(&Ext::new(overlay, backend, None).storage_root(version)).0
        })
    }

    /// No path of a trie has more nodes after the last call.
    fn longest_path(&mut self) -> usize {
        let top = longest_path(self.overlay.changes().map(|(key, _)| key.as_slice()));
        let children = self.overlay.children_mut();
        let longest = children.fold(top, |longest, (pairs, _)| {
            longest.max(longest_path(pairs.map(|(key, _)| key.as_slice())))
        });
        self.state.tries().longest_path + longest
    }

    /// What the last call changed, sorted; also keys that were written with the value they had.
    pub fn changes(&mut self) -> Vec<Change> {
        let mut changes = Vec::new();
        for (key, value) in self.overlay.changes_mut() {
            changes.push(change(None, key, value.value()));
        }
        for (pairs, child) in self.overlay.children_mut() {
            for (key, value) in pairs {
                changes.push(change(Some(child.storage_key()), key, value.value()));
            }
        }
        changes.sort();
        changes
    }

    /// Takes the changes of the last call out of the session, to apply them to the state.
    pub fn into_changes(mut self, version: StateVersion) -> StateChanges {
        let (longest_path, backend) = (self.longest_path(), self.state.backend());
        let overlay = &mut self.overlay;
        let changes = with_room(longest_path, || overlay.drain_storage_changes(backend, version));
        StateChanges { changes: changes.expect(IN_MEMORY), longest_path }
    }
}

/// The number of nodes on the longest path of a trie of these pairs.
fn path(pairs: &Pairs) -> usize {
    longest_path(pairs.keys().map(Vec::as_slice))
}

fn change(child: Option<&[u8]>, key: &[u8], value: Option<&Vec<u8>>) -> Change {
    Change { child: child.map(<[u8]>::to_vec), key: key.to_vec(), value: value.cloned() }
}

struct VersionReader(Option<VersionHook>);

impl ReadRuntimeVersion for VersionReader {
    fn read_runtime_version(
        &self,
        code: &[u8],
        ext: &mut dyn Externalities,
    ) -> Result<Vec<u8>, String> {
        use parity_scale_codec::Encode;

        let wasm = code::decompress(code).map_err(|error| error.to_string())?;
        if let Some(version) = version::embedded(&wasm).map_err(|error| error.to_string())? {
            return Ok(version.encode());
        }
        // The guest's own externalities are in use by the host function that asks.
        let output =
            self.0.as_ref().and_then(|hook| set_and_run_with_externalities(ext, || hook(&wasm)));
        output.ok_or_else(|| "no embedded version, and Core_version cannot be called".into())
    }
}
