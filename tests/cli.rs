//! Does the command line hold? Standard output, standard error and exit status, as data.

mod support;

use std::{
    fs,
    process::{Command, Stdio},
};
use support::{
    RUNTIME,
    outcome::{fails, file, hex, lithify_with_input, succeeds, wat},
};

const SPEC: &str = "workloads/solochain/chain-spec.json";
const BLOCK: &str = "workloads/solochain/block-transfers.json";

#[test]
fn compile_inspect_run() {
    let image = file("cli.so", b"");
    let image = &*image;
    let said =
        "lithify-solochain 1 from workloads/solochain/chain-spec.json (raw chain spec, code 0x";
    succeeds(&["compile", SPEC, "-o", image, "--time"], &[said]);
    succeeds(
        &["inspect", image],
        &[
            "spec name: lithify-solochain",
            "target: x86_64-unknown-linux-gnu",
            "env.ext_storage_get_version_1",
            "Core_version",
        ],
    );
    succeeds(
        &["inspect", SPEC, "--functions", "--state-root"],
        &["profile: runtime", "state root: 0x", "code hash: 0x"],
    );
    succeeds(&["inspect", BLOCK, "--json"], &["\"extrinsics\":25"]);
    let from_image = succeeds(&["run", image, "Core_version"], &["0x446c69746869667"]);
    for input in [RUNTIME, SPEC, BLOCK] {
        assert_eq!(succeeds(&["run", input, "Core_version"], &[]).stdout, from_image.stdout);
    }
    succeeds(
        &["run", image, "Core_version", "--output", "json"],
        &["\"spec_name\":\"lithify-solochain\"", "\"spec_version\":1"],
    );
    succeeds(&["check", SPEC], &["runs on a Polkadot host"]);
}

/// Whatever a module or an image does when it is called, reading it ends.
#[test]
fn reading_is_not_running() {
    let endless = wat(
        "endless.wasm",
        r#"(module (import "env" "memory" (memory 20))
            (import "env" "ext_hashing_twox_64_version_1" (func (param i64) (result i32)))
            (global (export "__heap_base") i32 (i32.const 65536))
            (func (export "Core_execute_block") (param i32 i32) (result i64) (i64.const 0))
            (func (export "Core_initialize_block") (param i32 i32) (result i64) (i64.const 0))
            (func (export "Core_version") (param i32 i32) (result i64)
                (loop $again (br $again)) (i64.const 0)))"#,
    );
    let (endless, image) = (&*endless, file("endless.so", b""));
    let image = &*image;
    let started = std::time::Instant::now();
    let asked = |path: &str| format!("`lithify run {path} Core_version --output json` asks");
    succeeds(&["compile", endless, "-o", image], &["a module that embeds no version"]);
    succeeds(&["inspect", endless], &["version: not embedded; ", &asked(endless)]);
    succeeds(&["inspect", image], &["version: not embedded; ", &asked(image)]);
    succeeds(&["check", endless], &["runs on a Polkadot host", &asked(endless)]);
    succeeds(&["verify", image, endless], &["is what lithify"]);
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
}

/// Keys of which each begins the next make a trie as deep as there are keys, and building it
/// recurses. Only what executes builds it, and has room for it.
#[test]
fn nested_keys_need_no_more_stack_than_there_is() {
    let module = wat::parse_str(
        r#"(module (memory (export "memory") 1) (global (export "__heap_base") i32 (i32.const 8))
            (func (export "e") (param i32 i32) (result i64) (i64.const 0)))"#,
    );
    let nested = |key: usize| format!(",\"{}\":\"0x76\"", hex(&vec![0; key]));
    let top: String = (1..=1200).map(nested).collect();
    let code = hex(&module.unwrap());
    let text = format!(
        "{{\"genesis\":{{\"raw\":{{\"top\":{{\"0x3a636f6465\":\"{code}\"{top}}},\
         \"childrenDefault\":{{}}}}}}}}"
    );
    let spec = file("nested-keys.json", text.as_bytes());
    let spec = &*spec;
    let image = file("nested-keys.so", b"");
    succeeds(&["inspect", spec], &["state keys: 1201"]);
    fails(&["check", spec], 1, &["obstacles"]);
    succeeds(&["compile", spec, "-o", &image], &[]);
    succeeds(&["run", spec, "e"], &["0x\n"]);
}

/// A guest whose every number is known: two blocks, one given back, a hash of 5 bytes, three
/// pages.
#[test]
fn a_profile_counts() {
    let module = wat(
        "profile.wasm",
        r#"(module
            (import "env" "ext_allocator_malloc_version_1" (func $malloc (param i32) (result i32)))
            (import "env" "ext_allocator_free_version_1" (func $free (param i32)))
            (import "env" "ext_hashing_twox_64_version_1" (func $hash (param i64) (result i32)))
            (memory (export "memory") 2)
            (global (export "__heap_base") i32 (i32.const 65536))
            (func (export "lithify_gc_cycles") (result i32) (i32.const 7))
            (func (export "e") (param i32 i32) (result i64)
              (call $free (call $malloc (i32.const 100)))
              (drop (call $malloc (i32.const 20)))
              (drop (call $hash (i64.const 0x5_0000_0000)))
              (i32.store (i32.const 4096) (i32.const 1))
              (i32.store (i32.const 20480) (i32.const 1))
              (i64.const 0)))"#,
    );
    let module = &*module;
    let said = succeeds(&["run", module, "e", "--profile", "--json"], &[]).stdout;
    let profile: serde_json::Value = serde_json::from_str(&said).unwrap();
    // The empty input takes the first block, and the hash one for its result.
    let heap = serde_json::json!({
        "allocations": 4, "frees": 1, "requested_bytes": 128,
        "peak_bytes": 16 + 136, "live_bytes": 16 + 40 + 16,
    });
    assert_eq!(profile["heap"], heap);
    assert_eq!(profile["collections"], 7);
    if !profile["written_host_pages"].is_null() {
        assert_eq!(profile["written_host_pages"], 3);
    }
    let functions = profile["host_functions"].as_array().unwrap();
    let hash = functions.iter().find(|f| f["name"] == "ext_hashing_twox_64_version_1").unwrap();
    assert_eq!([&hash["calls"], &hash["bytes_in"], &hash["bytes_out"]], [1, 5, 8]);
    let malloc = functions.iter().find(|f| f["name"] == "ext_allocator_malloc_version_1").unwrap();
    assert_eq!((functions.len(), &malloc["calls"]), (3, &serde_json::json!(2)));
    assert!(profile["guest_ns"].as_u64().unwrap() > 0);

    let parts = [
        "ext_crypto_sr25519_verify_version_2                       24",
        "collections: unknown, as the module has no export lithify_gc_cycles",
    ];
    succeeds(&["run", BLOCK, "--profile"], &parts);
    succeeds(&["run", module, "e", "--profile", "--output", "json"], &["\"entry\":\"e\""]);
}

/// A folder stands for its module, and a block may be executed by another runtime than its own.
#[test]
fn workloads_by_their_folders() {
    let said = succeeds(&["run", "workloads/solochain", "Core_version"], &["0x446c69746869667"]);
    assert_eq!(said.stdout, succeeds(&["run", RUNTIME, "Core_version"], &[]).stdout);
    succeeds(&["run", RUNTIME, "--state", BLOCK], &["25 extrinsics executed"]);
    fails(
        &["inspect", "workloads/micro"],
        1,
        &["several modules; give the path of one", "call.wat"],
    );
    fails(&["inspect", "workloads"], 1, &["workload.toml"]);
    succeeds(&["workloads"], &["solochain: ", "micro: ", "  br-table "]);
    let lines = succeeds(&["workloads", "--json"], &[]).stdout;
    let first: serde_json::Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert!(first["modules"][0]["bytes"].as_u64() > Some(0), "{first}");
}

#[test]
fn every_form_gives_the_same_code() {
    let stored = fs::read(RUNTIME).unwrap();
    let hex = hex(&stored) + "\n";
    let of_stored = succeeds(&["run", RUNTIME, "Core_version"], &[]).stdout;
    for input in [stored.as_slice(), hex.as_bytes()] {
        let outcome = lithify_with_input(&["run", "-", "Core_version"], input);
        assert_eq!(outcome.stdout, of_stored, "{}", outcome.stderr);
    }
}

#[test]
fn a_block_is_executed_and_its_root_checked() {
    succeeds(&["run", BLOCK], &["block 1: 25 extrinsics executed", "matches"]);
    // A balance more in the parent state, and the block no longer fits.
    let mut block: serde_json::Value = serde_json::from_slice(&fs::read(BLOCK).unwrap()).unwrap();
    block["parentStorage"]["mainTrie"]["0x1234"] = "0x01".into();
    let changed = file("changed-block.json", block.to_string().as_bytes());
    let roots = ["the header of block 1 says 0x0ca390ef", "the state after it is 0x"];
    fails(&["run", &changed], 1, &roots);
}

#[test]
fn output_depends_on_neither_threads_nor_folder() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let compile = |jobs: &str, name: &str, target: &str| {
        let path = folder.path().join(name);
        let input = std::path::absolute(RUNTIME).unwrap();
        let status = Command::new(env!("CARGO_BIN_EXE_lithify"))
            .current_dir(folder.path())
            .arg("compile")
            .arg(input)
            .args(["--jobs", jobs, "--target", target, "-o", name])
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success());
        fs::read(path).unwrap()
    };
    for target in ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"] {
        assert!(compile("1", "a.so", target) == compile("2", "b.so", target), "{target}");
    }
}

#[test]
fn tools_read_what_we_write() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let named = wat(
        "named.wasm",
        r#"(module (import "env" "host" (func $host))
             (memory 1) (data (i32.const 8) "data") (table 1 funcref) (elem (i32.const 0) $inner)
             (func $inner (call $host)) (func (export "outer") (call $inner)))"#,
    );
    for (emit, name) in [("image", "named.so"), ("obj", "named.o")] {
        let path = folder.path().join(name);
        let path = path.to_str().unwrap();
        succeeds(&["compile", &named, "--emit", emit, "-o", path], &[]);
        for (tool, args, expected) in [
            ("readelf", vec!["-aW"], "inner"),
            ("objdump", vec!["-d"], "<inner>:"),
            ("gdb", vec!["-batch", "-ex", "disassemble inner"], "Dump of assembler code"),
        ] {
            let output = Command::new(tool).args(&args).arg(path).output().expect(tool);
            let (out, err) = (
                String::from_utf8_lossy(&output.stdout).into_owned(),
                String::from_utf8_lossy(&output.stderr).into_owned(),
            );
            assert!(output.status.success(), "{tool} {name}: {err}");
            assert!(out.contains(expected), "{tool} {name}: {out}");
            let complaint = err.lines().find(|l| {
                l.to_lowercase().contains("warning: ")
                    && !l.contains("auto-load")
                    && !l.contains(".gdbinit")
            });
            assert!(complaint.is_none(), "{tool} {name}: {complaint:?}");
        }
    }
    let text = succeeds(
        &["compile", &named, "--emit", "asm", "--function", "outer"],
        &[";; function 2", "inner: Call { function_index: 0 }"],
    );
    assert!(!text.stdout.contains("function 1 inner"));
    let calls = ["compile", &named, "--emit", "asm", "--function", "outer", "--inline", "off"];
    succeeds(&calls, &["Call { function_index: 1 }"]);
    succeeds(&["compile", &named, "--emit", "clif"], &["colocated", "inner"]);
}

#[test]
fn bad_input_is_refused_with_one_message() {
    let wasm = fs::read(RUNTIME).unwrap();
    let table: &[(&str, &[u8], &[&str])] = &[
        ("empty", b"", &["it is empty"]),
        ("text", b"hello", &["neither WebAssembly"]),
        ("json", b"{}", &["neither a chain spec"]),
        ("broken-json", b"{\"genesis\": ", &["EOF"]),
        ("cut-zstd", &wasm[..wasm.len() / 2], &["cut off or damaged"]),
        ("odd-hex", b"0x123", &["odd"]),
        ("polkavm", b"PVM\0\0\0", &["PolkaVM"]),
        ("cut-wasm", b"\0asm\x01\0\0\0\x01\x05", &["invalid module at offset"]),
        (
            "root-only",
            b"{\"genesis\":{\"stateRootHash\":\"0x00\"}}",
            &["only the root of the genesis state"],
        ),
    ];
    for (name, bytes, parts) in table {
        let path = file(name, bytes);
        let out = file("refused.so", b"untouched");
        let args = ["compile", &path, "-o", &out];
        let parts: Vec<&str> = parts.iter().copied().chain(["error: ", name]).collect();
        fails(&args, 1, &parts);
        assert_eq!(fs::read(out).unwrap(), b"untouched", "{name}");
    }
    fails(&["run", "no-such-file"], 1, &["cannot read no-such-file"]);
    fails(&["run", RUNTIME, "No_such_entry"], 1, &["no entry point No_such_entry", "Core_version"]);
    fails(&["run", RUNTIME], 2, &["which entry point?", "Core_version"]);
    fails(&["run", RUNTIME, "Core_version", "--input", "12"], 2, &["give 0x and hex digits"]);
    fails(
        &["run", RUNTIME, "Core_version", "--input", "0xd435…"],
        2,
        &["no hex digit at position 6"],
    );
    let block = "workloads/solochain/block-transfers.json";
    for more in [&["Core_version"][..], &["--profile"], &["--profile-functions"]] {
        let args = [&["run", block, "--signature-threads", "1"], more].concat();
        fails(&args, 2, &["only a block that is executed"]);
    }
    fails(&["run", block, "--flame", "block.txt"], 2, &["ends in .svg or .folded"]);
    fails(&["compile", RUNTIME, "--target", "mips"], 2, &["unknown target \"mips\""]);
    fails(
        &["compile", RUNTIME, "--emit", "obj", "-o", "/no/such/folder/x.o"],
        1,
        &["cannot write"],
    );
    fails(&["inspect", "/proc/self/exe"], 1, &["no Lithify note"]);
    fails(&["no-such-command"], 2, &["Usage"]);
}

#[test]
fn images_are_refused_by_the_field_that_differs() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let small = wat("small.wasm", r#"(module (func (export "f")))"#);
    let small = &*small;
    let (good, arm) = (path("good.so"), path("arm.so"));
    succeeds(&["compile", small, "-o", &good], &[]);
    succeeds(&["compile", small, "--target", "aarch64", "-o", &arm], &[]);
    fails(&["run", &arm, "f"], 1, &["target machine aarch64", "x86-64"]);
    succeeds(&["inspect", &arm], &["target: aarch64-unknown-linux-gnu"]);
    let object = path("small.o");
    succeeds(&["compile", small, "--emit", "obj", "-o", &object], &[]);
    fails(&["run", &object, "f"], 1, &["a relocatable object"]);

    let bytes = fs::read(&good).unwrap();
    let mut flipped = bytes.clone();
    *flipped.last_mut().unwrap() ^= 1;
    for (name, bytes, part) in [
        ("cut", &bytes[..bytes.len() - 1], "length"),
        ("head", &bytes[..100], "truncated"),
        ("flipped", &flipped, "hash"),
    ] {
        let damaged = path(name);
        fs::write(&damaged, bytes).unwrap();
        fails(&["run", &damaged, "f"], 1, &[part, name]);
    }
}

#[test]
fn an_image_can_be_verified() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (one, other) = (path("one.wasm"), path("other.wasm"));
    let module = |value: u32| {
        let text = format!(r#"(module (func (export "f") (result i32) (i32.const {value})))"#);
        wat::parse_str(text).unwrap()
    };
    fs::write(&one, module(1)).unwrap();
    fs::write(&other, module(2)).unwrap();
    let debug = ["-g", "--target", "aarch64"];
    for options in [&[][..], &["--target", "aarch64"], &["--cpu", "x86-64-v2"], &debug] {
        let image = path("verified.so");
        let args = [&["compile", &one, "-o", &image], options].concat();
        succeeds(&args, &[]);
        succeeds(&["verify", &image, &one], &["is what lithify"]);
        succeeds(&["verify", &image, &one, "--json"], &["\"verified\":true"]);
        fails(&["verify", &image, &other], 1, &["was made of code 0x"]);
        fails(&["verify", &one, &other], 2, &["is not an image"]);
    }
}

/// With debug information the bundled runtime does the same.
#[test]
fn debug_information_changes_no_result() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let spec = "workloads/solochain/chain-spec.json";
    let made = |name: &str, options: &[&str]| {
        let image = path(name);
        let args = ["compile", spec, "--target", "native", "-o", &image];
        succeeds(&[&args[..], options].concat(), &[]);
        let calls = ["Core_version", "Metadata_metadata"];
        let outputs = calls.map(|call| succeeds(&["run", &image, call], &[]).stdout);
        let told = succeeds(&["inspect", &image, "--json"], &[]).stdout;
        let told: serde_json::Value = serde_json::from_str(&told).unwrap();
        (outputs, told["options"].clone(), told["debug_info_bytes"].as_u64().unwrap())
    };
    let (plain, debug) = (made("plain.so", &[]), made("debug.so", &["--debug-info"]));
    assert!(plain.0 == debug.0 && plain.1 == debug.1);
    assert!(plain.2 == 0 && debug.2 > 100_000, "{} and {}", plain.2, debug.2);
}

#[test]
fn check_names_what_stands_in_the_way() {
    let odd = wat(
        "odd.wasm",
        r#"(module
             (import "env" "ext_no_such_function" (func))
             (import "env" "ext_hashing_blake2_128_version_1" (func (param i32)))
             (memory 1) (func (export "Core_version")))"#,
    );
    let outcome = fails(&["check", &odd], 1, &["obstacles"]);
    for part in [
        "no host function env:ext_no_such_function",
        "ext_hashing_blake2_128_version_1 has the type (i64) -> i32",
        "no exported global __heap_base",
        "memory is neither imported nor exported",
        "no entry point Core_execute_block",
        "entry point Core_version is a func () -> ()",
    ] {
        assert!(outcome.stdout.contains(part), "no {part:?} in\n{}", outcome.stdout);
    }
    let odd = &*odd;
    fails(
        &["run", odd, "Core_version"],
        1,
        &["unresolved imports", "ext_no_such_function", "provided as"],
    );
}

#[test]
fn soak_finds_nothing_that_grows() {
    let outcome = succeeds(&["soak", "--rounds", "40000", "--json"], &["\"traps\":400"]);
    assert_eq!(outcome.stdout.lines().count(), 10);
    fails(&["soak", "--rounds", "10"], 2, &["4 threads need 400 or more"]);
    fails(&["soak", "/dev/null"], 1, &["/dev/null"]);
}
