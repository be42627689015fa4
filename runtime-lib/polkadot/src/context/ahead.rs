//! Signatures checked on other threads, while the guest goes on as if all of them were right.
//!
//! ```text
//! the guest asks --copy--> queue --> other threads; the calling one, too, once it has to wait
//!      `-- "right", at once                |
//!                 all are right: the call stands
//!                 one is not:    nothing of it stands, and it is made again without this
//! ```
//!
//! The rule not to break: nothing that a guest does on an answer that nobody has checked is seen
//! outside of its call. Its memory and the overlay end with the call; before a host function that
//! does anything else ([`Reach::Outside`]) the calling thread waits for what is in the queue, and
//! the call ends there if one is not right. So the result is that of a call without this. One with a
//! wrong signature takes as long as it would if that were right, and then as long as without this: a
//! guest that never ends when told that a signature is right needs a deadline.

use crate::pointer_size::PointerSize;
use lithify_runtime::host::{Guest, HostError};
use sp_externalities::ExternalitiesExt;
use sp_wasm_interface::{Function, FunctionContext, Pointer, Value, WordSize};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Bytes that wait in the queue at most, for all calls together. Beyond it the calling thread checks.
const MAX_WAITING: usize = 16 << 20;
/// What a signature takes in the queue beside its bytes.
const JOB: usize = 256;

/// What a host function does beside reading and writing its guest's memory and its call's overlay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Nothing: what it did is gone when the call is.
    Inside,
    /// It may be seen elsewhere: it logs, signs, makes keys, talks to others.
    Outside,
    /// Nothing, and it says whether a signature is right.
    Signature(Shape),
}

/// The arguments of a function that checks a signature: `(signature, message, key) -> 0 or 1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Length of the signature, in bytes.
    signature: u32,
    /// Length of the message in bytes, where it is not the guest that says it.
    message: Option<u32>,
    /// Length of the public key, in bytes.
    key: u32,
    /// Whether an extension of the embedder's may make it another function.
    varies: bool,
}

impl Reach {
    /// By the name of the function. Who is not known may do anything.
    pub(crate) fn of(name: &str) -> Self {
        const INSIDE: &[&str] = &[
            "ext_allocator_",
            "ext_default_child_storage_",
            "ext_hashing_",
            "ext_logging_max_level_",
            "ext_offchain_index_",
            "ext_storage_",
            "ext_transaction_index_",
            "ext_trie_",
            "ext_crypto_secp256k1_ecdsa_recover_",
        ];
        let shape = |signature, message, key, varies| {
            Self::Signature(Shape { signature, message, key, varies })
        };
        let (stem, _version) = name.split_once("_version_").unwrap_or((name, ""));
        match stem {
            "ext_crypto_sr25519_verify" => shape(64, None, 32, false),
            "ext_crypto_ed25519_verify" => shape(64, None, 32, true),
            "ext_crypto_ecdsa_verify" => shape(65, None, 33, false),
            "ext_crypto_ecdsa_verify_prehashed" => shape(65, Some(32), 33, false),
            _ if INSIDE.iter().any(|prefix| name.starts_with(prefix)) => Self::Inside,
            _ => Self::Outside,
        }
    }
}

/// A signature to check.
struct Job {
    function: &'static dyn Function,
    /// Signature, key and message, one behind the other.
    bytes: Box<[u8]>,
    shape: Shape,
    call: Arc<Call>,
}

/// The signatures of one call.
#[derive(Default)]
struct Call {
    tally: Mutex<Tally>,
    checked: Condvar,
}

#[derive(Default)]
struct Tally {
    /// Signatures that nobody has checked yet.
    open: usize,
    /// Whether one was not right.
    wrong: bool,
}

/// Signatures that wait, of all calls.
#[derive(Default)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    more: Condvar,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    bytes: usize,
    /// Nobody will ask any more.
    closed: bool,
}

/// Nobody panics while holding one of these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Queue {
    /// Nobody will ask any more.
    pub(crate) fn close(&self) {
        lock(&self.waiting).closed = true;
        self.more.notify_all();
    }

    /// Checks what there is until nobody will ask any more.
    pub(crate) fn serve(&self) {
        loop {
            let mut waiting = lock(&self.waiting);
            let job = loop {
                match waiting.next() {
                    Some(job) => break job,
                    None if waiting.closed => return,
                    None => {
                        waiting = self.more.wait(waiting).unwrap_or_else(PoisonError::into_inner);
                    }
                }
            };
            drop(waiting);
            job.check();
        }
    }
}

impl Waiting {
    fn next(&mut self) -> Option<Job> {
        let job = self.jobs.pop_front()?;
        self.bytes -= JOB + job.bytes.len();
        Some(job)
    }
}

impl Job {
    fn check(self) {
        let Self { function, bytes, shape, call } = self;
        // After a wrong one the others decide nothing.
        let decided = lock(&call.tally).wrong;
        let right = decided || is_right(function, bytes, shape);
        let mut tally = lock(&call.tally);
        tally.open -= 1;
        tally.wrong |= !right;
        if tally.open == 0 || tally.wrong {
            call.checked.notify_all();
        }
    }
}

fn is_right(function: &'static dyn Function, mut bytes: Box<[u8]>, shape: Shape) -> bool {
    let (key, message) = (shape.signature, shape.signature + shape.key);
    let len = bytes.len() as u32 - message;
    let message = match shape.message {
        Some(_) => Value::I32(message as i32),
        None => Value::I64(PointerSize::new(message, len).bits() as i64),
    };
    let mut args = [Value::I32(0), message, Value::I32(key as i32)].into_iter();
    let check = || function.execute(&mut Copied(&mut bytes), &mut args);
    // A panic is one in the call without threads, too.
    matches!(catch_unwind(AssertUnwindSafe(check)), Ok(Ok(Some(Value::I32(1)))))
}

/// A signature was not right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wrong;

impl From<Wrong> for HostError {
    fn from(_: Wrong) -> Self {
        // Nobody reads it: the call is made again.
        HostError("a signature is not right".into())
    }
}

/// A call that goes ahead of its signatures.
#[derive(Clone)]
pub(crate) struct Ahead {
    queue: Arc<Queue>,
    call: Arc<Call>,
}

impl Ahead {
    /// A call whose signatures go into that queue.
    pub(crate) fn new(queue: &Arc<Queue>) -> Self {
        Self { queue: Arc::clone(queue), call: Arc::default() }
    }

    /// Whether a host function has its answer, 1, without being run. What can be seen outside of the
    /// call waits here until all signatures before it are known to be right.
    pub(crate) fn answers<G: Guest + ?Sized>(
        &self,
        reach: Reach,
        function: Option<&'static dyn Function>,
        guest: &mut G,
        args: &[u64],
    ) -> Result<bool, Wrong> {
        match (reach, function) {
            (Reach::Signature(shape), Some(function)) => {
                Ok(self.takes(function, shape, guest, args))
            }
            (Reach::Outside, _) => self.settle().map(|()| false),
            _ => Ok(false),
        }
    }

    /// Puts a signature into the queue. `false` when it is to be checked at once: it is too long to
    /// be copied, not all of it is in memory, or the embedder may have its own way of checking.
    fn takes<G: Guest + ?Sized>(
        &self,
        function: &'static dyn Function,
        shape: Shape,
        guest: &mut G,
        args: &[u64],
    ) -> bool {
        let Some(bytes) = shape.copy(guest.memory(), args) else { return false };
        if shape.varies && has_own_ed25519() {
            return false;
        }
        lock(&self.call.tally).open += 1;
        let job = Job { function, bytes, shape, call: self.call.clone() };
        let mut waiting = lock(&self.queue.waiting);
        waiting.bytes += JOB + job.bytes.len();
        waiting.jobs.push_back(job);
        let oldest = if waiting.bytes > MAX_WAITING { waiting.next() } else { None };
        drop(waiting);
        self.queue.more.notify_one();
        if let Some(job) = oldest {
            job.check();
        }
        true
    }

    /// Waits until every signature of the call is checked, and checks some itself.
    pub(crate) fn settle(&self) -> Result<(), Wrong> {
        loop {
            {
                let tally = lock(&self.call.tally);
                match *tally {
                    Tally { wrong: true, .. } => return Err(Wrong),
                    Tally { open: 0, .. } => return Ok(()),
                    _ => {}
                }
            }
            let Some(job) = lock(&self.queue.waiting).next() else { break };
            job.check();
        }
        // Other threads are at work on the last ones.
        let more = |tally: &mut Tally| tally.open > 0 && !tally.wrong;
        let tally = self.call.checked.wait_while(lock(&self.call.tally), more);
        if tally.unwrap_or_else(PoisonError::into_inner).wrong { Err(Wrong) } else { Ok(()) }
    }
}

impl Shape {
    fn copy(self, memory: &[u8], args: &[u64]) -> Option<Box<[u8]>> {
        let [signature, message, key] = args else { return None };
        let span = |address: u64, len: u32| PointerSize::new(address as u32, len).of(memory);
        let message = match self.message {
            Some(len) => span(*message, len)?,
            None => PointerSize::from_bits(*message).of(memory)?,
        };
        if message.len() > MAX_WAITING / 2 {
            return None;
        }
        let signature = span(*signature, self.signature)?;
        Some([signature, span(*key, self.key)?, message].concat().into())
    }
}

/// Whether Ed25519 is checked by an older library in this call (`UseDalekExt`), as for blocks of some
/// chains' past.
fn has_own_ed25519() -> bool {
    let asked = sp_externalities::with_externalities(|mut externalities| {
        externalities.extension::<sp_io::UseDalekExt>().is_some()
    });
    asked.unwrap_or(false)
}

/// The copy of a signature, as the memory of a guest.
struct Copied<'b>(&'b mut [u8]);

impl FunctionContext for Copied<'_> {
    fn read_memory_into(&mut self, address: Pointer<u8>, dest: &mut [u8]) -> Result<(), String> {
        let bytes = self.0.get(u32::from(address) as usize..);
        let bytes = bytes.and_then(|bytes| bytes.get(..dest.len())).ok_or("outside of the copy")?;
        dest.copy_from_slice(bytes);
        Ok(())
    }

    fn write_memory(&mut self, _: Pointer<u8>, _: &[u8]) -> Result<(), String> {
        Err("checking a signature writes nothing".into())
    }

    fn allocate_memory(&mut self, _: WordSize) -> Result<Pointer<u8>, String> {
        Err("checking a signature allocates nothing".into())
    }

    fn deallocate_memory(&mut self, _: Pointer<u8>) -> Result<(), String> {
        Err("checking a signature frees nothing".into())
    }

    fn register_panic_error_message(&mut self, _: &str) {}
}
