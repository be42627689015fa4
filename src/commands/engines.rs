//! `lithify engines`: the engines that studies know, which of them are here, and how to get the others.

use crate::output;
use anyhow::Result;
use clap::Args;
use lithify_bench::study::engine::Engine;
use serde_json::json;

/// Lists the engines that a study can measure: those that are here with their versions, and how to get
/// the others.
///
/// An engine is a command on PATH in one of its modes. A study names it as it is listed here. The engines
/// of `bench` and `compare` are built in, or programs of others (`bench --engines`).
#[derive(Args)]
#[command(after_help = "\
Examples:
  lithify engines
  lithify engines --json")]
pub struct Engines {
    /// Print one JSON object an engine instead of text.
    #[arg(long)]
    json: bool,
}

impl Engines {
    /// Runs the command.
    pub fn execute(self) -> Result<()> {
        Engine::all().try_for_each(if self.json { object } else { text })
    }
}

fn text(engine: &Engine) -> Result<()> {
    let here = match engine.find() {
        Ok(found) if found.version.is_empty() => "here".into(),
        Ok(found) => found.version,
        Err(reason) => format!("absent: {reason}"),
    };
    let (name, mode, about) = (engine.name, engine.mode, engine.about);
    output::line(format_args!("{name:<18} {mode:<13} {about}"))?;
    output::line(format_args!("{:<18} {here}", ""))
}

fn object(engine: &Engine) -> Result<()> {
    let (found, reason) = match engine.find() {
        Ok(found) => (Some(found), None),
        Err(reason) => (None, Some(reason)),
    };
    output::json(json!({
        "name": engine.name,
        "mode": engine.mode,
        "about": engine.about,
        "licence": engine.licence,
        "command": found.as_ref().map(|found| &found.command),
        "version": found.as_ref().map(|found| &found.version),
        "absent": reason,
        "get": engine.get,
    }))
}
