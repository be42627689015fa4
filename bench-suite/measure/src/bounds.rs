//! Bounds on what a compilation, or a call on any engine, may take: memory by the kernel, time by a
//! watching thread.
//!
//! Beyond a bound the hook of [`set_hook`] ends the process, wherever the work is at that moment: one
//! function can be dear, so asking between functions is not enough. Nothing is written before a
//! compilation is over, so nothing is left behind.

use crate::{out_of_memory, peak};
use anyhow::{Context, Result};
use rlimit::Resource;
use serde::{Deserialize, Serialize};
use std::alloc::{GlobalAlloc, Layout, System};
use std::panic;
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

/// The bounds of one compilation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// Memory beyond what the process has already, in bytes. It takes effect where
    /// [`Allocator`] is the global allocator.
    pub memory: Option<u64>,
    /// Wall time.
    pub time: Option<Duration>,
}

/// The bound that was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exceeded<'w> {
    /// [`Bounds::memory`]. The hook is called where memory was refused, so it must do without: no
    /// allocation, and no lock that another thread may hold ([`out_of_memory::end`]).
    Memory,
    /// [`Bounds::time`]. The hook is called on the thread that watches.
    Time {
        /// The work.
        what: &'w str,
        /// The time that it had.
        bound: Duration,
    },
}

/// What ends the process beyond a bound.
pub type Hook = fn(Exceeded<'_>) -> !;

static HOOK: OnceLock<Hook> = OnceLock::new();

/// Decides, for the whole process and once, what happens beyond a bound; without a hook it aborts.
pub fn set_hook(hook: Hook) {
    // A second one, as in tests, changes nothing.
    let _ = HOOK.set(hook);
}

fn exceed(what: Exceeded<'_>) -> ! {
    match HOOK.get() {
        Some(hook) => hook(what),
        None => process::abort(),
    }
}

/// Whether a bound on memory is in force.
static LIMITED: AtomicBool = AtomicBool::new(false);

impl Bounds {
    /// Does `work`, which `what` names, within the bounds. The bound on memory is the whole process's.
    ///
    /// # Errors
    ///
    /// Where the system does not let a process bound itself.
    pub fn within<T>(&self, what: &'static str, work: impl FnOnce() -> T) -> Result<T> {
        let _memory = self.memory.map(Memory::limit).transpose()?;
        let over = Arc::new(AtomicBool::new(false));
        let watcher = self.time.map(|bound| {
            thread::spawn({
                let over = Arc::clone(&over);
                move || watch(what, bound, &over)
            })
        });
        let result = work();
        if let Some(watcher) = watcher {
            // Whoever is first decides, so that nothing is written after the hook's message.
            if over.swap(true, Ordering::SeqCst) {
                let _ = watcher.join();
            } else {
                watcher.thread().unpark();
            }
        }
        Ok(result)
    }
}

/// Calls the hook when `bound` has passed before `over` is true.
fn watch(what: &str, bound: Duration, over: &AtomicBool) {
    let started = Instant::now();
    while let Some(left) = bound.checked_sub(started.elapsed()).filter(|left| !left.is_zero()) {
        if over.load(Ordering::SeqCst) {
            return;
        }
        thread::park_timeout(left);
    }
    if !over.swap(true, Ordering::SeqCst) {
        exceed(Exceeded::Time { what, bound });
    }
}

/// A bound on memory, until it is dropped.
struct Memory {
    before: (u64, u64),
}

impl Memory {
    fn limit(bytes: u64) -> Result<Self> {
        let before = Resource::DATA.get().context("cannot read the limit on memory")?;
        let now = peak::status("VmData")?;
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

/// Sees to it that a thread which gets no stack for its signals, and can only panic, ends as an
/// allocation that is refused does.
fn watch_threads() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let stack = |text: &str| text.contains("alternative stack");
            if LIMITED.load(Ordering::Relaxed) && info.payload_as_str().is_some_and(stack) {
                exceed(Exceeded::Memory);
            }
            before(info);
        }));
    });
}

/// The system's allocator, which calls the hook where the kernel refuses memory under a bound.
pub struct Allocator;

impl Allocator {
    #[inline]
    fn given(pointer: *mut u8) -> *mut u8 {
        if pointer.is_null() {
            Self::refused();
        }
        pointer
    }

    #[cold]
    fn refused() {
        out_of_memory::note();
        if LIMITED.load(Ordering::Relaxed) {
            exceed(Exceeded::Memory);
        }
    }
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
