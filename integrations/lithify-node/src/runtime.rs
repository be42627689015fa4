//! Runtimes, their instances, and calls.

use crate::{
    cache,
    code::Code,
    config::{Config, Semantics},
    heap::Heap,
    host::{CallState, Host},
    trap,
};
use lithify_runtime::{
    Entry, ExternType, FuncType, Guest, Image, ImageError, Imports, Instance, InstanceOptions,
    MemoryPlan, Pool, STACK_MAX, STACK_MIN, Trust, ValType, Value,
};
use lithify_store::{GetOrMakeError, Store};
use sc_allocator::AllocationStats;
use sc_executor_common::{
    error::{Error, Result, WasmError},
    runtime_blob::RuntimeBlob,
    wasm_runtime::{HeapAllocStrategy, WasmInstance, WasmModule},
};
use sp_wasm_interface::HostFunctions;
use std::{
    collections::HashMap,
    io,
    path::Path,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Instant,
};

/// Where this crate logs.
pub const LOG: &str = "lithify";

/// The stack of guests where a node asks for none: a megabyte, of which wasmtime's way into a guest
/// takes some. Upstream's tests know the depth of the smallest frames to within 56 of 65 500.
const STACK: usize = (1 << 20) - 768;

/// The name under which a node looks for a module's memory.
const MEMORY: &str = "memory";

/// For how many heap strategies a runtime keeps instances. A node has three: for calls on chain,
/// the same doubled for import, and for calls off chain.
const STRATEGIES: usize = 8;

/// Takes the code of a runtime: from the cache if it has the image, else by compiling. `H` is what
/// the runtime can import.
pub fn create_runtime<H: HostFunctions>(
    blob: RuntimeBlob,
    config: Config,
) -> std::result::Result<Runtime, WasmError> {
    let code = Code::new(blob, &config.semantics)?;
    let host = Host::of::<H>();
    let imports = host.imports(config.allow_missing_func_imports);
    let image = match cache::store(config.cache_path.as_deref()) {
        None => Image::from_bytes(&compiled(&code)?, &imports, Trust::SkipHash)
            .map_err(|error| refused(&error))?,
        Some(store) => stored(&store, &code, &imports)?,
    };
    Runtime::new(image, host, &config)
}

/// Takes an artifact that [`prepare_runtime_artifact`] made, from a file.
///
/// # Safety
///
/// An artifact is native code that runs with all rights of this process: the file is what
/// [`prepare_runtime_artifact`] returned, nobody changed it, and nobody changes it as long as the
/// runtime is in use. One of another release or for another machine is an error.
pub unsafe fn create_runtime_from_artifact<H: HostFunctions>(
    compiled_artifact_path: &Path,
    config: Config,
) -> std::result::Result<Runtime, WasmError> {
    let host = Host::of::<H>();
    let imports = host.imports(config.allow_missing_func_imports);
    let image = Image::open(compiled_artifact_path, &imports, Trust::SkipHash);
    Runtime::new(image.map_err(|error| refused(&error))?, host, &config)
}

/// The same from the bytes of an artifact.
///
/// # Safety
///
/// As for [`create_runtime_from_artifact`]: the bytes are what [`prepare_runtime_artifact`]
/// returned.
pub unsafe fn create_runtime_from_artifact_bytes<H: HostFunctions>(
    compiled_artifact_bytes: &[u8],
    config: Config,
) -> std::result::Result<Runtime, WasmError> {
    let host = Host::of::<H>();
    let imports = host.imports(config.allow_missing_func_imports);
    let image = Image::from_bytes(compiled_artifact_bytes, &imports, Trust::SkipHash);
    Runtime::new(image.map_err(|error| refused(&error))?, host, &config)
}

/// Takes an image of the code whose hash is `code_hash`, as `lithify compile` makes it: of the module as
/// the chain has it. Its features are those of the compiler's runtime profile, which a node accepts
/// all; what `config` says of features and of a deterministic stack has no effect.
///
/// # Safety
///
/// As for [`create_runtime_from_artifact`]. A store has checked the file's hash.
pub unsafe fn open_image<H: HostFunctions>(
    path: &Path,
    code_hash: &[u8; 32],
    config: &Config,
) -> std::result::Result<Runtime, WasmError> {
    let open = |imports: &Imports| Image::open(path, imports, Trust::SkipHash);
    of_runtime::<H>(open, code_hash, config)
}

/// The same from the bytes of an image.
///
/// # Safety
///
/// As for [`create_runtime_from_artifact`].
pub unsafe fn image_from_bytes<H: HostFunctions>(
    bytes: &[u8],
    code_hash: &[u8; 32],
    config: &Config,
) -> std::result::Result<Runtime, WasmError> {
    let open = |imports: &Imports| Image::from_bytes(bytes, imports, Trust::SkipHash);
    of_runtime::<H>(open, code_hash, config)
}

fn of_runtime<H: HostFunctions>(
    open: impl FnOnce(&Imports) -> std::result::Result<Image, ImageError>,
    code_hash: &[u8; 32],
    config: &Config,
) -> std::result::Result<Runtime, WasmError> {
    let host = Host::of::<H>();
    let image = open(&host.imports(config.allow_missing_func_imports));
    let image = image.map_err(|error| refused(&error))?;
    if image.code_hash() != code_hash {
        return Err(other("the image is of other code".into()));
    }
    if !image.options().split(' ').any(|option| option == "profile=runtime") {
        return Err(other("the image was compiled by another profile than `runtime`".into()));
    }
    Runtime::new(image, host, config)
}

/// Compiles the code of a runtime into an artifact: an image for this machine.
pub fn prepare_runtime_artifact(
    blob: RuntimeBlob,
    semantics: &Semantics,
) -> std::result::Result<Vec<u8>, WasmError> {
    let compiled = Code::new(blob, semantics)?.compile();
    compiled.map_err(|error| other(format!("cannot precompile module: {error}")))
}

/// Compiles.
fn compiled(code: &Code) -> std::result::Result<Vec<u8>, WasmError> {
    let start = Instant::now();
    let image = code.compile().map_err(|error| other(format!("cannot create module: {error}")))?;
    let (kilobytes, took) = (code.wasm.len() / 1000, start.elapsed());
    log::info!(target: LOG, "compiled a runtime of {kilobytes} kB in {took:?}");
    Ok(image)
}

/// Loads the image from the store, or puts it there.
fn stored(store: &Store, code: &Code, imports: &Imports) -> std::result::Result<Image, WasmError> {
    let (start, mut is_new) = (Instant::now(), false);
    let make = || {
        is_new = true;
        compiled(code)
    };
    let image = match store.get_or_make(&cache::key(code), make) {
        Ok(path) => {
            let image = Image::open(&path, imports, Trust::SkipHash);
            if image.is_ok() && !is_new {
                let (path, took) = (path.display(), start.elapsed());
                log::info!(target: LOG, "the runtime is the image {path}, loaded in {took:?}");
            }
            image
        }
        Err(GetOrMakeError::Make(error)) => return Err(error),
        Err(GetOrMakeError::NotKept { image, error }) => {
            log::warn!(target: LOG, "{}", chain(&error));
            Image::from_bytes(&image, imports, Trust::SkipHash)
        }
    };
    if is_new {
        cache::collect(store);
    }
    match image {
        Err(error) if is_gone(&error) => {
            // Somebody has removed it since.
            Image::from_bytes(&compiled(code)?, imports, Trust::SkipHash)
        }
        image => image,
    }
    .map_err(|error| refused(&error))
}

fn is_gone(error: &ImageError) -> bool {
    matches!(error, ImageError::Read { source, .. } if source.kind() == io::ErrorKind::NotFound)
}

/// Why an image is refused, as a node's engine says it of imports.
fn refused(error: &ImageError) -> WasmError {
    let ImageError::Imports { imports } = error else {
        return other(format!("cannot deserialize module: {}", chain(error)));
    };
    for import in imports {
        // The type of a function begins with its parameters.
        if let Some(error) = foreign(&import.module, &import.name, import.wanted.starts_with('(')) {
            return error;
        }
    }
    if let Some(import) = imports.iter().find(|import| !import.provided.is_empty()) {
        return other(format!("cannot preinstantiate module: {import}"));
    }
    let names: Vec<_> =
        imports.iter().map(|import| format!("'{}:{}'", import.module, import.name)).collect();
    let names = names.join(", ");
    other(format!("runtime requires function imports which are not present on the host: {names}"))
}

/// Why no host of a node provides an import, if so, whatever functions it has.
fn foreign(module: &str, name: &str, is_function: bool) -> Option<WasmError> {
    let what = match module {
        "env" if is_function => return None,
        "env" => "non function imports",
        _ => "imports from non-env module",
    };
    Some(other(format!("host doesn't provide any {what}: {module}:{name}")))
}

fn other(message: String) -> WasmError {
    WasmError::Other(message)
}

/// An error and its reasons, as they are logged.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(reason) = source {
        text += &format!(": {reason}");
        source = reason.source();
    }
    text
}

/// A runtime in native code, with its host functions.
pub struct Runtime(Arc<Shared>);

struct Shared {
    image: Image,
    host: &'static Host,
    options: InstanceOptions,
    /// Instances by how much memory they have.
    pools: Mutex<Vec<(HeapAllocStrategy, Pool)>>,
    /// Why the module cannot be called, if so.
    memory: std::result::Result<(), &'static str>,
    heap_base: OnceLock<std::result::Result<u32, &'static str>>,
}

impl Runtime {
    fn new(
        image: Image,
        host: &'static Host,
        config: &Config,
    ) -> std::result::Result<Self, WasmError> {
        let mut imports_memory = false;
        for import in image.imports() {
            let is_function = matches!(import.ty, ExternType::Func(_));
            let is_memory = matches!(import.ty, ExternType::Memory(_));
            imports_memory |= is_memory && import.name == MEMORY;
            if is_memory && import.module == "env" {
                // What a node makes a memory of the module's own, as instances have it anyway.
                continue;
            }
            if let Some(error) = foreign(&import.module, &import.name, is_function) {
                return Err(error);
            }
        }
        let memory = match export(&image, MEMORY) {
            Some(ExternType::Memory(_)) => Ok(()),
            Some(_) => Err("the `memory` export should have memory type"),
            None if imports_memory => Ok(()),
            None => Err("memory is not exported under `memory` name"),
        };
        let limit = config.semantics.deterministic_stack_limit.as_ref();
        let stack_size = limit.map_or(STACK, |limit| limit.native_stack_max as usize);
        let options = InstanceOptions {
            stack_size: stack_size.clamp(STACK_MIN, STACK_MAX),
            ..InstanceOptions::default()
        };
        Ok(Self(Arc::new(Shared {
            image,
            host,
            options,
            pools: Mutex::default(),
            memory,
            heap_base: OnceLock::new(),
        })))
    }
}

impl Runtime {
    /// The contents of the module's custom sections `runtime_version` and `runtime_apis`.
    pub fn embedded_version(&self) -> (Option<&[u8]>, Option<&[u8]>) {
        (self.0.image.runtime_version(), self.0.image.runtime_apis())
    }
}

impl WasmModule for Runtime {
    fn new_instance(&self, strategy: HeapAllocStrategy) -> Result<Box<dyn WasmInstance>> {
        let runtime = Arc::clone(&self.0);
        Ok(Box::new(Callable { runtime, strategy, pool: None, entries: HashMap::new() }))
    }
}

impl Shared {
    /// The instances whose memory is that of `strategy`.
    fn pool(&self, strategy: HeapAllocStrategy) -> Result<Pool> {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, pool)) = pools.iter().find(|(known, _)| *known == strategy) {
            return Ok(pool.clone());
        }
        let memory = match strategy {
            HeapAllocStrategy::Static { extra_pages } => MemoryPlan::Static { extra_pages },
            HeapAllocStrategy::Dynamic { maximum_pages: max_pages } => {
                MemoryPlan::Dynamic { extra_pages: 0, max_pages }
            }
        };
        let options = InstanceOptions { memory, ..self.options.clone() };
        let pool = Pool::new(&self.image, &options).map_err(|error| not_made(&error))?;
        if pools.len() >= STRATEGIES {
            pools.remove(0);
        }
        pools.push((strategy, pool.clone()));
        Ok(pool)
    }

    /// Where the heap begins, which every instance says alike.
    fn heap_base(&self, instance: &Instance) -> Result<u32> {
        let base = self.heap_base.get_or_init(|| match export(&self.image, "__heap_base") {
            None => Err("__heap_base is not found"),
            Some(ExternType::Global { .. }) => match instance.global_get("__heap_base") {
                Some(Value::I32(base)) => Ok(base as u32),
                _ => Err("__heap_base is not a i32"),
            },
            Some(_) => Err("__heap_base is not a global"),
        });
        Ok((*base)?)
    }

    /// Why `method` cannot be called.
    fn no_entry(&self, method: &str) -> Error {
        match export(&self.image, method) {
            None => format!("Exported method {method} is not found"),
            Some(ExternType::Func(_)) => {
                format!("Exported function '{method}' has invalid signature.")
            }
            Some(_) => format!("Export {method} is not a function"),
        }
        .into()
    }
}

fn export(image: &Image, name: &str) -> Option<ExternType> {
    image.exports().into_iter().find(|export| export.name == name).map(|export| export.ty)
}

fn not_made(error: &dyn std::error::Error) -> Error {
    let error = chain(error);
    other(format!("failed to instantiate a new WASM module instance: {error}")).into()
}

/// What a node calls an instance: each call gets a fresh one of ours.
struct Callable {
    runtime: Arc<Shared>,
    strategy: HeapAllocStrategy,
    pool: Option<Pool>,
    /// Entry points that were called, of `pool`; `None` for what is none.
    entries: HashMap<String, Option<Entry>>,
}

impl Callable {
    fn entry(&mut self, method: &str) -> Result<(Pool, Option<Entry>)> {
        let pool = match &self.pool {
            Some(pool) => pool.clone(),
            None => self.pool.insert(self.runtime.pool(self.strategy)?).clone(),
        };
        if let Some(entry) = self.entries.get(method) {
            return Ok((pool, entry.clone()));
        }
        let ty = FuncType::new(&[ValType::I32, ValType::I32], &[ValType::I64]);
        let fits = self.runtime.image.func_type(method) == Some(&ty);
        let entry = fits.then(|| pool.entry(method)).flatten();
        if entry.is_some() {
            self.entries.insert(method.to_owned(), entry.clone());
        }
        Ok((pool, entry))
    }

    /// Calls `method`. The heap is counted for `stats`.
    fn run(
        &mut self,
        method: &str,
        data: &[u8],
        mut stats: Option<&mut Option<AllocationStats>>,
    ) -> Result<Vec<u8>> {
        let (pool, entry) = self.entry(method)?;
        let instance = match &entry {
            Some(entry) => entry.instance(),
            None => pool.instance(),
        };
        let mut instance = instance.map_err(|error| not_made(&error))?;
        self.runtime.memory?;
        let heap_base = self.runtime.heap_base(&instance)?;
        let entry = entry.ok_or_else(|| self.runtime.no_entry(method))?;

        let host = self.runtime.host;
        let counted = stats.is_some() || !host.allocates;
        let mut state = CallState {
            host,
            heap: Heap::new(&mut instance, heap_base, counted),
            panic_message: None,
        };
        let len = u32::try_from(data.len())
            .map_err(|_| sc_allocator::Error::RequestedAllocationTooLarge)?;
        let address = u32::from(state.heap.allocate(&mut instance, len)?);
        // The allocator has made sure that the block lies in memory.
        instance.memory()[address as usize..][..data.len()].copy_from_slice(data);

        let mut slots = [u128::from(address), u128::from(len)];
        let called = instance.call(entry.func(), &mut slots, &mut state);
        if let Some(stats) = &mut stats {
            **stats = state.heap.stats();
        }
        called.map_err(|trap| trap::error(&trap, state.panic_message.take()))?;
        let output = slots[0] as u64;
        let (address, len) = (output as u32 as usize, (output >> 32) as usize);
        let bytes = instance.memory().get(address..).and_then(|bytes| bytes.get(..len));
        bytes.map(<[u8]>::to_vec).ok_or(Error::OutputExceedsBounds)
    }
}

impl WasmInstance for Callable {
    fn call(&mut self, method: &str, data: &[u8]) -> Result<Vec<u8>> {
        self.run(method, data, None)
    }

    fn call_with_allocation_stats(
        &mut self,
        method: &str,
        data: &[u8],
    ) -> (Result<Vec<u8>>, Option<AllocationStats>) {
        let mut stats = None;
        let result = self.run(method, data, Some(&mut stats));
        (result, stats)
    }

    fn set_heap_alloc_strategy(&mut self, strategy: HeapAllocStrategy) {
        if self.strategy != strategy {
            self.strategy = strategy;
            self.pool = None;
            self.entries.clear();
        }
    }
}
