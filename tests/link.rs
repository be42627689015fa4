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
use support::{RUNTIME, build, cc, compile, outcome::succeeds, scratch, stdout, text};

const STUBS: &str = "examples/link/c/stubs.c";

static OBJECT: LazyLock<PathBuf> = LazyLock::new(|| {
    let target = "x86_64-unknown-linux-gnu";
    compile("runtime.h", "header", target);
    compile("solochain.o", "obj", target)
});

/// The folder of the Rust examples and the static library.
static BUILT: LazyLock<PathBuf> = LazyLock::new(|| {
    let target_dir = scratch("examples");
    let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let packages = ["lithify-c-api", "embed", "link"];
    build(&mut Command::new(cargo), &target_dir, &packages, Some(&OBJECT));
    target_dir.join("debug")
});

fn c_compiler() -> String {
    env::var("CC").unwrap_or_else(|_| "cc".into())
}

#[test]
fn programs_call_the_runtime_that_is_linked_into_them() {
    let expected = succeeds(&["run", RUNTIME, "Core_version"], &[]).stdout;
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
fn symbols(args: &[&str], object: &Path) -> BTreeSet<String> {
    let listed = stdout(Command::new("nm").args(args).arg(object));
    listed.lines().filter_map(|line| Some(line.split_whitespace().last()?.to_owned())).collect()
}

/// The global symbols that an object defines.
fn defined(object: &Path) -> BTreeSet<String> {
    symbols(&["-g", "--defined-only"], object)
}

#[test]
fn symbols_are_imports_and_a_descriptor() {
    let json = succeeds(&["inspect", RUNTIME, "--json"], &[]).stdout;
    let said: serde_json::Value = serde_json::from_str(&json).unwrap();
    let mut imports = BTreeSet::new();
    for item in said["imports"].as_array().unwrap() {
        let of = |key: &str| item[key].as_str().unwrap();
        assert_eq!(of("module"), "env");
        if of("type").starts_with("func ") {
            imports.insert(format!("lithify_import_env__{}", of("name")));
        }
    }
    assert_eq!(symbols(&["-u"], &OBJECT), imports);
    assert_eq!(defined(&OBJECT), BTreeSet::from(["lithify_module".into()]));
}

/// Compiles a module in text form to an object of that name, and makes its header.
fn object(name: &str, source: &str, options: &[&str]) -> PathBuf {
    let wasm = scratch(&format!("{name}.wasm"));
    fs::write(&wasm, wat::parse_str(source).unwrap()).unwrap();
    let made = scratch(&format!("{name}.o"));
    for (emit, path) in [("obj", &made), ("header", &scratch(&format!("{name}.h")))] {
        let (wasm, path) = (wasm.to_str().unwrap(), path.to_str().unwrap());
        let compile = ["compile", wasm, "--emit", emit, "-o", path, "--accept", "general"];
        succeeds(&[&compile[..], options].concat(), &[]);
    }
    made
}

/// Links `object` and a C program, and returns what the program prints, or else the linker.
fn program(name: &str, objects: &[&Path], source: &str) -> Result<String, String> {
    let (path, made) = (scratch(&format!("{name}-main.c")), scratch(name));
    fs::write(&path, source).unwrap();
    // An archive is one argument, whatever is in it.
    let all = scratch(&format!("{name}-all.o"));
    stdout(Command::new("ld").arg("-r").args(objects).arg("-o").arg(&all));
    let linked = cc(&c_compiler(), &BUILT, &all, &path, &made);
    if linked.status.success() {
        Ok(stdout(&mut Command::new(&made)))
    } else {
        Err(text(&linked.stderr))
    }
}

/// A program that calls an export of each module and frees what it allocated.
const CALLER: &str = r#"
    #include HEADER
    #include <stdio.h>
    #include <stdlib.h>
    int main(void) {
        void *own = malloc(8);
        lithify_pool *pool = lithify_pool_new(lithify_module, NULL);
        lithify_instance *instance = lithify_instance_new(pool, "run");
        lithify_value value;
        int status = lithify_call(instance, "run", &value, 1);
        free(own);
        printf("%d %d", status, value.i32);
        return 0;
    }"#;

/// Names of the program, of its C library and of the runtime library, and odd ones.
#[test]
fn what_a_module_calls_things_binds_nothing() {
    let exports =
        ["free", "malloc", "main", "lithify_module", "lithify_memory_grow", "$d", "_init"];
    let exports: String =
        exports.iter().map(|name| format!("(export {name:?} (func $trap))")).collect();
    let guest = format!(
        r#"(module (func $trap (unreachable)) {exports} (memory 1)
            (func (export "run") (result i32) (memory.grow (i32.const 1))))"#
    );
    let exporting = object("exports-free", &guest, &[]);
    assert_eq!(defined(&exporting), BTreeSet::from(["lithify_module".into()]));
    let source = CALLER.replace("HEADER", r#""exports-free.h""#);
    assert_eq!(program("exports-free-run", &[&exporting], &source).unwrap(), "0 1");

    let importing = object(
        "imports-system",
        r#"(module (import "env" "system" (func $system (result i32)))
            (import "*/ int x; /*" "\00\0a\u{e9}__" (func (param i32 i64 f32 f64) (result f64)))
            (func (export "run") (result i32) (call $system)))"#,
        &[],
    );
    let source = CALLER.replace("HEADER", r#""imports-system.h""#);
    let message = program("imports-system-run", &[&importing], &source).unwrap_err();
    assert!(message.contains("lithify_import_env__system"), "{message}");
    let host = "uint32_t LITHIFY_IMPORT(env, system)(uint8_t *base) { return (void)base, 42; }";
    let odd = "double lithify_import_Z2aZ2fZ20intZ20xZ3bZ20Z2fZ2a__Z00Z0aZc3Za9__(uint8_t *base,
        uint32_t a, uint64_t b, float c, double d) { (void)base; return a + b + c + d; }";
    let source = source.replace("int main", &format!("{host}\n{odd}\nint main"));
    assert_eq!(program("imports-system-run", &[&importing], &source).unwrap(), "0 42");
    // The header has the types.
    let wrong = source.replace("uint32_t LITHIFY_IMPORT", "uint64_t LITHIFY_IMPORT");
    let message = program("imports-system-run", &[&importing], &wrong).unwrap_err();
    assert!(message.contains("conflicting types"), "{message}");
}

#[test]
fn exports_are_symbols_where_they_are_asked_for() {
    let guest = r#"(module (func (export "a b") (param i32) (result i32) (local.get 0))
        (func (export "two")) (memory (export "m") 1))"#;
    let made = object("asked", guest, &["--export", "a b"]);
    assert_eq!(
        defined(&made),
        BTreeSet::from(["lithify_module".into(), "lithify_export_aZ20b".into()])
    );
    let header = fs::read_to_string(scratch("asked.h")).unwrap();
    assert!(header.contains("uint32_t lithify_export_aZ20b(uint8_t *base, uint32_t p0);"));
    let wasm = scratch("asked.wasm");
    let wasm = wasm.to_str().unwrap();
    for (options, part) in [
        (&["--emit", "obj", "--export", "m"][..], "no function is exported as \"m\""),
        (
            &["--emit", "obj", "--symbol-prefix", "a-b"],
            "--symbol-prefix a-b: it is no identifier of C",
        ),
        (&["--export", "two"], "go with --emit obj"),
    ] {
        let never = scratch("never.o");
        let command = [&["compile", wasm, "-o", never.to_str().unwrap()][..], options].concat();
        let refused = Command::new(env!("CARGO_BIN_EXE_lithify")).args(command).output().unwrap();
        assert!(text(&refused.stderr).contains(part), "{part}: {}", text(&refused.stderr));
    }
}

#[test]
fn two_objects_are_parts_of_one_program_under_two_prefixes() {
    let guest = |value: u32| {
        format!(
            r#"(module (import "env" "host" (func $host (param i32) (result i32)))
                (func (export "run") (result i32) (call $host (i32.const {value}))))"#
        )
    };
    let (a, b) = (object("a", &guest(1), &[]), object("b", &guest(2), &[]));
    let both = Command::new("ld").arg("-r").args([&a, &b]).arg("-o").arg(scratch("ab.o")).output();
    assert!(text(&both.unwrap().stderr).contains("multiple definition of `lithify_module'"));
    let a = object("a", &guest(1), &["--symbol-prefix", "a"]);
    let b = object("b", &guest(2), &["--symbol-prefix", "b"]);
    let source = r#"
        #include "a.h"
        #include "b.h"
        #include <stdio.h>
        uint32_t a_import_env__host(uint8_t *base, uint32_t x) { return (void)base, x + 10; }
        uint32_t b_import_env__host(uint8_t *base, uint32_t x) { return (void)base, x + 20; }
        int main(void) {
            const uint8_t *modules[] = {a_module, b_module};
            for (int i = 0; i < 2; i++) {
                lithify_pool *pool = lithify_pool_new(modules[i], NULL);
                lithify_value value;
                lithify_call(lithify_instance_new(pool, NULL), "run", &value, 1);
                printf("%d ", value.i32);
            }
            return 0;
        }"#;
    assert_eq!(program("two-objects", &[&a, &b], source).unwrap(), "11 22 ");
}

#[test]
fn the_linker_names_the_host_function_that_is_missing() {
    let undefined = symbols(&["-u"], &OBJECT);
    let list = undefined.iter().map(String::as_str).collect::<Vec<_>>().join("\n  ");
    println!("symbols that a linker needs for {RUNTIME}:\n  {list}");

    let missing = "lithify_import_env__ext_storage_get_version_1";
    assert!(undefined.contains(missing), "not needed:\n  {list}");
    let stubs = fs::read_to_string(STUBS).unwrap();
    let is_it = |line: &str| line.contains(" ext_storage_get_version_1,");
    let others: Vec<&str> = stubs.lines().filter(|line| !is_it(line)).collect();
    let source = scratch("stubs-but-one.c");
    fs::write(&source, others.join("\n")).unwrap();

    let linked = cc(&c_compiler(), &BUILT, &OBJECT, &source, &scratch("link-but-one"));
    let message = text(&linked.stderr);
    assert!(!linked.status.success(), "linked without {missing}; needed:\n  {list}");
    for symbol in &undefined {
        assert_eq!(message.contains(symbol), symbol == missing, "{symbol}: {message}\n  {list}");
    }
}
