//! `lithify check`: can a runtime run on a Polkadot host, and what stands in the way? Read from the
//! module; nothing of it is executed.

mod node;

use crate::{
    bounds::ReadingOptions,
    output,
    source::{self, Source},
    status::No,
};
use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use lithify_compiler::{CompileError, Options, Profile, inspect, survey};
use lithify_polkadot::RuntimeInput;
use serde_json::json;
use std::path::{Path, PathBuf};

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
    #[command(flatten)]
    bounds: ReadingOptions,
}

impl Check {
    /// Runs the command.
    pub fn execute(self) -> Result<()> {
        let (name, runtime, report) = self.bounds.within(|| {
            let (name, runtime) = Source::read(&self.input)?.runtime()?;
            let report = Report::new(&runtime, &self.input).with_context(|| name.clone())?;
            Ok((name, runtime, report))
        })?;
        let version = runtime.version.as_ref();
        if self.json {
            output::json(json!({
                "input": name,
                "code_hash": source::hex(&runtime.code_hash),
                "spec_name": version.map(|v| v.spec_name.to_string()),
                "spec_version": version.map(|v| v.spec_version),
                "runs": report.obstacles.is_empty(),
                "obstacles": report.obstacles,
                "notes": report.notes,
            }))?;
        } else {
            output::line(format_args!(
                "{name}: {} ({}, code {})",
                source::describe(version),
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
    /// # Errors
    ///
    /// A limit of this compiler's own, beyond which it does not look: a node may take the module.
    fn new(runtime: &RuntimeInput, path: &Path) -> Result<Self> {
        let mut report = Self::default();
        let with = |profile| Options { profile: Some(profile), ..Options::default() };
        let info = match inspect(runtime.wasm(), &with(Profile::Runtime)) {
            Ok(info) => info,
            Err(error @ CompileError::Limit(_)) => {
                return Err(anyhow!(error).context("whether a node takes it cannot be told"));
            }
            Err(error) => {
                report.obstacles.push(error.to_string());
                match inspect(runtime.wasm(), &with(Profile::General)) {
                    Ok(info) => info,
                    Err(_) => return Ok(report),
                }
            }
        };
        report.imports(&info);
        report.exports(&info);
        if let Ok(survey) = survey(runtime.wasm()) {
            report.heap(&info, survey.layout.heap_base);
            report.branches(survey.br_table_targets);
        }
        if runtime.version.is_none() && info.exports.iter().any(|e| e.name == "Core_version") {
            report.notes.push(format!(
                "no version in the custom section runtime_version: nodes call Core_version ({})",
                source::ask_for_version(path)
            ));
        }
        Ok(report)
    }
}
