//! Real runtimes on the Polkadot host, with wasmi as the engine.

mod host_support;

use host_support::corpus;
use host_support::wasmi_engine::{WasmiInstance, WasmiRuntime};
use lithify_polkadot::{
    CallContext, CallError, Form, Input, Observe, RuntimeInput, StateVersion, call, execute_block,
    version,
};
use parity_scale_codec::Decode;

fn read(file: &str) -> Option<RuntimeInput> {
    match Input::read(corpus(file)?, file).expect(file) {
        Input::Runtime(runtime) => Some(*runtime),
        Input::Image(_) => panic!("{file} is no image"),
    }
}

/// Spec name, spec version, transaction version, state version of each chain spec, and whether the
/// code embeds them.
#[test]
fn chain_specs_answer_version_and_metadata() {
    let known = [
        ("node-template.chain-spec.json", "node-template", 100, 1, 0, true),
        ("polkadot-coretime.chain-spec.json", "coretime-polkadot", 1_003_000, 0, 1, true),
        ("westend-genesis.chain-spec.json", "westend", 1, 1, 0, false),
    ];
    for (file, name, spec, transaction, state_version, embedded) in known {
        let Some(runtime) = read(file) else { continue };
        assert_eq!(runtime.form, Form::ChainSpec);
        let state = runtime.state.as_ref().expect("a chain spec has a state");
        assert_eq!(state.code().as_ref(), Some(&runtime.code));

        let wasmi = WasmiRuntime::new(runtime.wasm());
        let mut session = state.session();
        let mut context = CallContext::new();
        context.observe(Observe::Time);
        let output = session.execute(|| {
            call(&mut wasmi.instantiate(), &mut context, "Core_version", &[]).expect(file)
        });
        let decoded = version::decode(&output).expect(file);
        assert_eq!(
            (&*decoded.spec_name, decoded.spec_version, decoded.transaction_version),
            (name, spec, transaction)
        );
        assert_eq!(decoded.system_version, state_version, "{file}");
        assert_eq!(runtime.version.is_some(), embedded, "{file}");
        if let Some(version) = runtime.version {
            assert_eq!(version, decoded, "{file}");
        }

        let metadata = session.execute(|| {
            let mut instance = wasmi.instantiate();
            call(&mut instance, &mut context, "Metadata_metadata", &[]).expect(file)
        });
        let opaque = Vec::<u8>::decode(&mut &metadata[..]).expect(file);
        assert_eq!(&opaque[..4], b"meta", "{file}");
        let instruments = context.instruments();
        assert!(instruments.host_calls() > 0 && instruments.host_ns() > 0);
        // Core_version and Metadata_metadata write nothing.
        assert_eq!(session.changes(), []);
        assert_eq!(session.root(state.version()), state.root());
    }
}

#[test]
fn blocks_reach_the_state_root_of_their_header() {
    for file in ["block-child-trie-create-one.json", "block-child-trie-read-basic.json"] {
        let Some(mut runtime) = read(file) else { continue };
        assert_eq!(runtime.form, Form::BlockFile);
        let block = runtime.block.take().expect("a block file has a block");
        let mut state = runtime.state.take().expect("a block file has a state");
        let wasmi = WasmiRuntime::new(runtime.wasm());
        let mut context = CallContext::new();
        let output = state.session().execute(|| {
            call(&mut wasmi.instantiate(), &mut context, "Core_version", &[]).expect(file)
        });
        let version = version::decode(&output).expect(file).state_version();
        state.set_version(version);

        let mut session = state.session();
        // Twice: the second call must not see what the first one wrote.
        for _ in 0..2 {
            let mut instance = wasmi.instantiate();
            let report = execute_block(&mut session, &mut instance, &mut context, &block, version)
                .expect(file);
            assert!(report.matches(), "{file}: {report:?}");
            assert_eq!(session.left_open(), 0);
        }
        assert!(!session.changes().is_empty());
        let changes = session.into_changes(version);
        state.apply(changes);
        assert_eq!(state.root(), block.header.state_root, "{file}");

        // A block that promises another state root panics in the runtime.
        let mut wrong = block.clone();
        wrong.header.state_root[0] ^= 1;
        let before = read(file).and_then(|runtime| runtime.state).expect("still there");
        let error = execute_block(
            &mut before.session(),
            &mut wasmi.instantiate(),
            &mut context,
            &wrong,
            version,
        );
        assert!(matches!(error, Err(CallError::Trap { .. })), "{error:?}");
    }
}

const TOY: &str = r#"
(module
  (import "env" "memory" (memory 17))
  (import "env" "ext_panic_handler_abort_on_panic_version_1" (func $abort (param i64)))
  (import "env" "ext_no_such_function_version_1" (func $missing))
  (import "env" "ext_storage_start_transaction_version_1" (func $start))
  (import "env" "ext_storage_set_version_1" (func $set (param i64 i64)))
  (global (export "__heap_base") i32 (i32.const 65544))
  (data (i32.const 16) "no way")
  (func (export "echo") (param i32 i32) (result i64)
    (i64.or (i64.extend_i32_u (local.get 0))
            (i64.shl (i64.extend_i32_u (local.get 1)) (i64.const 32))))
  (func (export "address") (param i32 i32) (result i64)
    (i32.store (i32.const 0) (local.get 0)) (i64.const 0x400000000))
  (func (export "beyond") (param i32 i32) (result i64) (i64.const 0x1000110000))
  (func (export "edge") (param i32 i32) (result i64) (i64.const 0x100010ffff))
  (func (export "empty") (param i32 i32) (result i64) (i64.const 0))
  (func (export "abort") (param i32 i32) (result i64)
    (call $abort (i64.const 0x600000010)) unreachable)
  (func (export "trap") (param i32 i32) (result i64) unreachable)
  (func (export "missing") (param i32 i32) (result i64) (call $missing) (i64.const 0))
  (func (export "open") (param i32 i32) (result i64)
    (call $set (i64.const 0x100000010) (i64.const 0x200000010))
    (call $start)
    (call $set (i64.const 0x200000010) (i64.const 0x200000010))
    (i64.const 0))
  (func (export "other_type") (param i32) (result i64) (i64.const 0)))
"#;

fn toy(entry: &str, input: &[u8]) -> Result<Vec<u8>, String> {
    let wasm = wat::parse_str(TOY).expect("toy");
    let mut instance: WasmiInstance = WasmiRuntime::new(&wasm).instantiate();
    let result = call(&mut instance, &mut CallContext::new(), entry, input);
    result.map_err(|error| error.to_string())
}

#[test]
fn calls_follow_the_protocol() {
    assert_eq!(toy("echo", b"hello").as_deref(), Ok(&b"hello"[..]));
    assert_eq!(toy("echo", b"").as_deref(), Ok(&b""[..]));
    assert_eq!(toy("empty", b"x").as_deref(), Ok(&b""[..]));
    // The input is the first block of the heap, 8 bytes behind its header, also when it is empty.
    for input in [&b""[..], b"x", &[0; 5000]] {
        assert_eq!(toy("address", input), Ok((65544u32 + 8).to_le_bytes().to_vec()));
    }
    // 40 MiB are more than one block can have.
    let failing = [
        ("echo", 40 << 20, "cannot pass the input of 41943040 bytes: cannot allocate"),
        ("beyond", 0, "the output 0x110000, 16 bytes, is outside memory (1114112 bytes)"),
        ("edge", 0, "the output 0x10ffff, 16 bytes, is outside memory"),
        ("abort", 0, "; the runtime panicked: no way"),
        ("trap", 0, "unreachable"),
        ("missing", 0, "there is no host function env:ext_no_such_function_version_1"),
        ("nothing", 0, "there is no entry point nothing; there are "),
        ("other_type", 0, "there is no entry point other_type; there are "),
    ];
    for (entry, len, expected) in failing {
        let error = toy(entry, &vec![0; len]).expect_err(entry);
        assert!(error.contains(expected), "{entry}: {error}");
    }
    assert!(!toy("trap", b"").expect_err("trap").contains("panicked"));
}

#[test]
fn transactions_left_open_are_rolled_back() {
    let wasm = wat::parse_str(TOY).expect("toy");
    let wasmi = WasmiRuntime::new(&wasm);
    let state = lithify_polkadot::State::empty();
    let mut session = state.session();
    session.execute(|| {
        call(&mut wasmi.instantiate(), &mut CallContext::new(), "open", &[]).expect("open")
    });
    assert_eq!(session.left_open(), 1);
    let changes = session.changes();
    assert_eq!(changes.len(), 1, "{changes:?}");
    assert_eq!((&changes[0].key[..], changes[0].value.as_deref()), (&b"n"[..], Some(&b"no"[..])));
    assert_ne!(session.root(StateVersion::V1), state.root());
}
