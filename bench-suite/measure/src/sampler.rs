//! Where a thread is, every so often: the program counters at which a timer's signals find it.
//!
//! The handler takes no more than a place in a table that is there from the start: no allocation, no lock,
//! nothing that can panic. One sampler runs at a time.

use std::io;
use std::marker::PhantomData;
use std::mem::{self, MaybeUninit};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// The most places that are kept.
const MOST: usize = 1 << 16;

static PLACES: [AtomicUsize; MOST] = [const { AtomicUsize::new(0) }; MOST];
static TAKEN: AtomicUsize = AtomicUsize::new(0);
static RUNNING: AtomicBool = AtomicBool::new(false);

/// Samples the thread that started it, until it is dropped or finished. It stays on that thread.
pub struct Sampler {
    timer: libc::timer_t,
    before: libc::sigaction,
    on_this_thread: PhantomData<*const ()>,
}

impl Sampler {
    /// Starts one that looks every `interval`.
    ///
    /// # Errors
    ///
    /// When one is running, or the system has no timer.
    pub fn start(interval: Duration) -> io::Result<Self> {
        if RUNNING.swap(true, Ordering::AcqRel) {
            return Err(io::Error::other("a sampler is running already"));
        }
        TAKEN.store(0, Ordering::Release);
        let started = install().and_then(|before| match arm(interval) {
            Ok(timer) => Ok((timer, before)),
            Err(error) => {
                restore(&before);
                Err(error)
            }
        });
        match started {
            Ok((timer, before)) => Ok(Self { timer, before, on_this_thread: PhantomData }),
            Err(error) => {
                RUNNING.store(false, Ordering::Release);
                Err(error)
            }
        }
    }

    /// Ends it. Returns the program counters in the order in which they were found; those beyond 65 536
    /// are left out.
    pub fn finish(self) -> Vec<usize> {
        drop(self);
        let taken = TAKEN.load(Ordering::Acquire).min(MOST);
        PLACES[..taken].iter().map(|place| place.load(Ordering::Relaxed)).collect()
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        // SAFETY: the timer is this sampler's, and deleted once. A signal that it had sent is delivered
        // to this thread before this call returns, so none comes after the handler is gone.
        unsafe { libc::timer_delete(self.timer) };
        restore(&self.before);
        RUNNING.store(false, Ordering::Release);
    }
}

/// Installs the handler. Returns the one before.
fn install() -> io::Result<libc::sigaction> {
    // SAFETY: all zeros is a valid `sigaction`.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = handler as *const () as usize;
    // A guest's stack may be short, and a system call goes on afterwards.
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
    let mut before = MaybeUninit::uninit();
    // SAFETY: both point to structures of ours; the handler is one for SA_SIGINFO, and may run at any
    // time, on any thread: it touches atomics only.
    let failed = unsafe { libc::sigaction(libc::SIGPROF, &raw const action, before.as_mut_ptr()) };
    if failed != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has filled it.
    Ok(unsafe { before.assume_init() })
}

/// Brings back the handler that was there before.
fn restore(before: &libc::sigaction) {
    // SAFETY: it is what the system gave for this signal.
    unsafe { libc::sigaction(libc::SIGPROF, ptr::from_ref(before), ptr::null_mut()) };
}

/// A timer whose signals go to this thread.
fn arm(interval: Duration) -> io::Result<libc::timer_t> {
    // SAFETY: all zeros is a valid `sigevent`.
    let mut event: libc::sigevent = unsafe { mem::zeroed() };
    event.sigev_notify = libc::SIGEV_THREAD_ID;
    event.sigev_signo = libc::SIGPROF;
    // SAFETY: always allowed.
    event.sigev_notify_thread_id = unsafe { libc::gettid() };
    let mut timer = ptr::null_mut();
    let failed =
        // SAFETY: both point to structures of ours.
        unsafe { libc::timer_create(libc::CLOCK_MONOTONIC, &raw mut event, &raw mut timer) };
    if failed != 0 {
        return Err(io::Error::last_os_error());
    }
    let every = libc::timespec {
        tv_sec: interval.as_secs() as libc::time_t,
        tv_nsec: interval.subsec_nanos().max(1).into(),
    };
    let times = libc::itimerspec { it_interval: every, it_value: every };
    // SAFETY: the timer was made above.
    if unsafe { libc::timer_settime(timer, 0, &raw const times, ptr::null_mut()) } != 0 {
        let error = io::Error::last_os_error();
        // SAFETY: the timer was made above, and nobody else has it.
        unsafe { libc::timer_delete(timer) };
        return Err(error);
    }
    Ok(timer)
}

/// Notes where the thread was.
extern "C" fn handler(_: i32, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the system passes a context to a handler of SA_SIGINFO, for as long as it runs.
    let context = unsafe { &*context.cast::<libc::ucontext_t>() };
    #[cfg(target_arch = "x86_64")]
    let pc = context.uc_mcontext.gregs[libc::REG_RIP as usize] as usize;
    #[cfg(target_arch = "aarch64")]
    let pc = context.uc_mcontext.pc as usize;
    let at = TAKEN.fetch_add(1, Ordering::Relaxed);
    if let Some(place) = PLACES.get(at) {
        place.store(pc, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[inline(never)]
    fn busy(time: Duration) -> u64 {
        let (started, mut value) = (Instant::now(), 1u64);
        while started.elapsed() < time {
            value = std::hint::black_box(value.wrapping_mul(3));
        }
        value
    }

    #[test]
    fn a_thread_is_found_where_it_is() {
        let sampler = Sampler::start(Duration::from_micros(500)).expect("a timer");
        assert!(Sampler::start(Duration::from_millis(1)).is_err(), "one at a time");
        busy(Duration::from_millis(200));
        let places = sampler.finish();
        // 400 on a machine of its own.
        assert!(places.len() >= 10, "{} samples", places.len());
        assert!(places.iter().all(|place| *place != 0));
        let again = Sampler::start(Duration::from_micros(500)).expect("the first has ended");
        busy(Duration::from_millis(50));
        assert!(again.finish().len() < places.len(), "it begins anew");
    }
}
