//! wasm2c and a C compiler, for this machine, as a worker.

use std::process::ExitCode;
use workers::wasm2c::Wasm2c;

fn main() -> ExitCode {
    workers::main(Wasm2c::strongest)
}
