//! `lithify wast`: runs scripts of the WebAssembly specification through the real path: compile
//! to an image, load, call.
//!
//! An assertion passes, fails, or is skipped for a reason that is printed. Instances share
//! nothing, so a module that imports another one's memory or table, or a mutable global, is
//! skipped with all assertions on it; functions of another module are called across.

use crate::{output, source};
use anyhow::{Context, Result, bail};
use clap::Args;
use lithify_compiler::{CompileError, Options, Profile, compile_image};
use lithify_runtime::{
    CallError, Caller, FuncType, HostError, Image, Imports, Instance, InstanceError,
    InstanceOptions, Pool, TrapCode, Trust, ValType, Value,
};
use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::{Arc, Mutex},
};
use wast::{
    QuoteWat, Wast, WastArg, WastDirective, WastExecute, WastInvoke, WastRet, Wat,
    core::{NanPattern, WastArgCore, WastRetCore},
    parser::{self, ParseBuffer},
    token::Id,
};

/// Runs scripts of the WebAssembly specification and counts assertions.
#[derive(Args)]
#[command(after_help = "\
Exit status: 0 when no assertion failed.

Examples:
  lithify wast i32.wast
  lithify wast testsuite/*.wast")]
pub struct WastCommand {
    /// Scripts in the `.wast` format.
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

/// How the assertions of a script went.
#[derive(Default)]
struct Tally {
    passed: u32,
    failed: Vec<String>,
    skipped: BTreeMap<String, u32>,
}

impl WastCommand {
    /// Runs the command.
    pub fn execute(self) -> Result<()> {
        let mut failed = 0;
        for path in &self.files {
            let name = path.display();
            let text =
                std::fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
            let tally = run(&text).with_context(|| format!("{name}"))?;
            let skipped: u32 = tally.skipped.values().sum();
            output::line(format_args!(
                "{name}: {} passed, {} failed, {skipped} skipped",
                tally.passed,
                tally.failed.len()
            ))?;
            for failure in &tally.failed {
                output::line(format_args!("  failed: {failure}"))?;
            }
            for (reason, count) in &tally.skipped {
                output::line(format_args!("  skipped {count}: {reason}"))?;
            }
            failed += tally.failed.len();
        }
        if failed > 0 {
            bail!("{failed} assertions failed");
        }
        Ok(())
    }
}

type Shared = Arc<Mutex<Instance>>;

/// Why a directive did not pass.
enum Failure {
    Failed(String),
    Skipped(String),
}

type Outcome<T = ()> = std::result::Result<T, Failure>;

fn failed<T>(message: impl Into<String>) -> Outcome<T> {
    Err(Failure::Failed(message.into()))
}

/// The state of a running script.
#[derive(Default)]
struct Script {
    /// The latest module, or why there is none.
    current: Option<Outcome2>,
    named: HashMap<String, Outcome2>,
    registered: HashMap<String, Shared>,
}

/// An instance, or the reason for which what needs it is skipped.
type Outcome2 = std::result::Result<Shared, String>;

fn run(text: &str) -> Result<Tally> {
    let mut lexer = wast::lexer::Lexer::new(text);
    lexer.allow_confusing_unicode(true);
    let buffer = ParseBuffer::new_with_lexer(lexer)?;
    let script: Wast<'_> = parser::parse(&buffer)?;
    let mut state = Script::default();
    let mut tally = Tally::default();
    for directive in script.directives {
        let (line, _) = directive.span().linecol_in(text);
        match state.directive(directive) {
            Ok(true) => tally.passed += 1,
            Ok(false) => {}
            Err(Failure::Failed(message)) => {
                tally.failed.push(format!("line {}: {message}", line + 1));
            }
            Err(Failure::Skipped(reason)) => *tally.skipped.entry(reason).or_default() += 1,
        }
    }
    Ok(tally)
}

impl Script {
    /// Runs one directive; true when it was an assertion, which passed then.
    fn directive(&mut self, directive: WastDirective<'_>) -> Outcome<bool> {
        match directive {
            WastDirective::Module(mut module) => {
                let name = module.name().map(|id| id.name().to_owned());
                let instance = match encode(&mut module).and_then(|wasm| self.instantiate(&wasm)) {
                    Ok(instance) => Ok(instance),
                    Err(Failure::Skipped(reason)) => Err(reason),
                    Err(failure) => {
                        self.current = Some(Err("its module failed".into()));
                        return Err(failure);
                    }
                };
                if let Some(name) = name {
                    self.named.insert(name, instance.clone());
                }
                self.current = Some(instance);
                Ok(false)
            }
            WastDirective::Register { name, module, .. } => {
                let instance = self.instance(module)?;
                self.registered.insert(name.to_owned(), instance);
                Ok(false)
            }
            WastDirective::Invoke(invoke) => {
                self.invoke(&invoke)?.map_or_else(|e| failed(e.to_string()), |_| Ok(false))
            }
            WastDirective::AssertReturn { exec, results, .. } => {
                let values = self.run(exec)?;
                let values = values.or_else(|error| failed(error.to_string()))?;
                expect(&values, &results)
            }
            WastDirective::AssertTrap { exec, message, .. } => {
                expect_trap(self.run(exec)?, message)
            }
            WastDirective::AssertExhaustion { call, message, .. } => {
                expect_trap(self.invoke(&call)?, message)
            }
            WastDirective::AssertMalformed { mut module, message, .. }
            | WastDirective::AssertInvalid { mut module, message, .. } => {
                let Ok(wasm) = module.encode() else { return Ok(true) };
                match compile_image(&wasm, &options()) {
                    Ok(_) => failed(format!("accepted a module that is refused with: {message}")),
                    Err(_) => Ok(true),
                }
            }
            WastDirective::AssertUnlinkable { mut module, message, .. } => {
                let wasm = module.encode().or_else(|e| failed(e.to_string()))?;
                match self.instantiate(&wasm) {
                    Err(Failure::Skipped(reason)) => Err(Failure::Skipped(reason)),
                    Err(Failure::Failed(_)) => Ok(true),
                    Ok(_) => failed(format!("linked a module that is refused with: {message}")),
                }
            }
            _ => Err(Failure::Skipped("a directive of a later version".into())),
        }
    }

    fn run(
        &mut self,
        exec: WastExecute<'_>,
    ) -> Outcome<std::result::Result<Vec<Value>, CallError>> {
        match exec {
            WastExecute::Invoke(invoke) => self.invoke(&invoke),
            WastExecute::Get { module, global, .. } => {
                let instance = self.instance(module)?;
                let value = instance.lock().expect("nobody panicked").global_get(global);
                value.map_or_else(|| failed(format!("no global {global}")), |v| Ok(Ok(vec![v])))
            }
            WastExecute::Wat(mut module) => {
                let wasm = module.encode().or_else(|e| failed(e.to_string()))?;
                match self.try_instantiate(&wasm)? {
                    Ok(_) => Ok(Ok(vec![])),
                    Err(InstanceError::Trap(trap)) => Ok(Err(CallError::Trap(trap))),
                    Err(error) => failed(error.to_string()),
                }
            }
        }
    }

    fn instance(&self, name: Option<Id<'_>>) -> Outcome<Shared> {
        let instance = match name {
            Some(name) => self.named.get(name.name()),
            None => self.current.as_ref(),
        };
        match instance {
            Some(Ok(instance)) => Ok(Arc::clone(instance)),
            Some(Err(reason)) => Err(Failure::Skipped(reason.clone())),
            None => failed("no such module"),
        }
    }

    fn invoke(
        &mut self,
        invoke: &WastInvoke<'_>,
    ) -> Outcome<std::result::Result<Vec<Value>, CallError>> {
        let instance = self.instance(invoke.module)?;
        let arguments: Vec<Value> =
            invoke.args.iter().map(argument).collect::<Outcome<Vec<_>>>()?;
        let mut instance = instance.lock().expect("nobody panicked");
        match instance.func(invoke.name) {
            Some(func) => Ok(instance.call_values(&func, &arguments, &mut ())),
            None => failed(format!("no function {}", invoke.name)),
        }
    }

    fn instantiate(&self, wasm: &[u8]) -> Outcome<Shared> {
        let instance = self.try_instantiate(wasm)?.or_else(|e| failed(e.to_string()))?;
        Ok(Arc::new(Mutex::new(instance)))
    }

    /// Compiles, loads and instantiates. The inner error is the instance's own.
    fn try_instantiate(
        &self,
        wasm: &[u8],
    ) -> Outcome<std::result::Result<Instance, InstanceError>> {
        let image = compile_image(wasm, &options()).map_err(|error| match error {
            CompileError::Unsupported { .. } => Failure::Skipped("SIMD".into()),
            error => Failure::Failed(error.to_string()),
        })?;
        let info = lithify_compiler::inspect(wasm, &options())
            .map_err(|error| Failure::Failed(error.to_string()))?;
        let imports = self.imports(&info)?;
        let image = Image::from_bytes(&image, &imports, Trust::SkipHash)
            .map_err(|error| Failure::Failed(error.to_string()))?;
        let stack = InstanceOptions { stack_size: 1 << 20, ..InstanceOptions::default() };
        Ok(Pool::new(&image, &stack).and_then(|pool| pool.instance()))
    }

    /// What a module imports: the functions and constants of `spectest` and of registered modules.
    fn imports(&self, info: &lithify_compiler::ModuleInfo) -> Outcome<Imports> {
        use lithify_compiler::ExternInfo;
        let mut imports = spectest();
        for import in &info.imports {
            let Some(instance) = self.registered.get(&import.module) else {
                if matches!(import.ty, ExternInfo::Memory | ExternInfo::Table)
                    && import.module != "spectest"
                {
                    return failed("unknown import");
                }
                continue;
            };
            let guard = instance.lock().expect("nobody panicked");
            match &import.ty {
                ExternInfo::Func(_) => {
                    let Some(func) = guard.func(&import.name) else { continue };
                    let ty = guard.func_type(&func).clone();
                    drop(guard);
                    let target = Arc::clone(instance);
                    let call = move |_: &mut Caller<'_>, slots: &mut [u128]| {
                        let mut instance =
                            target.try_lock().map_err(|_| HostError("a call back".into()))?;
                        let mut inner = slots.to_vec();
                        inner.resize(func.slots().max(slots.len()), 0);
                        instance
                            .call(&func, &mut inner, &mut ())
                            .map_err(|trap| HostError(trap.code.message().into()))?;
                        slots.copy_from_slice(&inner[..slots.len()]);
                        Ok(())
                    };
                    imports.func(&import.module, &import.name, ty, call);
                }
                ExternInfo::Global(ty, false)
                    if !matches!(ty, ValType::FuncRef | ValType::ExternRef) =>
                {
                    if let Some(value) = guard.global_get(&import.name) {
                        let (ty, bits) = (value.ty(), value.to_bits());
                        imports.global(&import.module, &import.name, ty, false, bits);
                    }
                }
                _ => return Err(Failure::Skipped("instances share nothing".into())),
            }
        }
        Ok(imports)
    }
}

/// The profile of the scripts.
fn options() -> Options {
    Options {
        target: source::host_target(),
        profile: Some(Profile::General),
        jobs: 1,
        ..Options::default()
    }
}

fn encode(module: &mut QuoteWat<'_>) -> Outcome<Vec<u8>> {
    if let QuoteWat::Wat(Wat::Component(_)) | QuoteWat::QuoteComponent(..) = module {
        return Err(Failure::Skipped("components".into()));
    }
    module.encode().or_else(|error| failed(error.to_string()))
}

/// The host module that the scripts expect.
fn spectest() -> Imports {
    use ValType::{F32, F64, I32, I64};
    let mut imports = Imports::new();
    for (name, params) in [
        ("print", &[][..]),
        ("print_i32", &[I32]),
        ("print_i64", &[I64]),
        ("print_f32", &[F32]),
        ("print_f64", &[F64]),
        ("print_i32_f32", &[I32, F32]),
        ("print_f64_f64", &[F64, F64]),
    ] {
        imports.func("spectest", name, FuncType::new(params, &[]), |_, _| Ok(()));
    }
    imports.global("spectest", "global_i32", I32, false, 666);
    imports.global("spectest", "global_i64", I64, false, 666);
    imports.global("spectest", "global_f32", F32, false, u128::from(666.6f32.to_bits()));
    imports.global("spectest", "global_f64", F64, false, u128::from(666.6f64.to_bits()));
    imports
}

/// References of the host are numbered from 1: 0 is null.
fn extern_bits(number: u32) -> u64 {
    u64::from(number) + 1
}

fn argument(argument: &WastArg<'_>) -> Outcome<Value> {
    let WastArg::Core(argument) = argument else {
        return Err(Failure::Skipped("components".into()));
    };
    Ok(match argument {
        WastArgCore::I32(value) => Value::I32(*value),
        WastArgCore::I64(value) => Value::I64(*value),
        WastArgCore::F32(value) => Value::from_bits(ValType::F32, u128::from(value.bits)),
        WastArgCore::F64(value) => Value::from_bits(ValType::F64, u128::from(value.bits)),
        WastArgCore::RefNull(heap) => {
            let text = format!("{heap:?}");
            let ty = if text.contains("Extern") { ValType::ExternRef } else { ValType::FuncRef };
            Value::from_bits(ty, 0)
        }
        WastArgCore::RefExtern(number) => {
            Value::from_bits(ValType::ExternRef, extern_bits(*number).into())
        }
        WastArgCore::V128(_) => return Err(Failure::Skipped("SIMD".into())),
        WastArgCore::RefHost(_) => return Err(Failure::Skipped("a later version".into())),
    })
}

fn expect(values: &[Value], results: &[WastRet<'_>]) -> Outcome<bool> {
    if values.len() != results.len() {
        return failed(format!("{} results, not {}", values.len(), results.len()));
    }
    for (value, result) in values.iter().zip(results) {
        let WastRet::Core(result) = result else {
            return Err(Failure::Skipped("components".into()));
        };
        if !matches(*value, result)? {
            return failed(format!("result {value:?}, not {result:?}"));
        }
    }
    Ok(true)
}

fn matches(value: Value, result: &WastRetCore<'_>) -> Outcome<bool> {
    const QUIET_32: u32 = 0x7fc0_0000;
    const QUIET_64: u64 = 0x7ff8_0000_0000_0000;
    let bits = value.to_bits();
    let (low, high) = (bits as u32, bits as u64);
    Ok(match result {
        WastRetCore::I32(expected) => value.ty() == ValType::I32 && low == *expected as u32,
        WastRetCore::I64(expected) => value.ty() == ValType::I64 && high == *expected as u64,
        WastRetCore::F32(NanPattern::Value(expected)) => low == expected.bits,
        WastRetCore::F64(NanPattern::Value(expected)) => high == expected.bits,
        WastRetCore::F32(NanPattern::CanonicalNan) => low & 0x7fff_ffff == QUIET_32,
        WastRetCore::F64(NanPattern::CanonicalNan) => high & (u64::MAX >> 1) == QUIET_64,
        WastRetCore::F32(NanPattern::ArithmeticNan) => low & QUIET_32 == QUIET_32,
        WastRetCore::F64(NanPattern::ArithmeticNan) => high & QUIET_64 == QUIET_64,
        WastRetCore::RefNull(_) => high == 0,
        WastRetCore::RefExtern(Some(number)) => high == extern_bits(*number),
        WastRetCore::RefExtern(None) | WastRetCore::RefFunc(_) => high != 0,
        WastRetCore::V128(_) => return Err(Failure::Skipped("SIMD".into())),
        _ => return Err(Failure::Skipped("a later version".into())),
    })
}

fn expect_trap(result: std::result::Result<Vec<Value>, CallError>, message: &str) -> Outcome<bool> {
    match result {
        Ok(values) => failed(format!("returned {values:?}, not the trap: {message}")),
        Err(CallError::Trap(trap)) => {
            let text = match (&trap.code, &trap.message) {
                // The trap of another instance.
                (TrapCode::Host, Some(message)) => message.clone(),
                (code, _) => code.message().into(),
            };
            match message.starts_with(&text) || text.starts_with(message) {
                true => Ok(true),
                false => failed(format!("trap {text:?}, not {message:?}")),
            }
        }
        Err(error) => failed(error.to_string()),
    }
}
