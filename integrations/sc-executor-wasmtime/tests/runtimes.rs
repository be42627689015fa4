//! What the tests of the crate that this one stands in for do not look at: sets of host functions,
//! calls within calls, the directory of images, and the two forms of the heap.

use sc_executor_common::{
    error::Error,
    wasm_runtime::{DEFAULT_HEAP_ALLOC_STRATEGY, WasmInstance},
};
use sc_executor_wasmtime::*;
use sp_wasm_interface::{
    ExtendedHostFunctions, Function, FunctionContext, HostFunctions, Signature, Value, ValueType,
};
use std::{fs, os::unix::fs::MetadataExt, path::Path};

/// A set of one host function `env.answer: (i32) -> i64`.
macro_rules! host {
    ($set:ident, $function:ident, |$context:ident, $argument:ident| $body:expr) => {
        struct $set;
        struct $function;

        impl HostFunctions for $set {
            fn host_functions() -> Vec<&'static dyn Function> {
                vec![&$function]
            }
        }

        impl Function for $function {
            fn name(&self) -> &str {
                "answer"
            }

            fn signature(&self) -> Signature {
                Signature::new(&[ValueType::I32][..], Some(ValueType::I64))
            }

            fn execute(
                &self,
                context: &mut dyn FunctionContext,
                arguments: &mut dyn Iterator<Item = Value>,
            ) -> Result<Option<Value>, String> {
                fn answer(
                    $context: &mut dyn FunctionContext,
                    $argument: i32,
                ) -> Result<i64, String> {
                    $body
                }
                match arguments.next() {
                    Some(Value::I32(argument)) => {
                        answer(context, argument).map(|answer| Some(Value::I64(answer)))
                    }
                    other => panic!("an argument of another type: {other:?}"),
                }
            }
        }
    };
}

host!(Doubles, Double, |_context, argument| Ok(2 * i64::from(argument)));
host!(Negates, Negate, |_context, argument| Ok(-i64::from(argument)));
host!(Fails, Fail, |_context, argument| Err(format!("not {argument}")));
host!(Panics, Panic, |_context, argument| panic!("never {argument}"));
host!(Nests, Nest, |context, argument| {
    if argument == 0 {
        return Ok(0);
    }
    // Another runtime, while the first one waits, and a block of the first one's heap after it.
    let inner = call::<Nests>(ASKS, "ask", &(argument - 1).to_le_bytes()).map(|bytes| bytes.len());
    let block = context.allocate_memory(64)?;
    context.write_memory(block, &[7; 64])?;
    assert_eq!(context.read_memory(block, 64)?, [7; 64]);
    context.deallocate_memory(block)?;
    Ok(1 + inner.expect("the inner call") as i64)
});

/// Gives its input to `answer`, and returns so many bytes of memory as that says.
const ASKS: &str = r#"(module
    (import "env" "answer" (func $answer (param i32) (result i64)))
    (memory (export "memory") 1)
    (global (export "__heap_base") i32 (i32.const 1024))
    (func (export "ask") (param i32 i32) (result i64)
        (i64.shl (call $answer (i32.load (local.get 0))) (i64.const 32)))
    (func (export "no_entry") (param i32) (result i64) (i64.const 0)))"#;

fn config() -> Config {
    Config {
        allow_missing_func_imports: false,
        cache_path: None,
        semantics: Semantics {
            instantiation_strategy: InstantiationStrategy::PoolingCopyOnWrite,
            deterministic_stack_limit: None,
            canonicalize_nans: false,
            parallel_compilation: false,
            heap_alloc_strategy: DEFAULT_HEAP_ALLOC_STRATEGY,
            wasm_multi_value: false,
            wasm_bulk_memory: false,
            wasm_reference_types: false,
            wasm_simd: false,
        },
    }
}

fn blob(wat: &str) -> RuntimeBlob {
    RuntimeBlob::new(&wat::parse_str(wat).unwrap()).unwrap()
}

fn instance<H: HostFunctions>(wat: &str, config: Config) -> Box<dyn WasmInstance> {
    let runtime = create_runtime::<H>(blob(wat), config).unwrap();
    runtime.new_instance(DEFAULT_HEAP_ALLOC_STRATEGY).unwrap()
}

fn call<H: HostFunctions>(wat: &str, method: &str, data: &[u8]) -> Result<Vec<u8>, Error> {
    instance::<H>(wat, config()).call(method, data)
}

fn refusal<H: HostFunctions>(wat: &str) -> String {
    match create_runtime::<H>(blob(wat), config()) {
        Ok(_) => panic!("{wat} is accepted"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_overlay_of_a_set_comes_first() {
    let len = |bytes: Result<Vec<u8>, Error>| bytes.unwrap().len();
    assert_eq!(len(call::<Doubles>(ASKS, "ask", &3i32.to_le_bytes())), 6);
    type Both = ExtendedHostFunctions<Doubles, Negates>;
    assert_eq!(len(call::<Both>(ASKS, "ask", &(-3i32).to_le_bytes())), 3);
    type Twice = (Doubles, Negates);
    assert_eq!(len(call::<Twice>(ASKS, "ask", &3i32.to_le_bytes())), 6);
}

#[test]
fn a_host_function_that_fails_stops_the_call_and_nothing_else() {
    let message = |result: Result<Vec<u8>, Error>| match result {
        Err(Error::AbortedDueToTrap(error)) => {
            assert!(error.backtrace.is_some());
            error.message
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(message(call::<Fails>(ASKS, "ask", &[1, 0, 0, 0])), "not 1");
    let mut instance = instance::<Panics>(ASKS, config());
    for _ in 0..2 {
        let expected = "host code panicked while being called by the runtime: never 2";
        assert_eq!(message(instance.call("ask", &[2, 0, 0, 0])), expected);
    }
}

#[test]
fn a_host_function_can_run_another_runtime() {
    assert_eq!(call::<Nests>(ASKS, "ask", &[5, 0, 0, 0]).unwrap().len(), 5);
}

#[test]
fn what_cannot_be_called_is_named() {
    let mut instance = instance::<Doubles>(ASKS, config());
    for (method, expected) in [
        ("nowhere", "Other: Exported method nowhere is not found"),
        ("memory", "Other: Export memory is not a function"),
        ("no_entry", "Other: Exported function 'no_entry' has invalid signature."),
    ] {
        assert_eq!(instance.call(method, &[]).unwrap_err().to_string(), expected);
    }
    for (module, expected) in [
        ("(module)", "Other: memory is not exported under `memory` name"),
        (r#"(module (memory (export "memory") 1))"#, "Other: __heap_base is not found"),
        (
            r#"(module (memory (export "memory") 1)
                (global (export "__heap_base") i64 (i64.const 0)))"#,
            "Other: __heap_base is not a i32",
        ),
    ] {
        assert_eq!(call::<()>(module, "any", &[]).unwrap_err().to_string(), expected);
    }
}

#[test]
fn a_runtime_gets_what_the_host_has_and_nothing_else() {
    let missing = refusal::<()>(ASKS);
    assert!(missing.ends_with("are not present on the host: 'env:answer'"), "{missing}");
    let other = refusal::<Doubles>(r#"(module (import "env" "answer" (func)))"#);
    assert!(other.contains("cannot preinstantiate module"), "{other}");
    let module = refusal::<()>(r#"(module (import "wasi" "answer" (func)))"#);
    assert!(module.ends_with("non-env module: wasi:answer"), "{module}");
    let global = refusal::<()>(r#"(module (import "env" "answer" (global i32)))"#);
    assert!(global.ends_with("non function imports: env:answer"), "{global}");

    let mut lenient = config();
    lenient.allow_missing_func_imports = true;
    match instance::<()>(ASKS, lenient).call("ask", &[0; 4]) {
        Err(Error::AbortedDueToTrap(error)) => {
            assert_eq!(error.message, "call to a missing function env:answer");
        }
        other => panic!("{other:?}"),
    }
}

/// A node's engine runs it, though no runtime has one.
#[test]
fn a_start_function_runs_before_each_call() {
    let module = r#"(module
        (memory (export "memory") 1)
        (global (export "__heap_base") i32 (i32.const 1024))
        (func $start (i32.store8 (i32.const 0) (i32.add (i32.load8_u (i32.const 0)) (i32.const 9))))
        (start $start)
        (func (export "first") (param i32 i32) (result i64) (i64.const 0x100000000)))"#;
    let mut instance = instance::<()>(module, config());
    for _ in 0..2 {
        assert_eq!(instance.call("first", &[]).unwrap(), [9]);
    }
}

/// What each switch lets in. The reader of blobs takes none of it, so it is asked here by itself.
#[test]
fn features_are_what_the_semantics_say() {
    let cases = [
        ("(module (func (result i32 i32) i32.const 1 i32.const 2))", "multi-value"),
        (
            "(module (memory 1) (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 0))))",
            "bulk",
        ),
        ("(module (table 1 funcref) (func (drop (table.size 0))))", "reference"),
        ("(module (func (drop (v128.const i64x2 0 0))))", "simd"),
        ("(module (func (drop (i32.extend8_s (i32.const 0)))))", "sign extension"),
        ("(module (global i32 (i32.add (i32.const 1) (i32.const 1))))", "extended const"),
        ("(module (func $f return_call $f))", "tail calls"),
        ("(module (memory i64 1))", "memory64"),
        ("(module (memory 1) (memory 1))", "several memories"),
    ];
    for (module, name) in cases {
        let bytes = wat::parse_str(module).unwrap();
        let accepted = RuntimeBlob::new(&bytes)
            .is_ok_and(|blob| prepare_runtime_artifact(blob, &config().semantics).is_ok());
        assert!(!accepted, "{name}");
    }
}

#[test]
fn an_artifact_is_an_image_for_the_same_host() {
    let artifact = prepare_runtime_artifact(blob(ASKS), &config().semantics).unwrap();
    // SAFETY: it is what was prepared.
    let runtime = unsafe { create_runtime_from_artifact_bytes::<Doubles>(&artifact, config()) };
    let mut instance = runtime.unwrap().new_instance(DEFAULT_HEAP_ALLOC_STRATEGY).unwrap();
    assert_eq!(instance.call("ask", &[4, 0, 0, 0]).unwrap().len(), 8);

    // SAFETY: as far as there is code in it, it is what was prepared.
    let cut = unsafe { create_runtime_from_artifact_bytes::<Doubles>(&artifact[..4000], config()) };
    assert!(cut.err().unwrap().to_string().contains("cannot deserialize module"));
}

fn images(folder: &Path) -> Vec<std::path::PathBuf> {
    let codes = fs::read_dir(folder.join("lithify")).unwrap();
    let files = codes.flat_map(|code| fs::read_dir(code.unwrap().path()).unwrap());
    let paths = files.map(|file| file.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "so")).collect()
}

#[test]
fn images_are_kept_and_made_again_where_they_are_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config();
    config.cache_path = Some(folder.path().to_owned());
    let ask = |config: &Config| {
        let answer = instance::<Doubles>(ASKS, config.clone()).call("ask", &[4, 0, 0, 0]);
        assert_eq!(answer.unwrap().len(), 8);
    };
    ask(&config);
    let [image] = &images(folder.path())[..] else { panic!("one image") };
    let made = fs::metadata(image).unwrap().ino();
    ask(&config);
    assert_eq!(fs::metadata(image).unwrap().ino(), made);

    let bytes = fs::read(image).unwrap();
    let mut damaged = bytes.clone();
    damaged[bytes.len() / 2] ^= 1;
    for content in [&damaged[..], &bytes[..100], &[]] {
        fs::remove_file(image).unwrap();
        fs::write(image, content).unwrap();
        ask(&config);
        assert_eq!(fs::read(image).unwrap(), bytes);
    }

    // What decides whether a module is accepted is part of its name.
    config.semantics.wasm_bulk_memory = true;
    ask(&config);
    assert_eq!(images(folder.path()).len(), 2);
}

/// Whether compiled code keeps the heap or the host counts what happens there, blocks lie at the
/// same places.
#[test]
fn counting_changes_no_address() {
    let module = r#"(module
        (import "env" "ext_allocator_malloc_version_1" (func $malloc (param i32) (result i32)))
        (import "env" "ext_allocator_free_version_1" (func $free (param i32)))
        (memory (export "memory") 2)
        (global (export "__heap_base") i32 (i32.const 1024))
        (func (export "blocks") (param i32 i32) (result i64)
            (local $at i32) (local $block i32)
            (loop $next
                (local.set $block (call $malloc (i32.mul (local.get $at) (i32.const 7))))
                (if (i32.and (local.get $at) (i32.const 4)) (then (call $free (local.get $block))))
                (i32.store (local.get $at) (local.get $block))
                (local.set $at (i32.add (local.get $at) (i32.const 4)))
                (br_if $next (i32.lt_u (local.get $at) (i32.const 1000))))
            (i64.const 0x3e800000000)))"#;
    let mut instance = instance::<sp_io::SubstrateHostFunctions>(module, config());
    let shared = instance.call("blocks", &[1, 2, 3]).unwrap();
    let (counted, stats) = instance.call_with_allocation_stats("blocks", &[1, 2, 3]);
    assert_eq!(counted.unwrap(), shared);
    let stats = stats.unwrap();
    assert!(stats.bytes_allocated_sum > u128::from(stats.bytes_allocated_peak));
    assert!(stats.address_space_used >= stats.bytes_allocated_peak);
}

/// A block that is too large, and one more than there is room for: the words are the allocator's in
/// both forms of the heap.
#[test]
fn a_heap_that_fails_says_what_upstream_says() {
    let module = r#"(module
        (import "env" "ext_allocator_malloc_version_1" (func $malloc (param i32) (result i32)))
        (memory (export "memory") 2)
        (global (export "__heap_base") i32 (i32.const 1024))
        (func (export "take") (param i32 i32) (result i64)
            (loop $next
                (drop (call $malloc (i32.load (local.get 0))))
                (br $next))
            unreachable))"#;
    let mut instance = instance::<sp_io::SubstrateHostFunctions>(module, config());
    for (size, why) in [
        ((32 << 20) + 1, "Requested allocation size is too large"),
        (1 << 20, "Allocator ran out of space"),
    ] {
        let message = |result: Result<Vec<u8>, Error>| match result {
            Err(Error::AbortedDueToTrap(error)) => error.message,
            other => panic!("{other:?}"),
        };
        let data = u32::to_le_bytes(size);
        let shared = message(instance.call("take", &data));
        assert!(shared.ends_with(&format!("{why:?}")), "{shared}");
        assert_eq!(message(instance.call_with_allocation_stats("take", &data).0), shared);
    }
}

/// Threads that want the same runtime at once get one each, and one image stays.
#[test]
fn threads_share_the_images() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config();
    config.cache_path = Some(folder.path().to_owned());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..4 {
                    let mut instance = instance::<Doubles>(ASKS, config.clone());
                    assert_eq!(instance.call("ask", &[4, 0, 0, 0]).unwrap().len(), 8);
                }
            });
        }
    });
    assert_eq!(images(folder.path()).len(), 1);
}
