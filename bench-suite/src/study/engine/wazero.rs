//! wazero, by its own command. Its compiler keeps nothing between starts unless it is told to.

use super::{Engine, Guest, Mode, Program};
use std::process::Command;

const COMPILER: Engine = Engine {
    name: "wazero",
    about: "its own compiler in Go, at each start",
    mode: Mode::Jit,
    original: Some("wazero"),
    program: Program::OnPath("wazero", &["version"]),
    get: "go install github.com/tetratelabs/wazero/cmd/wazero@v1.12.0",
    licence: "Apache-2.0",
    compile: None,
    run: |guest| run(guest, &["run"]),
    said_ns: None,
};

pub(super) const ENGINES: &[Engine] = &[
    COMPILER,
    Engine {
        name: "wazero-interpreter",
        about: "its own interpreter in Go",
        mode: Mode::Interpreter,
        original: None,
        run: |guest| run(guest, &["run", "-interpreter"]),
        ..COMPILER
    },
];

fn run(guest: &Guest<'_>, args: &[&str]) -> Command {
    let mut run = guest.command(args);
    run.args(guest.mapped("-mount=", ":/"));
    run.args(guest.variables().flat_map(|variable| ["-env".into(), variable]));
    run.arg(guest.program).args(guest.args);
    run
}
