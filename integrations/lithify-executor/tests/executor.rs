//! Who answers, and when; what a worker may take; what two engines that differ lead to.

mod support;

use lithify_compiler::{Options as Compile, Profile, Target, compile_image};
use lithify_executor::{LithifyExecutor, OpenError, Options, Program};
use lithify_polkadot::{Input, State};
use lithify_runtime::host_cpu_features;
use lithify_store::{Bounds, Key, Store};
use sc_executor::RuntimeVersionOf;
use sp_core::traits::{CallContext, CodeExecutor, ReadRuntimeVersion};
use sp_crypto_hashing::blake2_256;
use sp_io::{SubstrateHostFunctions, TestExternalities};
use std::{
    fs, num::NonZeroU64, os::unix::fs::PermissionsExt, path::Path, sync::Mutex, time::Duration,
};
use support::{Chain, Executor, Fallback, executor, file, worker};

const OFFCHAIN: CallContext = CallContext::Offchain;

fn ledger() -> Chain {
    Chain::of_code("ledger", file("workloads/ledger/rust/ledger.wasm"))
}

fn with(folder: &Path, change: impl FnOnce(&mut Options)) -> Executor {
    let mut options = Options::new(folder, worker());
    change(&mut options);
    LithifyExecutor::new(&options).unwrap()
}

/// A program that does what the lines of a shell say.
fn script(folder: &Path, lines: &str) -> Program {
    let path = folder.join("worker");
    fs::write(&path, format!("#!/bin/sh\n{lines}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    Program::File(path)
}

fn version<E: CodeExecutor>(executor: &E, chain: &Chain) -> Vec<u8> {
    chain.call(executor, "Core_version", &[], OFFCHAIN).result.unwrap()
}

fn is_served(executor: &Executor, chain: &Chain) -> bool {
    chain.with_code(|code| executor.is_served(code))
}

fn wait(executor: &Executor, chain: &Chain) {
    chain.with_code(|code| executor.wait(code));
}

/// No call waits for the worker, and after it nobody needs one.
#[test]
fn the_fallback_answers_until_there_is_an_image() {
    let folder = tempfile::tempdir().unwrap();
    let expected = version(&Fallback::builder().build(), &ledger());
    let Program::File(real) = worker() else { panic!("a file") };
    let go = folder.path().join("go");
    let lines =
        format!("until [ -e {} ]; do sleep 0.01; done; exec {}", go.display(), real.display());
    let slow = script(folder.path(), &lines);
    let store = folder.path().join("store");
    let first = with(&store, |options| options.program = slow);
    for _ in 0..3 {
        assert_eq!(version(&first, &ledger()), expected);
        assert!(!is_served(&first, &ledger()));
    }
    fs::write(go, []).unwrap();
    wait(&first, &ledger());
    assert!(is_served(&first, &ledger()));
    assert_eq!(version(&first, &ledger()), expected);

    // A node that is started again has the image in its first call, whatever it calls the hash.
    let second = with(&store, |options| options.program = Program::File("/bin/false".into()));
    assert!(is_served(&second, &ledger()));
    let mut other_hash = ledger();
    other_hash.hash = vec![1, 2, 3];
    assert!(is_served(&second, &other_hash));
    assert_eq!(version(&second, &other_hash), expected);
}

/// The version is the same from the image, whether its code embeds it or not.
#[test]
fn versions_are_those_of_the_fallback() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (executor(folder.path()), Fallback::builder().build());
    let input = support::read(file("workloads/solochain/chain-spec.json"), "spec");
    let embeds = Chain::of_input("solochain", &input);
    for chain in [ledger(), embeds] {
        is_served(&ours, &chain);
        wait(&ours, &chain);
        assert!(is_served(&ours, &chain));
        let mut ext = TestExternalities::default();
        let mut ext = ext.ext();
        chain.with_code(|code| {
            let expected = theirs.runtime_version(&mut ext, code).unwrap();
            assert_eq!(ours.runtime_version(&mut ext, code).unwrap(), expected);
        });
        let expected = theirs.read_runtime_version(&chain.code, &mut ext).unwrap();
        assert_eq!(ours.read_runtime_version(&chain.code, &mut ext).unwrap(), expected);
    }
}

/// Whatever asks at the same moment, one worker runs for one code.
#[test]
fn one_worker_makes_an_image() {
    let folder = tempfile::tempdir().unwrap();
    let Program::File(real) = worker() else { panic!("a file") };
    let log = folder.path().join("log");
    let counts = script(
        folder.path(),
        &format!("echo started >>{}; exec {}", log.display(), real.display()),
    );
    let store = folder.path().join("store");
    // Two nodes on one store.
    let nodes = [(); 2].map(|()| with(&store, |options| options.program = counts.clone()));
    let expected = version(&Fallback::builder().build(), &ledger());
    std::thread::scope(|scope| {
        for node in &nodes {
            for _ in 0..4 {
                scope.spawn(|| assert_eq!(version(node, &ledger()), expected));
            }
        }
    });
    for node in &nodes {
        wait(node, &ledger());
        assert!(is_served(node, &ledger()));
    }
    assert_eq!(fs::read_to_string(log).unwrap(), "started\n");
}

/// What a runtime checks before it takes it as its next code has an image by the time it is called.
#[test]
fn an_upgrade_is_compiled_when_it_is_announced() {
    let folder = tempfile::tempdir().unwrap();
    let node = executor(folder.path());
    let mut ext = TestExternalities::default();
    node.read_runtime_version(&ledger().code, &mut ext.ext()).unwrap();
    wait(&node, &ledger());
    let none = with(folder.path(), |options| options.program = Program::File("/bin/false".into()));
    assert!(is_served(&none, &ledger()));
}

/// A worker that fails, is stopped, or is none costs the image and nothing else.
#[test]
fn the_fallback_answers_for_a_worker_that_fails() {
    let expected = version(&Fallback::builder().build(), &ledger());
    let folder = tempfile::tempdir().unwrap();
    type Change<'a> = &'a dyn Fn(&mut Options);
    let cases: [(&str, Change<'_>); 5] = [
        ("memory", &|options| options.limits.memory = 1 << 20),
        ("time", &|options| {
            options.program = script(folder.path(), "exec sleep 60");
            options.limits.time = Duration::from_millis(50);
        }),
        ("none", &|options| options.program = Program::File("/nowhere/worker".into())),
        ("false", &|options| options.program = Program::File("/bin/false".into())),
        ("no image", &|options| options.program = Program::File("/bin/true".into())),
    ];
    for (name, change) in cases {
        let store = tempfile::tempdir().unwrap();
        let node = with(store.path(), change);
        assert!(!is_served(&node, &ledger()));
        wait(&node, &ledger());
        assert!(!is_served(&node, &ledger()), "{name}");
        assert_eq!(version(&node, &ledger()), expected, "{name}");
    }
}

/// A folder that cannot be written to: the image serves as long as the node runs.
#[test]
fn an_image_that_cannot_be_kept_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let node = executor(folder.path());
    // Whoever may write everywhere may not make a folder where a file is.
    let key = key(&ledger());
    fs::write(folder.path().join(key.folder()), []).unwrap();
    assert!(!is_served(&node, &ledger()));
    wait(&node, &ledger());
    assert_eq!(version(&node, &ledger()), version(&Fallback::builder().build(), &ledger()));
}

#[test]
fn a_worker_that_would_be_a_second_node_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options::new(folder.path(), Program::This);
    let refused = LithifyExecutor::<SubstrateHostFunctions>::new(&options).err().unwrap();
    assert!(matches!(refused, OpenError::NoWorker));
    assert!(refused.to_string().contains("run_if_asked"));
}

fn key(chain: &Chain) -> Key {
    let target = Target::host().limited_to(host_cpu_features());
    Key::runtime(blake2_256(&chain.code), target.machine, target.features)
}

/// Puts the image of `made_of` into the store as that of `chain`.
fn put(folder: &Path, chain: &Chain, made_of: &Chain) {
    let options = Compile {
        target: Target::host().limited_to(host_cpu_features()),
        profile: Some(Profile::Runtime),
        code_hash: blake2_256(&chain.code),
        ..Compile::default()
    };
    let image = compile_image(&made_of.code, &options).unwrap();
    Store::open(folder, Bounds::default()).unwrap().put(&key(chain), &image).unwrap();
}

/// Copies its argument to the state, with a byte changed, and returns what is there.
fn keeper(change: &str) -> Chain {
    let text = format!(
        r#"(module
            (import "env" "ext_storage_get_version_1" (func $get (param i64) (result i64)))
            (import "env" "ext_storage_set_version_1" (func $set (param i64 i64)))
            (import "env" "memory" (memory 2))
            (data (i32.const 512) "keyread")
            (global (export "__heap_base") i32 (i32.const 1024))
            (func (export "keep") (param $at i32) (param $len i32) (result i64)
                (local $all i64)
                (drop (call $get (i64.const 0x400000203)))
                (i32.store8 (local.get $at)
                    ({change} (i32.load8_u (local.get $at)) (i32.const 1)))
                (local.set $all (i64.or (i64.extend_i32_u (local.get $at))
                    (i64.shl (i64.extend_i32_u (local.get $len)) (i64.const 32))))
                (call $set (i64.const 0x300000200) (local.get $all))
                (local.get $all)))"#
    );
    Chain::of_text("keeper", &text)
}

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Lines;

impl log::Log for Lines {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        if record.target() == lithify_executor::LOG {
            let line = format!("{}: {}", record.level(), record.args());
            LINES.lock().unwrap().push(line);
        }
    }

    fn flush(&self) {}
}

/// Every second call is compared: where the engines agree nothing is said, and where the image is
/// wrong the fallback's answer is used, and a file repeats the call.
#[test]
fn what_differs_is_the_fallbacks_and_kept() {
    log::set_logger(&Lines).unwrap();
    log::set_max_level(log::LevelFilter::Info);
    let (adds, subtracts) = (keeper("i32.add"), keeper("i32.sub"));
    let errors = || {
        let lines = LINES.lock().unwrap();
        lines.iter().filter(|line| line.starts_with("ERROR")).cloned().collect::<Vec<_>>()
    };
    for (made_of, answers) in [(&adds, [6, 6]), (&subtracts, [4, 6])] {
        let folder = tempfile::tempdir().unwrap();
        put(folder.path(), &adds, made_of);
        let node = with(folder.path(), |options| options.shadow = NonZeroU64::new(2));
        assert!(is_served(&node, &adds));
        for answer in answers {
            let outcome = adds.call(&node, "keep", &[5, 9], OFFCHAIN);
            assert_eq!(outcome.result, Ok(vec![answer, 9]));
            // One value, under `key`, of the same two bytes.
            let [(key, value)] = &outcome.changes[..] else { panic!("{outcome:?}") };
            assert!(key == b"key" && value.ends_with(&[answer, 9]), "{outcome:?}");
        }
        let errors = errors();
        let differences = folder.path().join("differences");
        if made_of.code == adds.code {
            assert!(errors.is_empty() && !differences.exists(), "{errors:?}");
            continue;
        }
        let [error] = &errors[..] else { panic!("{errors:?}") };
        for part in ["keep of the runtime", "step 1 is", "storage", "keep --input 0x0509"] {
            assert!(error.contains(part), "{error}");
        }
        let kept = fs::read_dir(differences).unwrap().next().unwrap().unwrap().path();
        assert!(error.contains(kept.to_str().unwrap()), "{error}");
        let input = Input::read(fs::read(kept).unwrap(), "kept").unwrap();
        let Input::Runtime(input) = input else { panic!("a chain spec") };
        assert_eq!(input.code, adds.code);
        assert_eq!(input.state.as_ref().and_then(State::code), Some(adds.code.clone()));
        // A trap on both is no difference, and leaves no transaction open.
        let outcome = adds.call(&node, "nowhere", &[], OFFCHAIN);
        assert!(outcome.result.is_err() && outcome.changes.is_empty());
    }
}

/// Comparing changes nothing for a node: a whole chain's calls, block execution among them.
#[test]
fn a_node_that_compares_finds_the_same() {
    let input = support::read(file("workloads/solochain/block-transfers.json"), "block");
    let chain = Chain::of_input("solochain", &input);
    let folder = tempfile::tempdir().unwrap();
    let node = with(folder.path(), |options| options.shadow = NonZeroU64::new(1));
    is_served(&node, &chain);
    wait(&node, &chain);
    assert!(is_served(&node, &chain));
    let block = input.block.as_ref().unwrap();
    for _ in 0..2 {
        let import = CallContext::Onchain { import: true };
        let outcome = chain.call(&node, "Core_execute_block", &block.argument(), import);
        assert_eq!(outcome.result, Ok(vec![]));
        assert_eq!(outcome.root.0, block.header.state_root);
    }
    assert_eq!(version(&node, &chain), version(&Fallback::builder().build(), &chain));
    assert!(!folder.path().join("differences").exists());
}
