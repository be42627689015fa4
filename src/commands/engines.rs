//! `lithify engines`: the engines that `bench` and `compare` have built in, and those that studies know, which
//! of them are here, and how to get the others.

use crate::output;
use anyhow::Result;
use clap::Args;
use lithify_bench::{engine::Kind, study::engine::Engine};
use serde_json::json;

/// Lists the engines that can be measured: those that are built in, and those that a study finds here with
/// their versions, and how to get the others.
///
/// `bench` and `compare` have engines built in, each in some settings, and take programs of others besides
/// (`bench --engines command:PATH`; examples/README.md has some). An engine of a study is a command on PATH in
/// one of its modes.
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
        if self.json {
            Kind::all().try_for_each(built_in_object)?;
            return Engine::all().try_for_each(object);
        }
        output::line("Built in, for bench and compare:")?;
        Kind::all().try_for_each(built_in)?;
        output::line("")?;
        output::line("Commands on PATH, for studies:")?;
        Engine::all().try_for_each(text)
    }
}

fn built_in(kind: &Kind) -> Result<()> {
    let by_name = if kind.every > 0 { "" } else { " (by name only)" };
    output::line(format_args!("{:<18} {:<16} {}{by_name}", kind.engine, kind.setting, kind.about))
}

fn built_in_object(kind: &Kind) -> Result<()> {
    output::json(json!({
        "for": "bench",
        "name": kind.engine,
        "mode": kind.setting,
        "about": kind.about,
        "by_name_only": kind.every == 0,
    }))
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
        "for": "study",
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
