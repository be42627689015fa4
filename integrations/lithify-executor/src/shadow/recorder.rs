//! Externalities that keep what goes through them.

use sp_core::traits::ReadRuntimeVersionExt;
use sp_externalities::{Error, Extension, ExtensionStore, Externalities, MultiRemovalResults};
use sp_storage::{ChildInfo, StateVersion, TrackedStorageKey};
use std::{
    any::{Any, TypeId},
    collections::{BTreeMap, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
};

/// What was asked of the state, and a hash of it and of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    pub what: &'static str,
    hash: u64,
}

/// Values by their keys; none where there was none.
type Held = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// What a call did.
#[derive(Default)]
pub struct Record {
    pub steps: Vec<Step>,
    /// What the state held before the call where the call looked, by child trie (none for the state
    /// itself) and key.
    pub held: BTreeMap<Option<Vec<u8>>, Held>,
    /// Whether it wanted to do what cannot be undone.
    pub is_abandoned: bool,
}

/// Externalities that keep what goes through them.
pub struct Recorder<'a> {
    inner: &'a mut dyn Externalities,
    record: Record,
    /// Where the call wrote.
    written: HashSet<(Option<Vec<u8>>, Vec<u8>)>,
    /// Transactions that it opened.
    depth: u32,
    /// Whether all of it is undone.
    is_trial: bool,
}

impl<'a> Recorder<'a> {
    /// Of a call that stays.
    pub fn new(inner: &'a mut dyn Externalities) -> Self {
        let (record, written) = (Record::default(), HashSet::new());
        Self { inner, record, written, depth: 0, is_trial: false }
    }

    /// Of one that is undone by [`undo`](Self::undo).
    pub fn trial(inner: &'a mut dyn Externalities) -> Self {
        inner.storage_start_transaction();
        Self { is_trial: true, ..Self::new(inner) }
    }

    /// Takes back what a trial did.
    pub fn undo(mut self) -> Record {
        // A guest that trapped has left its own transactions open.
        for _ in 0..=self.depth {
            let _ = self.inner.storage_rollback_transaction();
        }
        self.is_trial = false;
        self.record
    }

    /// What was done.
    pub fn end(self) -> Record {
        self.record
    }

    fn step<T: Hash>(&mut self, what: &'static str, of: T) {
        let mut hasher = DefaultHasher::new();
        of.hash(&mut hasher);
        self.record.steps.push(Step { what, hash: hasher.finish() });
    }

    /// Keeps what the state held at `key`, if the call has not written there.
    fn held(&mut self, child: Option<&ChildInfo>, key: &[u8]) {
        let trie = child.map(|child| child.storage_key().to_vec());
        if self.record.held.get(&trie).is_some_and(|held| held.contains_key(key))
            || self.written.contains(&(trie.clone(), key.to_vec()))
        {
            return;
        }
        let value = match child {
            None => self.inner.storage(key),
            Some(child) => self.inner.child_storage(child, key),
        };
        self.record.held.entry(trie).or_default().insert(key.to_vec(), value);
    }

    fn writes(&mut self, child: Option<&ChildInfo>, key: &[u8]) {
        // It may be rolled back, and be read then.
        self.held(child, key);
        let trie = child.map(|child| child.storage_key().to_vec());
        self.written.insert((trie, key.to_vec()));
    }
}

fn removed(results: &MultiRemovalResults) -> (Option<&[u8]>, u32, u32, u32) {
    let MultiRemovalResults { maybe_cursor, backend, unique, loops } = results;
    (maybe_cursor.as_deref(), *backend, *unique, *loops)
}

impl Externalities for Recorder<'_> {
    fn set_offchain_storage(&mut self, key: &[u8], value: Option<&[u8]>) {
        self.step("set_offchain_storage", (key, value));
        // It is outside of transactions.
        if !self.is_trial {
            self.inner.set_offchain_storage(key, value);
        }
    }

    fn storage(&mut self, key: &[u8]) -> Option<Vec<u8>> {
        self.held(None, key);
        let value = self.inner.storage(key);
        self.step("storage", (key, &value));
        value
    }

    fn storage_hash(&mut self, key: &[u8]) -> Option<Vec<u8>> {
        self.held(None, key);
        let value = self.inner.storage_hash(key);
        self.step("storage_hash", (key, &value));
        value
    }

    fn child_storage_hash(&mut self, child: &ChildInfo, key: &[u8]) -> Option<Vec<u8>> {
        self.held(Some(child), key);
        let value = self.inner.child_storage_hash(child, key);
        self.step("child_storage_hash", (child.storage_key(), key, &value));
        value
    }

    fn child_storage(&mut self, child: &ChildInfo, key: &[u8]) -> Option<Vec<u8>> {
        self.held(Some(child), key);
        let value = self.inner.child_storage(child, key);
        self.step("child_storage", (child.storage_key(), key, &value));
        value
    }

    fn exists_storage(&mut self, key: &[u8]) -> bool {
        self.held(None, key);
        let exists = self.inner.exists_storage(key);
        self.step("exists_storage", (key, exists));
        exists
    }

    fn exists_child_storage(&mut self, child: &ChildInfo, key: &[u8]) -> bool {
        self.held(Some(child), key);
        let exists = self.inner.exists_child_storage(child, key);
        self.step("exists_child_storage", (child.storage_key(), key, exists));
        exists
    }

    fn next_storage_key(&mut self, key: &[u8]) -> Option<Vec<u8>> {
        let next = self.inner.next_storage_key(key);
        self.step("next_storage_key", (key, &next));
        if let Some(next) = &next {
            self.held(None, next);
        }
        next
    }

    fn next_child_storage_key(&mut self, child: &ChildInfo, key: &[u8]) -> Option<Vec<u8>> {
        let next = self.inner.next_child_storage_key(child, key);
        self.step("next_child_storage_key", (child.storage_key(), key, &next));
        if let Some(next) = &next {
            self.held(Some(child), next);
        }
        next
    }

    fn kill_child_storage(
        &mut self,
        child: &ChildInfo,
        limit: Option<u32>,
        cursor: Option<&[u8]>,
    ) -> MultiRemovalResults {
        let results = self.inner.kill_child_storage(child, limit, cursor);
        let of = (child.storage_key(), limit, cursor, removed(&results));
        self.step("kill_child_storage", of);
        results
    }

    fn clear_prefix(
        &mut self,
        prefix: &[u8],
        limit: Option<u32>,
        cursor: Option<&[u8]>,
    ) -> MultiRemovalResults {
        let results = self.inner.clear_prefix(prefix, limit, cursor);
        self.step("clear_prefix", (prefix, limit, cursor, removed(&results)));
        results
    }

    fn clear_child_prefix(
        &mut self,
        child: &ChildInfo,
        prefix: &[u8],
        limit: Option<u32>,
        cursor: Option<&[u8]>,
    ) -> MultiRemovalResults {
        let results = self.inner.clear_child_prefix(child, prefix, limit, cursor);
        let of = (child.storage_key(), prefix, limit, cursor, removed(&results));
        self.step("clear_child_prefix", of);
        results
    }

    fn place_storage(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        self.step("place_storage", (&key, &value));
        self.writes(None, &key);
        self.inner.place_storage(key, value);
    }

    fn place_child_storage(&mut self, child: &ChildInfo, key: Vec<u8>, value: Option<Vec<u8>>) {
        self.step("place_child_storage", (child.storage_key(), &key, &value));
        self.writes(Some(child), &key);
        self.inner.place_child_storage(child, key, value);
    }

    fn storage_root(&mut self, version: StateVersion) -> Vec<u8> {
        let root = self.inner.storage_root(version);
        self.step("storage_root", (version as u8, &root));
        root
    }

    fn child_storage_root(&mut self, child: &ChildInfo, version: StateVersion) -> Vec<u8> {
        let root = self.inner.child_storage_root(child, version);
        self.step("child_storage_root", (child.storage_key(), version as u8, &root));
        root
    }

    fn storage_append(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.step("storage_append", (&key, &value));
        self.writes(None, &key);
        self.inner.storage_append(key, value);
    }

    fn storage_start_transaction(&mut self) {
        self.step("storage_start_transaction", ());
        self.depth += 1;
        self.inner.storage_start_transaction();
    }

    fn storage_rollback_transaction(&mut self) -> Result<(), ()> {
        let is_open = self.close();
        self.step("storage_rollback_transaction", is_open);
        if is_open { self.inner.storage_rollback_transaction() } else { Err(()) }
    }

    fn storage_commit_transaction(&mut self) -> Result<(), ()> {
        let is_open = self.close();
        self.step("storage_commit_transaction", is_open);
        if is_open { self.inner.storage_commit_transaction() } else { Err(()) }
    }

    fn storage_index_transaction(&mut self, index: u32, hash: &[u8], size: u32) {
        self.step("storage_index_transaction", (index, hash, size));
        if !self.is_trial {
            self.inner.storage_index_transaction(index, hash, size);
        }
    }

    fn storage_renew_transaction_index(&mut self, index: u32, hash: &[u8]) {
        self.step("storage_renew_transaction_index", (index, hash));
        if !self.is_trial {
            self.inner.storage_renew_transaction_index(index, hash);
        }
    }

    // What benchmarks do goes through, and is no step.

    fn wipe(&mut self) {
        self.record.is_abandoned = true;
        if !self.is_trial {
            self.inner.wipe();
        }
    }

    fn commit(&mut self) {
        self.record.is_abandoned = true;
        if !self.is_trial {
            self.inner.commit();
        }
    }

    fn read_write_count(&self) -> (u32, u32, u32, u32) {
        self.inner.read_write_count()
    }

    fn reset_read_write_count(&mut self) {
        self.record.is_abandoned = true;
        self.inner.reset_read_write_count();
    }

    fn get_whitelist(&self) -> Vec<TrackedStorageKey> {
        self.inner.get_whitelist()
    }

    fn set_whitelist(&mut self, new: Vec<TrackedStorageKey>) {
        self.inner.set_whitelist(new);
    }

    fn proof_size(&self) -> Option<u32> {
        self.inner.proof_size()
    }

    fn get_read_and_written_keys(&self) -> Vec<(Vec<u8>, u32, u32, bool)> {
        self.inner.get_read_and_written_keys()
    }
}

impl Recorder<'_> {
    /// Closes a transaction of the call's own; the trial's is not its to close.
    fn close(&mut self) -> bool {
        let is_open = self.depth > 0;
        self.depth -= u32::from(is_open);
        is_open
    }
}

impl ExtensionStore for Recorder<'_> {
    /// A trial gets none through which it could do what cannot be undone.
    fn extension_by_type_id(&mut self, type_id: TypeId) -> Option<&mut dyn Any> {
        if self.is_trial && type_id != TypeId::of::<ReadRuntimeVersionExt>() {
            self.record.is_abandoned = true;
            return None;
        }
        self.inner.extension_by_type_id(type_id)
    }

    fn register_extension_with_type_id(
        &mut self,
        type_id: TypeId,
        extension: Box<dyn Extension>,
    ) -> Result<(), Error> {
        self.record.is_abandoned |= self.is_trial;
        self.inner.register_extension_with_type_id(type_id, extension)
    }

    fn deregister_extension_by_type_id(&mut self, type_id: TypeId) -> Result<(), Error> {
        self.record.is_abandoned |= self.is_trial;
        self.inner.deregister_extension_by_type_id(type_id)
    }
}
