//! Signals of the processor: one handler for the whole process, for SIGSEGV, SIGBUS, SIGILL and
//! SIGFPE.
//!
//! What a fault means is for a [`Policy`] to say. What it does not want goes to the handler that was
//! there before, as does every signal that somebody sent.
//!
//! Handler and policy neither allocate nor lock nor format nor panic.

use super::{check, keeping_errno};
use crate::sys::arch::{self, Registers};
use std::cell::UnsafeCell;
use std::io;
use std::mem;
use std::ptr;
use std::sync::{Mutex, OnceLock, PoisonError};

const SIGNALS: [(i32, Signal); 4] = [
    (libc::SIGSEGV, Signal::Segv),
    (libc::SIGBUS, Signal::Bus),
    (libc::SIGILL, Signal::Ill),
    (libc::SIGFPE, Signal::Fpe),
];

/// `SEGV_ACCERR`: the page is mapped, but not for this kind of access.
const SEGV_ACCERR: i32 = 2;

/// `SI_KERNEL`: the kernel's own doing, such as a signal that it cannot deliver.
const SI_KERNEL: i32 = 0x80;

/// More than what the kernel puts on a stack for a signal, in bytes.
pub const SIGNAL_FRAME: usize = 64 << 10;

/// A signal of the processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// No access to the address.
    Segv,
    /// No memory behind the address.
    Bus,
    /// No such instruction.
    Ill,
    /// An operation without a result, on integers, too.
    Fpe,
}

/// What the kernel says of the cause of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The page is mapped, but not for this kind of access (with [`Signal::Segv`]).
    Access,
    /// The kernel's own doing, such as a signal that it cannot deliver.
    Kernel,
    /// Anything else that the processor does.
    Other,
}

/// A fault of this thread.
pub struct Fault {
    /// The signal.
    pub signal: Signal,
    /// Its cause.
    pub cause: Cause,
    /// The address that was used; of no meaning with [`Cause::Kernel`].
    pub address: usize,
    /// Where the thread was.
    pub registers: Registers,
}

/// What is to come of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The instruction runs again.
    Again,
    /// The thread goes on as if the `enter` that stored this `host_sp` had been left by `raise`.
    Leave(usize),
    /// What would have been without us.
    Pass,
}

/// Decides what is to come of a fault. It runs in a signal handler.
pub type Policy = fn(&Fault) -> Answer;

static POLICY: OnceLock<Policy> = OnceLock::new();

struct Previous(UnsafeCell<[libc::sigaction; 4]>);

// SAFETY: each element is written before the handler that reads it is installed, under a lock,
// and never again.
unsafe impl Sync for Previous {}

// SAFETY: a sigaction of zeros is a valid value: the default action.
static PREVIOUS: Previous = Previous(UnsafeCell::new(unsafe { mem::zeroed() }));

/// Installs the handler, once for the process, with the policy of the first call.
pub fn install(policy: Policy) -> io::Result<()> {
    static INSTALLED: Mutex<usize> = Mutex::new(0);
    let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
    POLICY.get_or_init(|| policy);
    while let Some((signal, _)) = SIGNALS.get(*installed) {
        // SAFETY: zeros are a valid sigaction.
        let mut action: libc::sigaction = unsafe { mem::zeroed() };
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        action.sa_sigaction = handle as *const () as usize;
        // SAFETY: the pointers are valid; only this code, under the lock, writes to the element,
        // and the handler reads it only once it is installed, which is after that.
        unsafe {
            let previous = PREVIOUS.0.get().cast::<libc::sigaction>().add(*installed);
            check(libc::sigemptyset(&raw mut action.sa_mask))?;
            check(libc::sigaction(*signal, ptr::null(), previous))?;
            check(libc::sigaction(*signal, &raw const action, ptr::null_mut()))?;
        }
        *installed += 1;
        if *installed == SIGNALS.len() {
            put_handlers_on_stack();
        }
    }
    Ok(())
}

/// Sees to it that the handlers which the program has by now run on a thread's alternate stack, if
/// it has one: on the guest's they have no room when the guest has used it up. The Go runtime does
/// the same for a program that it is a part of.
fn put_handlers_on_stack() {
    for signal in 1..=libc::SIGRTMAX() {
        // SAFETY: zeros are a valid sigaction.
        let mut action: libc::sigaction = unsafe { mem::zeroed() };
        // SAFETY: asks only; the pointer is valid.
        let asked = unsafe { libc::sigaction(signal, ptr::null(), &raw mut action) };
        let own = ![libc::SIG_DFL, libc::SIG_IGN].contains(&action.sa_sigaction);
        if asked == 0 && own && action.sa_flags & libc::SA_ONSTACK == 0 {
            action.sa_flags |= libc::SA_ONSTACK;
            // SAFETY: the action is what the program installed. Where the system refuses, it stays.
            unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) };
        }
    }
}

extern "C" fn handle(number: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    keeping_errno(|| {
        // SAFETY: the kernel passes a valid info; `si_addr` is meaningful for these signals, and for
        // one that was sent by `kill` it is not used.
        let (code, address) = unsafe { ((*info).si_code, (*info).si_addr() as usize) };
        // SAFETY: the kernel passes a valid context for the duration of the handler.
        let machine = unsafe { &mut *context.cast::<libc::ucontext_t>() };
        match answer(number, code, address, machine) {
            Answer::Again => {}
            Answer::Leave(host_sp) => arch::resume_with_raise(machine, host_sp),
            Answer::Pass => chain(number, info, context),
        }
    });
}

/// Asks the policy, unless somebody sent the signal.
fn answer(number: i32, code: i32, address: usize, machine: &libc::ucontext_t) -> Answer {
    let signal = SIGNALS.iter().find(|(known, _)| *known == number);
    let (Some(policy), Some((_, signal)), 1..) = (POLICY.get(), signal, code) else {
        return Answer::Pass;
    };
    let cause = match (signal, code) {
        (Signal::Segv, SEGV_ACCERR) => Cause::Access,
        (_, SI_KERNEL) => Cause::Kernel,
        _ => Cause::Other,
    };
    policy(&Fault { signal: *signal, cause, address, registers: arch::registers(machine) })
}

/// The registers in a signal's context.
///
/// # Safety
///
/// `context` is what the system passed to a handler with `SA_SIGINFO` that still runs.
pub unsafe fn registers(context: *const libc::c_void) -> Registers {
    // SAFETY: the caller vouches for it.
    arch::registers(unsafe { &*context.cast::<libc::ucontext_t>() })
}

/// Writes to standard error. Safe to call in a signal handler.
pub fn complain(message: &'static str) {
    // SAFETY: the bytes are there for as long as the program.
    unsafe { libc::write(2, message.as_ptr().cast(), message.len()) };
}

/// Does what would have happened without our handler.
fn chain(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let Some(index) = SIGNALS.iter().position(|(known, _)| *known == signal) else {
        return;
    };
    // SAFETY: written before the handler was installed and not changed since.
    let previous = unsafe { &(*PREVIOUS.0.get())[index] };
    let action = previous.sa_sigaction;
    // SAFETY: the kernel's own info.
    let sent = unsafe { (*info).si_code } <= 0;
    if action == libc::SIG_IGN && sent {
        return;
    }
    if action == libc::SIG_DFL || action == libc::SIG_IGN {
        // The default action is to die, with a core dump that shows the fault: the instruction
        // runs again when this handler returns. A signal that was sent is sent again.
        // SAFETY: zeros are the default action; both calls are allowed in a signal handler.
        unsafe {
            let default: libc::sigaction = mem::zeroed();
            libc::sigaction(signal, &raw const default, ptr::null_mut());
            if sent {
                libc::raise(signal);
            }
        }
        return;
    }
    // SAFETY: the kernel would have called this address in the same way.
    unsafe {
        if previous.sa_flags & libc::SA_SIGINFO != 0 {
            type Action = extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void);
            mem::transmute::<usize, Action>(action)(signal, info, context);
        } else {
            mem::transmute::<usize, extern "C" fn(i32)>(action)(signal);
        }
    }
}
