//! node: V8, with node's own WASI. Its command has no form for modules, so it runs a script of ours.

use super::{Engine, Guest, Mode, Program};
use std::process::Command;

/// What runs a module in node.
const SCRIPT: &str = include_str!("node.mjs");

pub(super) const ENGINES: &[Engine] = &[Engine {
    name: "node",
    about: "V8: Liftoff at each start, TurboFan while it runs",
    mode: Mode::Jit,
    original: None,
    program: Program::OnPath("node", &["--version"]),
    get: "apt-get install nodejs, 20 or newer",
    licence: "MIT",
    compile: None,
    run,
    said_ns: None,
}];

fn run(guest: &Guest<'_>) -> Command {
    let variables = serde_json::to_string(guest.env).expect("text is JSON");
    let mut run = guest.command(&["--no-warnings", "--input-type=module", "--eval", SCRIPT, "--"]);
    run.arg(guest.program).arg(guest.mapped("", "").unwrap_or_default()).arg(variables);
    run.args(guest.args);
    run
}
