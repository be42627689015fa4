//! Turns the linked Wasm module into the files of the workload: the blob as a chain stores it,
//! a raw chain spec, and a block of transfers with the state it is executed on.
//!
//! State and block come from the same runtime compiled natively, and nothing here depends on
//! the time, the machine or chance: the same module gives the same files.

mod block;
mod chain;
mod state;

use std::{env, error::Error, fs, path::Path, process::ExitCode};

use serde_json::Value;
use sp_maybe_compressed_blob::{CODE_BLOB_BOMB_LIMIT, compress_strongly};
use sp_runtime::traits::{BlakeTwo256, Hash};

use chain::Chain;

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [module, directory] = arguments.as_slice() else {
        eprintln!("usage: solochain-genesis <module.wasm> <directory to write to>");
        return ExitCode::from(2);
    };
    match write_all(Path::new(module), Path::new(directory)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Writes the three files, and prints the hashes that `workload.toml` names.
fn write_all(module: &Path, directory: &Path) -> Result<(), Box<dyn Error>> {
    let module = fs::read(module)?;
    let blob = compress_strongly(&module, CODE_BLOB_BOMB_LIMIT).ok_or("the module is too large")?;
    fs::write(directory.join("solochain.compact.compressed.wasm"), &blob)?;
    print_hash("module", &module);
    print_hash("blob", &blob);

    let chain = Chain::new(state::genesis(blob)?);
    write_json(&directory.join("chain-spec.json"), &chain.spec())?;

    let block = block::transfers(&chain);
    write_json(&directory.join("block-transfers.json"), &chain.block_file(&block))?;

    print_hash("Core_version", &chain.call("Core_version", &[]));
    print_hash("Metadata_metadata", &chain.call("Metadata_metadata", &[]));
    print_hash("Core_execute_block", &chain.execute(&block));
    println!("state-root {:?}", block.header.state_root);
    Ok(())
}

fn write_json(path: &Path, value: &Value) -> Result<(), Box<dyn Error>> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    fs::write(path, text)?;
    Ok(())
}

fn print_hash(name: &str, bytes: &[u8]) {
    println!("{name} {:?}", BlakeTwo256::hash(bytes));
}
