//! `lithify check` says what a node says: a table of the rules of `sc-executor`, a module for each.

mod support;

use support::outcome::{Outcome, file, lithify};

/// What every runtime needs, in the place of each part of a module.
const MEMORY: &str = r#"(memory (export "memory") 2)"#;
const HEAP: &str = r#"(global (export "__heap_base") i32 (i32.const 70000))"#;
const ENTRIES: &str = r#"
    (func (export "Core_version") (param i32 i32) (result i64) (i64.const 0))
    (func (export "Core_execute_block") (param i32 i32) (result i64) (i64.const 0))
    (func (export "Core_initialize_block") (param i32 i32) (result i64) (i64.const 0))"#;

/// A heap that begins there.
fn heap(base: &str) -> String {
    HEAP.replace("70000", base)
}

/// A module of these parts: imports, memory, heap base, and what else there is.
fn module(imports: &str, memory: &str, heap: &str, rest: &str) -> Vec<u8> {
    wat::parse_str(format!("(module {imports} {memory} {heap} {rest})")).unwrap()
}

/// A good module with one more part.
fn with(part: &str) -> Vec<u8> {
    module("", MEMORY, HEAP, &format!("{ENTRIES} {part}"))
}

fn with_import(import: &str) -> Vec<u8> {
    module(import, MEMORY, HEAP, ENTRIES)
}

fn with_memory(imports: &str, memory: &str) -> Vec<u8> {
    module(imports, memory, HEAP, ENTRIES)
}

/// A good module with a custom section.
fn with_section(name: &str, content: &[u8]) -> Vec<u8> {
    let payload = [&[name.len() as u8], name.as_bytes(), content].concat();
    [&with("")[..], &[0, payload.len() as u8], &payload].concat()
}

fn check(name: &str, bytes: &[u8]) -> Outcome {
    lithify(&["check", &file(&format!("check-{name}.wasm"), bytes)])
}

/// Checks modules: each runs, with the given words in its notes, or has the one obstacle named.
fn verdicts(rows: &[(&str, Vec<u8>, Result<&str, &str>)]) {
    for (name, bytes, verdict) in rows {
        let outcome = check(name, bytes);
        let said = outcome.said();
        let (runs, part) = match verdict {
            Ok(part) => (true, part),
            Err(part) => (false, part),
        };
        assert_eq!(outcome.status == 0, runs, "{name}: {said}");
        assert!(said.contains(part), "{name}: no {part:?} in\n{said}");
        let obstacles = said.matches("obstacle: ").count();
        assert!(obstacles <= usize::from(!runs), "{name}: more than one in\n{said}");
    }
}

const VERSION: &[u8] = b"\x10test\x10impl\x01\0\0\0\x07\0\0\0\x03\0\0\0\0\x01\0\0\0\x01";
/// The core API, version 4.
const APIS: &[u8] = &[0xdf, 0x6a, 0xcb, 0x68, 0x99, 0x07, 0x60, 0x9b, 4, 0, 0, 0];

#[test]
fn features() {
    let body = |code: &str| with(&format!("(func {code})"));
    verdicts(&[
        ("mvp", with(""), Ok("runs on a Polkadot host")),
        ("floats", body("(drop (f64.add (f64.const 1) (f64.const 2)))"), Ok("runs")),
        ("mutable-global", with(r#"(global (export "g") (mut i32) (i32.const 0))"#), Ok("runs")),
        ("sign-extension", body("(drop (i32.extend8_s (i32.const 1)))"), Err("sign")),
        ("saturating", body("(drop (i32.trunc_sat_f32_s (f32.const 1)))"), Err("saturating")),
        (
            "bulk-memory",
            body("(memory.fill (i32.const 0) (i32.const 0) (i32.const 0))"),
            Err("bulk memory"),
        ),
        ("multi-value", with("(func (result i32 i32) i32.const 1 i32.const 2)"), Err("multi")),
        ("reference-types", body("(drop (ref.null func))"), Err("reference types")),
        ("two-tables", with("(table 1 funcref) (table 1 funcref)"), Err("table")),
        ("simd", body("(drop (v128.const i64x2 0 0))"), Err("SIMD")),
        ("threads", with("(func (drop (i32.atomic.load (i32.const 0))))"), Err("invalid module")),
        ("memory64", with_memory("", r#"(memory (export "memory") i64 2)"#), Err("memory64")),
        ("tail-call", with("(func $f) (func return_call $f)"), Err("invalid module")),
        ("start", with("(func $f) (start $f)"), Err("a start function")),
    ]);
}

#[test]
fn memory() {
    let imported =
        |name: &str, limits: &str| format!(r#"(import "env" "{name}" (memory {limits}))"#);
    verdicts(&[
        ("imported", with_memory(&imported("memory", "2"), ""), Ok("runs")),
        // The largest size is dropped.
        ("imported-with-maximum", with_memory(&imported("memory", "2 3"), ""), Ok("runs")),
        ("exported-with-maximum", with_memory("", r#"(memory (export "memory") 2 2)"#), Ok("runs")),
        ("other-export", with_memory("", r#"(memory (export "mem") 2)"#), Err("exported as mem:")),
        ("other-import", with_memory(&imported("mem", "2"), ""), Err("imported as mem:")),
        ("not-exported", with_memory("", "(memory 2)"), Err("neither imported nor exported")),
        ("no-memory", with_memory("", ""), Err("no memory")),
        (
            "two-names",
            with_memory("", r#"(memory (export "mem") (export "memory") 2)"#),
            Ok("runs"),
        ),
        (
            "other-import-exported",
            with_memory(&imported("mem", "2"), r#"(export "memory" (memory 0))"#),
            Ok("runs"),
        ),
        (
            "name-twice",
            with_memory(&imported("memory", "2"), r#"(export "memory" (memory 0))"#),
            Err("is then there twice"),
        ),
        (
            "memory-is-a-function",
            with_memory("", r#"(memory 2) (func (export "memory"))"#),
            Err("neither imported nor exported"),
        ),
        ("large", with_memory("", r#"(memory (export "memory") 63488)"#), Ok("runs")),
        (
            "too-large",
            with_memory("", r#"(memory (export "memory") 63489)"#),
            Err("cannot add the 2048 of the heap"),
        ),
        (
            "heap-mutable",
            module("", MEMORY, &HEAP.replace(" i32 ", " (mut i32) "), ENTRIES),
            Ok(""),
        ),
        ("no-heap", module("", MEMORY, "", ENTRIES), Err("no exported global __heap_base")),
        (
            "heap-i64",
            module("", MEMORY, r#"(global (export "__heap_base") i64 (i64.const 7))"#, ENTRIES),
            Err("__heap_base is a global i64"),
        ),
        (
            "heap-function",
            module("", MEMORY, r#"(func (export "__heap_base"))"#, ENTRIES),
            Err("__heap_base is a func"),
        ),
        (
            "heap-beyond",
            module("", MEMORY, &heap("134348800"), ENTRIES),
            Err("nothing can be allocated"),
        ),
        ("heap-at-the-end", module("", MEMORY, &heap("134348799"), ENTRIES), Ok("runs")),
        ("heap-wrapped", module("", MEMORY, &heap("-8"), ENTRIES), Err("nothing can be allocated")),
        ("data-fits", with(r#"(data (i32.const 131070) "ab")"#), Ok("runs")),
        ("data-beyond", with(r#"(data (i32.const 131071) "ab")"#), Err("0.44 or older")),
        ("data-far-beyond", with(r#"(data (i32.const -1) "ab")"#), Err("reach to 0x100000001")),
        (
            "elements-beyond",
            with("(func $f) (table 1 funcref) (elem (i32.const 1) $f)"),
            Err("reach"),
        ),
        ("table", with(r#"(table (export "__indirect_function_table") 8192 funcref)"#), Ok("runs")),
        ("large-table", with("(table 8193 funcref)"), Err("the table has 8193 elements")),
    ]);
}

#[test]
fn imports_and_entry_points() {
    let child = r#"(import "env" "ext_storage_child_get_version_1"
                      (func (param i64 i64 i32 i64) (result i64)))"#;
    let proof = r#"(import "env" "ext_storage_proof_size_storage_proof_size_version_1"
                      (func (result i64)))"#;
    let entries = |name: &str, with: &str| {
        let all: String =
            ENTRIES.lines().filter(|line| !line.contains(name)).collect::<Vec<_>>().join("\n");
        module("", MEMORY, HEAP, &format!("{all} {with}"))
    };
    let no_version = |apis: &[u8]| {
        let section = |name: &str, content: &[u8]| {
            let payload = [&[name.len() as u8], name.as_bytes(), content].concat();
            [&[0, payload.len() as u8], &payload[..]].concat()
        };
        let module = entries("Core_version", "");
        [module, section("runtime_version", VERSION), section("runtime_apis", apis)].concat()
    };
    verdicts(&[
        ("missing", with_import(r#"(import "env" "ext_none" (func))"#), Err("env:ext_none")),
        (
            "other-type",
            with_import(r#"(import "env" "ext_hashing_twox_64_version_1" (func))"#),
            Err("has the type (i64) -> i32, not () -> ()"),
        ),
        (
            "other-module",
            with_import(r#"(import "host" "ext_hashing_twox_64_version_1" (func))"#),
            Err("import from \"host\""),
        ),
        (
            "global",
            with_import(r#"(import "env" "g" (global i32))"#),
            Err("neither a function nor a memory"),
        ),
        (
            "table-import",
            with_import(r#"(import "env" "t" (table 1 funcref))"#),
            Err("neither a function nor a memory"),
        ),
        ("of-2020", with_import(child), Ok("which nodes had until May 2020")),
        ("of-parachains", with_import(proof), Ok("which only nodes of parachains have")),
        ("no-version", entries("Core_version", ""), Err("no entry point Core_version")),
        ("version-embedded", no_version(APIS), Ok("nodes take the version of the custom section")),
        ("no-block", entries("execute", ""), Err("no entry point Core_execute_block")),
        (
            "entry-type",
            entries(
                "execute",
                r#"(func (export "Core_execute_block") (param i32) (result i64) i64.const 0)"#,
            ),
            Err("entry point Core_execute_block is a func (i32) -> i64"),
        ),
        (
            "entry-global",
            entries("execute", r#"(global (export "Core_execute_block") i32 (i32.const 0))"#),
            Err("entry point Core_execute_block is a global i32"),
        ),
        ("initialiser", with(r#"(func (export "_initialize"))"#), Ok("exports _initialize")),
        ("version", with_section("runtime_version", VERSION), Ok("test 7")),
        (
            "cut-version",
            with_section("runtime_version", &VERSION[..9]),
            Err("not a runtime version"),
        ),
        ("cut-apis", no_version(&APIS[..11]), Err("not a multiple of 12")),
    ]);
}

#[test]
fn code_as_it_is_stored() {
    use sp_maybe_compressed_blob::{CODE_BLOB_BOMB_LIMIT, compress_weakly};

    let good = with("");
    let stored = compress_weakly(&good, CODE_BLOB_BOMB_LIMIT).unwrap();
    let bomb = vec![0; CODE_BLOB_BOMB_LIMIT + 1];
    let bomb = compress_weakly(&[good.clone(), bomb].concat(), 2 * CODE_BLOB_BOMB_LIMIT).unwrap();
    let mut other = stored.clone();
    other[7] = 6;
    verdicts(&[
        ("compressed", stored.clone(), Ok("runs")),
        ("cut", stored[..stored.len() - 3].to_vec(), Err("cut off or damaged")),
        ("bomb", bomb, Err("more than 50 MiB")),
        ("other-kind", other, Err("0x06")),
        ("polkavm", b"PVM\0\0".to_vec(), Err("PolkaVM")),
        ("version-2", b"\0asm\x02\0\0\0".to_vec(), Err("version 1")),
    ]);
}

/// What `check` refuses for its memory, `run` refuses, too, and a runtime that asks for its version
/// gets none; unless another language than that of chains is asked for.
#[test]
fn memory_under_another_name() {
    let version = |memory: &str| {
        module(
            "",
            &format!(r#"(memory (export "{memory}") 1)"#),
            HEAP,
            r#"(func (export "Core_version") (param i32 i32) (result i64) (i64.const 0x2b00000400))
               (data (i32.const 1024) "\10test\10impl\01\00\00\00\07\00\00\00\03\00\00\00\04" "\df\6a\cb\68\99\07\60\9b\04\00\00\00\09\00\00\00\01")"#,
        )
    };
    let run = |name: &str, bytes: &[u8], options: &[&str]| {
        let path = file(&format!("run-{name}.wasm"), bytes);
        let outcome = lithify(&[&["run", &path], options].concat());
        (outcome.status, outcome.said())
    };
    let (status, said) = run("memory", &version("memory"), &["Core_version"]);
    assert!(status == 0 && said.starts_with("0x1074657374"), "{said}");
    let (status, said) = run("mem", &version("mem"), &["Core_version"]);
    assert!(status == 1 && said.contains("--accept general runs it anyway"), "{said}");
    let (status, said) = run("mem", &version("mem"), &["Core_version", "--accept", "general"]);
    assert!(status == 0 && said.starts_with("0x1074657374"), "{said}");

    let asks = |code: &[u8]| {
        let text: String = code.iter().map(|byte| format!("\\{byte:02x}")).collect();
        let import = r#"(import "env" "ext_misc_runtime_version_version_1"
                          (func $version (param i64) (result i64)))"#;
        let fat = (code.len() as u64) << 32 | 1024;
        let entry = format!(
            r#"(func (export "ask") (param i32 i32) (result i64) (call $version (i64.const {fat})))
               (data (i32.const 1024) "{text}")"#
        );
        module(import, MEMORY, HEAP, &entry)
    };
    let (_, said) = run("asks", &asks(&version("memory")), &["ask"]);
    assert!(said.starts_with("0x01"), "{said}");
    let (_, said) = run("asks", &asks(&version("mem")), &["ask"]);
    assert_eq!(said.trim(), "0x00");
}

/// The ways out that a refusal names exist, and lead out.
#[test]
fn ways_out() {
    let sandbox = module(
        r#"(import "env" "ext_sandbox_memory_teardown_version_1" (func (param i32)))"#,
        MEMORY,
        HEAP,
        r#"(func (export "e") (param i32 i32) (result i64) (i64.const 0))"#,
    );
    let unready = module(
        "",
        MEMORY,
        HEAP,
        r#"(global $ready (mut i32) (i32.const 0))
           (func (export "_start") (global.set $ready (i32.const 1)))
           (func (export "boot") (global.set $ready (i32.const 2)))
           (func (export "e") (param i32 i32) (result i64)
             (if (i32.eqz (global.get $ready)) (then unreachable))
             (i32.store8 (i32.const 0) (global.get $ready))
             (i64.const 0x1_0000_0000))"#,
    );
    for (module, options, status, part) in [
        (&sandbox, &[][..], 1, "--trap-missing loads it"),
        (&sandbox, &["--trap-missing"], 0, "0x"),
        (&unready, &[], 134, "unreachable"),
        (&unready, &["--initialize"], 0, "0x01"),
        (&unready, &["--initialize=boot"], 0, "0x02"),
        (&unready, &["--initialize=e"], 1, "no function e of type () -> ()"),
    ] {
        let path = file("ways-out.wasm", module);
        let outcome = lithify(&[&["run", &path, "e"], options].concat());
        let said = outcome.said();
        assert_eq!(outcome.status, status, "{options:?}: {said}");
        assert!(said.contains(part), "{options:?}: {said}");
    }
}
