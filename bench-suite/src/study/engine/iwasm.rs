//! iwasm, the command of WAMR. Which interpreter it has was decided when it was built, and its version does not
//! tell.

use super::{Engine, Guest, Mode, Program};
use std::process::Command;

pub(super) const ENGINES: &[Engine] = &[Engine {
    name: "iwasm",
    about: "the interpreter that it was built with, by default the fast one",
    mode: Mode::Interpreter,
    original: Some("iwasm"),
    program: Program::OnPath("iwasm", &["--version"]),
    get: "cmake -DWAMR_BUILD_BULK_MEMORY=1 on product-mini/platforms/linux of its source, which the \
          crate wamr-sys has",
    licence: "Apache-2.0 WITH LLVM-exception",
    compile: None,
    run,
    said_ns: None,
}];

fn run(guest: &Guest<'_>) -> Command {
    let mut run = guest.command(&[]);
    // Old ones know no names but the host's, and this is the working directory.
    run.args(guest.directory.map(|_| "--dir=."));
    run.args(guest.variables().map(|variable| format!("--env={variable}")));
    run.arg(guest.program).args(guest.args);
    run
}
