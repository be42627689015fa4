//! The process that compiles: a runtime's code comes by standard input, its image goes to standard
//! output, and why there is none to standard error.
//!
//! It is stopped by the kernel at its bound of memory, by the node at its bound of time, and ends with
//! the node. A compiler that crashes on some code costs the node no more than the image.

use crate::options::WorkerLimits;
use lithify_compiler::{Options, Profile, compile_image};
use lithify_node::target;
use rustix::process::{Resource, Rlimit, Signal, nice, set_parent_process_death_signal, setrlimit};
use sc_executor_common::runtime_blob::RuntimeBlob;
use sp_crypto_hashing::blake2_256;
use sp_maybe_compressed_blob::{CODE_BLOB_BOMB_LIMIT, decompress};
use std::{
    env,
    io::{self, Read, Write},
    process,
    sync::atomic::{AtomicBool, Ordering},
};

/// The environment variable that makes a program a worker: the bounds of memory and threads.
pub(crate) const VARIABLE: &str = "LITHIFY_EXECUTOR_WORKER";

/// The exit status when the code is refused, whoever compiles it.
pub(crate) const REFUSED: i32 = 3;

/// How much less urgent the work is than the node's.
const NICE: i32 = 10;

/// Whether the program's `main` asks.
static ASKS: AtomicBool = AtomicBool::new(false);

/// Makes this process a worker, and ends it, if a node started it as one. With
/// [`Program::This`](crate::Program::This) this is the first line of the node's `main`, before it
/// starts threads, reads its arguments or writes to standard output.
pub fn run_if_asked() {
    ASKS.store(true, Ordering::Relaxed);
    if let Some(bounds) = env::var(VARIABLE).ok().as_deref().and_then(parse) {
        process::exit(run(bounds));
    }
}

/// Whether this program would be a worker if it were started as one, and not a second node.
pub(crate) fn program_asks() -> bool {
    ASKS.load(Ordering::Relaxed)
}

/// What [`VARIABLE`] says for `limits`.
pub(crate) fn variable(limits: &WorkerLimits) -> String {
    format!("{} {}", limits.memory, limits.threads)
}

fn parse(text: &str) -> Option<(u64, usize)> {
    let (memory, threads) = text.split_once(' ')?;
    Some((memory.parse().ok()?, threads.parse().ok()?))
}

fn run((memory, threads): (u64, usize)) -> i32 {
    match bounded(memory).and_then(|()| image(threads)) {
        Ok(Ok(())) => 0,
        Ok(Err(refused)) => {
            eprintln!("{refused}");
            REFUSED
        }
        Err(error) => {
            eprintln!("{error}");
            1
        }
    }
}

fn bounded(memory: u64) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let _ = nice(NICE);
    let limit = Some(memory);
    Ok(setrlimit(Resource::Data, Rlimit { current: limit, maximum: limit })?)
}

/// Reads, compiles, writes.
fn image(threads: usize) -> io::Result<Result<(), String>> {
    let mut code = Vec::new();
    io::stdin().lock().read_to_end(&mut code)?;
    match compile(&code, threads) {
        Ok(image) => io::stdout().lock().write_all(&image).map(Ok),
        Err(refused) => Ok(Err(refused)),
    }
}

/// The image of `code`, as `lithify compile` makes it, if a node takes the code.
fn compile(code: &[u8], threads: usize) -> Result<Vec<u8>, String> {
    // A node's own reader refuses what WebAssembly allows.
    RuntimeBlob::uncompress_if_needed(code).map_err(|error| error.to_string())?;
    let wasm = decompress(code, CODE_BLOB_BOMB_LIMIT).map_err(|error| format!("{error:?}"))?;
    let options = Options {
        target: target(),
        profile: Some(Profile::Runtime),
        code_hash: blake2_256(code),
        jobs: threads,
        ..Options::default()
    };
    compile_image(&wasm, &options).map_err(|error| error.to_string())
}
