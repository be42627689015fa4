//! Validating a parachain's block as a node's workers do it: the artifact is bytes, the process sees no
//! file, `/proc/self/pagemap` among them, and may not ask the system for sockets.
//!
//! The process of its own is this program once more. What it returns is what a process without
//! restrictions returns.

use lithify_compiler::{Options, Target, compile_image};
use lithify_polkadot::{
    BlockRequest, CallContext, Input,
    author::{build_block, candidate},
    native::{Runtime as Native, RuntimeOptions},
};
use sc_executor_common::{
    runtime_blob::RuntimeBlob,
    wasm_runtime::{HeapAllocStrategy, WasmModule},
};
use sc_executor_wasmtime::*;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter_all_threads};
use std::{
    env, fs, io,
    net::UdpSocket,
    os::unix::{fs::chroot, process::ExitStatusExt},
    path::Path,
    process::{Command, Output},
};

/// Set in the restricted process: the folder with its artifact and argument, and an empty one.
const FOLDER: &str = "LITHIFY_VALIDATION";
/// Set in one that breaks the rules.
const BREAKS: &str = "LITHIFY_VALIDATION_BREAKS";

/// What validators offer to a module.
type ValidationHost = (
    sp_io::misc::HostFunctions,
    sp_io::crypto::HostFunctions,
    sp_io::hashing::HostFunctions,
    sp_io::allocator::HostFunctions,
    sp_io::logging::HostFunctions,
    sp_io::trie::HostFunctions,
);

/// Writes to a page for each byte of its input, calls itself as deep, hashes all of it, and says so.
const MODULE: &str = r#"(module
  (import "env" "memory" (memory 40))
  (import "env" "ext_hashing_blake2_256_version_1" (func $hash (param i64) (result i32)))
  (import "env" "ext_storage_get_version_1" (func (param i64) (result i64)))
  (global (export "__heap_base") i32 (i32.const 2097152))
  (func $deeper (param $n i32) (result i32)
    (i32.store8 (i32.mul (local.get $n) (i32.const 4096)) (local.get $n))
    (if (result i32) (local.get $n)
      (then (i32.add (i32.const 1) (call $deeper (i32.sub (local.get $n) (i32.const 1)))))
      (else (i32.const 0))))
  (func (export "validate_block") (param i32) (param $len i32) (result i64)
    (drop (call $deeper (local.get $len)))
    (i64.or
      (i64.const 0x2000000000)
      (i64.extend_i32_u (call $hash (i64.const 0x20000000000000))))))"#;

/// A relay chain's defaults.
fn config() -> Config {
    Config {
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
            heap_alloc_strategy: HeapAllocStrategy::Dynamic { maximum_pages: Some(2080) },
            wasm_multi_value: false,
            wasm_bulk_memory: false,
            wasm_reference_types: false,
            wasm_simd: false,
        },
    }
}

/// What the artifact makes of the argument, several times.
fn validate(artifact: &[u8], argument: &[u8]) -> Vec<Vec<u8>> {
    let config = config();
    let strategy = config.semantics.heap_alloc_strategy;
    // SAFETY: `prepare_runtime_artifact` returned it, or the test damages nothing but the argument.
    let runtime = unsafe { create_runtime_from_artifact_bytes::<ValidationHost>(artifact, config) };
    let runtime = runtime.expect("an artifact");
    let mut instance = runtime.new_instance(strategy).expect("an instance");
    let mut call = || {
        let mut ext = sp_io::TestExternalities::default();
        ext.execute_with(|| instance.call("validate_block", argument).expect("it is valid"))
    };
    (0..3).map(|_| call()).collect()
}

/// Sees no file and gets no socket from now on; `None` where this user may not do so.
fn restrict(root: &Path) -> Option<()> {
    match chroot(root) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return None,
        result => result.expect("a folder"),
    }
    env::set_current_dir("/").expect("it is there");
    // What a worker's process is killed for.
    let calls = [
        libc::SYS_socket,
        libc::SYS_socketpair,
        libc::SYS_connect,
        libc::SYS_io_uring_setup,
        libc::SYS_io_uring_enter,
        libc::SYS_io_uring_register,
    ];
    let filter = SeccompFilter::new(
        calls.into_iter().map(|call| (call, vec![])).collect(),
        SeccompAction::Allow,
        SeccompAction::KillProcess,
        env::consts::ARCH.try_into().expect("an architecture with seccomp"),
    );
    let program: BpfProgram = filter.expect("a filter").try_into().expect("a filter");
    apply_filter_all_threads(&program).expect("the kernel has seccomp");
    Some(())
}

/// In the process of its own: reads, restricts itself, validates, and prints.
#[test]
fn child() {
    let Some(folder) = env::var_os(FOLDER) else { return };
    let folder = Path::new(&folder);
    let read = |name| fs::read(folder.join(name)).expect("it was written");
    let (artifact, argument) = (read("artifact"), read("argument"));
    if restrict(&folder.join("empty")).is_none() {
        println!("skipped: only root may hide the files of a process");
        return;
    }
    assert!(fs::File::open("/proc/self/pagemap").is_err());
    if env::var_os(BREAKS).is_some() {
        let _ = UdpSocket::bind("127.0.0.1:0");
        return;
    }
    println!("validated {:?}", validate(&artifact, &argument));
}

fn run_child(folder: &Path, breaks: bool) -> Output {
    let mut command = Command::new(env::current_exe().expect("this program"));
    command.args(["--exact", "child", "--nocapture"]).env(FOLDER, folder);
    if breaks {
        command.env(BREAKS, "");
    }
    command.output().expect("this program")
}

fn check(code: &[u8], argument: &[u8]) {
    let blob = RuntimeBlob::uncompress_if_needed(code).expect("a runtime");
    let artifact = prepare_runtime_artifact(blob, &config().semantics).expect("it compiles");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    fs::create_dir(path.join("empty")).expect("the folder is ours");
    fs::write(path.join("artifact"), &artifact).expect("the folder is ours");
    fs::write(path.join("argument"), argument).expect("the folder is ours");
    let expected = validate(&artifact, argument);
    assert!(expected.iter().all(|output| *output == expected[0]));
    let said = run_child(path, false);
    let (out, error) =
        (String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    if out.contains("skipped: ") {
        eprintln!("skipped: only root may hide the files of a process");
        return;
    }
    assert!(said.status.success(), "{out}{error}");
    assert!(out.contains(&format!("validated {expected:?}")), "{out}{error}");
    // The restrictions are what they are said to be.
    let killed = run_child(path, true);
    assert_eq!(killed.status.signal(), Some(libc::SIGSYS), "{killed:?}");
}

#[test]
fn a_module_validates_without_files_and_sockets() {
    let code = wat::parse_str(MODULE).expect("a module");
    check(&code, &[7; 300]);
}

/// With a parachain's own runtime, where the corpus is.
#[test]
fn a_parachain_validates_without_files_and_sockets() {
    let name = "asset-hub-2021.chain-spec.json";
    let named = env::var("LITHIFY_CORPUS").unwrap_or_default();
    let mut folders = named.split(':').chain(["../../../shared/corpus"]);
    let Some(spec) = folders.find_map(|folder| fs::read(format!("{folder}/{name}")).ok()) else {
        eprintln!("skipped: the corpus has no {name}");
        return;
    };
    let Input::Runtime(input) = Input::read(spec, name).expect("a chain spec") else {
        panic!("{name} is no chain spec");
    };
    let mut state = input.state.clone().expect("a chain spec has a state");
    let image = image(input.wasm());
    let options = RuntimeOptions { trap_missing: true, ..RuntimeOptions::default() };
    let runtime = Native::from_bytes(&image, &options).expect("it runs");
    let version = runtime.version().expect("a version");
    state.set_version(version.state_version());
    let mut context = CallContext::new();
    let mut call = |entry: &str, input: &[u8]| runtime.call(entry, input, &mut context);
    let built = state
        .session()
        .execute(|| build_block(&state, &version, &BlockRequest::default(), &mut call))
        .expect("a block");
    let argument = candidate(&mut state.session(), &built, None, call).expect("a candidate");
    check(&state.code().expect("a chain has code"), &argument);
}

/// For this machine.
fn image(wasm: &[u8]) -> Vec<u8> {
    let options = Options { target: Target::host(), ..Options::default() };
    compile_image(wasm, &options).expect("it compiles")
}
