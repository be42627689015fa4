//! Blocks that are made: the same as native code made, executable, and refused for a reason.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

const SPEC: &str = "workloads/solochain/chain-spec.json";
const BLOCK: &str = "workloads/solochain/block-transfers.json";
/// The time of the block in [`BLOCK`].
const TIME: &str = "1750000002000";

fn lithify(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lithify")).args(args).output().unwrap()
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[track_caller]
fn fails(args: &[&str], parts: &[&str]) {
    let path = place("refused.json");
    let output = lithify(&[&["build-block", "-o", path.to_str().unwrap()], args].concat());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && !said.contains("thread '"), "{args:?}: {said}");
    for part in parts {
        assert!(said.contains(part), "{args:?}: no {part:?} in {said}");
    }
    assert!(!path.exists(), "{args:?}: a block was written");
}

fn place(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// Header and extrinsics of a block file.
fn block(path: &Path) -> (String, Vec<String>) {
    let json: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let body = json["block"]["body"].as_array().unwrap().iter();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    (text(&json["block"]["header"]), body.map(text).collect())
}

/// The committed block was made by the native runtime. Its transfers give it again, to the bit;
/// the six whose calls fail are in it, and are named.
#[test]
fn the_same_extrinsics_give_the_block_of_the_native_runtime() {
    let (header, extrinsics) = block(Path::new(BLOCK));
    let path = place("again.json");
    let path = path.to_str().unwrap();
    let mut args = vec!["build-block", "--state", SPEC, "--timestamp", TIME, "-o", path];
    args.extend(extrinsics[1..].iter().flat_map(|text| ["--extrinsic", text]));
    let said = stdout(&lithify(&args));
    assert!(
        said.starts_with("block 1: 1 inherents, 24 extrinsics, state root 0x0ca390ef"),
        "{said}"
    );
    assert_eq!(
        said.matches("is in the block, but failed: Token(BelowMinimum)").count(),
        6,
        "{said}"
    );
    assert_eq!(block(Path::new(path)), (header, extrinsics.clone()));
    let said = stdout(&lithify(&["run", path]));
    assert!(said.contains("25 extrinsics executed"), "{said}");

    args.push("--json");
    let again: serde_json::Value = serde_json::from_str(&stdout(&lithify(&args))).unwrap();
    assert_eq!(again["failed"].as_array().unwrap().len(), 6);
    // On the state of the block file the parent is that of its block.
    args[2] = BLOCK;
    let other: serde_json::Value = serde_json::from_str(&stdout(&lithify(&args))).unwrap();
    assert_eq!(other["hash"], again["hash"]);
}

#[test]
fn what_cannot_be_in_a_block_is_refused_by_its_reason() {
    let (_, extrinsics) = block(Path::new(BLOCK));
    let transfer = &*extrinsics[1];
    let on = ["--state", SPEC, "--timestamp", TIME];
    let with = |more: &[&str], parts: &[&str]| fails(&[&on, more].concat(), parts);
    with(
        &["--extrinsic", transfer, "--extrinsic", transfer],
        &["extrinsic 1 is rejected: Invalid(Stale): Transaction is outdated"],
    );
    // The last byte is of the call: another message, and so another signature.
    let forged = format!("{}7", &transfer[..transfer.len() - 1]);
    with(&["--extrinsic", &forged], &["extrinsic 0 is rejected: Invalid(BadProof)"]);
    with(&["--extrinsic", &transfer[..40]], &["extrinsic 0 does not begin with its own length"]);
    with(&["--extrinsic", "12"], &["extrinsic 0: the text does not begin with 0x"]);
    with(&["--inherent", "short=0x00"], &["an identifier has eight characters"]);
    with(&["--inherent", "timstap0=0x00"], &["BlockBuilder_inherent_extrinsics"]);
    fails(&["--state", SPEC, "--timestamp", "0"], &["Core_initialize_block", "Slot must increase"]);
    fails(
        &["--state", "workloads/solochain/solochain.compact.compressed.wasm"],
        &["has no state; give a raw chain spec or a block file"],
    );
}

/// The ledger's generator gives the block that its manifest states, and another one by another seed.
#[test]
fn blocks_of_transfers() {
    const GENESIS: &str = "workloads/ledger/genesis.json";
    let manifest = fs::read_to_string("workloads/ledger/workload.toml").unwrap();
    let path = place("transfers.json");
    let path = path.to_str().unwrap();
    let root = |more: &[&str]| {
        let args = ["build-block", "--state", GENESIS, "--transfers", "10", "--json", "-o", path];
        let said = stdout(&lithify(&[&args, more].concat()));
        let json: serde_json::Value = serde_json::from_str(&said).unwrap();
        assert_eq!((&json["extrinsics"], &json["failed"]), (&10.into(), &serde_json::json!([])));
        json["state_root"].as_str().unwrap().to_owned()
    };
    let stated = root(&[]);
    assert!(manifest.contains(&format!("state-root = \"{stated}\"")), "{stated}");
    assert_ne!(root(&["--seed", "2"]), stated);
    fails(
        &["--state", SPEC, "--transfers", "1"],
        &["--transfers makes extrinsics for lithify-ledger"],
    );
    fails(&["--state", SPEC, "--seed", "1"], &["--transfers"]);
}

/// The corpus next to the repository, where it exists: Aura, BABE, a relay chain of 2020, and a
/// parachain, whose inherent data only a collator can make.
#[test]
fn blocks_of_other_chains() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let state = |name: &str| {
        let path = corpus.join(name);
        let exists = path.exists();
        if !exists {
            println!("skipped: {}", path.display());
        }
        exists.then(|| path.to_str().unwrap().to_owned())
    };
    let built = [
        "node-template.chain-spec.json",
        "westend-genesis.chain-spec.json",
        "block-child-trie-create-one.json",
        "block-child-trie-read-basic.json",
        // A parachain, on a relay chain that is made up.
        "polkadot-coretime.chain-spec.json",
    ];
    for (name, state) in built.into_iter().filter_map(|name| Some((name, state(name)?))) {
        let path = place(&format!("of-{name}"));
        let path = path.to_str().unwrap();
        let said = stdout(&lithify(&["build-block", "--state", &state, "-o", path]));
        assert!(said.contains("inherents, 0 extrinsics"), "{name}: {said}");
    }
    if let Some(state) = state("polkadot-coretime.chain-spec.json") {
        // The relay chain's data holds the parent's header, of which only the hash is given.
        let hash = format!("0x{}", "11".repeat(32));
        fails(
            &["--state", &state, "--parent-number", "7", "--parent-hash", &hash],
            &["needs the inherent sysi1337, which says what the relay chain has"],
        );
    }
}
