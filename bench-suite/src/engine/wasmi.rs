//! wasmi, the interpreter that Substrate nodes used before they compiled.

mod instance;

use super::own_memory::{Heap, MEMORY, own_memory};
use super::shapes::Word;
use super::trusted;
use super::{
    AnyInstance, Check, Clock, Engine, Fresh, Host, LoadedModule, MeasuredEntry, PROBE, Stopped,
    fresh,
};
use ::wasmi::{
    Caller, CompilationMode, Config, ExternType, FuncType, Linker, Memory, Module, Store,
    TypedFunc, Val, ValType,
};
use anyhow::{Context, Result, bail};
use lithify_abi::types as abi;
use lithify_polkadot::native::entry_type;
use lithify_polkadot::{CallContext, HostFunction, RuntimeInstance, functions, resolve};
use lithify_runtime::host::{Guest, HostError};
use std::borrow::Cow;
use std::path::Path;

/// wasmi with a host.
pub struct Wasmi {
    engine: ::wasmi::Engine,
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

impl Wasmi {
    /// Opens it, to translate a function when the mode says.
    pub fn new(mode: CompilationMode, host: Host) -> Result<Self> {
        let mut config = Config::default();
        config.compilation_mode(mode);
        let engine = ::wasmi::Engine::new(&config);
        let mut linker = Linker::new(&engine);
        linker.allow_shadowing(true);
        if let Host::Polkadot = host {
            for function in functions() {
                define(&mut linker, function)?;
            }
            linker.func_wrap("env", PROBE, trusted::successor)?;
        }
        Ok(Self { engine, linker, host })
    }

    /// A linker with each import as this module wants it; what is missing traps when called.
    fn linker_for(&self, module: &Module) -> Result<Linker<Data>> {
        let mut linker = self.linker.clone();
        for import in module.imports() {
            let ExternType::Func(ty) = import.ty() else { continue };
            if let Host::Stub(stub) = self.host {
                instance::define(&mut linker, &import, ty, stub)?;
                continue;
            }
            if import.name() == PROBE {
                continue;
            }
            match resolve(import.module(), import.name(), &abi_type(ty)?) {
                Ok(function) => define(&mut linker, function)?,
                Err(missing) => {
                    let message = missing.to_string();
                    let trap = move |_: Caller<'_, Data>, _: &[Val], _: &mut [Val]| {
                        Err(::wasmi::Error::new(message.clone()))
                    };
                    linker.func_new(import.module(), import.name(), ty.clone(), trap)?;
                }
            }
        }
        Ok(linker)
    }
}

impl Engine for Wasmi {
    fn prepare<'w>(&self, wasm: &'w [u8]) -> Result<Cow<'w, [u8]>> {
        match self.host {
            Host::Polkadot => own_memory(wasm, Heap::Growing).map(Cow::Owned),
            Host::Stub(_) => Ok(Cow::Borrowed(wasm)),
        }
    }

    fn compile(&self, prepared: &[u8]) -> Result<Vec<u8>> {
        Ok(prepared.to_vec())
    }

    fn load(&self, artifact: &Path, _: Check) -> Result<Box<dyn LoadedModule>> {
        self.load_source(&std::fs::read(artifact)?)
    }

    fn load_source(&self, prepared: &[u8]) -> Result<Box<dyn LoadedModule>> {
        let module = Module::new(&self.engine, prepared)?;
        let linker = self.linker_for(&module)?;
        Ok(Box::new(Ready { engine: self.engine.clone(), module, linker }))
    }
}

struct Ready {
    engine: ::wasmi::Engine,
    module: Module,
    linker: Linker<Data>,
}

impl LoadedModule for Ready {
    fn entry<'l>(&'l self, name: &str) -> Result<Box<dyn MeasuredEntry + 'l>> {
        Ok(Box::new(ReadyEntry { ready: self, name: name.to_owned() }))
    }

    fn instance(&self) -> Result<Box<dyn AnyInstance>, Stopped> {
        instance::instance(self)
    }
}

struct ReadyEntry<'r> {
    ready: &'r Ready,
    name: String,
}

impl MeasuredEntry for ReadyEntry<'_> {
    fn call(&mut self, input: &[u8], context: &mut CallContext, clock: Clock) -> Result<Fresh> {
        let ready = self.ready;
        fresh(&self.name, input, context, clock, |_| {
            let mut store = Store::new(&ready.engine, Data::default());
            let instance = ready.linker.instantiate_and_start(&mut store, &ready.module)?;
            let memory = instance.get_memory(&store, MEMORY).context("no memory")?;
            store.data_mut().memory = Some(memory);
            Ok(Running { ready, store, instance, memory })
        })
    }
}

/// An instance.
struct Running<'r> {
    ready: &'r Ready,
    store: Store<Data>,
    instance: ::wasmi::Instance,
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
    type Trap = ::wasmi::Error;

    fn heap_base(&mut self) -> Option<u32> {
        let global = self.instance.get_global(&self.store, "__heap_base")?;
        global.get(&self.store).i32().map(|base| base as u32)
    }

    fn entry(&mut self, name: &str) -> Option<Self::Entry> {
        self.instance.get_typed_func(&self.store, name).ok()
    }

    fn entries(&self) -> Vec<String> {
        let exports = self.ready.module.exports();
        exports
            .filter(|export| match export.ty() {
                ExternType::Func(ty) => abi_type(ty).is_ok_and(|ty| ty == entry_type()),
                _ => false,
            })
            .map(|export| export.name().to_owned())
            .collect()
    }

    fn initialize(
        &mut self,
        name: &str,
        context: &mut CallContext,
    ) -> Option<Result<(), ::wasmi::Error>> {
        let func = self.instance.get_typed_func::<(), ()>(&self.store, name).ok()?;
        Some(self.lend(context, |store| func.call(store, ())))
    }

    fn enter(
        &mut self,
        entry: Self::Entry,
        address: u32,
        len_bytes: u32,
        context: &mut CallContext,
    ) -> Result<u64, ::wasmi::Error> {
        self.lend(context, |store| entry.call(store, (address, len_bytes)))
    }
}

impl Running<'_> {
    /// Runs `call` while host functions find the context.
    fn lend<R>(
        &mut self,
        context: &mut CallContext,
        call: impl FnOnce(&mut Store<Data>) -> R,
    ) -> R {
        self.store.data_mut().context = Some(Box::new(std::mem::take(context)));
        let result = call(&mut self.store);
        if let Some(lent) = self.store.data_mut().context.take() {
            *context = *lent;
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

/// A failed host function as wasmi wants it.
#[derive(Debug)]
struct Failed(HostError);

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl ::wasmi::errors::HostError for Failed {}

/// Runs a host function for the guest that called it.
#[inline]
fn run(
    caller: &mut Caller<'_, Data>,
    function: &HostFunction,
    arguments: &[u64],
) -> Result<u64, ::wasmi::Error> {
    let data = caller.data_mut();
    let (Some(mut context), Some(memory)) = (data.context.take(), data.memory) else {
        return Err(::wasmi::Error::new("a host function was called outside of a call"));
    };
    let result = function.call(&mut context, &mut CallerGuest(caller, memory), arguments);
    caller.data_mut().context = Some(context);
    result.map_err(|error| ::wasmi::Error::host(Failed(error)))
}

shapes!(definition);

fn abi_type(ty: &FuncType) -> Result<abi::FuncType> {
    let ours = |ty: &ValType| {
        Ok(match ty {
            ValType::I32 => abi::ValType::I32,
            ValType::I64 => abi::ValType::I64,
            ValType::F32 => abi::ValType::F32,
            ValType::F64 => abi::ValType::F64,
            other => bail!("{other:?} in a runtime"),
        })
    };
    Ok(abi::FuncType {
        params: ty.params().iter().map(ours).collect::<Result<_>>()?,
        results: ty.results().iter().map(ours).collect::<Result<_>>()?,
    })
}
