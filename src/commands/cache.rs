//! `lithify cache`: the images that are kept, for every command and every node of this machine.

mod export;
mod fill;
mod gc;
mod import;
mod list;
mod remote;
mod signature;
mod verify;
mod watch;

use crate::{output, source};
use anyhow::Result;
use clap::{Args, Subcommand};
use lithify_store::Key;
use serde_json::{Map, Value, json};

/// Keeps images, so that nobody waits for a compiler.
#[derive(Args)]
#[command(after_help = "\
An image is a file below the folder: CODE HASH/RELEASE-TARGET-CPU-OPTIONS.so. Any number of
commands and nodes use the folder at once, and one that is killed leaves nothing half. Whoever may
write to it decides what code runs here.

Examples:
  lithify cache fill westend.json
  lithify cache list
  lithify run westend.json Core_version --cache
  lithify cache gc --max-size 2G")]
pub struct Cache {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    Fill(fill::Fill),
    List(list::List),
    Gc(gc::Gc),
    Verify(verify::VerifyKept),
    Export(export::Export),
    Import(import::Import),
    Watch(watch::Watch),
}

impl Cache {
    /// Whether the exit status answers a question.
    pub fn is_question(&self) -> bool {
        matches!(self.action, Action::Verify(_))
    }

    /// Runs the command.
    pub fn execute(self) -> Result<()> {
        crate::logger::start(log::LevelFilter::Warn);
        match self.action {
            Action::Fill(command) => command.execute(),
            Action::List(command) => command.execute(),
            Action::Gc(command) => command.execute(),
            Action::Verify(command) => command.execute(),
            Action::Export(command) => command.execute(),
            Action::Import(command) => command.execute(),
            Action::Watch(command) => command.execute(),
        }
    }
}

/// `x86_64-unknown-linux-gnu x86-64-v3`.
fn machine(key: &Key) -> String {
    format!("{} {}", key.target, key.cpu)
}

/// The fields that every object about an image has, and these.
fn object(key: &Key, more: Value) -> Value {
    let mut object = Map::new();
    object.insert("code_hash".into(), json!(source::hex(&key.code_hash)));
    object.insert("release".into(), json!(key.release));
    object.insert("target".into(), json!(key.target));
    object.insert("cpu".into(), json!(key.cpu));
    if let Value::Object(more) = more {
        object.extend(more);
    }
    Value::Object(object)
}

/// `3 images, 6.0 MB`.
fn count(number: usize, bytes: u64) -> String {
    let images = if number == 1 { "image" } else { "images" };
    format!("{number} {images}, {}", output::size(bytes as usize))
}
