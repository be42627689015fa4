//! What a deadline costs: a call that does nothing, a loop, and a loop of host calls, with none, with
//! one that is far away, and with one that is made anew for each call.

#![allow(missing_docs, reason = "criterion's macros define public items")]

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use lithify_compiler::{Options, Profile, Target, compile_image};
use lithify_runtime::{CallOptions, Caller, Image, Imports, InstanceOptions, Pool, Trust};
use std::hint::black_box;
use std::time::{Duration, Instant};

const WAT: &str = r#"(module
    (import "env" "host" (func $host (param i32) (result i32)))
    (func (export "nothing") (param i32) (result i32) (local.get 0))
    (func (export "loop") (param i32) (result i32) (local i32)
        (loop $l
            (local.set 1 (i32.xor (i32.mul (local.get 1) (i32.const 17)) (local.get 0)))
            (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (local.get 1))
    (func (export "host_calls") (param i32) (result i32)
        (loop $l
            (drop (call $host (local.get 0)))
            (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (local.get 0)))"#;

fn deadline(criterion: &mut Criterion) {
    let profile = Some(Profile::General);
    let options = Options { target: Target::host(), profile, ..Options::default() };
    let wasm = wat::parse_str(WAT).expect("a module");
    let image = compile_image(&wasm, &options).expect("it compiles");
    let mut imports = Imports::new();
    imports.typed("env", "host", |_: &mut Caller<'_>, x: u32| Ok(x));
    let image = Image::from_bytes(&image, &imports, Trust::Verify).expect("it loads");
    let pool = Pool::new(&image, &InstanceOptions::default()).expect("a pool");
    let mut instance = pool.instance().expect("an instance");
    let far = CallOptions::until(Instant::now() + Duration::from_secs(86_400));
    let sides: [(&str, &dyn Fn() -> CallOptions); 3] = [
        ("none", &CallOptions::default),
        ("far", &|| far),
        ("in a second", &|| CallOptions::until(Instant::now() + Duration::from_secs(1))),
    ];
    for (name, argument) in [("nothing", 1), ("loop", 100_000), ("host_calls", 100_000)] {
        let mut group = criterion.benchmark_group(format!("deadline/{name}"));
        let func = instance.func(name).expect("an export");
        for (side, options) in sides {
            group.bench_function(BenchmarkId::from_parameter(side), |bencher| {
                bencher.iter(|| {
                    let mut values = [argument];
                    instance
                        .call_with(&func, &mut values, &mut (), options())
                        .expect("it ends in time");
                    black_box(values)
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, deadline);
criterion_main!(benches);
