//! An aarch64 image, made here, runs: under an emulator, by the library built for aarch64.
//!
//! Needs Debian's toolchain with its library's source, a cross compiler and qemu-user;
//! `scripts/test` installs them.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

#[test]
fn core_version_of_the_bundled_runtime() {
    let runtime = "workloads/solochain/solochain.compact.compressed.wasm";
    let image = Path::new(env!("CARGO_TARGET_TMPDIR")).join("solochain.aarch64.so");
    let target = "aarch64-unknown-linux-gnu";
    let image = image.to_str().unwrap();
    lithify(&["compile", runtime, "--target", target, "-o", image]);
    let native = lithify(&["run", runtime, "Core_version"]);

    let program = build();
    let emulated = Command::new("qemu-aarch64")
        .args(["-L", "/usr/aarch64-linux-gnu"])
        .args([program.as_os_str(), image.as_ref()])
        .output()
        .expect("qemu-aarch64 starts");
    assert_eq!(stdout(&emulated), stdout(&native));
}

/// Builds the example that needs no host, for aarch64 with the standard library from its source.
fn build() -> PathBuf {
    let target_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("aarch64");
    let built = Command::new("/usr/bin/cargo")
        .args(["build", "--locked", "--quiet", "--package", "lithify-runtime"])
        .args(["--example", "core_version", "--target", "aarch64-unknown-linux-gnu"])
        .arg("-Zbuild-std=std,panic_unwind")
        .env("RUSTC_BOOTSTRAP", "1")
        .env("PATH", format!("/usr/bin:{}", std::env::var("PATH").unwrap_or_default()))
        .env("CARGO_TARGET_DIR", &target_dir)
        .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", "aarch64-linux-gnu-gcc")
        .env_remove("RUSTC")
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("CARGO")
        .output()
        .expect("Debian's cargo starts");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    target_dir.join("aarch64-unknown-linux-gnu/debug/examples/core_version")
}

fn lithify(args: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_lithify")).args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
