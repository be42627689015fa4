//! `lithify cache import`: images of a folder into the one where they are kept.

use super::signature::{END, Trusted};
use crate::{
    output, source,
    status::Usage,
    store::{self, Kept},
};
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use lithify_store::{Bounds, Entry, Store};
use serde_json::json;
use std::{fs, path::PathBuf};

/// Takes images from a folder: of another machine, or of somebody who signed them.
#[derive(Args)]
#[command(after_help = "\
An image is code. One that you did not make is taken when it is signed by a trusted key: a
signature of minisign is beside it, in FILE.so.minisig. One that is refused stops no other; the
exit status is 1 then.

Examples:
  lithify cache import images/ --unsigned
  lithify cache import images/ --trust operator.pub")]
pub struct Import {
    /// The folder, as export writes it.
    folder: PathBuf,
    #[command(flatten)]
    trusted: Trusted,
    /// Take all, without a signature: what you made yourself.
    #[arg(long, conflicts_with = "keys")]
    unsigned: bool,
    #[command(flatten)]
    kept: Kept,
    /// Print one JSON object an image instead of a line.
    #[arg(long)]
    json: bool,
}

impl Import {
    /// Runs the command.
    pub fn execute(self) -> Result<()> {
        let words = "by whom are the images signed? --trust KEYFILE names the key; --unsigned takes \
                     what you made yourself";
        ensure!(self.unsigned || self.trusted.any(), Usage(words.into()));
        let shown = self.folder.display();
        ensure!(self.folder.is_dir(), "cannot read {shown}: it is no folder");
        let from = Store::open(&self.folder, Bounds::default())?;
        let to = self.kept.open()?;
        let keys = if self.unsigned { None } else { Some(self.trusted.keys()?) };
        let mut refused = 0;
        let entries = from.list()?;
        ensure!(!entries.is_empty(), "{shown} has no images; it is to be laid out as by export");
        for entry in &entries {
            let taken = match to.get(&entry.key)? {
                Some(_) => Ok(Outcome::Present),
                None => take(entry, keys.as_ref(), &to),
            };
            match taken {
                Ok(outcome) => self.report(entry, &outcome)?,
                Err(error) => {
                    refused += 1;
                    output::error(&error.context(entry.path.display().to_string()));
                }
            }
        }
        to.collect()?;
        match refused {
            0 => Ok(()),
            refused => bail!("{refused} of {} images were refused", entries.len()),
        }
    }

    fn report(&self, entry: &Entry, outcome: &Outcome) -> Result<()> {
        let signer = match outcome {
            Outcome::Signed(signer) => Some(signer),
            _ => None,
        };
        let present = matches!(outcome, Outcome::Present);
        if self.json {
            let what = if present { "present" } else { "imported" };
            let more = json!({ "outcome": what, "signed_by": signer });
            return output::json(super::object(&entry.key, more));
        }
        let what = match signer {
            _ if present => "there already".into(),
            Some(signer) => format!("signed by {signer}"),
            None => "imported".into(),
        };
        let code = source::hex(&entry.key.code_hash);
        output::line(format_args!("{code}: {}: {what}", super::machine(&entry.key)))
    }
}

/// What became of an image that was not refused.
enum Outcome {
    Present,
    Signed(String),
    Unsigned,
}

fn take(entry: &Entry, keys: Option<&super::signature::Keys>, to: &Store) -> Result<Outcome> {
    store::of_this_release(&entry.key)?;
    let image = fs::read(&entry.path).context("cannot read it")?;
    let outcome = match keys {
        None => Outcome::Unsigned,
        Some(keys) => {
            let mut path = entry.path.clone().into_os_string();
            path.push(END);
            let signature = fs::read_to_string(&path).context("it has no signature")?;
            let signer = keys.signer(&entry.key.file_name(), &image, &signature)?;
            Outcome::Signed(signer.to_owned())
        }
    };
    to.put(&entry.key, &image)?;
    Ok(outcome)
}
