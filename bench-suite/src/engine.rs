//! The engines behind one trait, so that everything else is the same for all of them: state, host
//! functions, protocol of a call, clock.
//!
//! ```text
//! module --prepare, compile--> artifact --load--> LoadedModule
//!   LoadedModule --entry--> MeasuredEntry --call--> output, times
//!   LoadedModule --instance--> AnyInstance --call--> values
//! ```
//!
//! An entry point is measured: one virtual call wraps instantiate, call and drop; the clock is
//! read inside, by code that is compiled for each engine. An instance is compared: any module,
//! any export, and afterwards what the calls left behind.
//!
//! Not here: which calls are made and in which order (`worker.rs`, `runner.rs`, the fuzzer).

mod aot;
mod native;
mod own_memory;
mod registry;
#[macro_use]
mod shapes;
mod trusted;
mod wasmi;
mod wasmtime;

use anyhow::{Result, anyhow};
use lithify_measure::wall::ns;
use lithify_polkadot::{CallContext, RuntimeInstance};
use lithify_runtime::host::HostError;
use lithify_runtime::{TrapCode, ValType, Value};
use std::borrow::Cow;
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

pub use aot::{Aot, called, nameless};
pub use own_memory::{Heap, own_memory};
pub use registry::{Id, KINDS, Kind, NATIVE, ON_DEMAND, Start};
pub(crate) use trusted::sampler;

/// A host function `(i32) -> i32` that does next to nothing, which every engine provides in its
/// fastest way beside the Polkadot host.
pub const PROBE: &str = "lithify_bench_probe_version_1";

/// An engine in one setting.
pub trait Engine {
    /// The module as this engine wants it. Not timed: what an embedder does once, elsewhere.
    fn prepare<'w>(&self, wasm: &'w [u8]) -> Result<Cow<'w, [u8]>>;

    /// Compiles what `prepare` gave into an artifact, or returns it where there is none to make.
    fn compile(&self, prepared: &[u8]) -> Result<Vec<u8>>;

    /// Puts an artifact where embedders of this engine keep such between processes, if that is
    /// not just a file.
    fn keep(&self, _artifact: &Path) -> Result<()> {
        Ok(())
    }

    /// Makes an artifact ready for calls.
    fn load(&self, artifact: &Path, check: Check) -> Result<Box<dyn LoadedModule>>;

    /// Makes what `prepare` gave ready for calls, as an engine without artifacts does at every start.
    fn load_source(&self, prepared: &[u8]) -> Result<Box<dyn LoadedModule>>;

    /// Puts beside an artifact what tells functions that were inlined from those around them, if the
    /// engine can.
    fn explain(&self, _prepared: &[u8], _artifact: &Path) -> Result<()> {
        Ok(())
    }

    /// Makes an artifact ready for calls of which is told in which functions they are, by what
    /// [`explain`](Self::explain) left where it did.
    fn load_explained(&self, artifact: &Path) -> Result<Box<dyn LoadedModule>> {
        self.load(artifact, Check::Whole)
    }
}

/// Whether an artifact is checked for damage when it is loaded. An engine that cannot do so
/// ignores it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// All of its bytes are.
    Whole,
    /// The file is trusted.
    Trusted,
    /// It comes from where [`Engine::keep`] put it, and is checked as far as embedders check it there.
    Kept,
}

/// A module on an engine.
pub trait LoadedModule {
    /// The entry point `name` of a runtime, looked up once.
    fn entry<'l>(&'l self, name: &str) -> Result<Box<dyn MeasuredEntry + 'l>>;

    /// A fresh instance of any module.
    fn instance(&self) -> Result<Box<dyn AnyInstance>, Stopped>;

    /// The guest's functions at the address `pc`, those that were inlined there first, and last the one
    /// whose code it is: their names, or their indices as a text. None where that is no guest's code, or
    /// the engine does not tell; only one that was [explained](Engine::load_explained) does.
    fn functions_at(&self, pc: usize) -> Vec<String> {
        let _ = pc;
        Vec::new()
    }

    /// The addresses of the code of the guest's functions with their names, in rising order, without
    /// those that were inlined. Empty where the engine does not tell.
    fn functions(&self) -> Vec<(Range<u64>, String)> {
        Vec::new()
    }

    /// The same module for several threads at once; none where each needs its own.
    fn shared(&self) -> Option<&(dyn LoadedModule + Sync)> {
        None
    }

    /// Bytes of its machine code, where the engine tells.
    fn code_bytes(&self) -> Option<u64> {
        None
    }
}

/// An instance, export by export. References to functions are opaque: only null can be passed,
/// and what comes out is 0 for null and 1 for any other.
pub trait AnyInstance {
    /// Calls the function exported as `name`.
    fn call(&mut self, name: &str, arguments: &[Value]) -> Result<Vec<Value>, Stopped>;

    /// The same, but the guest is stopped with [`TrapCode::Deadline`] after about `time`, by an engine
    /// that can do so.
    fn call_for(
        &mut self,
        name: &str,
        arguments: &[Value],
        time: Duration,
    ) -> Result<Vec<Value>, Stopped> {
        let _ = time;
        self.call(name, arguments)
    }

    /// The value of the global exported as `name`.
    fn global(&mut self, name: &str) -> Option<Value>;

    /// Sets the mutable global exported as `name`; an error when there is none of that type.
    fn set_global(&mut self, name: &str, value: Value) -> Result<()>;

    /// The memory exported as `name`.
    fn memory(&mut self, name: &str) -> Option<&[u8]>;
}

/// Why a guest did not go on.
#[derive(Debug)]
pub enum Stopped {
    /// It trapped. A call and an access beyond a table are one, since engines do not tell them
    /// apart.
    Trap(TrapCode),
    /// The engine failed, as no guest should be able to make it.
    Failed(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Stopped {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// The code under which an engine reports both traps of tables.
fn one_table_trap(code: TrapCode) -> TrapCode {
    match code {
        TrapCode::UndefinedElement => TrapCode::TableOutOfBounds,
        code => code,
    }
}

/// What a module's imports are bound to.
#[derive(Clone, Copy, Debug)]
pub enum Host {
    /// Polkadot's host functions and the probe beside them. The heap of a node is put on top of
    /// a module's memory.
    Polkadot,
    /// One function that answers every import of a function. Modules stay as they are.
    Stub(Stub),
}

/// Answers a call of import `name` with `arguments` by values of the types asked for.
pub type Stub = fn(name: &str, arguments: &[Value], results: &[ValType]) -> HostResult;

/// What a host function gives, or how it fails.
pub type HostResult = Result<Vec<Value>, HostError>;

/// An entry point.
pub trait MeasuredEntry {
    /// Makes a fresh instance, calls the entry point with `input` and ends the instance. Host
    /// functions find the externalities of this thread.
    fn call(&mut self, input: &[u8], context: &mut CallContext, clock: Clock) -> Result<Fresh>;

    /// The same without a clock; what the call leaves behind is counted. Right in the first call on
    /// a loaded module alone, since pages of earlier ones would count.
    fn counted(&mut self, input: &[u8], context: &mut CallContext) -> Result<Left> {
        self.call(input, context, Clock::Ends).map(|_| Left::default())
    }
}

/// What a call leaves behind, as far as the engine tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// Host pages that were written.
    pub written_pages: Option<u64>,
    /// Collections of garbage.
    pub collections: Option<u64>,
}

/// When the clock is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// Before and after all of it.
    Ends,
    /// Between the phases too.
    Phases,
}

/// A call on a fresh instance.
#[derive(Clone, Debug, Default)]
pub struct Fresh {
    /// What it returned.
    pub output: Vec<u8>,
    /// From before the instance was made to after it was dropped, in ns.
    pub total_ns: u64,
    /// Making the instance, in ns. This and the following are 0 for [`Clock::Ends`].
    pub instantiate_ns: u64,
    /// The guest's own initialiser, in ns; 0 where there is none to call.
    pub initialize_ns: u64,
    /// The call without that, in ns.
    pub call_ns: u64,
    /// The end of the instance, in ns.
    pub drop_ns: u64,
}

/// The body of [`MeasuredEntry::call`].
fn fresh<I: RuntimeInstance>(
    name: &str,
    input: &[u8],
    context: &mut CallContext,
    clock: Clock,
    instantiate: impl FnOnce(&CallContext) -> Result<I>,
) -> Result<Fresh> {
    let start = Instant::now();
    let mut instance = instantiate(context)?;
    if clock == Clock::Ends {
        let output = lithify_polkadot::call(&mut instance, context, name, input);
        drop(instance);
        let total_ns = ns(start.elapsed());
        let output = output.map_err(|error| anyhow!("{error}"))?;
        return Ok(Fresh { output, total_ns, ..Fresh::default() });
    }
    let made = Instant::now();
    let output = lithify_polkadot::call(&mut instance, context, name, input);
    let called = Instant::now();
    drop(instance);
    let dropped = Instant::now();
    Ok(Fresh {
        output: output.map_err(|error| anyhow!("{error}"))?,
        total_ns: ns(dropped - start),
        instantiate_ns: ns(made - start),
        initialize_ns: context.instruments().initialize_ns(),
        call_ns: ns(called - made).saturating_sub(context.instruments().initialize_ns()),
        drop_ns: ns(dropped - called),
    })
}
