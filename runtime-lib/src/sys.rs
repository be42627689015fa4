//! Every call of the operating system, and all assembly.
//!
//! Nothing outside this module calls libc or knows an instruction set, and nothing in here knows a
//! guest. Linux only: the reset of a slot rests on its `PAGEMAP_SCAN`, memory files and signal
//! contexts.

#[cfg(not(all(
    target_os = "linux",
    target_pointer_width = "64",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
compile_error!("lithify-runtime supports Linux on x86-64 and aarch64");

pub mod arch;
pub mod linux;
