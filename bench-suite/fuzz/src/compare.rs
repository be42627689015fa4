//! Runs a module on Lithify and its peers: results, traps, globals and memory must be the same.

use crate::rewrite::{FUEL, FUEL_PER_CALL, MEMORY, bounded, canonical, plain};
use crate::stray;
use anyhow::{Context, Result, bail};
use lithify_bench::engine::{
    AnyInstance, Aot, Engine, Host, HostResult, KINDS, Kind, LoadedModule, ON_DEMAND, Stopped,
};
use lithify_compiler::{Heat, Inline, Options, Profile, Tier};
use lithify_runtime::host::HostError;
use lithify_runtime::{FuncType, TrapCode, ValType, Value};
use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
    time::Duration,
};
use wasmparser::{ExternalKind, Parser, Payload, TypeRef, Validator, WasmFeatures};

/// How often everything is called.
const ROUNDS: u64 = 2;
/// Functions of a module that are called again to be stopped, each on an instance of its own.
const MAX_STOPPED: usize = 2;
/// Functions that one module has called; a carved runtime could have more.
const MAX_CALLED: usize = 64;

/// The engines, opened once.
pub struct Engines {
    lithify: Lithify,
    peers: Vec<Peer>,
}

/// Opens Lithify with options of its compiler.
type Lithify = Box<dyn Fn(Options) -> Result<Box<dyn Engine>>>;

/// An engine to compare with.
struct Peer {
    name: &'static str,
    engine: Box<dyn Engine>,
    /// What it knows of WebAssembly 2.0.
    features: WasmFeatures,
    /// Forms of a module that all have to do there what the module does on Lithify. An engine
    /// that agrees in one of them and not in an earlier one contradicts itself.
    forms: &'static [Form],
}

/// Gives a module in another form.
type Form = fn(&[u8]) -> Result<Vec<u8>>;

/// What a module came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Covered {
    /// Calls made.
    pub calls: u64,
    /// How many of them trapped.
    pub traps: u64,
    /// How many calls were stopped by a deadline when they were made again.
    pub stopped: u64,
    /// How often an engine contradicted itself.
    pub theirs: u64,
    /// How many engines ran it: all that know what it uses, or none where Lithify is the only one.
    pub engines: u64,
}

/// What a call came to.
type Called = std::result::Result<Vec<Bits>, TrapCode>;

/// What a module did on an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Outcome {
    /// Why there is no instance.
    refused: Option<TrapCode>,
    /// Each function, in order.
    calls: Vec<(String, Called)>,
    /// Globals afterwards.
    globals: Vec<(String, Bits)>,
    /// Memory afterwards.
    memory: Vec<u8>,
}

/// A value by its bits, so that NaNs compare.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Bits(ValType, u128);

impl fmt::Debug for Bits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{:#x}", self.0, self.1)
    }
}

impl From<Value> for Bits {
    fn from(value: Value) -> Self {
        Self(value.ty(), value.to_bits())
    }
}

/// What can be called and read.
struct Exports {
    functions: Vec<(String, FuncType)>,
    globals: Vec<String>,
}

/// The first kind of an engine.
fn kind(engine: &str) -> &'static Kind {
    KINDS.iter().find(|kind| kind.engine == engine).expect("an engine of the suite")
}

impl Engines {
    /// Opens Lithify, wasmtime and wasmi.
    pub fn open() -> Result<Self> {
        let host = Host::Stub(stub);
        Ok(Self {
            lithify: Box::new(move |options| Ok(Box::new(Aot::new(host, options)?))),
            peers: vec![
                Peer {
                    name: "wasmtime",
                    engine: ON_DEMAND.open(host)?,
                    // It has references only with its garbage collector, which is not built in.
                    features: WasmFeatures::WASM2.difference(WasmFeatures::REFERENCE_TYPES),
                    forms: &[|wasm| Ok(wasm.to_vec())],
                },
                Peer {
                    name: "wasmi",
                    engine: kind("wasmi").open(host)?,
                    features: WasmFeatures::WASM2.difference(WasmFeatures::SIMD),
                    forms: &[canonical, plain],
                },
            ],
        })
    }

    /// With another engine in the place of Lithify.
    #[cfg(test)]
    fn with(self, lithify: impl Fn() -> Box<dyn Engine> + 'static) -> Self {
        Self { lithify: Box::new(move |_| Ok(lithify())), ..self }
    }

    /// Runs `wasm`, a valid module that imports nothing but functions. An error where engines
    /// disagree, where Lithify fails at all, or where a branch of its code goes astray.
    pub fn compare(&self, wasm: &[u8]) -> Result<Covered> {
        let wasm = bounded(wasm)?;
        let mut covered = Covered::default();
        let knows =
            |peer: &&Peer| Validator::new_with_features(peer.features).validate_all(&wasm).is_ok();
        let peers: Vec<&Peer> = self.peers.iter().filter(knows).collect();
        if peers.is_empty() {
            return Ok(covered);
        }
        let options = options(&wasm)?;
        stray::decode(&wasm, &options)?;
        let engine = (self.lithify)(options)?;
        let exports = Exports::of(&wasm)?;
        let loaded = engine.load_source(&engine.prepare(&wasm)?).context("lithify")?;
        let lithify = run(&*loaded, &exports).context("lithify")?;
        covered.stopped = interrupt(&*loaded, &exports, &lithify).context("lithify, stopped")?;
        covered.calls = lithify.calls.len() as u64;
        covered.traps = lithify.calls.iter().filter(|(_, called)| called.is_err()).count() as u64;
        for peer in peers {
            covered.engines += 1;
            covered.theirs += u64::from(peer.agrees(&lithify, &wasm)?);
        }
        covered.engines += 1;
        Ok(covered)
    }
}

/// How a module is compiled, by what it is, so that a case is always tried in the same way: of eight
/// modules two with every call a call, one at the fast tier and two with a profile that is made up.
fn options(wasm: &[u8]) -> Result<Options> {
    let (profile, random) = (Some(Profile::General), hash(&wasm));
    let plain = Options { profile, ..Options::default() };
    Ok(match random % 8 {
        0 | 4 => Options { inline: Inline::Off, ..plain },
        1 => Options { tier: Tier::Fast, ..plain },
        2 | 6 => {
            let count = |index: u32| match hash(&(random, index)) % 8 {
                0..4 => 0,
                4..6 => 1,
                _ => 100_000,
            };
            Options { heat: Some(Arc::new(Heat::new(wasm, &plain, count)?)), ..plain }
        }
        _ => plain,
    })
}

impl Peer {
    /// Compares an outcome with that of `wasm` here: whether it took another form to agree. An
    /// error where no form does.
    fn agrees(&self, lithify: &Outcome, wasm: &[u8]) -> Result<bool> {
        let mut first = None;
        for form in self.forms {
            let form = form(wasm)?;
            let loaded =
                self.engine.load_source(&self.engine.prepare(&form)?).context(self.name)?;
            let mut theirs = run(&*loaded, &Exports::of(&form)?).context(self.name)?;
            let mut ours = lithify.clone();
            cut_at_exhaustion(&mut ours, &mut theirs);
            if ours == theirs {
                return Ok(first.is_some());
            }
            first.get_or_insert_with(|| difference(&ours, &theirs));
        }
        bail!("{}: {}", self.name, first.unwrap_or_default())
    }
}

/// Makes the calls of `outcome` again with deadlines of some microseconds: each ends as it did, or is
/// stopped, which is the end of what its instance can be asked. How many were stopped.
fn interrupt(loaded: &dyn LoadedModule, exports: &Exports, outcome: &Outcome) -> Result<u64> {
    let mut stopped = 0;
    let functions = exports.functions.iter().zip(&outcome.calls);
    for ((name, ty), (_, expected)) in functions.take(MAX_STOPPED) {
        // Calls that come first are the same on every instance.
        let Ok(mut instance) = loaded.instance() else { return Ok(stopped) };
        let arguments = arguments(name, ty, 0);
        for round in 0..2 {
            instance.set_global(FUEL, Value::I32(FUEL_PER_CALL))?;
            let time = Duration::from_nanos(hash(&(name, round)) % 30_000);
            match instance.call_for(name, &arguments, time) {
                Err(Stopped::Trap(TrapCode::Deadline)) => stopped += 1,
                Err(Stopped::Failed(error)) => return Err(error),
                // On a fresh instance the first function does what it did.
                called if round == 0 && name == &exports.functions[0].0 => {
                    let called = match called {
                        Ok(values) => Ok(values.into_iter().map(Bits::from).collect()),
                        Err(Stopped::Trap(code)) => Err(code),
                        Err(Stopped::Failed(error)) => return Err(error),
                    };
                    let exhausted = called == Err(TrapCode::StackOverflow);
                    if !exhausted && called != *expected {
                        bail!("{name}: {called:?} instead of {expected:?}");
                    }
                }
                _ => {}
            }
        }
    }
    Ok(stopped)
}

/// Runs a module on the engine that loaded it.
fn run(loaded: &dyn LoadedModule, exports: &Exports) -> Result<Outcome> {
    let mut outcome = Outcome { refused: None, calls: vec![], globals: vec![], memory: vec![] };
    let mut instance = match loaded.instance() {
        Ok(instance) => instance,
        Err(Stopped::Trap(code)) => {
            outcome.refused = Some(code);
            return Ok(outcome);
        }
        Err(Stopped::Failed(error)) => return Err(error),
    };
    for round in 0..ROUNDS {
        for (name, ty) in exports.functions.iter().take(MAX_CALLED) {
            instance.set_global(FUEL, Value::I32(FUEL_PER_CALL))?;
            let called = call(&mut *instance, name, ty, round).with_context(|| name.clone())?;
            let exhausted = called == Err(TrapCode::StackOverflow);
            outcome.calls.push((name.clone(), called));
            if exhausted {
                return Ok(outcome);
            }
        }
    }
    for name in &exports.globals {
        let value = instance.global(name).with_context(|| format!("no global {name}"))?;
        outcome.globals.push((name.clone(), value.into()));
    }
    outcome.memory = instance.memory(MEMORY).unwrap_or_default().to_vec();
    Ok(outcome)
}

fn call(instance: &mut dyn AnyInstance, name: &str, ty: &FuncType, round: u64) -> Result<Called> {
    match instance.call(name, &arguments(name, ty, round)) {
        Ok(values) => Ok(Ok(values.into_iter().map(Bits::from).collect())),
        Err(Stopped::Trap(code)) => Ok(Err(code)),
        Err(Stopped::Failed(error)) => Err(error),
    }
}

fn arguments(name: &str, ty: &FuncType, round: u64) -> Vec<Value> {
    let types = ty.params.iter().enumerate();
    types.map(|(i, ty)| argument(*ty, hash(&(name, round, i)))).collect()
}

/// A value of type `ty`, often one at an edge.
fn argument(ty: ValType, random: u64) -> Value {
    const EDGES: [u64; 10] = [
        0,
        1,
        u64::MAX,
        0x8000_0000,
        0x7fff_ffff,
        1 << 63,
        0x7ff8_0000_0000_0001,
        0x7fc0_0001,
        65_535,
        4096,
    ];
    match ty {
        ValType::FuncRef => Value::FuncRef(0),
        ValType::ExternRef => Value::ExternRef(random % 4),
        ValType::V128 => Value::V128(u128::from(random) << 64 | u128::from(random.rotate_left(9))),
        ty if random.is_multiple_of(4) => Value::from_bits(ty, (random >> 8).into()),
        ty => Value::from_bits(ty, EDGES[(random >> 8) as usize % EDGES.len()].into()),
    }
}

/// The host of all modules: values that depend on nothing but the call, sometimes a failure.
fn stub(name: &str, arguments: &[Value], results: &[ValType]) -> HostResult {
    let bits: Vec<u128> = arguments.iter().map(|value| value.to_bits()).collect();
    let random = hash(&(name, bits));
    if random.is_multiple_of(61) {
        return Err(HostError(format!("{name} failed, as it does now and then")));
    }
    Ok(results
        .iter()
        .map(|ty| match ty {
            // Often an address.
            ValType::I32 => Value::I32((random % 0x1_8000) as i32),
            ValType::FuncRef => Value::FuncRef(0),
            ValType::ExternRef => Value::ExternRef(0),
            ty => Value::from_bits(*ty, random.into()),
        })
        .collect())
}

/// FNV-1a, the same on every machine.
fn hash(of: &impl Hash) -> u64 {
    struct Fnv(u64);
    impl Hasher for Fnv {
        fn write(&mut self, bytes: &[u8]) {
            for byte in bytes {
                self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }

        fn finish(&self) -> u64 {
            // The low bits of the last step alone are those of the last bytes.
            self.0 ^ self.0 >> 32
        }
    }
    let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
    of.hash(&mut hasher);
    hasher.finish()
}

impl Exports {
    fn of(wasm: &[u8]) -> Result<Self> {
        let mut types = Vec::new();
        let mut functions = Vec::new();
        let mut exports = Self { functions: vec![], globals: vec![] };
        for payload in Parser::new(0).parse_all(wasm) {
            match payload? {
                Payload::TypeSection(section) => {
                    for ty in section.into_iter_err_on_gc_types() {
                        types.push(func_type(&ty?)?);
                    }
                }
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        if let TypeRef::Func(ty) = import?.ty {
                            functions.push(ty);
                        }
                    }
                }
                Payload::FunctionSection(section) => {
                    for ty in section {
                        functions.push(ty?);
                    }
                }
                Payload::ExportSection(section) => {
                    for export in section {
                        let export = export?;
                        let name = export.name.to_owned();
                        match export.kind {
                            ExternalKind::Func => {
                                let ty = &types[functions[export.index as usize] as usize];
                                exports.functions.push((name, ty.clone()));
                            }
                            ExternalKind::Global => exports.globals.push(name),
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(exports)
    }
}

fn func_type(ty: &wasmparser::FuncType) -> Result<FuncType> {
    let convert = |types: &[wasmparser::ValType]| -> Result<Vec<ValType>> {
        types
            .iter()
            .map(|ty| {
                Ok(match ty {
                    wasmparser::ValType::I32 => ValType::I32,
                    wasmparser::ValType::I64 => ValType::I64,
                    wasmparser::ValType::F32 => ValType::F32,
                    wasmparser::ValType::F64 => ValType::F64,
                    wasmparser::ValType::V128 => ValType::V128,
                    wasmparser::ValType::Ref(ty) if ty.is_func_ref() => ValType::FuncRef,
                    wasmparser::ValType::Ref(ty) if ty.is_extern_ref() => ValType::ExternRef,
                    wasmparser::ValType::Ref(ty) => bail!("type {ty}"),
                })
            })
            .collect()
    };
    Ok(FuncType { params: convert(ty.params())?, results: convert(ty.results())? })
}

/// Drops what comes after a stack overflow on either side: guest stacks differ in size between
/// engines, and from there on nothing can be compared.
fn cut_at_exhaustion(ours: &mut Outcome, theirs: &mut Outcome) {
    let exhausted = |outcome: &Outcome| {
        let overflow = Err(TrapCode::StackOverflow);
        outcome.calls.iter().position(|(_, called)| *called == overflow)
    };
    let refused = [&*ours, &*theirs].iter().any(|o| o.refused == Some(TrapCode::StackOverflow));
    let at = [exhausted(ours), exhausted(theirs), refused.then_some(0)];
    let Some(at) = at.into_iter().flatten().min() else { return };
    for outcome in [ours, theirs] {
        if refused {
            outcome.refused = None;
        }
        outcome.calls.truncate(at);
        outcome.globals.clear();
        outcome.memory.clear();
    }
}

/// The first thing in which two outcomes differ.
fn difference(ours: &Outcome, theirs: &Outcome) -> String {
    if ours.refused != theirs.refused {
        return format!("no instance: {:?} against {:?}", ours.refused, theirs.refused);
    }
    for (ours, theirs) in ours.calls.iter().zip(&theirs.calls) {
        if ours != theirs {
            return format!("{}: {:?} against {:?}", ours.0, ours.1, theirs.1);
        }
    }
    for (ours, theirs) in ours.globals.iter().zip(&theirs.globals) {
        if ours != theirs {
            return format!("global {}: {:?} against {:?}", ours.0, ours.1, theirs.1);
        }
    }
    let at = ours.memory.iter().zip(&theirs.memory).position(|(a, b)| a != b);
    match at {
        Some(at) => {
            format!("memory at {at:#x}: {:#x} against {:#x}", ours.memory[at], theirs.memory[at])
        }
        None => format!("memory of {} bytes against {}", ours.memory.len(), theirs.memory.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shrink;
    use lithify_bench::engine::{Check, LoadedModule, MeasuredEntry};
    use std::{borrow::Cow, path::Path};

    /// An engine that is wrong about one thing.
    struct Wrong(Box<dyn Engine>, fn(Vec<Value>) -> Vec<Value>);

    impl Engine for Wrong {
        fn prepare<'w>(&self, wasm: &'w [u8]) -> Result<Cow<'w, [u8]>> {
            self.0.prepare(wasm)
        }

        fn compile(&self, prepared: &[u8]) -> Result<Vec<u8>> {
            self.0.compile(prepared)
        }

        fn load(&self, artifact: &Path, check: Check) -> Result<Box<dyn LoadedModule>> {
            self.0.load(artifact, check)
        }

        fn load_source(&self, prepared: &[u8]) -> Result<Box<dyn LoadedModule>> {
            Ok(Box::new(WrongLoaded(self.0.load_source(prepared)?, self.1)))
        }
    }

    struct WrongLoaded(Box<dyn LoadedModule>, fn(Vec<Value>) -> Vec<Value>);

    impl LoadedModule for WrongLoaded {
        fn entry<'l>(&'l self, name: &str) -> Result<Box<dyn MeasuredEntry + 'l>> {
            self.0.entry(name)
        }

        fn instance(&self) -> Result<Box<dyn AnyInstance>, Stopped> {
            Ok(Box::new(WrongInstance(self.0.instance()?, self.1)))
        }
    }

    struct WrongInstance(Box<dyn AnyInstance>, fn(Vec<Value>) -> Vec<Value>);

    impl AnyInstance for WrongInstance {
        fn call(&mut self, name: &str, arguments: &[Value]) -> Result<Vec<Value>, Stopped> {
            Ok((self.1)(self.0.call(name, arguments)?))
        }

        fn global(&mut self, name: &str) -> Option<Value> {
            self.0.global(name)
        }

        fn set_global(&mut self, name: &str, value: Value) -> Result<()> {
            self.0.set_global(name, value)
        }

        fn memory(&mut self, name: &str) -> Option<&[u8]> {
            self.0.memory(name)
        }
    }

    const MODULE: &str = r#"(module
        (memory 1)
        (global $g (mut i64) (i64.const 1))
        (func $unused (param i32) (result i64)
            (global.set $g (i64.const 9)) (i64.load (local.get 0)))
        (func (param f32) (result f32) (f32.sqrt (local.get 0)))
        (func (result i32)
            (drop (call $unused (i32.const 8)))
            (i32.store (i32.const 16) (i32.const 77))
            (i32.add (i32.const 40) (i32.const 2)))
        (func (loop (br 0))))"#;

    fn engines() -> Engines {
        Engines::open().expect("all engines run here")
    }

    #[test]
    fn engines_that_agree_say_what_they_covered() {
        let covered = engines().compare(&wat::parse_str(MODULE).expect("valid")).expect("agreed");
        // The endless loop runs out of fuel; the first function is once called out of bounds.
        assert_eq!((covered.calls, covered.engines, covered.theirs), (8, 3, 0));
        assert!((2..=4).contains(&covered.traps), "{covered:?}");
    }

    /// A wrong result is found, and the module shrinks to what brings it about.
    #[test]
    fn a_disagreement_is_found_and_shrunk() {
        let wrong = |values: Vec<Value>| {
            let of = |value| if value == Value::I32(42) { Value::I32(43) } else { value };
            values.into_iter().map(of).collect()
        };
        let plain = engines();
        let lithify = move || -> Box<dyn Engine> {
            Box::new(Wrong(kind("lithify").open(Host::Stub(stub)).expect("it runs"), wrong))
        };
        let engines = plain.with(lithify);
        let wasm = wat::parse_str(MODULE).expect("valid");
        let error = engines.compare(&wasm).expect_err("a disagreement");
        assert_eq!(format!("{error:#}"), "wasmtime: f2: Ok([i32:0x2b]) against Ok([i32:0x2a])");
        let fails = |wasm: &[u8]| Ok(engines.compare(wasm).is_err());
        let small = shrink::shrink(wasm.clone(), fails).expect("it fails");
        assert!(small.len() < wasm.len() / 2, "{} of {} bytes", small.len(), wasm.len());
        let folder = std::env::temp_dir().join(format!("lithify-shrink-{}", std::process::id()));
        let kept = shrink::keep(&folder, "case", &small, "why it is kept", fails).expect("kept");
        let text = std::fs::read_to_string(kept).expect("text");
        assert!(text.starts_with(";; why it is kept\n(module"), "{text}");
        assert!(fails(&wat::parse_str(text).expect("a module")).expect("it runs"));
        std::fs::remove_dir_all(folder).expect("the folder is there");
    }
}
