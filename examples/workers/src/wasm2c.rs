//! wasm2c: a module becomes C, and that a shared library by the system's compiler.
//!
//! ```text
//! module --wasm2c--> module.c, and from its imports and exports glue.c --cc--> library --dlopen--> instances
//! ```
//!
//! Between this file and the library there are functions of fixed names, which the glue defines: it alone
//! knows what wasm2c calls things (that of wabt 1.0.32). A trap leaves the guest by `longjmp` to where the
//! glue entered it, and passes no frame of Rust: a host function returns to the glue first. A fault in a host
//! function would be taken for the guest's, so this is for modules that are measured, and not for hostile ones.

use crate::interface::{Host, Import, Interface};
use crate::shared_library::SharedLibrary;
use crate::{Engine, Instance, Module};
use anyhow::{Context, Result, anyhow, bail, ensure};
use lithify_abi::types::ValType;
use lithify_runtime::host::Guest;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Where wabt has the part of it that is linked with what it makes.
const WABT: &str = "/usr/share/wabt/wasm2c";

/// Names of clang, which Debian's versions have beside each other.
const CLANG: [&str; 4] = ["clang", "clang-22", "clang-19", "clang-16"];
/// For this machine, with all that a compiler has.
const STRONGEST: &[&str] = &["-O3", "-march=native"];

/// wasm2c and a C compiler with options.
pub struct Wasm2c {
    compiler: &'static str,
    options: &'static [&'static str],
}

impl Wasm2c {
    /// As its documentation compiles.
    pub fn usual() -> Result<Self> {
        Self::here("cc", &["-O2"])
    }

    /// By the system's compiler, mostly gcc, at its best.
    pub fn strongest() -> Result<Self> {
        Self::here("cc", STRONGEST)
    }

    /// By clang, at its best.
    pub fn clang() -> Result<Self> {
        let found = CLANG.into_iter().find(|name| starts(name));
        Self::here(found.unwrap_or(CLANG[0]), STRONGEST)
    }

    fn here(compiler: &'static str, options: &'static [&'static str]) -> Result<Self> {
        let package = if compiler == "cc" { "gcc" } else { "clang" };
        for (program, package) in [("wasm2c", "wabt"), (compiler, package)] {
            ensure!(starts(program), "there is no {program} (apt-get install {package})");
        }
        ensure!(Path::new(WABT).is_dir(), "there is no {WABT} (apt-get install wabt)");
        Ok(Self { compiler, options })
    }
}

fn starts(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

impl Engine for Wasm2c {
    type Loaded = Library;

    fn compile(&self, wasm: &[u8]) -> Result<Vec<u8>> {
        let folder = tempfile::tempdir().context("cannot make a folder for C")?;
        let place = |name: &str| folder.path().join(name);
        let interface = Interface::of(wasm)?;
        ensure!(interface.min_pages < 65536, "wasm2c takes 4 GiB of memory for none");
        fs::write(place("module.wasm"), wasm)?;
        fs::write(place("glue.c"), glue(&interface)?)?;
        let mut wasm2c = Command::new("wasm2c");
        wasm2c.args(["module.wasm", "-n", "module", "-o", "module.c"]);
        let mut cc = Command::new(self.compiler);
        cc.args(self.options).args(["-w", "-shared", "-fPIC", "-I", WABT, "-o", "module.so"]);
        cc.args(["module.c", "glue.c", &format!("{WABT}/wasm-rt-impl.c"), "-lm"]);
        for mut command in [wasm2c, cc] {
            let output = command.current_dir(folder.path()).output().context("cannot compile")?;
            let said = String::from_utf8_lossy(&output.stderr);
            ensure!(output.status.success(), "{:?}: {}", command.get_program(), said.trim());
        }
        // What it has to know again when it is loaded lies behind the library, which does not mind.
        let mut bytes = fs::read(place("module.so"))?;
        let len = bytes.len() as u64;
        bytes.extend(wasm);
        bytes.extend(len.to_le_bytes());
        Ok(bytes)
    }

    fn load(&self, artifact: &Path, probe: &str) -> Result<Library> {
        let bytes = crate::read(artifact)?;
        let (rest, len) = bytes.split_last_chunk().context("an artifact that was cut")?;
        let wasm = rest.get(u64::from_le_bytes(*len) as usize..).context("no artifact of ours")?;
        let interface = Interface::of(wasm)?;
        let imports = interface.hosts(probe);
        Library::open(artifact, interface, imports)
    }
}

/// A name as wasm2c has it in C.
fn mangled(name: &str) -> String {
    let one = |byte: u8| match byte {
        b'Z' => "Z5A".into(),
        b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Y' => char::from(byte).to_string(),
        byte => format!("Z{byte:02X}"),
    };
    name.bytes().map(one).collect()
}

fn c_type(ty: ValType) -> Result<&'static str> {
    Ok(match ty {
        ValType::I32 => "u32",
        ValType::I64 => "u64",
        other => bail!("a host function with {other}"),
    })
}

/// The C between this file and what wasm2c makes of a module that is called `module`.
fn glue(interface: &Interface) -> Result<String> {
    let mut c = String::from(
        r#"#include "module.h"
#include "wasm-rt-impl.h"
#include <stdlib.h>
#include <sys/mman.h>
struct Z_env_instance_t { int (*host)(void*, u32, const u64*, u64*); void* data; };
"#,
    );
    for (at, Import { module, name, ty }) in interface.imports.iter().enumerate() {
        ensure!(module == "env", "it imports {name} from {module}, and not from env");
        let params: Vec<&str> = ty.params.iter().map(|ty| c_type(*ty)).collect::<Result<_>>()?;
        let result = ty.results.first().map(|ty| c_type(*ty)).transpose()?;
        let declared = params.iter().enumerate().map(|(n, ty)| format!(", {ty} p{n}"));
        let passed = (0..params.len()).map(|n| format!("p{n}, "));
        let (declared, passed): (String, String) = (declared.collect(), passed.collect());
        let returned = if result.is_some() { "return result;" } else { "" };
        let (result, name) = (result.unwrap_or("void"), mangled(name));
        writeln!(
            c,
            "{result} Z_envZ_{name}(struct Z_env_instance_t* env{declared}) {{
  u64 arguments[] = {{{passed}0}}, result = 0;
  if (env->host(env->data, {at}, arguments, &result)) wasm_rt_trap(WASM_RT_TRAP_UNREACHABLE);
  {returned}
}}"
        )?;
    }
    let list = |names: &[String]| -> String {
        names.iter().map(|name| format!("Z_moduleZ_{}, ", mangled(name))).collect()
    };
    let (entries, initializers) = (list(&interface.entries), list(&interface.initializers));
    let env = if interface.imports.is_empty() { "" } else { ", env" };
    write!(
        c,
        r#"static u64 (*const entries[])(Z_module_instance_t*, u32, u32) = {{{entries}0}};
static void (*const initializers[])(Z_module_instance_t*) = {{{initializers}0}};
void glue_init(void) {{ wasm_rt_init(); Z_module_init_module(); }}
int glue_instantiate(void* env, void** made) {{
  void* instance = *made = calloc(1, sizeof(Z_module_instance_t));
  int trap = wasm_rt_impl_try();
  if (!trap) Z_module_instantiate(instance{env});
  return trap;
}}
void glue_free(void* instance) {{
  wasm_rt_memory_t memory = *Z_moduleZ_memory(instance);
  Z_module_free(instance);
  free(instance);
  // It maps 8 GiB, and unmaps what is in use.
  munmap(memory.data + memory.size, 0x200000000ul - memory.size);
}}
wasm_rt_memory_t* glue_memory(void* instance) {{ return Z_moduleZ_memory(instance); }}
u32 glue_grow(wasm_rt_memory_t* memory, u32 delta) {{ return wasm_rt_grow_memory(memory, delta); }}
int glue_enter(void* instance, u32 entry, u32 address, u32 len, u64* output) {{
  int trap = wasm_rt_impl_try();
  if (!trap) *output = entries[entry](instance, address, len);
  return trap;
}}
int glue_initialize(void* instance, u32 function) {{
  int trap = wasm_rt_impl_try();
  if (!trap) initializers[function](instance);
  return trap;
}}
const char* glue_why(int trap) {{ return wasm_rt_strerror(trap); }}
"#
    )?;
    Ok(c)
}

/// `wasm_rt_memory_t`.
#[repr(C)]
struct Memory {
    data: *mut u8,
    pages: u32,
    max_pages: u32,
    size: u32,
}

/// `struct Z_env_instance_t` of the glue.
#[repr(C)]
struct Env {
    host: extern "C" fn(*mut c_void, u32, *const u64, *mut u64) -> c_int,
    data: *mut c_void,
}

/// What the glue defines.
struct Glue {
    instantiate: unsafe extern "C" fn(*const Env, *mut *mut c_void) -> c_int,
    free: unsafe extern "C" fn(*mut c_void),
    memory: unsafe extern "C" fn(*mut c_void) -> *mut Memory,
    grow: unsafe extern "C" fn(*mut Memory, u32) -> u32,
    enter: unsafe extern "C" fn(*mut c_void, u32, u32, u32, *mut u64) -> c_int,
    initialize: unsafe extern "C" fn(*mut c_void, u32) -> c_int,
    why: unsafe extern "C" fn(c_int) -> *const c_char,
}

/// A library that is open, to the end of the process.
pub struct Library {
    glue: Glue,
    interface: Interface,
    imports: Vec<Host>,
}

impl Library {
    fn open(path: &Path, interface: Interface, imports: Vec<Host>) -> Result<Self> {
        let library = SharedLibrary::open(path)?;
        // SAFETY: each has the type that the glue declares.
        let glue = unsafe {
            let init: unsafe extern "C" fn() = library.function(c"glue_init")?;
            init();
            Glue {
                instantiate: library.function(c"glue_instantiate")?,
                free: library.function(c"glue_free")?,
                memory: library.function(c"glue_memory")?,
                grow: library.function(c"glue_grow")?,
                enter: library.function(c"glue_enter")?,
                initialize: library.function(c"glue_initialize")?,
                why: library.function(c"glue_why")?,
            }
        };
        Ok(Self { glue, interface, imports })
    }

    fn trapped(&self, trap: c_int, why: Option<String>) -> Result<()> {
        match (trap, why) {
            (0, _) => Ok(()),
            (_, Some(why)) => Err(anyhow!(why)),
            (trap, None) => {
                // SAFETY: it returns a constant.
                let why = unsafe { CStr::from_ptr((self.glue.why)(trap)) };
                Err(anyhow!("{}", why.to_string_lossy()))
            }
        }
    }
}

impl Module for Library {
    type Instance<'l> = Running<'l>;

    fn instantiate(&self) -> Result<Running<'_>> {
        let called = Called { library: self, memory: std::ptr::null_mut(), why: None };
        let called = Box::into_raw(Box::new(called));
        let env = Box::new(Env { host, data: called.cast() });
        let mut running = Running { library: self, called, env, instance: std::ptr::null_mut() };
        // SAFETY: what the glue keeps of `env` lives as long as the instance.
        let trap =
            unsafe { (self.glue.instantiate)(&raw const *running.env, &mut running.instance) };
        let why = running.called().why.take();
        self.trapped(trap, why)?;
        // SAFETY: the instance is whole.
        running.called().memory = unsafe { (self.glue.memory)(running.instance) };
        Ok(running)
    }
}

/// An instance.
pub struct Running<'l> {
    library: &'l Library,
    /// Ours; host functions write to it while the guest runs.
    called: *mut Called<'l>,
    env: Box<Env>,
    instance: *mut c_void,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        // SAFETY: both are ours, and nothing runs. What an instance of which nothing came has is lost.
        unsafe {
            if !(*self.called).memory.is_null() {
                (self.library.glue.free)(self.instance);
            }
            drop(Box::from_raw(self.called));
        }
    }
}

/// What host functions find.
struct Called<'l> {
    library: &'l Library,
    /// None while the instance is made.
    memory: *mut Memory,
    /// Why a host function failed.
    why: Option<String>,
}

/// Runs a host function for the glue: 0, unless the guest is to trap.
extern "C" fn host(
    data: *mut c_void,
    import: u32,
    arguments: *const u64,
    result: *mut u64,
) -> c_int {
    // SAFETY: `data` is what the instance was made with, and whoever called the guest waits.
    let called = unsafe { &mut *data.cast::<Called<'_>>() };
    let library = called.library;
    let bound = &library.imports[import as usize];
    // SAFETY: the glue passes as many as the import has.
    let arguments = unsafe { std::slice::from_raw_parts(arguments, bound.parameters()) };
    let done = match called.memory.is_null() {
        true => Err("called before there is memory".into()),
        false => bound.run(called, arguments),
    };
    match done {
        Ok(value) => {
            // SAFETY: the glue has a place for it.
            unsafe { *result = value };
            0
        }
        Err(why) => {
            called.why = Some(why);
            1
        }
    }
}

impl Guest for Called<'_> {
    fn memory(&mut self) -> &mut [u8] {
        // SAFETY: the memory is there as long as the instance, and nothing else uses it meanwhile.
        unsafe {
            let Memory { data, pages, .. } = *self.memory;
            std::slice::from_raw_parts_mut(data, pages as usize * 65536)
        }
    }

    fn grow(&mut self, delta: u32) -> Option<u32> {
        // SAFETY: the same.
        let before = unsafe { (self.library.glue.grow)(self.memory, delta) };
        (before != u32::MAX).then_some(before)
    }

    fn max_pages(&self) -> Option<u32> {
        // SAFETY: the same.
        let max = unsafe { (*self.memory).max_pages };
        (max != u32::MAX).then_some(max)
    }
}

impl<'l> Running<'l> {
    fn called(&mut self) -> &mut Called<'l> {
        // SAFETY: it is ours, and no guest runs.
        unsafe { &mut *self.called }
    }
}

impl Instance for Running<'_> {
    fn guest(&mut self) -> &mut impl Guest {
        self.called()
    }

    fn interface(&self) -> &Interface {
        &self.library.interface
    }

    fn initialize(&mut self, place: usize) -> Result<()> {
        // SAFETY: the instance is whole, and the function one of its list.
        let trap = unsafe { (self.library.glue.initialize)(self.instance, place as u32) };
        let why = self.called().why.take();
        self.library.trapped(trap, why)
    }

    fn enter(&mut self, place: usize, [address, len_bytes]: [u32; 2]) -> Result<u64> {
        let mut output = 0;
        // SAFETY: the same.
        let trap = unsafe {
            (self.library.glue.enter)(self.instance, place as u32, address, len_bytes, &mut output)
        };
        let why = self.called().why.take();
        self.library.trapped(trap, why).map(|()| output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_mangled_as_wasm2c_does() {
        for (name, wanted) in
            [("Core_version", "Core_version"), ("__heap_base", "__heap_base"), ("AZ.b", "AZ5AZ2Eb")]
        {
            assert_eq!(mangled(name), wanted);
        }
    }
}
