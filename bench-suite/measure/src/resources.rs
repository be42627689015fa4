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
