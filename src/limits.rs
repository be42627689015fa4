//! `--max-memory` and `--timeout`, for every command that compiles or runs a guest.

use anyhow::{Result, anyhow};
use clap::Args;
use lithify_bench::measure::limit::Limits;
use lithify_compiler::{Emit, Options, Progress, compile};
use std::time::Duration;

/// Bounds on compiling and on calls of guests, shared by the commands that do either.
#[derive(Args, Clone, Copy)]
pub struct LimitOptions {
    /// The most memory that compiling may take: bytes, or with K, M or G.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_memory: Option<u64>,
    /// The longest that compiling may take, and then each call of the guest: seconds, or with ms, s, m or h.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    timeout: Option<Duration>,
}

impl LimitOptions {
    /// The bounds.
    pub fn limits(self) -> Limits {
        Limits { memory: self.max_memory, time: self.timeout }
    }

    /// The longest that a call may take.
    pub fn call_timeout(self) -> Option<Duration> {
        self.timeout
    }

    /// Compiles the module that is called `name` within the bounds.
    pub fn compile(
        self,
        name: &str,
        wasm: &[u8],
        emit: Emit,
        options: &Options,
        progress: &dyn Progress,
    ) -> Result<Vec<u8>> {
        let compiled =
            self.limits().within("compiling", || compile(wasm, emit, options, progress))?;
        compiled.map_err(|e| anyhow!("{name}: {e}"))
    }
}

fn size(text: &str) -> Result<u64, String> {
    scaled(text, &[("K", 1 << 10), ("M", 1 << 20), ("G", 1 << 30), ("", 1)])
}

fn duration(text: &str) -> Result<Duration, String> {
    let units = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("", 1_000)];
    scaled(text, &units).map(Duration::from_millis)
}

/// A number above 0 with one of these units.
fn scaled(text: &str, units: &[(&str, u64)]) -> Result<u64, String> {
    let number = |(unit, factor): &(&str, u64)| {
        text.strip_suffix(unit)?.parse::<u64>().ok()?.checked_mul(*factor)
    };
    let names: Vec<&str> = units.iter().map(|(unit, _)| *unit).filter(|u| !u.is_empty()).collect();
    (units.iter().find_map(number).filter(|number| *number > 0))
        .ok_or_else(|| format!("give a number above 0, alone or with {}", names.join(", ")))
}
