//! Bounds on what a compilation, or a call on any engine, may take: memory by the kernel, time by a
//! watching thread.
//!
//! Beyond a bound the process ends with exit status 1, unless told otherwise, and says which one it was, wherever the
//! work is at that moment: one function can be dear, so asking between functions is not
//! enough. Nothing is written before a compilation is over, so nothing is left behind.

use anyhow::{Context, Result};
use rlimit::Resource;
use serde::{Deserialize, Serialize};
use std::alloc::{GlobalAlloc, Layout, System};
use std::panic;
use std::process;
use std::sync::Arc;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::thread;
use std::time::Duration;

/// The bounds of one compilation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Memory beyond what the process has already, in bytes. It takes effect where
    /// [`Allocator`] is the global allocator.
    pub memory: Option<u64>,
    /// Wall time.
    pub time: Option<Duration>,
}

/// The exit status beyond a bound.
static STATUS: AtomicI32 = AtomicI32::new(1);

/// Ends the process with `status` beyond a bound, in place of 1: for a program whose 1 is an answer.
pub fn exit_with(status: i32) {
    STATUS.store(status, Ordering::Relaxed);
}

/// Whether a limit on memory is in force.
static LIMITED: AtomicBool = AtomicBool::new(false);

const OUT_OF_MEMORY: &str = "error: out of memory: compiling takes more than --max-memory allows; \
    allow more, or use fewer threads (--jobs of compile and run)\n";

impl Limits {
    /// Does `work`, which `what` names, within the bounds. The limit on memory is the whole process'.
    pub fn within<T>(&self, what: &'static str, work: impl FnOnce() -> T) -> Result<T> {
        let _memory = self.memory.map(Memory::limit).transpose()?;
        let over = Arc::new(AtomicBool::new(false));
        let watcher = self.time.map(|time| {
            thread::spawn({
                let over = Arc::clone(&over);
                move || watch(what, time, &over)
            })
        });
        let result = work();
        if let Some(watcher) = watcher {
            // Whoever is first decides, so that nothing is written after the message.
            if over.swap(true, Ordering::SeqCst) {
                let _ = watcher.join();
            } else {
                watcher.thread().unpark();
            }
        }
        Ok(result)
    }
}

/// Ends the process when `time` has passed before `over` is true.
fn watch(what: &str, time: Duration, over: &AtomicBool) {
    let started = std::time::Instant::now();
    while let Some(left) = time.checked_sub(started.elapsed()).filter(|left| !left.is_zero()) {
        if over.load(Ordering::SeqCst) {
            return;
        }
        thread::park_timeout(left);
    }
    if !over.swap(true, Ordering::SeqCst) {
        eprintln!(
            "error: timeout: {what} takes longer than the {time:?} that --timeout allows; allow more"
        );
        process::exit(STATUS.load(Ordering::Relaxed));
    }
}

/// A limit on memory, until it is dropped.
struct Memory {
    before: (u64, u64),
}

impl Memory {
    fn limit(bytes: u64) -> Result<Self> {
        let before = Resource::DATA.get().context("cannot read the limit on memory")?;
        let now = super::rss::status("VmData")?;
        let limit = now.saturating_add(bytes).min(before.1);
        watch_threads();
        Resource::DATA.set(limit, before.1).context("cannot limit memory")?;
        LIMITED.store(true, Ordering::SeqCst);
        Ok(Self { before })
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        LIMITED.store(false, Ordering::SeqCst);
        // Up to the hard limit, which has not changed, every process may.
        let _ = Resource::DATA.set(self.before.0, self.before.1);
    }
}

/// Sees to it that a thread which gets no stack for its signals, and can only panic, says what an
/// allocation that is refused says.
fn watch_threads() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let stack = |text: &str| text.contains("alternative stack");
            if LIMITED.load(Ordering::Relaxed) && info.payload_as_str().is_some_and(stack) {
                refused();
            }
            before(info);
        }));
    });
}

/// The system's allocator, which ends the process with a message where the kernel refuses memory
/// under a limit of ours.
pub struct Allocator;

impl Allocator {
    #[inline]
    fn given(pointer: *mut u8) -> *mut u8 {
        if pointer.is_null() {
            super::refusal::note();
            if LIMITED.load(Ordering::Relaxed) {
                refused();
            }
        }
        pointer
    }
}

/// Says so and ends, without memory and whatever other threads hold.
#[cold]
fn refused() -> ! {
    // SAFETY: the bytes are there for as long as the program.
    unsafe { libc::write(2, OUT_OF_MEMORY.as_ptr().cast(), OUT_OF_MEMORY.len()) };
    // SAFETY: ends the process at once; nothing of it is needed any more.
    unsafe { libc::_exit(STATUS.load(Ordering::Relaxed)) }
}

// SAFETY: everything is the system allocator's doing.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract, which is the same.
        Self::given(unsafe { System.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        Self::given(unsafe { System.alloc_zeroed(layout) })
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        Self::given(unsafe { System.realloc(pointer, layout, size) })
    }
}
