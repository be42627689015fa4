//! Shows a compilation: a bar with its phase at a terminal, and afterwards where time and memory
//! went.

use crate::output;
use indicatif::ProgressBar;
use lithify_compiler::{Phase, Progress};
use lithify_measure::{cpu, peak::Peak};
use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

/// Watches one compilation.
pub struct Watch {
    bar: ProgressBar,
    started: Instant,
    cpu_ns: u64,
    phases: Mutex<Vec<Running>>,
}

/// A phase that began.
struct Running {
    phase: Phase,
    started: Instant,
    /// None where the kernel does not let a process reset its high-water mark.
    peak: Option<Peak>,
    /// The most memory of the phase before, beyond its start.
    peak_of_last: Option<u64>,
}

/// Where the time and memory of a compilation went.
pub struct Spent {
    /// By phase.
    pub phases: Vec<PhaseSpent>,
    /// Wall time of all.
    pub total: Duration,
    /// CPU time of all threads.
    pub cpu: Duration,
    /// The most memory at any moment beyond that at the start, in bytes, where the kernel tells.
    pub peak_bytes: Option<u64>,
}

/// What one phase took.
pub struct PhaseSpent {
    /// The phase.
    pub phase: Phase,
    /// Wall time.
    pub time: Duration,
    /// The most memory at any moment of it beyond that at the start of the compilation, in bytes.
    pub peak_bytes: Option<u64>,
}

impl Watch {
    /// Starts watching the compilation of a module with `bytes` of code.
    pub fn start(bytes: usize) -> Self {
        let bar = output::bar(bytes as u64, "{msg:>8} [{bar:40}] {bytes}/{total_bytes} {eta}");
        Self { bar, started: Instant::now(), cpu_ns: cpu::cpu_ns(), phases: Mutex::new(Vec::new()) }
    }

    /// Ends the bar and adds up.
    pub fn finish(self) -> Spent {
        self.bar.finish_and_clear();
        let cpu = Duration::from_nanos(cpu::cpu_ns() - self.cpu_ns);
        let end = Instant::now();
        let running = self.phases.into_inner().expect("nobody panicked with the lock");
        let first = running.first();
        let total = end - self.started;
        let base = first.and_then(|first| Some(first.peak.as_ref()?.before()));
        let phases: Vec<PhaseSpent> = (running.iter().enumerate())
            .map(|(i, this)| {
                let next = running.get(i + 1);
                let grown = match next {
                    Some(next) => next.peak_of_last,
                    None => this.peak.as_ref().and_then(|peak| peak.bytes().ok()),
                };
                let before = this.peak.as_ref().map(Peak::before);
                let peak_bytes = match (base, before, grown) {
                    (Some(base), Some(before), Some(grown)) => {
                        Some((before + grown).saturating_sub(base))
                    }
                    _ => None,
                };
                let time = next.map_or(end, |next| next.started) - this.started;
                PhaseSpent { phase: this.phase, time, peak_bytes }
            })
            .collect();
        let peak_bytes = phases.iter().filter_map(|phase| phase.peak_bytes).max();
        Spent { phases, total, cpu, peak_bytes }
    }
}

impl Progress for Watch {
    fn phase(&self, phase: Phase) {
        let mut phases = self.phases.lock().expect("nobody panicked with the lock");
        let last = phases.last().and_then(|last| last.peak.as_ref());
        let peak_of_last = last.and_then(|peak| peak.bytes().ok());
        let peak = Peak::start().ok();
        phases.push(Running { phase, started: Instant::now(), peak, peak_of_last });
        self.bar.set_message(phase.name());
    }

    fn function(&self, bytes: usize, _total: usize) {
        self.bar.inc(bytes as u64);
    }
}
