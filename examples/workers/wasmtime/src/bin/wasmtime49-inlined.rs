//! wasmtime 49, with functions inlined, as a worker.

use std::process::ExitCode;
use wasmtime_worker::Wasmtime;

fn main() -> ExitCode {
    workers::main(Wasmtime::inlined)
}
