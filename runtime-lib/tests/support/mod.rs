//! Modules in text form, loaded.

#![allow(dead_code, reason = "each test file uses a part of it")]

use lithify_compiler::{Options, Profile, Target};
use lithify_runtime::{Image, Imports, Instance, InstanceOptions, MemoryPlan, Pool, Trust};
use std::path::Path;
use std::process::Command;

/// A program for this machine, which an emulator has to start if cargo runs tests by one.
pub fn program(path: &Path) -> Command {
    let runner = std::env::var_os("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER");
    match runner.filter(|_| cfg!(target_arch = "aarch64")) {
        Some(emulator) => {
            let mut command = Command::new(emulator);
            command.arg(path);
            command
        }
        None => Command::new(path),
    }
}

/// This test program once more, for its test `name` alone, with so much memory of its own, in KiB.
pub fn limited(name: &str, kib: u32) -> Command {
    let this = program(&std::env::current_exe().expect("a program"));
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("ulimit -d {kib} && exec \"$@\""), "sh"])
        .arg(this.get_program())
        .args(this.get_args())
        .args(["--exact", name, "--nocapture"]);
    command
}

fn options() -> Options {
    let profile = Some(Profile::General);
    Options { target: Target::host(), profile, jobs: 1, ..Options::default() }
}

fn parse(wat: &str) -> Vec<u8> {
    wat::parse_str(wat).expect("a module in text form")
}

/// Compiles a module in text form for this machine.
pub fn compile(wat: &str) -> Vec<u8> {
    lithify_compiler::compile_image(&parse(wat), &options()).expect("a module that compiles")
}

/// Compiles a module in text form for this machine, with debug information.
pub fn compile_debug(wat: &str) -> Vec<u8> {
    let options = Options { debug_info: true, ..options() };
    lithify_compiler::compile_image(&parse(wat), &options).expect("a module that compiles")
}

/// Compiles a module in text form into an object for this machine.
pub fn compile_object(wat: &str) -> Vec<u8> {
    lithify_compiler::compile_object(&parse(wat), &options()).expect("a module that compiles")
}

/// The header of that object.
pub fn header(wat: &str) -> String {
    lithify_compiler::header(&parse(wat), &options()).expect("a module with a header")
}

/// Loads a module in text form.
pub fn load(wat: &str, imports: &Imports) -> Image {
    Image::from_bytes(&compile(wat), imports, Trust::Verify).expect("an image that loads")
}

/// A pool of instances of a module in text form.
pub fn pool(wat: &str, imports: &Imports) -> Pool {
    Pool::new(&load(wat, imports), &InstanceOptions::default()).expect("a pool")
}

/// As [`pool`], with memory as `plan` says.
pub fn pool_with(wat: &str, imports: &Imports, plan: MemoryPlan) -> Pool {
    let options = InstanceOptions { memory: plan, ..InstanceOptions::default() };
    Pool::new(&load(wat, imports), &options).expect("a pool")
}

/// A fresh instance of a module in text form that imports nothing.
pub fn instance(wat: &str) -> Instance {
    pool(wat, &Imports::new()).instance().expect("an instance")
}
