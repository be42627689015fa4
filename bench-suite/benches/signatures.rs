//! Blocks whose signatures are checked by other threads: the bundled block of 24 transfers, and one
//! of 1 000 of the ledger's, with none and with one thread beside the guest's.

#![allow(missing_docs, reason = "criterion's macros define public items")]

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use lithify_bench::{Manifest, transfers};
use lithify_compiler::{Options, Target, compile_image};
use lithify_polkadot::native::{Runtime, RuntimeOptions};
use lithify_polkadot::{Block, CallContext, Input, RuntimeInput, SignatureThreads, State};
use std::path::Path;

const WORKLOADS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../workloads");

fn load(input: &RuntimeInput) -> Runtime {
    let options = Options { target: Target::host(), ..Options::default() };
    let image = compile_image(input.wasm(), &options).expect("it compiles");
    Runtime::from_bytes(&image, &RuntimeOptions::default()).expect("it loads")
}

fn bundled() -> (Runtime, State, Block) {
    let file = format!("{WORKLOADS}/solochain/block-transfers.json");
    let bytes = std::fs::read(&file).expect("the bundled block");
    let Ok(Input::Runtime(input)) = Input::read(bytes, &file) else { panic!("a block file") };
    let runtime = load(&input);
    let mut state = input.state.expect("a state");
    state.set_version(runtime.version().expect("a version").state_version());
    (runtime, state, input.block.expect("a block"))
}

fn thousand() -> (Runtime, State, Block) {
    let manifest = Manifest::read(&Path::new(WORKLOADS).join("ledger")).expect("the ledger");
    let module = manifest.modules.iter().find(|module| module.name == "rust");
    let input = manifest.open(module.expect("one in Rust")).expect("a runtime");
    let file = format!("{WORKLOADS}/ledger/genesis.json");
    let bytes = std::fs::read(&file).expect("its genesis");
    let Ok(Input::Runtime(genesis)) = Input::read(bytes, &file) else { panic!("a chain spec") };
    let mut state = genesis.state.expect("a state");
    let block = transfers::block(&mut state, 1_000).expect("a block");
    (load(&input), state, block)
}

fn signatures(criterion: &mut Criterion) {
    let threads = SignatureThreads::new(1).expect("a thread");
    for (name, (runtime, state, block)) in [("24", bundled()), ("1000", thousand())] {
        let mut group = criterion.benchmark_group(format!("block of {name} transfers"));
        group.sample_size(20);
        for (side, threads) in [("no thread", None), ("one thread", Some(&threads))] {
            group.bench_function(BenchmarkId::from_parameter(side), |bencher| {
                let (mut session, mut context) = (state.session(), CallContext::new());
                bencher.iter(|| {
                    let report = runtime.execute_block(&mut session, &mut context, &block, threads);
                    assert!(report.expect("a valid block").matches());
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, signatures);
criterion_main!(benches);
