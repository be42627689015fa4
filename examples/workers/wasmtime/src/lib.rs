//! wasmtime of another release than the one that is built in: a module and a host become a module with all
//! imports resolved, of which pooled instances are made.
//!
//! Configured as the suite configures its own (`bench-suite/src/engine/wasmtime.rs`), its setting of 64 KiB.

#[macro_use]
#[path = "../../../../bench-suite/src/engine/shapes.rs"]
mod shapes;

use ::wasmtime::{
    Caller, Config, Error, Extern, ExternType, FuncType, ImportType, Inlining,
    InstanceAllocationStrategy, InstancePre, Linker, Memory, Module, ModuleExport, OptLevel,
    PoolingAllocationConfig, Store, TypedFunc, Val, ValType,
};
use anyhow::{Context, Result, anyhow, bail};
use lithify_abi::types as abi;
use lithify_polkadot::HostFunction;
use lithify_runtime::host::Guest;
use shapes::Word;
use std::path::Path;
use workers::interface::{Host, Import, Interface};
use workers::{Engine, Instance};

/// More slots than elements of any table.
const TABLE_ELEMENTS: usize = 1 << 16;
/// How much of an instance stays resident for the next, in bytes: what small calls write.
const RESIDENT: usize = 64 << 10;

/// wasmtime in a setting.
pub struct Wasmtime(::wasmtime::Engine);

impl Wasmtime {
    /// One pooled instance, part of whose memory stays resident.
    pub fn resident() -> Result<Self> {
        Self::open(Inlining::No)
    }

    /// The same, with functions inlined.
    pub fn inlined() -> Result<Self> {
        Self::open(Inlining::Yes)
    }

    fn open(inlining: Inlining) -> Result<Self> {
        let mut pool = PoolingAllocationConfig::new();
        pool.max_memory_size(4 << 30).table_elements(TABLE_ELEMENTS).total_memories(1);
        pool.total_tables(1).total_core_instances(1).table_keep_resident(1 << 20);
        pool.linear_memory_keep_resident(RESIDENT);
        let mut config = Config::new();
        config
            .cranelift_opt_level(OptLevel::Speed)
            .compiler_inlining(inlining)
            .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
            .memory_init_cow(true)
            .memory_reservation(4 << 30)
            .memory_guard_size(2 << 30)
            .cranelift_nan_canonicalization(true)
            .parallel_compilation(true)
            .max_wasm_stack(1 << 20);
        ::wasmtime::Engine::new(&config).map(Self).map_err(told)
    }
}

impl Engine for Wasmtime {
    type Loaded = Ready;

    fn compile(&self, wasm: &[u8]) -> Result<Vec<u8>> {
        self.0.precompile_module(wasm).map_err(told)
    }

    fn load(&self, artifact: &Path, probe: &str) -> Result<Ready> {
        // SAFETY: the suite had this engine make the file, in a folder of the run.
        let module = unsafe { Module::deserialize_file(&self.0, artifact) }.map_err(told)?;
        let interface = interface(&module)?;
        let mut linker = Linker::new(&self.0);
        for (import, host) in module.imports().zip(interface.hosts(probe)) {
            bind(&mut linker, &import, host)?;
        }
        let exports = |names: &[String]| -> Result<Vec<ModuleExport>> {
            let export = |name: &String| module.get_export_index(name).context("no such export");
            names.iter().map(export).collect()
        };
        Ok(Ready {
            engine: self.0.clone(),
            entries: exports(&interface.entries)?,
            initializers: exports(&interface.initializers)?,
            memory: module.get_export_index("memory").context("the module exports no memory")?,
            heap_base: module.get_export_index("__heap_base"),
            pre: linker.instantiate_pre(&module).map_err(told)?,
            interface,
        })
    }
}

/// What the host needs to know of a module; only an instance tells what `__heap_base` is.
fn interface(module: &Module) -> Result<Interface> {
    let mut interface = Interface::default();
    for import in module.imports() {
        let ExternType::Func(ty) = import.ty() else {
            bail!("it imports {}, which is no function", import.name());
        };
        let (module, name) = (import.module().into(), import.name().into());
        interface.imports.push(Import { module, name, ty: abi_type(&ty)? });
    }
    for export in module.exports() {
        match export.ty() {
            ExternType::Func(ty) => {
                if let Ok(ty) = abi_type(&ty) {
                    interface.export(export.name(), &ty);
                }
            }
            ExternType::Memory(memory) => {
                interface.max_pages = memory.maximum().and_then(|max| max.try_into().ok());
            }
            _ => {}
        }
    }
    Ok(interface)
}

/// Binds an import; what is missing traps when it is called.
fn bind(linker: &mut Linker<Data>, import: &ImportType<'_>, host: Host) -> Result<()> {
    let (module, name) = (import.module(), import.name());
    let bound = match (host, import.ty()) {
        (Host::Function(function), _) => return define(linker, function),
        (Host::Probe, _) => linker.func_wrap(module, name, |value: u32| value.wrapping_add(1)),
        (Host::Missing(why), ExternType::Func(ty)) => {
            let trap =
                move |_: Caller<'_, Data>, _: &[Val], _: &mut [Val]| Err(Error::msg(why.clone()));
            linker.func_new(module, name, ty, trap)
        }
        (Host::Missing(why), _) => bail!(why),
    };
    bound.map(drop).map_err(told)
}

shapes!(definition);

/// Runs a host function for the guest that called it.
#[inline]
fn run(
    caller: &mut Caller<'_, Data>,
    function: &'static HostFunction,
    arguments: &[u64],
) -> Result<u64, Error> {
    let Data(Some(memory)) = *caller.data() else {
        return Err(Error::msg("called before there is memory"));
    };
    Host::Function(function).run(&mut CallerGuest(caller, memory), arguments).map_err(Error::msg)
}

/// What host functions find in the store: the memory.
#[derive(Clone, Copy, Default)]
struct Data(Option<Memory>);

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

/// A module, with what a call needs looked up.
pub struct Ready {
    engine: ::wasmtime::Engine,
    interface: Interface,
    entries: Vec<ModuleExport>,
    initializers: Vec<ModuleExport>,
    memory: ModuleExport,
    heap_base: Option<ModuleExport>,
    pre: InstancePre<Data>,
}

impl workers::Module for Ready {
    type Instance<'l> = Running<'l>;

    fn instantiate(&self) -> Result<Running<'_>> {
        let mut store = Store::new(&self.engine, Data::default());
        let instance = self.pre.instantiate(&mut store).map_err(told)?;
        let memory = instance.get_module_export(&mut store, &self.memory);
        let memory = memory.and_then(Extern::into_memory).context("no memory")?;
        store.data_mut().0 = Some(memory);
        Ok(Running { ready: self, store, instance, memory })
    }
}

/// An instance.
pub struct Running<'r> {
    ready: &'r Ready,
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
        self.ready.interface.max_pages
    }
}

impl Instance for Running<'_> {
    fn guest(&mut self) -> &mut impl Guest {
        self
    }

    fn interface(&self) -> &Interface {
        &self.ready.interface
    }

    fn heap_base(&mut self) -> Option<u32> {
        let export = self.ready.heap_base.as_ref()?;
        let global = self.instance.get_module_export(&mut self.store, export)?.into_global()?;
        Some(global.get(&mut self.store).i32()? as u32)
    }

    fn initialize(&mut self, place: usize) -> Result<()> {
        let function = self.function::<(), ()>(&self.ready.initializers[place])?;
        function.call(&mut self.store, ()).map_err(told)
    }

    fn enter(&mut self, place: usize, [address, len_bytes]: [u32; 2]) -> Result<u64> {
        let function = self.function::<(u32, u32), u64>(&self.ready.entries[place])?;
        function.call(&mut self.store, (address, len_bytes)).map_err(told)
    }
}

impl Running<'_> {
    fn function<P, R>(&mut self, export: &ModuleExport) -> Result<TypedFunc<P, R>>
    where
        P: ::wasmtime::WasmParams,
        R: ::wasmtime::WasmResults,
    {
        let found = self.instance.get_module_export(&mut self.store, export);
        let found = found.and_then(Extern::into_func).context("no function")?;
        found.typed(&self.store).map_err(told)
    }
}

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

fn told(error: Error) -> anyhow::Error {
    anyhow!("{error:#}")
}
