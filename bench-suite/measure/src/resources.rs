//! What this process holds of the system's resources.

use crate::peak::status;
use anyhow::{Context, Result};
use serde::Serialize;
use std::fs;

/// A count at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Resources {
    /// Resident memory, in bytes.
    pub resident_bytes: u64,
    /// Memory mappings.
    pub mappings: u64,
    /// Open file handles.
    pub handles: u64,
    /// Threads.
    pub threads: u64,
}

impl Resources {
    /// Counts them.
    pub fn now() -> Result<Self> {
        let entries = |folder: &str| -> Result<u64> {
            let entries = fs::read_dir(folder).with_context(|| format!("cannot list {folder}"))?;
            Ok(entries.count() as u64)
        };
        let maps = fs::read("/proc/self/maps").context("cannot read the mappings")?;
        Ok(Self {
            resident_bytes: status("VmRSS")?,
            mappings: maps.iter().filter(|byte| **byte == b'\n').count() as u64,
            // Without the handle that lists them.
            handles: entries("/proc/self/fd")? - 1,
            threads: entries("/proc/self/task")?,
        })
    }
}

/// Memory that this process has to itself, in bytes: resident, and shared with no other process.
pub fn private_bytes() -> Result<u64> {
    let text = fs::read_to_string("/proc/self/smaps_rollup").context("cannot read smaps_rollup")?;
    let kib = |field: &str| -> Result<u64> {
        let value = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        let kib = value.and_then(|value| value.trim().strip_suffix(" kB")?.parse().ok());
        kib.with_context(|| format!("/proc/self/smaps_rollup has no {field}"))
    };
    Ok((kib("Private_Clean")? + kib("Private_Dirty")?) * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_this_process_is_its_own() {
        let before = private_bytes().expect("Linux");
        let block = std::hint::black_box(vec![1u8; 16 << 20]);
        assert!(private_bytes().expect("Linux") >= before + (15 << 20));
        drop(block);
    }
}
