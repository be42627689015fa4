//! `lithify study`: cells with numbers or a reason, a study that goes on where it was killed, and results of
//! several machines together.

mod support;

use serde_json::Value;
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use support::text;

/// Writes "hello" and a line feed.
const HELLO: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write"
        (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "\08\00\00\00\06\00\00\00hello\n")
    (func (export "_start")
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 100)))))"#;

const COMPILERS: &str = r#"
[[compiler]]
name = "wat"
language = "text"
source = "main.wat"
target = "wasip1"
version = "by hand"

[[compiler]]
name = "shell-native"
language = "text"
source = "main.sh"
target = "native"
version = "by hand"
"#;

const STUDY: &str = r#"
name = "small"
about = "Two programs."
executions = 4
limit-s = 100
programs = "../programs"
engines = ["native", "lithify", "wasmedge"]

[[select]]
program = "hello"

[[select]]
program = "slow"
limit-s = 1

[[contrast]]
name = "the same"
base = { engine = "native" }
new = { engine = "native" }
"#;

/// A folder with two programs and a study of them: one writes a line, one takes half a minute.
fn tree(name: &str) -> PathBuf {
    let root = support::scratch("study").join(name);
    let _ = fs::remove_dir_all(&root);
    let program = |name: &str, compilers: &str, script: &str| {
        let [source, built] = ["workloads/programs", "target/programs"].map(|folder| {
            let folder = root.join(folder).join(name);
            fs::create_dir_all(&folder).unwrap();
            folder
        });
        let run = "[[run]]\nname = \"once\"\noutput-sha256 = \
            \"5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03\"\n";
        let manifest = format!("name = {name:?}\nabout = \"A\"\ncompilers = [{compilers}]\n{run}");
        fs::write(source.join("program.toml"), manifest).unwrap();
        let native = built.join("shell-native");
        fs::write(&native, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&native, fs::Permissions::from_mode(0o755)).unwrap();
        built
    };
    let hello = program("hello", r#""wat", "shell-native""#, "echo hello");
    fs::write(hello.join("wat.wasm"), wat::parse_str(HELLO).unwrap()).unwrap();
    program("slow", r#""shell-native""#, "exec sleep 29.9");
    fs::write(root.join("workloads/programs/compilers.toml"), COMPILERS).unwrap();
    fs::create_dir_all(root.join("workloads/studies")).unwrap();
    fs::write(root.join("workloads/studies/small.toml"), STUDY).unwrap();
    root
}

fn study(root: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lithify"));
    command.arg("study").args(args).current_dir(root).env_remove("LITHIFY");
    // What a kill leaves goes with the tests.
    let temporary = root.join("tmp");
    fs::create_dir_all(&temporary).unwrap();
    command.env("TMPDIR", temporary);
    // No engines but the system's.
    command.env("PATH", "/usr/bin:/bin").stdin(Stdio::null());
    command
}

#[track_caller]
fn done(root: &Path, args: &[&str]) -> String {
    let output = study(root, args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

#[track_caller]
fn refused(root: &Path, args: &[&str], status: i32) -> String {
    let output = study(root, args).output().unwrap();
    assert_eq!(output.status.code(), Some(status), "{args:?}: {}", text(&output.stderr));
    text(&output.stderr)
}

fn records(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

const FILE: &str = "workloads/studies/small.toml";

#[test]
fn a_cell_has_numbers_or_a_reason() {
    let root = tree("whole");
    let cells = done(&root, &[FILE, "--list"]);
    let expected = "hello/once/wat/lithify\nhello/once/wat/wasmedge\n\
        hello/once/shell-native/native\nslow/once/shell-native/native\n";
    assert_eq!(cells, expected);
    let said = done(&root, &[FILE, "-o", "out"]);
    let summary = "2 of 4 cells measured, 1 need what is not here, 1 took too long; the page is out/study.html";
    assert_eq!(said, format!("small: {summary}\n"));
    let kept = records(&root.join("out/results.jsonl"));
    assert_eq!(kept.len(), 4);
    let ours = &kept[0]["outcome"]["measured"];
    assert_eq!(ours["executions"].as_array().unwrap().len(), 4);
    let starts = ours["program_ns"].as_array().unwrap();
    let wall = ours["executions"][0][0].as_u64().unwrap();
    assert!(starts[0].as_u64().unwrap() > 0 && starts[0].as_u64().unwrap() < wall, "{ours}");
    assert!(ours["sizes"]["code"].as_u64().unwrap() > 0, "{ours}");
    let has_calls = ours["calls"]["all_threads"]["execve"] == 1;
    assert!(has_calls || ours["left_out"].to_string().contains("system calls"), "{ours}");
    let absent = kept[1]["outcome"]["absent"]["reason"].as_str().unwrap();
    assert!(absent.starts_with("there is no command wasmedge on PATH; get it by "), "{absent}");
    let late = kept[3]["outcome"]["late"]["reason"].as_str().unwrap();
    assert_eq!(late, "the program did not end within 1 s");
    let page = fs::read_to_string(root.join("out/study.html")).unwrap();
    assert!(page.contains("2 of 4 cells measured") && !page.contains("<script"), "{page}");
    let lines = fs::read_to_string(root.join("out/results.csv")).unwrap();
    let columns = lines.lines().map(|line| line.split(',').count());
    assert_eq!(lines.lines().count(), 5);
    assert!(columns.clone().take(2).all(|count| count == columns.clone().next().unwrap()));
}

#[test]
fn wrong_output_has_no_times() {
    let root = tree("wrong");
    let native = root.join("target/programs/hello/shell-native");
    fs::write(&native, "#!/bin/sh\necho hullo\n").unwrap();
    let said = done(&root, &[FILE, "--cell", "hello/once/shell-native/native", "-o", "out"]);
    assert_eq!(said, "small: 0 of 1 cells measured, 1 failed\n");
    let kept = records(&root.join("out/cells/hello.once.shell-native.native.json"));
    let why = kept[0]["outcome"]["failed"]["reason"].as_str().unwrap();
    assert!(why.contains("once: its output has SHA-256 "), "{why}");
}

/// Starts the study and returns in the middle of its last cell.
fn in_the_last_cell(root: &Path) -> Child {
    let running = study(root, &[FILE, "-o", "out"]).stderr(Stdio::piped()).spawn().unwrap();
    let cells = || {
        let names = fs::read_dir(root.join("out/cells")).into_iter().flatten();
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>()
    };
    let began = Instant::now();
    while cells().iter().filter(|name| name.ends_with(".json")).count() < 3 {
        assert!(began.elapsed() < Duration::from_secs(100), "{:?}", cells());
        std::thread::sleep(Duration::from_millis(20));
    }
    running
}

#[test]
fn an_interrupt_does_not_wait_for_the_cell() {
    let root = tree("interrupted");
    let of = root.join(FILE);
    let text_of = fs::read_to_string(&of).unwrap();
    fs::write(&of, text_of.replace("limit-s = 1\n", "limit-s = 100\n")).unwrap();
    let running = in_the_last_cell(&root);
    let began = Instant::now();
    let kill = Command::new("kill").args(["-INT", &running.id().to_string()]).status();
    assert!(kill.unwrap().success());
    let output = running.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    // Its program alone takes half a minute.
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    let said = text(&output.stderr);
    assert!(said.contains("interrupted after 3 of 4 cells; the same command "), "{said}");
    assert_eq!(records(&root.join("out/results.jsonl")).len(), 3);
}

#[test]
fn a_study_that_was_killed_goes_on() {
    let root = tree("killed");
    let mut running = in_the_last_cell(&root);
    running.kill().unwrap();
    running.wait().unwrap();
    let kept = root.join("out/cells/hello.once.wat.lithify.json");
    let before = fs::read(&kept).unwrap();
    done(&root, &[FILE, "-o", "out"]);
    assert_eq!(fs::read(&kept).unwrap(), before, "it was measured again");
    assert_eq!(records(&root.join("out/results.jsonl")).len(), 4);
    // What is measured is another program now.
    let native = root.join("target/programs/hello/shell-native");
    fs::write(&native, "#!/bin/sh\necho hello # again\n").unwrap();
    let kept = root.join("out/cells/hello.once.shell-native.native.json");
    let before = fs::read(&kept).unwrap();
    done(&root, &[FILE, "--cell", "3", "-o", "out"]);
    assert_ne!(fs::read(&kept).unwrap(), before, "it was not measured again");
}

#[test]
fn results_of_machines_are_joined() {
    let root = tree("merge");
    done(&root, &[FILE, "--cell", "1", "--cell", "2", "-o", "first"]);
    done(&root, &[FILE, "--cell", "hello/once/shell-native/native", "-o", "second"]);
    let second = "second/cells/hello.once.shell-native.native.json";
    let said = done(&root, &["merge", "first", second, "--study", FILE, "-o", "both"]);
    assert!(said.starts_with("small: 2 of 3 cells measured, 1 need what is not here; "), "{said}");
    let again = done(&root, &["merge", "both", "--study", FILE, "-o", "again"]);
    assert_eq!(again, said.replace("both", "again"));
    for name in ["results.jsonl", "results.md", "results.csv", "study.html"] {
        let [one, two] = ["both", "again"].map(|dir| fs::read(root.join(dir).join(name)).unwrap());
        assert_eq!(one, two, "{name}");
    }
    // A second measurement of a cell, and one of an emulator.
    done(&root, &[FILE, "--cell", "1", "-o", "third"]);
    let twice = refused(&root, &["merge", "first", "third", "-o", "no"], 1);
    let said = "error: first and third both have hello/once/wat/lithify on ";
    assert!(twice.starts_with(said) && twice.ends_with("; leave one of them out\n"), "{twice}");
    let record = fs::read_to_string(root.join(second)).unwrap();
    let (head, executions) = record.split_once("\"executions\":[").unwrap();
    let (_, tail) = executions.split_once("]]").unwrap();
    fs::write(root.join("empty.jsonl"), format!("{head}\"executions\":[]{tail}")).unwrap();
    let empty = refused(&root, &["merge", "first", "empty.jsonl", "-o", "no"], 1);
    assert_eq!(empty, "error: empty.jsonl, line 1: it was measured, and has no execution\n");
    let emulated = record.replace("\"emulated\":false", "\"emulated\":true");
    fs::write(root.join("emulated.jsonl"), emulated).unwrap();
    let emulated = refused(&root, &["merge", "first", "emulated.jsonl", "-o", "no"], 1);
    assert_eq!(
        emulated,
        "error: emulated.jsonl: hello/once/shell-native/native was measured under an emulator, whose \
         times are none of a machine's; leave it out\n"
    );
    assert!(!root.join("no").exists(), "something was written");
}

#[test]
fn bad_studies_are_refused_with_one_message() {
    let root = tree("bad");
    let cell = refused(&root, &[FILE, "--cell", "9", "-o", "out"], 2);
    let said = "error: small has no cell 9; it has 1 to 4, and `--list` has their names\n";
    assert_eq!(cell, said);
    let bad = root.join("workloads/studies/bad.toml");
    for (from, to, said) in [
        (
            "lithify\", ",
            "v8\", ",
            "program hello: there is no engine v8; `lithify engines` lists them",
        ),
        ("\"hello\"", "\"hullo\"", "program hullo: there is no program hullo"),
        ("executions = 4", "executions = 0", "executions is 0, but a cell is run once at least"),
        ("limit-s = 100", "limit-s = -1", "limit-s is -1, and not a time of up to a year"),
        ("limit-s = 100", "limit-s = 1e19", "limit-s is 10000000000000000000, and not a time"),
        (
            "executions = 4",
            "executions = \"x\"",
            "column 14: invalid type: string \"x\", expected u32\n",
        ),
        (
            "program = \"slow\"",
            "program = \"slow\"\nruns = [\"two\"]",
            "program slow: it has no run two",
        ),
        (
            "program = \"slow\"",
            "program = \"hello\"",
            "it has hello/once/shell-native/native twice",
        ),
        ("executions", "executoins", "unknown field `executoins`"),
    ] {
        fs::write(&bad, STUDY.replace(from, to)).unwrap();
        let message = refused(&root, &["workloads/studies/bad.toml", "-o", "out"], 1);
        let is_one = message.starts_with("error: workloads/studies/bad.toml: ");
        assert!(is_one && message.contains(said), "{message}");
        assert!(!root.join("out").exists(), "{message}");
    }
}

/// The tables of a document in Markdown: heading and lines.
fn tables(text: &str) -> Vec<(&str, &str)> {
    let parts = text.split("\n### ").skip(1);
    let tables = parts.filter_map(|part| {
        let (heading, rest) = part.split_once("\n\n")?;
        let len: usize =
            rest.split_inclusive('\n').take_while(|l| l.starts_with('|')).map(str::len).sum();
        (len > 0).then_some((heading, rest[..len].trim_end()))
    });
    tables.collect()
}

/// Each part of the findings has the tables of one study, by their headings in what is made of its data.
#[test]
fn findings_stand_on_the_committed_data() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = root.join("workloads/studies/FINDINGS.md");
    let said = fs::read_to_string(&path).unwrap();
    let mut right = said.clone();
    for name in ["quick", "large"] {
        let (_, part) = said.split_once(&format!("\n## Tables of {name}\n")).expect(name);
        let part = part.split("\n## ").next().unwrap();
        let folder = support::scratch("study").join("findings").join(name);
        let _ = fs::remove_dir_all(&folder);
        let [data, file] =
            ["jsonl", "toml"].map(|extension| format!("workloads/studies/{name}.{extension}"));
        done(root, &["merge", &data, "--study", &file, "-o", folder.to_str().unwrap()]);
        let made = fs::read_to_string(folder.join("results.md")).unwrap();
        let made = tables(&made);
        let shown = tables(part);
        assert!(shown.len() >= 3, "{name}: {} tables", shown.len());
        for (heading, table) in shown {
            let found = made.iter().find(|(other, _)| *other == heading);
            let (_, wanted) = found.unwrap_or_else(|| panic!("{name} has no table {heading}"));
            right = right.replace(table, wanted);
        }
    }
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, right).unwrap();
    } else {
        assert_eq!(said, right, "BLESS=1 takes the tables from the data");
    }
}
