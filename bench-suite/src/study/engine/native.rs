//! Programs as executables of this machine, by the compilers of their languages: the floor of all tables.

use super::{Engine, Guest, Mode, Program};
use std::process::Command;

pub(super) const ENGINES: &[Engine] = &[Engine {
    name: "native",
    about: "no engine: what the language's own compiler makes for this machine",
    mode: Mode::Native,
    original: Some("go"),
    program: Program::Itself,
    get: "workloads/programs/build",
    licence: "",
    compile: None,
    run,
    said_ns: None,
}];

fn run(guest: &Guest<'_>) -> Command {
    let mut command = Command::new(guest.program);
    command.args(guest.args).envs(guest.env.iter().map(|(name, value)| (name, value)));
    command
}
