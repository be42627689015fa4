//! The executor: what a node asks, answered by an image or by the fallback.

use crate::{
    Program,
    images::Images,
    options::Options,
    runtime::LoadedRuntime,
    shadow::{self, Call},
    worker,
};
use lithify_node::{Config, InstantiationStrategy, Semantics};
use lithify_store::StoreError;
use sc_executor::{
    HeapAllocStrategy, RuntimeVersion, RuntimeVersionOf, WasmExecutor,
    WasmtimeInstantiationStrategy,
    error::{Error, Result},
};
use sp_core::traits::{CallContext, CodeExecutor, ReadRuntimeVersion, RuntimeCode};
use sp_externalities::Externalities;
use sp_wasm_interface::HostFunctions;
use std::{
    any::TypeId,
    num::NonZeroU64,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// A node's code executor. Clones are the same one.
///
/// With [`Options::shadow`] every so many calls are made on both engines, the image first. What the
/// two do to the state is compared step by step, reads included, and what they return. The fallback's
/// answer is the one that is used, and only what the fallback does stays. A difference is logged as an
/// error, with a file below the store, `differences/`: a raw chain spec with all that the call read,
/// which `lithify run` takes. Compared are calls off chain and at import; not those that make a
/// block, whose proof would count both engines' reads, and not those that do what cannot be done
/// twice (off-chain workers, keys).
pub struct LithifyExecutor<H>(Arc<Shared<H>>);

struct Shared<H> {
    images: Arc<Images>,
    fallback: WasmExecutor<H>,
    /// Whether the fallback is this engine, and compiles too.
    alone: bool,
    onchain_heap: HeapAllocStrategy,
    offchain_heap: HeapAllocStrategy,
    ignore_onchain_heap_pages: bool,
    shadow: Option<NonZeroU64>,
    calls: AtomicU64,
    differences: PathBuf,
}

/// Why there is no executor.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// The store.
    Store(StoreError),
    /// Its worker would be a second node.
    NoWorker,
}

impl std::fmt::Display for OpenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::NoWorker => f.write_str(
                "this program is to be the worker that compiles, and would be a second node: let its \
                 `main` begin with `lithify_executor::worker::run_if_asked()`, or name another program",
            ),
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Store(error) => error.source(),
            Self::NoWorker => None,
        }
    }
}

impl<H> Clone for LithifyExecutor<H> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<H: HostFunctions> LithifyExecutor<H> {
    /// An executor on the store of `options`, which is made if it is not there.
    pub fn new(options: &Options) -> std::result::Result<Self, OpenError> {
        if options.program == Program::This && !worker::program_asks() {
            return Err(OpenError::NoWorker);
        }
        let config = Config {
            allow_missing_func_imports: options.allow_missing_host_functions,
            cache_path: None,
            semantics: Semantics {
                instantiation_strategy: InstantiationStrategy::PoolingCopyOnWrite,
                deterministic_stack_limit: None,
                canonicalize_nans: false,
                parallel_compilation: false,
                heap_alloc_strategy: options.onchain_heap,
                wasm_multi_value: false,
                wasm_bulk_memory: false,
                wasm_reference_types: false,
                wasm_simd: false,
            },
        };
        let images = Images::open::<H>(options, config).map_err(OpenError::Store)?;
        let fallback = WasmExecutor::builder()
            .with_execution_method(options.fallback_method)
            .with_onchain_heap_alloc_strategy(options.onchain_heap)
            .with_offchain_heap_alloc_strategy(options.offchain_heap)
            .with_ignore_onchain_heap_pages(options.ignore_onchain_heap_pages)
            .with_allow_missing_host_functions(options.allow_missing_host_functions)
            .with_max_runtime_instances(options.fallback_instances)
            .with_runtime_cache_size(options.fallback_runtimes)
            .build();
        let ours = TypeId::of::<InstantiationStrategy>();
        Ok(Self(Arc::new(Shared {
            images: Arc::new(images),
            fallback,
            alone: TypeId::of::<WasmtimeInstantiationStrategy>() == ours,
            onchain_heap: options.onchain_heap,
            offchain_heap: options.offchain_heap,
            ignore_onchain_heap_pages: options.ignore_onchain_heap_pages,
            shadow: options.shadow,
            calls: AtomicU64::new(0),
            differences: options.store.join("differences"),
        })))
    }

    /// Has an image made of `code` if there is none, and returns at once. A node that knows what
    /// code comes next asks before it comes; what a runtime checks before it takes it for an upgrade
    /// (`set_code`) is asked for by itself.
    pub fn prepare(&self, code: &[u8]) {
        self.0.images.prepare(code);
    }

    /// Waits until no worker is at the image of this code.
    pub fn wait(&self, code: &RuntimeCode<'_>) {
        self.0.images.wait(&code.hash);
    }

    /// Whether an image serves the calls of this code. If none does yet, one is made.
    pub fn is_served(&self, code: &RuntimeCode<'_>) -> bool {
        self.0.images.get(code).is_some()
    }

    fn image(&self, code: &RuntimeCode<'_>) -> Option<Arc<LoadedRuntime>> {
        let image = self.0.images.get(code);
        if image.is_some() || !self.0.alone {
            return image;
        }
        self.0.images.wait(&code.hash);
        self.0.images.get(code)
    }

    /// Memory on chain.
    fn onchain(&self, code: &RuntimeCode<'_>) -> HeapAllocStrategy {
        match code.heap_pages {
            Some(pages) if !self.0.ignore_onchain_heap_pages => {
                HeapAllocStrategy::Static { extra_pages: pages as u32 }
            }
            _ => self.0.onchain_heap,
        }
    }

    fn heap(&self, code: &RuntimeCode<'_>, context: CallContext) -> HeapAllocStrategy {
        match context {
            CallContext::Offchain => self.0.offchain_heap,
            CallContext::Onchain { import: false } => self.onchain(code),
            // At import a block gets twice the memory in which it was made.
            CallContext::Onchain { import: true } => self.onchain(code).double(),
        }
    }

    /// Whether the turn of a comparison has come.
    fn compares(&self, method: &str, context: CallContext) -> bool {
        let Some(every) = self.0.shadow else { return false };
        shadow::can_compare(method, context)
            && (self.0.calls.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(every.get())
    }
}

impl<H: HostFunctions> CodeExecutor for LithifyExecutor<H> {
    type Error = Error;

    fn call(
        &self,
        ext: &mut dyn Externalities,
        code: &RuntimeCode<'_>,
        method: &str,
        data: &[u8],
        context: CallContext,
    ) -> (Result<Vec<u8>>, bool) {
        let Some(image) = self.image(code) else {
            return self.0.fallback.call(ext, code, method, data, context);
        };
        let heap = self.heap(code, context);
        if !self.compares(method, context) {
            return (image.call(ext, heap, method, data), false);
        }
        let call = Call { code, method, data, context };
        let result = shadow::call(
            ext,
            &call,
            &self.0.differences,
            |ext| image.call(ext, heap, method, data),
            |ext| self.0.fallback.call(ext, code, method, data, context).0,
        );
        (result, false)
    }
}

impl<H: HostFunctions> RuntimeVersionOf for LithifyExecutor<H> {
    fn runtime_version(
        &self,
        ext: &mut dyn Externalities,
        code: &RuntimeCode<'_>,
    ) -> Result<RuntimeVersion> {
        match self.image(code) {
            Some(image) => {
                let version = image.version(ext, self.onchain(code)).cloned();
                version.ok_or_else(|| Error::ApiError("the runtime tells no version".into()))
            }
            None => self.0.fallback.runtime_version(ext, code),
        }
    }
}

impl<H: HostFunctions> ReadRuntimeVersion for LithifyExecutor<H> {
    /// What the fallback says. A runtime asks this of code that it is about to take: so its image is
    /// made from here on, a block or more before the first call of it.
    fn read_runtime_version(
        &self,
        code: &[u8],
        ext: &mut dyn Externalities,
    ) -> std::result::Result<Vec<u8>, String> {
        let version = self.0.fallback.read_runtime_version(code, ext);
        if version.is_ok() {
            self.prepare(code);
        }
        version
    }
}
