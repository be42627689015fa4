//! What a node chooses. What it chooses of calls holds for images and for the fallback alike.

use crate::compile::Program;
use lithify_store::Bounds;
use sc_executor::{DEFAULT_HEAP_ALLOC_STRATEGY, HeapAllocStrategy, WasmExecutionMethod};
use std::{num::NonZeroU64, path::PathBuf, time::Duration};

/// How a [`LithifyExecutor`](crate::LithifyExecutor) works.
#[derive(Clone, Debug)]
pub struct Options {
    /// The directory of images.
    pub store: PathBuf,
    /// How much the store keeps; it is brought within the bounds after each image that is made.
    pub bounds: Bounds,
    /// The program that compiles.
    pub program: Program,
    /// What it may take.
    pub limits: WorkerLimits,
    /// How many runtimes are kept in memory. Their code is shared with all that map the same file.
    pub runtimes: u32,
    /// Memory of calls on chain, where the chain says nothing.
    pub onchain_heap: HeapAllocStrategy,
    /// Memory of calls off chain.
    pub offchain_heap: HeapAllocStrategy,
    /// Whether what the chain says of its heap has no effect.
    pub ignore_onchain_heap_pages: bool,
    /// Whether a host function that is missing is a trap when it is called, rather than an error.
    pub allow_missing_host_functions: bool,
    /// Every so many calls are made on the fallback, too, and compared. See
    /// [`LithifyExecutor`](crate::LithifyExecutor).
    pub shadow: Option<NonZeroU64>,
    /// The engine of the fallback.
    pub fallback_method: WasmExecutionMethod,
    /// How many instances of a runtime the fallback keeps.
    pub fallback_instances: usize,
    /// How many runtimes the fallback keeps.
    pub fallback_runtimes: u8,
}

impl Options {
    /// A store, and who compiles; all else as `WasmExecutor`'s builder has it.
    pub fn new(store: impl Into<PathBuf>, program: Program) -> Self {
        Self {
            store: store.into(),
            bounds: Bounds::default(),
            program,
            limits: WorkerLimits::default(),
            runtimes: 32,
            onchain_heap: DEFAULT_HEAP_ALLOC_STRATEGY,
            offchain_heap: DEFAULT_HEAP_ALLOC_STRATEGY,
            ignore_onchain_heap_pages: false,
            allow_missing_host_functions: false,
            shadow: None,
            fallback_method: WasmExecutionMethod::default(),
            fallback_instances: 2,
            fallback_runtimes: 4,
        }
    }
}

/// What compiling one runtime may take. One is compiled at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerLimits {
    /// Memory, in bytes.
    pub memory: u64,
    /// Time.
    pub time: Duration,
    /// Threads; 0 for as many as there are processors.
    pub threads: usize,
}

impl Default for WorkerLimits {
    /// 4 GiB, five minutes, one thread: the largest runtimes take some hundreds of megabytes and
    /// seconds, and a node has other work for its processors.
    fn default() -> Self {
        Self { memory: 4 << 30, time: Duration::from_secs(300), threads: 1 }
    }
}
