//! Shows a compilation: a bar with its phase at a terminal, and afterwards where time and memory
//! went.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use lithify_bench::measure::{cpu, rss::Peak};
use lithify_compiler::{Phase, Progress};
use std::{
    io::IsTerminal,
    sync::Mutex,
    time::{Duration, Instant},
};

/// Watches one compilation.
pub struct Watch {
    bar: ProgressBar,
    started: Instant,
    cpu_ns: u64,
    /// None where the kernel does not let a process reset its high-water mark.
    peak: Option<Peak>,
    phases: Mutex<Vec<(Phase, Instant)>>,
}

/// Where the time of a compilation went.
pub struct Spent {
    /// Wall time by phase.
    pub phases: Vec<(Phase, Duration)>,
    /// Wall time of all.
    pub total: Duration,
    /// CPU time of all threads.
    pub cpu: Duration,
    /// The most memory that it took, in bytes, where the kernel tells.
    pub peak_bytes: Option<u64>,
}

impl Watch {
    /// Starts watching the compilation of a module with `bytes` of code.
    pub fn start(bytes: usize) -> Self {
        let bar = ProgressBar::new(bytes as u64);
        if !std::io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        let style = ProgressStyle::with_template("{msg:>8} [{bar:40}] {bytes}/{total_bytes}");
        bar.set_style(style.expect("the template is valid"));
        Self {
            bar,
            started: Instant::now(),
            cpu_ns: cpu::cpu_ns(),
            peak: Peak::start().ok(),
            phases: Mutex::new(Vec::new()),
        }
    }

    /// Ends the bar and adds up.
    pub fn finish(self) -> Spent {
        self.bar.finish_and_clear();
        let end = Instant::now();
        let phases = self.phases.into_inner().expect("nobody panicked with the lock");
        let ends = phases.iter().skip(1).map(|(_, at)| *at).chain([end]);
        Spent {
            phases: phases.iter().zip(ends).map(|((p, from), to)| (*p, to - *from)).collect(),
            total: end - self.started,
            cpu: Duration::from_nanos(cpu::cpu_ns() - self.cpu_ns),
            peak_bytes: self.peak.and_then(|peak| peak.bytes().ok()),
        }
    }
}

impl Progress for Watch {
    fn phase(&self, phase: Phase) {
        self.phases.lock().expect("nobody panicked with the lock").push((phase, Instant::now()));
        self.bar.set_message(phase.name());
    }

    fn function(&self, bytes: usize, _total: usize) {
        self.bar.inc(bytes as u64);
    }
}
