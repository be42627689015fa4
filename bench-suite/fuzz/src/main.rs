//! Does anyone disagree? Random modules on Lithify and on wasmtime: results, traps, globals and
//! memory must be the same.
//!
//! A module is a function of the seed and its number, so a disagreement is found again by
//! `--seed S --first N --count 1`. `--keep DIR` writes its bytes there.

mod lithify;
mod wasmtime;

use anyhow::{Context, Result, bail};
use arbitrary::Unstructured;
use clap::Parser;
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};
use wasm_smith::{Config, Module};

/// Runs random modules on Lithify and on wasmtime, and compares.
#[derive(Parser)]
#[command(after_help = "\
Examples:
  lithify-fuzz --time 60
  lithify-fuzz --seed 1 --count 500")]
struct Options {
    /// Stop after so many seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    time: u64,
    /// Stop after so many modules.
    #[arg(long, value_name = "N", default_value_t = u64::MAX)]
    count: u64,
    /// Number of the first module.
    #[arg(long, value_name = "N", default_value_t = 0)]
    first: u64,
    /// Decides which modules.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Where to write a module on which the engines disagree.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

/// A value by its bits; a reference only by whether it is null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bits {
    /// A number or a vector.
    Plain(u128),
    /// A reference, and whether it is null.
    Null(bool),
}

/// What a call came to: values, or the message of the trap.
pub type Called = std::result::Result<Vec<Bits>, String>;

/// What a module did on an engine.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Why there is no instance.
    pub refused: Option<String>,
    /// Each exported function, called once in order.
    pub calls: Vec<(String, Called)>,
    /// Exported globals afterwards.
    pub globals: Vec<(String, Bits)>,
    /// Exported memory afterwards.
    pub memory: Vec<u8>,
}

/// Guest stacks differ in size between engines; from such a trap on nothing can be compared.
const EXHAUSTED: &str = "call stack exhausted";

fn main() -> Result<()> {
    let tally = fuzz(&Options::parse())?;
    println!(
        "{} modules, {} calls, {} of them trapped, no disagreement",
        tally.modules, tally.calls, tally.traps
    );
    Ok(())
}

/// What a run without disagreement covered.
struct Tally {
    modules: u64,
    calls: usize,
    traps: usize,
}

/// Runs modules until time or count are up; an error at the first disagreement.
fn fuzz(options: &Options) -> Result<Tally> {
    let started = Instant::now();
    let mut tally = Tally { modules: 0, calls: 0, traps: 0 };
    let last = options.first.saturating_add(options.count);
    for number in options.first..last {
        if started.elapsed() > Duration::from_secs(options.time) {
            break;
        }
        let Some(wasm) = module(options.seed, number)? else { continue };
        let mut ours = lithify::run(&wasm, number)
            .with_context(|| format!("seed {} module {number}", options.seed))?;
        let mut theirs = wasmtime::run(&wasm, number)?;
        cut_at_exhaustion(&mut ours, &mut theirs);
        tally.modules += 1;
        tally.calls += ours.calls.len();
        tally.traps += ours.calls.iter().filter(|(_, called)| called.is_err()).count();
        if ours != theirs {
            if let Some(folder) = &options.keep {
                std::fs::write(folder.join(format!("{}-{number}.wasm", options.seed)), &wasm)?;
            }
            bail!(
                "seed {} module {number}: {}",
                options.seed,
                difference(&ours, &theirs).unwrap_or_default()
            );
        }
    }
    Ok(tally)
}

/// Module `number` of `seed`; none where the random bytes do not make one.
fn module(seed: u64, number: u64) -> Result<Option<Vec<u8>>> {
    let mut random = ChaCha8Rng::seed_from_u64(seed.rotate_left(32) ^ number);
    let mut bytes = vec![0; 16 << 10];
    random.fill_bytes(&mut bytes);
    let config = Config {
        max_imports: 0,
        min_funcs: 3,
        min_memories: 1,
        max_data_segments: 2,
        max_element_segments: 3,
        max_instructions: 300,
        allow_start_export: false,
        max_memories: 1,
        max_tables: 4,
        max_memory32_bytes: 4 << 16,
        memory_max_size_required: true,
        max_table_elements: 1000,
        table_max_size_required: true,
        export_everything: true,
        simd_enabled: false,
        relaxed_simd_enabled: false,
        threads_enabled: false,
        shared_everything_threads_enabled: false,
        exceptions_enabled: false,
        tail_call_enabled: false,
        gc_enabled: false,
        memory64_enabled: false,
        multi_value_enabled: true,
        bulk_memory_enabled: true,
        // wasmtime has them only with its garbage collector, which is not built here.
        reference_types_enabled: false,
        sign_extension_ops_enabled: true,
        saturating_float_to_int_enabled: true,
        extended_const_enabled: false,
        custom_page_sizes_enabled: false,
        wide_arithmetic_enabled: false,
        ..Config::default()
    };
    let Ok(mut module) = Module::new(config, &mut Unstructured::new(&bytes)) else {
        return Ok(None);
    };
    module.ensure_termination(10_000).context("wasm-smith")?;
    Ok(Some(module.to_bytes()))
}

/// Argument `index` of the calls in module `number`, as bits.
pub fn argument(number: u64, index: usize) -> u64 {
    const ODD: [u64; 8] =
        [0, 1, u64::MAX, 0x8000_0000, 0x7fff_ffff, 1 << 63, 0x7ff8_0000_0000_0001, 65_535];
    ODD[(number as usize + index) % ODD.len()]
}

/// Drops what comes after a stack overflow on either side.
fn cut_at_exhaustion(ours: &mut Outcome, theirs: &mut Outcome) {
    let exhausted = |outcome: &Outcome| {
        outcome.calls.iter().position(|(_, c)| c.as_ref().is_err_and(|m| m == EXHAUSTED))
    };
    let Some(at) = [exhausted(ours), exhausted(theirs)].into_iter().flatten().min() else {
        return;
    };
    for outcome in [ours, theirs] {
        outcome.calls.truncate(at);
        outcome.globals.clear();
        outcome.memory.clear();
    }
}

/// The first thing in which two outcomes differ.
fn difference(ours: &Outcome, theirs: &Outcome) -> Option<String> {
    if ours.refused != theirs.refused {
        return Some(format!("refused: {:?} against {:?}", ours.refused, theirs.refused));
    }
    for (ours, theirs) in ours.calls.iter().zip(&theirs.calls) {
        if ours != theirs {
            return Some(format!("{}: {:?} against {:?}", ours.0, ours.1, theirs.1));
        }
    }
    for (ours, theirs) in ours.globals.iter().zip(&theirs.globals) {
        if ours != theirs {
            return Some(format!("global {}: {:?} against {:?}", ours.0, ours.1, theirs.1));
        }
    }
    let at = ours.memory.iter().zip(&theirs.memory).position(|(a, b)| a != b);
    Some(match at {
        Some(at) => format!("memory differs at {at:#x}"),
        None => format!("memory of {} bytes against {}", ours.memory.len(), theirs.memory.len()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bounded_run_finds_nothing() {
        let options = Options { time: 300, count: 300, first: 0, seed: 7, keep: None };
        let tally = fuzz(&options).expect("no disagreement");
        assert!(tally.modules == 300 && tally.calls > 300, "the modules do something");
    }
}
