//! Shows logs on standard error: the guest's up to the level that was asked for, the host's from
//! warnings on.
//!
//! ```text
//! guest WARN  runtime::system: a message of the guest's
//! host  WARN  state: one of the libraries that are its host
//! ```
//!
//! Whose a record is, tells the place in the code that made it: a guest chooses its target and its
//! message, and may choose ours.

use crate::output;
use log::{Level, LevelFilter, Log, Metadata, Record};

/// The modules in which a guest's records are made: those of `ext_logging_log`, `ext_misc_print` and
/// of what a WASI module writes.
const GUEST: [&str; 2] = ["sp_io", "lithify_polkadot::functions::wasi"];

struct Stderr;

impl Log for Stderr {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let module = record.module_path().unwrap_or_default();
        // Entering and leaving a host function is no message of the guest's.
        let is_span = record.target().starts_with("tracing::span");
        let is_guest = !is_span && GUEST.iter().any(|guest| module.starts_with(guest));
        if is_guest || record.level() <= Level::Warn {
            let whose = if is_guest { "guest" } else { "host " };
            let (level, target) = (record.level(), record.target());
            let message = record.args().to_string();
            let (target, message) = (output::cut(target), output::cut(&message));
            output::report(format_args!("{whose} {level:<5} {target}: {message}"));
        }
    }

    fn flush(&self) {}
}

/// Shows records of the guest up to `level`.
pub fn start(level: LevelFilter) {
    // A second start, as in tests, keeps the first logger.
    let _ = log::set_logger(&Stderr);
    log::set_max_level(level);
}
