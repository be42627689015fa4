//! Every host function, called with whatever a hostile guest can name: nothing comes of it but a
//! result or a trap.
//!
//! The cases are made from the types of the functions: spans at the edges of memory, beyond it, over
//! all of it and over each other, lists that say they are endless, lists of a million empty items,
//! garbage; each from a shallow and from the deepest stack; and the same call thousands of times, with
//! new keys and in ever deeper transactions. They run in a process of their own, whose memory is
//! limited, so that the end of that process shows.

#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

#[path = "../../tests/support/mod.rs"]
mod support;

use lithify_polkadot::native::{Runtime, RuntimeError, RuntimeOptions};
use lithify_polkadot::{CallContext, CallError, HostFunction, HostSet, State, StateVersion};
use lithify_runtime::{InstanceOptions, MemoryPlan, TrapCode, ValType};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

/// Set in the process that makes the calls: which part of them.
const PART: &str = "LITHIFY_HOSTILE_CALLS";
/// Memory of that process, in KiB: an emulator's own is part of it.
const LIMIT_KIB: u32 = if cfg!(target_arch = "aarch64") { 1 << 20 } else { 320 << 10 };
/// How long a case may take, on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(300);
/// How much less is done where an emulator does it.
const FEWER: u32 = if cfg!(target_arch = "aarch64") { 16 } else { 1 };

/// Memory of the guest, in bytes: its own 32 pages, and more.
const MEMORY: u64 = (32 + MORE_PAGES as u64) << 16;
const MORE_PAGES: u32 = 96;
/// 64 bytes that change before each call.
const KEY: u64 = 0x1000;
/// A list of 2^30 - 1 items, of which few are there.
const ENDLESS: u64 = 0x2000;
/// Places of 512 pieces of text, each half of memory.
const PIECES: u64 = 0x3000;
/// `Some`, and a text of `//a//a//a...`.
const SEED: u64 = 0x4000;
/// Bytes without a meaning.
const GARBAGE: u64 = 0x8000;
/// A list of empty items.
const EMPTIES: u64 = 0x10000;
const EMPTIES_LEN: u64 = 0x30000;

fn fat(address: u64, len: u64) -> u64 {
    len << 32 | address
}

/// What an `i64` may be: most are spans.
fn words() -> Vec<u64> {
    let most = u64::from(u32::MAX);
    vec![
        0,
        1,
        u64::MAX,
        i64::MIN as u64,
        fat(KEY, 64),
        fat(0, 1),
        fat(0, MEMORY),
        fat(0, MEMORY + 1),
        fat(0, most),
        fat(1, most),
        fat(MEMORY - 1, 1),
        fat(MEMORY - 1, 2),
        fat(MEMORY, 0),
        fat(MEMORY + 1, 0),
        fat(MEMORY, 1),
        fat(most, 0),
        fat(most, 1),
        fat(most, most),
        fat(1 << 31, 1 << 31),
        fat(KEY + 32, 4096),
        fat(ENDLESS, 64),
        fat(ENDLESS, 4),
        fat(SEED, 0x2000),
        fat(SEED, 4000),
        fat(GARBAGE, 4096),
        fat(EMPTIES, EMPTIES_LEN),
        // Both halves overlap the heap, the input among it.
        fat(0xff000, MEMORY / 2),
    ]
}

/// What an `i32` may be: an address, a number, a kind.
fn halves() -> Vec<u64> {
    let signed = [0, 1, 2, 3, 255, -1, i32::MIN, i32::MAX];
    let mut halves: Vec<u64> = signed.map(|value| u64::from(value as u32)).into();
    halves.extend([KEY, ENDLESS, GARBAGE, MEMORY - 1, MEMORY - 31, MEMORY - 64, MEMORY]);
    halves.extend([0xff000, MEMORY + 1, 1 << 31]);
    halves
}

fn values(ty: ValType) -> Vec<u64> {
    if ty == ValType::I64 { words() } else { halves() }
}

fn ordinary(ty: ValType) -> u64 {
    if ty == ValType::I64 { fat(KEY, 64) } else { KEY }
}

/// One call of an export: how deep, how often, whether each time in one more transaction.
#[derive(Clone, Debug)]
struct Case {
    depth: u32,
    times: u32,
    nested: bool,
    args: Vec<u64>,
}

impl Case {
    fn input(&self) -> Vec<u8> {
        let words = [self.depth, self.times, self.nested.into(), 0];
        let words = words.iter().flat_map(|word| word.to_le_bytes());
        words.chain(self.args.iter().flat_map(|arg| arg.to_le_bytes())).collect()
    }
}

/// What the types do not tell.
fn particular(name: &str) -> Vec<Vec<u64>> {
    match name {
        "fd_write" => [512, 1024, 100_000, u64::from(u32::MAX)]
            .map(|count| vec![2, PIECES, count, KEY])
            .into(),
        "poll_oneoff" => vec![vec![EMPTIES, 2 * EMPTIES, 1024, KEY]],
        "random_get" => vec![vec![0, MEMORY], vec![KEY, MEMORY - KEY], vec![MEMORY - 1, 1]],
        _ => vec![],
    }
}

/// Each value of each parameter beside ordinary ones, each in all places at once, and some at random.
fn arguments(types: &[ValType]) -> Vec<Vec<u64>> {
    let plain: Vec<u64> = types.iter().map(|ty| ordinary(*ty)).collect();
    let mut all = vec![plain.clone()];
    for (place, ty) in types.iter().enumerate() {
        for value in values(*ty) {
            let mut args = plain.clone();
            args[place] = value;
            all.push(args);
        }
    }
    if types.len() > 1 {
        for index in 0..words().len() {
            let value = |ty: &ValType| values(*ty)[index % values(*ty).len()];
            all.push(types.iter().map(value).collect());
        }
        let mut random = types.len() as u64;
        let mut next = |below: usize| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (random >> 33) as usize % below
        };
        for _ in 0..12 {
            let value = |ty: &ValType| values(*ty)[next(values(*ty).len())];
            all.push(types.iter().map(value).collect());
        }
    }
    all
}

/// A guest whose export `go` calls a host function.
fn module(function: &HostFunction) -> String {
    let types = |list: &[ValType]| list.iter().map(|ty| format!(" {ty}")).collect::<String>();
    let (module, name, ty) = (function.module(), function.name(), function.ty());
    let (params, results) = (types(&ty.params), types(&ty.results));
    let args: String = (ty.params.iter().enumerate())
        .map(|(place, ty)| format!("({ty}.load offset={} (global.get $p))", 16 + 8 * place))
        .collect();
    let drop = if ty.results.is_empty() { "" } else { "drop" };
    let count = ((EMPTIES_LEN - 4) as u32) << 2 | 2;
    let seed =
        [&[1], &(8000_u16 << 2 | 1).to_le_bytes()[..], &b"//a".repeat(2667)[..8000]].concat();
    let pieces = [0, MEMORY as u32 / 2].map(u32::to_le_bytes).concat().repeat(512);
    let garbage = (0..4096_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let endless = vec![0xfe, 0xff, 0xff, 0xff, 0, 0, 4, 4, 4, 4, 0xfe, 0xff, 0xff, 0xff];
    let data: String = [
        (ENDLESS, endless),
        (PIECES, pieces),
        (SEED, seed),
        (GARBAGE, garbage),
        (EMPTIES, count.to_le_bytes().into()),
    ]
    .iter()
    .map(|(address, bytes)| {
        let bytes: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
        format!("(data (i32.const {address}) \"{bytes}\")")
    })
    .collect();
    format!(
        "(module
            (import \"env\" \"memory\" (memory 32))
            (import \"env\" \"ext_storage_start_transaction_version_1\" (func $begin))
            (import \"{module}\" \"{name}\" (func $host (param{params}) (result{results})))
            (global (export \"__heap_base\") i32 (i32.const 0x100000))
            (global $p (mut i32) (i32.const 0))
            (func $down (param $depth i32) (param $times i32)
                (if (local.get $depth) (then
                    (call $down (i32.sub (local.get $depth) (i32.const 1)) (local.get $times))
                    (return)))
                (loop $again
                    (i64.store (i32.const {KEY})
                        (i64.add (i64.load (i32.const {KEY})) (i64.const 1)))
                    (if (i32.load offset=8 (global.get $p)) (then (call $begin)))
                    (call $host {args}) {drop}
                    (br_if $again
                        (local.tee $times (i32.sub (local.get $times) (i32.const 1))))))
            (func (export \"go\") (param $p i32) (param i32) (result i64)
                (global.set $p (local.get $p))
                (call $down (i32.load (local.get $p)) (i32.load offset=4 (local.get $p)))
                (i64.const 0))
            {data})"
    )
}

fn runtime(wat: &str) -> Runtime {
    let memory = MemoryPlan::Static { extra_pages: MORE_PAGES };
    let instances = InstanceOptions { memory, ..InstanceOptions::default() };
    let host = HostSet::Benchmarks;
    let options = RuntimeOptions { instances, host, ..RuntimeOptions::default() };
    Runtime::from_bytes(&support::compile(wat), &options).unwrap()
}

/// The guest, and a state with something in it.
struct Guest {
    function: &'static HostFunction,
    runtime: Runtime,
    state: State,
}

impl Guest {
    fn new(function: &'static HostFunction) -> Self {
        let runtime = runtime(&module(function));
        let pairs: BTreeMap<Vec<u8>, Vec<u8>> =
            (0..200_u8).map(|i| (vec![0, i], vec![i; usize::from(i)])).collect();
        let children = BTreeMap::from([(vec![0], pairs.clone())]);
        Self { function, runtime, state: State::new(pairs, children, StateVersion::V1) }
    }

    fn call(&self, case: &Case) -> Result<(), RuntimeError> {
        let mut context = CallContext::new();
        let call = || self.runtime.call("go", &case.input(), &mut context);
        match self.function.name().starts_with("ext_benchmarking_") {
            true => self.state.session().benchmark(call),
            false => self.state.session().execute(call),
        }
        .map(drop)
    }

    /// A result or a trap, whose words are about what the guest did.
    fn check(&self, case: &Case) {
        println!("{:?}: {case:x?}", self.function);
        match self.call(case) {
            Ok(()) | Err(RuntimeError::Call(CallError::NoMemory { .. })) => {}
            Err(RuntimeError::Call(CallError::Trap { trap, .. })) => {
                let said = trap.to_string();
                let place = ["/registry/", env!("CARGO_MANIFEST_DIR"), ".rs:"];
                assert!(!place.iter().any(|place| said.contains(place)), "{case:?}: {said}");
                assert!(said.len() < 8192, "{case:?}: {} bytes of words", said.len());
            }
            Err(other) => panic!("{case:?}: {other}"),
        }
    }

    fn plain(&self) -> Vec<u64> {
        self.function.ty().params.iter().map(|ty| ordinary(*ty)).collect()
    }

    /// How deep the guest can go and still make this call.
    fn deepest(&self) -> u32 {
        let args = self.plain();
        deepest(|depth| self.call(&Case { depth, times: 1, nested: false, args: args.clone() }))
    }
}

/// The largest depth from which a call does not overflow the guest's stack.
fn deepest(call: impl Fn(u32) -> Result<(), RuntimeError>) -> u32 {
    let overflow = |error: RuntimeError| match error {
        RuntimeError::Call(CallError::Trap { trap, .. }) => trap.code == TrapCode::StackOverflow,
        _ => false,
    };
    let (mut good, mut bad) = (0, 1 << 20);
    while bad - good > 1 {
        let depth = (good + bad) / 2;
        match call(depth).is_err_and(overflow) {
            true => bad = depth,
            false => good = depth,
        }
    }
    good
}

/// Calls a function in all ways.
fn once(guest: &Guest) {
    let deepest = guest.deepest();
    let args = arguments(&guest.function.ty().params);
    for args in args.into_iter().chain(particular(guest.function.name())) {
        for depth in [0, deepest] {
            guest.check(&Case { depth, times: 1, nested: false, args: args.clone() });
        }
    }
}

/// Calls it again and again.
fn many_times(guest: &Guest) {
    let plain = guest.plain();
    let mut all = vec![(plain.clone(), 20_000)];
    let spans = guest.function.ty().params.iter().zip(0..).filter(|(ty, _)| **ty == ValType::I64);
    for (_, place) in spans {
        for (value, times) in [(fat(0, 1 << 20), 400), (fat(EMPTIES, EMPTIES_LEN), 3)] {
            let mut args: Vec<u64> = plain.clone();
            args[place] = value;
            all.push((args, times));
        }
    }
    for (args, times) in all {
        let times = (times / FEWER).max(1);
        guest.check(&Case { depth: 0, times, nested: false, args: args.clone() });
        if guest.function.name().contains("storage") {
            guest.check(&Case { depth: 0, times, nested: true, args: args.clone() });
        }
    }
}

/// Writes keys of 1, 2, 3, ... zeros, each the beginning of the next, and asks for roots.
const NESTED: &str = r#"(module
    (import "env" "memory" (memory 32))
    (import "env" "ext_storage_set_version_1" (func $set (param i64 i64)))
    (import "env" "ext_storage_root_version_2" (func $root (param i32) (result i64)))
    (import "env" "ext_storage_clear_prefix_version_1" (func $clear (param i64)))
    (global (export "__heap_base") i32 (i32.const 0x100000))
    (func $down (param $depth i32)
        (if (local.get $depth) (then
            (call $down (i32.sub (local.get $depth) (i32.const 1)))
            (return)))
        (drop (call $root (i32.const 1)))
        (call $clear (i64.const 0x200001000))
        (drop (call $root (i32.const 1))))
    (func (export "go") (param $p i32) (param i32) (result i64)
        (local $len i64) (local $keys i64)
        (local.set $keys (i64.load32_u offset=4 (local.get $p)))
        (loop $more
            (local.set $len (i64.add (local.get $len) (i64.const 1)))
            (call $set (i64.or (i64.const 0x1000) (i64.shl (local.get $len) (i64.const 32)))
                (i64.const 0x100001000))
            (br_if $more (i64.lt_u (local.get $len) (local.get $keys))))
        (call $down (i32.load (local.get $p)))
        (i64.const 0)))"#;

/// A trie as deep as its keys are long takes stack for each of them.
fn nested_keys() {
    let runtime = runtime(NESTED);
    let call = |depth: u32, keys: u32| {
        println!("{keys} nested keys at {depth}");
        let state = State::empty();
        let input = [depth.to_le_bytes(), keys.to_le_bytes()].concat();
        let mut context = CallContext::new();
        state.session().execute(|| runtime.call("go", &input, &mut context)).map(drop)
    };
    let deepest = deepest(|depth| call(depth, 1));
    for depth in [0, deepest / 2, deepest] {
        for keys in [100, 2500, 5000] {
            call(depth, keys).unwrap();
        }
    }
}

/// In the process of its own: makes the calls, and says before each which one it is.
#[test]
fn child() {
    let Some(part) = std::env::var_os(PART) else { return };
    // That of a host function is a trap, whose words are looked at.
    std::panic::set_hook(Box::new(|info| {
        if std::thread::current().name() != Some("calls") {
            eprintln!("{info}");
        }
    }));
    let calls = move || {
        if part == "nested" {
            return nested_keys();
        }
        for guest in HostSet::Benchmarks.functions().map(Guest::new) {
            match part == "once" {
                true => once(&guest),
                false => many_times(&guest),
            }
        }
    };
    let thread = std::thread::Builder::new().name("calls".into()).spawn(calls).unwrap();
    if let Err(panic) = thread.join() {
        let said = panic.downcast_ref::<String>().map_or("a panic", String::as_str);
        panic!("{said}");
    }
    println!("all done");
}

/// Runs a part of the calls in a process with limited memory.
fn check(part: &str) {
    let mut child = support::limited("child", LIMIT_KIB)
        .env(PART, part)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        let lines = BufReader::new(stdout).lines().map_while(Result::ok);
        lines.map(|line| sender.send(line)).all(|sent| sent.is_ok())
    });
    let words = std::thread::spawn(move || {
        let mut words = String::new();
        stderr.read_to_string(&mut words).map(|_| words)
    });
    let (mut last, mut count, mut hangs, mut done) = (String::new(), 0, false, false);
    loop {
        match lines.recv_timeout(PATIENCE) {
            Ok(line) if line == "all done" => done = true,
            Ok(_) if done => {}
            Ok(line) => (last, count) = (line, count + 1),
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                hangs = true;
                child.kill().unwrap();
            }
        }
    }
    let status = child.wait().unwrap();
    let words = words.join().unwrap().unwrap();
    println!("{count} calls");
    assert!(!hangs, "no end after {PATIENCE:?}: {last}");
    assert!(done && status.success(), "{status} in {last}\n{words}");
    assert_eq!(words, "");
}

#[test]
fn any_call_is_a_result_or_a_trap() {
    check("once");
}

#[test]
fn the_same_call_many_times_is_a_result_or_a_trap() {
    check("many");
}

#[test]
fn thousands_of_nested_keys_have_a_root() {
    check("nested");
}
