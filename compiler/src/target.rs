//! What code is compiled for: a machine and the CPU features that it may use.

use crate::error::OptionsError;
use lithify_abi::{cpu, machine::Machine};
use std::str::FromStr;

/// An instruction set with the CPU features that the code may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// The instruction set.
    pub machine: Machine,
    /// CPU features, a set of [`cpu::CpuFeature::bit`].
    pub features: u64,
}

impl Default for Target {
    /// x86-64-v3: every x86 server since 2015.
    fn default() -> Self {
        Self { machine: Machine::X86_64, features: cpu::X86_64_V3 }
    }
}

impl Target {
    /// The target of the machine that this library was built for, at its default CPU level.
    pub fn host() -> Self {
        if cfg!(target_arch = "aarch64") { Self::aarch64() } else { Self::default() }
    }

    /// This target with those of its CPU features that are in `features`, bits of
    /// [`CpuFeature`](lithify_abi::cpu::CpuFeature).
    pub fn limited_to(self, features: u64) -> Self {
        Self { features: self.features & features, ..self }
    }

    /// 64-bit Arm, base architecture.
    pub fn aarch64() -> Self {
        Self { machine: Machine::Aarch64, features: 0 }
    }

    /// The target triple.
    pub fn triple(self) -> &'static str {
        self.machine.triple()
    }

    /// This target at a CPU level of its machine: `x86-64-v2` or `x86-64-v3`, and for 64-bit Arm
    /// `generic`.
    ///
    /// # Errors
    ///
    /// [`OptionsError::UnknownCpu`] for any other level.
    pub fn with_cpu(self, level: &str) -> Result<Self, OptionsError> {
        match (self.machine, level) {
            (Machine::X86_64, "x86-64-v2") => Ok(Self { features: cpu::X86_64_V2, ..self }),
            (Machine::X86_64, "x86-64-v3") => Ok(Self { features: cpu::X86_64_V3, ..self }),
            (Machine::Aarch64, "generic") => Ok(self),
            (machine, _) => Err(OptionsError::UnknownCpu { machine, level: level.into() }),
        }
    }
}

impl FromStr for Target {
    type Err = OptionsError;

    /// Takes a target triple or one of its usual short names.
    fn from_str(s: &str) -> Result<Self, OptionsError> {
        match s {
            "x86_64-unknown-linux-gnu" | "x86_64-linux-gnu" | "x86_64" | "x86-64" | "amd64" => {
                Ok(Self::default())
            }
            "aarch64-unknown-linux-gnu" | "aarch64-linux-gnu" | "aarch64" | "arm64" => {
                Ok(Self::aarch64())
            }
            _ => Err(OptionsError::UnknownTarget(s.into())),
        }
    }
}
