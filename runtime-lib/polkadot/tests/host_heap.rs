//! The heap in compiled code beside the host's own: a guest that follows a script of requests, wild
//! ones too, gets the same addresses and the same end on Lithify and on wasmi.

mod host_support;

use host_support::wasmi_engine::WasmiRuntime;
use lithify_compiler::{Options, Target};
use lithify_polkadot::native::{Runtime, RuntimeOptions};
use lithify_polkadot::{CallContext, Observe, call};
use lithify_runtime::MemoryPlan;

/// A script is a list of (operation, operand, operand), `i32` each: 0 allocates, 1 frees, 2 writes
/// a word, 3 grows memory. The output are the addresses.
const GUEST: &str = r#"(module
  (import "env" "memory" (memory 2))
  (import "env" "ext_allocator_malloc_version_1" (func $malloc (param i32) (result i32)))
  (import "env" "ext_allocator_free_version_1" (func $free (param i32)))
  (global (export "__heap_base") i32 (i32.const 65536))
  (func (export "follow") (param $at i32) (param $len i32) (result i64)
    (local $end i32) (local $out i32) (local $a i32) (local $b i32)
    (local.set $end (i32.add (local.get $at) (local.get $len)))
    (loop $next
      (if (i32.lt_u (local.get $at) (local.get $end)) (then
        (local.set $a (i32.load offset=4 (local.get $at)))
        (local.set $b (i32.load offset=8 (local.get $at)))
        (block $done (block $grow (block $write (block $release (block $take
          (br_table $take $release $write $grow (i32.load (local.get $at))))
          (i32.store (local.get $out) (call $malloc (local.get $a)))
          (local.set $out (i32.add (local.get $out) (i32.const 4)))
          (br $done))
          (call $free (local.get $a))
          (br $done))
          (i32.store (local.get $a) (local.get $b))
          (br $done))
          (drop (memory.grow (local.get $a))))
        (local.set $at (i32.add (local.get $at) (i32.const 12)))
        (br $next))))
    (i64.shl (i64.extend_i32_u (local.get $out)) (i64.const 32))))"#;

/// The output on both engines, in both ways of counting host calls; `None` for a trap.
fn check(script: &[[u32; 3]]) -> Option<Vec<u32>> {
    let wasm = wat::parse_str(GUEST).unwrap();
    let options = Options { target: Target::host(), ..Options::default() };
    let image = lithify_compiler::compile_image(&wasm, &options).unwrap();
    // As wasmi has it: growing, by the pages of a heap.
    let mut options = RuntimeOptions::default();
    options.instances.memory = MemoryPlan::Dynamic { extra_pages: 0, max_pages: Some(2 + 2048) };
    let lithify = Runtime::from_bytes(&image, &options).unwrap();
    let input: Vec<u8> = script.iter().flatten().flat_map(|word| word.to_le_bytes()).collect();
    let mut context = CallContext::new();
    let wasmi =
        call(&mut WasmiRuntime::new(&wasm).instantiate(), &mut context, "follow", &input).ok();
    for observe in [Observe::Off, Observe::Time, Observe::Record, Observe::Replay] {
        context.observe(observe);
        let output = lithify.call("follow", &input, &mut context).ok();
        assert_eq!(output, wasmi, "{observe:?} {script:?}");
    }
    wasmi.map(|output| {
        output.chunks_exact(4).map(|word| u32::from_le_bytes(word.try_into().unwrap())).collect()
    })
}

const TAKE: u32 = 0;
const RELEASE: u32 = 1;
const WRITE: u32 = 2;
const GROW: u32 = 3;
const BASE: u32 = 65536;

#[test]
fn every_case_is_the_same() {
    // The script itself is the first block.
    let header = |script_len: u32| BASE + (script_len * 12).next_power_of_two().max(8) + 8;
    let first = header(1) + 8;
    assert_eq!(check(&[[TAKE, 0, 0]]), Some(vec![header(1) + 8]));
    assert_eq!(check(&[[TAKE, 32 << 20, 0]]).map(|out| out.len()), Some(1));
    assert_eq!(check(&[[TAKE, (32 << 20) + 1, 0]]), None);
    assert_eq!(check(&[[TAKE, u32::MAX, 0]]), None);
    for wild in [0, 4, 7, 8, 64, first, BASE, 0x7fff_fff8, 0xffff_fff8, u32::MAX] {
        assert_eq!(check(&[[RELEASE, wild, 0]]), None, "{wild:#x}");
    }
    // Taken, given back and taken again; given back twice.
    let block = header(3) + 8;
    let again = [[TAKE, 9, 0], [RELEASE, block, 0], [TAKE, 16, 0]];
    assert_eq!(check(&again), Some(vec![block, block]));
    assert_eq!(check(&[again[0], again[1], again[1]]), None);
    // A header that the guest overwrote: another order, none, free.
    for word in [1, 22, 23, u32::MAX] {
        let block = header(4) + 8;
        check(&[[TAKE, 9, 0], [WRITE, block - 8, word], [RELEASE, block, 0], [TAKE, 9, 0]]);
    }
    // A link that the guest overwrote.
    for link in [0, 8, BASE, 3 << 16, (3 << 16) - 8, 0xffff_fff0, 0xffff_fff8, u32::MAX] {
        let block = header(5) + 8;
        let link = [WRITE, block - 8, link];
        check(&[[TAKE, 9, 0], [RELEASE, block, 0], link, [TAKE, 9, 0], [TAKE, 9, 0]]);
        let mark = [WRITE, block - 4, 1];
        check(&[[TAKE, 9, 0], [RELEASE, block, 0], mark, [TAKE, 9, 0], [TAKE, 9, 0]]);
    }
    // To the end of memory and beyond, also when the guest grew it.
    let full = [[TAKE, 30 << 20, 0]; 5];
    assert_eq!(check(&full), None);
    let grown = [[GROW, 2048, 0], full[0], full[0], full[0]];
    check(&grown);
}

#[test]
fn random_scripts_are_the_same() {
    let mut state = 0x5eed_u64;
    let mut random = |bound: u32| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 20) as u32 % bound
    };
    let mut traps = 0;
    for round in 0..300 {
        let wild = round % 3 == 0;
        let len = 1 + random(40);
        let start = BASE + (len * 12).next_power_of_two().max(8) + 16;
        let script: Vec<[u32; 3]> = (0..len)
            .map(|_| match random(if wild { 12 } else { 10 }) {
                0..6 => [TAKE, random(60), 0],
                // Blocks of the smaller orders lie at such addresses.
                6..10 => [RELEASE, start + 8 * random(12), 0],
                10 => [WRITE, start + 4 * random(40), random(100)],
                _ => [GROW, random(3), 0],
            })
            .collect();
        traps += u32::from(check(&script).is_none());
    }
    assert!((30..290).contains(&traps), "{traps} of 300 trapped");
}
