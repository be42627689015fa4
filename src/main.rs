//! The command line of Lithify. One file per subcommand; `main` only dispatches, and ends.

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
mod panics;
mod profile;
mod progress;
mod run;
mod shell;
mod soak;
mod source;
mod status;
mod verify;
mod wast;
mod workloads;

use clap::{Parser, Subcommand};
use lithify_bench::measure::{limit, refusal};
use std::process::ExitCode;

/// Says which limit it was when memory is refused; see `limits.rs`.
#[global_allocator]
static ALLOCATOR: limit::Allocator = limit::Allocator;

/// Compiles Polkadot and Substrate runtimes ahead of time to native code, runs and measures them.
///
/// An INPUT is a runtime in any of its forms: WebAssembly, the compressed form of a chain, hex
/// text of either, a raw chain spec, a block with its parent state, or `-` for standard input.
#[derive(Parser)]
#[command(
    name = "lithify",
    version,
    after_help = "\
Exit status: 0 done, 1 failed, 2 wrong usage, 124 the guest was stopped at --timeout, 134 it trapped.
For check, verify and compare, which are questions, 1 is no, and 2 also that there is no answer.

Examples:
  lithify compile westend.json -o westend.so
  lithify run westend.so Core_version
  lithify run block.json
  lithify bench"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Print errors only, and what was asked for by name: --json, --profile, --time, text to standard
    /// output.
    #[arg(short, long, global = true)]
    quiet: bool,
}

#[derive(Subcommand)]
enum Command {
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
    Completions(shell::Completions),
    Man(shell::Manual),
    #[command(hide = true)]
    BenchWorker(bench::Worker),
}

fn main() -> ExitCode {
    panics::say_what_they_are();
    refusal::refuse_with_words();
    let Cli { command, quiet } = Cli::parse();
    if quiet {
        output::be_quiet();
    }
    let question = matches!(command, Command::Check(_) | Command::Verify(_) | Command::Compare(_));
    if question {
        // 1 would be an answer.
        limit::exit_with(status::USAGE.into());
    }
    let result = match command {
        Command::Compile(command) => command.execute(),
        Command::Inspect(command) => command.execute(),
        Command::Check(command) => command.execute(),
        Command::Run(command) => command.execute(),
        Command::BuildBlock(command) => command.execute(),
        Command::Bench(command) => command.execute(),
        Command::Compare(command) => command.execute(),
        Command::Verify(command) => command.execute(),
        Command::Soak(command) => command.execute(),
        Command::Workloads(command) => command.execute(),
        Command::Wast(command) => command.execute(),
        Command::Completions(command) => command.execute(),
        Command::Man(command) => command.execute(),
        Command::BenchWorker(command) => command.execute(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<output::ReaderLeft>() => ExitCode::SUCCESS,
        Err(error) => {
            output::error(&error);
            ExitCode::from(status::of(&error, question))
        }
    }
}
