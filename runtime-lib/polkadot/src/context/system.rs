//! Time and chance as a call sees them: the same in each, so that it can be repeated.

/// Where the clock begins: 1 January 2025, in ns since 1970.
const BEGIN: u64 = 1_735_689_600_000_000_000;
/// By how much each reading moves it, in ns, so that nobody waits for ever.
const TICK: u64 = 1000;

/// The host functions that give and do the same in each call, and touch nothing but the guest and what
/// is here. Writing is not among them, as it goes to the log.
const CONSTANT: [&str; 12] = [
    "sched_yield",
    "args_sizes_get",
    "args_get",
    "environ_sizes_get",
    "environ_get",
    "clock_time_get",
    "random_get",
    "fd_fdstat_get",
    "fd_fdstat_set_flags",
    "fd_prestat_get",
    "fd_prestat_dir_name",
    "poll_oneoff",
];

/// Whether host function `name` is one of them.
pub(crate) fn is_constant(name: &str) -> bool {
    CONSTANT.contains(&name)
}

/// What a call has seen of time and chance.
#[derive(Clone, Debug, Default)]
pub(crate) struct System {
    /// Since the clock began, in ns.
    passed_ns: u64,
    /// Random words so far.
    words: u64,
}

impl System {
    /// The time, in ns since 1970.
    pub(crate) fn now(&mut self) -> u64 {
        self.passed_ns = self.passed_ns.saturating_add(TICK);
        BEGIN.saturating_add(self.passed_ns)
    }

    /// The clock goes on by so many ns.
    pub(crate) fn wait(&mut self, ns: u64) {
        self.passed_ns = self.passed_ns.saturating_add(ns);
    }

    /// The clock goes on to `time`, unless that has passed.
    pub(crate) fn wait_until(&mut self, time: u64) {
        self.passed_ns = self.passed_ns.max(time.saturating_sub(BEGIN));
    }

    /// SplitMix64.
    pub(crate) fn random(&mut self) -> u64 {
        self.words += 1;
        let mut z = self.words.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
