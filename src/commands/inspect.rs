//! `lithify inspect`: what a module, a runtime or an image is.
//!
//! It reads. Nothing of what it is given is compiled, mapped as code or executed: what only a call
//! tells, such as the version of a runtime that embeds none, it says it does not know.

mod beside;
mod calls;
mod toolchain;

use crate::{
    bounds::ReadingOptions,
    output,
    source::{self, Source},
    status::Usage,
};
use anyhow::{Context, Result, bail};
use clap::Args;
use lithify_compiler::{
    FunctionCalls, ModuleInfo, Options, Profile, Survey, Target, inspect, survey,
};
use lithify_polkadot::{Input, RuntimeInput, RuntimeVersion, State, StateVersion, version};
use lithify_runtime::{MemoryType, Metadata, Trust};
use serde_json::{Value, json};
use std::{
    cmp::Reverse,
    path::{Path, PathBuf},
};

/// Says what a module or an image is: version, hash, tools, memory, features, imports, exports.
#[derive(Args)]
#[command(after_help = "\
Nothing is executed, so any file may be looked at. A runtime's version is known when the module
embeds it, in the custom section runtime_version; else the runtime has to be asked:
`lithify run RUNTIME Core_version --output json`.

Examples:
  lithify inspect westend.json
  lithify inspect westend.json --short
  lithify inspect old.wasm new.wasm --functions
  lithify inspect westend.json --state-root
  lithify inspect westend.so --functions
  lithify inspect program.wasm --allocations
  lithify inspect program.wasm --calls=_start --dot
  lithify inspect runtime.wasm --json")]
pub struct Inspect {
    /// Images, or modules and runtimes in any of their forms; `-` is standard input. Several are shown beside
    /// each other, with what of their lists they do not have in common.
    #[arg(required = true)]
    inputs: Vec<PathBuf>,
    /// Leave out lists, such as imports and exports, and say how many they have.
    #[arg(short, long, conflicts_with = "json")]
    short: bool,
    /// List the functions with their sizes.
    #[arg(long)]
    functions: bool,
    /// Say for each exported function of a module which allocations it reaches by direct calls, and of
    /// which sizes, by the names of allocators.
    #[arg(long)]
    allocations: bool,
    /// Say which functions of a module call which: all, or those that are reached from one.
    #[arg(long, value_name = "FUNCTION", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    calls: Option<String>,
    /// Print the graph of --calls alone, for Graphviz.
    #[arg(long, requires = "calls", conflicts_with = "json")]
    dot: bool,
    /// Build the trie of the state, and show its root.
    #[arg(long)]
    state_root: bool,
    /// Print one JSON object an input instead of text.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    bounds: ReadingOptions,
}

impl Inspect {
    /// Runs the command.
    pub fn execute(self) -> Result<()> {
        if self.inputs.len() > 1 && self.calls.is_some() {
            bail!(Usage("--calls is of one module".into()));
        }
        let all = self.bounds.within(|| {
            self.inputs.iter().map(|input| self.read(input)).collect::<Result<Vec<_>>>()
        })?;
        if self.json {
            return all.into_iter().try_for_each(|(name, facts)| output::json(facts.object(&name)));
        }
        let [(name, facts)] = &all[..] else { return beside::print(&all, self.short) };
        if let Some(graph) = &facts.graph {
            return output::text(graph);
        }
        output::line(name)?;
        facts.facts.iter().try_for_each(|fact| fact.print(self.short))
    }

    fn read(&self, path: &Path) -> Result<(String, Facts)> {
        let Source { name, input } = Source::read(path)?;
        let facts = match &input {
            Input::Image(_) if self.allocations || self.calls.is_some() => {
                bail!(Usage(format!(
                    "{name} is compiled already; --allocations and --calls read the module"
                )))
            }
            Input::Image(bytes) => self.image(path, &name, bytes)?,
            Input::Runtime(runtime) => self.module(path, &name, runtime)?,
        };
        Ok((name, facts))
    }

    fn module(&self, path: &Path, name: &str, runtime: &RuntimeInput) -> Result<Facts> {
        let mut facts = Facts::default();
        let options = Options::default();
        let info = inspect(runtime.wasm(), &options).or_else(|_| {
            let profile = Some(Profile::General);
            inspect(runtime.wasm(), &Options { profile, ..options })
        });
        facts.add("form", json!(runtime.form.to_string()));
        let exports = info.iter().flat_map(|info| &info.exports).map(|export| &*export.name);
        version(&mut facts, path, runtime.version.as_ref(), exports);
        facts.add("code_hash", json!(source::hex(&runtime.code_hash)));
        facts.add("stored_bytes", json!(runtime.code.len()));
        facts.add("wasm_bytes", json!(runtime.wasm().len()));
        if let Some(state) = &runtime.state {
            facts.add("state_keys", json!(state.len()));
            if self.state_root {
                facts.state_root(state, runtime.version.is_some());
            }
        }
        if let Some(block) = &runtime.block {
            facts.add("block", json!(block.header.number));
            facts.add("extrinsics", json!(block.extrinsics.len()));
        }
        facts.survey(&survey(runtime.wasm()).with_context(|| name.to_owned())?);
        match info {
            Ok(info) => facts.wasm(&info),
            Err(error) => facts.add("not_compiled", json!(error.to_string())),
        }
        if self.functions {
            let mut functions = lithify_compiler::functions(runtime.wasm())?;
            functions.sort_by_key(|f| (Reverse(f.body_bytes), f.index));
            let rows =
                functions.iter().map(|f| (f.index, &*f.name, "body_bytes", f.body_bytes as u64));
            facts.functions(rows);
        }
        if self.allocations || self.calls.is_some() {
            let functions = lithify_compiler::calls(runtime.wasm())?;
            self.calls(&functions, &mut facts)?;
        }
        Ok(facts)
    }

    fn calls(&self, functions: &[FunctionCalls], facts: &mut Facts) -> Result<()> {
        if self.allocations && !calls::has_allocator(functions) {
            let words = "unknown: no function has the name of an allocator";
            facts.say("allocations", Value::Null, words.into());
        } else if self.allocations {
            facts.list("allocations", calls::allocations(functions).into_iter());
        }
        if let Some(from) = &self.calls {
            let shown = calls::from(functions, from)?;
            facts.graph = self.dot.then(|| calls::dot(functions, &shown));
            facts.list("calls", calls::lists(functions, &shown).into_iter());
        }
        Ok(())
    }

    fn image(&self, path: &Path, name: &str, bytes: &[u8]) -> Result<Facts> {
        // Read as bytes: it is neither mapped nor bound to anything.
        let metadata = Metadata::parse(bytes, Trust::Verify).with_context(|| name.to_owned())?;
        let sections = (metadata.runtime_version.as_deref(), metadata.runtime_apis.as_deref());
        let mut facts = Facts::default();
        facts.add("form", json!("image"));
        match version::from_sections(sections.0, sections.1) {
            Ok(version) => {
                let exports = metadata.exports.iter().map(|export| &*export.name);
                self::version(&mut facts, path, version.as_ref(), exports);
            }
            Err(error) => facts.no_version(format!("unknown: {error}")),
        }
        facts.add("code_hash", json!(source::hex(&metadata.code_hash)));
        facts.add("bytes", json!(bytes.len()));
        facts.add("sha256", json!(source::sha256(bytes)));
        facts.add("debug_info_bytes", json!(Metadata::debug_info_len(bytes)));
        let target: Option<Target> = metadata.machine.parse().ok();
        let machine = || metadata.machine.clone();
        facts.add("target", json!(target.map_or_else(machine, |target| target.triple().into())));
        facts.add("cpu_features", json!(metadata.cpu_features));
        facts.add("abi_version", json!(metadata.abi_version));
        facts.add("compiler", json!(metadata.compiler));
        facts.add("options", json!(metadata.options));
        facts.add("code_bytes", json!(metadata.text_len));
        facts.add("memory_image_bytes", json!(metadata.memory_image_len));
        if let Some(memory) = metadata.memory {
            facts.memory(memory.min, memory.max, memory.imported);
        }
        facts.add("functions", json!(metadata.functions.len()));
        facts.imports(metadata.imports.iter().map(|i| (&*i.module, &*i.name, i.ty.to_string())));
        facts.exports(metadata.exports.iter().map(|e| (&*e.name, e.ty.to_string())));
        if self.functions {
            let mut functions = metadata.functions;
            functions.sort_by_key(|f| (Reverse(f.code_len), f.index));
            let rows =
                functions.iter().map(|f| (f.index, &*f.name, "code_bytes", f.code_len.into()));
            facts.functions(rows);
        }
        Ok(facts)
    }
}

/// What the module says of its version.
fn version<'e>(
    facts: &mut Facts,
    path: &Path,
    version: Option<&RuntimeVersion>,
    mut exports: impl Iterator<Item = &'e str>,
) {
    match version {
        Some(version) => facts.version(version),
        None if exports.any(|name| name == "Core_version") => {
            let how = source::ask_for_version(path);
            facts.no_version(format!("not embedded; {how}"));
        }
        None => facts.no_version("none: it exports no Core_version, which runtimes do".into()),
    }
}

/// What is known of the thing, in the order in which it is shown.
#[derive(Default)]
struct Facts {
    facts: Vec<Fact>,
    /// A graph that was asked for instead.
    graph: Option<String>,
}

/// One fact: data for a program, words for a person.
struct Fact {
    key: &'static str,
    data: Value,
    words: Words,
}

/// What a version is told as.
const VERSION: [&str; 4] = ["spec_name", "spec_version", "transaction_version", "state_version"];

enum Words {
    /// The words after the key.
    Line(String),
    /// A line for each item.
    List(Vec<String>),
    /// The words after another name than the key.
    Named(&'static str, String),
    /// Nothing: another fact's words say it.
    None,
}

impl Fact {
    fn print(&self, short: bool) -> Result<()> {
        let key = self.key.replace('_', " ");
        match &self.words {
            Words::None => Ok(()),
            Words::Named(name, words) => output::line(format_args!("  {name}: {words}")),
            Words::Line(words) => output::line(format_args!("  {key}: {words}")),
            Words::List(lines) if lines.is_empty() => output::line(format_args!("  {key}: none")),
            Words::List(lines) => {
                output::line(format_args!("  {key}: {}", lines.len()))?;
                let lines = lines.iter().filter(|_| !short);
                lines.into_iter().try_for_each(|line| output::line(format_args!("    {line}")))
            }
        }
    }
}

impl Facts {
    /// A fact whose words are its data.
    fn add(&mut self, key: &'static str, data: Value) {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let words = match &data {
            Value::Array(items) if items.is_empty() => "none".into(),
            Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(" "),
            Value::Null => "none".into(),
            value => text(value),
        };
        self.say(key, data, words);
    }

    fn say(&mut self, key: &'static str, data: Value, words: String) {
        self.facts.push(Fact { key, data, words: Words::Line(words) });
    }

    fn list(&mut self, key: &'static str, items: impl Iterator<Item = (Value, String)>) {
        let (data, lines) = items.unzip();
        self.facts.push(Fact { key, data: Value::Array(data), words: Words::List(lines) });
    }

    fn object(self, name: &str) -> Value {
        let facts = self.facts.into_iter().map(|fact| (fact.key.into(), fact.data));
        Value::Object(std::iter::once(("input".into(), json!(name))).chain(facts).collect())
    }

    /// Says why no version is known.
    fn no_version(&mut self, words: String) {
        let words = std::iter::once(Words::Named("version", words));
        let words = words.chain(std::iter::repeat_with(|| Words::None));
        let facts = VERSION.into_iter().zip(words);
        self.facts.extend(facts.map(|(key, words)| Fact { key, data: Value::Null, words }));
    }

    fn version(&mut self, version: &RuntimeVersion) {
        let values = [
            json!(version.spec_name.to_string()),
            json!(version.spec_version),
            json!(version.transaction_version),
            json!(version.system_version),
        ];
        VERSION.into_iter().zip(values).for_each(|(key, value)| self.add(key, value));
    }

    /// The root of the state: its trie is laid out as the runtime's version says, in one of two ways.
    fn state_root(&mut self, state: &State, is_version_known: bool) {
        let root = |layout| {
            let mut state = state.clone();
            state.set_version(layout);
            source::hex(&state.root())
        };
        if is_version_known {
            return self.add("state_root", json!(source::hex(&state.root())));
        }
        self.say("state_root", Value::Null, "one of two, as the version is not known".into());
        self.add("state_root_v0", json!(root(StateVersion::V0)));
        self.add("state_root_v1", json!(root(StateVersion::V1)));
    }

    /// What the module shows of itself, also one that the compiler refuses.
    fn survey(&mut self, survey: &Survey) {
        let layout = &survey.layout;
        let tools = toolchain::made_by(survey).into_iter();
        self.list("made_by", tools.map(|tool| (json!(tool), tool)));
        if let Some(collector) = toolchain::collector(survey) {
            self.add("collector", json!(collector));
        }
        self.say("stack", stack_data(survey), stack(survey));
        let data = layout.data.as_ref();
        let zeros = layout.data_end.filter(|end| data.is_some_and(|data| *end > data.end));
        let words = data.map(|data| {
            let zeros = zeros.map_or_else(String::new, |end| format!(", zeros up to {end:#x}"));
            format!("{:#x}..{:#x}{zeros}", data.start, data.end)
        });
        self.say(
            "data",
            json!(data.map(|d| json!({"start": d.start, "end": d.end, "zeros_end": zeros}))),
            words.unwrap_or_else(|| "unknown: no active data segment".into()),
        );
        let words = layout.heap_base.map(|base| format!("from {base:#x}, where __heap_base is"));
        self.say(
            "heap",
            json!(layout.heap_base.map(|base| json!({"start": base}))),
            words.unwrap_or_else(|| "unknown: no export __heap_base".into()),
        );
        self.list(
            "features_beyond_mvp",
            survey.features.iter().map(|(feature, first)| {
                let name = |index| survey.names.get(&index).map(String::as_str);
                let place = first.function.map_or_else(String::new, |index| {
                    format!(" in function {index}, {},", name(index).unwrap_or("without a name"))
                });
                let (count, offset) = (first.count, first.offset);
                let data = json!({
                    "name": feature,
                    "count": count,
                    "function": first.function,
                    "function_name": first.function.and_then(name),
                    "offset": offset,
                });
                (data, format!("{feature}: {count} times, first{place} at {offset:#x}"))
            }),
        );
    }

    fn memory(&mut self, min: u32, max: Option<u32>, imported: bool) {
        self.add("memory_pages", json!(min));
        self.add("memory_max_pages", json!(max));
        self.add("memory_imported", json!(imported));
    }

    fn wasm(&mut self, info: &ModuleInfo) {
        self.add("profile", json!(info.profile.to_string()));
        if let Some(MemoryType { min, max, imported }) = info.memory {
            self.memory(min, max, imported);
        }
        self.add("functions", json!(info.functions));
        self.add("named_functions", json!(info.names));
        self.add("code_bytes", json!(info.code_bytes));
        self.add("largest_body_bytes", json!(info.largest_body.0));
        self.add("data_bytes", json!(info.data_bytes));
        self.add("table_elements", json!(info.tables.1));
        self.add("globals", json!(info.globals));
        self.add("start_function", json!(info.start));
        self.imports(info.imports.iter().map(|i| (&*i.module, &*i.name, i.ty.to_string())));
        self.exports(info.exports.iter().map(|e| (&*e.name, e.ty.to_string())));
    }

    fn imports<'i>(&mut self, imports: impl Iterator<Item = (&'i str, &'i str, String)>) {
        let item = |(module, name, ty): (&str, &str, String)| {
            (json!({"module": module, "name": name, "type": ty}), format!("{module}.{name}: {ty}"))
        };
        self.list("imports", imports.map(item));
    }

    fn exports<'e>(&mut self, exports: impl Iterator<Item = (&'e str, String)>) {
        let item = |(name, ty): (&str, String)| {
            (json!({"name": name, "type": ty}), format!("{name}: {ty}"))
        };
        self.list("exports", exports.map(item));
    }

    /// Functions, each with its index, name and size.
    fn functions<'f>(&mut self, rows: impl Iterator<Item = (u32, &'f str, &'static str, u64)>) {
        let item = |(index, name, what, bytes): (u32, &str, &str, u64)| {
            let shown = if name.is_empty() { "-" } else { name };
            let data = json!({"index": index, "name": name, what: bytes});
            (data, format!("{bytes:>8} B  {index:>6}  {shown}"))
        };
        self.list("functions_by_size", rows.map(item));
    }
}

/// Where the stack is, as far as the conventions of LLVM's linker tell.
fn stack(survey: &Survey) -> String {
    let layout = &survey.layout;
    let Some((global, top)) = layout.stack_pointer else {
        return "unknown: no mutable global of type i32 with a constant value".into();
    };
    let by = if layout.stack_pointer_is_named { "__stack_pointer" } else { "by its place" };
    let which = format!("global {global}, {by}");
    if top == 0 {
        return format!("unknown: {which}, is set at run time");
    }
    let Some(stack) = layout.stack() else {
        return format!("unknown: {which}, begins as {top:#x}, which is no end of the data");
    };
    let place = match layout.is_stack_first() {
        Some(true) => "below the data",
        _ => "above the data",
    };
    let (lower, raise) = layout.moves;
    let way = match (lower, raise) {
        (0, 0) => "no function moves it at its start".into(),
        _ if lower >= raise => format!("grows down, as {lower} functions lower it at their start"),
        _ => format!("grows up, as {raise} functions raise it at their start"),
    };
    format!("{:#x}..{:#x}, {place}; {way} ({which})", stack.start, stack.end)
}

/// The same facts as data; null where there is no stack pointer.
fn stack_data(survey: &Survey) -> Value {
    let layout = &survey.layout;
    let Some((global, top)) = layout.stack_pointer else { return Value::Null };
    let stack = layout.stack().filter(|_| top != 0);
    json!({
        "global": global,
        "is_named": layout.stack_pointer_is_named,
        "start": stack.as_ref().map(|stack| stack.start),
        "end": stack.as_ref().map(|stack| stack.end),
        "is_below_data": layout.is_stack_first(),
        "functions_lowering": layout.moves.0,
        "functions_raising": layout.moves.1,
    })
}
