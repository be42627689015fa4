//! Runtimes on Lithify: the Polkadot host bound to an image, and calls of its entry points.
//!
//! The host functions are bound once, when the image is loaded; an entry point is looked up once.
//! A call then takes a fresh instance from its shelf, runs by the protocol of `call.rs`, and puts
//! the instance back.

use crate::call::{
    CallError, INITIALIZER, REACTOR_HEAP_PAGES, RuntimeInstance, begin_reactor, call,
    reactor_guest_pages,
};
use crate::chain::block::{Block, BlockReport};
use crate::chain::state::{Session, State};
use crate::chain::version::{self, RuntimeVersion};
use crate::context::instruments::Observe;
use crate::context::{CallContext, Checkpoint};
use crate::functions::{self, HostSet};
use crate::signatures::SignatureThreads;
use lithify_abi::heap::{FREE, Heap, MALLOC};
use lithify_runtime::host::{CallingGuest, HostError, Numbered};
use lithify_runtime::{
    CallOptions, Caller, Entry, ExportType, ExternType, Func, FuncType, Guest, Image, ImageError,
    Imports, Instance, InstanceError, InstanceOptions, MemoryPlan, Pool, Trap, TrapCode, Trust,
    ValType, Value,
};
use std::{path::Path, sync::OnceLock, time::Duration};

/// Substrate's default heap: pages on top of the module's initial memory.
pub const DEFAULT_HEAP_PAGES: u32 = 2048;

/// The name under which nodes look for a module's memory.
pub const MEMORY: &str = "memory";

/// A runtime in native code, with the Polkadot host, ready for calls from any thread.
pub struct Runtime {
    pool: Pool,
    heap_base: OnceLock<Option<u32>>,
    call_timeout: Option<Duration>,
    /// Whether calls are refused because no node would find the memory.
    memory_hidden: bool,
    /// Whether each call has to begin with the initialiser.
    is_reactor: bool,
    /// Where calls begin that need not run it again; `None` where that cannot be kept.
    initialized: OnceLock<Option<Initialized>>,
}

/// Instances on which the initialiser has run, and what the host remembers of that.
struct Initialized {
    pool: Pool,
    checkpoint: Checkpoint,
}

/// How a runtime is loaded.
#[derive(Clone, Debug)]
pub struct RuntimeOptions {
    /// Memory, stack and how many instances are kept.
    pub instances: InstanceOptions,
    /// Whether the image's hash is checked.
    pub trust: Trust,
    /// Which host functions there are.
    pub host: HostSet,
    /// Whether a missing host function is a trap when it is called, rather than an error now.
    pub trap_missing: bool,
    /// The longest that a call may take, from its instance's start function on, before the guest is
    /// stopped with [`TrapCode::Deadline`].
    pub call_timeout: Option<Duration>,
    /// Whether memory may be exported under any name, or not at all. A node looks for it as
    /// [`MEMORY`].
    pub any_memory: bool,
}

impl Default for RuntimeOptions {
    fn default() -> Self {
        let memory = MemoryPlan::Static { extra_pages: DEFAULT_HEAP_PAGES };
        Self {
            instances: InstanceOptions { memory, ..InstanceOptions::default() },
            trust: Trust::Verify,
            host: HostSet::default(),
            trap_missing: false,
            call_timeout: None,
            any_memory: false,
        }
    }
}

/// Why a runtime cannot be loaded or asked for its version.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuntimeError {
    /// The image.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// Its first instance.
    #[error(transparent)]
    Instance(#[from] InstanceError),
    /// No node would run it.
    #[error(
        "the module neither exports nor imports a memory under the name {MEMORY}, where nodes look \
         for it"
    )]
    Memory,
    /// A call.
    #[error(transparent)]
    Call(#[from] CallError<Trap>),
    /// What `Core_version` returned is not a version.
    #[error("Core_version")]
    Version(#[from] version::VersionError),
}

impl Runtime {
    /// Loads the image file at `path`.
    pub fn open(path: &Path, options: &RuntimeOptions) -> Result<Self, RuntimeError> {
        let imports = imports(options.host, options.trap_missing);
        Self::new(&Image::open(path, &imports, options.trust)?, options)
    }

    /// Loads the bytes of an image file.
    pub fn from_bytes(bytes: &[u8], options: &RuntimeOptions) -> Result<Self, RuntimeError> {
        let imports = imports(options.host, options.trap_missing);
        Self::new(&Image::from_bytes(bytes, &imports, options.trust)?, options)
    }

    /// Loads an image of this process's own making only to ask for its version: missing host
    /// functions are no obstacle.
    pub fn for_version(bytes: &[u8]) -> Result<Self, RuntimeError> {
        let trust = Trust::SkipHash;
        Self::from_bytes(bytes, &RuntimeOptions { trust, trap_missing: true, ..Default::default() })
    }

    /// Takes an image whose imports are bound: [`imports`], perhaps with more beside them.
    pub fn new(image: &Image, options: &RuntimeOptions) -> Result<Self, RuntimeError> {
        let mut instances = options.instances.clone();
        let is_reactor = !image.has_export("__heap_base");
        if is_reactor {
            // A memory of the guest's own, which grows as the guest wants.
            let initial = image.memory().map_or(0, |memory| memory.min);
            let host_pages = REACTOR_HEAP_PAGES;
            instances.memory = match reactor_guest_pages(initial) {
                Some(guest_pages) => MemoryPlan::Split { guest_pages, host_pages },
                None => MemoryPlan::Module,
            };
        }
        let pool = Pool::new(image, &instances)?;
        // Exported as `MEMORY`, or imported under that name, as a node exports an imported memory by the
        // name of its import.
        let memory_hidden = !options.any_memory && !image.memory_names().any(|name| name == MEMORY);
        let call_timeout = options.call_timeout;
        let (heap_base, initialized) = (OnceLock::new(), OnceLock::new());
        Ok(Self { pool, heap_base, call_timeout, memory_hidden, is_reactor, initialized })
    }

    /// The image.
    pub fn image(&self) -> Image {
        self.pool.image()
    }

    /// Looks up entry point `name`.
    ///
    /// # Errors
    ///
    /// [`CallError::NoEntry`] when no function of an entry point's type is exported under it,
    /// [`RuntimeError::Memory`] when no node would call it.
    pub fn entry(&self, name: &str) -> Result<EntryPoint<'_>, RuntimeError> {
        let found = self.pool.entry(name);
        match found.filter(|_| self.image().func_type(name) == Some(&entry_type())) {
            Some(_) if self.memory_hidden => Err(RuntimeError::Memory),
            Some(entry) => {
                let (name, initialized) = (name.to_owned(), OnceLock::new());
                Ok(EntryPoint { runtime: self, entry, initialized, name })
            }
            None => {
                let exports = self.image().exports();
                let export = exports.iter().find(|export| export.name == name);
                let found = export.map(|export| export.ty.to_string());
                let (name, available) = (name.to_owned(), entry_points(exports));
                Err(CallError::NoEntry { name, found, available }.into())
            }
        }
    }

    /// Calls entry point `name` with `input` on a fresh instance. Host functions that touch
    /// storage need [`Session::execute`](crate::Session::execute) around this. For many calls,
    /// [`entry`](Self::entry) saves the look-up.
    pub fn call(
        &self,
        name: &str,
        input: &[u8],
        context: &mut CallContext,
    ) -> Result<Vec<u8>, RuntimeError> {
        self.entry(name)?.call(input, context)
    }

    /// Executes a block on the state of its parent, as [`execute_block`](crate::execute_block) does
    /// on any engine; with `signatures` those of the block are checked on other threads meanwhile.
    ///
    /// # Errors
    ///
    /// Those of [`call`](Self::call); a block that the runtime refuses is a trap.
    pub fn execute_block(
        &self,
        session: &mut Session<'_>,
        context: &mut CallContext,
        block: &Block,
        signatures: Option<&SignatureThreads>,
    ) -> Result<BlockReport, RuntimeError> {
        let (entry, argument) = (self.entry("Core_execute_block")?, block.argument());
        match signatures {
            None => session.execute(|| entry.call(&argument, context)),
            Some(threads) => {
                threads.execute(session, context, |context| entry.call(&argument, context))
            }
        }?;
        let version = session.state().version();
        let (expected_root, computed_root) = (block.header.state_root, session.root(version));
        Ok(BlockReport { expected_root, computed_root })
    }

    /// The version that the image embeds, else what `Core_version` says.
    pub fn version(&self) -> Result<RuntimeVersion, RuntimeError> {
        self.version_by(&mut CallContext::new())
    }

    /// The same with a context of one's own, which knows the initialiser of a guest that needs one.
    pub fn version_by(&self, context: &mut CallContext) -> Result<RuntimeVersion, RuntimeError> {
        let image = self.image();
        let (version, apis) = (image.runtime_version(), image.runtime_apis());
        if let Some(version) = version::from_sections(version, apis)? {
            return Ok(version);
        }
        let state = State::empty();
        let output = state.session().execute(|| self.call("Core_version", &[], context))?;
        Ok(version::decode(&output)?)
    }
}

/// An entry point of a runtime.
pub struct EntryPoint<'r> {
    runtime: &'r Runtime,
    entry: Entry,
    /// The same in [`Runtime::initialized`], once that is there.
    initialized: OnceLock<Entry>,
    name: String,
}

impl EntryPoint<'_> {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A fresh instance to call it on with `context`.
    ///
    /// A reactor's initialiser runs once: what it leaves behind is the same in every call, if the host
    /// functions that it calls are, and then later instances begin there. Where somebody watches host
    /// calls, or has chosen the initialiser, it runs in the call.
    #[inline]
    pub fn instance(&self, context: &CallContext) -> Result<RunningRuntime<'_>, InstanceError> {
        let options = CallOptions::within(self.runtime.call_timeout);
        if self.runtime.is_reactor && context.may_resume() {
            return self.initialized_instance(options);
        }
        self.bare_instance(options)
    }

    /// One on which nothing has run.
    #[inline]
    fn bare_instance(&self, options: CallOptions) -> Result<RunningRuntime<'_>, InstanceError> {
        let instance = self.entry.instance_with(options)?;
        Ok(RunningRuntime { point: self, instance, options, checkpoint: None })
    }

    /// One on which the initialiser has run, where that can be kept.
    fn initialized_instance(
        &self,
        options: CallOptions,
    ) -> Result<RunningRuntime<'_>, InstanceError> {
        let known = &self.runtime.initialized;
        let initialized = match known.get() {
            Some(initialized) => initialized,
            None => match self.initialize(options) {
                Ok(initialized) => known.get_or_init(|| initialized),
                // Another time it may be quicker, and this call says so itself.
                Err(Late) => &None,
            },
        };
        let Some(Initialized { pool, checkpoint }) = initialized else {
            return self.bare_instance(options);
        };
        let of_pool = || pool.entry(&self.name).expect("an entry point of the same image");
        let entry = self.initialized.get_or_init(of_pool);
        let (instance, checkpoint) = (entry.instance_with(options)?, Some(checkpoint));
        Ok(RunningRuntime { point: self, instance, options, checkpoint })
    }

    /// Runs the initialiser, with no host functions but those that do the same in each call. `None`
    /// where it needs others, or traps.
    #[cold]
    fn initialize(&self, options: CallOptions) -> Result<Option<Initialized>, Late> {
        let mut context = CallContext::new();
        context.observe(Observe::Constant);
        let Ok(mut running) = self.bare_instance(options) else { return Ok(None) };
        match begin_reactor(&mut running, &mut context) {
            Ok(()) => {}
            Err(CallError::Trap { trap, .. }) if trap.code == TrapCode::Deadline => {
                return Err(Late);
            }
            Err(_) => return Ok(None),
        }
        let checkpoint = context.checkpoint(&mut running);
        let pool = Pool::from_instance(&mut running.instance).ok();
        Ok(pool.map(|pool| Initialized { pool, checkpoint }))
    }

    /// Calls it on a fresh instance; see [`Runtime::call`].
    pub fn call(&self, input: &[u8], context: &mut CallContext) -> Result<Vec<u8>, RuntimeError> {
        Ok(call(&mut self.instance(context)?, context, &self.name, input)?)
    }
}

/// The initialiser was stopped at its deadline.
struct Late;

/// An instance of a runtime for one call.
pub struct RunningRuntime<'e> {
    point: &'e EntryPoint<'e>,
    instance: Instance,
    options: CallOptions,
    /// What the host remembers of the initialiser, if that has run.
    checkpoint: Option<&'e Checkpoint>,
}

impl RunningRuntime<'_> {
    /// How many host pages the guest and its host functions have written, when nothing ran on this
    /// instance's memory before: on the first instance of an entry point of a runtime. `None`
    /// where the kernel cannot tell (`PAGEMAP_SCAN`, Linux 6.7 and later).
    pub fn written_pages(&self) -> Option<usize> {
        self.instance.written_pages().ok()
    }

    /// The value of the global that the guest exports as `name`.
    pub fn global(&self, name: &str) -> Option<Value> {
        self.instance.global_get(name)
    }

    /// How often the guest has collected its garbage, when it tells: what its export
    /// [`GC_CYCLES`] returns.
    pub fn collections(&mut self, context: &mut CallContext) -> Option<u32> {
        let func = self.instance.func(GC_CYCLES)?;
        if *self.instance.func_type(&func) != FuncType::new(&[], &[ValType::I32]) {
            return None;
        }
        let mut slots = [0];
        self.instance.call_with(&func, &mut slots, context, self.options).ok()?;
        Some(slots[0] as u32)
    }
}

/// What a guest with a collector exports: `() -> i32`, the number of collections so far.
pub const GC_CYCLES: &str = "lithify_gc_cycles";

/// The Polkadot host as imports of an image: those functions of it.
pub fn imports(host: HostSet, trap_missing: bool) -> Imports {
    let mut imports = Imports::new();
    imports.trap_missing(trap_missing);
    // Compiled code does what it can of these two; the rest comes here.
    imports.typed("env", MALLOC, |caller: &mut Caller<'_>, size: u32| {
        let (guest, context) = guest_and_context(caller);
        let allocate = |context: &mut CallContext, guest: &mut CallingGuest<'_>| {
            context.allocate(guest, size).map(u64::from)
        };
        context.heap_call(MALLOC, guest, allocate).map(|address| address as u32)
    });
    imports.typed("env", FREE, |caller: &mut Caller<'_>, address: u32| {
        let (guest, context) = guest_and_context(caller);
        let free = |context: &mut CallContext, guest: &mut CallingGuest<'_>| {
            context.free(guest, address).map(|()| 0)
        };
        context.heap_call(FREE, guest, free).map(drop)
    });
    for (number, function) in host.numbered() {
        let (module, name) = (function.module(), function.name());
        if ![MALLOC, FREE].contains(&name) {
            imports.numbered::<HostFunctions>(module, name, function.ty(), number);
        }
    }
    imports
}

/// The host functions by their number among all.
struct HostFunctions;

impl Numbered for HostFunctions {
    #[inline]
    fn call(number: usize, caller: &mut Caller<'_>, words: &[u64]) -> Result<u64, HostError> {
        let function = &functions::all()[number];
        let (guest, context) = guest_and_context(caller);
        function.call(context, guest, &words[..function.ty().params.len()])
    }
}

/// What a host function works on.
#[inline]
fn guest_and_context<'a, 'c>(
    caller: &'a mut Caller<'c>,
) -> (&'a mut CallingGuest<'c>, &'a mut CallContext) {
    let (guest, context) = caller.guest_and_data();
    (guest, context.expect("whoever calls a runtime passes a context"))
}

impl Guest for RunningRuntime<'_> {
    fn memory(&mut self) -> &mut [u8] {
        self.instance.memory()
    }

    fn memory_and_heap(&mut self) -> (&mut [u8], Option<&mut Heap>) {
        self.instance.memory_and_heap()
    }

    fn grow(&mut self, delta: u32) -> Option<u32> {
        self.instance.grow(delta)
    }

    fn max_pages(&self) -> Option<u32> {
        self.instance.max_pages()
    }
}

impl RuntimeInstance for RunningRuntime<'_> {
    type Entry = Func;
    type Trap = Trap;

    fn heap_base(&mut self) -> Option<u32> {
        *self.point.runtime.heap_base.get_or_init(|| {
            match self.instance.global_get("__heap_base")? {
                Value::I32(base) => Some(base as u32),
                _ => None,
            }
        })
    }

    fn entry(&mut self, name: &str) -> Option<Func> {
        (name == self.point.name).then(|| *self.point.entry.func())
    }

    fn entries(&self) -> Vec<String> {
        entry_points(self.point.runtime.image().exports())
    }

    fn initialize(&mut self, name: &str, context: &mut CallContext) -> Option<Result<(), Trap>> {
        if let Some(checkpoint) = self.checkpoint {
            debug_assert_eq!(name, INITIALIZER, "the one that has run");
            context.resume(self, checkpoint);
            return Some(Ok(()));
        }
        let func = self.instance.func(name)?;
        if *self.instance.func_type(&func) != FuncType::new(&[], &[]) {
            return None;
        }
        Some(self.instance.call_with(&func, &mut [], context, self.options))
    }

    fn enter(
        &mut self,
        entry: Func,
        address: u32,
        len_bytes: u32,
        context: &mut CallContext,
    ) -> Result<u64, Trap> {
        let mut slots = [u128::from(address), u128::from(len_bytes)];
        self.instance.call_with(&entry, &mut slots, context, self.options)?;
        Ok(slots[0] as u64)
    }
}

/// `(i32, i32) -> i64`, the type of every entry point.
pub fn entry_type() -> FuncType {
    FuncType::new(&[ValType::I32, ValType::I32], &[ValType::I64])
}

/// The names of all entry points of a module that has these exports.
pub fn entry_points(exports: Vec<ExportType>) -> Vec<String> {
    (exports.into_iter())
        .filter(|export| export.ty == ExternType::Func(entry_type()))
        .map(|export| export.name)
        .collect()
}
