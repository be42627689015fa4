//! wasmer as a worker, with one of its compilers: a module is compiled to an artifact, and for each call a store is
//! made, the host's functions in it, and an instance.

#[cfg(not(target_arch = "x86_64"))]
compile_error!("wasmer 7.5.0 brings a Cranelift whose code is not safe here (CVE-2026-115893)");

#[macro_use]
#[allow(unused_macros, reason = "one is wasmtime's")]
#[path = "../../../../bench-suite/src/engine/shapes.rs"]
mod shapes;

use anyhow::{Context, Result, anyhow, bail};
use lithify_abi::types as abi;
use lithify_polkadot::HostFunction;
use lithify_runtime::host::Guest;
use shapes::Word;
use std::fs;
use std::path::Path;
#[cfg(feature = "llvm")]
use wasmer::sys::LLVM;
#[cfg(feature = "singlepass")]
use wasmer::sys::Singlepass;
use wasmer::sys::{CompilerConfig, Cranelift, CraneliftOptLevel, EngineBuilder};
use wasmer::{
    AsStoreMut, ExternType, Function, FunctionEnv, FunctionEnvMut, FunctionType, Imports, Memory,
    Module, RuntimeError, Store, Type, WasmTypeList,
};
use workers::interface::{Host, Import, Interface};
use workers::{Engine, Instance};

/// wasmer with one of its compilers.
pub struct Wasmer(wasmer::Engine);

impl Wasmer {
    /// With Cranelift at its usual level, which is the highest for speed.
    pub fn cranelift() -> Result<Self> {
        let mut compiler = Cranelift::new();
        compiler.opt_level(CraneliftOptLevel::Speed);
        Ok(Self::open(compiler))
    }

    /// With LLVM at its usual level, which is the highest.
    #[cfg(feature = "llvm")]
    pub fn llvm() -> Result<Self> {
        Ok(Self::open(LLVM::new()))
    }

    /// With Singlepass.
    #[cfg(feature = "singlepass")]
    pub fn singlepass() -> Result<Self> {
        Ok(Self::open(Singlepass::new()))
    }

    /// NaNs are made canonical.
    fn open(mut compiler: impl CompilerConfig + 'static) -> Self {
        compiler.canonicalize_nans(true);
        Self(EngineBuilder::new(compiler).engine().into())
    }
}

impl Engine for Wasmer {
    type Loaded = Ready;

    fn compile(&self, wasm: &[u8]) -> Result<Vec<u8>> {
        Ok(Module::new(&self.0, wasm)?.serialize()?.to_vec())
    }

    fn load(&self, artifact: &Path, probe: &str) -> Result<Ready> {
        let bytes =
            fs::read(artifact).with_context(|| format!("cannot read {}", artifact.display()))?;
        // SAFETY: the suite had this engine make the file, in a folder of the run.
        let module = unsafe { Module::deserialize_unchecked(&self.0, bytes) }?;
        let interface = interface(&module)?;
        // Functions of a store live as long as they like.
        let hosts = Box::leak(interface.hosts(probe).into_boxed_slice());
        Ok(Ready { engine: self.0.clone(), module, interface, hosts })
    }
}

/// What the host needs to know of a module; only an instance tells what `__heap_base` is.
fn interface(module: &Module) -> Result<Interface> {
    let mut interface = Interface::default();
    for import in module.imports() {
        let ExternType::Function(ty) = import.ty() else {
            bail!("it imports {}, which is no function", import.name());
        };
        let (module, name) = (import.module().into(), import.name().into());
        interface.imports.push(Import { module, name, ty: abi_type(ty)? });
    }
    for export in module.exports() {
        match export.ty() {
            ExternType::Function(ty) => {
                if let Ok(ty) = abi_type(ty) {
                    interface.export(export.name(), &ty);
                }
            }
            ExternType::Memory(memory) => interface.max_pages = memory.maximum.map(|max| max.0),
            _ => {}
        }
    }
    Ok(interface)
}

/// A module, and what its imports are bound to.
pub struct Ready {
    engine: wasmer::Engine,
    module: Module,
    interface: Interface,
    hosts: &'static [Host],
}

impl workers::Module for Ready {
    type Instance<'l> = Running<'l>;

    fn instantiate(&self) -> Result<Running<'_>> {
        let mut store = Store::new(self.engine.clone());
        let data = FunctionEnv::new(&mut store, Data(None));
        let mut imports = Imports::new();
        for (import, host) in self.module.imports().zip(self.hosts) {
            let function = match host {
                Host::Function(function) => define(&mut store, &data, function)?,
                Host::Probe => Function::new_typed(&mut store, |value: u32| value.wrapping_add(1)),
                Host::Missing(why) => {
                    let ExternType::Function(ty) = import.ty() else { bail!("{why}") };
                    let trap = move |_: &[_]| Err(RuntimeError::new(why.as_str()));
                    Function::new(&mut store, ty, trap)
                }
            };
            imports.define(import.module(), import.name(), function);
        }
        let instance = wasmer::Instance::new(&mut store, &self.module, &imports)?;
        let memory = instance.exports.get_memory("memory").context("no memory")?.clone();
        data.as_mut(&mut store).0 = Some(memory.clone());
        Ok(Running { ready: self, store, instance, memory })
    }
}

/// What host functions find in the store: the memory.
struct Data(Option<Memory>);

/// Defines `define`, which makes a host function of a store as a closure of its type.
macro_rules! function_of_store {
    ($(($($param:ident $ty:ty)*) -> $result:ty;)*) => {
        fn define(
            store: &mut Store,
            data: &FunctionEnv<Data>,
            function: &'static HostFunction,
        ) -> Result<Function> {
            $(if *function.ty()
                == abi::FuncType::new(&[$(<$ty>::TYPES[0]),*], <$result>::TYPES)
            {
                let closure = move |mut data: FunctionEnvMut<'_, Data>, $($param: $ty),*| {
                    run(&mut data, function, &[$($param.bits()),*])
                        .map(<$result as Word>::from_bits)
                };
                return Ok(Function::new_typed_with_env(store, data, closure));
            })*
            bail!("{function:?} has a type that is not in the list of shapes.rs");
        }
    };
}

shapes!(function_of_store);

/// Runs a host function for the guest that called it.
#[inline]
fn run(
    data: &mut FunctionEnvMut<'_, Data>,
    function: &'static HostFunction,
    arguments: &[u64],
) -> Result<u64, RuntimeError> {
    let (data, store) = data.data_and_store_mut();
    let Some(memory) = &data.0 else {
        return Err(RuntimeError::new("called before there is memory"));
    };
    let mut guest = MemoryOf { memory, store };
    Host::Function(function).run(&mut guest, arguments).map_err(RuntimeError::new)
}

/// Memory in a store.
struct MemoryOf<'m, S> {
    memory: &'m Memory,
    store: S,
}

/// What is in a memory.
fn bytes<'s>(memory: &Memory, store: &'s mut impl AsStoreMut) -> &'s mut [u8] {
    let view = memory.view(store);
    let (start, len) = (view.data_ptr(), view.data_size() as usize);
    // SAFETY: memory is there until it grows, for which the store is needed, which is borrowed.
    unsafe { std::slice::from_raw_parts_mut(start, len) }
}

impl<S: AsStoreMut> Guest for MemoryOf<'_, S> {
    fn memory(&mut self) -> &mut [u8] {
        bytes(self.memory, &mut self.store)
    }

    fn grow(&mut self, delta: u32) -> Option<u32> {
        Some(self.memory.grow(&mut self.store, delta).ok()?.0)
    }

    fn max_pages(&self) -> Option<u32> {
        Some(self.memory.ty(&self.store).maximum?.0)
    }
}

/// An instance.
pub struct Running<'r> {
    ready: &'r Ready,
    store: Store,
    instance: wasmer::Instance,
    memory: Memory,
}

impl Guest for Running<'_> {
    fn memory(&mut self) -> &mut [u8] {
        bytes(&self.memory, &mut self.store)
    }

    fn grow(&mut self, delta: u32) -> Option<u32> {
        MemoryOf { memory: &self.memory, store: &mut self.store }.grow(delta)
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
        let global = self.instance.exports.get_global("__heap_base").ok()?;
        Some(global.get(&mut self.store).i32()? as u32)
    }

    fn initialize(&mut self, place: usize) -> Result<()> {
        self.call::<(), ()>(&self.ready.interface.initializers[place], |store, function| {
            function.call(store)
        })
    }

    fn enter(&mut self, place: usize, [address, len_bytes]: [u32; 2]) -> Result<u64> {
        let name = &self.ready.interface.entries[place];
        self.call::<(u32, u32), u64>(name, |store, function| {
            function.call(store, address, len_bytes)
        })
    }
}

impl Running<'_> {
    fn call<P: WasmTypeList, R: WasmTypeList>(
        &mut self,
        name: &str,
        call: impl FnOnce(&mut Store, &wasmer::TypedFunction<P, R>) -> Result<R, RuntimeError>,
    ) -> Result<R> {
        let function = self.instance.exports.get_typed_function(&self.store, name)?;
        call(&mut self.store, &function).map_err(|error| anyhow!("{error}"))
    }
}

fn abi_type(ty: &FunctionType) -> Result<abi::FuncType> {
    let ours = |ty: &Type| {
        Ok(match ty {
            Type::I32 => abi::ValType::I32,
            Type::I64 => abi::ValType::I64,
            Type::F32 => abi::ValType::F32,
            Type::F64 => abi::ValType::F64,
            other => bail!("{other} in a runtime"),
        })
    };
    Ok(abi::FuncType {
        params: ty.params().iter().map(ours).collect::<Result<_>>()?,
        results: ty.results().iter().map(ours).collect::<Result<_>>()?,
    })
}
