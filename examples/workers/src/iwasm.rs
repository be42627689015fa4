//! iwasm, the WebAssembly Micro Runtime with its fast interpreter: a module is loaded once, and instances
//! are made of it.
//!
//! Its host functions are one function of this file, which finds by a symbol's attachment which of them it
//! is. They belong to the process, so a process loads one module.

use crate::interface::{Host, Interface};
use crate::{Engine, Instance};
use anyhow::{Context, Result, anyhow, bail, ensure};
use lithify_runtime::host::Guest;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ffi::{CStr, CString, c_char, c_void};
use std::path::Path;
use std::ptr::null;
use wasm_encoder::reencode::{Error, Reencode, utils};
use wasm_encoder::{CodeSection, Function, FunctionSection, Instruction, Module, TypeSection};
use wasmparser::{CodeSectionReader, FunctionSectionReader, Parser, TypeSectionReader};

/// Of an instance's own stack, in bytes.
const STACK: u32 = 1 << 20;
const PAGE: u32 = 65536;

/// A module, instance, function or environment of its.
type Handle = *mut c_void;

/// `NativeSymbol`.
#[repr(C)]
struct NativeSymbol {
    symbol: *const c_char,
    function: extern "C" fn(Handle, *mut u64),
    signature: *const c_char,
    attachment: *const c_void,
}

unsafe extern "C" {
    fn wasm_runtime_init() -> bool;
    fn wasm_runtime_register_natives_raw(
        module: *const c_char,
        symbols: *mut NativeSymbol,
        count: u32,
    ) -> bool;
    fn wasm_runtime_load(wasm: *mut u8, len: u32, error: *mut c_char, error_len: u32) -> Handle;
    fn wasm_runtime_unload(module: Handle);
    fn wasm_runtime_instantiate(
        module: Handle,
        stack_bytes: u32,
        heap_bytes: u32,
        error: *mut c_char,
        error_len: u32,
    ) -> Handle;
    fn wasm_runtime_deinstantiate(instance: Handle);
    fn wasm_runtime_create_exec_env(instance: Handle, stack_bytes: u32) -> Handle;
    fn wasm_runtime_destroy_exec_env(environment: Handle);
    fn wasm_runtime_get_module_inst(environment: Handle) -> Handle;
    fn wasm_runtime_lookup_function(
        instance: Handle,
        name: *const c_char,
        signature: *const c_char,
    ) -> Handle;
    fn wasm_runtime_call_wasm(
        environment: Handle,
        function: Handle,
        count: u32,
        words: *mut u32,
    ) -> bool;
    fn wasm_runtime_get_exception(instance: Handle) -> *const c_char;
    fn wasm_runtime_set_exception(instance: Handle, why: *const c_char);
    fn wasm_runtime_get_app_addr_range(
        instance: Handle,
        address: u32,
        start: *mut u32,
        end: *mut u32,
    ) -> bool;
    fn wasm_runtime_addr_app_to_native(instance: Handle, address: u32) -> *mut u8;
    fn wasm_runtime_get_function_attachment(environment: Handle) -> *const c_void;
    fn wasm_runtime_set_user_data(environment: Handle, data: *mut c_void);
    fn wasm_runtime_get_user_data(environment: Handle) -> *mut c_void;
    /// What `memory.grow` calls; its interface has nothing for a host that grows memory.
    fn wasm_enlarge_memory(instance: Handle, pages: u32) -> bool;
}

/// The interpreter, as it was built.
pub struct Iwasm;

impl Iwasm {
    /// Starts it.
    pub fn open() -> Result<Self> {
        // SAFETY: it takes nothing, and may be called again.
        ensure!(unsafe { wasm_runtime_init() }, "iwasm does not start");
        Ok(Self)
    }
}

/// A place for the text of an error.
struct Why([c_char; 128]);

impl Why {
    fn new() -> Self {
        Self([0; 128])
    }

    fn room(&mut self) -> (*mut c_char, u32) {
        (self.0.as_mut_ptr(), self.0.len() as u32 - 1)
    }

    fn told(&self) -> anyhow::Error {
        // SAFETY: the last byte is never written.
        anyhow!("{}", unsafe { CStr::from_ptr(self.0.as_ptr()) }.to_string_lossy())
    }
}

impl Engine for Iwasm {
    type Loaded = Ready;
    const COMPILES: bool = false;

    fn compile(&self, wasm: &[u8]) -> Result<Vec<u8>> {
        let mut module = Module::new();
        match Grows::default().parse_core_module(&mut module, Parser::new(0), wasm) {
            Ok(()) => Ok(module.finish()),
            Err(error) => bail!("cannot rewrite the module: {error}"),
        }
    }

    fn load(&self, module: &Path, probe: &str) -> Result<Ready> {
        let mut wasm = crate::read(module)?;
        let interface = Interface::of(&wasm)?;
        // They stay registered to the end of the process, those of each module that is imported from by
        // themselves.
        let hosts = Box::leak(interface.hosts(probe).into_boxed_slice());
        let mut symbols: BTreeMap<&str, Vec<NativeSymbol>> = BTreeMap::new();
        for (import, bound) in interface.imports.iter().zip(&*hosts) {
            symbols.entry(&import.module).or_default().push(NativeSymbol {
                symbol: CString::new(&*import.name)?.into_raw(),
                function: host,
                signature: null(),
                attachment: (&raw const *bound).cast(),
            });
        }
        for (module, symbols) in symbols {
            let (module, symbols) = (CString::new(module)?.into_raw(), symbols.leak());
            let (list, count) = (symbols.as_mut_ptr(), symbols.len() as u32);
            // SAFETY: what is registered lives on.
            let registered = unsafe { wasm_runtime_register_natives_raw(module, list, count) };
            ensure!(registered, "no memory for the host");
        }
        let mut why = Why::new();
        let (text, room) = why.room();
        let len = u32::try_from(wasm.len())?;
        // SAFETY: the module's bytes live as long as the module.
        let module = unsafe { wasm_runtime_load(wasm.as_mut_ptr(), len, text, room) };
        if module.is_null() {
            bail!(why.told());
        }
        Ok(Ready { _wasm: wasm, interface, module })
    }
}

/// A module with a function more, which nobody calls, and which asks for the size of memory. Without one
/// that does, the loader takes all pages from the module that it sees no use for, and lets none be added, so
/// that the host has no heap.
#[derive(Default)]
struct Grows {
    /// Of the function.
    ty: u32,
}

type Done = Result<(), Error<Infallible>>;

impl Reencode for Grows {
    type Error = Infallible;

    fn parse_type_section(&mut self, to: &mut TypeSection, from: TypeSectionReader<'_>) -> Done {
        utils::parse_type_section(self, to, from)?;
        self.ty = to.len();
        to.ty().function([], []);
        Ok(())
    }

    fn parse_function_section(
        &mut self,
        to: &mut FunctionSection,
        from: FunctionSectionReader<'_>,
    ) -> Done {
        utils::parse_function_section(self, to, from)?;
        to.function(self.ty);
        Ok(())
    }

    fn parse_code_section(&mut self, to: &mut CodeSection, from: CodeSectionReader<'_>) -> Done {
        utils::parse_code_section(self, to, from)?;
        let mut body = Function::new([]);
        body.instruction(&Instruction::MemorySize(0));
        body.instruction(&Instruction::Drop).instruction(&Instruction::End);
        to.function(&body);
        Ok(())
    }
}

/// A module that is loaded.
pub struct Ready {
    /// It points into its bytes.
    _wasm: Vec<u8>,
    interface: Interface,
    module: Handle,
}

impl Drop for Ready {
    fn drop(&mut self) {
        // SAFETY: it is ours, and instances borrow this.
        unsafe { wasm_runtime_unload(self.module) }
    }
}

impl crate::Module for Ready {
    type Instance<'l> = Running<'l>;

    fn instantiate(&self) -> Result<Running<'_>> {
        let mut why = Why::new();
        let (text, room) = why.room();
        // SAFETY: the module is loaded.
        let instance = unsafe { wasm_runtime_instantiate(self.module, STACK, 0, text, room) };
        if instance.is_null() {
            bail!(why.told());
        }
        let called = Called { instance, max_pages: self.interface.max_pages, why: None };
        let called = Box::into_raw(Box::new(called));
        // SAFETY: the instance is whole.
        let environment = unsafe { wasm_runtime_create_exec_env(instance, STACK) };
        let running = Running { ready: self, called, environment };
        ensure!(!environment.is_null(), "no memory for an instance");
        // SAFETY: what it is given lives as long as it.
        unsafe { wasm_runtime_set_user_data(environment, called.cast()) };
        Ok(running)
    }
}

/// An instance.
pub struct Running<'r> {
    ready: &'r Ready,
    /// Ours; host functions write to it while the guest runs.
    called: *mut Called,
    environment: Handle,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        // SAFETY: all are ours, and nothing runs.
        unsafe {
            if !self.environment.is_null() {
                wasm_runtime_destroy_exec_env(self.environment);
            }
            wasm_runtime_deinstantiate((*self.called).instance);
            drop(Box::from_raw(self.called));
        }
    }
}

/// What host functions find.
struct Called {
    instance: Handle,
    max_pages: Option<u32>,
    /// Why a host function failed.
    why: Option<String>,
}

/// Runs a host function. Its result takes the place of the first argument.
extern "C" fn host(environment: Handle, stack: *mut u64) {
    // SAFETY: it is what the symbol was registered with.
    let bound = unsafe { &*wasm_runtime_get_function_attachment(environment).cast::<Host>() };
    // SAFETY: it is what the environment was given, or null while an instance is made.
    let called = unsafe { wasm_runtime_get_user_data(environment).cast::<Called>().as_mut() };
    // SAFETY: there are as many as the import has.
    let arguments = unsafe { std::slice::from_raw_parts(stack, bound.parameters()) };
    let done = match called {
        None => Err("called before there is memory".into()),
        Some(called) => bound.run(called, arguments).inspect_err(|why| {
            called.why = Some(why.clone());
        }),
    };
    match done {
        // SAFETY: there is room for one in any case.
        Ok(value) => unsafe { *stack = value },
        // SAFETY: it is the instance that called.
        Err(_) => unsafe {
            let instance = wasm_runtime_get_module_inst(environment);
            wasm_runtime_set_exception(instance, c"a host function failed".as_ptr());
        },
    }
}

impl Called {
    /// The size of memory in bytes.
    fn len(&self) -> u32 {
        let (mut start, mut end) = (0, 0);
        // SAFETY: the instance is whole.
        unsafe { wasm_runtime_get_app_addr_range(self.instance, 0, &mut start, &mut end) };
        end
    }
}

impl Guest for Called {
    fn memory(&mut self) -> &mut [u8] {
        let len = self.len();
        if len == 0 {
            return &mut [];
        }
        // SAFETY: the memory is there until it grows, and nothing else uses it meanwhile.
        unsafe {
            let start = wasm_runtime_addr_app_to_native(self.instance, 0);
            std::slice::from_raw_parts_mut(start, len as usize)
        }
    }

    fn grow(&mut self, delta: u32) -> Option<u32> {
        let before = self.len() / PAGE;
        // SAFETY: no one has the memory, and the guest looks where it is when it goes on.
        unsafe { wasm_enlarge_memory(self.instance, delta) }.then_some(before)
    }

    fn max_pages(&self) -> Option<u32> {
        self.max_pages
    }
}

impl Running<'_> {
    fn called(&mut self) -> &mut Called {
        // SAFETY: it is ours, and no guest runs.
        unsafe { &mut *self.called }
    }

    /// Calls an exported function, whose arguments and result are in `words`.
    fn call(&mut self, name: &str, count: u32, words: &mut [u32; 2]) -> Result<()> {
        let name = CString::new(name)?;
        let (instance, environment) = (self.called().instance, self.environment);
        // SAFETY: the instance is whole.
        let function = unsafe { wasm_runtime_lookup_function(instance, name.as_ptr(), null()) };
        ensure!(!function.is_null(), "there is no function {name:?}");
        // SAFETY: the function is of this instance, and takes and gives no more than two words.
        let done =
            unsafe { wasm_runtime_call_wasm(environment, function, count, words.as_mut_ptr()) };
        match (done, self.called().why.take()) {
            (true, _) => Ok(()),
            (false, Some(why)) => Err(anyhow!(why)),
            (false, None) => {
                // SAFETY: the text lies in the instance.
                let why = unsafe {
                    let why = wasm_runtime_get_exception(instance);
                    (!why.is_null()).then(|| CStr::from_ptr(why).to_string_lossy())
                };
                Err(anyhow!("{}", why.context("it failed without a reason")?))
            }
        }
    }
}

impl Instance for Running<'_> {
    fn guest(&mut self) -> &mut impl Guest {
        self.called()
    }

    fn interface(&self) -> &Interface {
        &self.ready.interface
    }

    fn initialize(&mut self, place: usize) -> Result<()> {
        self.call(&self.ready.interface.initializers[place], 0, &mut [0; 2])
    }

    fn enter(&mut self, place: usize, mut words: [u32; 2]) -> Result<u64> {
        self.call(&self.ready.interface.entries[place], 2, &mut words)?;
        Ok(u64::from(words[0]) | u64::from(words[1]) << 32)
    }
}
