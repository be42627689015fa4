//! `lithify cache list`: what is kept.

use crate::{output, source, store::Place};
use anyhow::Result;
use clap::Args;
use lithify_polkadot::{RuntimeVersion, version};
use lithify_runtime::{Metadata, Trust, abi::RELEASE};
use lithify_store::Entry;
use serde_json::json;
use std::time::Duration;

/// Lists the images that are kept.
#[derive(Args)]
#[command(after_help = "\
Examples:
  lithify cache list
  lithify cache list --json
  lithify cache list --dir images/")]
pub struct List {
    #[command(flatten)]
    place: Place,
    /// Print one JSON object an image instead of text.
    #[arg(long)]
    json: bool,
}

impl List {
    /// Runs the command.
    pub fn execute(self) -> Result<()> {
        let store = self.place.open()?;
        let entries = store.list()?;
        let mut code = None;
        for entry in &entries {
            let known = read(entry);
            if self.json {
                self.object(entry, &known)?;
                continue;
            }
            if code.replace(entry.key.code_hash) != Some(entry.key.code_hash) {
                output::line(source::hex(&entry.key.code_hash))?;
            }
            let known = match &known {
                Ok(version) => source::describe(version.as_ref()),
                Err(why) => why.clone(),
            };
            output::line(format_args!(
                "  {}: {}, used {}; {known}",
                super::machine(&entry.key),
                output::size(entry.bytes as usize),
                ago(unused(entry)),
            ))?;
        }
        if self.json {
            return Ok(());
        }
        let all = super::count(entries.len(), entries.iter().map(|entry| entry.bytes).sum());
        output::line(format_args!("{all} in {}", store.dir().display()))
    }

    fn object(&self, entry: &Entry, known: &Result<Option<RuntimeVersion>, String>) -> Result<()> {
        let version = known.as_ref().ok().and_then(Option::as_ref);
        output::json(super::object(
            &entry.key,
            json!({
                "spec_name": version.map(|v| v.spec_name.to_string()),
                "spec_version": version.map(|v| v.spec_version),
                "path": entry.path.display().to_string(),
                "bytes": entry.bytes,
                "unused_ns": unused(entry).as_nanos() as u64,
                "unreadable": known.as_ref().err(),
            }),
        ))
    }
}

/// The version that an image embeds, or why it cannot be read. It is not hashed: `verify` does that.
fn read(entry: &Entry) -> Result<Option<RuntimeVersion>, String> {
    if entry.key.release != RELEASE {
        return Err(format!("of lithify {}", entry.key.release));
    }
    let metadata =
        Metadata::open(&entry.path, Trust::SkipHash).map_err(|error| error.to_string())?;
    let sections = (metadata.runtime_version.as_deref(), metadata.runtime_apis.as_deref());
    version::from_sections(sections.0, sections.1).map_err(|error| error.to_string())
}

fn unused(entry: &Entry) -> Duration {
    entry.used.elapsed().unwrap_or_default()
}

/// `3 h ago`.
fn ago(time: Duration) -> String {
    let seconds = time.as_secs();
    let (number, unit) = match seconds {
        0..60 => return "just now".into(),
        60..3_600 => (seconds / 60, "min"),
        3_600..86_400 => (seconds / 3_600, "h"),
        86_400.. => (seconds / 86_400, "d"),
    };
    format!("{number} {unit} ago")
}
