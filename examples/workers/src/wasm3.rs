//! wasm3: a module and a host become a runtime of it, which is an instance.
//!
//! wasm3 knows no module apart from its instance. Each call parses the module, links its imports and
//! translates the functions that it comes to, as whoever embeds it does for a fresh instance, so all of
//! that is in a call's `total`. It validates nothing.

use crate::interface::{Host, Interface};
use crate::{Engine, Instance, Module};
use anyhow::{Result, anyhow, bail, ensure};
use lithify_runtime::host::Guest;
use std::ffi::{CStr, CString, c_char, c_void};
use std::path::Path;
use std::ptr::{null, null_mut};
use wasmparser::{Parser, Payload};

/// Of its own stack, in bytes.
const STACK: u32 = 1 << 20;
const PAGE: usize = 65536;
/// Of a module, in bytes.
const HEADER: usize = 8;

/// An environment, runtime, module or function of its.
type Handle = *mut c_void;
/// Null, or the text of an error, which is a constant.
type Outcome = *const c_char;
type RawCall = extern "C" fn(Handle, *const ImportContext, *mut u64, *mut c_void) -> Outcome;

/// `M3ImportContext`.
#[repr(C)]
struct ImportContext {
    data: *const c_void,
    function: Handle,
}

/// `M3ErrorInfo`.
#[repr(C)]
struct ErrorInfo {
    result: Outcome,
    runtime: Handle,
    module: Handle,
    function: Handle,
    file: *const c_char,
    line: u32,
    message: *const c_char,
}

unsafe extern "C" {
    fn m3_NewEnvironment() -> Handle;
    fn m3_FreeEnvironment(environment: Handle);
    fn m3_NewRuntime(environment: Handle, stack_bytes: u32, data: *mut c_void) -> Handle;
    fn m3_FreeRuntime(runtime: Handle);
    fn m3_GetUserData(runtime: Handle) -> *mut c_void;
    fn m3_GetMemory(runtime: Handle, len_bytes: *mut u32, index: u32) -> *mut u8;
    fn m3_ParseModule(
        environment: Handle,
        module: *mut Handle,
        wasm: *const u8,
        len_bytes: u32,
    ) -> Outcome;
    fn m3_FreeModule(module: Handle);
    fn m3_LoadModule(runtime: Handle, module: Handle) -> Outcome;
    fn m3_LinkRawFunctionEx(
        module: Handle,
        import_module: *const c_char,
        name: *const c_char,
        signature: *const c_char,
        function: RawCall,
        data: *const c_void,
    ) -> Outcome;
    fn m3_FindFunction(function: *mut Handle, runtime: Handle, name: *const c_char) -> Outcome;
    fn m3_Call(function: Handle, count: u32, arguments: *const *const c_void) -> Outcome;
    fn m3_GetResults(function: Handle, count: u32, results: *const *mut c_void) -> Outcome;
    fn m3_GetErrorInfo(runtime: Handle, info: *mut ErrorInfo);
    /// What `memory.grow` calls; its interface has nothing for a host that grows memory.
    fn ResizeMemory(runtime: Handle, pages: u32) -> Outcome;
}

/// The interpreter, which has no settings.
pub struct Wasm3;

impl Wasm3 {
    /// It is linked with this program.
    pub fn open() -> Result<Self> {
        Ok(Self)
    }
}

impl Engine for Wasm3 {
    type Loaded = Ready;
    const COMPILES: bool = false;

    /// The module without names for people, by which it would find functions before those that are exported.
    fn compile(&self, wasm: &[u8]) -> Result<Vec<u8>> {
        let mut kept = wasm[..HEADER.min(wasm.len())].to_vec();
        for payload in Parser::new(0).parse_all(wasm) {
            let payload = payload?;
            if let Payload::StartSection { func: 0, .. } = payload {
                bail!("wasm3 does not run a start function that is the module's first");
            }
            let is_name =
                matches!(&payload, Payload::CustomSection(custom) if custom.name() == "name");
            if let Some((id, range)) = payload.as_section().filter(|_| !is_name) {
                kept.push(id);
                leb(&mut kept, range.len());
                kept.extend(&wasm[range]);
            }
        }
        Ok(kept)
    }

    fn load(&self, module: &Path, probe: &str) -> Result<Ready> {
        let wasm = crate::read(module)?;
        let interface = Interface::of(&wasm)?;
        let hosts = interface.hosts(probe);
        let imports = interface.imports.iter().zip(hosts).map(|(import, host)| {
            let (module, name) = (&*import.module, &*import.name);
            Ok(Linked { module: CString::new(module)?, name: CString::new(name)?, host })
        });
        let imports = imports.collect::<Result<_>>()?;
        // SAFETY: it takes nothing.
        let environment = unsafe { m3_NewEnvironment() };
        ensure!(!environment.is_null(), "no memory for wasm3");
        Ok(Ready { wasm, interface, imports, environment })
    }
}

/// Writes a length as LEB128.
fn leb(to: &mut Vec<u8>, mut len: usize) {
    while len >= 0x80 {
        to.push(len as u8 | 0x80);
        len >>= 7;
    }
    to.push(len as u8);
}

/// An import and what it is bound to.
struct Linked {
    module: CString,
    name: CString,
    host: Host,
}

/// A module's bytes, and what its imports are bound to.
pub struct Ready {
    wasm: Vec<u8>,
    interface: Interface,
    imports: Vec<Linked>,
    environment: Handle,
}

impl Drop for Ready {
    fn drop(&mut self) {
        // SAFETY: it is ours, and instances borrow this.
        unsafe { m3_FreeEnvironment(self.environment) }
    }
}

impl Module for Ready {
    type Instance<'l> = Running<'l>;

    fn instantiate(&self) -> Result<Running<'_>> {
        let max_pages = self.interface.max_pages;
        let called = Called { runtime: null_mut(), max_pages, why: None };
        let called = Box::into_raw(Box::new(called));
        let mut running = Running { ready: self, called, module: null_mut() };
        // SAFETY: what the runtime is made with lives as long as it.
        let runtime = unsafe { m3_NewRuntime(self.environment, STACK, called.cast()) };
        ensure!(!runtime.is_null(), "no memory for an instance");
        running.called().runtime = runtime;
        let (wasm, len) = (self.wasm.as_ptr(), u32::try_from(self.wasm.len())?);
        // SAFETY: the module's bytes live as long as the instance.
        let parsed = unsafe { m3_ParseModule(self.environment, &mut running.module, wasm, len) };
        running.done(parsed)?;
        // SAFETY: both are new.
        let loaded = unsafe { m3_LoadModule(runtime, running.module) };
        if !loaded.is_null() {
            // SAFETY: it is still ours, as it was not loaded.
            unsafe { m3_FreeModule(running.module) };
        }
        running.done(loaded)?;
        for Linked { module, name, host: bound } in &self.imports {
            let (module, name, data) = (module.as_ptr(), name.as_ptr(), (&raw const *bound).cast());
            // SAFETY: what it is bound to lives as long as the instance. Types were compared when that
            // was looked up, so no signature is given.
            let linked =
                unsafe { m3_LinkRawFunctionEx(running.module, module, name, null(), host, data) };
            running.done(linked)?;
        }
        Ok(running)
    }
}

/// An instance.
pub struct Running<'r> {
    ready: &'r Ready,
    /// Ours; host functions write to it while the guest runs.
    called: *mut Called,
    module: Handle,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        // SAFETY: both are ours, and nothing runs. With the runtime its module goes.
        unsafe {
            if !(*self.called).runtime.is_null() {
                m3_FreeRuntime((*self.called).runtime);
            }
            drop(Box::from_raw(self.called));
        }
    }
}

/// What host functions find.
struct Called {
    runtime: Handle,
    max_pages: Option<u32>,
    /// Why a host function failed.
    why: Option<String>,
}

/// Runs a host function: null, unless the guest is to trap. Results come first on its stack, then
/// arguments.
extern "C" fn host(
    runtime: Handle,
    context: *const ImportContext,
    stack: *mut u64,
    _memory: *mut c_void,
) -> Outcome {
    // SAFETY: it is what the runtime was made with, and whoever called the guest waits.
    let called = unsafe { &mut *m3_GetUserData(runtime).cast::<Called>() };
    // SAFETY: it is what the import was linked with.
    let bound = unsafe { &*(*context).data.cast::<Host>() };
    // SAFETY: there are as many as the import has.
    let arguments =
        unsafe { std::slice::from_raw_parts(stack.add(bound.results()), bound.parameters()) };
    match bound.run(called, arguments) {
        Ok(value) => {
            if bound.results() > 0 {
                // SAFETY: there is a place for it.
                unsafe { *stack = value };
            }
            null()
        }
        Err(why) => {
            called.why = Some(why);
            c"a host function failed".as_ptr()
        }
    }
}

impl Guest for Called {
    fn memory(&mut self) -> &mut [u8] {
        let mut len = 0;
        // SAFETY: the memory is there until it grows, and nothing else uses it meanwhile.
        unsafe {
            let start = m3_GetMemory(self.runtime, &mut len, 0);
            if start.is_null() {
                return &mut [];
            }
            std::slice::from_raw_parts_mut(start, len as usize)
        }
    }

    fn grow(&mut self, delta: u32) -> Option<u32> {
        let before = (self.memory().len() / PAGE) as u32;
        let after = before.checked_add(delta)?;
        // SAFETY: no one has the memory, and the guest looks where it is when it goes on.
        let grown = unsafe { ResizeMemory(self.runtime, after) };
        grown.is_null().then_some(before)
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

    /// An outcome of wasm3 as a result.
    fn done(&mut self, outcome: Outcome) -> Result<()> {
        if outcome.is_null() {
            return Ok(());
        }
        if let Some(why) = self.called().why.take() {
            return Err(anyhow!(why));
        }
        // SAFETY: texts of errors are constants.
        let why = unsafe { CStr::from_ptr(outcome) }.to_string_lossy();
        // SAFETY: all zeros are a value of it.
        let mut info: ErrorInfo = unsafe { std::mem::zeroed() };
        // SAFETY: the message lies in the runtime.
        let more = unsafe {
            m3_GetErrorInfo(self.called().runtime, &mut info);
            (!info.message.is_null()).then(|| CStr::from_ptr(info.message).to_string_lossy())
        };
        match more {
            Some(more) if !more.is_empty() => Err(anyhow!("{why}: {more}")),
            _ => Err(anyhow!("{why}")),
        }
    }

    /// Calls an exported function, which is translated first.
    fn call(&mut self, name: &str, arguments: &[u32]) -> Result<Handle> {
        let name = CString::new(name)?;
        let runtime = self.called().runtime;
        let mut function = null_mut();
        let arguments: Vec<*const c_void> =
            arguments.iter().map(|argument| (&raw const *argument).cast()).collect();
        // SAFETY: the runtime is whole. It may run the start function, which may call the host.
        let called = unsafe {
            let found = m3_FindFunction(&mut function, runtime, name.as_ptr());
            if found.is_null() {
                m3_Call(function, arguments.len() as u32, arguments.as_ptr())
            } else {
                found
            }
        };
        self.done(called)?;
        Ok(function)
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
        self.call(&self.ready.interface.initializers[place], &[]).map(drop)
    }

    fn enter(&mut self, place: usize, arguments: [u32; 2]) -> Result<u64> {
        let function = self.call(&self.ready.interface.entries[place], &arguments)?;
        let mut output = 0u64;
        // SAFETY: the function has one result, an i64.
        let got = unsafe { m3_GetResults(function, 1, &(&raw mut output).cast()) };
        self.done(got)?;
        Ok(output)
    }
}
