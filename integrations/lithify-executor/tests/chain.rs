//! A chain of a hundred blocks, each made on one engine and imported on the other, with an upgrade of
//! its runtime half way: the roots agree, and no block's calls wait for a compiler.

mod support;

use codec::{Compact, Encode};
use lithify_polkadot::{
    BlockRequest, RuntimeVersion, State, author::genesis_header, block::Header, build_block,
};
use sp_core::{
    Pair, sr25519,
    traits::{CallContext, CodeExecutor, RuntimeCode, WrappedRuntimeCode},
};
use sp_crypto_hashing::blake2_256;
use sp_externalities::with_externalities;
use sp_maybe_compressed_blob::{CODE_BLOB_BOMB_LIMIT, compress_weakly};
use support::{Chain, Executor, Fallback, executor, file, read};

const BLOCKS: u32 = 100;
const UPGRADE: u32 = BLOCKS / 2;

/// The chain as both nodes have it.
struct Nodes {
    ours: Executor,
    theirs: Fallback,
    state: State,
    imported: Chain,
    version: RuntimeVersion,
    parent: Header,
}

impl Nodes {
    /// Makes the next block on `author`, and imports it on `importer`.
    fn block<A: CodeExecutor, I: CodeExecutor>(
        &mut self,
        author: &A,
        importer: &I,
        extrinsics: Vec<Vec<u8>>,
    ) {
        let parent = Some((self.parent.number, self.parent.hash()));
        let request = BlockRequest { parent, extrinsics, ..BlockRequest::default() };
        let code = self.state.code().expect("a chain has code");
        let call = |entry: &str, argument: &[u8]| {
            let fetcher = WrappedRuntimeCode(code.as_slice().into());
            let hash = blake2_256(&code).to_vec();
            let code = RuntimeCode { code_fetcher: &fetcher, hash, heap_pages: None };
            let context = CallContext::Onchain { import: false };
            with_externalities(|ext| author.call(ext, &code, entry, argument, context).0)
                .expect("the session has set them")
                .map_err(|error| std::io::Error::other(error.to_string()))
        };
        let mut session = self.state.session();
        let built = session.execute(|| build_block(&self.state, &self.version, &request, call));
        let built =
            built.unwrap_or_else(|error| panic!("block {}: {error}", self.parent.number + 1));
        assert!(built.failed.is_empty(), "{:?}", built.failed);
        let changes = session.into_changes(self.state.version());
        self.state.apply(changes);
        let header = built.block.header.clone();
        assert_eq!(self.state.root(), header.state_root, "block {}", header.number);

        let root = self.imported.import(importer, &built.block.argument());
        assert_eq!(root.0, header.state_root, "block {}", header.number);
        self.parent = header;
    }
}

/// A call that Alice signs, with its length before it.
fn signed(nodes: &Nodes, genesis: &Header, nonce: u32, call: &[u8]) -> Vec<u8> {
    let alice = sr25519::Pair::from_string("//Alice", None).unwrap();
    // It is valid for ever; no tip.
    let extra = (0u8, Compact(nonce), Compact(0u128)).encode();
    let version = (nodes.version.spec_version, nodes.version.transaction_version);
    let hash = genesis.hash();
    let payload = [call, &extra, &version.encode(), &hash, &hash].concat();
    let signature = match payload.len() {
        ..=256 => alice.sign(&payload),
        _ => alice.sign(&blake2_256(&payload)),
    };
    let address = [&[0][..], alice.public().as_ref()].concat();
    let body = [&[0x84][..], &address, &[1], signature.as_ref(), &extra, call].concat();
    body.encode()
}

/// Balances::transfer_keep_alive to an account that is new in each block.
fn transfer(nonce: u32) -> Vec<u8> {
    let account = blake2_256(&nonce.encode());
    [&[4, 3, 0][..], &account, &Compact(1_000_000_000_000u128).encode()].concat()
}

/// Sudo::sudo_unchecked_weight(System::set_code(code)).
fn set_code(code: &[u8]) -> Vec<u8> {
    [&[6, 1, 0, 2][..], &code.encode(), &Compact(0u64).encode(), &Compact(0u64).encode()].concat()
}

/// The runtime, a version later: so its section says, which is what is asked before an upgrade.
fn upgraded(wasm: &[u8], version: &RuntimeVersion) -> Vec<u8> {
    let section = |version: &RuntimeVersion| {
        RuntimeVersion { apis: Default::default(), ..version.clone() }.encode()
    };
    let next = RuntimeVersion { spec_version: version.spec_version + 1, ..version.clone() };
    let (old, new) = (section(version), section(&next));
    let at = wasm.windows(old.len()).position(|bytes| bytes == old).expect("the section");
    let mut wasm = wasm.to_vec();
    wasm[at..][..new.len()].copy_from_slice(&new);
    compress_weakly(&wasm, CODE_BLOB_BOMB_LIMIT).unwrap()
}

#[test]
fn a_chain_is_the_same_on_both_and_upgrades() {
    let spec = read(file("workloads/solochain/chain-spec.json"), "spec");
    let version = spec.version.clone().unwrap();
    let next_code = upgraded(spec.wasm(), &version);
    let state = spec.state.clone().unwrap();
    let genesis = genesis_header(&state);
    let folder = tempfile::tempdir().unwrap();
    let mut nodes = Nodes {
        ours: executor(folder.path()),
        theirs: Fallback::builder().build(),
        imported: Chain::of_input("solochain", &spec),
        state,
        version,
        parent: genesis.clone(),
    };
    let is_served = |executor: &Executor, code: &[u8]| {
        Chain::of_code("", code.to_vec()).with_code(|code| {
            executor.wait(code);
            executor.is_served(code)
        })
    };
    nodes.imported.with_code(|code| nodes.ours.is_served(code));
    for number in 1..=BLOCKS {
        let call = if number == UPGRADE { set_code(&next_code) } else { transfer(number) };
        let extrinsics = vec![signed(&nodes, &genesis, number - 1, &call)];
        let (ours, theirs) = (nodes.ours.clone(), nodes.theirs.clone());
        if number % 2 == 0 {
            nodes.block(&theirs, &ours, extrinsics);
        } else {
            nodes.block(&ours, &theirs, extrinsics);
        }
        if number == 1 || number == UPGRADE {
            // Nobody asks for the new code's image but the import of the block that sets it.
            let code = nodes.state.code().unwrap();
            assert_eq!(code == next_code, number == UPGRADE);
            assert!(is_served(&ours, &code));
        }
    }
    assert_eq!(nodes.parent.number, u64::from(BLOCKS));
}
