//! Blocks that are made: the same as native code made, executable, and refused for a reason.

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
};
use support::{
    outcome::{lithify, succeeds},
    scratch,
};

const SPEC: &str = "workloads/solochain/chain-spec.json";
const BLOCK: &str = "workloads/solochain/block-transfers.json";
/// FRAME's `System.Number`, which was 1 in the genesis of 2019.
const NUMBER: &str = "0x26aa394eea5630e07c48ae0c9558cef702a5c1b19ab7a04f536c519aca4983ac";
/// The time of the block in [`BLOCK`].
const TIME: &str = "1750000002000";

#[track_caller]
fn fails(args: &[&str], parts: &[&str]) {
    let path = scratch("refused.json");
    let output = lithify(&[&["build-block", "-o", path.to_str().unwrap()], args].concat());
    let said = output.stderr;
    assert!(output.status != 0 && !said.contains("thread '"), "{args:?}: {said}");
    for part in parts {
        assert!(said.contains(part), "{args:?}: no {part:?} in {said}");
    }
    assert!(!path.exists(), "{args:?}: a block was written");
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
    let path = scratch("again.json");
    let path = path.to_str().unwrap();
    let mut args = vec!["build-block", "--state", SPEC, "--timestamp", TIME, "-o", path];
    args.extend(extrinsics[1..].iter().flat_map(|text| ["--extrinsic", text]));
    let said = succeeds(&args, &[]).stdout;
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
    let said = succeeds(&["run", path], &[]).stdout;
    assert!(said.contains("25 extrinsics executed"), "{said}");

    args.push("--json");
    let again: serde_json::Value = serde_json::from_str(&succeeds(&args, &[]).stdout).unwrap();
    assert_eq!(again["failed"].as_array().unwrap().len(), 6);
    // On the state of the block file the parent is that of its block.
    args[2] = BLOCK;
    let other: serde_json::Value = serde_json::from_str(&succeeds(&args, &[]).stdout).unwrap();
    assert_eq!(other["hash"], again["hash"]);
}

/// A runtime makes the first state of its chain, on which blocks are made and executed: the one that is built
/// from Rust of a preset, and one that TinyGo built of a configuration.
#[test]
fn a_runtime_makes_its_first_state() {
    let (spec, path, config) =
        (scratch("spec.json"), scratch("first.json"), scratch("config.json"));
    let (spec, path) = (spec.to_str().unwrap(), path.to_str().unwrap());
    let genesis_of = |args: &[&str]| {
        let said = succeeds(&[&["genesis"], args, &["-o", spec, "--json"]].concat(), &[]).stdout;
        let genesis: serde_json::Value = serde_json::from_str(&said).unwrap();
        genesis["state_root"].as_str().unwrap().to_owned()
    };
    let block = || {
        succeeds(&["build-block", "--state", spec, "-o", path], &["block 1: 1 inherents"]);
        succeeds(&["run", path], &["1 extrinsics executed", " matches"]);
    };
    succeeds(&["genesis", SPEC, "--list"], &["development\n", "local_testnet\n"]);
    let preset = genesis_of(&[SPEC, "--preset", "development"]);
    block();
    let patch = scratch("patch.json");
    fs::write(&patch, r#"{"balances":{"balances":[]}}"#).unwrap();
    let patched = [SPEC, "--preset", "development", "--patch", patch.to_str().unwrap()];
    assert_ne!(genesis_of(&patched), preset);
    // A whole configuration gives what it was made of.
    let whole = succeeds(&["genesis", SPEC, "--preset", "development", "--show"], &[]).stdout;
    fs::write(&config, whole).unwrap();
    let config = config.to_str().unwrap();
    assert_eq!(genesis_of(&[SPEC, "--config", config]), preset);

    for (args, parts) in [
        (&[SPEC, "--preset", "nonesuch"][..], &["has no preset nonesuch", "--list"][..]),
        (&["workloads/collector/guest.wasm"], &["has no GenesisBuilder"]),
        (&[SPEC, "--config", SPEC], &["refuses the configuration: ", "unknown field"]),
        (&[SPEC, "--patch", "/dev/null"], &["/dev/null: no JSON"]),
    ] {
        let refused = scratch("refused-spec.json");
        let to = ["genesis", "-o", refused.to_str().unwrap()];
        let outcome = lithify(&[&to[..], args].concat());
        assert_ne!(outcome.status, 0, "{args:?}: {}", outcome.said());
        assert!(!refused.exists(), "{args:?}");
        for part in parts {
            assert!(outcome.stderr.contains(part), "{args:?}: no {part:?} in {}", outcome.said());
        }
    }

    let of_go = "../shared/corpus/gosemble-node-template.wasm";
    if !Path::new(of_go).exists() {
        eprintln!("skipped: there is no {of_go}");
        return;
    }
    let alice = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
    fs::write(config, format!(r#"{{"aura":{{"authorities":["{alice}"]}}}}"#)).unwrap();
    genesis_of(&[of_go, "--patch", config]);
    block();
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
    let path = scratch("transfers.json");
    let path = path.to_str().unwrap();
    let root = |more: &[&str]| {
        let args = ["build-block", "--state", GENESIS, "--transfers", "10", "--json", "-o", path];
        let said = succeeds(&[&args, more].concat(), &[]).stdout;
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

/// The bundled chain as its spec would have looked in other years: the same block.
#[test]
fn blocks_on_chain_specs_of_other_years() {
    let spec: serde_json::Value = serde_json::from_slice(&fs::read(SPEC).unwrap()).unwrap();
    let top = spec["genesis"]["raw"]["top"].clone();
    let mut of_2019 = top.clone();
    of_2019[NUMBER] = "0x01000000".into();
    let build = |name: &str, raw: serde_json::Value| {
        let state = scratch(&format!("{name}.spec.json"));
        let block = scratch(&format!("{name}.block.json"));
        fs::write(&state, serde_json::json!({"genesis": {"raw": raw}}).to_string()).unwrap();
        let (state, block) = (state.to_str().unwrap(), block.to_str().unwrap());
        let said = succeeds(&["build-block", "--state", state, "-o", block], &[]).stdout;
        assert!(said.starts_with("block 1: 1 inherents"), "{name}: {said}");
        said
    };
    let of_today = build("today", serde_json::json!({"top": top, "childrenDefault": {}}));
    assert_eq!(build("list", serde_json::json!([top, {}])), of_today);
    assert_eq!(build("flat", top), of_today);
    // Known as the genesis, on which this runtime, other than those of 2019, then makes no block 1.
    let numbered = scratch("numbered.spec.json");
    fs::write(&numbered, serde_json::json!({"genesis": {"raw": of_2019}}).to_string()).unwrap();
    fails(&["--state", numbered.to_str().unwrap()], &["must be strictly increasing"]);

    let code = spec["genesis"]["raw"]["top"]["0x3a636f6465"].clone();
    let plain = scratch("plain.spec.json");
    let genesis = serde_json::json!({"genesis": {"runtimeGenesis": {"code": code, "patch": {}}}});
    fs::write(&plain, genesis.to_string()).unwrap();
    let plain = plain.to_str().unwrap();
    assert!(succeeds(&["run", plain, "Core_version"], &[]).stdout.starts_with("0x446c697468"));
    assert!(succeeds(&["check", plain], &[]).stdout.contains("runs on a Polkadot host"));
    let way = ["has no state, only what a node makes it of", "chain-spec-builder convert-to-raw"];
    fails(&["--state", plain], &way);
    let refused = lithify(&["run", plain, "AuraApi_authorities"]);
    let said = &refused.stderr;
    assert!(refused.status != 0 && way.iter().all(|part| said.contains(part)), "{said}");
    let with_state = succeeds(&["run", plain, "AuraApi_authorities", "--state", SPEC], &[]).stdout;
    assert!(with_state.len() > 60, "{with_state}");
}

/// The corpus next to the repository, where it exists: Aura, BABE, a relay chain of 2020, and
/// parachains, whose inherent data only a collator can make. Each block is executed again to its root,
/// and so is each that is in a file.
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
    // Whatever there is, parachains of before trie layout 1 and one that wants the relay blocks that
    // follow among it.
    let files = fs::read_dir(&corpus).into_iter().flatten();
    let mut files: Vec<PathBuf> = files.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    if files.is_empty() {
        println!("skipped: no chain specs and blocks in {}", corpus.display());
    }
    for file in files {
        let (name, state) = (file.file_name().unwrap().to_str().unwrap(), file.to_str().unwrap());
        let path = scratch(&format!("of-{name}"));
        let path = path.to_str().unwrap();
        let said = succeeds(&["build-block", "--state", state, "-o", path], &[]).stdout;
        assert!(said.contains("inherents, 0 extrinsics"), "{name}: {said}");
        let given = name.starts_with("block").then_some(state);
        for block in given.into_iter().chain([path]) {
            let said = succeeds(&["run", block], &[]).stdout;
            assert!(said.contains("matches"), "{name}: {said}");
        }
    }
    if let Some(state) = state("westend-genesis.chain-spec.json") {
        let mut spec: serde_json::Value =
            serde_json::from_slice(&fs::read(&state).unwrap()).unwrap();
        spec["genesis"]["raw"]["top"][NUMBER] = "0x01000000".into();
        let (state, block) =
            (scratch("numbered-westend.json"), scratch("of-numbered-westend.json"));
        fs::write(&state, spec.to_string()).unwrap();
        let (state, block) = (state.to_str().unwrap(), block.to_str().unwrap());
        let said = succeeds(&["build-block", "--state", state, "-o", block], &[]).stdout;
        assert!(said.starts_with("block 1: "), "{said}");
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
