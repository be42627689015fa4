//! What came of a cell, as it is kept: one JSON object, from which alone all tables are made.

use super::engine::Mode;
use super::file::Cell;
use super::syscalls::Calls;
use crate::machine::Machine;
use lithify_measure::child::Spent;
use serde::{Deserialize, Serialize};

/// What came of a cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Name of the study.
    pub study: String,
    /// The cell.
    pub cell: Cell,
    /// The language of the program's source.
    pub language: String,
    /// What compiled it, with versions.
    pub compiler: String,
    /// The compiler's options.
    pub flags: Vec<String>,
    /// How the engine gets to code.
    pub mode: Mode,
    /// What the engine says of its version; none where it is absent.
    pub version: Option<String>,
    /// Where it was measured.
    pub machine: Machine,
    /// Whether that machine is an emulator's, whose times are none of a machine's.
    pub emulated: bool,
    /// Seconds since 1970 at the start.
    pub started: u64,
    /// BLAKE3 of the module or executable, in hex; empty where there was none.
    pub program_hash: String,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Engine or program are not here.
    Absent {
        /// Which, and how to get it.
        reason: String,
    },
    /// The program did something else than it should, or the engine refused it.
    Failed {
        /// What.
        reason: String,
    },
    /// It ran longer than a cell may.
    Late {
        /// Where.
        reason: String,
    },
    /// Numbers.
    Measured(Box<Measured>),
}

/// The numbers of a cell.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Executions of the whole command, its output thrown away, in their order.
    pub executions: Vec<Execution>,
    /// Whether there are fewer than the study wants, as the time of the cell was over.
    pub is_cut: bool,
    /// How long the program ran in each execution, by what the engine says, in ns: the rest is start-up.
    /// Empty where it says nothing.
    pub program_ns: Vec<u64>,
    /// Executions of the compiler, of an engine that compiles before.
    pub compiles: Vec<Execution>,
    /// Sizes.
    pub sizes: Sizes,
    /// What the kernel counts at least as an execution's peak memory here, in bytes.
    pub peak_floor_bytes: u64,
    /// System calls of one execution; none where they could not be counted.
    pub calls: Option<Traced>,
    /// What was left out, and why.
    pub left_out: Vec<String>,
}

/// One execution of a command; in JSON the four numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "[u64; 4]", into = "[u64; 4]")]
pub struct Execution {
    /// From its start to its end, in ns.
    pub real_ns: u64,
    /// CPU time in user mode, in ns.
    pub user_ns: u64,
    /// CPU time in the kernel, in ns.
    pub system_ns: u64,
    /// The most resident memory, in bytes.
    pub peak_bytes: u64,
}

impl From<[u64; 4]> for Execution {
    fn from([real_ns, user_ns, system_ns, peak_bytes]: [u64; 4]) -> Self {
        Self { real_ns, user_ns, system_ns, peak_bytes }
    }
}

impl From<Execution> for [u64; 4] {
    fn from(one: Execution) -> Self {
        [one.real_ns, one.user_ns, one.system_ns, one.peak_bytes]
    }
}

impl From<&Spent> for Execution {
    fn from(spent: &Spent) -> Self {
        Self {
            real_ns: spent.real.as_nanos() as u64,
            user_ns: spent.usage.user_ns,
            system_ns: spent.usage.system_ns,
            peak_bytes: spent.peak_bytes,
        }
    }
}

/// Sizes, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sizes {
    /// The module, or the executable of a native build.
    pub program: u64,
    /// The same by gzip at its best; none where there is no gzip.
    pub gzip: Option<u64>,
    /// What an engine made of it before, as a file.
    pub artifact: Option<u64>,
    /// Machine code in that, or in the native executable; none where the file is no ELF.
    pub code: Option<u64>,
}

/// System calls by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traced {
    /// Of the first thread alone, as `strace -c` counts.
    pub first_thread: Calls,
    /// Of all threads and processes, as `strace -f -c` does.
    pub all_threads: Calls,
}

impl Record {
    /// The numbers, if there are any.
    pub fn measured(&self) -> Option<&Measured> {
        match &self.outcome {
            Outcome::Measured(measured) => Some(measured),
            _ => None,
        }
    }

    /// Why there are none.
    pub fn reason(&self) -> Option<&str> {
        match &self.outcome {
            Outcome::Absent { reason } | Outcome::Failed { reason } | Outcome::Late { reason } => {
                Some(reason)
            }
            Outcome::Measured(_) => None,
        }
    }
}

impl Measured {
    /// Wall times of the executions, in ns.
    pub fn real_ns(&self) -> Vec<f64> {
        self.executions.iter().map(|one| one.real_ns as f64).collect()
    }

    /// CPU times in user mode, in ns.
    pub fn user_ns(&self) -> Vec<f64> {
        self.executions.iter().map(|one| one.user_ns as f64).collect()
    }

    /// CPU times in the kernel, in ns.
    pub fn system_ns(&self) -> Vec<f64> {
        self.executions.iter().map(|one| one.system_ns as f64).collect()
    }

    /// CPU times, user and system, in ns.
    pub fn cpu_ns(&self) -> Vec<f64> {
        self.executions.iter().map(|one| (one.user_ns + one.system_ns) as f64).collect()
    }

    /// Times without the program's own, in ns.
    pub fn start_ns(&self) -> Vec<f64> {
        let pairs = self.executions.iter().zip(&self.program_ns);
        pairs.map(|(one, program)| one.real_ns.saturating_sub(*program) as f64).collect()
    }

    /// The most memory of any execution, in bytes; none where it is not above the least that is counted.
    pub fn peak_bytes(&self) -> Option<u64> {
        let most = self.executions.iter().map(|one| one.peak_bytes).max();
        most.filter(|bytes| *bytes > self.peak_floor_bytes)
    }
}
