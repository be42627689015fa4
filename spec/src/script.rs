//! A script, directive by directive.

use crate::{
    Compile, Refusal, Tally,
    link::{LinkError, Linked, Live, Registered},
    value,
};
use lithify_runtime::{
    CallError, Image, InstanceError, InstanceOptions, Metadata, Pool, Trap, TrapCode, Trust, Value,
};
use std::{collections::HashMap, sync::Arc};
use wast::{
    QuoteWat, Wast, WastDirective, WastExecute, WastInvoke, WastRet, Wat,
    parser::{self, ParseBuffer},
    token::Id,
};

/// Runs a script.
///
/// # Errors
///
/// When the text is not a script.
pub fn run(text: &str, compile: &mut Compile<'_>) -> Result<Tally, wast::Error> {
    let mut tally = Tally::default();
    with_directives(text, |directives| {
        let mut script = Script {
            compile,
            text: 0,
            current: None,
            named: HashMap::new(),
            registered: HashMap::new(),
        };
        for directive in directives {
            let span = directive.span();
            let counts = is_assertion(&directive);
            match script.directive(directive) {
                Ok(()) => tally.passed += u32::from(counts),
                Err(Stop::Failed(message)) => {
                    let (line, _) = span.linecol_in(text);
                    tally.failed.push(format!("line {}: {message}", line + 1));
                }
                Err(Stop::Skipped(reason)) if counts => {
                    *tally.skipped.entry(reason).or_default() += 1;
                }
                Err(Stop::Skipped(_)) => {}
            }
        }
        tally.text = script.text;
    })?;
    Ok(tally)
}

/// The modules of a script that [`run`] asks images of, in their order.
///
/// # Errors
///
/// When the text is not a script.
pub fn modules(text: &str) -> Result<Vec<Vec<u8>>, wast::Error> {
    let mut modules = vec![];
    with_directives(text, |directives| {
        for directive in directives {
            let encoded = match directive {
                WastDirective::Module(mut module)
                | WastDirective::AssertMalformed { mut module, .. }
                | WastDirective::AssertInvalid { mut module, .. } => module.encode(),
                WastDirective::AssertUnlinkable { mut module, .. }
                | WastDirective::AssertTrap { exec: WastExecute::Wat(mut module), .. }
                | WastDirective::AssertReturn { exec: WastExecute::Wat(mut module), .. } => {
                    module.encode()
                }
                _ => continue,
            };
            modules.extend(encoded.ok());
        }
    })?;
    Ok(modules)
}

fn with_directives(
    text: &str,
    use_them: impl FnOnce(Vec<WastDirective<'_>>),
) -> Result<(), wast::Error> {
    let mut lexer = wast::lexer::Lexer::new(text);
    lexer.allow_confusing_unicode(true);
    let buffer = ParseBuffer::new_with_lexer(lexer)?;
    let script: Wast<'_> = parser::parse(&buffer)?;
    use_them(script.directives);
    Ok(())
}

/// Modules, registrations and bare calls are what assertions are about.
fn is_assertion(directive: &WastDirective<'_>) -> bool {
    !matches!(
        directive,
        WastDirective::Module(_) | WastDirective::Register { .. } | WastDirective::Invoke(_)
    )
}

/// Why a directive was not done.
enum Stop {
    Failed(String),
    Skipped(String),
}

type Outcome<T = ()> = Result<T, Stop>;

fn failed<T>(message: impl Into<String>) -> Outcome<T> {
    Err(Stop::Failed(message.into()))
}

fn skipped<T>(reason: &str) -> Outcome<T> {
    Err(Stop::Skipped(reason.into()))
}

const LATER: &str = "of a later version than 2";

/// The state of a running script.
struct Script<'c, 'd> {
    compile: &'c mut Compile<'d>,
    /// Refusals by the parser of the text.
    text: u32,
    /// The latest module, or why there is none.
    current: Option<Result<Arc<Live>, String>>,
    named: Registered,
    registered: Registered,
}

/// What a call or an instantiation came to.
type Returned = Result<Vec<Value>, CallError>;

impl Script<'_, '_> {
    fn directive(&mut self, directive: WastDirective<'_>) -> Outcome {
        match directive {
            WastDirective::Module(module) => self.module(module),
            WastDirective::Register { name, module, .. } => {
                let instance = match module {
                    Some(module) => self.named.get(module.name()),
                    None => self.current.as_ref(),
                };
                let Some(instance) = instance.cloned() else { return failed("no such module") };
                self.registered.insert(name.to_owned(), instance);
                Ok(())
            }
            WastDirective::Invoke(invoke) => match self.invoke(&invoke)? {
                Ok(_) => Ok(()),
                Err(error) => failed(error.to_string()),
            },
            WastDirective::AssertReturn { exec, results, .. } => match self.execute(exec)? {
                Ok(values) => expect(&values, &results),
                Err(error) => failed(error.to_string()),
            },
            WastDirective::AssertTrap { exec, message, .. } => {
                expect_trap(self.execute(exec)?, message)
            }
            WastDirective::AssertExhaustion { call, message, .. } => {
                expect_trap(self.invoke(&call)?, message)
            }
            WastDirective::AssertMalformed { module, message, .. }
            | WastDirective::AssertInvalid { module, message, .. } => self.refused(module, message),
            WastDirective::AssertUnlinkable { module, message, .. } => {
                let wasm = encode(QuoteWat::Wat(module))?;
                match self.instantiate(&wasm)? {
                    Err(Unusable::Unlinkable(_)) => Ok(()),
                    Err(Unusable::Trap(trap)) => failed(trap.to_string()),
                    Ok(_) => failed(format!("linked a module that is refused with: {message}")),
                }
            }
            _ => skipped(LATER),
        }
    }

    fn module(&mut self, module: QuoteWat<'_>) -> Outcome {
        let name = module.name().map(|id| id.name().to_owned());
        let made = encode(module).and_then(|wasm| self.instantiate(&wasm));
        let (instance, outcome) = match made {
            Ok(Ok(instance)) => (Ok(instance), Ok(())),
            Ok(Err(error)) => (Err("its module failed".into()), failed(error.to_string())),
            Err(Stop::Skipped(reason)) => (Err(reason.clone()), skipped(&reason)),
            Err(stop) => (Err("its module failed".into()), Err(stop)),
        };
        if let Some(name) = name {
            self.named.insert(name, instance.clone());
        }
        self.current = Some(instance);
        outcome
    }

    /// Asserts that a module is malformed or invalid.
    fn refused(&mut self, mut module: QuoteWat<'_>, message: &str) -> Outcome {
        let Ok(wasm) = module.encode() else {
            self.text += 1;
            return Ok(());
        };
        match (self.compile)(&wasm) {
            Err(Refusal::Invalid(_)) => Ok(()),
            Err(other) => failed(format!("{other}, not: {message}")),
            Ok(_) => failed(format!("accepted a module that is refused with: {message}")),
        }
    }

    fn execute(&mut self, exec: WastExecute<'_>) -> Outcome<Returned> {
        match exec {
            WastExecute::Invoke(invoke) => self.invoke(&invoke),
            WastExecute::Get { module, global, .. } => {
                match self.instance(module)?.lock().global_get(global) {
                    Some(value) => Ok(Ok(vec![value])),
                    None => failed(format!("no global {global}")),
                }
            }
            WastExecute::Wat(module) => {
                let wasm = encode(QuoteWat::Wat(module))?;
                match self.instantiate(&wasm)? {
                    Ok(_) => Ok(Ok(vec![])),
                    Err(Unusable::Trap(trap)) => Ok(Err(CallError::Trap(trap))),
                    Err(error) => failed(error.to_string()),
                }
            }
        }
    }

    /// The instance that an assertion is about, if its state is known.
    fn instance(&self, name: Option<Id<'_>>) -> Outcome<Arc<Live>> {
        let instance = match name {
            Some(name) => self.named.get(name.name()),
            None => self.current.as_ref(),
        };
        match instance {
            Some(Ok(instance)) => match instance.unknown() {
                Some(reason) => skipped(reason),
                None => Ok(Arc::clone(instance)),
            },
            Some(Err(reason)) => skipped(reason),
            None => failed("no such module"),
        }
    }

    fn invoke(&mut self, invoke: &WastInvoke<'_>) -> Outcome<Returned> {
        let instance = self.instance(invoke.module)?;
        let arguments: Option<Vec<Value>> = invoke.args.iter().map(value::argument).collect();
        let Some(arguments) = arguments else { return skipped(LATER) };
        let mut instance = instance.lock();
        match instance.func(invoke.name) {
            Some(func) => Ok(instance.call_values(&func, &arguments, &mut ())),
            None => failed(format!("no function {}", invoke.name)),
        }
    }

    /// Compiles, loads and instantiates.
    fn instantiate(&mut self, wasm: &[u8]) -> Outcome<Result<Arc<Live>, Unusable>> {
        let image = match (self.compile)(wasm) {
            Ok(image) => image,
            Err(refusal) => return failed(refusal.to_string()),
        };
        let metadata = match Metadata::parse(&image, Trust::SkipHash) {
            Ok(metadata) => metadata,
            Err(error) => return failed(error.to_string()),
        };
        let linked = match Linked::new(&metadata, &self.registered) {
            Ok(linked) => linked,
            Err(LinkError::Unknown(message)) => return Ok(Err(Unusable::Unlinkable(message))),
            Err(LinkError::Missing(reason)) => return skipped(&reason),
        };
        let image = match Image::from_bytes(&image, &linked.imports, Trust::Verify) {
            Ok(image) => image,
            Err(error) => return Ok(Err(Unusable::Unlinkable(error.to_string()))),
        };
        if let Some(reason) = linked.skip() {
            return skipped(reason);
        }
        let options = InstanceOptions { stack_size: 1 << 20, ..InstanceOptions::default() };
        match Pool::new(&image, &options).and_then(|pool| pool.instance()) {
            Ok(instance) => Ok(Ok(Live::new(instance, linked.from))),
            Err(InstanceError::Trap(trap)) => Ok(Err(Unusable::Trap(trap))),
            Err(error) => failed(error.to_string()),
        }
    }
}

/// Why a valid module has no instance.
#[derive(Debug)]
enum Unusable {
    Unlinkable(String),
    Trap(Trap),
}

impl std::fmt::Display for Unusable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unlinkable(message) => f.write_str(message),
            Self::Trap(trap) => trap.fmt(f),
        }
    }
}

fn encode(mut module: QuoteWat<'_>) -> Outcome<Vec<u8>> {
    if let QuoteWat::Wat(Wat::Component(_)) | QuoteWat::QuoteComponent(..) = module {
        return skipped(LATER);
    }
    module.encode().or_else(|error| failed(error.to_string()))
}

fn expect(values: &[Value], results: &[WastRet<'_>]) -> Outcome {
    if values.len() != results.len() {
        return failed(format!("{} results, not {}", values.len(), results.len()));
    }
    for (value, result) in values.iter().zip(results) {
        match value::matches(*value, result) {
            Some(true) => {}
            Some(false) => return failed(format!("result {value:?}, not {result:?}")),
            None => return skipped(LATER),
        }
    }
    Ok(())
}

fn expect_trap(result: Returned, message: &str) -> Outcome {
    let trap = match result {
        Ok(values) => return failed(format!("returned {values:?}, not the trap: {message}")),
        Err(CallError::Trap(trap)) => trap,
        Err(error) => return failed(error.to_string()),
    };
    let text = match (&trap.code, &trap.message) {
        // The trap of another instance.
        (TrapCode::Host, Some(message)) => message,
        (code, _) => code.message(),
    };
    if message.starts_with(text) || text.starts_with(message) {
        Ok(())
    } else {
        failed(format!("trap {text:?}, not {message:?}"))
    }
}
