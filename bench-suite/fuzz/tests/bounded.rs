//! The fuzzer as the gate runs it: few inputs, always the same ones, and every case that was kept.

#[path = "../../tests/support/emulator.rs"]
mod emulator;

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// So many inputs, or fewer under the emulator, which takes ten times as long.
fn count(inputs: u64) -> u64 {
    if cfg!(target_arch = "aarch64") { inputs * 2 / 5 } else { inputs }
}

fn fuzz(arguments: &[&str]) -> Output {
    let program = Path::new(env!("CARGO_BIN_EXE_lithify-fuzz"));
    let mut command = match emulator::emulator() {
        None => Command::new(program),
        Some(emulator) => {
            let mut command = Command::new(emulator);
            command.arg(program);
            command
        }
    };
    let output = command.args(arguments).output().expect("the program starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Runs inputs of one kind, and returns what was covered.
fn check(arguments: &[&str]) -> serde_json::Value {
    let folder = std::env::temp_dir().join(format!("lithify-fuzz-{}", std::process::id()));
    let folder = folder.to_str().expect("a folder with a name of characters");
    let mut all = [arguments, &["--time", "600", "--json", "--keep", folder]].concat();
    let emulator =
        emulator::emulator().map(|name| name.into_string().expect("a name of characters"));
    all.extend(emulator.iter().flat_map(|emulator| ["--runner", emulator]));
    let output = fuzz(&all);
    serde_json::from_slice(&output.stdout).expect("one object")
}

#[test]
fn engines_agree_on_modules() {
    let modules = count(400);
    let report = check(&["--seed", "7", "--count", &modules.to_string()]);
    println!("{report}");
    let of = |field: &str| report[field].as_u64().expect("a number");
    assert!(
        of("inputs") > modules * 3 / 4 && of("runs") > 2 * of("inputs"),
        "on more than two engines"
    );
    let (calls, traps) = (of("calls"), of("traps"));
    assert!(
        calls > 3 * modules && traps > modules / 4 && traps < calls * 9 / 10,
        "the modules do something"
    );
}

#[test]
fn parsers_answer_whatever_they_read() {
    let files = count(40_000);
    let report = check(&["parsers", "--seed", "7", "--count", &files.to_string()]);
    println!("{report}");
    assert_eq!(report["inputs"], files);
}

#[test]
fn no_shape_is_dear_to_compile() {
    let recipes = count(60);
    let count = recipes.to_string();
    let report = check(&["cost", "--seed", "7", "--count", &count, "--size", "40000"]);
    for worst in report["worst"].as_array().expect("a list").iter().take(5) {
        println!("{}: {}", worst[0], worst[2]);
    }
    assert_eq!(report["recipes"], recipes);
}

#[test]
fn kept_cases_stay_fixed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let entries = std::fs::read_dir(folder).expect("the folder of cases");
    let mut cases: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    cases.sort();
    assert!(!cases.is_empty(), "cases are kept");
    // A process each: one that limits its memory is of no use to a module.
    for case in cases {
        fuzz(&["replay", case.to_str().expect("a name of characters")]);
    }
}
