//! The subcommands, one file each, and which of them there are: those that measure only with the
//! feature `bench`.

#[cfg(feature = "bench")]
mod bench;
mod build_block;
mod cache;
mod check;
#[cfg(feature = "bench")]
mod compare;
mod compile;
mod completions;
#[cfg(feature = "bench")]
mod engines;
mod genesis;
#[cfg(feature = "bench")]
mod history;
mod inspect;
mod man;
mod profile;
#[cfg(feature = "bench")]
mod report;
mod run;
#[cfg(feature = "bench")]
mod soak;
#[cfg(feature = "bench")]
mod study;
mod verify;
mod wast;
#[cfg(feature = "bench")]
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
    Profile(profile::ProfileCommand),
    Genesis(genesis::Genesis),
    BuildBlock(build_block::BuildBlock),
    #[cfg(feature = "bench")]
    Bench(bench::Bench),
    #[cfg(feature = "bench")]
    Compare(compare::Compare),
    #[cfg(feature = "bench")]
    Report(report::Report),
    #[cfg(feature = "bench")]
    History(history::History),
    #[cfg(feature = "bench")]
    Study(study::StudyCommand),
    #[cfg(feature = "bench")]
    Engines(engines::Engines),
    Verify(verify::Verify),
    Cache(cache::Cache),
    #[cfg(feature = "bench")]
    Soak(soak::Soak),
    #[cfg(feature = "bench")]
    Workloads(workloads::Workloads),
    Wast(wast::WastCommand),
    Completions(completions::Completions),
    Man(man::Manual),
    #[cfg(feature = "bench")]
    #[command(hide = true)]
    BenchWorker(bench::Worker),
}

impl Command {
    /// Whether the exit status answers a question, so that 1 is *no* and trouble is not.
    pub fn is_question(&self) -> bool {
        match self {
            Self::Check(_) | Self::Verify(_) => true,
            Self::Cache(command) => command.is_question(),
            #[cfg(feature = "bench")]
            Self::Compare(_) => true,
            _ => false,
        }
    }

    /// Runs it.
    pub fn execute(self) -> Result<()> {
        match self {
            Self::Compile(command) => command.execute(),
            Self::Inspect(command) => command.execute(),
            Self::Check(command) => command.execute(),
            Self::Run(command) => command.execute(),
            Self::Profile(command) => command.execute(),
            Self::Genesis(command) => command.execute(),
            Self::BuildBlock(command) => command.execute(),
            #[cfg(feature = "bench")]
            Self::Bench(command) => command.execute(),
            #[cfg(feature = "bench")]
            Self::Compare(command) => command.execute(),
            #[cfg(feature = "bench")]
            Self::Report(command) => command.execute(),
            #[cfg(feature = "bench")]
            Self::History(command) => command.execute(),
            #[cfg(feature = "bench")]
            Self::Study(command) => command.execute(),
            #[cfg(feature = "bench")]
            Self::Engines(command) => command.execute(),
            Self::Verify(command) => command.execute(),
            Self::Cache(command) => command.execute(),
            #[cfg(feature = "bench")]
            Self::Soak(command) => command.execute(),
            #[cfg(feature = "bench")]
            Self::Workloads(command) => command.execute(),
            Self::Wast(command) => command.execute(),
            Self::Completions(command) => command.execute(),
            Self::Man(command) => command.execute(),
            #[cfg(feature = "bench")]
            Self::BenchWorker(command) => command.execute(),
        }
    }
}
