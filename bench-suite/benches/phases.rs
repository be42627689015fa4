//! The phases of the bundled runtime on every engine, for a quick look while working on one.
//!
//! Criterion takes iterations for samples, which on a shared machine they are not: for a verdict
//! use the suite, where a process is one measurement.

#![allow(missing_docs, reason = "criterion's macros define public items")]

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use lithify_bench::Workload;
use lithify_bench::engine::{Check, Clock, Engine, Fresh, Host, Kind, LoadedModule, Start};
use lithify_polkadot::{CallContext, Input};
use std::hint::black_box;
use std::path::PathBuf;
use std::time::Duration;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../workloads/solochain");

/// An engine with its artifact of the workload.
struct Ready {
    kind: &'static Kind,
    engine: Box<dyn Engine>,
    prepared: Vec<u8>,
    artifact: PathBuf,
}

fn phases(criterion: &mut Criterion) {
    let file = format!("{FOLDER}/block-transfers.json");
    let bytes = std::fs::read(&file).expect("the bundled workload");
    let input = Input::read(bytes, &file).expect("the bundled workload");
    let workload = Workload::new("solochain", input).expect("the bundled workload");
    let folder = tempfile::tempdir().expect("a folder for artifacts");
    let ready: Vec<Ready> = Kind::usual()
        .filter_map(|kind| match kind.open(Host::Polkadot) {
            Ok(engine) => {
                let prepared = engine.prepare(&workload.wasm).expect("prepare").into_owned();
                let artifact = folder.path().join(kind.id().to_string());
                let compiled = engine.compile(&prepared).expect("compile");
                std::fs::write(&artifact, compiled).expect("write the artifact");
                Some(Ready { kind, engine, prepared, artifact })
            }
            Err(reason) => {
                eprintln!("{} is absent: {reason:#}", kind.id());
                None
            }
        })
        .collect();
    compile(criterion, &ready);
    load(criterion, &ready);
    calls(criterion, &ready, &workload);
}

/// The part of a call that is measured, in ns.
type Part = fn(&Fresh) -> u64;

fn compile(criterion: &mut Criterion, ready: &[Ready]) {
    let mut group = criterion.benchmark_group("compile");
    group.sample_size(10);
    for Ready { kind, engine, prepared, .. } in ready {
        if kind.start != Start::Module {
            group.bench_function(BenchmarkId::from_parameter(kind.id()), |bencher| {
                bencher.iter(|| black_box(engine.compile(prepared).expect("compile")));
            });
        }
    }
    group.finish();
}

fn load(criterion: &mut Criterion, ready: &[Ready]) {
    let mut group = criterion.benchmark_group("load");
    group.sample_size(20);
    for Ready { kind, engine, artifact, .. } in ready {
        if kind.start != Start::Compile {
            group.bench_function(BenchmarkId::from_parameter(kind.id()), |bencher| {
                bencher
                    .iter_with_large_drop(|| engine.load(artifact, Check::Trusted).expect("load"));
            });
        }
    }
    group.finish();
}

fn calls(criterion: &mut Criterion, ready: &[Ready], workload: &Workload) {
    let parts: [(&str, Clock, Part); 3] = [
        ("instantiate", Clock::Phases, |fresh| fresh.instantiate_ns),
        ("call", Clock::Phases, |fresh| fresh.call_ns),
        ("total", Clock::Ends, |fresh| fresh.total_ns),
    ];
    for call in &workload.calls {
        for (part, clock, of) in parts {
            let mut group = criterion.benchmark_group(format!("{}/{part}", call.entry));
            for Ready { kind, engine, artifact, .. } in ready {
                // Its code and its calls differ from the artifact's by little, its load by all.
                if kind.start == Start::Compile {
                    continue;
                }
                let loaded: Box<dyn LoadedModule> =
                    engine.load(artifact, Check::Trusted).expect("load");
                let mut entry = loaded.entry(&call.entry).expect("an entry point");
                let mut session = workload.state.session();
                let mut context = CallContext::new();
                group.bench_function(BenchmarkId::from_parameter(kind.id()), |bencher| {
                    bencher.iter_custom(|times| {
                        let mut once = || {
                            let fresh = session
                                .execute(|| entry.call(&call.input, &mut context, clock))
                                .expect("a call");
                            of(&fresh)
                        };
                        Duration::from_nanos((0..times).map(|_| once()).sum())
                    });
                });
            }
            group.finish();
        }
    }
}

criterion_group!(benches, phases);
criterion_main!(benches);
