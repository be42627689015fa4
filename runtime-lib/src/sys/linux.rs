//! The operating system.

pub mod alarm;
pub mod altstack;
pub mod memfd;
pub mod mmap;
pub mod pagemap;
pub mod signals;

use std::io;

/// The result of a system call that returns 0 when it succeeds.
fn check(result: i32) -> io::Result<()> {
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Runs the body of a signal handler, after which `errno` is what it was before.
fn keeping_errno(body: impl FnOnce()) {
    // SAFETY: `__errno_location` is this thread's, always valid.
    let errno = unsafe { *libc::__errno_location() };
    body();
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = errno };
}
