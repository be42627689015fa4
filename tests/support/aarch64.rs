//! Builds programs for aarch64 and runs them under an emulator.
//!
//! Needs Debian's toolchain with its library's source, a cross compiler and qemu-user;
//! `scripts/test` installs them.

use super::scratch;
use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

pub const TARGET: &str = "aarch64-unknown-linux-gnu";
pub const GCC: &str = "aarch64-linux-gnu-gcc";

/// Builds `packages` of `examples/` and returns the folder of what was made.
pub fn build(packages: &[&str], object: Option<&Path>) -> PathBuf {
    let target_dir = scratch("examples-aarch64");
    super::build(&mut cargo(), &target_dir, packages, object);
    target_dir.join(TARGET).join("debug")
}

/// Debian's cargo, set up to make the standard library from its source: it has none for aarch64.
fn cargo() -> Command {
    let mut cargo = Command::new("/usr/bin/cargo");
    let path = format!("/usr/bin:{}", env::var("PATH").unwrap_or_default());
    cargo.arg("-Zbuild-std=std,panic_unwind").env("RUSTC_BOOTSTRAP", "1");
    cargo.env("PATH", path).env("CARGO_BUILD_TARGET", TARGET);
    cargo.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", GCC);
    for name in ["CARGO", "RUSTC", "RUSTUP_TOOLCHAIN"] {
        cargo.env_remove(name);
    }
    cargo
}

/// A program under the emulator, with 256 GiB of address space: it keeps a table of all addresses
/// that were ever mapped, and uses them again only when there are no others.
pub fn emulated(program: &Path) -> Command {
    let mut qemu = Command::new("qemu-aarch64");
    qemu.args(["-R", "0x4000000000", "-L", "/usr/aarch64-linux-gnu"]).arg(program);
    qemu
}
