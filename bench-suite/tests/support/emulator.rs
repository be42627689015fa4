//! The emulator of this machine, where cargo runs tests by one (`scripts/aarch64`): it has to start
//! programs, too.

use std::ffi::OsString;

/// The emulator, if there is one.
pub fn emulator() -> Option<OsString> {
    let runner = std::env::var_os("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER");
    runner.filter(|_| cfg!(target_arch = "aarch64"))
}
