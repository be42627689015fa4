//! wasmer with Cranelift as a worker.

use std::process::ExitCode;
use wasmer_worker::Wasmer;

fn main() -> ExitCode {
    workers::main(Wasmer::cranelift)
}
