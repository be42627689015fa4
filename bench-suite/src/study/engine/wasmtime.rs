//! wasmtime, by its own command.

use super::{Engine, Guest, Mode, Program};
use std::path::Path;
use std::process::Command;

const JIT: Engine = Engine {
    name: "wasmtime",
    about: "Cranelift, at each start",
    mode: Mode::Jit,
    original: Some("wasmtime"),
    program: Program::OnPath("wasmtime", &["--version"]),
    get: "cargo install wasmtime-cli --locked",
    licence: "Apache-2.0 WITH LLVM-exception",
    compile: None,
    run: |guest| run(guest, &["run", "-C", "cache=n"]),
    said_ns: None,
};

pub(super) const ENGINES: &[Engine] = &[
    JIT,
    Engine {
        name: "wasmtime-aot",
        about: "Cranelift, before",
        mode: Mode::AheadOfTime,
        original: None,
        compile: Some(compile),
        run: |guest| run(guest, &["run", "--allow-precompiled"]),
        ..JIT
    },
    Engine {
        name: "wasmtime-winch",
        about: "Winch, a compiler of one pass, at each start",
        original: None,
        run: |guest| run(guest, &["run", "-C", "cache=n,compiler=winch"]),
        ..JIT
    },
];

fn compile(command: &Path, module: &Path, to: &Path) -> Command {
    let mut compile = Command::new(command);
    compile.args(["compile", "-o"]).args([to, module]);
    compile
}

fn run(guest: &Guest<'_>, args: &[&str]) -> Command {
    let mut run = guest.command(args);
    run.args(guest.mapped("--dir=", "::/"));
    run.args(guest.variables().flat_map(|variable| ["--env".into(), variable]));
    run.arg(guest.program).args(guest.args);
    run
}
