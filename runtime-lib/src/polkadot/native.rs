//! Runtimes on Lithify: the Polkadot host bound to an image, and calls of its entry points.
//!
//! The host functions are bound once, when the image is loaded; a call then takes a fresh
//! instance from the shelf of its entry point, runs by the protocol of `call.rs`, and puts it
//! back.

use super::{
    CallContext, CallError, RuntimeInstance, RuntimeVersion, State, call, functions, version,
};
use crate::{
    Caller, Entry, ExternType, Func, FuncType, Image, ImageError, Imports, Instance, InstanceError,
    InstanceOptions, MemoryPlan, Metadata, Pool, Trap, Trust, ValType, Value,
};
use std::{collections::HashMap, path::Path, sync::Mutex};

/// Substrate's default heap: pages on top of the module's initial memory.
pub const DEFAULT_HEAP_PAGES: u32 = 2048;

/// A runtime in native code, with the Polkadot host, ready for calls from any thread.
pub struct Runtime {
    pool: Pool,
    entries: Mutex<HashMap<String, Entry>>,
}

/// How a runtime is loaded.
#[derive(Clone, Debug)]
pub struct RuntimeOptions {
    /// Memory, stack and how many instances are kept.
    pub instances: InstanceOptions,
    /// Whether the image's hash is checked.
    pub trust: Trust,
    /// Whether a missing host function is a trap when it is called, rather than an error now.
    pub trap_missing: bool,
}

impl Default for RuntimeOptions {
    fn default() -> Self {
        let memory = MemoryPlan::Static { extra_pages: DEFAULT_HEAP_PAGES };
        Self {
            instances: InstanceOptions { memory, ..InstanceOptions::default() },
            trust: Trust::Verify,
            trap_missing: false,
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
    /// A call.
    #[error(transparent)]
    Call(#[from] CallError<Trap>),
    /// What `Core_version` returned is not a version.
    #[error("Core_version: {0}")]
    Version(#[from] version::VersionError),
}

impl Runtime {
    /// Loads the image file at `path`.
    pub fn open(path: &Path, options: &RuntimeOptions) -> Result<Self, RuntimeError> {
        Self::new(&Image::open(path, &imports(options.trap_missing), options.trust)?, options)
    }

    /// Loads the bytes of an image file.
    pub fn from_bytes(bytes: &[u8], options: &RuntimeOptions) -> Result<Self, RuntimeError> {
        Self::new(
            &Image::from_bytes(bytes, &imports(options.trap_missing), options.trust)?,
            options,
        )
    }

    /// Loads an image of this process's own making only to ask for its version: missing host
    /// functions are no obstacle.
    pub fn for_version(bytes: &[u8]) -> Result<Self, RuntimeError> {
        let trust = Trust::SkipHash;
        Self::from_bytes(bytes, &RuntimeOptions { trust, trap_missing: true, ..Default::default() })
    }

    fn new(image: &Image, options: &RuntimeOptions) -> Result<Self, RuntimeError> {
        let pool = Pool::new(image, &options.instances)?;
        Ok(Self { pool, entries: Mutex::default() })
    }

    /// The image.
    pub fn image(&self) -> Image {
        self.pool.image()
    }

    /// The instances.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// A fresh instance to call entry point `name` on. An unknown name gives an instance too, so
    /// that the call can say which names there are.
    pub fn instance(&self, name: &str) -> Result<Instance, InstanceError> {
        let mut entries = self.entries.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(entry) = entries.get(name) {
            return entry.instance();
        }
        match self.pool.entry(name) {
            Some(entry) => entries.entry(name.to_owned()).or_insert(entry).instance(),
            None => self.pool.instance(),
        }
    }

    /// Calls entry point `name` with `input` on a fresh instance. Host functions that touch
    /// storage need [`Session::execute`](super::Session::execute) around this.
    pub fn call(
        &self,
        name: &str,
        input: &[u8],
        context: &mut CallContext,
    ) -> Result<Vec<u8>, RuntimeError> {
        Ok(call(&mut self.instance(name)?, context, name, input)?)
    }

    /// The version that the image embeds, else what `Core_version` says.
    pub fn version(&self) -> Result<RuntimeVersion, RuntimeError> {
        let metadata = self.image().metadata();
        let (version, apis) = (metadata.runtime_version, metadata.runtime_apis);
        if let Some(version) = version::from_sections(version.as_deref(), apis.as_deref())? {
            return Ok(version);
        }
        let state = State::empty();
        let mut context = CallContext::new();
        let output = state.session().execute(|| self.call("Core_version", &[], &mut context))?;
        Ok(version::decode(&output)?)
    }
}

/// The Polkadot host as imports of an image.
pub fn imports(trap_missing: bool) -> Imports {
    let mut imports = Imports::new();
    imports.trap_missing(trap_missing);
    // Nine in ten host calls are these two.
    imports.typed("env", "ext_allocator_malloc_version_1", |caller: &mut Caller<'_>, size: u32| {
        let (guest, context) = guest_and_context(caller);
        context.accounted(|context| context.allocate(guest, size))
    });
    imports.typed(
        "env",
        "ext_allocator_free_version_1",
        |caller: &mut Caller<'_>, address: u32| {
            let (guest, context) = guest_and_context(caller);
            context.accounted(|context| context.free(guest, address))
        },
    );
    for function in functions().iter().filter(|f| !f.name().starts_with("ext_allocator_")) {
        let params = function.ty().params.len();
        let results = function.ty().results.len();
        imports.func("env", function.name(), function.ty().clone(), move |caller, slots| {
            let mut arguments = [0; MAX_PARAMS];
            for (argument, slot) in arguments.iter_mut().zip(&slots[..params]) {
                *argument = *slot as u64;
            }
            let (guest, context) = guest_and_context(caller);
            let result = function.call(context, guest, &arguments[..params])?;
            if results > 0 {
                slots[0] = u128::from(result);
            }
            Ok(())
        });
    }
    imports
}

/// What a host function works on.
fn guest_and_context<'a, 'c>(
    caller: &'a mut Caller<'c>,
) -> (&'a mut Caller<'c>, &'a mut CallContext) {
    let (guest, data) = caller.guest_and_data();
    (guest, data.downcast_mut().expect("whoever calls a runtime passes a context"))
}

/// No host function takes more parameters.
const MAX_PARAMS: usize = 8;

impl RuntimeInstance for Instance {
    type Entry = Func;
    type Trap = Trap;

    fn heap_base(&mut self) -> Option<u32> {
        match self.global_get("__heap_base")? {
            Value::I32(base) => Some(base as u32),
            _ => None,
        }
    }

    fn entry(&mut self, name: &str) -> Option<Func> {
        let func = self.func(name)?;
        (*self.func_type(&func) == entry_type()).then_some(func)
    }

    fn entries(&self) -> Vec<String> {
        entry_points(self.metadata())
    }

    fn enter(
        &mut self,
        entry: Func,
        address: u32,
        len_bytes: u32,
        context: &mut CallContext,
    ) -> Result<u64, Trap> {
        let mut slots = [u128::from(address), u128::from(len_bytes)];
        self.call(&entry, &mut slots, context)?;
        Ok(slots[0] as u64)
    }
}

/// `(i32, i32) -> i64`, the type of every entry point.
pub fn entry_type() -> FuncType {
    FuncType::new(&[ValType::I32, ValType::I32], &[ValType::I64])
}

/// The names of all entry points of a module.
pub fn entry_points(metadata: Metadata) -> Vec<String> {
    (metadata.exports.into_iter())
        .filter(|export| export.ty == ExternType::Func(entry_type()))
        .map(|export| export.name)
        .collect()
}
