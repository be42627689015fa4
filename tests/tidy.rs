//! The invariants of ARCHITECTURE.md that a test can hold.

use std::{
    fs,
    path::{Path, PathBuf},
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All Rust sources below `folder`, with their text.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = vec![];
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    assert!(!found.is_empty(), "{folder} has sources");
    found
}

fn manifest(folder: &str) -> String {
    fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap()
}

/// The part of a manifest that names what the crate itself needs.
fn dependencies(folder: &str) -> String {
    let manifest = manifest(folder);
    let from = manifest.find("[dependencies]").map(|at| &manifest[at..]).unwrap_or_default();
    from.split("\n[").next().unwrap_or_default().to_owned()
}

#[test]
fn crates_meet_only_in_the_contract() {
    assert!(!manifest("runtime-lib/abi").contains("[dependencies]"));
    assert!(!dependencies("compiler").contains("lithify-runtime"));
    for forbidden in ["cranelift", "wasmparser", "lithify-compiler"] {
        assert!(!dependencies("runtime-lib").contains(forbidden), "{forbidden}");
    }
}

#[test]
fn unsafe_is_a_place() {
    for folder in ["compiler/src", "runtime-lib/abi/src", "spec/src"] {
        let lib = fs::read_to_string(root().join(folder).join("lib.rs")).unwrap();
        assert!(lib.contains("#![forbid(unsafe_code)]"), "{folder}");
    }
    for (path, text) in sources("src").iter().chain(&sources("runtime-lib/src/polkadot")) {
        assert!(!text.contains("unsafe {"), "{}", path.display());
    }
    for (path, text) in sources("bench-suite/src") {
        assert!(
            !text.contains("unsafe {") || path.to_string_lossy().contains("measure"),
            "{}",
            path.display()
        );
    }
}

/// Commands that read what they are given have no means to execute it.
#[test]
fn reading_is_not_running() {
    for file in
        ["inspect.rs", "inspect/origin.rs", "check.rs", "compile.rs", "verify.rs", "source.rs"]
    {
        let text = fs::read_to_string(root().join("src").join(file)).unwrap();
        for means in ["Runtime::", "Image::", "Pool", "Instance", "Engine", "Workload"] {
            assert!(!text.contains(means), "{file} names {means}");
        }
    }
}

#[test]
fn each_thing_is_in_its_place() {
    for (path, text) in sources("compiler/src") {
        assert!(!text.contains("process::Command"), "{}", path.display());
    }
    for (path, text) in sources("runtime-lib/src") {
        let in_sys = path.to_string_lossy().contains("/sys");
        assert!(in_sys || !text.contains("libc::"), "{} calls the system", path.display());
    }
    let read = |path: &str| fs::read_to_string(root().join(path)).unwrap();
    let runner = read("bench-suite/src/runner.rs");
    assert!(!runner.contains("println!") && !runner.contains("print!"));
    assert!(!read("bench-suite/src/report.rs").contains("Instant::"));
}

#[test]
fn files_are_short_and_have_heads() {
    for folder in ["src", "compiler", "runtime-lib", "bench-suite", "spec", "tests"] {
        for (path, text) in sources(folder) {
            let lines = text.lines().count();
            assert!(lines <= 1000, "{}: {lines} lines", path.display());
            let start = text.lines().find(|line| !line.starts_with("#!")).unwrap_or_default();
            assert!(start.starts_with("//!"), "{} has no head", path.display());
        }
    }
}
