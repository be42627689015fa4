//! wasmi, by its own command, which gives a directory to a program by the host's name only.

use super::{Engine, Guest, Mode, Program};
use std::process::Command;

const LAZY: Engine = Engine {
    name: "wasmi",
    about: "its interpreter; functions are translated when they are first called",
    mode: Mode::Interpreter,
    original: Some("wasmi"),
    program: Program::OnPath("wasmi", &["--version"]),
    get: "cargo install wasmi_cli --locked",
    licence: "MIT OR Apache-2.0",
    compile: None,
    run: |guest| run(guest, &["run"]),
    said_ns: None,
};

pub(super) const ENGINES: &[Engine] = &[
    LAZY,
    Engine {
        name: "wasmi-eager",
        about: "its interpreter; all functions are translated at the start",
        original: None,
        run: |guest| run(guest, &["run", "--compilation-mode=eager"]),
        ..LAZY
    },
];

fn run(guest: &Guest<'_>, args: &[&str]) -> Command {
    let mut run = guest.command(args);
    // Its working directory.
    run.args(guest.directory.map(|_| "--dir=."));
    run.args(guest.variables().map(|variable| format!("--env={variable}")));
    run.arg(guest.program).args(guest.args);
    run
}
