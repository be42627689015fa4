//! Every call of the operating system, and all assembly.
//!
//! Nothing outside this module calls libc or knows an instruction set. Linux only: the
//! reset of a slot rests on its `PAGEMAP_SCAN`, memory files and signal contexts.

#[cfg(not(all(
    target_os = "linux",
    target_pointer_width = "64",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
compile_error!("lithify-runtime supports Linux on x86-64 and aarch64");

#[cfg_attr(target_arch = "x86_64", path = "sys/arch/x86_64.rs")]
#[cfg_attr(target_arch = "aarch64", path = "sys/arch/aarch64.rs")]
pub mod arch;

pub mod arch_common {
    //! What both instruction sets share.

    /// The registers that say where a guest was interrupted.
    pub struct Registers {
        /// Program counter.
        pub pc: usize,
        /// Frame pointer.
        pub fp: usize,
        /// Stack pointer.
        pub sp: usize,
        /// Link register, where there is one.
        pub link: Option<usize>,
    }
}

pub mod linux {
    //! The operating system.
    pub mod alarm;
    pub mod altstack;
    pub mod memfd;
    pub mod mmap;
    pub mod pagemap;
    pub mod signals;

    /// The result of a system call that returns 0 when it succeeds.
    fn check(result: i32) -> std::io::Result<()> {
        match result {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        }
    }
}
