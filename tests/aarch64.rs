//! Code for aarch64, made here, runs: under an emulator, loaded and linked by the library built
//! for aarch64.
//!
//! Needs Debian's toolchain with its library's source, a cross compiler and qemu-user;
//! `scripts/test` installs them.

mod support;

use std::path::Path;
use support::{
    RUNTIME,
    aarch64::{self, GCC, TARGET, emulated},
    cc, compile,
    outcome::succeeds,
    scratch, stdout, text,
};

#[test]
fn core_version_of_the_bundled_runtime() {
    if !aarch64::wanted() {
        return;
    }
    let image = compile("solochain.aarch64.so", "image", TARGET);
    let object = compile("solochain.aarch64.o", "obj", TARGET);
    compile("runtime.h", "header", TARGET);
    let folder = aarch64::build(&["lithify-c-api", "embed", "link"], Some(&object));
    let c = scratch("link-c.aarch64");
    let linked = cc(GCC, &folder, &object, Path::new("examples/link/c/stubs.c"), &c);
    assert!(linked.status.success(), "{}", text(&linked.stderr));

    let native = succeeds(&["run", RUNTIME, "Core_version"], &[]).stdout;
    let mut embed = emulated(&folder.join("embed"));
    assert_eq!(stdout(embed.arg(image)), native, "loaded from an image");
    assert_eq!(stdout(&mut emulated(&folder.join("link"))), native, "linked into a Rust program");
    assert_eq!(stdout(&mut emulated(&c)), native, "linked into a C program");
}
