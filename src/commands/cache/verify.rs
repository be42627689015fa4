//! `lithify cache verify`: recompiles what is kept, and compares. Nothing is executed.

use crate::{
    bounds::BoundOptions,
    output,
    source::{self, Source},
    status::{No, Usage},
    store::{self, Place},
};
use anyhow::{Context, Result, bail};
use clap::Args;
use lithify_compiler::Emit;
use lithify_polkadot::RuntimeInput;
use lithify_runtime::{Metadata, Trust, abi::COMPILER};
use lithify_store::Entry;
use serde_json::json;
use std::{fs, path::PathBuf};

/// Recompiles images that are kept from their runtimes, and compares them byte by byte.
#[derive(Args)]
#[command(after_help = "\
An image whose code is in no input cannot be reproduced; how many there are is said.

Exit status: 0 all images of the inputs were reproduced, 1 one was not, 2 that cannot be told (or
wrong usage).

Examples:
  lithify cache verify westend.json
  lithify cache verify westend.json people.json --dir images/ --json")]
pub struct VerifyKept {
    /// Runtimes in any of their forms.
    #[arg(required = true, value_name = "SPEC|RUNTIME|BLOCK")]
    inputs: Vec<PathBuf>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    bounds: BoundOptions,
    /// Print one JSON object an image instead of a line.
    #[arg(long)]
    json: bool,
}

impl VerifyKept {
    /// Runs the command.
    pub fn execute(self) -> Result<()> {
        let mut left = self.place.open()?.list()?;
        let (mut good, mut bad) = (0, 0);
        for input in &self.inputs {
            let (name, mut runtime) = Source::read(input)?.runtime()?;
            runtime.state = None;
            let of_code = |entry: &mut Entry| entry.key.code_hash == runtime.code_hash;
            let images: Vec<Entry> = left.extract_if(.., of_code).collect();
            for entry in images {
                let difference = self.difference(&name, &runtime, &entry)?;
                match difference {
                    None => good += 1,
                    Some(_) => bad += 1,
                }
                self.report(&name, &entry, difference.as_deref())?;
            }
        }
        if !left.is_empty() {
            let left = left.len();
            output::note(format_args!("not looked at: {left} of other code than the inputs'"));
        }
        match (good, bad) {
            (0, 0) => bail!(Usage("no image of these inputs is kept".into())),
            (_, 0) => Ok(()),
            (good, bad) => bail!(No(format!("{bad} of {} images are something else", good + bad))),
        }
    }

    /// What an image is instead of what it says; `None` if it is that.
    fn difference(
        &self,
        name: &str,
        runtime: &RuntimeInput,
        entry: &Entry,
    ) -> Result<Option<String>> {
        let path = &entry.path;
        let image = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        if let Err(error) = store::of_this_release(&entry.key) {
            return Ok(Some(error.to_string()));
        }
        let metadata = match Metadata::parse(&image, Trust::Verify) {
            Ok(metadata) => metadata,
            Err(error) => return Ok(Some(error.to_string())),
        };
        if metadata.code_hash != runtime.code_hash {
            let code = source::hex(&metadata.code_hash);
            return Ok(Some(format!("it was made of code {code}")));
        }
        let options = match store::options(&metadata, &image, None) {
            Ok(options) => options,
            Err(error) => return Ok(Some(error.to_string())),
        };
        let made = self.bounds.compile(name, runtime.wasm(), Emit::Image, &options, &())?;
        Ok(store::difference(&made, &image).map(|at| {
            format!("they differ from byte {at:#x} on; the image names {}", metadata.compiler)
        }))
    }

    fn report(&self, name: &str, entry: &Entry, difference: Option<&str>) -> Result<()> {
        if self.json {
            return output::json(super::object(
                &entry.key,
                json!({
                    "input": name,
                    "path": entry.path.display().to_string(),
                    "verified": difference.is_none(),
                    "difference": difference,
                    "compiler": COMPILER,
                }),
            ));
        }
        let machine = super::machine(&entry.key);
        match difference {
            None => output::line(format_args!("{name}: {machine}: reproduced by {COMPILER}")),
            Some(why) => {
                output::line(format_args!("{name}: {machine}: not what {COMPILER} makes: {why}"))
            }
        }
    }
}
