//! `lithify inspect`: what a module, a runtime or an image is.
//!
//! It reads. Nothing of what it is given is compiled, mapped as code or executed: what only a call
//! tells, such as the version of a runtime that embeds none, it says it does not know.

mod toolchain;

use crate::{
    output,
    source::{self, Source},
};
use anyhow::{Context, Result};
use clap::Args;
use lithify_compiler::{ModuleInfo, Options, Profile, Survey, inspect, survey};
use lithify_polkadot::{Input, RuntimeInput, RuntimeVersion, version};
use lithify_runtime::{Metadata, Trust};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Says what a module or an image is: version, hash, tools, memory, features, imports, exports.
#[derive(Args)]
#[command(after_help = "\
Nothing is executed, so any file may be looked at. A runtime's version is known when the module
embeds it, in the custom section runtime_version; else the runtime has to be asked:
`lithify run RUNTIME Core_version --output json`.

Examples:
  lithify inspect westend.json
  lithify inspect westend.json --state-root
  lithify inspect westend.so --functions
  lithify inspect runtime.wasm --json")]
pub struct Inspect {
    /// An image, or a runtime in any of its forms; `-` is standard input.
    input: PathBuf,
    /// List the functions with their sizes.
    #[arg(long)]
    functions: bool,
    /// Build the trie of the state, and show its root.
    #[arg(long)]
    state_root: bool,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

impl Inspect {
    /// Runs the command.
    pub fn execute(self) -> Result<()> {
        let Source { name, input } = Source::read(&self.input)?;
        let facts = match &input {
            Input::Image(bytes) => self.image(&name, bytes)?,
            Input::Runtime(runtime) => self.module(&name, runtime)?,
        };
        if self.json {
            return output::json(Value::Object(facts.0));
        }
        output::line(name)?;
        for (key, value) in &facts.0 {
            print(key, value)?;
        }
        Ok(())
    }

    fn module(&self, name: &str, runtime: &RuntimeInput) -> Result<Facts> {
        let mut facts = Facts::default();
        facts.add("form", json!(runtime.form.to_string()));
        self.version(&mut facts, runtime.version.as_ref());
        facts.add("code_hash", json!(source::hex(&runtime.code_hash)));
        facts.add("stored_bytes", json!(runtime.code.len()));
        facts.add("wasm_bytes", json!(runtime.wasm().len()));
        if let Some(state) = &runtime.state {
            facts.add("state_keys", json!(state.len()));
            if self.state_root {
                // Its encoding depends on the version.
                let root = runtime.version.as_ref().map(|_| source::hex(&state.root()));
                let unknown = || "unknown: it depends on the version of the runtime".into();
                facts.add("state_root", json!(root.unwrap_or_else(unknown)));
            }
        }
        if let Some(block) = &runtime.block {
            facts.add("block", json!(block.header.number));
            facts.add("extrinsics", json!(block.extrinsics.len()));
        }
        facts.survey(&survey(runtime.wasm()).with_context(|| name.to_owned())?);
        let options = Options::default();
        let info = inspect(runtime.wasm(), &options).or_else(|_| {
            let profile = Some(Profile::General);
            inspect(runtime.wasm(), &Options { profile, ..options })
        });
        match info {
            Ok(info) => facts.wasm(&info),
            Err(error) => facts.add("not_compiled", json!(error.to_string())),
        }
        if self.functions {
            facts.add("functions_by_size", json!(functions_of_wasm(runtime.wasm())?));
        }
        Ok(facts)
    }

    /// What the module says of its version.
    fn version(&self, facts: &mut Facts, version: Option<&RuntimeVersion>) {
        match version {
            Some(version) => facts.version(version),
            None => {
                let how = source::ask_for_version(&self.input);
                facts.add("version", json!(format!("not embedded; {how}")));
            }
        }
    }

    fn image(&self, name: &str, bytes: &[u8]) -> Result<Facts> {
        // Read as bytes: it is neither mapped nor bound to anything.
        let metadata = Metadata::parse(bytes, Trust::Verify).with_context(|| name.to_owned())?;
        let sections = (metadata.runtime_version.as_deref(), metadata.runtime_apis.as_deref());
        let mut facts = Facts::default();
        facts.add("form", json!("image"));
        match version::from_sections(sections.0, sections.1) {
            Ok(version) => self.version(&mut facts, version.as_ref()),
            Err(error) => facts.add("version", json!(format!("unknown: {error}"))),
        }
        facts.add("code_hash", json!(source::hex(&metadata.code_hash)));
        facts.add("image_bytes", json!(bytes.len()));
        facts.add("machine", json!(metadata.machine));
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
        let line = |module: &str, name: &str, ty: &dyn std::fmt::Display| {
            json!(format!("{module}{name}: {ty}"))
        };
        let imports = metadata.imports.iter();
        let imports = imports.map(|i| line(&format!("{}.", i.module), &i.name, &i.ty));
        facts.add("imports", imports.collect());
        facts.add("exports", metadata.exports.iter().map(|e| line("", &e.name, &e.ty)).collect());
        if self.functions {
            let mut functions = metadata.functions;
            functions.sort_by_key(|f| (std::cmp::Reverse(f.code_len), f.index));
            let rows = functions.iter().map(|f| {
                let name = if f.name.is_empty() { "-" } else { &f.name };
                json!(format!("{:>8} B  {:>6}  {name}", f.code_len, f.index))
            });
            facts.add("functions_by_size", rows.collect());
        }
        Ok(facts)
    }
}

/// Facts in the order in which they are shown.
#[derive(Default)]
struct Facts(serde_json::Map<String, Value>);

impl Facts {
    fn add(&mut self, key: &str, value: Value) {
        self.0.insert(key.into(), value);
    }

    fn version(&mut self, version: &RuntimeVersion) {
        self.add("spec_name", json!(version.spec_name.to_string()));
        self.add("spec_version", json!(version.spec_version));
        self.add("transaction_version", json!(version.transaction_version));
        self.add("state_version", json!(version.system_version));
    }

    /// What the module shows of itself, also one that the compiler refuses.
    fn survey(&mut self, survey: &Survey) {
        let layout = &survey.layout;
        self.add("made_by", json!(toolchain::made_by(survey)));
        if let Some(collector) = toolchain::collector(survey) {
            self.add("collector", json!(collector));
        }
        let from = |start: u32, end: u32| format!("{start:#x}..{end:#x}");
        let unknown = |why: &str| format!("unknown: {why}");
        self.add("stack", json!(stack(survey)));
        let data = layout.data.as_ref().map(|data| match layout.data_end {
            Some(end) if end > data.end => {
                format!("{}, zeros up to {end:#x}", from(data.start, data.end))
            }
            _ => from(data.start, data.end),
        });
        self.add("data", json!(data.unwrap_or_else(|| unknown("no active data segment"))));
        let heap = layout.heap_base.map(|base| format!("from {base:#x}, where __heap_base is"));
        self.add("heap", json!(heap.unwrap_or_else(|| unknown("no export __heap_base"))));
        let feature = |(name, first): (&&str, &lithify_compiler::FeatureUse)| {
            let place = first.function.map_or_else(String::new, |index| {
                let name = survey.names.get(&index).map_or("without a name", String::as_str);
                format!(" in function {index}, {name},")
            });
            json!(format!("{name}: {} times, first{place} at {:#x}", first.count, first.offset))
        };
        self.add("features_beyond_mvp", survey.features.iter().map(feature).collect());
    }

    fn memory(&mut self, min: u32, max: Option<u32>, imported: bool) {
        self.add("memory_pages", json!(min));
        self.add("memory_max_pages", json!(max));
        self.add("memory_imported", json!(imported));
    }

    fn wasm(&mut self, info: &ModuleInfo) {
        self.add("profile", json!(info.profile.to_string()));
        if let Some((min, max, imported)) = info.memory {
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
        let imports = info.imports.iter();
        let imports = imports.map(|i| json!(format!("{}.{}: {}", i.module, i.name, i.ty)));
        self.add("imports", imports.collect());
        let exports = info.exports.iter().map(|e| json!(format!("{}: {}", e.name, e.ty)));
        self.add("exports", exports.collect());
    }
}

/// Where the stack is, as far as the conventions of LLVM's linker tell.
fn stack(survey: &Survey) -> String {
    let layout = &survey.layout;
    let Some((global, top)) = layout.stack_pointer else {
        return "unknown: no mutable global of type i32 with a constant value".into();
    };
    let which = match layout.stack_pointer_is_named {
        true => format!("global {global}, __stack_pointer"),
        false => format!("global {global}, by its place"),
    };
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

/// The functions of a module by the size of their bodies.
fn functions_of_wasm(wasm: &[u8]) -> Result<Vec<String>> {
    let mut functions = lithify_compiler::functions(wasm)?;
    functions.sort_by_key(|f| (std::cmp::Reverse(f.body_bytes), f.index));
    let row = |f: &lithify_compiler::FunctionBody| {
        format!("{:>8} B  {:>6}  {}", f.body_bytes, f.index, f.name)
    };
    Ok(functions.iter().map(row).collect())
}

/// One fact as text: a list gets a line for each item.
fn print(key: &str, value: &Value) -> Result<()> {
    let key = key.replace('_', " ");
    match value {
        Value::Array(items) if items.is_empty() => output::line(format_args!("  {key}: none")),
        Value::Array(items) if items.iter().any(|i| i.to_string().len() > 16) => {
            output::line(format_args!("  {key}: {}", items.len()))?;
            items.iter().try_for_each(|item| output::line(format_args!("    {}", text(item))))
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(text).collect();
            output::line(format_args!("  {key}: {}", items.join(" ")))
        }
        Value::Null => output::line(format_args!("  {key}: none")),
        value => output::line(format_args!("  {key}: {}", text(value))),
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
