//! A runtime on wasmi, to drive the host before and beside Lithify's own engine.

use lithify_abi::types as abi;
use lithify_polkadot::{CallContext, RuntimeInstance, resolve};
use lithify_runtime::host::Guest;
use wasmi::{Caller, Engine, ExternType, Func, Linker, Memory, MemoryType, Module, Store, Val};

/// How many pages the heap may have beyond the initial ones, as on chain.
const HEAP_PAGES: u32 = 2048;

pub struct WasmiRuntime {
    engine: Engine,
    module: Module,
    linker: Linker<CallContext>,
}

impl WasmiRuntime {
    /// Missing functions become traps that name them.
    pub fn new(wasm: &[u8]) -> Self {
        let engine = Engine::default();
        let module = Module::new(&engine, wasm).expect("module");
        let mut linker = Linker::new(&engine);
        for import in module.imports() {
            if let ExternType::Func(ty) = import.ty() {
                let host = resolve(import.module(), import.name(), &abi_type(ty));
                let call = move |mut caller: Caller<'_, CallContext>,
                                 args: &[Val],
                                 results: &mut [Val]| {
                    let host = host.as_ref().map_err(|e| wasmi::Error::new(e.to_string()))?;
                    let mut context = std::mem::take(caller.data_mut());
                    let memory = caller.get_export("memory").or_else(|| caller.get_export("mem"));
                    let memory = memory.and_then(|m| m.into_memory());
                    let memory = memory.or(MEMORY.get()).expect("memory");
                    let args: Vec<u64> = args.iter().map(bits).collect();
                    let mut guest = CallerGuest(&mut caller, memory);
                    let result = host.call(&mut context, &mut guest, &args);
                    *caller.data_mut() = context;
                    let result = result.map_err(|error| wasmi::Error::new(error.0))?;
                    if let Some(slot) = results.first_mut() {
                        *slot = match slot {
                            Val::I32(_) => Val::I32(result as i32),
                            _ => Val::I64(result as i64),
                        };
                    }
                    Ok(())
                };
                linker.func_new(import.module(), import.name(), ty.clone(), call).expect("import");
            }
        }
        Self { engine, module, linker }
    }

    pub fn instantiate(&self) -> WasmiInstance {
        let mut store = Store::new(&self.engine, CallContext::new());
        let mut linker = self.linker.clone();
        for import in self.module.imports() {
            if let ExternType::Memory(ty) = import.ty() {
                let min = ty.minimum() as u32;
                let ty = MemoryType::new(min, Some(min + HEAP_PAGES));
                let memory = Memory::new(&mut store, ty).expect("memory");
                MEMORY.set(Some(memory));
                linker.define("env", import.name(), memory).expect("import");
            }
        }
        let instance = linker.instantiate_and_start(&mut store, &self.module).expect("instance");
        let exported = instance.get_memory(&store, "memory");
        let memory = exported.or(MEMORY.get()).expect("memory");
        MEMORY.set(Some(memory));
        WasmiInstance { store, instance, memory }
    }
}

thread_local! {
    /// The memory of the instance that was made last on this thread.
    static MEMORY: std::cell::Cell<Option<Memory>> = const { std::cell::Cell::new(None) };
}

pub struct WasmiInstance {
    store: Store<CallContext>,
    instance: wasmi::Instance,
    memory: Memory,
}

impl Guest for WasmiInstance {
    fn memory(&mut self) -> &mut [u8] {
        self.memory.data_mut(&mut self.store)
    }

    fn grow(&mut self, delta: u32) -> Option<u32> {
        let previous = self.memory.grow(&mut self.store, delta.into()).ok()?;
        Some(previous as u32)
    }

    fn max_pages(&self) -> Option<u32> {
        Some(self.memory.ty(&self.store).maximum()? as u32)
    }
}

impl RuntimeInstance for WasmiInstance {
    type Entry = Func;
    type Trap = wasmi::Error;

    fn heap_base(&mut self) -> Option<u32> {
        let global = self.instance.get_global(&self.store, "__heap_base")?;
        global.get(&self.store).i32().map(|base| base as u32)
    }

    fn entry(&mut self, name: &str) -> Option<Func> {
        let func = self.instance.get_func(&self.store, name)?;
        (abi_type(&func.ty(&self.store)) == entry_type()).then_some(func)
    }

    fn entries(&self) -> Vec<String> {
        let exports = self.instance.exports(&self.store);
        exports
            .filter(|export| {
                let func = export.clone().into_func();
                func.is_some_and(|func| abi_type(&func.ty(&self.store)) == entry_type())
            })
            .map(|export| export.name().to_owned())
            .collect()
    }

    /// No test here has one.
    fn initialize(&mut self, _: &str, _: &mut CallContext) -> Option<Result<(), Self::Trap>> {
        None
    }

    fn enter(
        &mut self,
        entry: Func,
        address: u32,
        len_bytes: u32,
        context: &mut CallContext,
    ) -> Result<u64, wasmi::Error> {
        std::mem::swap(self.store.data_mut(), context);
        let args = [Val::I32(address as i32), Val::I32(len_bytes as i32)];
        let mut results = [Val::I64(0)];
        let outcome = entry.call(&mut self.store, &args, &mut results);
        std::mem::swap(self.store.data_mut(), context);
        outcome.map(|()| bits(&results[0]))
    }
}

struct CallerGuest<'a, 'c>(&'a mut Caller<'c, CallContext>, Memory);

impl Guest for CallerGuest<'_, '_> {
    fn memory(&mut self) -> &mut [u8] {
        self.1.data_mut(&mut *self.0)
    }

    fn grow(&mut self, delta: u32) -> Option<u32> {
        let previous = self.1.grow(&mut *self.0, delta.into()).ok()?;
        Some(previous as u32)
    }

    fn max_pages(&self) -> Option<u32> {
        Some(self.1.ty(&*self.0).maximum()? as u32)
    }
}

fn entry_type() -> abi::FuncType {
    use abi::ValType::{I32, I64};
    abi::FuncType::new(&[I32, I32], &[I64])
}

fn abi_type(ty: &wasmi::FuncType) -> abi::FuncType {
    let convert = |ty: &wasmi::ValType| match ty {
        wasmi::ValType::I32 => abi::ValType::I32,
        wasmi::ValType::I64 => abi::ValType::I64,
        wasmi::ValType::F32 => abi::ValType::F32,
        wasmi::ValType::F64 => abi::ValType::F64,
        other => panic!("{other:?} in a runtime"),
    };
    abi::FuncType {
        params: ty.params().iter().map(convert).collect(),
        results: ty.results().iter().map(convert).collect(),
    }
}

fn bits(value: &Val) -> u64 {
    match value {
        Val::I32(value) => u64::from(*value as u32),
        Val::I64(value) => *value as u64,
        other => panic!("{other:?} in a runtime"),
    }
}
