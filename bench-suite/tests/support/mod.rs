//! What the tests share.

#![allow(dead_code, reason = "each test uses its part")]

#[path = "../../../compiler/tests/support/dwarf.rs"]
mod dwarf;
pub mod emulator;

use lithify_bench::engine::{KINDS, Kind};
use lithify_bench::{Options, Run, Workload, runner};
use lithify_compiler::{Branches, Options as CompilerOptions, Target, branches, compile_image};
use lithify_polkadot::{Input, InputError};
use std::path::Path;

/// The bundled workload.
pub const SOLOCHAIN: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../workloads/solochain/block-transfers.json");

/// Few processes, of the worker that is built for tests.
pub fn options() -> Options {
    let mut options = Options::new(&[]).expect("a test runs from a file");
    options.worker = vec![env!("CARGO_BIN_EXE_bench-worker").into()];
    options.processes = 2;
    options.compiles = 1;
    options.seed = 1;
    options
}

/// The workload in a file; none when the file holds something else altogether.
pub fn workload(path: &Path) -> Option<Workload> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{name}: {error}"));
    let input = match Input::read(bytes, &name) {
        Ok(input @ Input::Runtime(_)) => input,
        Ok(Input::Image(_)) | Err(InputError::Unknown { .. }) => return None,
        Err(error) => panic!("{error}"),
    };
    Some(Workload::new(&name, input).unwrap_or_else(|error| panic!("{name}: {error:#}")))
}

/// The engines of these settings compile the workloads, make every call, and give the same.
pub fn agree(workloads: &[Workload], settings: &[&str]) -> Run {
    let mut options = options();
    let asked = KINDS.iter().filter(|kind| settings.contains(&kind.setting));
    options.engines = asked.map(Kind::id).collect();
    let run = runner::agree(workloads, &options, &mut ()).unwrap_or_else(|e| panic!("{e:#}"));
    let absent = run.absent.iter().filter(|absent| !absent.reason.contains("PAGEMAP_SCAN"));
    assert_eq!(absent.collect::<Vec<_>>(), [] as [&lithify_bench::sample::Absent; 0]);
    run
}

/// Compiles a module for every machine and decodes it: no branch goes astray, and debug information is
/// right.
pub fn decode(workload: &Workload) {
    let x86_64 = Target::default();
    for target in [x86_64, x86_64.with_cpu("x86-64-v2").expect("a level"), Target::aarch64()] {
        let options = CompilerOptions { target, ..CompilerOptions::default() };
        let image = compile_image(&workload.wasm, &options);
        let image = image.unwrap_or_else(|e| panic!("{}, {target:?}: {e}", workload.name));
        let found: Branches =
            branches(&image).unwrap_or_else(|e| panic!("{}, {target:?}: {e}", workload.name));
        println!("{}, {}: {} bytes, {found:?}", workload.name, target.triple(), image.len());
        if target == x86_64 || target == Target::aarch64() {
            let options = CompilerOptions { debug_info: true, ..options };
            let debug = compile_image(&workload.wasm, &options).expect("it compiled without");
            println!("  debug information: {:?}", dwarf::explains(&debug, &image));
        }
    }
}
