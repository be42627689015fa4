//! WasmEdge, by its own command. It interprets what it compiled, too, unless it is told to run the code.
//! Written for 0.17, and run on no machine of ours yet: no registry has it.

use super::{Engine, Guest, Mode, Program};
use std::path::Path;
use std::process::Command;

const INTERPRETER: Engine = Engine {
    name: "wasmedge",
    about: "its interpreter",
    mode: Mode::Interpreter,
    original: Some("wasmedge"),
    program: Program::OnPath("wasmedge", &["--version"]),
    get: "its own releases; no registry has it",
    licence: "Apache-2.0",
    compile: None,
    run: |guest| run(guest, &[]),
    said_ns: None,
};

pub(super) const ENGINES: &[Engine] = &[
    INTERPRETER,
    Engine {
        name: "wasmedge-aot",
        about: "LLVM, before",
        mode: Mode::AheadOfTime,
        original: None,
        compile: Some(compile),
        run: |guest| run(guest, &["--run-mode=aot"]),
        ..INTERPRETER
    },
];

fn compile(command: &Path, module: &Path, to: &Path) -> Command {
    let mut compile = Command::new(command);
    compile.arg("compile").args([module, to]);
    compile
}

fn run(guest: &Guest<'_>, args: &[&str]) -> Command {
    let mut run = guest.command(args);
    run.args(guest.mapped("--dir=/:", ""));
    run.args(guest.variables().flat_map(|variable| ["--env".into(), variable]));
    run.arg(guest.program).args(guest.args);
    run
}
