//! The most memory that this process has at any moment.

use anyhow::{Context, Result};
use std::fs;

/// Measures how much more memory is resident at the worst moment from here on.
pub struct Peak {
    before: u64,
}

impl Peak {
    /// Starts: the kernel's high-water mark begins anew.
    pub fn start() -> Result<Self> {
        fs::write("/proc/self/clear_refs", "5").context("cannot reset the high-water mark")?;
        Ok(Self { before: status("VmRSS")? })
    }

    /// Bytes that were resident at the start.
    pub fn before(&self) -> u64 {
        self.before
    }

    /// Bytes beyond what was resident at the start.
    pub fn bytes(&self) -> Result<u64> {
        Ok(status("VmHWM")?.saturating_sub(self.before))
    }
}

/// A field of `/proc/self/status` in bytes; the file has it in KiB.
pub(crate) fn status(field: &str) -> Result<u64> {
    let text = fs::read_to_string("/proc/self/status").context("cannot read the status")?;
    let value = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let kib = value.and_then(|value| value.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    Ok(kib.with_context(|| format!("/proc/self/status has no {field}"))? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peak_sees_memory_that_is_gone_again() {
        let peak = Peak::start().expect("Linux");
        let block = std::hint::black_box(vec![1u8; 32 << 20]);
        drop(block);
        assert!(peak.bytes().expect("Linux") >= 30 << 20);
    }
}
