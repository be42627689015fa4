//! Every workload of the repository, from committed bytes, on the compiler and on the
//! interpreter: both give what the manifest says, and leave the same state.

mod support;

use lithify_bench::{Calls, Manifest};
use std::{collections::HashSet, path::Path};

const WORKLOADS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../workloads");

#[test]
fn every_workload_gives_what_its_manifest_says() {
    let manifests = Manifest::all(Path::new(WORKLOADS)).unwrap_or_else(|e| panic!("{e:#}"));
    assert!(manifests.iter().any(|manifest| manifest.name == "solochain"));
    for manifest in manifests {
        assert!(manifest.folder.ends_with(&manifest.name), "{} has another name", manifest.name);
        let workloads = manifest.workloads(Calls::All).unwrap_or_else(|e| panic!("{e:#}"));
        let known = |call: &lithify_bench::workload::Call| {
            assert!(call.output.is_some(), "{}: {} may return anything", manifest.name, call.label);
        };
        workloads.iter().flat_map(|workload| &workload.calls).for_each(known);
        support::agree(&workloads, &["aot", "interpreter"]);
    }
}

/// No branch of any workload's module goes astray.
#[test]
fn every_branch_of_every_workload_is_decoded() {
    let mut decoded = HashSet::new();
    for manifest in Manifest::all(Path::new(WORKLOADS)).unwrap_or_else(|e| panic!("{e:#}")) {
        for workload in manifest.workloads(Calls::All).unwrap_or_else(|e| panic!("{e:#}")) {
            if decoded.insert(workload.code_hash) {
                support::decode(&workload);
            }
        }
    }
}

/// A manifest that a change of the file, or of itself, made wrong is refused by what is wrong.
#[test]
fn manifests_are_checked() {
    let module = "[[module]]\nname = \"m\"\npath = \"m.wat\"\nlanguage = \"WebAssembly\"\n";
    let check = |more: &str, message: &str| {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("m.wat"), "(module)").expect("a file");
        let text = format!("name = \"x\"\nkind = \"micro\"\nabout = \"x\"\n{module}{more}");
        std::fs::write(folder.path().join("workload.toml"), text).expect("a file");
        let result =
            Manifest::read(folder.path()).and_then(|manifest| manifest.workloads(Calls::All));
        let error = format!("{:#}", result.map(drop).expect_err(message));
        assert!(error.contains(message), "{error}");
    };
    check("len-bytes = 9", "its len-bytes is 8, but the manifest says 9");
    check("sha256 = \"00\"", "its sha256 is");
    check(
        "[[module]]\nname = \"m\"\npath = \"m.wat\"\nlanguage = \"C\"",
        "two modules are called m",
    );
    check("surprise = 1", "unknown field `surprise`");
    check("[[call]]\nentry = \"f\"\nmodule = \"n\"", "there is no module n");
    check("[[call]]\nentry = \"f\"\ninput = \"0x\"\ntransfers = 1", "one of block, transfers");
    check("[[call]]\nentry = \"f\"\ntransfers = 1", "give the state that the transfers are on");
    check("[[call]]\nentry = \"f\"\ninput = \"12\"", "input does not begin with 0x");
    check("[[call]]\nentry = \"f\"\nstate-root = \"0x12\"", "state-root is not 32 bytes long");
    check("[[call]]\nentry = \"f\"\nstate = \"no.json\"", "cannot read");
}
