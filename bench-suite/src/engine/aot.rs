//! Lithify: an image, its pool of slots, and the Polkadot host.

use super::trusted;
use super::{
    AnyInstance, Check, Clock, Engine, Fresh, Host, Left, LoadedModule, MeasuredEntry, Stopped,
    Stub, fresh, one_table_trap,
};
use crate::frames::{Frames, beside, functions_at};
use anyhow::{Context, Result, bail, ensure};
use lithify_compiler::{Options, Profile, Target, compile_image};
use lithify_polkadot::native::{EntryPoint, Runtime, RuntimeOptions, imports};
use lithify_polkadot::{CallContext, HostSet, Observe};
use lithify_runtime::host::{Guest, HostError};
use lithify_runtime::{
    CallError, CallOptions, ExternType, FuncType, FunctionInfo, Image, Imports, InstanceError,
    InstanceOptions, Metadata, Pool, Trap, Trust, Value, host_cpu_features,
};
use lithify_store::{Bounds, Key, Store};
use std::borrow::Cow;
use std::fs;
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

/// Lithify for this machine.
pub struct Aot {
    /// The Polkadot host, unless a stub answers all calls.
    imports: Imports,
    options: Options,
    host: Host,
}

impl Aot {
    /// Opens it, to compile with these options for this machine; an error where it cannot run what it
    /// compiles.
    pub fn new(host: Host, options: Options) -> Result<Self> {
        Self::for_target(host, Target::host(), options)
    }

    /// The same, at a CPU level of this machine.
    pub fn for_target(host: Host, target: Target, options: Options) -> Result<Self> {
        if !cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) {
            bail!("no code is generated for {}", std::env::consts::ARCH);
        }
        let target = target.limited_to(host_cpu_features());
        let mut imports = imports(HostSet::Chain, true);
        trusted::native_probe(&mut imports);
        Ok(Self { imports, options: Options { target, ..options }, host })
    }

    /// What the module of an image imports.
    fn imports(&self, image: &[u8]) -> Result<Cow<'_, Imports>> {
        Ok(match self.host {
            Host::Polkadot => Cow::Borrowed(&self.imports),
            Host::Stub(stub) => Cow::Owned(stubs(&Metadata::parse(image, Trust::SkipHash)?, stub)),
        })
    }
}

/// The runtime of an image.
fn runtime(image: &Image) -> Result<Runtime> {
    // As on the other engines, which get the memory under the name that they look for.
    let options = RuntimeOptions { any_memory: true, ..RuntimeOptions::default() };
    Ok(Runtime::new(image, &options)?)
}

impl Engine for Aot {
    fn prepare<'w>(&self, wasm: &'w [u8]) -> Result<Cow<'w, [u8]>> {
        Ok(Cow::Borrowed(wasm))
    }

    fn compile(&self, prepared: &[u8]) -> Result<Vec<u8>> {
        // A stub answers the calls of modules of any kind.
        let profile = match self.host {
            Host::Polkadot => None,
            Host::Stub(_) => Some(Profile::General),
        };
        let options = Options { profile, ..self.options.clone() };
        Ok(compile_image(prepared, &options)?)
    }

    fn keep(&self, artifact: &Path) -> Result<()> {
        let image = fs::read(artifact)?;
        let code_hash = Metadata::check(&image, Trust::SkipHash)?;
        let Target { machine, features, .. } = self.options.target;
        let key = Key::new(code_hash, machine, features, "bench");
        store(artifact)?.put(&key, &image)?;
        Ok(())
    }

    fn load(&self, artifact: &Path, check: Check) -> Result<Box<dyn LoadedModule>> {
        let (artifact, trust) = match check {
            Check::Whole => (Cow::Borrowed(artifact), Trust::Verify),
            Check::Trusted => (Cow::Borrowed(artifact), Trust::SkipHash),
            // What was found whole once is not looked into again, unless its file changed.
            Check::Kept => {
                let store = store(artifact)?;
                let kept = match store.list()?.pop() {
                    Some(kept) => kept,
                    None => {
                        // Who made the artifact does not keep any.
                        self.keep(artifact)?;
                        store.list()?.pop().context("nothing was kept")?
                    }
                };
                let path = store.get(&kept.key)?.context("what was kept is damaged")?;
                (Cow::Owned(path), Trust::SkipHash)
            }
        };
        let artifact = &*artifact;
        let imports = match self.host {
            Host::Polkadot => Cow::Borrowed(&self.imports),
            Host::Stub(_) => self.imports(&fs::read(artifact)?)?,
        };
        Ok(Box::new(runtime(&Image::open(artifact, &imports, trust)?)?))
    }

    fn load_source(&self, prepared: &[u8]) -> Result<Box<dyn LoadedModule>> {
        let image = self.compile(prepared)?;
        let imports = self.imports(&image)?;
        Ok(Box::new(runtime(&Image::from_bytes(&image, &imports, Trust::SkipHash)?)?))
    }

    fn explain(&self, prepared: &[u8], artifact: &Path) -> Result<()> {
        let path = beside(artifact);
        if !path.exists() {
            let options = Options { debug_info: true, ..self.options.clone() };
            let image = Self::new(self.host, options)?.compile(prepared)?;
            fs::write(&path, image).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }

    fn load_explained(&self, artifact: &Path) -> Result<Box<dyn LoadedModule>> {
        let imports = self.imports(&fs::read(artifact)?)?;
        let runtime = runtime(&Image::open(artifact, &imports, Trust::Verify)?)?;
        Ok(Box::new(Explained { runtime, frames: Frames::of_artifact(artifact)? }))
    }
}

/// A runtime whose functions are told, with those that were inlined.
struct Explained {
    runtime: Runtime,
    frames: Option<Frames>,
}

impl LoadedModule for Explained {
    fn entry<'l>(&'l self, name: &str) -> Result<Box<dyn MeasuredEntry + 'l>> {
        LoadedModule::entry(&self.runtime, name)
    }

    fn instance(&self) -> Result<Box<dyn AnyInstance>, Stopped> {
        self.runtime.instance()
    }

    fn functions_at(&self, pc: usize) -> Vec<String> {
        functions_at(&self.runtime.image(), self.frames.as_ref(), pc)
    }
}

/// The store beside an artifact, for that alone.
fn store(artifact: &Path) -> Result<Store> {
    Ok(Store::open(artifact.with_extension("kept"), Bounds::default())?)
}

impl LoadedModule for Runtime {
    fn entry<'l>(&'l self, name: &str) -> Result<Box<dyn MeasuredEntry + 'l>> {
        Ok(Box::new(Runtime::entry(self, name)?))
    }

    fn instance(&self) -> Result<Box<dyn AnyInstance>, Stopped> {
        match Pool::new(&self.image(), &InstanceOptions::default())?.instance() {
            Ok(instance) => Ok(Box::new(instance)),
            Err(InstanceError::Trap(trap)) => Err(stopped(&trap)),
            Err(error) => Err(error.into()),
        }
    }

    fn functions(&self) -> Vec<(Range<u64>, String)> {
        let image = self.image();
        let text = image.text().start as u64;
        // One that is inlined wherever it is called has no code.
        let place = |function: &FunctionInfo| {
            let start = text + u64::from(function.code);
            let (index, name) = image.function_at(start as usize)?;
            Some((start..start + u64::from(function.code_len), called(index, name)))
        };
        image.metadata().functions.iter().filter(|f| f.code_len > 0).filter_map(place).collect()
    }

    fn shared(&self) -> Option<&(dyn LoadedModule + Sync)> {
        Some(self)
    }

    fn code_bytes(&self) -> Option<u64> {
        Some(self.image().metadata().text_len.into())
    }
}

impl MeasuredEntry for EntryPoint<'_> {
    fn call(&mut self, input: &[u8], context: &mut CallContext, clock: Clock) -> Result<Fresh> {
        let this = &*self;
        let instance = |context: &CallContext| Ok(this.instance(context)?);
        fresh(this.name(), input, context, clock, instance)
    }

    fn counted(&mut self, input: &[u8], context: &mut CallContext) -> Result<Left> {
        let mut instance = self.instance(context)?;
        lithify_polkadot::call(&mut instance, context, self.name(), input)?;
        context.observe(Observe::Off);
        let written_pages = instance.written_pages().map(|pages| pages as u64);
        let collections = instance.collections(context).map(u64::from);
        Ok(Left { written_pages, collections })
    }
}

/// What begins the name of a function that has none.
const NAMELESS: &str = "function ";

/// What a function is called in reports.
pub fn called(index: u32, name: &str) -> String {
    if name.is_empty() { format!("{NAMELESS}{index}") } else { name.to_owned() }
}

/// The index of a function that has no name, from what [`called`] called it.
pub fn nameless(name: &str) -> Option<u32> {
    name.strip_prefix(NAMELESS)?.parse().ok()
}

/// Every function that the module imports, answered by `stub`.
fn stubs(metadata: &Metadata, stub: Stub) -> Imports {
    let mut imports = Imports::new();
    for import in &metadata.imports {
        let ExternType::Func(ty) = &import.ty else { continue };
        let (name, FuncType { params, results }) = (import.name.clone(), ty.clone());
        imports.func(&import.module, &import.name, ty.clone(), move |_, slots| {
            let arguments: Vec<Value> = (params.iter().zip(&*slots))
                .map(|(ty, bits)| opaque(Value::from_bits(*ty, *bits)))
                .collect();
            let values = stub(&name, &arguments, &results)?;
            if !values.iter().map(Value::ty).eq(results.iter().copied()) {
                return Err(HostError(format!("{name} gave values of other types")));
            }
            for (slot, value) in slots.iter_mut().zip(values) {
                *slot = value.to_bits();
            }
            Ok(())
        });
    }
    imports
}

impl AnyInstance for lithify_runtime::Instance {
    fn call(&mut self, name: &str, arguments: &[Value]) -> Result<Vec<Value>, Stopped> {
        call(self, name, arguments, CallOptions::default())
    }

    fn call_for(
        &mut self,
        name: &str,
        arguments: &[Value],
        time: Duration,
    ) -> Result<Vec<Value>, Stopped> {
        call(self, name, arguments, CallOptions::until(Instant::now() + time))
    }

    fn global(&mut self, name: &str) -> Option<Value> {
        self.global_get(name).map(opaque)
    }

    fn set_global(&mut self, name: &str, value: Value) -> Result<()> {
        let set = lithify_runtime::Instance::global_set(self, name, value);
        ensure!(set, "no mutable global {name} of type {}", value.ty());
        Ok(())
    }

    fn memory(&mut self, name: &str) -> Option<&[u8]> {
        let exports = self.metadata().exports;
        let exported =
            exports.iter().any(|e| e.name == name && matches!(e.ty, ExternType::Memory(_)));
        exported.then(|| &*Guest::memory(self))
    }
}

fn call(
    instance: &mut lithify_runtime::Instance,
    name: &str,
    arguments: &[Value],
    options: CallOptions,
) -> Result<Vec<Value>, Stopped> {
    let func = instance.func(name).with_context(|| format!("no function {name}"))?;
    match instance.call_values_with(&func, arguments, &mut (), options) {
        Ok(values) => Ok(values.into_iter().map(opaque).collect()),
        Err(CallError::Trap(trap)) => Err(stopped(&trap)),
        Err(error) => Err(error.into()),
    }
}

/// A reference to a function is an address here, which is nobody's business.
fn opaque(value: Value) -> Value {
    match value {
        Value::FuncRef(bits) => Value::FuncRef((bits != 0).into()),
        value => value,
    }
}

fn stopped(trap: &Trap) -> Stopped {
    Stopped::Trap(one_table_trap(trap.code))
}
