//! Signals a thread when a time has come, and goes on doing so until the thread says otherwise.
//!
//! One thread of this library sleeps until the earliest time that any thread has set. To set one
//! costs a store and a comparison: the sleeper is woken only where it would sleep too long, so a
//! thread that sets a later time in each of many calls wakes it once in a while.
//!
//! What becomes of the thread then is for a [`Policy`] to say. A signal may come late, when its time is
//! no longer set: the policy looks for itself.

use super::{check, keeping_errno};
use crate::sys::arch::{self, Registers};
use std::cell::Cell;
use std::io;
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// A time that does not come.
pub const NEVER: u64 = u64::MAX;

/// How long after a signal the next one comes while the time stays set, in nanoseconds.
const AGAIN: u64 = 1_000_000;

/// Decides what becomes of a thread that was interrupted there: it goes on, or as if the `enter` that
/// stored this `host_sp` had been left by `raise`. It runs in a signal handler, and neither allocates
/// nor locks nor formats nor panics.
pub type Policy = fn(&Registers) -> Option<usize>;

static POLICY: OnceLock<Policy> = OnceLock::new();

/// What times are counted from.
static ORIGIN: OnceLock<Instant> = OnceLock::new();
/// When the sleeper looks again by itself.
static NEXT: AtomicU64 = AtomicU64::new(NEVER);
/// The signal, or 0 before the first use.
static SIGNAL: AtomicI32 = AtomicI32::new(0);
static ALARMS: Mutex<Vec<Arc<Alarm>>> = Mutex::new(Vec::new());
static WAKE: Condvar = Condvar::new();

/// What the sleeper knows of a thread.
struct Alarm {
    due: AtomicU64,
    thread: libc::pthread_t,
}

/// A thread's entry in [`ALARMS`], for as long as the thread lives.
struct Registered(Arc<Alarm>);

thread_local! {
    static THREAD: Cell<Option<&'static AtomicU64>> = const { Cell::new(None) };
    static REGISTERED: Cell<Option<Registered>> = const { Cell::new(None) };
}

/// `instant` as a time for [`set`]: nanoseconds since the first use of this module.
pub fn time(instant: Instant) -> u64 {
    let origin = ORIGIN.get_or_init(Instant::now);
    let since = instant.saturating_duration_since(*origin).as_nanos();
    u64::try_from(since).map_or(NEVER - 1, |since| since.min(NEVER - 1))
}

/// Whether `time` has come. Safe to call in a [`Policy`].
pub fn has_come(time: u64) -> bool {
    // Only a read and the clock: whoever set a time made the origin.
    ORIGIN.get().is_some_and(|origin| u128::from(time) <= origin.elapsed().as_nanos())
}

/// Makes sure that this thread can be signalled; the policy is that of the first call.
#[inline]
pub fn prepare_thread(policy: Policy) -> io::Result<()> {
    match THREAD.get() {
        Some(_) => Ok(()),
        None => register(policy),
    }
}

/// Sets the time of this thread, which [`prepare_thread`] was called on: from then on it gets
/// signals.
#[inline]
pub fn set(time: u64) {
    let Some(due) = THREAD.get() else {
        return;
    };
    // In one order with what the sleeper does with `NEXT`: either it sees this time, or this
    // thread sees that it sleeps too long.
    due.store(time, Ordering::SeqCst);
    if time < NEXT.load(Ordering::SeqCst) {
        wake();
    }
}

#[cold]
fn wake() {
    // The sleeper has the lock while it looks, so it is woken afterwards.
    drop(lock());
    WAKE.notify_one();
}

fn lock() -> MutexGuard<'static, Vec<Arc<Alarm>>> {
    ALARMS.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cold]
fn register(policy: Policy) -> io::Result<()> {
    let mut alarms = lock();
    if SIGNAL.load(Ordering::Relaxed) == 0 {
        POLICY.get_or_init(|| policy);
        start()?;
    }
    unblock(SIGNAL.load(Ordering::Relaxed))?;
    // SAFETY: always allowed.
    let thread = unsafe { libc::pthread_self() };
    let alarm = Arc::new(Alarm { due: AtomicU64::new(NEVER), thread });
    let registered = Some(Registered(Arc::clone(&alarm)));
    alarms.push(Arc::clone(&alarm));
    drop(alarms);
    REGISTERED
        .try_with(|cell| cell.set(registered))
        .map_err(|_| io::Error::other("the thread is about to end"))?;
    // SAFETY: `REGISTERED` keeps it for as long as this thread reads the other cell, which it
    // clears before.
    THREAD.set(Some(unsafe { &*ptr::from_ref(&alarm.due) }));
    Ok(())
}

impl Drop for Registered {
    fn drop(&mut self) {
        THREAD.set(None);
        // The thread lives until this is done, so the sleeper signals no other one.
        lock().retain(|alarm| !Arc::ptr_eq(alarm, &self.0));
    }
}

/// Chooses a signal that nobody uses, installs the handler for it and starts the sleeper.
fn start() -> io::Result<()> {
    ORIGIN.get_or_init(Instant::now);
    let signal = install()?;
    let all = SignalSet::all();
    // A new thread has its maker's mask: the sleeper is to get nobody's signals.
    let before = all.block()?;
    let spawned = std::thread::Builder::new()
        .name("lithify-alarm".into())
        .stack_size(64 << 10)
        .spawn(sleep_and_signal);
    before.restore()?;
    spawned?;
    SIGNAL.store(signal, Ordering::Relaxed);
    Ok(())
}

fn install() -> io::Result<i32> {
    for signal in libc::SIGRTMIN()..=libc::SIGRTMAX() {
        // SAFETY: zeros are a valid sigaction, the default action.
        let mut action: libc::sigaction = unsafe { mem::zeroed() };
        // SAFETY: asks only; the pointer is valid.
        let asked = unsafe { libc::sigaction(signal, ptr::null(), &raw mut action) };
        if asked != 0 || action.sa_sigaction != libc::SIG_DFL {
            continue;
        }
        action.sa_sigaction = interrupt as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
        // SAFETY: the pointer is valid, and the handler has the signature that the flags promise.
        if unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) } == 0 {
            return Ok(signal);
        }
    }
    Err(io::Error::other("every real-time signal is in use"))
}

extern "C" fn interrupt(_: i32, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    keeping_errno(|| {
        // SAFETY: the kernel passes a valid context for the duration of the handler.
        let context = unsafe { &mut *context.cast::<libc::ucontext_t>() };
        let registers = arch::registers(context);
        if let Some(host_sp) = POLICY.get().and_then(|policy| policy(&registers)) {
            arch::resume_with_raise(context, host_sp);
        }
    });
}

fn sleep_and_signal() {
    let mut alarms = lock();
    loop {
        // Who sets a time from here on waits for the lock and wakes this thread.
        NEXT.store(NEVER, Ordering::SeqCst);
        let now = time(Instant::now());
        let signal = SIGNAL.load(Ordering::Relaxed);
        let next = alarms.iter().map(|alarm| match alarm.due.load(Ordering::SeqCst) {
            due if due > now => due,
            _ => {
                // SAFETY: the thread lives, as it takes its entry out, under the lock, before it
                // ends.
                unsafe { libc::pthread_kill(alarm.thread, signal) };
                now + AGAIN
            }
        });
        let next = next.min().unwrap_or(NEVER);
        NEXT.store(next, Ordering::SeqCst);
        alarms = match next {
            NEVER => WAKE.wait(alarms).unwrap_or_else(PoisonError::into_inner),
            next => {
                let left = Duration::from_nanos(next.saturating_sub(time(Instant::now())));
                WAKE.wait_timeout(alarms, left).unwrap_or_else(PoisonError::into_inner).0
            }
        };
    }
}

/// Lets this thread get `signal`.
fn unblock(signal: i32) -> io::Result<()> {
    let mut set = SignalSet::empty();
    // SAFETY: the set is valid.
    check(unsafe { libc::sigaddset(&raw mut set.0, signal) })?;
    mask(libc::SIG_UNBLOCK, &set).map(drop)
}

struct SignalSet(libc::sigset_t);

impl SignalSet {
    fn empty() -> Self {
        // SAFETY: zeros are a value of the type, which is then given its meaning.
        let mut set = unsafe { mem::zeroed() };
        // SAFETY: the set is valid.
        unsafe { libc::sigemptyset(&raw mut set) };
        Self(set)
    }

    fn all() -> Self {
        let mut set = Self::empty();
        // SAFETY: the set is valid.
        unsafe { libc::sigfillset(&raw mut set.0) };
        set
    }

    /// Blocks these signals in this thread; returns those that were blocked before.
    fn block(&self) -> io::Result<Self> {
        mask(libc::SIG_SETMASK, self)
    }

    fn restore(&self) -> io::Result<()> {
        mask(libc::SIG_SETMASK, self).map(drop)
    }
}

fn mask(how: i32, set: &SignalSet) -> io::Result<SignalSet> {
    let mut before = SignalSet::empty();
    // SAFETY: both sets are valid.
    let result = unsafe { libc::pthread_sigmask(how, &raw const set.0, &raw mut before.0) };
    match result {
        0 => Ok(before),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}
