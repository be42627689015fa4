//! Turns an input into a workload: a module, the state it sees, and the calls to make.
//!
//! A workload is stored in one file for the workers, which then need neither JSON nor
//! decompression before they can start.

use crate::engine::{Clock, Engine, Host, Id, Kind, PROBE};
use anyhow::{Context, Result, anyhow, bail};
use lithify_abi::plain::Plain;
use lithify_polkadot::state::Pairs;
use lithify_polkadot::{CallContext, Input, RuntimeInput, State, StateVersion, version};
use parity_scale_codec::{Decode, Encode};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Name of the workload of [`Workload::host_calls`].
pub const HOST_CALLS: &str = "host-call";
/// Host calls in one call of that workload.
pub const HOST_CALLS_PER_CALL: u32 = 50_000;

/// What is measured.
#[derive(Clone)]
pub struct Workload {
    /// Its name in samples and reports.
    pub name: String,
    /// BLAKE2b-256 of the code as stored.
    pub code_hash: [u8; 32],
    /// The module.
    pub wasm: Vec<u8>,
    /// What every call starts from.
    pub state: State,
    /// The calls.
    pub calls: Vec<Call>,
    /// The exported function that every call runs first, for a module that is not ready without.
    pub initialize: Option<String>,
    /// Whether the native build of the ledger is the same program.
    pub native: bool,
}

/// A call of an entry point.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Call {
    /// Name of the entry point.
    pub entry: String,
    /// Its name in samples and reports: the entry point, and which call of it where there are
    /// several.
    pub label: String,
    /// Its input.
    pub input: Vec<u8>,
    /// BLAKE2b-256 of the output, where something else than an engine says so.
    pub output: Option<[u8; 32]>,
    /// The state root afterwards, where something else than an engine says so.
    pub state_root: Option<[u8; 32]>,
}

impl Call {
    /// A call without input.
    pub fn plain(entry: &str) -> Self {
        Self::new(entry, Vec::new())
    }

    /// A call of which nothing is known.
    pub fn new(entry: &str, input: Vec<u8>) -> Self {
        Self { entry: entry.into(), label: entry.into(), input, output: None, state_root: None }
    }
}

impl Workload {
    /// A runtime with the calls that every one has, and the block that came with it.
    pub fn new(name: &str, input: Input) -> Result<Self> {
        Self::initialized_by(None, name, input)
    }

    /// The same, where every call first runs the exported function `initialize`.
    pub fn initialized_by(initialize: Option<String>, name: &str, input: Input) -> Result<Self> {
        let runtime = match input {
            Input::Runtime(runtime) => *runtime,
            Input::Image(_) => bail!(
                "{name} is compiled already; to compare engines, give the WebAssembly it was made of"
            ),
        };
        let mut calls = vec![Call::plain("Core_version"), Call::plain("Metadata_metadata")];
        calls.extend(runtime.block.as_ref().map(|block| Call {
            state_root: Some(block.header.state_root),
            ..Call::new("Core_execute_block", block.argument())
        }));
        let state = runtime.state.clone().unwrap_or_else(State::empty);
        Self::of(name, &runtime, state, initialize, calls)
    }

    /// A runtime with these calls on that state, whose version becomes the runtime's.
    pub fn with_calls(
        name: &str,
        runtime: &RuntimeInput,
        state: State,
        calls: Vec<Call>,
    ) -> Result<Self> {
        Self::of(name, runtime, state, None, calls)
    }

    fn of(
        name: &str,
        runtime: &RuntimeInput,
        mut state: State,
        initialize: Option<String>,
        calls: Vec<Call>,
    ) -> Result<Self> {
        let wasm = runtime.wasm().to_vec();
        match &runtime.version {
            Some(version) => state.set_version(version.state_version()),
            // Without any key there is nothing that a version could encode.
            None if state.is_empty() => {}
            None => {
                let version = state_version(&wasm, &state, initialize.as_ref())
                    .with_context(|| name.to_owned())?;
                state.set_version(version);
            }
        }
        Ok(Self {
            name: Plain(name).to_string(),
            code_hash: runtime.code_hash,
            wasm,
            state,
            calls,
            initialize,
            native: false,
        })
    }

    /// The cost of a host call: a guest that does nothing but call the host, in a loop.
    pub fn host_calls() -> Self {
        let text = format!(
            r#"(module
                (import "env" "{PROBE}" (func $probe (param i32) (result i32)))
                (memory (export "memory") 17)
                (global (export "__heap_base") i32 (i32.const 1048576))
                (func (export "host_calls") (param i32 i32) (result i64) (local i32)
                  (loop $again
                    (br_if $again (i32.lt_u
                      (local.tee 2 (call $probe (local.get 2)))
                      (i32.const {HOST_CALLS_PER_CALL}))))
                  (i32.store (local.get 0) (local.get 2))
                  (i64.or (i64.extend_i32_u (local.get 0)) (i64.const 0x400000000))))"#
        );
        let wasm = wat::parse_str(text).expect("our own module");
        Self {
            name: HOST_CALLS.into(),
            code_hash: [0; 32],
            wasm,
            state: State::empty(),
            calls: vec![Call::plain("host_calls")],
            initialize: None,
            native: false,
        }
    }

    /// A guest that works for as many rounds as its input says, over as much memory as its input says:
    /// a number of 32 bits each.
    pub fn busy(calls: Vec<Call>) -> Self {
        let text = r#"(module
            (memory (export "memory") 17)
            (global (export "__heap_base") i32 (i32.const 1048576))
            (func (export "busy") (param i32 i32) (result i64)
              (local $rounds i32) (local $mask i32) (local $x i32) (local $at i32)
              (local.set $rounds (i32.load (local.get 0)))
              (local.set $mask (i32.load offset=4 (local.get 0)))
              (loop $again
                (local.set $at (i32.and (local.get $x) (local.get $mask)))
                (local.set $x (i32.add (i32.const 1013904223)
                  (i32.xor (i32.load offset=65536 (local.get $at))
                    (i32.mul (local.get $x) (i32.const 1664525)))))
                (i32.store offset=65536 (local.get $at) (local.get $x))
                (br_if $again
                  (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
              (i32.store (local.get 0) (local.get $x))
              (i64.or (i64.extend_i32_u (local.get 0)) (i64.const 0x400000000))))"#;
        let wasm = wat::parse_str(text).expect("our own module");
        Self { name: "calibration".into(), wasm, calls, ..Self::host_calls() }
    }

    /// The hash in hex.
    pub fn code_hash_hex(&self) -> String {
        hex(&self.code_hash)
    }

    /// Writes it for [`load`](Self::load).
    pub fn save(&self, path: &Path) -> Result<()> {
        let (top, children) = self.state.pairs();
        let stored = Stored {
            name: self.name.clone(),
            code_hash: self.code_hash,
            wasm: self.wasm.clone(),
            top,
            children,
            state_v1: self.state.version() == StateVersion::V1,
            calls: self.calls.clone(),
            initialize: self.initialize.clone(),
            native: self.native,
        };
        fs::write(path, stored.encode()).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Reads it again.
    pub fn load(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let stored = Stored::decode(&mut &bytes[..])
            .with_context(|| format!("{} is not a stored workload", path.display()))?;
        let version = if stored.state_v1 { StateVersion::V1 } else { StateVersion::V0 };
        Ok(Self {
            name: stored.name,
            code_hash: stored.code_hash,
            wasm: stored.wasm,
            state: State::new(stored.top, stored.children, version),
            calls: stored.calls,
            initialize: stored.initialize,
            native: stored.native,
        })
    }
}

#[derive(Encode, Decode)]
struct Stored {
    name: String,
    code_hash: [u8; 32],
    wasm: Vec<u8>,
    top: Pairs,
    children: BTreeMap<Vec<u8>, Pairs>,
    state_v1: bool,
    calls: Vec<Call>,
    initialize: Option<String>,
    native: bool,
}

/// The version of the state trie, from `Core_version` on the interpreter: the one engine that is
/// there on every machine and needs no compilation.
fn state_version(wasm: &[u8], state: &State, initialize: Option<&String>) -> Result<StateVersion> {
    let interpreter = Id { engine: "wasmi".into(), setting: "interpreter".into() };
    let engine: Box<dyn Engine> = Kind::of(&interpreter)?.open(Host::Polkadot)?;
    let loaded = engine.load_source(&engine.prepare(wasm)?)?;
    let mut entry = loaded.entry("Core_version")?;
    let mut context = CallContext::new();
    context.initialize_by(initialize.cloned());
    let fresh = state.session().execute(|| entry.call(&[], &mut context, Clock::Ends))?;
    let version = version::decode(&fresh.output).map_err(|error| anyhow!("{error}"))?;
    Ok(version.state_version())
}

/// Bytes as hex digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
