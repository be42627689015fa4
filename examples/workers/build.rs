//! Builds interpreters in C into their workers; nothing without their features.

fn main() {
    #[cfg(feature = "wasm3")]
    wasm3();
    #[cfg(feature = "iwasm")]
    iwasm();
}

/// Where `get-sources` puts one.
#[cfg(any(feature = "wasm3", feature = "iwasm"))]
fn source(name: &str) -> std::path::PathBuf {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target").join(name);
    println!("cargo::rerun-if-changed={}", folder.display());
    assert!(folder.is_dir(), "there is no {}: ./get-sources fetches it", folder.display());
    folder
}

/// As its own makefiles build it.
#[cfg(feature = "wasm3")]
fn wasm3() {
    let files = source("wasm3").read_dir().expect("a folder");
    let files = files.map(|file| file.expect("a file of ours").path());
    let mut files: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|extension| extension == "c")).collect();
    files.sort();
    let mut build = cc::Build::new();
    build.files(files).opt_level(3).define("NASSERTS", None).warnings(false);
    build.flag("-fomit-frame-pointer").flag("-fno-stack-check").flag("-fno-stack-protector");
    build.compile("wasm3");
}

/// The fast interpreter, with what modules of today use, and nothing of the rest.
#[cfg(feature = "iwasm")]
fn iwasm() {
    let mut build = cmake::Config::new(source("iwasm").join("libiwasm"));
    build.profile("Release").build_target("vmlib");
    for (option, value) in [
        ("FAST_INTERP", "1"),
        ("BULK_MEMORY", "1"),
        ("AOT", "0"),
        // Its loader wants some of it.
        ("LIBC_BUILTIN", "1"),
        ("LIBC_WASI", "0"),
    ] {
        build.define(format!("WAMR_BUILD_{option}"), value);
    }
    let built = build.build().join("build");
    println!("cargo::rustc-link-search=native={}", built.display());
    for library in ["static=vmlib", "pthread", "m"] {
        println!("cargo::rustc-link-lib={library}");
    }
}
