//! `lithify workloads`: what can be measured and run, by its manifests.

use crate::output;
use anyhow::{Context, Result, ensure};
use clap::Args;
use lithify_bench::{Manifest, manifest::Module};
use serde_json::{Value, json};
use std::{fs, path::PathBuf};

/// Lists the workloads in a folder: modules, their compilers and sizes, and calls.
///
/// Each is a folder with a workload.toml, which `lithify bench FOLDER` measures and which the
/// tests run on the compiler and on the interpreter.
#[derive(Args)]
#[command(after_help = "\
Examples:
  lithify workloads
  lithify workloads --json
  lithify bench workloads/solochain
  workloads/build solochain")]
pub struct Workloads {
    /// The folder of the workloads.
    #[arg(default_value = "workloads")]
    folder: PathBuf,
    /// Print one JSON object a workload instead of text.
    #[arg(long)]
    json: bool,
}

impl Workloads {
    /// Runs the command.
    pub fn execute(self) -> Result<()> {
        let manifests = Manifest::all(&self.folder)?;
        ensure!(!manifests.is_empty(), "no workload in {}", self.folder.display());
        let show = if self.json { object } else { text };
        manifests.iter().try_for_each(show)
    }
}

fn text(manifest: &Manifest) -> Result<()> {
    output::line(format_args!("{}: {}", manifest.name, manifest.about))?;
    for module in &manifest.modules {
        let compiler = module.compiler.as_deref().unwrap_or("by hand");
        let collector = module.collector.as_deref().map(|name| format!(", collector {name}"));
        output::line(format_args!(
            "  {:<28} {:>9}  {}, {compiler}{}",
            module.name,
            output::size(len_bytes(manifest, module)?),
            module.language,
            collector.unwrap_or_default(),
        ))?;
    }
    let mut calls: Vec<String> = manifest.calls.iter().map(|call| call.label()).collect();
    // Modules with a call each may call it the same.
    calls.dedup();
    output::line(format_args!("  calls: {}", calls.join(", ")))
}

fn object(manifest: &Manifest) -> Result<()> {
    let module = |module: &Module| -> Result<Value> {
        Ok(json!({
            "name": module.name,
            "path": manifest.folder.join(&module.path),
            "language": module.language,
            "compiler": module.compiler,
            "collector": module.collector,
            "bytes": len_bytes(manifest, module)?,
            "build": module.build,
        }))
    };
    output::json(json!({
        "name": manifest.name,
        "folder": manifest.folder,
        "about": manifest.about,
        "modules": manifest.modules.iter().map(module).collect::<Result<Vec<_>>>()?,
        "calls": manifest.calls.iter().map(|call| json!({
            "entry": call.entry,
            "module": call.module,
            "transfers": call.transfers,
        })).collect::<Vec<_>>(),
    }))
}

/// The size of the file as it is, which may not be what the manifest says.
fn len_bytes(manifest: &Manifest, module: &Module) -> Result<usize> {
    let path = manifest.folder.join(&module.path);
    let file = fs::metadata(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(file.len() as usize)
}
