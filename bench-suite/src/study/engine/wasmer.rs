//! Wasmer, by its own command; each compiler is an option of it, where it was built with that compiler.

use super::{Engine, Guest, Mode, Program};
use std::path::Path;
use std::process::Command;

const JIT: Engine = Engine {
    name: "wasmer",
    about: "Cranelift, at each start",
    mode: Mode::Jit,
    original: Some("wasmer"),
    program: Program::OnPath("wasmer", &["--version"]),
    get: "cargo install wasmer-cli --features cranelift,singlepass --locked",
    licence: "MIT",
    compile: None,
    run: |guest| run(guest, &["run", "--cranelift", "--disable-cache"]),
    said_ns: None,
};

pub(super) const ENGINES: &[Engine] = &[
    JIT,
    Engine {
        name: "wasmer-aot",
        about: "Cranelift, before",
        mode: Mode::AheadOfTime,
        original: None,
        compile: Some(compile),
        run: |guest| run(guest, &["run"]),
        ..JIT
    },
    Engine {
        name: "wasmer-singlepass",
        about: "Singlepass, at each start",
        original: None,
        run: |guest| run(guest, &["run", "--singlepass", "--disable-cache"]),
        ..JIT
    },
];

fn compile(command: &Path, module: &Path, to: &Path) -> Command {
    let mut compile = Command::new(command);
    compile.args(["compile", "--cranelift", "-o"]).args([to, module]);
    compile
}

fn run(guest: &Guest<'_>, args: &[&str]) -> Command {
    let mut run = guest.command(args);
    run.args(guest.mapped("--volume=", ":/"));
    run.args(guest.variables().flat_map(|variable| ["--env".into(), variable]));
    run.arg(guest.program).arg("--").args(guest.args);
    run
}
