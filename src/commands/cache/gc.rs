//! `lithify cache gc`: what is kept beyond bounds of size and age goes.

use crate::{output, source, store::Kept};
use anyhow::Result;
use clap::Args;
use serde_json::json;

/// Removes images beyond a size and an age.
#[derive(Args)]
#[command(after_help = "\
What was used least recently goes first. What commands that were killed left behind goes, too;
what another one writes just now stays. A node that has an image open keeps it.

Examples:
  lithify cache gc
  lithify cache gc --max-size 2G --max-age 30d")]
pub struct Gc {
    #[command(flatten)]
    kept: Kept,
    /// Print one JSON object an image that went instead of text.
    #[arg(long)]
    json: bool,
}

impl Gc {
    /// Runs the command.
    pub fn execute(self) -> Result<()> {
        let collected = self.kept.open()?.collect()?;
        for entry in &collected.removed {
            let (key, bytes) = (&entry.key, entry.bytes);
            if self.json {
                let path = entry.path.display().to_string();
                output::json(super::object(key, json!({ "path": path, "bytes": bytes })))?;
            } else {
                let (code, machine) = (source::hex(&key.code_hash), super::machine(key));
                let size = output::size(bytes as usize);
                output::line(format_args!("removed {code} for {machine}: {size}"))?;
            }
        }
        if self.json {
            return Ok(());
        }
        let kept = collected.kept.iter().map(|entry| entry.bytes).sum();
        output::line(format_args!("{} are kept", super::count(collected.kept.len(), kept)))
    }
}
