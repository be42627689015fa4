//! wasm3, as a worker.

use std::process::ExitCode;
use workers::wasm3::Wasm3;

fn main() -> ExitCode {
    workers::main(Wasm3::open)
}
