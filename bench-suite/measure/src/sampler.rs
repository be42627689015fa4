//! Where a thread is, every so often: the program counters at which a timer's signals find it, and what
//! else a look at it notes, such as the callers.
//!
//! The handler takes no more than a place in a table that is there from the start: no allocation, no lock,
//! nothing that can panic. One sampler runs at a time.

use std::ffi::c_void;
use std::io;
use std::iter;
use std::marker::PhantomData;
use std::mem::{self, MaybeUninit};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use std::time::Duration;

/// The most words that are kept: of each sample its length, the program counter, and the notes.
const MOST: usize = 1 << 20;
/// The most notes of a look.
const NOTES: usize = 96;

static WORDS: [AtomicUsize; MOST] = [const { AtomicUsize::new(0) }; MOST];
static TAKEN: AtomicUsize = AtomicUsize::new(0);
static COUNT: AtomicUsize = AtomicUsize::new(0);
static RUNNING: AtomicBool = AtomicBool::new(false);
/// The running sampler's [`Look`].
static LOOK: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());

/// Looks at a thread that a signal interrupted in `context`, what a handler with `SA_SIGINFO` gets. It
/// writes what it has to note, and returns how many words that are.
pub type Look = unsafe fn(context: *const c_void, notes: &mut [usize]) -> usize;

/// Notes nothing but the program counter.
pub fn no_notes(_: *const c_void, _: &mut [usize]) -> usize {
    0
}

/// What a sampler found.
pub struct Found(Vec<usize>);

impl Found {
    /// The samples, in the order in which they came: the program counter, and behind it what was noted.
    pub fn samples(&self) -> impl Iterator<Item = &[usize]> {
        let mut rest = &self.0[..];
        iter::from_fn(move || {
            let (len, all) = rest.split_first()?;
            let (sample, after) = all.split_at_checked(*len)?;
            rest = after;
            Some(sample)
        })
    }
}

/// What a look may need of a stack beside what the system puts there, which has 11 KiB on some processors:
/// that of Rust's threads has room for the latter alone.
const STACK: usize = 64 << 10;

/// A stack for signals of this thread, where the one that it had is small.
struct Stack {
    memory: Vec<u8>,
    before: libc::stack_t,
}

impl Stack {
    /// Puts one in place, unless there is a large one.
    fn ensure() -> io::Result<Option<Self>> {
        let before = set_stack(None)?;
        if before.ss_flags & libc::SS_DISABLE == 0 && before.ss_size >= STACK {
            return Ok(None);
        }
        let mut memory = vec![0; STACK];
        let new = libc::stack_t { ss_sp: memory.as_mut_ptr().cast(), ss_flags: 0, ss_size: STACK };
        set_stack(Some(&new))?;
        Ok(Some(Self { memory, before }))
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // Somebody may have put another one in place since.
        if set_stack(None).is_ok_and(|now| now.ss_sp == self.memory.as_mut_ptr().cast())
            && set_stack(Some(&self.before)).is_err()
        {
            // Then signals still go there.
            mem::forget(mem::take(&mut self.memory));
        }
    }
}

/// Sets the stack for signals of this thread, if there is a new one. Returns the one before.
fn set_stack(new: Option<&libc::stack_t>) -> io::Result<libc::stack_t> {
    let new = new.map_or(ptr::null(), ptr::from_ref);
    let mut before = MaybeUninit::uninit();
    // SAFETY: both are null or point to structures of ours; a new stack is memory that its owner keeps
    // until it has set another one.
    if unsafe { libc::sigaltstack(new, before.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has filled it.
    Ok(unsafe { before.assume_init() })
}

/// Samples the thread that started it, until it is dropped or finished. It stays on that thread.
pub struct Sampler {
    timer: libc::timer_t,
    before: libc::sigaction,
    /// Behind the timer, whose signals need it.
    _stack: Option<Stack>,
    on_this_thread: PhantomData<*const ()>,
}

impl Sampler {
    /// Starts one that looks every `interval`.
    ///
    /// # Errors
    ///
    /// When one is running, or the system has no timer.
    ///
    /// # Safety
    ///
    /// `look` may be called in a signal handler at any moment: it neither allocates nor locks nor panics.
    pub unsafe fn start(interval: Duration, look: Look) -> io::Result<Self> {
        if RUNNING.swap(true, Ordering::AcqRel) {
            return Err(io::Error::other("a sampler is running already"));
        }
        TAKEN.store(0, Ordering::Release);
        COUNT.store(0, Ordering::Release);
        LOOK.store(look as *mut c_void, Ordering::Release);
        let started = Stack::ensure().and_then(|stack| {
            let before = install()?;
            match arm(interval) {
                Ok(timer) => Ok((timer, before, stack)),
                Err(error) => {
                    restore(&before);
                    Err(error)
                }
            }
        });
        match started {
            Ok((timer, before, _stack)) => {
                Ok(Self { timer, before, _stack, on_this_thread: PhantomData })
            }
            Err(error) => {
                RUNNING.store(false, Ordering::Release);
                Err(error)
            }
        }
    }

    /// How often it has looked so far.
    pub fn samples(&self) -> usize {
        COUNT.load(Ordering::Relaxed)
    }

    /// Ends it. Samples that did not fit into a million words are left out.
    pub fn finish(self) -> Found {
        drop(self);
        let taken = TAKEN.load(Ordering::Acquire);
        Found(WORDS[..taken].iter().map(|word| word.load(Ordering::Relaxed)).collect())
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
extern "C" fn handler(_: i32, _: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the system passes a context to a handler of SA_SIGINFO, for as long as it runs.
    let machine = unsafe { &*context.cast::<libc::ucontext_t>() };
    #[cfg(target_arch = "x86_64")]
    let pc = machine.uc_mcontext.gregs[libc::REG_RIP as usize] as usize;
    #[cfg(target_arch = "aarch64")]
    let pc = machine.uc_mcontext.pc as usize;
    let mut notes = [0; NOTES];
    // SAFETY: `start` stored a function of that type before the timer that sends this signal was set.
    let look = unsafe { mem::transmute::<*mut c_void, Look>(LOOK.load(Ordering::Acquire)) };
    // SAFETY: whoever started the sampler vouches for it.
    let noted = unsafe { look(context, &mut notes) }.min(NOTES);
    // This signal is blocked while its handler runs, and goes to one thread, so nobody else writes.
    let at = TAKEN.load(Ordering::Relaxed);
    let Some(places) = WORDS.get(at..at + 2 + noted) else { return };
    let words = [1 + noted, pc].into_iter().chain(notes);
    places.iter().zip(words).for_each(|(place, word)| place.store(word, Ordering::Relaxed));
    TAKEN.store(at + 2 + noted, Ordering::Relaxed);
    COUNT.fetch_add(1, Ordering::Relaxed);
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
        fn two(_: *const c_void, notes: &mut [usize]) -> usize {
            notes[..2].copy_from_slice(&[7, 8]);
            2
        }
        // SAFETY: neither look does more than write words.
        let start = |ms, look: Look| unsafe { Sampler::start(Duration::from_millis(ms), look) };
        let sampler = start(1, two).expect("a timer");
        let now = set_stack(None).expect("Linux");
        assert!(now.ss_size >= STACK, "{} bytes of a stack for signals", now.ss_size);
        assert!(start(1, no_notes).is_err(), "one at a time");
        busy(Duration::from_millis(200));
        let looks = sampler.samples();
        let found = sampler.finish();
        let count = found.samples().count();
        assert!((looks..looks + 3).contains(&count), "{count} of {looks}");
        // 200 on a machine of its own.
        assert!(count >= 10, "{count} samples");
        assert!(found.samples().all(|sample| sample[0] != 0 && sample[1..] == [7, 8]));
        let again = start(1, no_notes).expect("the first has ended");
        busy(Duration::from_millis(50));
        let again = again.finish();
        assert!(again.samples().count() < count, "it begins anew");
        assert!(again.samples().all(|sample| sample.len() == 1));
        assert!(set_stack(None).is_ok_and(|now| now.ss_size < STACK), "the stack is as before");
    }
}
