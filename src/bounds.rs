//! `--max-memory` and `--timeout`, for every command that compiles or runs a guest, and the words when
//! one of them, or a bound of the system, is reached.

use crate::output;
use anyhow::{Context, Result};
use clap::Args;
use lithify_compiler::{Emit, Options, Progress, compile};
use lithify_measure::{Bounds, Exceeded, bounds, out_of_memory};
use std::{
    process,
    sync::atomic::{AtomicU8, Ordering},
    time::Duration,
};

/// The exit status beyond a bound.
static STATUS: AtomicU8 = AtomicU8::new(1);

const NO_MEMORY: &str = "error: out of memory; raise the limit on it (`ulimit -v`, the memory of a \
    container), or do less at once\n";
const MAX_MEMORY: &str = "error: out of memory: compiling takes more than --max-memory allows; allow \
    more, or use fewer threads (--jobs of compile and run)\n";

/// From now on a process that reaches a bound says which one, and ends with `status`.
pub fn say_which(status: u8) {
    STATUS.store(status, Ordering::Relaxed);
    out_of_memory::end_with(NO_MEMORY, status.into());
    out_of_memory::let_large_files_fail();
    bounds::set_hook(exceeded);
}

fn exceeded(what: Exceeded<'_>) -> ! {
    let status = STATUS.load(Ordering::Relaxed).into();
    match what {
        Exceeded::Memory => out_of_memory::end(MAX_MEMORY, status),
        Exceeded::Time { what, bound } => {
            output::report(format_args!(
                "error: timeout: {what} takes longer than the {bound:?} that --timeout allows; allow \
                 more"
            ));
            process::exit(status);
        }
    }
}

/// Bounds on compiling and on calls of guests, shared by the commands that do either.
#[derive(Args, Clone, Copy)]
pub struct BoundOptions {
    /// The most memory that compiling may take: bytes, or with K or KiB, M, G (1024 each), kB, MB, GB
    /// (1000 each).
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_memory: Option<u64>,
    /// The longest that compiling may take, and then each call of a guest where one is run: seconds,
    /// or with ms, s, m or min, h.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    timeout: Option<Duration>,
}

impl BoundOptions {
    /// The bounds.
    pub fn bounds(self) -> Bounds {
        Bounds { memory: self.max_memory, time: self.timeout }
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
            self.bounds().within("compiling", || compile(wasm, emit, options, progress))?;
        compiled.with_context(|| name.to_owned())
    }
}

/// A bound for the commands that only read.
#[derive(Args, Clone, Copy)]
pub struct ReadingOptions {
    /// The longest that reading may take: seconds, or with ms, s, m or min, h. No guest is run.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    timeout: Option<Duration>,
}

impl ReadingOptions {
    /// Reads within the bound.
    pub fn within<T>(self, read: impl FnOnce() -> Result<T>) -> Result<T> {
        Bounds { memory: None, time: self.timeout }.within("reading", read)?
    }
}

/// A size in bytes.
pub fn size(text: &str) -> Result<u64, String> {
    const UNITS: &[(&str, u64)] = &[
        ("", 1),
        ("B", 1),
        ("K", 1 << 10),
        ("KiB", 1 << 10),
        ("M", 1 << 20),
        ("MiB", 1 << 20),
        ("G", 1 << 30),
        ("GiB", 1 << 30),
        ("kB", 1_000),
        ("KB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
    ];
    scaled(
        text,
        UNITS,
        "bytes, or a number with K or KiB, M, G (1024 each), kB, MB, GB (1000 each)",
    )
}

/// A span of time.
pub fn duration(text: &str) -> Result<Duration, String> {
    const UNITS: &[(&str, u64)] = &[
        ("", 1_000),
        ("ms", 1),
        ("s", 1_000),
        ("sec", 1_000),
        ("m", 60_000),
        ("min", 60_000),
        ("h", 3_600_000),
        ("d", 86_400_000),
    ];
    scaled(text, UNITS, "seconds, or a number with ms, s, min, h or d").map(Duration::from_millis)
}

/// A whole number above 0 with one of these units; the case of a unit counts where it must.
fn scaled(text: &str, units: &[(&str, u64)], what: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = text[digits.len()..].trim();
    let exact = units.iter().find(|(name, _)| *name == unit);
    let factor = exact.or_else(|| units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)));
    let number = factor.and_then(|(_, factor)| digits.parse::<u64>().ok()?.checked_mul(*factor));
    number
        .filter(|number| *number > 0)
        .ok_or_else(|| format!("give a whole number above 0: {what}"))
}

#[cfg(test)]
mod tests {
    use super::{duration, size};
    use std::time::Duration;

    #[test]
    fn usual_spellings() {
        let sizes = [
            ("512MiB", 512 << 20),
            ("512m", 512 << 20),
            ("1 G", 1 << 30),
            ("2kb", 2_000),
            ("7", 7),
        ];
        sizes.into_iter().for_each(|(text, bytes)| assert_eq!(size(text), Ok(bytes), "{text}"));
        for (text, ms) in
            [("1min", 60_000), ("1m", 60_000), ("5", 5_000), ("3ms", 3), ("2 h", 7_200_000)]
        {
            assert_eq!(duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for wrong in ["", "0", "-1", "4X", "M", "1.5G", "99999999999G", "18446744073709551616"] {
            assert!(size(wrong).is_err() && duration(wrong).is_err(), "{wrong}");
        }
    }
}
