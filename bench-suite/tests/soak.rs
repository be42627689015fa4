//! A short soak of the bundled runtime: a tenth of the calls trap, and nothing grows.

mod support;

use lithify_bench::soak::{Options, growth, soak};
use lithify_compiler::{Target, compile_image};
use lithify_polkadot::{
    State,
    native::{Runtime, RuntimeOptions},
};
use std::path::Path;

#[test]
fn nothing_grows() {
    let workload = support::workload(Path::new(support::SOLOCHAIN)).expect("a runtime");
    let options = lithify_compiler::Options { target: Target::host(), ..Default::default() };
    let image = compile_image(&workload.wasm, &options).expect("it compiles");
    let runtime = Runtime::from_bytes(&image, &RuntimeOptions::default()).expect("it loads");
    // qemu-user 7.2 keeps 320 KiB of each thread that has ended, whatever program it runs.
    let threads = if support::emulator::emulator().is_some() { 1 } else { 4 };
    let options = Options { rounds: 20_000, threads };
    let parts = soak(&runtime, &State::empty(), options, |part| println!("{part:?}"));
    let parts = parts.unwrap_or_else(|error| panic!("{error:#}"));
    assert_eq!(parts.iter().map(|part| part.traps).sum::<u64>(), 2_000);
    assert_eq!(growth(&parts), [""; 0]);
}

#[test]
fn an_emulator_is_told() {
    assert_eq!(lithify_bench::machine::is_emulated(), support::emulator::emulator().is_some());
}
