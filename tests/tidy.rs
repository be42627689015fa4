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
    for forbidden in ["cranelift", "wasmparser", "lithify-compiler", "lithify-polkadot", "sp-"] {
        assert!(!dependencies("runtime-lib").contains(forbidden), "{forbidden}");
        assert!(!dependencies("runtime-lib/store").contains(forbidden), "{forbidden}");
    }
}

#[test]
fn unsafe_is_a_place() {
    for folder in [
        "compiler/src",
        "runtime-lib/abi/src",
        "runtime-lib/polkadot/src",
        "runtime-lib/store/src",
        "spec/src",
    ] {
        let lib = fs::read_to_string(root().join(folder).join("lib.rs")).unwrap();
        assert!(lib.contains("#![forbid(unsafe_code)]"), "{folder}");
    }
    for (path, text) in sources("src") {
        assert!(!text.contains("unsafe "), "{}", path.display());
    }
    let architecture = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let (_, section) = architecture.split_once("## Unsafe code").unwrap();
    let (listed, _) = section.split_once("None where").unwrap();
    let src = root().join("runtime-lib/src");
    for (path, text) in sources("runtime-lib/src") {
        let file = path.strip_prefix(&src).unwrap().to_str().unwrap();
        if !file.starts_with("sys/") && !file.ends_with("tests.rs") {
            let has_any = text.contains("unsafe {") || text.contains("unsafe impl");
            assert_eq!(has_any, quoted(listed).any(|name| name == file), "{file}");
        }
    }
    for (path, text) in sources("bench-suite/src") {
        let is_place = path.ends_with("engine/trusted.rs");
        assert!(is_place || !text.contains("unsafe "), "{}", path.display());
    }
}

/// Commands that read what they are given have no means to execute it.
#[test]
fn reading_is_not_running() {
    for file in [
        "commands/inspect.rs",
        "commands/inspect/toolchain.rs",
        "commands/check.rs",
        "commands/compile.rs",
        "commands/verify.rs",
        "commands/cache/export.rs",
        "commands/cache/fill.rs",
        "commands/cache/gc.rs",
        "commands/cache/import.rs",
        "commands/cache/list.rs",
        "commands/cache/remote.rs",
        "commands/cache/signature.rs",
        "commands/cache/verify.rs",
        "source.rs",
        "store.rs",
    ] {
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

/// The folders and files of the runtime library, from the floor to the roof. What is here imports what
/// is before it.
const RUNTIME: &[&str] =
    &["sys", "trap", "value", "image", "slot", "call", "host", "instance", "pool", "open"];

/// The same of the chain's host.
const POLKADOT: &[&str] = &[
    "hex",
    "validation",
    "pointer_size",
    "context",
    "functions",
    "call",
    "chain",
    "input",
    "author",
    "signatures",
    "native",
];

/// A slot holds the head of the list of its activations: the one circle.
const CIRCLE: (&str, &str) = ("slot.rs", "crate::call::activation::Activation");

/// Where the code of `file`, a path below the sources, climbs or leaves the stairs.
fn climbs(floors: &[&str], file: &str, text: &str) -> Vec<String> {
    let own = file.split(['/', '.']).next().unwrap();
    let floor = |name: &str| floors.iter().position(|floor| *floor == name);
    let own_floor = floor(own).unwrap_or_else(|| panic!("{file} is on no floor"));
    let code = text.split("#[cfg(test)]").next().unwrap();
    let is_import = |line: &&str| !line.trim_start().starts_with("//");
    let mut found = vec![];
    for line in code.lines().filter(is_import) {
        let outside = line.matches("super::").count() > file.matches('/').count();
        let mut names = line.split("crate::").skip(1);
        let down = names.all(|path| {
            let name = path.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap();
            floor(name).is_some_and(|other| other <= own_floor)
        });
        let circle = file == CIRCLE.0 && line.contains(CIRCLE.1);
        if outside || !(down || circle) {
            found.push(format!("{file}: {}", line.trim()));
        }
    }
    found
}

#[test]
fn imports_of_the_runtime_library_lead_down() {
    for (folder, floors) in [("runtime-lib/src", RUNTIME), ("runtime-lib/polkadot/src", POLKADOT)] {
        for (path, text) in sources(folder) {
            let file = path.strip_prefix(root().join(folder)).unwrap().to_str().unwrap();
            if file != "lib.rs" && !file.ends_with("tests.rs") {
                assert_eq!(climbs(floors, file, &text), [""; 0], "{folder}");
            }
        }
    }
    let up = "use crate::call::activation::Activation;";
    assert!(climbs(RUNTIME, "slot.rs", up).is_empty());
    for (file, line) in [
        ("slot/table.rs", up),
        ("sys/linux/signals.rs", "    let found = crate::slot::registry::find(1);"),
        ("image/load.rs", "use crate::Image;"),
        ("host/caller.rs", "use crate::{call, pool};"),
        ("call.rs", "use super::host;"),
        ("call/func.rs", "use super::super::host;"),
    ] {
        assert_eq!(climbs(RUNTIME, file, line).len(), 1, "{file}: {line}");
    }
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

/// The text between each pair of backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The files that `name` means: one, those in a folder, or those that a `*` stands for; from the
/// root, or from the folder of the file that was named before.
fn named(name: &str, before: Option<&PathBuf>) -> Vec<PathBuf> {
    let files = |folder: &Path| {
        let entries = fs::read_dir(folder).into_iter().flatten();
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file())
    };
    for base in [Some(root()), before.and_then(|file| file.parent())].into_iter().flatten() {
        let path = base.join(name);
        let found: Vec<PathBuf> =
            match name.rsplit('/').next().and_then(|last| last.split_once('*')) {
                _ if path.is_file() => vec![path],
                _ if path.is_dir() => files(&path).collect(),
                Some((start, end)) => files(path.parent().unwrap())
                    .filter(|file| {
                        let file = file.file_name().unwrap().to_string_lossy();
                        file.starts_with(start) && file.ends_with(end)
                    })
                    .collect(),
                None => vec![],
            };
        if !found.is_empty() {
            return found;
        }
    }
    panic!("there is no {name}");
}

#[test]
fn tests_that_documents_name_are_there() {
    for document in ["README.md", "THREATS.md"] {
        let text = fs::read_to_string(root().join(document)).unwrap();
        let mut table = vec![];
        let mut rows = 0;
        for line in text.lines() {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            match cells.len() {
                ..3 => table.clear(),
                _ if table.is_empty() => table = cells,
                count if table[count.min(table.len()) - 2] == "held by" => {
                    rows += 1;
                    check_names(document, cells[count - 2]);
                }
                _ => {}
            }
        }
        assert!(rows > 10, "{document}: {rows} rows");
    }
}

fn check_names(document: &str, cell: &str) {
    let mut files = vec![];
    let words = || quoted(cell).filter(|name| !name.contains(' '));
    for name in words().filter(|name| name.contains(['/', '.'])) {
        let more = named(name, files.last());
        files.extend(more);
    }
    let text = |file: &PathBuf| String::from_utf8_lossy(&fs::read(file).unwrap()).into_owned();
    let texts: Vec<String> = files.iter().map(text).collect();
    for name in words().filter(|name| !name.contains(['/', '.'])) {
        let is_there = texts.iter().any(|text| text.contains(&format!("fn {name}(")));
        assert!(is_there, "{document}: {name} is in none of the files beside it");
    }
}
