//! wasmtime 49, as the suite sets up its own, as a worker.

use std::process::ExitCode;
use wasmtime_worker::Wasmtime;

fn main() -> ExitCode {
    workers::main(Wasmtime::resident)
}
