//! A hundred blocks of the bundled chain, made by a node on Lithify and by a node on wasmtime, and
//! each then imported by a new node on the other engine; half way the chain's runtime is upgraded.
//!
//! ```text
//! Lithify   makes 1..100 ---\ /--- imports 1..100
//!                            X
//! wasmtime  makes 1..100 ---/ \--- imports 1..100
//! ```
//!
//! It fails if two nodes' blocks differ, with the roots of the state that are in them, or if a call of
//! a node on Lithify waited for a compiler.
//!
//! `node.rs` is the node, `interface.rs` what it asks of the runtime, `transactions.rs` what happens on
//! the chain, `events.rs` what the engines say.

mod events;
mod interface;
mod node;
mod transactions;

use events::Event;
use interface::Block;
use lithify_executor::{LithifyExecutor, Options, Program, worker};
use node::Node;
use sc_executor::{RuntimeVersionOf, WasmExecutor};
use sc_service::{GenericChainSpec, NoExtension, config::ExecutorConfiguration, new_wasm_executor};
use sp_core::{
    storage::{Storage, well_known_keys::CODE},
    traits::{CodeExecutor, RuntimeCode, WrappedRuntimeCode},
};
use sp_crypto_hashing::blake2_256;
use sp_io::SubstrateHostFunctions;
use sp_runtime::{BuildStorage, OpaqueExtrinsic};
use std::{
    error::Error,
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};
use tokio::runtime::Runtime;
use transactions::{BLOCKS, UPGRADE};

type Result<T> = std::result::Result<T, Box<dyn Error>>;
type Lithify = LithifyExecutor<SubstrateHostFunctions>;
type Wasmtime = WasmExecutor<SubstrateHostFunctions>;

/// The chain as `workloads/solochain/build` made it.
const SPEC: &[u8] = include_bytes!("../../../workloads/solochain/chain-spec.json");

/// The block before which the image of the new code is ordered, by somebody who knows that an upgrade
/// comes.
const ORDER: u32 = UPGRADE - 10;

/// Where nodes are started.
struct Place<'a> {
    folder: &'a Path,
    genesis: &'a Storage,
    tokio: &'a Runtime,
}

/// The blocks that a node made or imported, and how long each took.
struct Chain {
    blocks: Vec<Block>,
    took: Vec<Duration>,
}

fn main() -> ExitCode {
    worker::run_if_asked();
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    events::collect()?;
    let genesis = GenericChainSpec::<NoExtension, ()>::from_json_bytes(SPEC)?.build_storage()?;
    let code = genesis.top.get(CODE).ok_or("the chain has no code")?;
    let folder = tempfile::tempdir()?;
    let (folder, tokio) = (folder.path(), &Runtime::new()?);
    let place = Place { folder, genesis: &genesis, tokio };
    let images = folder.join("images");

    events::at("before block 1");
    let executor = lithify(&images)?;
    image(&executor, code)?;
    let node = place.start("lithify-makes", executor.clone())?;
    let version = node.version()?;
    let next = transactions::next_code(code, &version)?;
    let transactions = transactions::transactions(node.genesis(), &version, &next);
    let ours = make(&node, tokio, &transactions, |block| match block {
        ORDER => {
            executor.prepare(&next);
            Ok(())
        }
        UPGRADE => image(&executor, &next),
        _ => Ok(()),
    })?;
    upgraded(&node, &next)?;
    drop((node, executor));
    served(&report("Lithify", "makes", &ours, &images))?;

    events::at("before block 1");
    let node = place.start("wasmtime-makes", wasmtime())?;
    let theirs = make(&node, tokio, &transactions, |_| Ok(()))?;
    upgraded(&node, &next)?;
    drop(node);
    compiled(&report("wasmtime", "makes", &theirs, &images))?;
    for (ours, theirs) in ours.blocks.iter().zip(&theirs.blocks) {
        if ours != theirs {
            return Err(format!(
                "block {} is another one: the state's root is {:?} on Lithify, {:?} on wasmtime",
                ours.header.number, ours.header.state_root, theirs.header.state_root,
            )
            .into());
        }
    }

    events::at("before block 1");
    let executor = lithify(&images)?;
    image(&executor, code)?;
    let node = place.start("lithify-imports", executor)?;
    let imported = import(&node, tokio, theirs.blocks)?;
    upgraded(&node, &next)?;
    drop(node);
    served(&report("Lithify", "imports", &imported, &images))?;

    events::at("before block 1");
    let node = place.start("wasmtime-imports", wasmtime())?;
    let imported = import(&node, tokio, ours.blocks)?;
    upgraded(&node, &next)?;
    drop(node);
    compiled(&report("wasmtime", "imports", &imported, &images))?;

    println!("the state's root, on all four nodes:");
    for number in [UPGRADE, BLOCKS] {
        let block = &imported.blocks[number as usize - 1];
        println!("    block {number}: {:?}", block.header.state_root);
    }
    Ok(())
}

/// The executor of a node on Lithify, on the store `images`.
fn lithify(images: &Path) -> Result<Lithify> {
    let config = ExecutorConfiguration::default();
    let mut options = Options::new(images, Program::This);
    options.fallback_runtimes = config.runtime_cache_size;
    options.fallback_instances = config.max_runtime_instances;
    Ok(LithifyExecutor::new(&options)?)
}

/// The executor that a node has without Lithify.
fn wasmtime() -> Wasmtime {
    new_wasm_executor(&ExecutorConfiguration::default())
}

/// Has the image of `code` made if there is none, and waits for it.
fn image(executor: &Lithify, code: &[u8]) -> Result<()> {
    executor.prepare(code);
    let fetcher = WrappedRuntimeCode(code.into());
    let hash = blake2_256(code).to_vec();
    let code = RuntimeCode { code_fetcher: &fetcher, hash, heap_pages: None };
    executor.wait(&code);
    match executor.is_served(&code) {
        true => Ok(()),
        false => Err("there is no image of the chain's code".into()),
    }
}

impl Place<'_> {
    /// Starts a node whose database is called `name`.
    fn start<E: CodeExecutor + RuntimeVersionOf>(
        &self,
        name: &str,
        executor: E,
    ) -> Result<Node<E>> {
        let tokio = self.tokio.handle().clone();
        Node::start(&self.folder.join(name), self.genesis, executor, tokio)
    }
}

/// Has `node` make a block of each transaction, and does `before` with each block's number before it.
fn make<E: CodeExecutor + RuntimeVersionOf>(
    node: &Node<E>,
    tokio: &Runtime,
    transactions: &[OpaqueExtrinsic],
    before: impl Fn(u32) -> Result<()>,
) -> Result<Chain> {
    let mut chain = Chain { blocks: vec![], took: vec![] };
    for (number, transaction) in (1..).zip(transactions) {
        before(number)?;
        events::at(format!("block {number}"));
        let start = Instant::now();
        chain.blocks.push(tokio.block_on(node.make(transaction.clone()))?);
        chain.took.push(start.elapsed());
    }
    Ok(chain)
}

/// Has `node` import the blocks.
fn import<E: CodeExecutor + RuntimeVersionOf>(
    node: &Node<E>,
    tokio: &Runtime,
    blocks: Vec<Block>,
) -> Result<Chain> {
    let mut took = vec![];
    for block in &blocks {
        events::at(format!("block {}", block.header.number));
        let start = Instant::now();
        tokio.block_on(node.import(block.clone()))?;
        took.push(start.elapsed());
    }
    Ok(Chain { blocks, took })
}

/// Prints what a node did, and what its engine said meanwhile, which is returned.
fn report(engine: &str, does: &str, chain: &Chain, images: &Path) -> Vec<Event> {
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    let mut took: Vec<_> = chain.took.iter().zip(1..).collect();
    took.sort();
    let (median, (longest, block)) = (took[took.len() / 2].0, took[took.len() - 1]);
    let count = chain.blocks.len();
    println!(
        "{engine} {does} {count} blocks: {:.1} ms the median one, {:.1} ms block {block}",
        millis(*median),
        millis(*longest),
    );
    let events = events::take();
    for event in &events {
        let text = event.text.replace(&format!("{}/", images.display()), "");
        println!("    {}: {text}", event.place);
    }
    events
}

/// An error, unless the chain's code is the new one.
fn upgraded<E: CodeExecutor + RuntimeVersionOf>(node: &Node<E>, next: &[u8]) -> Result<()> {
    match node.code()? == next {
        true => Ok(()),
        false => Err("the chain was not upgraded".into()),
    }
}

/// An error, if a call waited for a compiler.
fn served(events: &[Event]) -> Result<()> {
    match events.iter().find(|event| event.waited) {
        None => Ok(()),
        Some(event) => Err(format!("on Lithify, {}: {}", event.place, event.text).into()),
    }
}

/// An error, unless two calls did: if not, the engine's lines do not come here, and none proves nothing.
fn compiled(events: &[Event]) -> Result<()> {
    match events.iter().filter(|event| event.waited).count() {
        0 | 1 => Err("what sc-executor says of its compiles is not seen".into()),
        _ => Ok(()),
    }
}
