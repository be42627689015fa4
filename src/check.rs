//! `lithify check`: can a runtime run on a Polkadot host, and what stands in the way?

use crate::{
    output,
    source::{self, Source},
    status::No,
};
use anyhow::{Result, bail};
use clap::Args;
use lithify_compiler::{ExternInfo, ModuleInfo, Options, Profile, inspect};
use lithify_runtime::{
    ValType,
    polkadot::{RuntimeInput, native, resolve},
};
use serde_json::json;
use std::path::PathBuf;

/// Checks whether a runtime can run on a Polkadot host, and says what stands in the way.
#[derive(Args)]
#[command(after_help = "\
Exit status: 0 it can run, 1 it cannot, 2 that cannot be told (or wrong usage).

Examples:
  lithify check runtime.wasm
  lithify check chain-spec.json --json")]
pub struct Check {
    /// A runtime in any of its forms; `-` is standard input.
    input: PathBuf,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

/// What a runtime must export to be executed at all.
const NEEDED_ENTRIES: &[&str] = &["Core_version", "Core_execute_block", "Core_initialize_block"];

impl Check {
    /// Runs the command.
    pub fn execute(self) -> Result<()> {
        let (name, runtime) = Source::read(&self.input)?.runtime()?;
        let report = Report::new(&runtime);
        let version = source::version(&runtime);
        if self.json {
            output::json(json!({
                "input": name,
                "code_hash": source::hex(&runtime.code_hash),
                "spec_name": version.as_ref().map(|v| v.spec_name.to_string()),
                "spec_version": version.as_ref().map(|v| v.spec_version),
                "runs": report.obstacles.is_empty(),
                "obstacles": report.obstacles,
                "notes": report.notes,
            }))?;
        } else {
            output::line(format_args!(
                "{name}: {} ({}, code {})",
                source::describe(version.as_ref()),
                runtime.form,
                source::hex(&runtime.code_hash)
            ))?;
            for obstacle in &report.obstacles {
                output::line(format_args!("  obstacle: {obstacle}"))?;
            }
            for note in &report.notes {
                output::line(format_args!("  note: {note}"))?;
            }
            if report.obstacles.is_empty() {
                output::line("  runs on a Polkadot host")?;
            }
        }
        match report.obstacles.len() {
            0 => Ok(()),
            1 => bail!(No(format!("{name} cannot run on a Polkadot host: one obstacle"))),
            n => bail!(No(format!("{name} cannot run on a Polkadot host: {n} obstacles"))),
        }
    }
}

/// What was found: an obstacle keeps the runtime from running, a note does not.
#[derive(Default)]
struct Report {
    obstacles: Vec<String>,
    notes: Vec<String>,
}

impl Report {
    fn new(runtime: &RuntimeInput) -> Self {
        let mut report = Self::default();
        let with = |profile| Options { profile: Some(profile), ..Options::default() };
        let info = match inspect(runtime.wasm(), &with(Profile::Runtime)) {
            Ok(info) => info,
            Err(error) => {
                report.obstacles.push(error.to_string());
                match inspect(runtime.wasm(), &with(Profile::General)) {
                    Ok(info) => info,
                    Err(_) => return report,
                }
            }
        };
        report.imports(&info);
        report.exports(&info);
        if runtime.version.is_none() {
            let note = "no version in the custom section runtime_version: nodes call Core_version";
            report.notes.push(note.into());
        }
        report
    }

    fn imports(&mut self, info: &ModuleInfo) {
        for import in &info.imports {
            if let ExternInfo::Func(ty) = &import.ty
                && import.module == "env"
                && let Err(error) = resolve(&import.module, &import.name, ty)
            {
                self.obstacles.push(error.to_string());
            }
        }
    }

    fn exports(&mut self, info: &ModuleInfo) {
        let export = |name: &str| info.exports.iter().find(|export| export.name == name);
        match export("__heap_base").map(|export| &export.ty) {
            Some(ExternInfo::Global(ValType::I32, _)) => {}
            Some(other) => {
                self.obstacles.push(format!("__heap_base is a {other}, not a global of type i32"));
            }
            None => self.obstacles.push(
                "no exported global __heap_base: the host cannot tell where the heap begins \
                 (link with --export=__heap_base)"
                    .into(),
            ),
        }
        match info.memory {
            None => self.obstacles.push("no memory".into()),
            Some((_, _, imported)) => {
                let exported = info.exports.iter().any(|export| export.ty == ExternInfo::Memory);
                if !imported && !exported {
                    self.obstacles.push("memory is neither imported nor exported".into());
                }
            }
        }
        let entry = ExternInfo::Func(native::entry_type());
        for name in NEEDED_ENTRIES {
            match export(name) {
                None => self.obstacles.push(format!("no entry point {name}")),
                Some(export) if export.ty != entry => self
                    .obstacles
                    .push(format!("entry point {name} is a {}, not a {entry}", export.ty)),
                Some(_) => {}
            }
        }
        for name in ["_start", "_initialize"] {
            if export(name).is_some() {
                self.notes.push(format!(
                    "exports {name}, which no Polkadot host calls: what it would initialise has \
                     to be so without it"
                ));
            }
        }
    }
}
