//! The programs of `workloads/programs/`: every committed module does on Lithify what its manifest
//! says, as an image, and as an executable that needs no Lithify.

mod support;

use lithify_bench::program::{Prepared, Program, Programs, Run};
use std::{
    fs::{self, File},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};
use support::{outcome::succeeds, scratch, text};

const LITHIFY: &str = env!("CARGO_BIN_EXE_lithify");
const PROGRAMS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/workloads/programs");

fn programs() -> Programs {
    Programs::read(Path::new(PROGRAMS)).unwrap_or_else(|error| panic!("{error:#}"))
}

/// Standard input of a run.
fn stdin(prepared: &Prepared) -> Stdio {
    match &prepared.stdin {
        Some(path) => File::open(path).unwrap().into(),
        None => Stdio::null(),
    }
}

/// Runs a module by `lithify run`; images are kept in `cache`.
fn run(module: &Path, run: &Run, prepared: &Prepared, cache: &Path) -> Output {
    let mut command = Command::new(LITHIFY);
    command.arg("run").arg(module).env("LITHIFY_CACHE", cache);
    if let Some(directory) = &prepared.directory {
        command.arg("--dir").arg(format!("{}::/", directory.display()));
    }
    for (name, value) in &prepared.env {
        command.arg("--env").arg(format!("{name}={value}"));
    }
    if let Some(function) = &run.invoke {
        command.args(["--invoke", function, "--read-string"]);
    }
    command.arg("--").args(&prepared.args).stdin(stdin(prepared));
    command.output().unwrap()
}

#[track_caller]
fn check(run: &Run, what: &str, output: &Output) {
    let status = output.status.code().unwrap_or(-1);
    if let Err(error) = run.check(&output.stdout, &output.stderr, status) {
        panic!("{what}: {error:#}\n{}", text(&output.stdout));
    }
}

#[test]
fn every_committed_program_does_what_its_manifest_says() {
    let programs = programs();
    let cache = tempfile::tempdir().unwrap();
    let mut modules = 0;
    for program in &programs.programs {
        for module in &program.modules {
            modules += 1;
            let compiler = programs.compiler(&module.compiler).unwrap();
            let path = program.built(compiler).unwrap_or_else(|error| panic!("{error:#}"));
            for wanted in program.runs_of(compiler).filter(|run| run.tested) {
                let folder = tempfile::tempdir().unwrap();
                let prepared = wanted.prepare(program, folder.path()).unwrap();
                let what = format!("{} by {}, {}", program.name, compiler.name, wanted.name);
                check(wanted, &what, &run(&path, wanted, &prepared, cache.path()));
            }
        }
    }
    assert!(modules > 20, "{modules} modules");
}

/// The static library that cargo built beside this test.
fn library() -> PathBuf {
    let deps = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    let named = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("liblithify_program") && name.ends_with(".a")
    };
    let built = |path: &PathBuf| path.metadata().and_then(|data| data.modified()).ok();
    let paths = fs::read_dir(deps).unwrap().filter_map(|entry| Some(entry.ok()?.path()));
    paths.filter(named).max_by_key(built).expect("a static library")
}

/// Makes an executable of the Rust build of a program.
fn executable(program: &Program, more: &[&str]) -> PathBuf {
    let out = scratch(&format!("executable-{}", program.name));
    let module = program.folder.join("rust.wasm");
    let library = library();
    let paths = [&module, &library, &out].map(|path| path.to_str().unwrap());
    let [module, library, to] = paths;
    let arguments =
        ["compile", module, "--emit", "exe", "--target", "native", "--library", library];
    succeeds(&[&arguments[..], &["-o", to], more].concat(), &[]);
    assert_eq!(out.metadata().unwrap().permissions().mode() & 0o111, 0o111, "it can be started");
    out
}

#[test]
fn executables_run_without_lithify() {
    let programs = programs();
    // The last one opens a file, in the directory that it is started in.
    for (name, more) in [("quicksort", &[][..]), ("aes256", &[]), ("knn", &["--dir", ".::/"])] {
        let program = programs.program(name).unwrap();
        let executable = executable(program, more);
        let folder = tempfile::tempdir().unwrap();
        let run = &program.runs[0];
        let prepared = run.prepare(program, folder.path()).unwrap();
        let mut command = Command::new(executable);
        command.args(&prepared.args).env_clear().current_dir(folder.path());
        check(run, name, &command.stdin(stdin(&prepared)).output().unwrap());
    }
}

#[test]
fn an_executable_has_its_directories_alone_and_says_why_it_cannot_go_on() {
    let programs = programs();
    // No directory: the file is not there for it.
    let program = programs.program("people").unwrap();
    let out = executable(program, &[]);
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("people.txt"), lithify_bench::program::people(3)).unwrap();
    let mut command = Command::new(&out);
    let output = command.arg("people.txt").current_dir(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");

    let out = executable(program, &["--dir", "absent::/"]);
    let output = Command::new(&out).current_dir(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let message = text(&output.stderr);
    assert!(message.contains("cannot open the directory absent: No such file"), "{message}");

    let wat = scratch("traps.wat");
    fs::write(&wat, r#"(module (func $inner unreachable) (func (export "_start") call $inner))"#)
        .unwrap();
    let (out, library) = (scratch("traps"), library());
    let [wat, to, library] = [&wat, &out, &library].map(|path| path.to_str().unwrap());
    let of = |input| {
        ["compile", input, "--emit", "exe", "--target", "native", "--library", library, "-o", to]
    };
    for options in [&[][..], &["--debug-info"]] {
        succeeds(&[&of(wat)[..], options].concat(), &[]);
        let output = Command::new(&out).output().unwrap();
        assert_eq!(output.status.code(), Some(134));
        let message = text(&output.stderr);
        assert!(message.contains("unreachable executed\n  0: function 0 inner"), "{message}");
        let executable = fs::read(&out).unwrap();
        let has_lines = executable.windows(12).any(|bytes| bytes == b"module.wasm\0");
        assert_eq!(has_lines, !options.is_empty());
    }
}

/// What makes no executable is refused by what is wrong with it, and nothing is written.
#[test]
fn what_is_no_program_makes_no_executable() {
    let refuse = |wat: &str, more: &[&str], status: i32, message: &str| {
        let (path, out) = (scratch("refused.wat"), scratch("refused"));
        fs::write(&path, wat).unwrap();
        let [path, to] = [&path, &out].map(|path| path.to_str().unwrap());
        let mut command = Command::new(LITHIFY);
        command.args(["compile", path, "--emit", "exe", "--target", "native", "-o", to]).args(more);
        let output = command.env("CC", "/absent/cc").output().unwrap();
        let said = text(&output.stderr);
        assert!(said.contains(message), "{said}");
        assert_eq!(output.status.code(), Some(status), "{said}");
        assert!(!out.exists());
    };
    let program = r#"(module (func (export "_start")))"#;
    let library = library();
    let library = ["--library", library.to_str().unwrap()];
    refuse("(module)", &library, 1, "is no program, as it exports no function _start");
    let foreign = r#"(module (import "host" "f" (func)) (func (export "_start")))"#;
    refuse(
        foreign,
        &library,
        1,
        "imports host.f as a func () -> (), which WASI preview 1 does not",
    );
    let other = r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func))
        (func (export "_start")))"#;
    refuse(other, &library, 1, "imports wasi_snapshot_preview1.proc_exit as a func () -> ()");
    refuse(
        program,
        &["--library", "/absent/lib.a"],
        2,
        "--library: there is no file /absent/lib.a",
    );
    refuse(program, &library, 1, "cannot start the C compiler /absent/cc; CC names another");
    let compile = ["compile", "a.wasm", "--dir", "."];
    let output = Command::new(LITHIFY).args(compile).output().unwrap();
    assert!(text(&output.stderr).contains("--dir and --library go with --emit exe"));
}

#[test]
fn a_text_is_read_by_its_address() {
    let path = scratch("text.wat");
    let wat = r#"(module (memory 1) (data (i32.const 16) "a\1btext\00more") (data (i32.const 65530) "endles")
        (func (export "text") (result i32) i32.const 16)
        (func (export "endless") (result i32) i32.const 65530)
        (func (export "outside") (result i32) i32.const -1)
        (func (export "two") (result i32 i32) i32.const 1 i32.const 2))"#;
    fs::write(&path, wat).unwrap();
    let path = path.to_str().unwrap();
    let call = |function: &str, more: &[&str]| {
        let arguments = ["run", path, "--invoke", function, "--read-string"];
        let output = Command::new(LITHIFY).args(arguments).args(more).output().unwrap();
        (output.status.code(), text(&output.stdout) + &text(&output.stderr))
    };
    assert_eq!(call("text", &[]), (Some(0), "a\\u{1b}text\n".into()));
    let (_, json) = call("text", &["--json"]);
    assert!(json.contains(r#""string":"a\u001btext""#), "{json}");
    let (status, said) = call("endless", &[]);
    assert_eq!(status, Some(1));
    assert!(said.contains("endless returns 65530: no zero byte follows"), "{said}");
    assert_eq!(call("outside", &[]).0, Some(1));
    let (status, said) = call("two", &[]);
    assert_eq!(status, Some(2));
    assert!(said.contains("--read-string is for a function that returns an address"), "{said}");
}

/// What does not hold of preview 1, and why. Another answer than these is a change.
const DEVIATIONS: &[(&str, &str)] = &[
    ("file_allocate", "wasi-common has no fd_allocate, as not every system could: NOTSUP"),
    ("fd_fdstat_set_rights", "wasi-common has no rights that can be given up: NOTSUP"),
    ("path_rename_trailing_slashes", "cap-std takes the slash off the new name of a file"),
    ("remove_directory", "with a slash behind it: cap-std takes a/ for a/., which Linux keeps"),
    ("rights_are_not_gained", "a directory is one capability: its rights bound nothing in it"),
];

#[test]
fn preview_1_is_what_it_should_be() {
    let programs = programs();
    let (program, compiler) =
        (programs.program("preview1").unwrap(), programs.compiler("rust").unwrap());
    let (folder, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let asked = &program.runs[0];
    let prepared = asked.prepare(program, folder.path()).unwrap();
    let output = run(&program.built(compiler).unwrap(), asked, &prepared, cache.path());
    let said = text(&output.stdout);
    let of = |mark: &str| said.lines().filter(|line| line.starts_with(mark)).count();
    assert_eq!(output.status.code(), Some(1), "{said}{}", text(&output.stderr));
    for (name, reason) in DEVIATIONS {
        let is_wrong = said.contains(&format!("wrong {name}: "));
        assert!(is_wrong, "{name} holds now, and is listed, as {reason}");
    }
    assert_eq!(of("wrong "), DEVIATIONS.len(), "{said}");
    assert!(of("ok ") >= 50, "{said}");
    // Links that it made lead outside, if followed here; all else is where it should be.
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), of("ok ") + of("wrong "));
}

/// What the reader of people should find, by other means: awk.
#[test]
fn people_are_counted_apart() {
    let programs = programs();
    let program = programs.program("people").unwrap();
    for run in program.runs.iter().filter(|run| run.exit_status == 0) {
        let folder = tempfile::tempdir().unwrap();
        let made = run.people.as_ref().unwrap();
        run.prepare(program, folder.path()).unwrap();
        let file = folder.path().join(&made.file);
        let output = Command::new(program.folder.join("check")).arg(file).output().unwrap();
        check(run, &format!("people, {}", run.name), &output);
    }
}

/// What a compiler allocates shows in the module: the pair of escape programs, and a large local.
#[test]
fn allocations_and_calls_are_read_off_the_module() {
    let module = |program: &str, compiler: &str| format!("{PROGRAMS}/{program}/{compiler}.wasm");
    let inspect = |module: &str, more: &[&str]| {
        let output = succeeds(&[&["inspect", module][..], more].concat(), &[]).stdout;
        output.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>()
    };
    for compiler in ["tinygo-2-leaking", "tinygo-z-conservative"] {
        for (program, line) in [
            ("escape-pointer", "keep: 1 of 8 B"),
            ("escape-none", "pass: none"),
            ("escape-large", "sum: 1 of 80000 B"),
        ] {
            let lines = inspect(&module(program, compiler), &["--allocations"]);
            assert!(lines.iter().any(|found| found == line), "{program}: {lines:?}");
        }
    }
    let pointer = module("escape-pointer", "tinygo-2-leaking");
    let lines = inspect(&pointer, &["--calls=keep"]);
    assert!(lines.contains(&"keep -> main.leaf".into()), "{lines:?}");
    assert!(lines.contains(&"main.leaf -> runtime.alloc".into()), "{lines:?}");
    let graph = inspect(&pointer, &["--calls=keep", "--dot"]);
    assert_eq!(graph.first().map(String::as_str), Some("digraph calls {"), "{graph:?}");
    let json = inspect(&pointer, &["--allocations", "--json"]).concat();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let all = json["allocations"].as_array().unwrap();
    let keep = all.iter().find(|export| export["export"] == "keep").unwrap();
    let call =
        serde_json::json!({"function": "main.leaf", "allocator": "runtime.alloc", "bytes": 8});
    assert_eq!(keep["calls"], serde_json::json!([call]));
    let refused = support::outcome::lithify(&["inspect", &pointer, "--calls=absent"]);
    assert!(refused.stderr.contains("there is no function absent"), "{}", refused.stderr);
    assert_eq!(refused.status, 1);
}

/// A manifest that a change of a file, or of itself, made wrong is refused by what is wrong.
#[test]
fn manifests_are_checked() {
    let refuse = |compilers: &str, program: &str, message: &str| {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("p")).unwrap();
        fs::write(folder.path().join("compilers.toml"), compilers).unwrap();
        fs::write(folder.path().join("p/program.toml"), program).unwrap();
        fs::write(folder.path().join("p/c.wasm"), "other bytes").unwrap();
        let read = Programs::read(folder.path());
        let built = read.and_then(|all| all.programs[0].built(&all.compilers[0]));
        let error = format!("{:#}", built.expect_err(message));
        assert!(error.contains(message), "{error}");
    };
    let compiler = "[[compiler]]\nname = \"c\"\nlanguage = \"C\"\nsource = \"main.c\"\ntarget = \"w\"\n\
                    version = \"1\"\n";
    let program = |list: &str, more: &str| {
        format!("name = \"p\"\nabout = \"x\"\ncompilers = [{list}]\n[[run]]\nname = \"r\"\n{more}")
    };
    let module = "[[module]]\ncompiler = \"c\"\nlen-bytes = 3\nsha256 = \"00\"\n";
    refuse(&compiler.repeat(2), "", "two compilers have the same name");
    refuse(compiler, &program("\"d\"", ""), "there is no compiler d in compilers.toml");
    refuse(compiler, &program("\"c\"", "[[run]]\nname = \"r\""), "two runs have the same name");
    refuse(compiler, &program("\"c\"", "surprise = 1"), "unknown field `surprise`");
    refuse(compiler, &program("\"c\"", module), "it has 11 bytes of SHA-256");
    refuse(compiler, &program("\"c\"", ""), "`workloads/programs/build --all p` makes");
}

/// The generator makes the beginning of one file that never ends, with the fields that readers want.
#[test]
fn people_are_the_same_in_each_file() {
    let (short, long) = (lithify_bench::program::people(40), lithify_bench::program::people(4000));
    assert!(long.starts_with(&short));
    for line in long.lines() {
        let fields: Vec<&str> = line.split('|').collect();
        assert_eq!(fields.len(), 21, "{line}");
        assert!(fields[7].contains(", "), "{line}");
        assert!(fields[13].len() == 8 && fields[13].ends_with("2017"), "{line}");
    }
    let mean = long.len() / 4000;
    assert!((190..=215).contains(&mean), "{mean} bytes a line");
}
