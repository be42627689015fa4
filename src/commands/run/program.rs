//! `lithify run PROGRAM -- ARGS`: a program of WASI, and any exported function by name.

use super::{Form, Run, print_time, waiting::Waiting};
use crate::{output, source::Source, status::Usage};
use anyhow::{Context, Result, anyhow, bail, ensure};
use clap::Args;
use lithify_compiler::inspect;
use lithify_polkadot::Input;
use lithify_runtime::{
    CallError, CallOptions, ExternType, FuncType, Guest, Instance, MemoryPlan, Metadata, Pool,
    Trust, ValType, Value,
};
use lithify_wasi::{Program, START, imports};
use serde_json::json;
use std::{
    path::{Path, PathBuf},
    time::Instant,
};

/// What a reactor of WASI exports to be called before anything else.
const INITIALIZE: &str = "_initialize";

/// What a program gets.
#[derive(Args)]
#[command(next_help_heading = "Programs (WASI preview 1)")]
pub struct ProgramOptions {
    /// Call this exported function with the numbers behind `--`, and print its results, one a line.
    #[arg(long, value_name = "EXPORT", conflicts_with_all = ["entry", "input_bytes", "profile", "state", "initialize", "signature_threads", "pvf"])]
    invoke: Option<String>,
    /// Print the text that the result of --invoke is the address of, up to its zero byte.
    #[arg(long, requires = "invoke")]
    read_string: bool,
    /// A directory that the program may use with all that is in it, and its name there. Programs by
    /// Go want an absolute one: .::/
    #[arg(long = "dir", value_name = "HOST[::GUEST]")]
    directories: Vec<String>,
    /// A variable of the program's environment; without a value, with the one it has here.
    #[arg(long = "env", value_name = "NAME[=VALUE]")]
    variables: Vec<String>,
    /// The program's arguments.
    #[arg(last = true, value_name = "ARGS")]
    arguments: Vec<String>,
}

impl ProgramOptions {
    /// Whether they only make sense for a program.
    fn are_given(&self) -> bool {
        let lists = [&self.directories, &self.variables, &self.arguments];
        self.invoke.is_some() || lists.iter().any(|list| !list.is_empty())
    }
}

impl Run {
    /// Whether the input is to be run as a program: a function is asked for by name, or no entry
    /// point is and the module has a [`START`]. What is not read is an image with an entry point.
    pub(super) fn is_program(&self, source: Option<&Source>) -> Result<bool> {
        if self.program.invoke.is_some() {
            let word = "--profile-functions and --flame are for entry points of runtimes";
            ensure!(!self.is_profiled(), Usage(word.into()));
            return Ok(true);
        }
        let of_runtimes = self.entry.is_some()
            || self.initialize.is_some()
            || self.state.is_some()
            || self.signature_threads > 0
            || self.is_profiled()
            || self.json;
        if of_runtimes {
            let word = "ENTRY and the options of calls and blocks are for runtimes, and --dir, --env \
                        and ARGS for programs";
            ensure!(!self.program.are_given(), Usage(word.into()));
            return Ok(false);
        }
        let Some(source) = source else { return Ok(false) };
        let found = match &source.input {
            Input::Runtime(runtime) if runtime.state.is_some() => false,
            Input::Runtime(runtime) => {
                let code = self.code.options(runtime, crate::source::host_target())?;
                // What is no module is refused where modules are compiled.
                let Ok(info) = inspect(runtime.wasm(), &code) else { return Ok(false) };
                let exports = info.exports.into_iter().map(|export| (export.name, export.ty));
                starts(exports, info.imports.iter().map(|import| &*import.module))
            }
            Input::Image(bytes) => {
                let Ok(image) = Metadata::parse(bytes, Trust::Verify) else { return Ok(false) };
                let exports = image.exports.into_iter().map(|export| (export.name, export.ty));
                starts(exports, image.imports.iter().map(|import| &*import.module))
            }
        };
        if !found && self.program.are_given() {
            let name = &source.name;
            bail!(Usage(format!(
                "{name} is no program, as it exports no function {START} of type () -> () or imports \
                 from a chain's host: --dir, --env and ARGS are for programs, and --invoke calls any \
                 other function"
            )));
        }
        Ok(found)
    }

    /// Runs the program, or the function that was asked for. The exit status is the program's.
    pub(super) fn run_program(&self, source: Source) -> Result<()> {
        let (name, image) = self.image(Some(source))?;
        let mut imports = imports();
        imports.trap_missing(self.trap_missing);
        let image = image
            .open(&imports)
            .map_err(|error| self.refused(error.into()).context(name.clone()))?;
        let pool = Pool::new(&image, &self.instances(|| Ok(MemoryPlan::Module))?)?;
        let deadline = self.bounds.call_timeout().map(|timeout| Instant::now() + timeout);
        let call = deadline.map_or_else(CallOptions::default, CallOptions::until);
        let mut wasi = self.start(&name)?.start()?;
        let _waiting = Waiting::at_most(self.bounds.call_timeout());
        let started = Instant::now();
        let mut instance = pool.instance_with(call)?;
        let status = match &self.program.invoke {
            None => wasi.run(&mut instance, call)?,
            Some(export) => {
                let (func, values) = self.function(&name, &instance, export)?;
                if self.program.read_string {
                    let ty = instance.func_type(&func);
                    let word = "--read-string is for a function that returns an address, one i32";
                    ensure!(
                        *ty.results == [ValType::I32],
                        Usage(format!("{export} is a func {ty}; {word}"))
                    );
                }
                // Of WASI's reactors, whoever made them.
                if export != INITIALIZE
                    && let Some(initialize) = instance.func(INITIALIZE)
                    && *instance.func_type(&initialize) == FuncType::new(&[], &[])
                {
                    let done = instance.call_with(&initialize, &mut [], &mut wasi, call);
                    if let Some(status) = wasi.ended(done)? {
                        self.print_results(export, Err(status), &mut instance)?;
                        return exit(status);
                    }
                }
                let done = match instance.call_values_with(&func, &values, &mut wasi, call) {
                    Ok(values) => Ok(values),
                    Err(CallError::Trap(trap)) => Err(wasi.ended(Err(trap))?.unwrap_or(0)),
                    Err(error) => return Err(error.into()),
                };
                let status = done.as_ref().err().copied().unwrap_or(0);
                self.print_results(export, done, &mut instance)?;
                status
            }
        };
        if self.time {
            print_time("call", started);
        }
        exit(status)
    }

    /// Prints the results of a function, or for programs the status with which it ended instead.
    fn print_results(
        &self,
        function: &str,
        done: Result<Vec<Value>, i32>,
        instance: &mut Instance,
    ) -> Result<()> {
        let string = match done.as_deref() {
            Ok(&[Value::I32(address)]) if self.program.read_string => {
                let address = address as u32;
                Some(string(instance.memory(), address).with_context(|| {
                    let len = instance.memory().len();
                    format!("{function} returns {address}: no zero byte follows in {len} of memory")
                })?)
            }
            _ => None,
        };
        if self.form() == Form::Json {
            let result =
                |value: Value| json!({"type": value.ty().to_string(), "value": text(value)});
            let exited = done.as_ref().err().copied();
            let results = done.ok().map(|all| all.into_iter().map(result).collect::<Vec<_>>());
            let mut report = json!({"function": function, "results": results, "exited": exited});
            if let Some(string) = string {
                report["string"] = json!(String::from_utf8_lossy(&string));
            }
            return output::json(report);
        }
        match string {
            Some(string) => output::asked(String::from_utf8_lossy(&string).into_owned()),
            None => done
                .unwrap_or_default()
                .into_iter()
                .try_for_each(|value| output::asked(text(value))),
        }
    }

    /// What the program begins with.
    fn start(&self, name: &str) -> Result<Program> {
        let file = Path::new(name).file_name().map_or(name.into(), |file| file.to_string_lossy());
        let mut program = Program::new(&file);
        for argument in &self.program.arguments {
            program.argument(argument);
        }
        for variable in &self.program.variables {
            match variable.split_once('=') {
                Some((name, value)) => program.variable(name, value),
                None => {
                    let value = std::env::var(variable)
                        .map_err(|_| Usage(format!("--env: there is no {variable} here")))?;
                    program.variable(variable, &value)
                }
            };
        }
        for directory in &self.program.directories {
            let (host, guest) = directory.split_once("::").unwrap_or((directory, directory));
            program.directory(&PathBuf::from(host), guest);
        }
        Ok(program)
    }

    /// The exported function, and its arguments.
    fn function(
        &self,
        name: &str,
        instance: &Instance,
        export: &str,
    ) -> Result<(lithify_runtime::Func, Vec<Value>)> {
        let func = instance.func(export).with_context(|| {
            let exports = instance.metadata().exports;
            let names: Vec<_> = (exports.into_iter())
                .filter(|export| matches!(export.ty, ExternType::Func(_)))
                .map(|export| export.name)
                .collect();
            match &names[..] {
                [] => format!("{name} exports no function"),
                names => {
                    format!("{name} exports no function {export}; there are {}", names.join(", "))
                }
            }
        })?;
        let ty = instance.func_type(&func).clone();
        let (given, wanted) = (self.program.arguments.len(), ty.params.len());
        if given != wanted {
            bail!(Usage(format!(
                "{export} is a func {ty}: it takes {wanted} numbers, not {given}"
            )));
        }
        let values = ty.params.iter().zip(&self.program.arguments);
        let values = values.map(|(ty, text)| {
            value(*ty, text).ok_or_else(|| anyhow!(Usage(format!("{text:?} is no {ty}"))))
        });
        Ok((func, values.collect::<Result<_>>()?))
    }
}

/// Whether a module is a program: it exports [`START`], and imports nothing from a chain's host.
fn starts<'i>(
    mut exports: impl Iterator<Item = (String, ExternType)>,
    mut imports: impl Iterator<Item = &'i str>,
) -> bool {
    let start = ExternType::Func(FuncType::new(&[], &[]));
    exports.any(|(name, ty)| name == START && ty == start) && imports.all(|module| module != "env")
}

/// The bytes at `address`, up to a zero byte; none where there is none.
fn string(memory: &[u8], address: u32) -> Option<Vec<u8>> {
    let bytes = memory.get(address as usize..)?;
    let len = bytes.iter().position(|byte| *byte == 0)?;
    Some(bytes[..len].to_vec())
}

/// The exit status of a program, of which the system keeps eight bits.
fn exit(status: i32) -> Result<()> {
    match status as u8 {
        0 => Ok(()),
        status => Err(crate::status::Exit(status).into()),
    }
}

/// A number of type `ty`: decimal, signed or not, or hex with `0x`.
fn value(ty: ValType, text: &str) -> Option<Value> {
    let integer = || -> Option<i128> {
        let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
        let value = match digits.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16).ok()?,
            None => digits.parse().ok()?,
        };
        Some(sign * i128::from(value))
    };
    Some(match ty {
        ValType::I32 => {
            let value = integer()?;
            Value::I32(
                i32::try_from(value).ok().or_else(|| Some(u32::try_from(value).ok()? as i32))?,
            )
        }
        ValType::I64 => {
            let value = integer()?;
            Value::I64(
                i64::try_from(value).ok().or_else(|| Some(u64::try_from(value).ok()? as i64))?,
            )
        }
        ValType::F32 => Value::F32(text.parse().ok()?),
        ValType::F64 => Value::F64(text.parse().ok()?),
        _ => return None,
    })
}

/// A result, as people write it.
fn text(value: Value) -> String {
    match value {
        Value::I32(value) => value.to_string(),
        Value::I64(value) => value.to_string(),
        Value::F32(value) => value.to_string(),
        Value::F64(value) => value.to_string(),
        Value::V128(value) => format!("{value:#034x}"),
        Value::FuncRef(0) | Value::ExternRef(0) => "null".into(),
        Value::FuncRef(_) => "a function".into(),
        Value::ExternRef(_) => "a reference of the host's".into(),
    }
}
