//! `lithify verify`: recompiles a runtime and compares, the reproducible proof that an image is what
//! it says. Neither is executed.

use crate::{
    bounds::BoundOptions,
    code_options::ProfileOption,
    output,
    source::{self, Source},
    status::No,
    store,
};
use anyhow::{Context, Result, bail};
use clap::Args;
use lithify_compiler::Emit;
use lithify_polkadot::Input;
use lithify_runtime::{Metadata, Trust};
use serde_json::json;
use std::path::PathBuf;

/// Recompiles a runtime with the options of an image, and compares them byte by byte.
#[derive(Args)]
#[command(after_help = "\
Exit status: 0 the image is what this compiler makes of the runtime, 1 it is not, 2 that cannot be
told (or wrong usage).

Examples:
  lithify verify westend.so westend.json
  lithify verify westend.so westend.json --json
  lithify verify westend.so westend.json --max-memory 1GiB
  lithify verify profiled.so block.json --profile block.profile")]
pub struct Verify {
    /// The image.
    image: PathBuf,
    /// The runtime that it was made of, in any of its forms.
    runtime: PathBuf,
    #[command(flatten)]
    profile: ProfileOption,
    #[command(flatten)]
    bounds: BoundOptions,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

impl Verify {
    /// Runs the command.
    pub fn execute(self) -> Result<()> {
        let Source { name, input } = Source::read(&self.image)?;
        let Input::Image(image) = input else { bail!("{name} is not an image") };
        let (runtime_name, runtime) = Source::read(&self.runtime)?.runtime()?;
        let heat = self.profile.read()?;
        let metadata = Metadata::parse(&image, Trust::Verify);
        if let (Err(error), true) = (&metadata, self.json) {
            output::json(json!({
                "image": name,
                "runtime": runtime_name,
                "verified": null,
                "refused": error.to_string(),
                "image_code_hash": null,
                "code_hash": source::hex(&runtime.code_hash),
                "differs_from_byte": null,
                "compiler": null,
            }))?;
        }
        let metadata = metadata.with_context(|| name.clone())?;
        let (said, is) = (source::hex(&metadata.code_hash), source::hex(&runtime.code_hash));
        let differs = if said == is {
            let options = store::options(&metadata, &image, heat).with_context(|| name.clone())?;
            let made =
                self.bounds.compile(&runtime_name, runtime.wasm(), Emit::Image, &options, &())?;
            store::difference(&made, &image)
        } else {
            None
        };
        let verified = said == is && differs.is_none();
        if self.json {
            output::json(json!({
                "image": name,
                "runtime": runtime_name,
                "verified": verified,
                "image_code_hash": said,
                "code_hash": is,
                "differs_from_byte": differs,
                "compiler": metadata.compiler,
            }))?;
        }
        let compiler = &metadata.compiler;
        match differs {
            _ if said != is => {
                bail!(No(format!("{name} was made of code {said}, {runtime_name} has code {is}")))
            }
            Some(at) => bail!(No(format!(
                "{name} is not what this compiler makes of {runtime_name}: they differ from byte \
                 {at:#x} on; the image names {compiler}"
            ))),
            None if self.json => Ok(()),
            None => output::line(format_args!(
                "{name} is what {compiler} makes of {runtime_name} (code {is})"
            )),
        }
    }
}
