//! The instruction set: entering and leaving a guest, and what a signal context means.

mod common;
pub use common::{Registers, SaveArea};

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "aarch64")]
pub use aarch64::{MACHINE, cpu_features, enter, raise, registers, resume_with_raise};

#[cfg(target_arch = "x86_64")]
mod x86_64;
#[cfg(target_arch = "x86_64")]
pub use x86_64::{MACHINE, cpu_features, enter, raise, registers, resume_with_raise};
