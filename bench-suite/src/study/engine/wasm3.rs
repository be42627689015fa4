//! wasm3, by its own command: the working directory is the program's, and it hands no environment on. Run on
//! no machine of ours yet: what registries have of it is its core without WASI.

use super::{Engine, Guest, Mode, Program};
use std::process::Command;

pub(super) const ENGINES: &[Engine] = &[Engine {
    name: "wasm3",
    about: "its interpreter",
    mode: Mode::Interpreter,
    original: None,
    program: Program::OnPath("wasm3", &["--version"]),
    get: "its own source; what registries have of it is without WASI",
    licence: "MIT",
    compile: None,
    run,
    said_ns: None,
}];

fn run(guest: &Guest<'_>) -> Command {
    let mut run = guest.command(&[]);
    run.arg(guest.program).args(guest.args);
    run
}
