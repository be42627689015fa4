//! A module linked into a C program, with its host functions in C.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

#[path = "../../tests/support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

const GUEST: &str = r#"(module
    (import "env" "log_value" (func $log (param i32 i64)))
    (import "env" "refuse" (func $refuse (param i32) (result i32)))
    (memory (export "memory") 2)
    (data (i32.const 16) "hello from the guest")
    (table 2 funcref)
    (elem (i32.const 0) $add $add)
    (global $calls (export "call_count") (mut i32) (i32.const 0))
    (global (export "large") i64 (i64.const 0x123456789a))
    (func $add (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
    (func (export "add") (param i32 i32) (result i32)
        (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
        (i32.store (i32.const 1000) (global.get $calls))
        (call $log (i32.const 16) (i64.const -20))
        (call_indirect (param i32 i32) (result i32)
            (local.get 0) (local.get 1) (i32.const 1)))
    (func (export "calls") (result i32) (i32.load (i32.const 1000)))
    (func (export "ask") (result i32) (call $refuse (i32.const 3)))
    (func (export "out_of_bounds") (result i32) (i32.load (i32.const 0x7fffffff)))
    (func (export "endless") (loop $l (br $l))))"#;

const PROGRAM: &str = r#"
#include "guest.h"
#include <stdio.h>
#include <string.h>

void LITHIFY_IMPORT(env, log_value)(uint8_t *base, uint32_t text, uint64_t value) {
    printf("%.20s %ld %s\n", base + text, (long)value, (char *)lithify_host_data(base));
    base[50000] = 1;
}

uint32_t LITHIFY_IMPORT(env, refuse)(uint8_t *base, uint32_t value) {
    if (value == 3) lithify_trap(base, "three is refused");
    return value;
}

static int run(lithify_pool *pool, const char *name) {
    lithify_instance *instance = lithify_instance_new(pool, name);
    lithify_value values[2] = {{.i32 = 40}, {.i32 = 2}};
    lithify_set_host_data(instance, "data");
    int status = lithify_call(instance, name, values, 2);
    if (status == 0) printf("%s = %d\n", name, values[0].i32);
    else printf("%s: %s\n", name, lithify_last_error());
    size_t len;
    uint8_t *memory = lithify_memory(instance, &len);
    lithify_global(instance, "call_count", &values[0]);
    printf("%d %zu %d\n", memory[50000], len, values[0].i32);
    lithify_instance_free(instance);
    return status;
}

int main(void) {
    lithify_pool *pool = lithify_pool_new(lithify_module, NULL);
    if (!pool) return printf("%s\n", lithify_last_error()), 1;
    for (int i = 0; i < 3; i++) run(pool, "add");
    run(pool, "calls");
    run(pool, "ask");
    run(pool, "out_of_bounds");
    run(pool, "absent");
    lithify_instance *instance = lithify_instance_new(pool, NULL);
    lithify_value value;
    int status = lithify_global(instance, "large", &value);
    printf("%d %lx\n", status, (long)value.i64);
    printf("%d ", lithify_global(instance, "add", &value));
    printf("%s\n", lithify_last_error());
    lithify_instance_free(instance);
    lithify_pool_free(pool);
    lithify_options options = {.timeout_ns = 20000000};
    pool = lithify_pool_new(lithify_module, &options);
    run(pool, "endless");
    lithify_pool_free(pool);
    return 0;
}
"#;

/// The static library that cargo built beside this test.
fn static_library() -> PathBuf {
    let test = std::env::current_exe().expect("this test's path");
    let folder = test.parent().expect("the folder of build products");
    let candidates = std::fs::read_dir(folder).expect("a readable folder");
    let named = |path: &Path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
        name.starts_with("liblithify_c_api") && name.ends_with(".a")
    };
    let libraries = candidates.filter_map(|entry| Some(entry.ok()?.path())).filter(|p| named(p));
    let built = |path: &PathBuf| path.metadata().and_then(|data| data.modified()).ok();
    libraries.max_by_key(built).expect("a static library")
}

#[test]
fn a_c_program_runs_a_linked_module() {
    let folder = std::env::temp_dir().join(format!("lithify-c-link-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let at = |name: &str| folder.join(name);
    std::fs::write(at("guest.o"), support::compile_object(GUEST)).unwrap();
    std::fs::write(at("guest.h"), support::header(GUEST)).unwrap();
    std::fs::write(at("main.c"), PROGRAM).unwrap();
    let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("include");
    let cross = cfg!(target_arch = "aarch64").then_some("CC_aarch64_unknown_linux_gnu");
    let compiler = std::env::var(cross.unwrap_or("CC")).unwrap_or_else(|_| "cc".into());
    let output = Command::new(compiler)
        .args(["-Wall", "-Werror", "-O1", "-I"])
        .arg(include)
        .arg("-I")
        .arg(&folder)
        .args([at("main.c"), at("guest.o"), static_library()])
        .args(["-o".as_ref(), at("program").as_os_str()])
        .args(["-lpthread", "-ldl", "-lm", "-lgcc_s"])
        .output()
        .expect("a C compiler");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let output = support::program(&at("program")).output().expect("the program runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let expected = "\
hello from the guest -20 data
add = 42
1 131072 1
hello from the guest -20 data
add = 42
1 131072 1
hello from the guest -20 data
add = 42
1 131072 1
calls = 0
0 131072 0
ask: host function failed: three is refused
  0: function 5 ask at offset 0x???
0 131072 0
out_of_bounds: out of bounds memory access
  0: function 6 out_of_bounds at offset 0x???
0 131072 0
absent: no function is exported as absent
0 131072 0
0 123456789a
-1 no global is exported as add
endless: deadline exceeded
  0: function 7 endless
0 131072 0
";
    assert_eq!(without_offsets(&text), expected, "{output:?}");
    std::fs::remove_dir_all(&folder).unwrap();
}

/// The same with `0x???` for every offset.
fn without_offsets(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        match line.split_once("at offset 0x") {
            Some((head, _)) => out.push_str(&format!("{head}at offset 0x???\n")),
            None => out.push_str(&format!("{line}\n")),
        }
    }
    out
}
