//! From the hash of a runtime's code to the runtime in memory: loaded before, or from the store, or
//! not yet.
//!
//! No lock is held while an image is loaded or made, so no call waits for another one's runtime.

use crate::{
    compile::{Failure, Program, compile},
    options::{Options, WorkerLimits},
    runtime::LoadedRuntime,
};
use lithify_node::{Config, LOG, Runtime, chain, collect, image_from_bytes, open_image, target};
use lithify_store::{GetOrMakeError, Key, Store, StoreError};
use sc_executor_common::error::WasmError;
use schnellru::{ByLength, LruMap};
use sp_core::{
    hexdisplay::HexDisplay,
    traits::{FetchRuntimeCode, RuntimeCode},
};
use sp_crypto_hashing::blake2_256;
use sp_wasm_interface::HostFunctions;
use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// How long after a worker failed, for another reason than the code, it is asked again.
const AGAIN: Duration = Duration::from_secs(600);

/// How many runtimes may be waited for: more that come at once are answered by the fallback, and
/// asked for when they come again.
const WAITING: usize = 16;

/// Runtimes by what a node calls the hash of their code: a value that tells codes apart. It is the
/// hash in the store's names where the chain hashes by BLAKE2b-256 and its state has the code.
pub struct Images {
    store: Store,
    config: Config,
    program: Program,
    limits: WorkerLimits,
    open: Open,
    loaded: Mutex<LruMap<Vec<u8>, Arc<LoadedRuntime>>>,
    missing: Mutex<HashMap<Vec<u8>, Missing>>,
    changed: Condvar,
    /// Held by the one worker that there is.
    turn: Mutex<()>,
}

type Opened = Result<Runtime, WasmError>;

/// How an image becomes a runtime with the node's host functions.
struct Open {
    file: unsafe fn(&Path, &[u8; 32], &Config) -> Opened,
    bytes: unsafe fn(&[u8], &[u8; 32], &Config) -> Opened,
}

/// A runtime that has no image.
enum Missing {
    /// A worker makes it, or will.
    Making,
    /// It cannot be made, or loaded; until then.
    Failed(Option<Instant>),
}

impl Images {
    /// Those of the store, with host functions `H`.
    pub fn open<H: HostFunctions>(options: &Options, config: Config) -> Result<Self, StoreError> {
        Ok(Self {
            store: Store::open(&options.store, options.bounds)?,
            config,
            program: options.program.clone(),
            limits: options.limits,
            open: Open { file: open_image::<H>, bytes: image_from_bytes::<H> },
            loaded: Mutex::new(LruMap::new(ByLength::new(options.runtimes.max(1)))),
            missing: Mutex::default(),
            changed: Condvar::new(),
            turn: Mutex::default(),
        })
    }

    /// The runtime, if there is an image. If there is none one is made, beside this call.
    pub fn get(self: &Arc<Self>, code: &RuntimeCode<'_>) -> Option<Arc<LoadedRuntime>> {
        let id = &code.hash;
        if let Some(runtime) = lock(&self.loaded).get(id) {
            return Some(Arc::clone(runtime));
        }
        if self.is_missing(id) {
            return None;
        }
        // The code is read from the state only when the store does not know its hash.
        let known = <[u8; 32]>::try_from(id.as_slice()).ok();
        if let Some(runtime) = known.and_then(|hash| self.load(id, &hash)) {
            return Some(runtime);
        }
        let bytes = code.fetch_runtime_code()?;
        let hash = blake2_256(&bytes);
        if known != Some(hash)
            && let Some(runtime) = self.load(id, &hash)
        {
            return Some(runtime);
        }
        // Or there is one that cannot be loaded.
        if !self.is_missing(id) {
            self.make(id, hash, bytes.into_owned());
        }
        None
    }

    /// Has an image made of code that will be needed, if it has none.
    pub fn prepare(self: &Arc<Self>, code: &[u8]) {
        let hash = blake2_256(code);
        let id = hash.to_vec();
        let known = lock(&self.loaded).peek(&id).is_some() || self.is_missing(&id);
        if !known && self.load(&id, &hash).is_none() && !self.is_missing(&id) {
            self.make(&id, hash, code.to_vec());
        }
    }

    /// Waits until no worker is at the image of the code called `id`.
    pub fn wait(&self, id: &[u8]) {
        let mut missing = lock(&self.missing);
        while matches!(missing.get(id), Some(Missing::Making)) {
            missing = self.changed.wait(missing).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn is_missing(&self, id: &[u8]) -> bool {
        match lock(&self.missing).get(id) {
            None => false,
            Some(Missing::Making | Missing::Failed(None)) => true,
            Some(Missing::Failed(Some(until))) => Instant::now() < *until,
        }
    }

    /// Loads the image of the code from the store, if it is there.
    fn load(&self, id: &[u8], code_hash: &[u8; 32]) -> Option<Arc<LoadedRuntime>> {
        let start = Instant::now();
        let path = match self.store.get(&key(*code_hash)) {
            Ok(path) => path?,
            Err(error) => {
                log::warn!(target: LOG, "{}", chain(&error));
                return None;
            }
        };
        // SAFETY: whoever may write to the store is trusted with this process, as its documentation
        // says, and nobody else can; it has just looked at the file, and files are replaced as a whole.
        let runtime = unsafe { (self.open.file)(&path, code_hash, &self.config) };
        let runtime = self.keep(id, runtime)?;
        let (path, took) = (path.display(), start.elapsed());
        log::info!(target: LOG, "the runtime is the image {path}, loaded in {took:?}");
        Some(runtime)
    }

    fn keep(&self, id: &[u8], runtime: Result<Runtime, WasmError>) -> Option<Arc<LoadedRuntime>> {
        let loaded = runtime.map_err(|error| error.to_string()).and_then(LoadedRuntime::new);
        match loaded {
            Ok(runtime) => {
                let runtime = Arc::new(runtime);
                lock(&self.loaded).insert(id.to_vec(), Arc::clone(&runtime));
                Some(runtime)
            }
            Err(error) => {
                self.failed(id, "cannot be loaded", &error, None);
                None
            }
        }
    }

    fn failed(&self, id: &[u8], what: &str, why: &str, again: Option<Duration>) {
        let id_text = HexDisplay::from(&id);
        let then = match again {
            None => "".into(),
            Some(after) => format!("; it is tried again in {after:?}"),
        };
        log::warn!(
            target: LOG,
            "the image of the runtime {id_text} {what}, so the fallback runs it: {why}{then}",
        );
        let until = again.map(|after| Instant::now() + after);
        lock(&self.missing).insert(id.to_vec(), Missing::Failed(until));
    }

    /// Starts a worker, or nothing if one is at it.
    fn make(self: &Arc<Self>, id: &[u8], hash: [u8; 32], code: Vec<u8>) {
        {
            let mut missing = lock(&self.missing);
            let making = missing.values().filter(|missing| matches!(missing, Missing::Making));
            if making.count() >= WAITING || matches!(missing.get(id), Some(Missing::Making)) {
                return;
            }
            missing.insert(id.to_vec(), Missing::Making);
        }
        let images = Arc::clone(self);
        let done = Done { images: Arc::clone(self), id: id.to_vec() };
        let started = thread::Builder::new().name("lithify-compile".into()).spawn(move || {
            let done = done;
            images.made(&done.id, hash, code);
        });
        if let Err(error) = started {
            self.failed(id, "cannot be made", &error.to_string(), Some(AGAIN));
        }
    }

    /// Makes the image, on a thread of its own, and loads it.
    fn made(&self, id: &[u8], hash: [u8; 32], code: Vec<u8>) {
        let turn = lock(&self.turn);
        let (start, len) = (Instant::now(), code.len());
        let mut compiled = false;
        let make = || {
            compiled = true;
            compile(&self.program, &self.limits, code)
        };
        let runtime = match self.store.get_or_make(&key(hash), make) {
            // SAFETY: as in `load`.
            Ok(path) => unsafe { (self.open.file)(&path, &hash, &self.config) },
            Err(GetOrMakeError::Make(Failure::Refused(why))) => {
                return self.failed(id, "cannot be made", &why, None);
            }
            Err(GetOrMakeError::Make(Failure::Broken(why))) => {
                return self.failed(id, "cannot be made", &why, Some(AGAIN));
            }
            Err(GetOrMakeError::NotKept { image, error }) => {
                log::warn!(target: LOG, "{}", chain(&error));
                // SAFETY: a worker of ours has just made it.
                unsafe { (self.open.bytes)(&image, &hash, &self.config) }
            }
        };
        drop(turn);
        let took = start.elapsed();
        if self.keep(id, runtime).is_some() && compiled {
            let (id, kilobytes) = (HexDisplay::from(&id), len / 1000);
            log::info!(
                target: LOG,
                "compiled the runtime {id} of {kilobytes} kB in {took:?}, in a process of its own; \
                 from now on it is an image",
            );
        }
        if compiled {
            collect(&self.store);
        }
    }
}

/// Ends a wait, however the work ended.
struct Done {
    images: Arc<Images>,
    id: Vec<u8>,
}

impl Drop for Done {
    fn drop(&mut self) {
        let mut missing = lock(&self.images.missing);
        if matches!(missing.get(&self.id), Some(Missing::Making)) {
            missing.remove(&self.id);
        }
        self.images.changed.notify_all();
    }
}

/// The key of what a worker makes of the code on this machine.
fn key(code_hash: [u8; 32]) -> Key {
    let target = target();
    Key::runtime(code_hash, target.machine, target.features)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
