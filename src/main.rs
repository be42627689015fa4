//! The command line of Lithify. The subcommands are in `commands/`; `main` reads the arguments
//! and ends.

#![warn(clippy::unwrap_used)]

mod bounds;
mod code_options;
mod commands;
mod load;
mod logger;
mod output;
mod panics;
mod source;
mod status;
mod store;
mod watch;

use clap::Parser;
use commands::Command;
use lithify_measure::Allocator;
use output::Plain;
use std::process::ExitCode;

/// Tells `bounds.rs` when memory is refused.
#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

/// Compiles Polkadot and Substrate runtimes ahead of time to native code, runs and measures them.
///
/// An INPUT is a runtime in any of its forms: WebAssembly, binary or text, the compressed form of a
/// chain, hex text of either, a raw chain spec, a block with its parent state, or `-` for standard
/// input.
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

fn main() -> ExitCode {
    panics::say_what_they_are();
    let Cli { command, quiet } = match Cli::try_parse() {
        Ok(cli) => cli,
        // Help and version are asked for, and have colours.
        Err(asked) if !asked.use_stderr() => asked.exit(),
        Err(wrong) => {
            // It repeats arguments, which may be anything: the same, said of what can be read.
            let plain = std::env::args_os().map(|a| Plain(&a.to_string_lossy()).to_string());
            let wrong = Cli::try_parse_from(plain).err().unwrap_or(wrong);
            output::usage(&wrong.render().to_string());
            return ExitCode::from(status::USAGE);
        }
    };
    if quiet {
        output::be_quiet();
    }
    let question = command.is_question();
    bounds::say_which(status::trouble(question));
    match command.execute() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<output::ReaderLeft>() => ExitCode::SUCCESS,
        Err(error) => {
            if !error.is::<status::Exit>() {
                output::error(&error);
            }
            ExitCode::from(status::of(&error, question))
        }
    }
}
