//! The ledger in Go, natively, as a worker.

use std::process::ExitCode;
use workers::native_go::NativeGo;

fn main() -> ExitCode {
    workers::main(NativeGo::open)
}
