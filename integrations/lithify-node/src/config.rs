//! What a node chooses. Names and meanings are those of the crate that this one stands in for.

use sc_executor_common::wasm_runtime::HeapAllocStrategy;
use std::path::PathBuf;

/// How a runtime is created.
#[derive(Clone)]
pub struct Config {
    /// Whether a function that the module imports and the host does not provide becomes one that
    /// traps when it is called, rather than an error now.
    pub allow_missing_func_imports: bool,
    /// A directory to keep images in, below which this crate makes its own. Whoever can write there
    /// can run code as the node. Without one, [`CACHE_VARIABLE`](crate::cache::CACHE_VARIABLE) in the
    /// environment may name one.
    pub cache_path: Option<PathBuf>,
    /// How the runtime behaves.
    pub semantics: Semantics,
}

/// How a runtime behaves.
#[derive(Clone)]
pub struct Semantics {
    /// What becomes of an instance after a call.
    pub instantiation_strategy: InstantiationStrategy,
    /// A limit on the depth of the guest's stack that is the same on every engine: code that counts
    /// is put into the module before it is compiled. An artifact has it from its preparation.
    pub deterministic_stack_limit: Option<DeterministicStackLimit>,
    /// Whether NaNs that arithmetic makes are the canonical one. Here they always are.
    pub canonicalize_nans: bool,
    /// Whether compiling uses all processors. Without, it uses one.
    pub parallel_compilation: bool,
    /// Not used: an instance is asked for with its strategy.
    pub heap_alloc_strategy: HeapAllocStrategy,
    /// Whether the module may use functions and blocks with several results.
    pub wasm_multi_value: bool,
    /// Whether the module may use bulk operations on memory and tables.
    pub wasm_bulk_memory: bool,
    /// Whether the module may use reference types.
    pub wasm_reference_types: bool,
    /// Whether the module may use vectors.
    pub wasm_simd: bool,
}

/// The two limits of a stack that ends at the same depth on every engine.
#[derive(Clone)]
pub struct DeterministicStackLimit {
    /// How many values (locals, arguments, operands) may be on the stack. One more traps.
    pub logical_max: u32,
    /// The native stack, in bytes: so many that the other limit is reached first.
    pub native_stack_max: u32,
}

/// What becomes of an instance after a call, in other engines. Here all are served in one way: every call
/// gets a fresh one, made by restoring what the call before wrote, and an idle one takes some ten kilobytes.
#[non_exhaustive]
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum InstantiationStrategy {
    /// It is kept, and restored by mapping.
    PoolingCopyOnWrite,
    /// It is made anew, by mapping.
    RecreateInstanceCopyOnWrite,
    /// It is kept, and restored by copying.
    Pooling,
    /// It is made anew, by copying.
    RecreateInstance,
}
