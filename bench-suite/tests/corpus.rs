//! Every runtime at hand on every engine: those of the corpus next to the repository, and of the
//! folders in `LITHIFY_CORPUS`, separated by colons.

mod support;

use std::collections::HashSet;
use std::path::PathBuf;

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/corpus");

/// Outputs, and state roots after blocks, are equal on all engines and what the blocks say; the
/// modules also compile for Arm, and no branch of them goes astray.
#[test]
fn runtimes_give_the_same_on_every_engine() {
    let more = std::env::var("LITHIFY_CORPUS").unwrap_or_default();
    let folders = std::iter::once(CORPUS).chain(more.split(':').filter(|name| !name.is_empty()));
    let mut files: Vec<PathBuf> = Vec::new();
    for folder in folders {
        match std::fs::read_dir(folder) {
            Ok(entries) => files.extend(entries.filter_map(|entry| Some(entry.ok()?.path()))),
            Err(error) => println!("skipped: {folder}: {error}"),
        }
    }
    files.sort();
    let mut compiled = HashSet::new();
    for file in files.iter().filter(|file| file.is_file()) {
        let Some(workload) = support::workload(file) else {
            println!("skipped: {} is not a runtime", file.display());
            continue;
        };
        let (name, calls) = (workload.name.clone(), workload.calls.len());
        // Several files may hold the same code.
        if compiled.insert(workload.code_hash) {
            support::decode(&workload);
        }
        support::agree(&[workload], &["aot", "precompiled-2m", "interpreter"]);
        println!("{name}: {calls} calls agree");
    }
}
