//! Shows the guest's log on standard error: level, target, message.

use log::{LevelFilter, Log, Metadata, Record};

struct Stderr;

impl Log for Stderr {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        eprintln!("{:<5} {}: {}", record.level(), record.target(), record.args());
    }

    fn flush(&self) {}
}

/// Shows records up to `level`.
pub fn start(level: LevelFilter) {
    // A second start, as in tests, keeps the first logger.
    let _ = log::set_logger(&Stderr);
    log::set_max_level(level);
}
