//! iwasm with its fast interpreter, as a worker.

use std::process::ExitCode;
use workers::iwasm::Iwasm;

fn main() -> ExitCode {
    workers::main(Iwasm::open)
}
