//! Builds programs for aarch64 and runs them under an emulator, in the environment that
//! `scripts/aarch64` makes.

use super::scratch;
use std::{
    path::{Path, PathBuf},
    process::Command,
};

pub const TARGET: &str = "aarch64-unknown-linux-gnu";
pub const GCC: &str = "aarch64-linux-gnu-gcc";

/// Whether to test on aarch64, for which the machine needs more than Rust. Says so where not.
pub fn wanted() -> bool {
    let targets = std::env::var("LITHIFY_TEST_TARGETS").unwrap_or_default();
    let wanted = targets.split([',', ' ']).any(|target| target == "aarch64");
    if !wanted {
        eprintln!("skipped: LITHIFY_TEST_TARGETS=aarch64, which scripts/test sets, asks for it");
    }
    wanted
}

/// Builds `packages` of `examples/` and returns the folder of what was made.
pub fn build(packages: &[&str], object: Option<&Path>) -> PathBuf {
    let target_dir = scratch("examples-aarch64");
    super::build(&mut command("cargo"), &target_dir, packages, object);
    target_dir.join(TARGET).join("debug")
}

/// A program under the emulator.
pub fn emulated(program: &Path) -> Command {
    let mut qemu = command("qemu-aarch64");
    qemu.arg(program);
    qemu
}

fn command(name: &str) -> Command {
    let mut command = Command::new("scripts/aarch64");
    command.arg(name);
    command
}
