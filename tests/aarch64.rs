//! Code for aarch64, made here, runs: under an emulator, loaded and linked by the library built
//! for aarch64.
//!
//! Needs Debian's toolchain with its library's source, a cross compiler and qemu-user;
//! `scripts/test` installs them.

mod support;

use std::{env, path::Path, process::Command};
use support::{RUNTIME, build, cc, compile, lithify, scratch, stdout, text};

const TARGET: &str = "aarch64-unknown-linux-gnu";
const GCC: &str = "aarch64-linux-gnu-gcc";

#[test]
fn core_version_of_the_bundled_runtime() {
    let image = compile("solochain.aarch64.so", "image", TARGET);
    let object = compile("solochain.aarch64.o", "obj", TARGET);
    let target_dir = scratch("examples-aarch64");
    build(&mut cargo(), &target_dir, &object);
    let folder = target_dir.join(TARGET).join("debug");
    let c = scratch("link-c.aarch64");
    let linked = cc(GCC, &folder, &object, Path::new("examples/link/c/stubs.c"), &c);
    assert!(linked.status.success(), "{}", text(&linked.stderr));

    let native = lithify(&["run", RUNTIME, "Core_version"]);
    let mut embed = emulated(&folder.join("embed"));
    assert_eq!(stdout(embed.arg(image)), native, "loaded from an image");
    assert_eq!(stdout(&mut emulated(&folder.join("link"))), native, "linked into a Rust program");
    assert_eq!(stdout(&mut emulated(&c)), native, "linked into a C program");
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

fn emulated(program: &Path) -> Command {
    let mut qemu = Command::new("qemu-aarch64");
    qemu.args(["-L", "/usr/aarch64-linux-gnu"]).arg(program);
    qemu
}
