//! Memory that the host takes because a guest asks for it: asked for before it is taken.
//!
//! What `sp-io` and the crates below it allocate cannot be refused without the end of the process,
//! and it is the guest that decides how much it is: it names spans of its memory, which are copied,
//! taken apart, kept in the overlay until the call ends, and encoded again for roots. So the system
//! is asked first (`host::room`), for several times what the guest has named, and its refusal is a
//! trap. It is asked once for every mebibyte named, which costs nothing beside copying it.
//!
//! What a host function takes out of the chain's state, without a span of the guest's that says how
//! much, is not counted: clearing a prefix marks each key, and the state holds as much already.

use lithify_runtime::host::{self, HostError};
use parity_scale_codec::{Compact, Decode};

/// How often what a guest names may be in memory at once: as an argument, as the value that is kept,
/// encoded in a trie, and once more on its way from one to the other.
const COPIES: u64 = 4;
/// What a call may leave behind beside the bytes that it reads: a key's entry in the overlay.
const ENTRY: u64 = 512;
/// What an item of a list takes when it is empty: a vector or two, and their place in a map.
const ITEM: u64 = 256;
/// What a transaction takes for each trie that was written: the set of its keys.
const SET: u64 = 64;
/// What reading a version takes: the code, decompressed (at most 50 MiB), and what it is read into.
const CODE: u64 = 128 << 20;
/// The system is asked whenever so much was named since.
const STEP: u64 = 1 << 20;
/// The longest seed of a key: deriving one takes 50 us for three bytes.
const MAX_SEED: usize = 4096;
/// The longest key that can be written: what works on a trie goes as deep as its keys are long, and
/// takes up to 3 KiB of stack for each half of a byte.
const MAX_KEY: usize = 32 << 10;

/// What a host function does with what it is given, beside reading it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Needs {
    /// It keeps it until the call ends.
    keeps: bool,
    /// In a trie of its own.
    child: bool,
    /// Under the first span that it reads, or the first two, as keys of tries.
    keys: u32,
    /// Makes it a list: of as many items as its first bytes say, or of any number.
    list: Option<Items>,
    /// Opens a storage transaction, or closes one.
    opens: bool,
    closes: bool,
    /// Makes a key of it.
    seed: bool,
    /// Takes it for code.
    code: bool,
}

#[derive(Clone, Copy, Debug)]
enum Items {
    Counted,
    Any,
}

impl Needs {
    /// By the name of the function.
    pub(crate) fn of(name: &str) -> Self {
        let any = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
        let child = any(&["_child_"]);
        let writes = any(&["storage_set_", "storage_append_"]) && !any(&["_local_"]);
        Self {
            keeps: any(&["_set_", "_append_", "_clear_", "_kill_", "_index_", "_generate_"]),
            child,
            keys: u32::from(writes) * (1 + u32::from(child)),
            list: match () {
                () if any(&["ext_trie_"]) => Some(Items::Counted),
                () if any(&["ext_wasm_tracing_", "_authorized_nodes_"]) => Some(Items::Any),
                () => None,
            },
            opens: any(&["_start_transaction_"]),
            closes: any(&["_commit_transaction_", "_rollback_transaction_"]),
            seed: any(&["_generate_"]),
            code: any(&["_runtime_version_"]),
        }
    }
}

/// What a call has made the host take so far, at most.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Appetite {
    /// Bytes that stay until the call ends.
    kept: u64,
    /// Storage transactions that are open.
    transactions: u64,
    /// Child tries that were written.
    children: u64,
    /// Bytes that were named since the system was asked.
    unasked: u64,
    /// Spans that the running function has read.
    reads: u32,
}

impl Appetite {
    /// A host function is called.
    pub(crate) fn enter(&mut self, needs: Needs) -> Result<(), HostError> {
        self.reads = 0;
        if needs.closes {
            self.transactions = self.transactions.saturating_sub(1);
        }
        if needs.opens {
            self.transactions += 1;
            self.unasked += SET * (1 + self.children);
        }
        if needs.keeps {
            self.kept += ENTRY;
            self.children += u64::from(needs.child);
            self.unasked += ENTRY + u64::from(needs.child) * SET * self.transactions;
        }
        let code = if needs.code { CODE } else { 0 };
        self.unasked += code;
        self.ask(0, code)
    }

    /// It is about to copy `bytes`.
    pub(crate) fn read(&mut self, needs: Needs, bytes: &[u8]) -> Result<(), HostError> {
        if needs.seed {
            at_most(bytes, MAX_SEED, "a seed")?;
        }
        if self.reads < needs.keys {
            at_most(bytes, MAX_KEY, "a key")?;
        }
        self.reads += 1;
        let len = bytes.len() as u64;
        let items = match needs.list {
            None => 0,
            Some(Items::Any) => len,
            // No item is shorter than a byte.
            Some(Items::Counted) => {
                Compact::<u32>::decode(&mut &*bytes).map_or(0, |count| len.min(count.0.into()))
            }
        };
        self.unasked += len + items * ITEM;
        self.ask(len, items * ITEM)?;
        if needs.keeps {
            self.kept += len;
        }
        Ok(())
    }

    /// Asks the system, if it is time to, for what was kept, for `read`, and for `more` beside it.
    fn ask(&mut self, read: u64, more: u64) -> Result<(), HostError> {
        if self.unasked < STEP {
            return Ok(());
        }
        self.unasked = 0;
        let sets = SET.saturating_mul(self.transactions).saturating_mul(1 + self.children);
        let copies = COPIES.saturating_mul(self.kept + read);
        let bytes = copies.saturating_add(sets).saturating_add(more);
        host::room(bytes).map_err(|_| {
            HostError(format!(
                "the system has no memory left for what the guest asks of the host; it may take \
                 {bytes} bytes"
            ))
        })
    }
}

fn at_most(bytes: &[u8], max: usize, what: &str) -> Result<(), HostError> {
    match bytes.len() {
        len if len > max => Err(HostError(format!("{what} of {len} bytes; at most {max}"))),
        _ => Ok(()),
    }
}
