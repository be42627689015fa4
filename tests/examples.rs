//! What documentation says that one can type, can be typed: every example of every `--help`, and the
//! commands of README.md, run in a folder that has the files they name.

mod support;

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Output},
};
use support::commands;

const LITHIFY: &str = env!("CARGO_BIN_EXE_lithify");

/// Examples that are not run here, and why.
const LONG: &[(&str, &str)] = &[
    ("lithify bench", "ten minutes; tests/suite.rs of the bench suite measures the same in small"),
    ("lithify bench workloads/ledger", "ten minutes; tests/ledger runs the same calls"),
    ("lithify bench workloads/solochain", "ten minutes"),
    ("lithify bench westend.json block.json", "ten minutes"),
    ("lithify bench westend.json block.json --processes 100 --samples samples.jsonl", "longer"),
    ("lithify bench old/runtime.wasm new/runtime.wasm", "ten minutes"),
    ("lithify bench westend.json --engines lithify,jit", "minutes"),
    ("lithify bench --calibrate --samples trace.jsonl", "half an hour"),
    ("lithify bench --calibrate --time 10min --samples trace.jsonl", "ten minutes"),
    ("lithify bench workloads/ledger --growth", "ten minutes"),
    ("lithify bench westend.json --threads 1,2", "ten minutes"),
    ("lithify bench --engines lithify,command:./worker-go", "tests/explain.rs has such a worker"),
    (
        "lithify bench --engines lithify,lithify-v2,winch,wasmi",
        "minutes; the suite's tests open all",
    ),
    ("lithify bench block.json --engines lithify,command:./wasm3", "the same; a program of others"),
    ("lithify bench block.json --author", "ten minutes; tests/author.rs of the bench suite"),
    ("lithify compare old.wasm new.wasm --instructions", "a minute; tests/explain.rs"),
    ("lithify compare old.wasm new.wasm --flame difference.svg", "a minute; tests/explain.rs"),
    ("lithify history nights/", "tests/explain.rs makes twenty nights"),
    ("lithify history nights/ -o trends.html", "the same"),
    ("lithify history nights/ --json", "the same"),
    ("lithify bench --json > samples.jsonl", "ten minutes; made in small for --report"),
    (
        "lithify compile program.wasm --emit exe --dir .::/ -o program",
        "tests/programs.rs says where cargo builds the library",
    ),
    ("lithify compare old.wasm new.wasm", "a minute; tests/compare.rs makes a short one"),
    ("lithify compare old.wasm new.wasm --state block.json", "a minute"),
    ("lithify compare old.wasm new.wasm --state block.json --samples samples.jsonl", "a minute"),
    ("lithify compare old.wasm new.wasm --engine wasmtime --setting precompiled-2m", "a minute"),
    ("lithify compare old.wasm new.wasm --format markdown", "a minute"),
    (
        "lithify compare --engine lithify@old ./lithify-old runtime.wasm",
        "a minute; tests/compare.rs",
    ),
    (
        "lithify compare --engine lithify@old a1,a2,a3,a4 runtime.wasm --relinks b1,b2,b3,b4",
        "minutes; tests/compare.rs",
    ),
    ("lithify compare --runs 'bench-a --samples -' 'bench-b --samples -'", "commands of others"),
    ("lithify compare main HEAD", "baselines of two commits; tests/compare.rs makes two"),
    ("lithify bench westend.json --save main", "ten minutes; tests/compare.rs makes a short one"),
    (
        "lithify study workloads/studies/quick.toml -o quick/",
        "minutes; tests/study.rs has a small one",
    ),
    (
        "lithify study merge first/ second/results.jsonl --study workloads/studies/quick.toml -o both/",
        "results of two machines; tests/study.rs joins some",
    ),
    ("lithify study merge first/ second/results.jsonl -o both/", "the same"),
    ("lithify study merge first/ --study workloads/studies/quick.toml -o first/", "the same"),
    ("lithify soak", "a million rounds; tests/cli.rs makes forty thousand"),
    ("lithify soak westend.json --rounds 100000 --threads 8", "a minute"),
    ("lithify soak --json > parts.jsonl", "a million rounds"),
    (
        "lithify cache fill westend.json --remote http://127.0.0.1/images --trust operator.pub --reproduce",
        "tests/cache.rs has a server and a signer",
    ),
    ("lithify cache import images/ --trust operator.pub", "tests/cache.rs has a signer"),
    ("lithify cache watch --rpc ws://127.0.0.1:9944", "tests/watch.rs has a node"),
    ("lithify cache watch --rpc ws://127.0.0.1:9944 --once", "the same"),
    (
        "lithify cache watch --rpc ws://127.0.0.1:9944 -- --all-targets --timeout 5min --max-memory 2G",
        "the same",
    ),
    (
        "lithify build-block --state parachain.json -o block.json --candidate candidate.scale",
        "tests/pvf.rs has a parachain",
    ),
    ("lithify run parachain.json --pvf --input @candidate.scale", "the same"),
    (
        "workloads/build solochain",
        "compiles a runtime, with a compiler that is not ours to install",
    ),
];

const ADD: &str = r#"(func (export "add") (param i32 i32) (result i32)
    (i32.add (local.get 0) (local.get 1)))"#;

fn shell(folder: &Path, command: &str) -> Output {
    let path = std::env::var("PATH").unwrap();
    let ours = Path::new(LITHIFY).parent().unwrap().display();
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).current_dir(folder).env("PATH", format!("{ours}:{path}"));
    // Images are kept in this folder.
    shell.env("XDG_CACHE_HOME", folder.join("caches")).env_remove("LITHIFY_CACHE");
    shell.output().unwrap()
}

#[track_caller]
fn done(folder: &Path, command: &str) -> String {
    let output = shell(folder, command);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

/// A folder with the files that examples name: a small chain, a block of it, and what goes with them.
fn folder() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("examples");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(folder.join("testsuite")).unwrap();
    symlink(root.join("workloads"), folder.join("workloads")).unwrap();
    for name in ["westend.json", "people.json", "chain-spec.json"] {
        fs::copy(root.join("workloads/ledger/genesis.json"), folder.join(name)).unwrap();
    }
    let runtime = root.join("workloads/ledger/rust/ledger.wasm");
    for name in ["runtime.wasm", "old.wasm", "new.wasm", "old/runtime.wasm", "new/runtime.wasm"] {
        fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
        fs::copy(&runtime, folder.join(name)).unwrap();
    }
    let node = root.join("workloads/solochain/solochain.compact.compressed.wasm");
    fs::copy(node, folder.join("node.wasm")).unwrap();
    fs::write(folder.join("accounts.json"), r#"{"balances":{"balances":[]}}"#).unwrap();
    let first = r#"(module (memory (export "memory") 20) (global $ready (mut i32) (i32.const 0))
        (global (export "__heap_base") i32 (i32.const 65536))
        (func (export "_start") (global.set $ready (i32.const 1)))
        (func (export "Core_version") (param i32 i32) (result i64)
            (if (i32.eqz (global.get $ready)) (then unreachable)) (i64.const 0)))"#;
    fs::write(folder.join("first-go.wasm"), wat::parse_str(first).unwrap()).unwrap();
    let text =
        r#"(data (i32.const 8) "text\00") (func (export "somecall") (result i32) i32.const 8)"#;
    let start = r#"(func (export "_start"))"#;
    for (name, source) in [("program", start), ("math", ADD), ("text", text)] {
        let wasm = wat::parse_str(format!("(module (memory (export \"memory\") 1) {source})"));
        fs::write(folder.join(name).with_extension("wasm"), wasm.unwrap()).unwrap();
    }
    fs::write(folder.join("account.bin"), [7; 32]).unwrap();
    let script = r#"(module (func (export "f"))) (assert_return (invoke "f"))"#;
    for name in ["spec.wast", "testsuite/f.wast"] {
        fs::write(folder.join(name), script).unwrap();
    }
    done(&folder, "lithify build-block --state westend.json --transfers 2 -o block.json");
    let block: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.join("block.json")).unwrap()).unwrap();
    fs::write(folder.join("transfer.hex"), block["block"]["body"][1].as_str().unwrap()).unwrap();
    done(&folder, "lithify compile westend.json");
    done(&folder, "lithify profile block.json -o block.profile");
    let samples = "lithify bench runtime.wasm --processes 1 --compiles 1 --json > samples.jsonl";
    done(&folder, samples);
    folder
}

/// The lines of a help's examples.
fn examples(help: &str) -> Vec<String> {
    let (_, examples) = help.split_once("Examples:\n").expect(help);
    let lines = examples.lines().take_while(|line| !line.is_empty());
    lines.map(|line| line.trim().to_owned()).collect()
}

#[test]
fn examples_run_as_they_stand() {
    let folder = folder();
    let mut lines = Vec::new();
    let mut left = vec!["lithify".to_owned()];
    while let Some(command) = left.pop() {
        let help = done(&folder, &format!("{command} --help"));
        lines.extend(examples(&help));
        left.extend(commands(&help).into_iter().rev().map(|name| format!("{command} {name}")));
    }
    assert!(lines.iter().any(|line| line.starts_with("lithify cache fill ")), "{lines:?}");
    let readme =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let (_, usage) = readme.split_once("## Use\n\n```sh\n").unwrap();
    let usage = usage.lines().take_while(|line| *line != "```");
    lines.extend(usage.map(str::to_owned));
    let mut long = Vec::new();
    for line in &lines {
        let command = line.split("  #").next().unwrap_or_default().trim();
        match LONG.iter().find(|(known, _)| *known == command) {
            Some((known, _)) => long.push(*known),
            None => drop(done(&folder, command)),
        }
    }
    let stale: Vec<_> = LONG.iter().filter(|(known, _)| !long.contains(known)).collect();
    assert!(stale.is_empty(), "no example any more: {stale:?}");
    assert!(lines.len() - long.len() > 30, "{lines:?}");
}
