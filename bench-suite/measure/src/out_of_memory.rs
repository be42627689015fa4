//! An end with words where the system or Rust would only end the process: when memory is refused to
//! whoever cannot do without, and when a file may not grow any more.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether an allocation was refused.
static REFUSED: AtomicBool = AtomicBool::new(false);

/// What a process without memory says, and its exit status.
static END: OnceLock<(&str, i32)> = OnceLock::new();

/// Notes that the system refused memory. Who asked for it may have a way without.
pub(crate) fn note() {
    REFUSED.store(true, Ordering::Relaxed);
}

/// From now on, a process that aborts for want of memory says `words` and ends with `status`, instead
/// of as one with a fault would. [`Allocator`](crate::Allocator) has to be the global allocator.
pub fn end_with(words: &'static str, status: i32) {
    // A second call, as in tests, changes nothing.
    let _ = END.set((words, status));
    let handler: extern "C" fn(i32) = aborted;
    // SAFETY: the handler only does what is allowed in one.
    unsafe { libc::signal(libc::SIGABRT, handler as libc::sighandler_t) };
}

/// From now on, a write beyond the limit on the size of files is an error rather than a signal.
pub fn let_large_files_fail() {
    // SAFETY: ignoring the signal is what makes the write fail instead.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

/// Says `words` on standard error and ends the process, without memory and whatever other threads
/// hold.
pub fn end(words: &str, status: i32) -> ! {
    // SAFETY: the bytes are borrowed for as long as the call takes.
    unsafe { libc::write(2, words.as_ptr().cast(), words.len()) };
    // SAFETY: ends the process at once; nothing of it is needed any more.
    unsafe { libc::_exit(status) }
}

extern "C" fn aborted(signal: i32) {
    if REFUSED.load(Ordering::Relaxed)
        && let Some((words, status)) = END.get()
    {
        end(words, *status);
    }
    // SAFETY: once more, and this time it ends the process.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
    // SAFETY: a number is all that it takes.
    unsafe { libc::raise(signal) };
}
