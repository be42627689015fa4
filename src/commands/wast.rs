//! `lithify wast`: runs scripts of the WebAssembly specification through the real path: compile
//! to an image, load, call. `lithify-spec` does the work.

use crate::{bounds, output, source};
use anyhow::{Context, Result, bail};
use clap::Args;
use lithify_compiler::{CompileError, Options, Profile, compile_image};
use lithify_measure::Bounds;
use lithify_spec::Refusal;
use std::{fs, path::PathBuf, time::Duration};

/// Runs scripts of the WebAssembly specification and counts assertions.
#[derive(Args)]
#[command(after_help = "\
Exit status: 0 no assertion failed, 1 one did, or a script took longer than --timeout.

Examples:
  lithify wast spec.wast
  lithify wast testsuite/*.wast")]
pub struct WastCommand {
    /// Scripts in the `.wast` format.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The longest that a script may take: seconds, or with ms, s, m or min, h.
    #[arg(long, value_name = "DURATION", value_parser = bounds::duration)]
    timeout: Option<Duration>,
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
            let bounds = Bounds { memory: None, time: self.timeout };
            let tally = bounds.within("the script", || lithify_spec::run(&text, &mut compile))?;
            let tally = tally.with_context(|| format!("{name}"))?;
            output::text(&format!("{name}: {tally}"))?;
            failed += tally.failed.len();
        }
        match failed {
            0 => Ok(()),
            1 => bail!("one assertion failed"),
            _ => bail!("{failed} assertions failed"),
        }
    }
}
