//! `lithify cache export`: what is kept, into another folder.

use crate::{
    output, source,
    status::Usage,
    store::{self, Place},
};
use anyhow::{Context, Result, ensure};
use clap::Args;
use lithify_store::{Bounds, Store};
use serde_json::json;
use std::{fs, io::ErrorKind, path::PathBuf, time::Duration};

/// Copies all images into a folder: for another machine, or for a web server.
#[derive(Args)]
#[command(after_help = "\
The folder is one that --dir, import and --remote take. Images in it stay; those that are there
already are left alone. For others, sign what you publish: `minisign -S -m FOLDER/*/*.so`.

Examples:
  lithify cache export images/
  lithify cache export images/ --json")]
pub struct Export {
    /// The folder; it is made.
    folder: PathBuf,
    #[command(flatten)]
    place: Place,
    /// Print one JSON object an image instead of a line.
    #[arg(long)]
    json: bool,
}

impl Export {
    /// Runs the command.
    pub fn execute(self) -> Result<()> {
        let from = self.place.open()?;
        let all = Bounds { max_bytes: u64::MAX, max_age: Duration::MAX };
        let to = Store::open(&self.folder, all)?;
        let same = fs::canonicalize(from.dir()).ok() == fs::canonicalize(to.dir()).ok();
        let shown = self.folder.display();
        ensure!(!same, Usage(format!("{shown} is where the images are; name another folder")));
        store::writable(to.dir())?;
        for entry in from.list()? {
            let copied = to.get(&entry.key)?.is_none();
            if copied {
                let image = match fs::read(&entry.path) {
                    // Collected meanwhile.
                    Err(error) if error.kind() == ErrorKind::NotFound => continue,
                    read => {
                        read.with_context(|| format!("cannot read {}", entry.path.display()))?
                    }
                };
                to.put(&entry.key, &image)?;
            }
            let path = to.path(&entry.key);
            if self.json {
                let path = path.display().to_string();
                output::json(super::object(&entry.key, json!({ "path": path, "copied": copied })))?;
            } else {
                let what = if copied { "copied" } else { "there already" };
                let code = source::hex(&entry.key.code_hash);
                output::line(format_args!("{code}: {}: {what}", super::machine(&entry.key)))?;
            }
        }
        Ok(())
    }
}
