//! Makes the programs below `examples/`, for this machine or another one.

#![allow(dead_code, reason = "each test file uses a part of it")]

pub mod aarch64;
pub mod minisign;
pub mod outcome;

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Output},
};

pub const RUNTIME: &str = "workloads/solochain/solochain.compact.compressed.wasm";

/// The names in the list of commands of a help, if it has one.
pub fn commands(help: &str) -> Vec<String> {
    let list = help.split_once("Commands:\n").map(|(_, list)| list).unwrap_or_default();
    let lines = list.lines().take_while(|line| !line.is_empty());
    let names = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = names.filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

/// A file in the folder of what tests make.
pub fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// Compiles the bundled runtime to `name`, an object, its header or an image.
pub fn compile(name: &str, emit: &str, target: &str) -> PathBuf {
    let path = scratch(name);
    let out = path.to_str().expect("a path in UTF-8");
    outcome::succeeds(&["compile", RUNTIME, "--emit", emit, "--target", target, "-o", out], &[]);
    path
}

/// Builds Rust examples, one of which has `object` in it, or the static library, by a build of
/// their own: the library without the host of a chain needs few crates.
pub fn build(cargo: &mut Command, target_dir: &Path, packages: &[&str], object: Option<&Path>) {
    cargo
        .args(["build", "--quiet", "--locked", "--manifest-path", "examples/Cargo.toml"])
        .args(packages.iter().flat_map(|package| ["--package", package]))
        .env("CARGO_TARGET_DIR", target_dir);
    stdout(cargo.envs(object.map(|object| ("LITHIFY_OBJECT", object))));
}

/// Links `object`, a C source and the static library in `folder`. Headers are among what tests make.
pub fn cc(compiler: &str, folder: &Path, object: &Path, source: &Path, program: &Path) -> Output {
    Command::new(compiler)
        .args(["-Wall", "-Wextra", "-Werror", "-I", "runtime-lib/c-api/include", "-I"])
        .arg(env!("CARGO_TARGET_TMPDIR"))
        .arg("-L")
        .args([folder, object, source])
        .args(["-llithify_c_api", "-o"])
        .arg(program)
        .output()
        .unwrap_or_else(|error| panic!("{compiler}: {error}"))
}

/// What a command prints; it has to succeed.
pub fn stdout(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// Bytes as text.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
