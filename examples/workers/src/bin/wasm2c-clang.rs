//! wasm2c and clang, for this machine, as a worker.

use std::process::ExitCode;
use workers::wasm2c::Wasm2c;

fn main() -> ExitCode {
    workers::main(Wasm2c::clang)
}
