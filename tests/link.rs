//! An object is a contract of its own: anyone's linker makes a program of it, with host functions
//! in C and in Rust.

mod support;

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};
use support::{RUNTIME, build, cc, compile, lithify, scratch, stdout, text};

const STUBS: &str = "examples/link/c/stubs.c";

static OBJECT: LazyLock<PathBuf> =
    LazyLock::new(|| compile("solochain.o", "obj", "x86_64-unknown-linux-gnu"));

/// The folder of the Rust examples and the static library.
static BUILT: LazyLock<PathBuf> = LazyLock::new(|| {
    let target_dir = scratch("examples");
    let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let packages = ["lithify-runtime", "embed", "link"];
    build(&mut Command::new(cargo), &target_dir, &packages, Some(&OBJECT));
    target_dir.join("debug")
});

fn c_compiler() -> String {
    env::var("CC").unwrap_or_else(|_| "cc".into())
}

#[test]
fn programs_call_the_runtime_that_is_linked_into_them() {
    let expected = lithify(&["run", RUNTIME, "Core_version"]);
    let c = scratch("link-c");
    let linked = cc(&c_compiler(), &BUILT, &OBJECT, Path::new(STUBS), &c);
    assert!(linked.status.success(), "{}", text(&linked.stderr));
    for program in [c, BUILT.join("link")] {
        assert_eq!(stdout(&mut Command::new(&program)), expected, "{program:?}");
        // A host function that is only a stub stops the guest and says its name.
        let trapped = Command::new(&program).arg("AuraApi_authorities").output().unwrap();
        assert_eq!(trapped.status.code(), Some(1), "{program:?}");
        let message = text(&trapped.stderr);
        let start = "AuraApi_authorities: host function failed: ext_storage_get_version_1 is not";
        assert!(message.starts_with(start), "{program:?}: {message}");
    }
}

/// The names that `nm` prints.
fn symbols(args: &[&str]) -> BTreeSet<String> {
    let listed = stdout(Command::new("nm").args(args).arg(&*OBJECT));
    listed.lines().filter_map(|line| Some(line.split_whitespace().last()?.to_owned())).collect()
}

#[test]
fn symbols_are_imports_exports_and_a_descriptor() {
    let json = lithify(&["inspect", RUNTIME, "--json"]);
    let said: serde_json::Value = serde_json::from_str(&json).unwrap();
    let functions = |list: &str| -> BTreeSet<String> {
        let items = said[list].as_array().unwrap().iter().map(|item| item.as_str().unwrap());
        let functions = items.filter_map(|item| Some(item.split_once(": func ")?.0));
        functions.map(|name| name.trim_start_matches("env.").to_owned()).collect()
    };
    assert_eq!(symbols(&["-u"]), functions("imports"));
    let mut defined = functions("exports");
    defined.insert("lithify_module".into());
    assert_eq!(symbols(&["-g", "--defined-only"]), defined);
}

#[test]
fn the_linker_names_the_host_function_that_is_missing() {
    let undefined = symbols(&["-u"]);
    let list = undefined.iter().map(String::as_str).collect::<Vec<_>>().join("\n  ");
    println!("symbols that a linker needs for {RUNTIME}:\n  {list}");

    let missing = "ext_storage_get_version_1";
    assert!(undefined.contains(missing), "not needed:\n  {list}");
    let stubs = fs::read_to_string(STUBS).unwrap();
    let others: Vec<&str> = stubs.lines().filter(|line| !line.contains(missing)).collect();
    let source = scratch("stubs-but-one.c");
    fs::write(&source, others.join("\n")).unwrap();

    let linked = cc(&c_compiler(), &BUILT, &OBJECT, &source, &scratch("link-but-one"));
    let message = text(&linked.stderr);
    assert!(!linked.status.success(), "linked without {missing}; needed:\n  {list}");
    for symbol in &undefined {
        assert_eq!(message.contains(symbol), symbol == missing, "{symbol}: {message}\n  {list}");
    }
}
