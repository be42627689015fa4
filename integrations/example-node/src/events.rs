//! What the engines say that they do, and where the node was when they said it.
//!
//! Lithify's lines have a target of their own. sc-executor tells each compile as a line for debugging;
//! it happens in the call that asked for it, which waits.

use std::{
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The target of sc-executor's lines.
const EXECUTOR: &str = "wasm-runtime";

/// A line.
pub struct Event {
    /// Where the node was.
    pub place: String,
    /// What was said.
    pub text: String,
    /// Whether a call waited for a compiler.
    pub waited: bool,
}

struct Collector {
    place: Mutex<String>,
    events: Mutex<Vec<Event>>,
}

static COLLECTOR: Collector =
    Collector { place: Mutex::new(String::new()), events: Mutex::new(Vec::new()) };

/// Lines are collected from now on. Other warnings go to standard error.
pub fn collect() -> Result<(), log::SetLoggerError> {
    log::set_logger(&COLLECTOR)?;
    log::set_max_level(log::LevelFilter::Debug);
    Ok(())
}

/// The node is at `place` from now on.
pub fn at(place: impl Into<String>) {
    *lock(&COLLECTOR.place) = place.into();
}

/// The lines since they were taken last.
pub fn take() -> Vec<Event> {
    mem::take(&mut *lock(&COLLECTOR.events))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl log::Log for Collector {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        [lithify_executor::LOG, EXECUTOR].contains(&metadata.target())
            || metadata.level() <= log::Level::Warn
    }

    fn log(&self, record: &log::Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let (level, target, text) = (record.level(), record.target(), record.args().to_string());
        if level <= log::Level::Warn {
            eprintln!("{level} {target}: {text}");
        }
        let (text, waited) = match compiled(target, &text) {
            Some(took) => (format!("a call waited {took} for its runtime to be compiled"), true),
            None if target == lithify_executor::LOG => (text, false),
            None => return,
        };
        let place = lock(&self.place).clone();
        lock(&self.events).push(Event { place, text, waited });
    }

    fn flush(&self) {}
}

/// How long a compile took, if this is sc-executor's line about one.
fn compiled<'a>(target: &str, text: &'a str) -> Option<&'a str> {
    let is_it = target == EXECUTOR && text.starts_with("Prepared new runtime");
    // The runtime's whole version is before it.
    let (_, took) = text.rsplit_once(" in ").filter(|_| is_it)?;
    Some(took.trim_end_matches('.'))
}
