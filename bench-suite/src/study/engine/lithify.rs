//! Lithify: images, and executables that need no Lithify.

use super::{Engine, Guest, Mode, Program};
use std::path::Path;
use std::process::Command;

const IMAGE: Engine = Engine {
    name: "lithify",
    about: "an image by Cranelift, in the runtime library",
    mode: Mode::AheadOfTime,
    original: None,
    program: Program::Ours,
    get: "cargo install --path .",
    licence: "Apache-2.0",
    compile: Some(image),
    run: run_image,
    said_ns: Some(said_ns),
};

pub(super) const ENGINES: &[Engine] = &[
    IMAGE,
    Engine {
        name: "lithify-exe",
        about: "the same code, linked with the runtime library to an executable",
        compile: Some(executable),
        run: run_executable,
        said_ns: None,
        ..IMAGE
    },
];

fn image(command: &Path, module: &Path, to: &Path) -> Command {
    let mut compile = Command::new(command);
    compile.args(["--quiet", "compile", "--accept", "general", "--target", "native", "-o"]);
    compile.args([to, module]);
    compile
}

fn executable(command: &Path, module: &Path, to: &Path) -> Command {
    let mut compile = image(command, module, to);
    // Its directory is where it is started.
    compile.args(["--emit", "exe", "--dir", ".::/"]);
    compile
}

fn run_image(guest: &Guest<'_>) -> Command {
    let mut run = guest.command(&["run", "--time"]);
    run.args(guest.mapped("--dir=", "::/"));
    run.args(guest.variables().flat_map(|variable| ["--env".into(), variable]));
    run.arg(guest.program).arg("--").args(guest.args);
    run
}

fn run_executable(guest: &Guest<'_>) -> Command {
    let mut run = Command::new(guest.program);
    run.args(guest.args).envs(guest.env.iter().map(|(name, value)| (name, value)));
    run
}

/// What `--time` says of the call: `call 1.234 ms`, on a line of its own behind what the program wrote.
fn said_ns(stderr: &str) -> Option<u64> {
    let last = stderr.lines().rev().find(|line| line.trim_start().starts_with("call "))?;
    let ms = last.trim().strip_prefix("call ")?.trim().strip_suffix(" ms")?;
    Some((ms.trim().parse::<f64>().ok()? * 1e6).round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_call_is_read() {
        let said = "the program's own\ncall me\n      call      1.234 ms\n";
        assert_eq!(said_ns(said), Some(1_234_000));
        assert_eq!(said_ns("nothing of it"), None);
    }
}
