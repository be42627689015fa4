//! The command line of Lithify. One file per subcommand; `main` only dispatches.

#![warn(clippy::unwrap_used)]

mod bench;
mod build_block;
mod check;
mod compare;
mod compile;
mod inspect;
mod limits;
mod logger;
mod output;
mod profile;
mod progress;
mod run;
mod soak;
mod source;
mod verify;
mod wast;
mod workloads;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Says which limit it was when memory is refused; see `limits.rs`.
#[global_allocator]
static ALLOCATOR: lithify_bench::measure::limit::Allocator =
    lithify_bench::measure::limit::Allocator;

/// Exit status when a guest trapped: that of a process that aborted.
const TRAPPED: u8 = 134;

/// Compiles Polkadot and Substrate runtimes ahead of time to native code, runs and measures them.
///
/// An INPUT is a runtime in any of its forms: WebAssembly, the compressed form of a chain, hex
/// text of either, a raw chain spec, a block with its parent state, or `-` for standard input.
#[derive(Parser)]
#[command(
    name = "lithify",
    version,
    after_help = "\
Exit status: 0 done, 1 failed, 2 wrong usage, 134 the guest trapped.

Examples:
  lithify compile westend.json -o westend.so
  lithify run westend.so Core_version
  lithify run block.json
  lithify bench"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Compile(compile::Compile),
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
    #[command(hide = true)]
    BenchWorker(bench::Worker),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Compile(command) => command.execute(),
        Command::Inspect(command) => command.execute(),
        Command::Check(command) => command.execute(),
        Command::Run(command) => command.execute(),
        Command::BuildBlock(command) => command.execute(),
        Command::Bench(command) => command.execute(),
        Command::Compare(command) => return command.execute(),
        Command::Verify(command) => command.execute(),
        Command::Soak(command) => command.execute(),
        Command::Workloads(command) => command.execute(),
        Command::Wast(command) => command.execute(),
        Command::BenchWorker(command) => command.execute(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(if error.is::<run::Trapped>() { TRAPPED } else { 1 })
        }
    }
}
