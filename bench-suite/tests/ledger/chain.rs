//! Machines that run the ledger, side by side on one chain.

use lithify_bench::engine::{Clock, Engine, Host, KINDS, LoadedModule};
use lithify_ledger::generator;
use lithify_polkadot::{
    CallContext, Change, State, StateVersion, author::genesis_header, block::Header,
    input::decompress,
};
use parity_scale_codec::{Compact, Encode};
use std::path::{Path, PathBuf};

/// Where the modules are, each in a folder of its language.
const LEDGER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../workloads/ledger");

type Call = dyn Fn(&str, &[u8]) -> Result<Vec<u8>, String>;

/// A ledger that can be called.
pub struct Machine {
    /// What it is and runs on.
    pub name: String,
    call: Box<Call>,
}

/// What came of a call.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The output; `None` after a trap.
    pub output: Option<Vec<u8>>,
    /// The keys that have another value than before, and that value.
    pub changes: Vec<Change>,
    /// The state root; `None` after a trap.
    pub root: Option<[u8; 32]>,
}

impl Machine {
    /// The native build.
    pub fn native() -> Self {
        let call = |entry: &str, input: &[u8]| {
            let call = || lithify_ledger::api::call(entry, input).expect("the entry point exists");
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).map_err(|panic| {
                let text = panic.downcast_ref::<String>().cloned();
                text.unwrap_or_else(|| "a panic".into())
            })
        };
        Self { name: "native".into(), call: Box::new(call) }
    }

    /// A module, on the engine of that name in its first setting.
    pub fn module(path: &Path, engine: &str) -> Self {
        let kind = KINDS.iter().find(|kind| kind.engine == engine).expect("a known engine");
        let engine: Box<dyn Engine> = kind.open(Host::Polkadot).expect("it runs here");
        let name = format!("{} on {}", path.display(), kind.id());
        let wasm = std::fs::read(path).unwrap_or_else(|error| panic!("{name}: {error}"));
        let wasm = decompress(&wasm).expect("a module");
        let prepared = engine.prepare(&wasm).unwrap_or_else(|error| panic!("{name}: {error:#}"));
        let loaded: Box<dyn LoadedModule> =
            engine.load_source(&prepared).unwrap_or_else(|error| panic!("{name}: {error:#}"));
        let label = name.clone();
        let call = move |entry: &str, input: &[u8]| {
            let mut entry =
                loaded.entry(entry).unwrap_or_else(|error| panic!("{label}: {error:#}"));
            let fresh = entry.call(input, &mut CallContext::new(), Clock::Ends);
            fresh.map(|fresh| fresh.output).map_err(|error| format!("{error:#}"))
        };
        Self { name, call: Box::new(call) }
    }

    /// The native build, then every module on the engine of that name.
    pub fn on(engine: &str) -> Vec<Self> {
        let folders = std::fs::read_dir(LEDGER).expect("the workload").map(|entry| entry.unwrap());
        let files = folders.filter_map(|folder| std::fs::read_dir(folder.path()).ok()).flatten();
        let is_module = |path: &PathBuf| path.extension().is_some_and(|end| end == "wasm");
        let mut modules: Vec<_> =
            files.map(|file| file.unwrap().path()).filter(is_module).collect();
        modules.sort();
        assert!(!modules.is_empty(), "{LEDGER} has modules");
        let modules = modules.iter().map(|path| Self::module(path, engine));
        std::iter::once(Self::native()).chain(modules).collect()
    }

    /// Calls an entry point on a state.
    pub fn call(&self, state: &State, entry: &str, input: &[u8]) -> Outcome {
        let mut session = state.session();
        match session.execute(|| (self.call)(entry, input)) {
            Ok(output) => {
                let mut changes = session.changes();
                changes.retain(|change| state.storage(&change.key) != change.value);
                let root = Some(session.root(StateVersion::V1));
                Outcome { output: Some(output), changes, root }
            }
            Err(error) => {
                // Seen only if the test fails.
                println!("{}: {entry}: {error}", self.name);
                Outcome { output: None, changes: vec![], root: None }
            }
        }
    }
}

/// A chain at its first block, which all machines build together.
pub struct Chain<'m> {
    machines: &'m [Machine],
    genesis: State,
    /// After what was applied so far.
    pub state: State,
    body: Vec<Vec<u8>>,
}

impl<'m> Chain<'m> {
    /// Before the block.
    pub fn new(machines: &'m [Machine], genesis: State) -> Self {
        Self { machines, state: genesis.clone(), genesis, body: vec![] }
    }

    /// The hash of block 0.
    pub fn genesis_hash(&self) -> [u8; 32] {
        genesis_hash(&self.genesis)
    }

    /// Begins the block, with these digest items.
    pub fn begin(&mut self, digest: &[Vec<u8>]) {
        let header = first_header(self.genesis_hash(), digest);
        assert_eq!(self.call("Core_initialize_block", &header, "the block").output, Some(vec![0]));
    }

    /// Applies an extrinsic. What it wrote is kept if it is included.
    pub fn apply(&mut self, extrinsic: &[u8], name: &str) -> Outcome {
        let outcome = self.call("BlockBuilder_apply_extrinsic", extrinsic, name);
        if outcome.output.as_ref().is_some_and(|output| output[0] == 0) {
            self.body.push(extrinsic.to_vec());
        }
        outcome
    }

    /// Ends the block, executes it on the state before it, and returns the argument of that.
    pub fn finalize_and_execute(&mut self) -> Vec<u8> {
        let ended = self.call("BlockBuilder_finalize_block", &[], "the block");
        let bytes = ended.output.expect("the block ends");
        let header = Header::decode(&bytes).expect("a header");
        assert_eq!(header.state_root, self.state.root(), "the header has the state's root");
        let count = Compact(self.body.len() as u32).encode();
        let block = [&bytes[..], &count, &self.body.concat()].concat();

        let executed =
            agree(self.machines, &self.genesis, "Core_execute_block", &block, "the block");
        assert_eq!(executed.output, Some(vec![]));
        assert_eq!(executed.root, Some(header.state_root));
        block
    }

    fn call(&mut self, entry: &str, input: &[u8], name: &str) -> Outcome {
        let outcome = agree(self.machines, &self.state, entry, input, name);
        let refused = entry.ends_with("apply_extrinsic")
            && outcome.output.as_ref().is_none_or(|output| output[0] != 0);
        if !refused {
            let mut session = self.state.session();
            session.execute(|| (self.machines[0].call)(entry, input)).expect("as before");
            let changes = session.into_changes(StateVersion::V1);
            self.state.apply(changes);
        }
        outcome
    }
}

/// Calls on every machine; all must do what the first does. What an extrinsic wrote that was
/// refused is nobody's affair.
pub fn agree(
    machines: &[Machine],
    state: &State,
    entry: &str,
    input: &[u8],
    name: &str,
) -> Outcome {
    let call = |machine: &Machine| {
        let mut outcome = machine.call(state, entry, input);
        let first = outcome.output.as_ref().and_then(|output| output.first());
        if entry == "BlockBuilder_apply_extrinsic" && first == Some(&1) {
            (outcome.changes, outcome.root) = (vec![], None);
        }
        outcome
    };
    let expected = call(&machines[0]);
    for machine in &machines[1..] {
        assert_eq!(call(machine), expected, "{name}: {entry} on {}", machine.name);
    }
    expected
}

/// The hash of block 0.
pub fn genesis_hash(state: &State) -> [u8; 32] {
    genesis_header(state).hash()
}

/// The header that block 1 begins with.
pub fn first_header(parent_hash: [u8; 32], digest: &[Vec<u8>]) -> Vec<u8> {
    let digest = digest.to_vec();
    let roots = [0; 32];
    Header { parent_hash, number: 1, state_root: roots, extrinsics_root: roots, digest }.encode()
}

/// The digest item by which Aura says the slot.
pub fn slot() -> Vec<u8> {
    let slot = generator::TIME.1 / 6_000;
    [&[6][..], b"aura", &[32], &slot.to_le_bytes()].concat()
}

/// A digest item that a block does not begin with.
pub fn consensus() -> Vec<u8> {
    [&[4][..], b"none", &[4, 1]].concat()
}

/// Calls about inherents, with blocks that have good, several and no ones, and every kind of time.
pub fn questions_of_inherents(parent: [u8; 32]) -> Vec<(&'static str, Vec<u8>)> {
    let time = |millis: u64| vec![(generator::TIME.0, millis.encode())].encode();
    let now = generator::TIME.1;
    let made = [time(now), time(0), vec![0], vec![4, 1]];
    let mut calls: Vec<_> =
        made.into_iter().map(|input| ("BlockBuilder_inherent_extrinsics", input)).collect();

    let set = generator::timestamp();
    let bodies: [&[&[u8]]; 5] = [&[], &[&set], &[&set, &set], &[&[4, 0]], &[&set, &[4, 0]]];
    for body in bodies {
        let count = [4 * body.len() as u8];
        let block = [&first_header(parent, &[slot()])[..], &count, &body.concat()].concat();
        for millis in [0, 1, now - 30_001, now - 30_000, now] {
            let input = [&block[..], &time(millis)].concat();
            calls.push(("BlockBuilder_check_inherents", input));
        }
        calls.push(("BlockBuilder_check_inherents", [&block[..], &[0]].concat()));
    }
    calls
}
