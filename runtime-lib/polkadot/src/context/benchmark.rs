//! The database of benchmarks: a copy of a state that a guest may commit to and reset, which counts
//! the keys that are read and written.
//!
//! What is counted, and how, is what a node's benchmark command does, so that weights come out the same:
//! a key that was read or written before is a repetition, keys on the list of exceptions do not count,
//! and writes count when they are committed. The list takes effect when the counters are reset.
//!
//! The state itself never changes: a commit goes to a layer above it, and a reset drops that layer.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sp_core::storage::{ChildInfo, StateVersion, TrackedStorageKey};
use sp_core::{Blake2Hasher, H256};
use sp_externalities::decl_extension;
use sp_state_machine::{
    Backend, BackendTransaction, ChildStorageCollection, DefaultError, InMemoryBackend, IterArgs,
    StorageCollection, StorageIterator, TrieBackend, TrieBackendBuilder, TrieBackendStorage,
    UsageInfo,
};
use sp_trie::recorder::Recorder;
use sp_trie::{DBValue, MerkleValue, PrefixedMemoryDB};

/// By how many of its first bytes a key is told in the list of all keys: those of a pallet's item.
const PREFIX: usize = 32;

type Result<T> = std::result::Result<T, DefaultError>;
type Nodes = PrefixedMemoryDB<Blake2Hasher>;
type Tries = TrieBackend<Layers, Blake2Hasher>;

decl_extension! {
    /// The database that a benchmark's call has as its externalities.
    pub(crate) struct DatabaseExt(Arc<Database>);
}

/// A database to benchmark on.
pub(crate) struct Database(Mutex<Contents>);

struct Contents {
    tries: Tries,
    /// Nodes that were read since the last commit or reset: the proof.
    proof: Recorder<Blake2Hasher>,
    initial_root: H256,
    snapshot: Option<(Nodes, H256)>,
    counts: bool,
    /// By the name of the child trie, without prefix, and key.
    keys: BTreeMap<(Option<Vec<u8>>, Vec<u8>), TrackedStorageKey>,
    exceptions: Vec<TrackedStorageKey>,
}

/// The trie nodes of the state, and those that were committed since.
pub(crate) struct Layers {
    initial: Arc<Nodes>,
    committed: Nodes,
}

impl TrieBackendStorage<Blake2Hasher> for Layers {
    fn get(&self, key: &H256, prefix: (&[u8], Option<u8>)) -> Result<Option<DBValue>> {
        // A node is what its hash says, so one that a commit has removed does no harm below.
        match self.committed.get(key, prefix)? {
            None => TrieBackendStorage::get(&*self.initial, key, prefix),
            found => Ok(found),
        }
    }
}

impl Database {
    /// A database with that state in it.
    pub(crate) fn new(state: &InMemoryBackend<Blake2Hasher>) -> Self {
        let initial = Arc::new(state.backend_storage().clone());
        let (root, proof) = (*state.root(), Recorder::default());
        let layers = Layers { initial, committed: Nodes::default() };
        let tries = TrieBackendBuilder::new(layers, root).with_recorder(proof.clone()).build();
        Self(Mutex::new(Contents {
            tries,
            proof,
            initial_root: root,
            snapshot: None,
            counts: true,
            keys: BTreeMap::new(),
            exceptions: Vec::new(),
        }))
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        // A benchmark whose host function panicked ends; nobody looks at it any more.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether keys are counted from now on.
    pub(crate) fn count(&self, counts: bool) {
        self.contents().counts = counts;
    }

    /// Keeps the contents for [`restore`](Self::restore).
    pub(crate) fn store(&self) {
        let contents = &mut *self.contents();
        let committed = contents.tries.backend_storage().committed.clone();
        contents.snapshot = Some((committed, *contents.tries.root()));
    }

    /// Makes the contents those of the latest [`store`](Self::store), or the initial ones without any.
    pub(crate) fn restore(&self) {
        let contents = &mut *self.contents();
        let initial = (Nodes::default(), contents.initial_root);
        let (committed, root) = contents.snapshot.clone().unwrap_or(initial);
        contents.replace(committed, root);
    }
}

impl Contents {
    fn replace(&mut self, committed: Nodes, root: H256) {
        self.tries.backend_storage_mut().committed = committed;
        self.tries.set_root(root);
        self.proof.reset();
    }

    fn entry(&mut self, child: Option<&[u8]>, key: &[u8]) -> Option<&mut TrackedStorageKey> {
        let place = (child.map(<[u8]>::to_vec), key.to_vec());
        let new = || match child {
            Some(child) => TrackedStorageKey::new_child(child.to_vec(), key.to_vec()),
            None => TrackedStorageKey::new(key.to_vec()),
        };
        self.counts.then(|| self.keys.entry(place).or_insert_with(new))
    }

    fn reads(&mut self, child: Option<&ChildInfo>, key: &[u8]) -> &Tries {
        if let Some(entry) = self.entry(child.map(ChildInfo::storage_key), key) {
            entry.add_read();
        }
        &self.tries
    }

    fn writes(&mut self, child: Option<&[u8]>, key: &[u8]) {
        if let Some(entry) = self.entry(child, key) {
            entry.add_write();
        }
    }

    fn forget(&mut self) {
        let exceptions = self.exceptions.iter().cloned();
        let placed = exceptions.map(|key| ((key.child_trie_key.clone(), key.key.clone()), key));
        self.keys = placed.collect();
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Database({:?})", self.contents().tries.root())
    }
}

/// An iterator over the tries of a [`Database`], which counts nothing.
pub(crate) struct Iter(<Tries as Backend<Blake2Hasher>>::RawIter);

impl StorageIterator<Blake2Hasher> for Iter {
    type Backend = Database;
    type Error = DefaultError;

    fn next_key(&mut self, database: &Database) -> Option<Result<Vec<u8>>> {
        self.0.next_key(&database.contents().tries)
    }

    fn next_pair(&mut self, database: &Database) -> Option<Result<(Vec<u8>, Vec<u8>)>> {
        self.0.next_pair(&database.contents().tries)
    }

    fn was_complete(&self) -> bool {
        self.0.was_complete()
    }
}

impl Backend<Blake2Hasher> for Database {
    type Error = DefaultError;
    type TrieBackendStorage = Layers;
    type RawIter = Iter;

    fn storage(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.contents().reads(None, key).storage(key)
    }

    fn storage_hash(&self, key: &[u8]) -> Result<Option<H256>> {
        self.contents().reads(None, key).storage_hash(key)
    }

    fn closest_merkle_value(&self, key: &[u8]) -> Result<Option<MerkleValue<H256>>> {
        self.contents().reads(None, key).closest_merkle_value(key)
    }

    fn child_closest_merkle_value(
        &self,
        child: &ChildInfo,
        key: &[u8],
    ) -> Result<Option<MerkleValue<H256>>> {
        self.contents().reads(Some(child), key).child_closest_merkle_value(child, key)
    }

    fn child_storage(&self, child: &ChildInfo, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.contents().reads(Some(child), key).child_storage(child, key)
    }

    fn child_storage_hash(&self, child: &ChildInfo, key: &[u8]) -> Result<Option<H256>> {
        self.contents().reads(Some(child), key).child_storage_hash(child, key)
    }

    fn exists_storage(&self, key: &[u8]) -> Result<bool> {
        self.contents().reads(None, key).exists_storage(key)
    }

    fn exists_child_storage(&self, child: &ChildInfo, key: &[u8]) -> Result<bool> {
        self.contents().reads(Some(child), key).exists_child_storage(child, key)
    }

    fn next_storage_key(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.contents().reads(None, key).next_storage_key(key)
    }

    fn next_child_storage_key(&self, child: &ChildInfo, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.contents().reads(Some(child), key).next_child_storage_key(child, key)
    }

    fn storage_root<'a>(
        &self,
        delta: impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)>,
        version: StateVersion,
    ) -> (H256, BackendTransaction<Blake2Hasher>) {
        self.contents().tries.storage_root(delta, version)
    }

    fn child_storage_root<'a>(
        &self,
        child: &ChildInfo,
        delta: impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)>,
        version: StateVersion,
    ) -> (H256, bool, BackendTransaction<Blake2Hasher>) {
        self.contents().tries.child_storage_root(child, delta, version)
    }

    fn raw_iter(&self, args: IterArgs<'_>) -> Result<Iter> {
        self.contents().tries.raw_iter(args).map(Iter)
    }

    fn register_overlay_stats(&self, _: &sp_state_machine::StateMachineStats) {}

    fn usage_info(&self) -> UsageInfo {
        UsageInfo::empty()
    }

    fn wipe(&self) -> Result<()> {
        let contents = &mut *self.contents();
        contents.replace(Nodes::default(), contents.initial_root);
        contents.forget();
        Ok(())
    }

    fn commit(
        &self,
        root: H256,
        nodes: BackendTransaction<Blake2Hasher>,
        main: StorageCollection,
        children: ChildStorageCollection,
    ) -> Result<()> {
        let contents = &mut *self.contents();
        contents.tries.backend_storage_mut().committed.consolidate(nodes);
        contents.tries.set_root(root);
        contents.proof.reset();
        for (key, _) in &main {
            contents.writes(None, key);
        }
        for (child, pairs) in &children {
            for (key, _) in pairs {
                contents.writes(Some(child), key);
            }
        }
        Ok(())
    }

    fn read_write_count(&self) -> (u32, u32, u32, u32) {
        let mut count = (0, 0, 0, 0);
        for key in self.contents().keys.values().filter(|key| !key.whitelisted) {
            count.0 += u32::from(key.reads > 0);
            count.1 += key.reads.saturating_sub(1);
            count.2 += u32::from(key.writes > 0);
            count.3 += key.writes.saturating_sub(1);
        }
        count
    }

    fn reset_read_write_count(&self) {
        self.contents().forget();
    }

    fn get_whitelist(&self) -> Vec<TrackedStorageKey> {
        self.contents().exceptions.clone()
    }

    fn set_whitelist(&self, exceptions: Vec<TrackedStorageKey>) {
        self.contents().exceptions = exceptions;
    }

    fn proof_size(&self) -> Option<u32> {
        let contents = self.contents();
        let estimate = contents.proof.estimate_encoded_size();
        let proof = contents.proof.to_storage_proof();
        // The trie has the root that it had when recording began: only a commit changes it. What has
        // no compact form is a proof of nothing.
        let size = proof.encoded_compact_size::<Blake2Hasher>(*contents.tries.root());
        Some(size.unwrap_or(estimate) as u32)
    }

    fn get_read_and_written_keys(&self) -> Vec<(Vec<u8>, u32, u32, bool)> {
        let mut prefixes: BTreeMap<Vec<u8>, (u32, u32, bool)> = BTreeMap::new();
        for key in self.contents().keys.values() {
            let prefix = key.key[..key.key.len().min(PREFIX)].to_vec();
            let count = prefixes.entry(prefix).or_insert((0, 0, key.whitelisted));
            count.0 += key.reads.min(1);
            count.1 += key.writes.min(1);
        }
        let row = |(prefix, (reads, writes, is_exception))| (prefix, reads, writes, is_exception);
        prefixes.into_iter().map(row).collect()
    }
}
