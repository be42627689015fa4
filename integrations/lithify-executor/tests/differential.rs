//! Both executors through the state machine of a node: results, every change of the state, and roots
//! are the same. Images on one side, sc-executor's own wasmtime on the other.

mod support;

use lithify_polkadot::{BlockRequest, RuntimeVersion, State, build_block};
use sp_core::traits::{CallContext, CodeExecutor};
use sp_externalities::with_externalities;
use std::{collections::BTreeMap, fs, path::PathBuf};
use support::{Chain, Executor, Fallback, Outcome, executor, file, read};

const OFFCHAIN: CallContext = CallContext::Offchain;
const AUTHOR: CallContext = CallContext::Onchain { import: false };
const IMPORT: CallContext = CallContext::Onchain { import: true };

/// Both executors, the first with an image of `chain`.
struct Pair {
    ours: Executor,
    theirs: Fallback,
    _folder: tempfile::TempDir,
}

impl Pair {
    fn of(chain: &Chain) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ours = executor(folder.path());
        chain.with_code(|code| {
            ours.is_served(code);
            ours.wait(code);
            assert!(ours.is_served(code), "{} has no image", chain.name);
        });
        Self { ours, theirs: Fallback::builder().build(), _folder: folder }
    }

    fn call(&self, chain: &Chain, method: &str, data: &[u8], context: CallContext) -> Outcome {
        let ours = chain.call(&self.ours, method, data, context);
        let theirs = chain.call(&self.theirs, method, data, context);
        assert_eq!(ours, theirs, "{}: {method} {context:?}", chain.name);
        ours
    }
}

/// What any runtime is asked, and what none can answer.
fn ask(pair: &Pair, chain: &Chain) {
    for context in [OFFCHAIN, AUTHOR, IMPORT] {
        pair.call(chain, "Core_version", &[], context);
    }
    for (method, data) in [
        ("Metadata_metadata", &[][..]),
        ("Metadata_metadata_at_version", &[15, 0, 0, 0]),
        ("AccountNonceApi_account_nonce", &[7; 32]),
        ("AuraApi_authorities", &[]),
        ("GenesisBuilder_preset_names", &[]),
        ("BlockBuilder_finalize_block", &[]),
        ("BlockBuilder_apply_extrinsic", &[4, 0]),
        ("Core_initialize_block", &[0; 98]),
        // Arguments that do not decode: the guest panics, or says no.
        ("Core_execute_block", &[0xff; 40]),
        ("TaggedTransactionQueue_validate_transaction", &[0xff; 9]),
        ("nowhere", &[]),
    ] {
        pair.call(chain, method, data, OFFCHAIN);
    }
    pair.call(chain, "OffchainWorkerApi_offchain_worker", &[0; 98], OFFCHAIN);
}

/// A block that the fallback makes on the state, and both execute; or why it makes none.
fn block(
    pair: &Pair,
    chain: &Chain,
    state: &State,
    version: &RuntimeVersion,
) -> Result<(), String> {
    let call = |entry: &str, argument: &[u8]| {
        with_externalities(|ext| {
            chain.with_code(|code| pair.theirs.call(ext, code, entry, argument, AUTHOR).0)
        })
        .expect("the session has set them")
    };
    let request = BlockRequest::default();
    let built = state.session().execute(|| build_block(state, version, &request, call));
    let block = built.map_err(|error| format!("{}: {error}", chain.name))?.block;
    execute(pair, chain, block.argument(), block.header.state_root);
    Ok(())
}

fn execute(pair: &Pair, chain: &Chain, mut argument: Vec<u8>, root: [u8; 32]) {
    for context in [IMPORT, AUTHOR] {
        let outcome = pair.call(chain, "Core_execute_block", &argument, context);
        assert_eq!(outcome.result, Ok(vec![]), "{}", chain.name);
        assert_eq!(outcome.root.0, root, "{}", chain.name);
        assert!(!outcome.changes.is_empty());
    }
    // The same, but for one byte of the root in its header.
    argument[40] ^= 1;
    let outcome = pair.call(chain, "Core_execute_block", &argument, IMPORT);
    assert!(outcome.result.is_err(), "{}", chain.name);
}

#[test]
fn the_bundled_runtime() {
    let block_file = read(file("workloads/solochain/block-transfers.json"), "block");
    let chain = Chain::of_input("solochain", &block_file);
    let pair = Pair::of(&chain);
    ask(&pair, &chain);
    let block = block_file.block.as_ref().unwrap();
    execute(&pair, &chain, block.argument(), block.header.state_root);
}

/// The ledger's modules that a node can start, and that its compiler takes; the others get an
/// answer as well, the fallback's.
#[test]
fn the_ledger_in_all_languages() {
    let genesis = read(file("workloads/ledger/genesis.json"), "genesis");
    let (top, _) = genesis.state.as_ref().unwrap().pairs();
    for module in [
        "rust/ledger.wasm",
        "tinygo/custom-1.wasm",
        "tinygo/custom-2.wasm",
        "tinygo/custom-s.wasm",
        "tinygo/custom-z.wasm",
        "tinygo/leaking-2.wasm",
        "tinygo/leaking-z.wasm",
        "tinygo/conservative-2.wasm",
        "tinygo/precise-2.wasm",
        "go/ledger.wasm",
    ] {
        let code = file(&format!("workloads/ledger/{module}"));
        let mut top = top.clone();
        top.insert(b":code".to_vec(), code.clone());
        let mut input = read(code, module);
        let version = input.version.clone();
        let state = State::new(top, BTreeMap::new(), genesis.state.as_ref().unwrap().version());
        input.state = Some(state.clone());
        let chain = Chain::of_input(module, &input);
        let folder = tempfile::tempdir().unwrap();
        let ours = executor(folder.path());
        let theirs = Fallback::builder().build();
        let is_served = chain.with_code(|code| {
            ours.is_served(code);
            ours.wait(code);
            ours.is_served(code)
        });
        // Go's needs more of the language than a node has.
        assert_eq!(is_served, !module.starts_with("go/"), "{module}");
        let pair = Pair { ours, theirs, _folder: folder };
        ask(&pair, &chain);
        if is_served {
            let version = version.unwrap_or_else(|| {
                let answer = pair.call(&chain, "Core_version", &[], OFFCHAIN).result.unwrap();
                lithify_polkadot::version::decode(&answer).unwrap()
            });
            block(&pair, &chain, &state, &version).unwrap();
        }
    }
}

/// Runtimes of other chains, where they are.
#[test]
fn the_corpus() {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/corpus");
    let named = std::env::var("LITHIFY_CORPUS").unwrap_or_default();
    let folders = named.split(':').filter(|name| !name.is_empty()).chain([beside]);
    let mut files: Vec<PathBuf> = folders
        .filter_map(|folder| fs::read_dir(folder).ok())
        .flat_map(|files| files.map(|file| file.unwrap().path()))
        .filter(|path| fs::metadata(path).unwrap().len() < 8 << 20)
        .collect();
    files.sort();
    if files.is_empty() {
        eprintln!("skipped: no corpus at {beside}, and LITHIFY_CORPUS names none");
    }
    for path in files {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let Ok(lithify_polkadot::Input::Runtime(input)) =
            lithify_polkadot::Input::read(fs::read(&path).unwrap(), &name)
        else {
            continue;
        };
        let chain = Chain::of_input(&name, &input);
        let folder = tempfile::tempdir().unwrap();
        let ours = executor(folder.path());
        let is_served = chain.with_code(|code| {
            ours.is_served(code);
            ours.wait(code);
            ours.is_served(code)
        });
        eprintln!("{name}: {}", if is_served { "an image" } else { "the fallback" });
        let pair = Pair { ours, theirs: Fallback::builder().build(), _folder: folder };
        if !is_served {
            // It imports what is not in this set. Each call compiles it to find that out.
            pair.call(&chain, "Core_version", &[], OFFCHAIN);
            continue;
        }
        ask(&pair, &chain);
        match (&input.block, &input.state, &input.version) {
            (Some(block), ..) => {
                execute(&pair, &chain, block.argument(), block.header.state_root);
            }
            (None, Some(state), Some(version)) => {
                if let Err(error) = block(&pair, &chain, state, version) {
                    eprintln!("no block is made: {error}");
                }
            }
            _ => {}
        }
    }
}

/// Takes so many blocks of a mebibyte as its first byte says, and returns nothing.
const TAKES: &str = r#"(module
    (import "env" "ext_allocator_malloc_version_1" (func $malloc (param i32) (result i32)))
    (import "env" "memory" (memory 2))
    (global (export "__heap_base") i32 (i32.const 1024))
    (func (export "take") (param i32 i32) (result i64)
        (local $left i32)
        (local.set $left (i32.load8_u (local.get 0)))
        (block $done
            (loop $next
                (br_if $done (i32.eqz (local.get $left)))
                (drop (call $malloc (i32.const 0x100000)))
                (local.set $left (i32.sub (local.get $left) (i32.const 1)))
                (br $next)))
        (i64.const 0)))"#;

/// How much memory a call gets: the chain's word on chain, the default off chain, twice at import.
#[test]
fn heaps_end_at_the_same_block() {
    let mut chain = Chain::of_text("takes", TAKES);
    let pair = Pair::of(&chain);
    let last = |chain: &Chain, context| {
        let fits = |count: &u8| pair.call(chain, "take", &[*count], context).result.is_ok();
        (0..=u8::MAX).rev().find(fits).unwrap()
    };
    let default = [OFFCHAIN, AUTHOR, IMPORT].map(|context| last(&chain, context));
    assert!(default[0] == default[1] && default[1] < 130 && default[2] > 240, "{default:?}");
    chain.heap_pages = Some(512);
    let own = [OFFCHAIN, AUTHOR, IMPORT].map(|context| last(&chain, context));
    assert!(own[0] == default[0] && own[1] < 33 && own[2] > 50 && own[2] < 66, "{own:?}");
}

/// What the guest did not write itself is traps: each kind, and an endless recursion.
#[test]
fn traps_are_traps_on_both() {
    let chain = Chain::of_text(
        "traps",
        r#"(module
            (memory (export "memory") 2)
            (table 1 funcref)
            (global (export "__heap_base") i32 (i32.const 1024))
            (func $deep (export "deep") (param i32 i32) (result i64)
                (call $deep (local.get 0) (local.get 1)))
            (func (export "beyond") (param i32 i32) (result i64) (i64.load (i32.const -8)))
            (func (export "null") (param i32 i32) (result i64)
                (call_indirect (result i64) (i32.const 0)))
            (func (export "zero") (param i32 i32) (result i64)
                (i64.div_u (i64.const 1) (i64.const 0)))
            (func (export "stop") (param i32 i32) (result i64) unreachable)
            (func (export "much") (param i32 i32) (result i64) (i64.const -1)))"#,
    );
    let pair = Pair::of(&chain);
    for (method, error) in [
        ("deep", "trap"),
        ("beyond", "trap"),
        ("null", "trap"),
        ("zero", "trap"),
        ("stop", "trap"),
        ("much", "Output exceeds bounds of wasm memory"),
    ] {
        let outcome = pair.call(&chain, method, &[], OFFCHAIN);
        let text = outcome.result.unwrap_err();
        assert!(text.contains(error), "{method}: {text}");
    }
}

/// What a node refuses we refuse: each gets the fallback's answer, which is an error.
#[test]
fn what_a_node_refuses_has_no_image() {
    let module = |inside: &str| {
        format!(
            r#"(module {inside}
                (memory (export "memory") 2)
                (global (export "__heap_base") i32 (i32.const 1024))
                (func (export "ask") (param i32 i32) (result i64) (i64.const 0)))"#
        )
    };
    for (name, inside) in [
        ("multi-value", "(func (result i32 i32) i32.const 1 i32.const 2)"),
        ("bulk", "(func (memory.fill (i32.const 0) (i32.const 0) (i32.const 0)))"),
        ("reference", "(table 1 funcref) (func (drop (table.size 0)))"),
        ("simd", "(func (drop (v128.const i64x2 0 0)))"),
        ("tail call", "(func $f return_call $f)"),
        ("another module", r#"(import "wasi" "answer" (func))"#),
        ("a missing function", r#"(import "env" "no_such" (func))"#),
    ] {
        let chain = Chain::of_text(name, &module(inside));
        let folder = tempfile::tempdir().unwrap();
        let ours = executor(folder.path());
        let theirs = Fallback::builder().build();
        for _ in 0..2 {
            let answer = chain.call(&ours, "ask", &[], OFFCHAIN);
            assert_eq!(answer, chain.call(&theirs, "ask", &[], OFFCHAIN), "{name}");
            assert!(answer.result.is_err(), "{name}");
            chain.with_code(|code| ours.wait(code));
        }
        assert!(!chain.with_code(|code| ours.is_served(code)), "{name}");
    }
}
