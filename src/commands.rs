//! The subcommands, one file each, and which of them there are.

mod bench;
mod build_block;
mod check;
mod compare;
mod compile;
mod completions;
mod inspect;
mod man;
mod run;
mod soak;
mod verify;
mod wast;
mod workloads;

use anyhow::Result;
use clap::Subcommand;

/// A subcommand with its arguments.
#[derive(Subcommand)]
pub enum Command {
    #[command(alias = "build")]
    Compile(compile::Compile),
    #[command(alias = "info")]
    Inspect(inspect::Inspect),
    Check(check::Check),
    Run(run::Run),
    BuildBlock(build_block::BuildBlock),
    Bench(bench::Bench),
    Compare(compare::Compare),
    Verify(verify::Verify),
    Soak(soak::Soak),
    Workloads(workloads::Workloads),
    Wast(wast::WastCommand),
    Completions(completions::Completions),
    Man(man::Manual),
    #[command(hide = true)]
    BenchWorker(bench::Worker),
}

impl Command {
    /// Whether the exit status answers a question, so that 1 is *no* and trouble is not.
    pub fn is_question(&self) -> bool {
        matches!(self, Self::Check(_) | Self::Verify(_) | Self::Compare(_))
    }

    /// Runs it.
    pub fn execute(self) -> Result<()> {
        match self {
            Self::Compile(command) => command.execute(),
            Self::Inspect(command) => command.execute(),
            Self::Check(command) => command.execute(),
            Self::Run(command) => command.execute(),
            Self::BuildBlock(command) => command.execute(),
            Self::Bench(command) => command.execute(),
            Self::Compare(command) => command.execute(),
            Self::Verify(command) => command.execute(),
            Self::Soak(command) => command.execute(),
            Self::Workloads(command) => command.execute(),
            Self::Wast(command) => command.execute(),
            Self::Completions(command) => command.execute(),
            Self::Man(command) => command.execute(),
            Self::BenchWorker(command) => command.execute(),
        }
    }
}
