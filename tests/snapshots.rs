//! What the command line says, word for word: each `tests/cli/NAME.cmd` is a command and, behind a `#`,
//! its exit status; `NAME.stdout` and `NAME.stderr` are what it prints, absent for nothing. So is the
//! `--help` of every command. A `NAME.wat` is there, and its `NAME.wasm`, in the folder where they run.
//!
//! `BLESS=1 cargo test --workspace --test snapshots` writes what is printed now; the difference is there to be
//! read before it goes into a commit.

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};
use support::{commands, text};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli")
}

/// The files with this extension in a folder, by name.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|e| e == extension)).collect();
    files.sort();
    files
}

/// An empty folder with the files that commands name.
fn place(name: &str) -> PathBuf {
    let place = support::scratch("snapshots").join(name);
    let _ = fs::remove_dir_all(&place);
    fs::create_dir_all(&place).unwrap();
    for source in files(&folder(), "wat") {
        let text = place.join(source.file_name().unwrap());
        fs::copy(&source, &text).unwrap();
        fs::write(text.with_extension("wasm"), wat::parse_file(source).unwrap()).unwrap();
    }
    for source in files(&folder(), "wast") {
        fs::copy(&source, place.join(source.file_name().unwrap())).unwrap();
    }
    fs::write(place.join("empty"), "").unwrap();
    fs::write(place.join("component.wat"), "(component)").unwrap();
    fs::write(place.join("image.wat"), "(module binary \"\\7fELF\")").unwrap();
    fs::write(place.join("long.wat"), format!("({}module)", " ".repeat(1 << 20))).unwrap();
    fs::write(place.join("broken.wat"), "(module\n  (fun))\n").unwrap();
    fs::write(place.join("nothing.json"), "{}").unwrap();
    place
}

fn lithify(place: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lithify"))
        .args(args)
        .current_dir(place)
        .env("COLUMNS", "100")
        // No engine but those that are built in.
        .env("PATH", "/nonexistent")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// Text with what differs from run to run taken out: times.
fn steady(text: &str) -> String {
    let words = text.split_inclusive(' ');
    let mut after_in = false;
    words
        .map(|word| {
            let is_time = after_in && word.trim().parse::<f64>().is_ok();
            after_in = word == "in ";
            if is_time { "TIME ".to_owned() } else { word.to_owned() }
        })
        .collect()
}

/// The snapshots that differ; none where they are written.
fn compare(file: &Path, output: &Output) -> Vec<String> {
    let mut differences = Vec::new();
    for (extension, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
        let file = file.with_extension(extension);
        let said = steady(&text(bytes));
        let expected = fs::read_to_string(&file).unwrap_or_default();
        if said == expected {
            continue;
        }
        if std::env::var_os("BLESS").is_none() {
            differences.push(format!("{}\n--- expected\n{expected}--- is\n{said}", file.display()));
        } else if said.is_empty() {
            fs::remove_file(file).unwrap();
        } else {
            fs::write(file, said).unwrap();
        }
    }
    differences
}

#[track_caller]
fn all_are(differences: &[String]) {
    assert!(differences.is_empty(), "BLESS=1 takes these for right:\n{}", differences.join("\n\n"));
}

#[test]
fn messages() {
    let commands = files(&folder(), "cmd");
    assert!(commands.len() > 30, "{}", commands.len());
    let mut differences = Vec::new();
    for file in &commands {
        let name = file.file_stem().unwrap().to_str().unwrap();
        let case = fs::read_to_string(file).unwrap();
        let (line, status) = case.trim().split_once("\n# ").expect("a command, and its status");
        let args: Vec<&str> = line.split(' ').skip(1).collect();
        let output = lithify(&place(name), &args);
        if output.status.code() != status.parse().ok() {
            differences.push(format!("{line}: {:?}, not {status}", output.status));
        }
        differences.extend(compare(file, &output));
    }
    let known = |path: &PathBuf| path.with_extension("cmd").exists();
    let stale = ["stdout", "stderr"].map(|extension| files(&folder(), extension)).concat();
    differences.extend(
        stale
            .iter()
            .filter(|path| !known(path))
            .map(|path| format!("no command makes {}", path.display())),
    );
    all_are(&differences);
}

#[test]
fn help() {
    let place = place("help");
    let mut differences = Vec::new();
    let mut left = vec![Vec::new()];
    while let Some(command) = left.pop() {
        let args: Vec<&str> = command.iter().map(String::as_str).chain(["--help"]).collect();
        let output = lithify(&place, &args);
        assert!(output.status.success(), "{args:?}");
        let name = if command.is_empty() { "lithify".into() } else { command.join("-") };
        differences.extend(compare(&folder().join("help").join(name), &output));
        let below = commands(&text(&output.stdout));
        assert!(!command.is_empty() || below.len() > 5, "{below:?}");
        left.extend(below.into_iter().map(|name| [&command[..], &[name]].concat()));
    }
    all_are(&differences);
}
