//! wasmer with Singlepass, its compiler that does not optimise, as a worker.

use std::process::ExitCode;
use wasmer_worker::Wasmer;

fn main() -> ExitCode {
    workers::main(Wasmer::singlepass)
}
