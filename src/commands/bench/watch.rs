//! Shows a run while it goes on: a bar at a terminal, a line now and then in a log. Keeps its samples.

use crate::{
    output::{self, Destination, Plain, Stream},
    status::INTERRUPTED,
};
use anyhow::{Context, Result};
use indicatif::{HumanDuration, ProgressBar};
use lithify_bench::{Observer, Record, sample, scratch};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};
use std::{
    io::IsTerminal,
    process::exit,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// How long a run has to end by itself once it was interrupted: `timeout(1)` signals a process twice at once.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often a log gets a line.
const LINE: Duration = Duration::from_secs(30);
/// When it gets the first one: by then it shows how long all will take.
const FIRST_LINE: Duration = Duration::from_secs(5);

/// Watches a run.
pub struct Watch {
    bar: ProgressBar,
    file: Option<Stream>,
    json: bool,
    stopped: Arc<AtomicBool>,
    started: Instant,
    /// When the next line is due, where standard error is a log.
    line: Option<Instant>,
}

/// Whether there was an interrupt, from now on, or a request to end by a scheduler or a terminal that closed.
/// Another one, when somebody has waited for [`PATIENCE`], ends this program at once, and leaves no temporary
/// folder either.
pub fn interrupts() -> Result<Arc<AtomicBool>> {
    let stopped = Arc::new(AtomicBool::new(false));
    // `nohup` ignores what a terminal says when it closes.
    let hangup = (!is_ignored(SIGHUP)).then_some(SIGHUP);
    let asked = [SIGINT, SIGTERM].into_iter().chain(hangup);
    let mut signals = Signals::new(asked).context("cannot handle interrupts")?;
    let flag = Arc::clone(&stopped);
    thread::spawn(move || {
        let mut first: Option<Instant> = None;
        for _ in signals.forever() {
            flag.store(true, Ordering::Relaxed);
            if first.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
                scratch::remove_all();
                exit(INTERRUPTED.into());
            }
        }
    });
    Ok(stopped)
}

/// Whether this process was started with a signal ignored.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

impl Watch {
    /// Watches what `measure` does. Keeps the samples in the file `samples`, and prints them if `json`
    /// is set. From now on an interrupt ends the run and the process that measures; a second one ends
    /// this program.
    pub fn over<T>(
        samples: Option<Destination>,
        json: bool,
        measure: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        let mut watch = Self::new(samples, json)?;
        let measured = measure(&mut watch);
        watch.finish()?;
        measured
    }

    fn new(samples: Option<Destination>, json: bool) -> Result<Self> {
        let stopped = interrupts()?;
        let started = Instant::now();
        let is_log = !std::io::stderr().is_terminal();
        Ok(Self {
            bar: output::bar(0, "[{bar:20}] {pos}/{len} processes {eta:>4} {wide_msg}"),
            file: samples.map(Destination::stream).transpose()?,
            json,
            stopped,
            started,
            line: is_log.then(|| started + FIRST_LINE),
        })
    }

    /// Ends what was shown and kept. Samples of an interrupted run keep the name of a part.
    fn finish(self) -> Result<()> {
        self.bar.finish_and_clear();
        match self.file {
            Some(file) if self.stopped.load(Ordering::Relaxed) => file.leave(),
            Some(file) => file.finish(),
            None => Ok(()),
        }
    }
}

impl Observer for Watch {
    fn progress(&mut self, done: u32, total: u32, what: &str) {
        self.bar.set_length(total.into());
        self.bar.set_position(done.into());
        self.bar.set_message(Plain(what).to_string());
        let now = Instant::now();
        if self.line.is_some_and(|due| due <= now) && done > 0 {
            let spent = now - self.started;
            let left = spent.mul_f64(f64::from(total.saturating_sub(done)) / f64::from(done));
            output::note(format_args!(
                "{done} of at most {total} processes, {} to go for what is known yet: {}",
                HumanDuration(left),
                Plain(what)
            ));
            self.line = Some(now + LINE);
        }
    }

    fn record(&mut self, record: &Record) -> Result<()> {
        let mut line = Vec::new();
        sample::write(&mut line, record)?;
        if let Some(file) = &mut self.file {
            file.write(&line)?;
        }
        if self.json {
            output::json(String::from_utf8_lossy(&line).trim_end())?;
        }
        Ok(())
    }

    fn stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}
