//! A worker of the suite as a program of its own, for tests of the suite: the command line of
//! Lithify is its own worker.

use std::process::ExitCode;

fn main() -> ExitCode {
    match lithify_bench::worker::main() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
