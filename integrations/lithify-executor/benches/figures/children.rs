//! What one process measures.

use crate::{
    Inputs, VERSIONS,
    chance::Chance,
    support::{self, Chain},
};
use lithify_executor::{LithifyExecutor, Options, Program};
use sc_executor::{RuntimeVersionOf, WasmExecutor};
use sc_executor_common::{
    runtime_blob::RuntimeBlob,
    wasm_runtime::{HeapAllocStrategy, WasmModule},
};
use serde_json::{Value, json};
use sp_core::traits::{CallContext, CodeExecutor};
use sp_io::{SubstrateHostFunctions, TestExternalities};
use sp_state_machine::OverlayedChanges;
use std::{
    fs,
    hint::black_box,
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

/// Calls of the recorded case, its versions, and how many a node keeps.
const CALLS: usize = 345;
pub const CALLED_VERSIONS: usize = 4;
const KEPT: u8 = 2;

/// Processes that have the same versions in memory.
const SHARING: usize = 4;

fn theirs() -> WasmExecutor<SubstrateHostFunctions> {
    WasmExecutor::builder().with_runtime_cache_size(KEPT).build()
}

fn ours(options: &Options) -> LithifyExecutor<SubstrateHostFunctions> {
    LithifyExecutor::new(options).expect("the folder is ours")
}

/// This executor, on the store that is filled or on an empty one.
fn ours_for(row: &str, inputs: &Inputs) -> (Option<tempfile::TempDir>, Options) {
    let (folder, store) = match row {
        "lithify" => (None, inputs.store()),
        _ => {
            let folder = tempfile::tempdir().expect("a folder for temporary files");
            let path = folder.path().to_owned();
            (Some(folder), path)
        }
    };
    let mut options = Options::new(store, Program::This);
    options.runtimes = KEPT.into();
    options.fallback_runtimes = KEPT;
    (folder, options)
}

/// Makes all images.
pub fn fill(inputs: &Inputs, versions: usize) {
    let executor = ours(&Options::new(inputs.store(), Program::This));
    for chain in chains(inputs, versions) {
        chain.with_code(|code| {
            executor.is_served(code);
            executor.wait(code);
            assert!(executor.is_served(code), "no image");
        });
    }
}

fn chains(inputs: &Inputs, count: usize) -> Vec<Chain> {
    let spec = support::read(support::file("workloads/solochain/chain-spec.json"), "spec");
    let chain = |version| {
        let mut input = spec.clone();
        input.code = inputs.code(version);
        Chain::of_input("version", &input)
    };
    (0..count).map(chain).collect()
}

/// What a node does for a `state_call`: it asks for the version, and then calls.
fn state_call<E: CodeExecutor + RuntimeVersionOf>(executor: &E, chain: &Chain) -> u64 {
    let mut ext = TestExternalities::default();
    let mut ext = ext.ext();
    let start = Instant::now();
    let version = chain.with_code(|code| executor.runtime_version(&mut ext, code));
    let took = start.elapsed();
    black_box(version.expect("a version"));
    let (entry, account) = ("AccountNonceApi_account_nonce", [7; 32]);
    let mut overlay = OverlayedChanges::default();
    let start = Instant::now();
    let called = chain.execute(executor, entry, &account, CallContext::Offchain, &mut overlay);
    let took = took + start.elapsed();
    assert_eq!(called.as_deref(), Ok(&[0; 4][..]));
    took.as_nanos() as u64
}

/// So many calls over the versions, in any order, in a node that has just started; and once more.
pub fn calls(row: &str, inputs: &Inputs, seed: u64) -> Value {
    fn passes<E: CodeExecutor + RuntimeVersionOf>(
        executor: &E,
        inputs: &Inputs,
        seed: u64,
    ) -> Value {
        let chains = chains(inputs, CALLED_VERSIONS);
        let mut chance = Chance::new(seed);
        let order: Vec<_> = (0..CALLS).map(|_| chance.below(CALLED_VERSIONS)).collect();
        let pass = || -> Vec<u64> {
            order.iter().map(|version| state_call(executor, &chains[*version])).collect()
        };
        json!({ "cold": pass(), "warm": pass() })
    }
    match row {
        "wasmtime" => passes(&theirs(), inputs, seed),
        row => {
            let (_folder, options) = ours_for(row, inputs);
            passes(&ours(&options), inputs, seed)
        }
    }
}

/// Calls of a version that is in memory, before and while another one is taken into use.
pub fn compile(row: &str, inputs: &Inputs, _seed: u64) -> Value {
    fn hits<E: CodeExecutor + RuntimeVersionOf>(
        executor: &E,
        inputs: &Inputs,
        until_settled: impl Fn(&Chain) + Sync,
    ) -> Value {
        let chains = chains(inputs, 2);
        for _ in 0..100 {
            state_call(executor, &chains[0]);
        }
        let hit = || {
            // As requests come.
            thread::sleep(Duration::from_micros(200));
            state_call(executor, &chains[0])
        };
        let idle: Vec<_> = (0..4000).map(|_| hit()).collect();
        let is_over = AtomicBool::new(false);
        let during: Vec<_> = thread::scope(|scope| {
            scope.spawn(|| {
                state_call(executor, &chains[1]);
                until_settled(&chains[1]);
                is_over.store(true, Ordering::Relaxed);
            });
            let mut during = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                during.push(hit());
            }
            during
        });
        json!({ "idle": idle, "during": during })
    }
    match row {
        "wasmtime" => hits(&theirs(), inputs, |_| ()),
        row => {
            let (_folder, options) = ours_for(row, inputs);
            let executor = ours(&options);
            // The first version has its image before.
            chains(inputs, 1)[0].with_code(|code| {
                executor.is_served(code);
                executor.wait(code);
            });
            hits(&executor, inputs, |chain| chain.with_code(|code| executor.wait(code)))
        }
    }
}

/// What a worker does with an artifact: code, the entry point, its argument, how often it is called.
struct Candidate {
    name: &'static str,
    code: Vec<u8>,
    entry: &'static str,
    argument: Vec<u8>,
    rounds: usize,
}

/// From the bytes of an artifact to the end of the shortest call, as a worker for each candidate
/// does.
pub fn artifact(row: &str, inputs: &Inputs, _seed: u64) -> Value {
    let code = inputs.code(0);
    let argument = Vec::new();
    let candidate =
        Candidate { name: "version", code, entry: "Core_version", argument, rounds: 20 };
    from_artifact(row, inputs, &candidate)
}

/// The same to the end of a parachain's `validate_block`.
pub fn validation(row: &str, inputs: &Inputs, _seed: u64) -> Value {
    let parachain = crate::parachain().expect("it was asked for");
    let read = |path: PathBuf| fs::read(path).expect("a file");
    let candidate = Candidate {
        name: "validation",
        code: support::read(read(parachain.spec), "a parachain").code,
        entry: "validate_block",
        argument: read(parachain.candidate),
        rounds: 5,
    };
    from_artifact(row, inputs, &candidate)
}

fn from_artifact(row: &str, inputs: &Inputs, candidate: &Candidate) -> Value {
    macro_rules! times {
        ($engine:ident) => {{
            use $engine::*;
            let memory = HeapAllocStrategy::Dynamic { maximum_pages: Some(2080) };
            let config = || Config {
                allow_missing_func_imports: true,
                cache_path: None,
                semantics: Semantics {
                    instantiation_strategy: InstantiationStrategy::RecreateInstanceCopyOnWrite,
                    deterministic_stack_limit: Some(DeterministicStackLimit {
                        logical_max: 65_536,
                        native_stack_max: 256 << 20,
                    }),
                    canonicalize_nans: true,
                    parallel_compilation: false,
                    heap_alloc_strategy: memory,
                    wasm_multi_value: false,
                    wasm_bulk_memory: false,
                    wasm_reference_types: false,
                    wasm_simd: false,
                },
            };
            let Candidate { name, code, entry, argument, rounds } = candidate;
            let blob = RuntimeBlob::uncompress_if_needed(code).expect("a runtime");
            let artifact = inputs.folder.join(format!("{name}-{}", stringify!($engine)));
            if !artifact.exists() {
                let bytes = prepare_runtime_artifact(blob, &config().semantics);
                let fresh = artifact.with_extension("new");
                fs::write(&fresh, bytes.expect("it compiles")).expect("the folder is ours");
                fs::rename(fresh, &artifact).expect("the folder is ours");
            }
            let bytes = fs::read(artifact).expect("it was written");
            let once = || {
                let mut ext = TestExternalities::default();
                ext.execute_with(|| {
                    let start = Instant::now();
                    // SAFETY: it is what was prepared.
                    let runtime = unsafe {
                        create_runtime_from_artifact_bytes::<SubstrateHostFunctions>(&bytes, config())
                    };
                    let mut instance = runtime
                        .expect("an artifact")
                        .new_instance(memory)
                        .expect("an instance");
                    black_box(instance.call_export(entry, argument).expect("it returns"));
                    start.elapsed().as_nanos() as u64
                })
            };
            let first = once();
            json!({ "first": [first], "later": (0..*rounds).map(|_| once()).collect::<Vec<_>>() })
        }};
    }
    match row {
        "wasmtime" => times!(sc_executor_wasmtime),
        _ => times!(lithify_node),
    }
}

/// Memory of processes that have the same versions, for each version.
pub fn memory(row: &str, inputs: &Inputs, seed: u64) -> Value {
    if let Ok(count) = std::env::var("VERSIONS_IN_MEMORY") {
        hold(row, inputs, count.parse().expect("a number"));
        return Value::Null;
    }
    let taken = |processes: usize, versions: usize| -> u64 {
        let program = std::env::current_exe().expect("this program");
        let mut children: Vec<_> = (0..processes)
            .map(|_| {
                Command::new(&program)
                    .args(["--child", "memory", row])
                    .arg(&inputs.folder)
                    .arg(seed.to_string())
                    .env("VERSIONS_IN_MEMORY", versions.to_string())
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .spawn()
                    .expect("this program")
            })
            .collect();
        // All have them before one is looked at, and all are there until the last one was.
        for child in &mut children {
            let mut line = String::new();
            BufReader::new(child.stdout.as_mut().expect("a pipe"))
                .read_line(&mut line)
                .expect("ready");
            assert_eq!(line, "ready\n");
        }
        let sum = children.iter().map(|child| proportional(child.id())).sum();
        for mut child in children {
            drop(child.stdin.take());
            child.wait().expect("it ends");
        }
        sum
    };
    let each = |processes, versions| {
        let with_none = taken(processes, 0);
        let with_all = taken(processes, versions);
        with_all.saturating_sub(with_none) / (processes * versions) as u64
    };
    json!({
        "1 version": [each(1, 1)],
        "20 versions": [each(1, VERSIONS)],
        "20 versions in 4 processes": [each(SHARING, VERSIONS)],
    })
}

/// Has so many versions in memory until standard input ends.
fn hold(row: &str, inputs: &Inputs, count: usize) {
    fn all<E: CodeExecutor + RuntimeVersionOf>(executor: &E, chains: &[Chain]) {
        for chain in chains {
            state_call(executor, chain);
        }
    }
    let all_versions = chains(inputs, VERSIONS);
    let chains = &all_versions[..count];
    let stay = || {
        println!("ready");
        let _ = std::io::stdout().flush();
        let _ = std::io::stdin().lock().read_line(&mut String::new());
    };
    match row {
        "wasmtime" => {
            let executor = WasmExecutor::<SubstrateHostFunctions>::builder()
                .with_runtime_cache_size(VERSIONS as u8)
                .build();
            all(&executor, chains);
            stay();
        }
        _ => {
            let executor = ours(&Options::new(inputs.store(), Program::This));
            all(&executor, chains);
            stay();
        }
    }
}

/// Resident memory of a process in bytes, shared pages counted by their share.
fn proportional(id: u32) -> u64 {
    let rollup = fs::read_to_string(format!("/proc/{id}/smaps_rollup")).expect("it runs");
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).expect("a line");
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kilobytes * 1024
}
