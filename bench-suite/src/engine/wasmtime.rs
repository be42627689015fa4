//! wasmtime, as a node sets it up and at its best: memory owned by the module, copy-on-write,
//! pooled, everything resolved ahead of a call.

mod instance;

use super::own_memory::{Heap, MEMORY, own_memory};
use super::shapes::Word;
use super::trusted;
use super::{
    AnyInstance, Check, Clock, Engine, Fresh, Host, LoadedModule, MeasuredEntry, PROBE, Stopped,
    fresh,
};
use ::wasmtime::{
    Caller, Config, Enabled, Extern, ExternType, FuncType, Inlining, InstanceAllocationStrategy,
    InstancePre, Linker, Memory, Module, ModuleExport, OptLevel, PoolingAllocationConfig, Store,
    Strategy, TypedFunc, Val, ValType,
};
use anyhow::{Context, Result, anyhow, bail};
use lithify_abi::types as abi;
use lithify_polkadot::native::entry_type;
use lithify_polkadot::{CallContext, HostFunction, RuntimeInstance, functions, resolve};
use lithify_runtime::host::Guest;
use std::borrow::Cow;
use std::cell::{Cell, OnceCell};
use std::path::Path;

/// More slots than elements of any table: a runtime has a few thousand.
const TABLE_ELEMENTS: usize = 1 << 16;

/// wasmtime with one configuration and a host.
pub struct Wasmtime {
    engine: ::wasmtime::Engine,
    /// With the Polkadot host, unless a stub answers all calls.
    linker: Linker<Data>,
    host: Host,
}

/// What host functions find in the store.
#[derive(Default)]
struct Data {
    /// The context of the running call. A box, because it is taken out for each host call.
    context: Option<Box<CallContext>>,
    memory: Option<Memory>,
}

/// How wasmtime is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// As `sc-executor-wasmtime` does with its default strategy.
    Node,
    /// One pooled slot, of which so many bytes stay resident between instances.
    Resident(usize),
    /// One pooled slot, of which written pages stay resident, up to 2 MiB.
    Scan,
    /// As [`Setting::Resident`], with functions inlined, which it does not do unless asked.
    Inlined(usize),
    /// As [`Setting::Resident`], by the compiler that does not optimise. It does not make NaNs canonical.
    Winch(usize),
    /// Without a pool.
    OnDemand,
}

impl Wasmtime {
    /// Opens the setting; an error when this machine has not enough address space for it.
    pub fn new(setting: Setting, host: Host) -> Result<Self> {
        let mut pool = PoolingAllocationConfig::new();
        pool.max_memory_size(4 << 30).table_elements(TABLE_ELEMENTS).total_memories(1);
        pool.total_tables(1).total_core_instances(1).table_keep_resident(1 << 20);
        let mut config = Config::new();
        config.cranelift_opt_level(OptLevel::Speed);
        match setting {
            Setting::Node => {
                pool.total_memories(32).total_tables(32).total_core_instances(32);
                pool.max_unused_warm_slots(4).table_keep_resident(0);
                config.cranelift_opt_level(OptLevel::SpeedAndSize);
            }
            Setting::Resident(bytes) => _ = pool.linear_memory_keep_resident(bytes),
            Setting::Inlined(bytes) => {
                pool.linear_memory_keep_resident(bytes);
                config.compiler_inlining(Inlining::Yes);
            }
            Setting::Winch(bytes) => {
                pool.linear_memory_keep_resident(bytes);
                config.strategy(Strategy::Winch);
            }
            Setting::Scan => {
                if !PoolingAllocationConfig::is_pagemap_scan_available() {
                    bail!("this kernel has no PAGEMAP_SCAN (Linux 6.7 and later)");
                }
                pool.linear_memory_keep_resident(2 << 20).pagemap_scan(Enabled::Yes);
            }
            Setting::OnDemand => {}
        }
        let strategy = match setting {
            Setting::OnDemand => InstanceAllocationStrategy::OnDemand,
            _ => InstanceAllocationStrategy::Pooling(pool),
        };
        config
            .allocation_strategy(strategy)
            .memory_init_cow(true)
            .memory_reservation(4 << 30)
            .memory_guard_size(2 << 30)
            .cranelift_nan_canonicalization(true)
            .parallel_compilation(true)
            .max_wasm_stack(1 << 20);
        let engine = ::wasmtime::Engine::new(&config).map_err(error)?;
        let mut linker = Linker::new(&engine);
        linker.allow_shadowing(true);
        if let Host::Polkadot = host {
            for function in functions() {
                define(&mut linker, function)?;
            }
            linker.func_wrap("env", PROBE, trusted::successor).map_err(error)?;
        }
        Ok(Self { engine, linker, host })
    }

    fn ready(&self, module: Module) -> Result<Box<dyn LoadedModule>> {
        let pre = match self.linker.instantiate_pre(&module) {
            Ok(pre) => pre,
            // An import that is missing, or that has the less usual of two types.
            Err(_) => self.linker_for(&module)?.instantiate_pre(&module).map_err(error)?,
        };
        Ok(Box::new(Ready {
            memory: module.get_export_index(MEMORY),
            heap_base: module.get_export_index("__heap_base"),
            known_heap_base: OnceCell::new(),
            spare: Cell::default(),
            engine: self.engine.clone(),
            module,
            pre,
        }))
    }

    /// A linker with each import as this module wants it; what is missing traps when called.
    fn linker_for(&self, module: &Module) -> Result<Linker<Data>> {
        let mut linker = self.linker.clone();
        for import in module.imports() {
            let ExternType::Func(ty) = import.ty() else { continue };
            if let Host::Stub(stub) = self.host {
                instance::define(&mut linker, &import, &ty, stub)?;
                continue;
            }
            if import.name() == PROBE {
                continue;
            }
            match resolve(import.module(), import.name(), &abi_type(&ty)?) {
                Ok(function) => define(&mut linker, function)?,
                Err(missing) => {
                    let message = missing.to_string();
                    let trap = move |_: Caller<'_, Data>, _: &[Val], _: &mut [Val]| {
                        Err(::wasmtime::Error::msg(message.clone()))
                    };
                    linker.func_new(import.module(), import.name(), ty, trap).map_err(error)?;
                }
            }
        }
        Ok(linker)
    }
}

impl Engine for Wasmtime {
    fn prepare<'w>(&self, wasm: &'w [u8]) -> Result<Cow<'w, [u8]>> {
        match self.host {
            Host::Polkadot => own_memory(wasm, Heap::Static).map(Cow::Owned),
            Host::Stub(_) => Ok(Cow::Borrowed(wasm)),
        }
    }

    fn compile(&self, prepared: &[u8]) -> Result<Vec<u8>> {
        self.engine.precompile_module(prepared).map_err(error)
    }

    fn load(&self, artifact: &Path, _: Check) -> Result<Box<dyn LoadedModule>> {
        self.ready(trusted::wasmtime_artifact(&self.engine, artifact)?)
    }

    fn load_source(&self, prepared: &[u8]) -> Result<Box<dyn LoadedModule>> {
        self.ready(Module::new(&self.engine, prepared).map_err(error)?)
    }
}

/// A module, with what a call needs looked up.
struct Ready {
    engine: ::wasmtime::Engine,
    module: Module,
    pre: InstancePre<Data>,
    /// What a runtime has to have, and other modules need not.
    memory: Option<ModuleExport>,
    heap_base: Option<ModuleExport>,
    /// Its value, where it is a constant of the module.
    known_heap_base: OnceCell<u32>,
    /// The box of the last call, for the next.
    spare: Cell<Option<Box<CallContext>>>,
}

impl LoadedModule for Ready {
    fn entry<'l>(&'l self, name: &str) -> Result<Box<dyn MeasuredEntry + 'l>> {
        let export = self.module.get_export_index(name);
        Ok(Box::new(ReadyEntry { ready: self, export, name: name.to_owned() }))
    }

    fn instance(&self) -> Result<Box<dyn AnyInstance>, Stopped> {
        instance::instance(self)
    }
}

struct ReadyEntry<'r> {
    ready: &'r Ready,
    /// None where there is no such export: the call says so.
    export: Option<ModuleExport>,
    name: String,
}

impl MeasuredEntry for ReadyEntry<'_> {
    fn call(&mut self, input: &[u8], context: &mut CallContext, clock: Clock) -> Result<Fresh> {
        fresh(&self.name, input, context, clock, |_| self.instantiate())
    }
}

impl ReadyEntry<'_> {
    #[inline]
    fn instantiate(&self) -> Result<Running<'_>> {
        let mut store = Store::new(&self.ready.engine, Data::default());
        let instance = self.ready.pre.instantiate(&mut store).map_err(error)?;
        let memory = self.ready.memory.as_ref().context("the module exports no memory")?;
        let memory = instance.get_module_export(&mut store, memory);
        let memory = memory.and_then(Extern::into_memory).context("no memory")?;
        store.data_mut().memory = Some(memory);
        Ok(Running { entry: self, store, instance, memory })
    }
}

/// An instance.
struct Running<'r> {
    entry: &'r ReadyEntry<'r>,
    store: Store<Data>,
    instance: ::wasmtime::Instance,
    memory: Memory,
}

impl Guest for Running<'_> {
    fn memory(&mut self) -> &mut [u8] {
        self.memory.data_mut(&mut self.store)
    }

    fn grow(&mut self, delta: u32) -> Option<u32> {
        Some(self.memory.grow(&mut self.store, delta.into()).ok()? as u32)
    }

    fn max_pages(&self) -> Option<u32> {
        Some(self.memory.ty(&self.store).maximum()? as u32)
    }
}

impl RuntimeInstance for Running<'_> {
    type Entry = TypedFunc<(u32, u32), u64>;
    type Trap = ::wasmtime::Error;

    fn heap_base(&mut self) -> Option<u32> {
        let ready = self.entry.ready;
        if let Some(base) = ready.known_heap_base.get() {
            return Some(*base);
        }
        let export = self.instance.get_module_export(&mut self.store, ready.heap_base.as_ref()?)?;
        let global = export.into_global()?;
        let base = global.get(&mut self.store).i32()? as u32;
        if global.ty(&self.store).mutability() == ::wasmtime::Mutability::Const {
            ready.known_heap_base.set(base).ok()?;
        }
        Some(base)
    }

    fn entry(&mut self, name: &str) -> Option<Self::Entry> {
        debug_assert_eq!(name, self.entry.name, "the entry point of this instance");
        let export = self.entry.export.as_ref()?;
        let func = self.instance.get_module_export(&mut self.store, export)?.into_func()?;
        func.typed(&self.store).ok()
    }

    fn entries(&self) -> Vec<String> {
        let exports = self.entry.ready.module.exports();
        exports
            .filter(|export| match export.ty() {
                ExternType::Func(ty) => abi_type(&ty).is_ok_and(|ty| ty == entry_type()),
                _ => false,
            })
            .map(|export| export.name().to_owned())
            .collect()
    }

    fn initialize(
        &mut self,
        name: &str,
        context: &mut CallContext,
    ) -> Option<Result<(), ::wasmtime::Error>> {
        let func = self.instance.get_typed_func::<(), ()>(&mut self.store, name).ok()?;
        Some(self.lend(context, |store| func.call(store, ())))
    }

    fn enter(
        &mut self,
        entry: Self::Entry,
        address: u32,
        len_bytes: u32,
        context: &mut CallContext,
    ) -> Result<u64, ::wasmtime::Error> {
        self.lend(context, |store| entry.call(store, (address, len_bytes)))
    }
}

impl Running<'_> {
    /// Runs `call` while host functions find the context.
    #[inline]
    fn lend<R>(
        &mut self,
        context: &mut CallContext,
        call: impl FnOnce(&mut Store<Data>) -> R,
    ) -> R {
        let spare = &self.entry.ready.spare;
        let mut lent = spare.take().unwrap_or_default();
        std::mem::swap(&mut *lent, context);
        self.store.data_mut().context = Some(lent);
        let result = call(&mut self.store);
        if let Some(mut lent) = self.store.data_mut().context.take() {
            std::mem::swap(&mut *lent, context);
            spare.set(Some(lent));
        }
        result
    }
}

/// The caller of a host function as a guest.
struct CallerGuest<'a, 'c>(&'a mut Caller<'c, Data>, Memory);

impl Guest for CallerGuest<'_, '_> {
    fn memory(&mut self) -> &mut [u8] {
        self.1.data_mut(&mut *self.0)
    }

    fn grow(&mut self, delta: u32) -> Option<u32> {
        Some(self.1.grow(&mut *self.0, delta.into()).ok()? as u32)
    }

    fn max_pages(&self) -> Option<u32> {
        Some(self.1.ty(&*self.0).maximum()? as u32)
    }
}

/// Runs a host function for the guest that called it.
#[inline]
fn run(
    caller: &mut Caller<'_, Data>,
    function: &HostFunction,
    arguments: &[u64],
) -> Result<u64, ::wasmtime::Error> {
    let data = caller.data_mut();
    let (Some(mut context), Some(memory)) = (data.context.take(), data.memory) else {
        return Err(::wasmtime::Error::msg("a host function was called outside of a call"));
    };
    let result = function.call(&mut context, &mut CallerGuest(caller, memory), arguments);
    caller.data_mut().context = Some(context);
    result.map_err(::wasmtime::Error::new)
}

shapes!(definition);

fn abi_type(ty: &FuncType) -> Result<abi::FuncType> {
    let ours = |ty: ValType| {
        Ok(match ty {
            ValType::I32 => abi::ValType::I32,
            ValType::I64 => abi::ValType::I64,
            ValType::F32 => abi::ValType::F32,
            ValType::F64 => abi::ValType::F64,
            other => bail!("{other} in a runtime"),
        })
    };
    Ok(abi::FuncType {
        params: ty.params().map(ours).collect::<Result<_>>()?,
        results: ty.results().map(ours).collect::<Result<_>>()?,
    })
}

#[expect(clippy::needless_pass_by_value, reason = "the signature that `map_err` wants")]
fn error(error: ::wasmtime::Error) -> anyhow::Error {
    anyhow!("{error:#}")
}
