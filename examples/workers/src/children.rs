//! What programs used that this one started and waited for.

/// It.
pub struct Children {
    /// CPU time of all of them together, in ns.
    pub cpu_ns: u64,
    /// The most memory that one of them had, in bytes.
    pub peak_bytes: u64,
}

impl Children {
    /// Of all of them so far.
    pub fn so_far() -> Self {
        let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
        // SAFETY: the kernel fills the structure, which is ours.
        let failed = unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, usage.as_mut_ptr()) };
        assert_eq!(failed, 0, "a process may always ask about its own");
        // SAFETY: all zeros are a value of it, and it was filled.
        let usage = unsafe { usage.assume_init() };
        let ns =
            |time: libc::timeval| time.tv_sec as u64 * 1_000_000_000 + time.tv_usec as u64 * 1000;
        let cpu_ns = ns(usage.ru_utime) + ns(usage.ru_stime);
        Self { cpu_ns, peak_bytes: usage.ru_maxrss as u64 * 1024 }
    }
}
