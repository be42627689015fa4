//! `lithify wast`: runs scripts of the WebAssembly specification through the real path: compile
//! to an image, load, call. `lithify-spec` does the work.

use crate::{output, source};
use anyhow::{Context, Result, bail};
use clap::Args;
use lithify_compiler::{CompileError, Options, Profile, compile_image};
use lithify_spec::Refusal;
use std::{fs, path::PathBuf};

/// Runs scripts of the WebAssembly specification and counts assertions.
#[derive(Args)]
#[command(after_help = "\
Exit status: 0 when no assertion failed.

Examples:
  lithify wast spec.wast
  lithify wast testsuite/*.wast")]
pub struct WastCommand {
    /// Scripts in the `.wast` format.
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

impl WastCommand {
    /// Runs the command.
    pub fn execute(self) -> Result<()> {
        let options = Options {
            target: source::host_target(),
            profile: Some(Profile::General),
            ..Options::default()
        };
        let mut compile = |wasm: &[u8]| {
            compile_image(wasm, &options).map_err(|error| match error {
                CompileError::Invalid { .. } => Refusal::Invalid(error.to_string()),
                error => Refusal::Other(error.to_string()),
            })
        };
        let mut failed = 0;
        for path in &self.files {
            let name = path.display();
            let text = fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
            let tally =
                lithify_spec::run(&text, &mut compile).with_context(|| format!("{name}"))?;
            output::text(&format!("{name}: {tally}"))?;
            failed += tally.failed.len();
        }
        if failed > 0 {
            bail!("{failed} assertions failed");
        }
        Ok(())
    }
}
