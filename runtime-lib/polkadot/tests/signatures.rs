//! Calls that go ahead of their signatures end as calls do that don't.

use lithify_compiler::{Options, Profile, Target, compile_image};
use lithify_polkadot::native::{Runtime, RuntimeError, RuntimeOptions};
use lithify_polkadot::{Block, CallContext, Change, Input, RuntimeInput, SignatureThreads, State};
use sp_core::{Pair, ecdsa, ed25519, sr25519};
use sp_crypto_hashing::blake2_256;

/// A signed block of the bundled runtime, and the state before it.
fn bundled() -> (Runtime, State, Block) {
    let file =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../workloads/solochain/block-transfers.json");
    let bytes = std::fs::read(file).expect("the bundled block");
    let Ok(Input::Runtime(runtime)) = Input::read(bytes, file) else { panic!("a block file") };
    let RuntimeInput { mut state, mut block, .. } = *runtime.clone();
    let options = Options { target: Target::host(), ..Options::default() };
    let image = compile_image(runtime.wasm(), &options).expect("it compiles");
    let runtime = Runtime::from_bytes(&image, &RuntimeOptions::default()).expect("it loads");
    let mut state = state.take().expect("a state");
    state.set_version(runtime.version().expect("a version").state_version());
    (runtime, state, block.take().expect("a block"))
}

/// What a block comes to: its root and the changes, or why it is refused.
fn outcome(
    runtime: &Runtime,
    state: &State,
    block: &Block,
    threads: Option<&SignatureThreads>,
) -> Result<([u8; 32], Vec<Change>), String> {
    let mut session = state.session();
    let mut context = CallContext::new();
    let report = runtime.execute_block(&mut session, &mut context, block, threads);
    let report = report.map_err(|error| error.to_string())?;
    Ok((report.computed_root, session.changes()))
}

/// Where the signature of a signed extrinsic begins.
fn signature(extrinsic: &[u8]) -> Option<usize> {
    let prefix = [1, 2, 4][usize::from(extrinsic[0] & 3)];
    // Signed, of version 4: an address of 33 bytes, the kind of signature, 64 bytes of it.
    (extrinsic[prefix] == 0x84).then_some(prefix + 1 + 33 + 1)
}

#[test]
fn blocks_come_to_the_same_with_threads() {
    let (runtime, state, block) = bundled();
    let expected = outcome(&runtime, &state, &block, None);
    assert_eq!(expected.as_ref().expect("it is valid").0, block.header.state_root);
    for threads in [1, 3] {
        let threads = SignatureThreads::new(threads).expect("threads");
        for _ in 0..5 {
            assert_eq!(outcome(&runtime, &state, &block, Some(&threads)), expected);
        }
    }
}

#[test]
fn a_wrong_signature_at_any_place_is_found() {
    let (runtime, state, block) = bundled();
    let threads = SignatureThreads::new(2).expect("threads");
    let mut places = 0;
    for index in 0..block.extrinsics.len() {
        let Some(at) = signature(&block.extrinsics[index]) else { continue };
        let mut wrong = block.clone();
        wrong.extrinsics[index][at + 10] ^= 1;
        // A block is refused for its root of extrinsics, too, but only at its end.
        let expected = outcome(&runtime, &state, &wrong, None);
        assert!(expected.is_err());
        assert_eq!(outcome(&runtime, &state, &wrong, Some(&threads)), expected, "{index}");
        places += 1;
    }
    assert!(places > 20, "the block has signatures");
    assert!(outcome(&runtime, &state, &block, Some(&threads)).is_ok());
}

/// Kind, signature, public key and message of a record.
const RECORD: usize = 1 + 65 + 33 + 32;

/// Answers each record of its input with what the host says of the signature in it.
const WAT: &str = r#"(module
  (import "env" "memory" (memory 17))
  (import "env" "ext_crypto_sr25519_verify_version_2" (func $sr (param i32 i64 i32) (result i32)))
  (import "env" "ext_crypto_sr25519_verify_version_1" (func $old (param i32 i64 i32) (result i32)))
  (import "env" "ext_crypto_ed25519_verify_version_1" (func $ed (param i32 i64 i32) (result i32)))
  (import "env" "ext_crypto_ecdsa_verify_version_2" (func $ec (param i32 i64 i32) (result i32)))
  (import "env" "ext_crypto_ecdsa_verify_prehashed_version_1"
    (func $hashed (param i32 i32 i32) (result i32)))
  (import "env" "ext_misc_print_num_version_1" (func $print (param i64)))
  (import "env" "ext_storage_set_version_1" (func $set (param i64 i64)))
  (global (export "__heap_base") i32 (i32.const 65544))
  (func $check (param $kind i32) (param $sig i32) (param $key i32) (param $msg i32) (result i32)
    (local $fat i64)
    (local.set $fat
      (i64.or (i64.extend_i32_u (local.get $msg)) (i64.const 0x2000000000)))
    (block $far (block $print (block $hashed (block $ec (block $ed (block $old (block $sr
      (br_table $sr $old $ed $ec $hashed $print $far (local.get $kind)))
      (return (call $sr (local.get $sig) (local.get $fat) (local.get $key))))
      (return (call $old (local.get $sig) (local.get $fat) (local.get $key))))
      (return (call $ed (local.get $sig) (local.get $fat) (local.get $key))))
      (return (call $ec (local.get $sig) (local.get $fat) (local.get $key))))
      (return (call $hashed (local.get $sig) (local.get $msg) (local.get $key))))
      (call $print (i64.const 7))
      (return (i32.const 2)))
    (call $sr (i32.const -16) (local.get $fat) (local.get $key)))
  (func (export "check") (param $at i32) (param $len i32) (result i64)
    (local $end i32) (local $out i32)
    (local.set $end (i32.add (local.get $at) (local.get $len)))
    (local.set $out (i32.const 1024))
    (loop $records
      (i32.store8 (local.get $out)
        (call $check
          (i32.load8_u (local.get $at))
          (i32.add (local.get $at) (i32.const 1))
          (i32.add (local.get $at) (i32.const 66))
          (i32.add (local.get $at) (i32.const 99))))
      ;; Storage that depends on it.
      (call $set
        (i64.or (i64.extend_i32_u (local.get $out)) (i64.const 0x100000000))
        (i64.or (i64.extend_i32_u (local.get $at)) (i64.const 0x100000000)))
      (local.set $out (i32.add (local.get $out) (i32.const 1)))
      (br_if $records (i32.lt_u
        (local.tee $at (i32.add (local.get $at) (i32.const 131)))
        (local.get $end))))
    (i64.or (i64.const 1024)
      (i64.shl (i64.extend_i32_u (i32.sub (local.get $out) (i32.const 1024))) (i64.const 32)))))"#;

/// A record of that kind whose signature is right, or wrong.
fn record(kind: u8, right: bool, number: u8) -> Vec<u8> {
    let message = blake2_256(&[number]);
    let seed = [number + 1; 32];
    let (mut signature, key) = match kind {
        0 | 1 => {
            let pair = sr25519::Pair::from_seed(&seed);
            (pair.sign(&message).0.to_vec(), pair.public().0.to_vec())
        }
        2 => {
            let pair = ed25519::Pair::from_seed(&seed);
            (pair.sign(&message).0.to_vec(), pair.public().0.to_vec())
        }
        3 => {
            let pair = ecdsa::Pair::from_seed(&seed);
            (pair.sign(&message).0.to_vec(), pair.public().0.to_vec())
        }
        _ => {
            let pair = ecdsa::Pair::from_seed(&seed);
            (pair.sign_prehashed(&message).0.to_vec(), pair.public().0.to_vec())
        }
    };
    if !right {
        signature[5] ^= 4;
    }
    let mut record = vec![kind];
    record.extend(&signature);
    record.resize(1 + 65, 0);
    record.extend(&key);
    record.resize(1 + 65 + 33, 0);
    record.extend(message);
    assert_eq!(record.len(), RECORD);
    record
}

/// Output and changes of a call of `check`.
fn checked(
    runtime: &Runtime,
    input: &[u8],
    threads: Option<&SignatureThreads>,
) -> (Result<Vec<u8>, String>, Vec<Change>) {
    let state = State::empty();
    let mut session = state.session();
    let mut context = CallContext::new();
    let entry = runtime.entry("check").expect("an entry point");
    let call = |context: &mut CallContext| entry.call(input, context);
    let output: Result<Vec<u8>, RuntimeError> = match threads {
        None => session.execute(|| call(&mut context)),
        Some(threads) => threads.execute(&mut session, &mut context, call),
    };
    (output.map_err(|error| error.to_string()), session.changes())
}

#[test]
fn what_a_guest_learns_of_signatures_is_the_truth() {
    let wasm = wat::parse_str(WAT).expect("a module");
    let profile = Some(Profile::General);
    let options = Options { target: Target::host(), profile, ..Options::default() };
    let image = compile_image(&wasm, &options).expect("it compiles");
    let runtime = Runtime::from_bytes(&image, &RuntimeOptions::default()).expect("it loads");
    let threads = SignatureThreads::new(2).expect("threads");
    let mut wrong = 0;
    // Which kinds, and which of them are wrong, from the digits of a number.
    for case in 0..60_u32 {
        let mut input = Vec::new();
        let mut expected = Vec::new();
        for place in 0..12_u8 {
            let digit = blake2_256(&[case.to_le_bytes().as_slice(), &[place]].concat());
            let kind = digit[0] % 6;
            let right = case.is_multiple_of(4) || !digit[1].is_multiple_of(8);
            match kind {
                5 => expected.push(2),
                _ => expected.push(u8::from(right)),
            }
            wrong += u32::from(kind != 5 && !right);
            input.extend(match kind {
                5 => [vec![5], vec![0; RECORD - 1]].concat(),
                kind => record(kind, right, place),
            });
        }
        let plain = checked(&runtime, &input, None);
        assert_eq!(plain.0.as_ref(), Ok(&expected));
        assert_eq!(checked(&runtime, &input, Some(&threads)), plain, "case {case}");
    }
    assert!(wrong > 20);

    // A span outside of memory is the same trap, after signatures of either kind.
    for right in [true, false] {
        let far = [vec![6], vec![0; RECORD - 1]].concat();
        let input = [record(0, right, 1), far].concat();
        let plain = checked(&runtime, &input, None);
        assert!(plain.0.is_err());
        assert_eq!(checked(&runtime, &input, Some(&threads)), plain);
    }
}
