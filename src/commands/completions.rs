//! `lithify completions`: what a shell needs to know of the commands, made of the same definitions as
//! `--help`.

use crate::{
    Cli,
    output::{Content, Destination},
};
use anyhow::Result;
use clap::{Args, CommandFactory};
use clap_complete::Shell;

/// Prints completions for a shell.
#[derive(Args)]
#[command(after_help = "\
Examples:
  lithify completions bash > lithify.bash    # for /usr/share/bash-completion/completions/lithify
  lithify completions zsh > _lithify
  lithify completions fish > lithify.fish")]
pub struct Completions {
    /// The shell.
    shell: Shell,
}

impl Completions {
    /// Runs the command.
    pub fn execute(self) -> Result<()> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "lithify", &mut script);
        Destination::open("-".as_ref(), Content::Text, &[])?.write(&script)
    }
}
