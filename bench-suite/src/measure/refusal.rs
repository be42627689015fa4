//! Words, and an exit status of their own, where the system or Rust would only end the process: when
//! memory is refused to whoever cannot do without, and when a file may not grow any more.

use std::sync::atomic::{AtomicBool, Ordering};

/// Whether an allocation was refused.
static REFUSED: AtomicBool = AtomicBool::new(false);

const OUT_OF_MEMORY: &str = "error: out of memory; raise the limit on it (`ulimit -v`, the memory of \
    a container), or do less at once\n";

/// Notes that the system refused memory. Who asked for it may have a way without.
pub(super) fn note() {
    REFUSED.store(true, Ordering::Relaxed);
}

/// From now on, a process without memory ends with exit status 1 and says why, instead of aborting
/// as one with a fault would; and a write beyond the limit on the size of files is an error.
pub fn refuse_with_words() {
    let handler: extern "C" fn(i32) = aborted;
    // SAFETY: the handler only does what is allowed in one.
    unsafe { libc::signal(libc::SIGABRT, handler as libc::sighandler_t) };
    // SAFETY: ignoring it is what makes the write fail instead.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

extern "C" fn aborted(signal: i32) {
    if REFUSED.load(Ordering::Relaxed) {
        // SAFETY: the bytes are there for as long as the program.
        unsafe { libc::write(2, OUT_OF_MEMORY.as_ptr().cast(), OUT_OF_MEMORY.len()) };
        // SAFETY: ends the process at once; nothing of it is needed any more.
        unsafe { libc::_exit(1) }
    }
    // SAFETY: once more, and this time it ends the process.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
    // SAFETY: a number is all that it takes.
    unsafe { libc::raise(signal) };
}
