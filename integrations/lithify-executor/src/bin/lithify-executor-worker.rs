//! The worker as a program of its own, for nodes whose `main` does not ask
//! [`worker::run_if_asked`].

use lithify_executor::worker;
use std::process::ExitCode;

fn main() -> ExitCode {
    worker::run_if_asked();
    eprintln!("error: this program compiles runtimes for a node, which starts it");
    ExitCode::from(2)
}
