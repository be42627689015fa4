//! Faults of guests, as traps; first writes to pages, as pages of the hot set. This is the sandbox.
//!
//! One handler for the whole process, for SIGSEGV, SIGBUS, SIGILL and SIGFPE. It does something
//! in two cases only, and hands every other signal to the handler that was there before:
//!
//! - a write to a page of some slot's memory that is mapped read-only, by whatever code;
//! - a fault of code in the image that this thread's newest activation runs, at a listed trap
//!   site or in the guard of its stack.
//!
//! It neither allocates nor locks nor formats nor panics.

use super::super::arch;
use super::super::arch_common::Registers;
use crate::activation::{self, Activation};
use crate::registry;
use lithify_abi::descriptor::NONE;
use lithify_abi::site::Sites;
use lithify_abi::trap::TrapCode;
use lithify_abi::vmctx::RESERVATION;
use std::cell::UnsafeCell;
use std::io;
use std::mem;
use std::ptr;
use std::sync::Mutex;

const SIGNALS: [i32; 4] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE];

/// `SEGV_ACCERR`: the page is mapped, but not for this kind of access.
const SEGV_ACCERR: i32 = 2;

struct Previous(UnsafeCell<[libc::sigaction; 4]>);

// SAFETY: each element is written before the handler that reads it is installed, under a lock,
// and never again.
unsafe impl Sync for Previous {}

// SAFETY: a sigaction of zeros is a valid value: the default action.
static PREVIOUS: Previous = Previous(UnsafeCell::new(unsafe { mem::zeroed() }));

/// Installs the handler, once for the process.
pub fn install() -> io::Result<()> {
    static INSTALLED: Mutex<usize> = Mutex::new(0);
    let mut installed = INSTALLED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    while let Some(signal) = SIGNALS.get(*installed) {
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
    }
    Ok(())
}

fn check(result: i32) -> io::Result<()> {
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

extern "C" fn handle(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: `__errno_location` is this thread's, always valid.
    let errno = unsafe { *libc::__errno_location() };
    // SAFETY: the kernel passes a valid context for the duration of the handler.
    let context = unsafe { &mut *context.cast::<libc::ucontext_t>() };
    // SAFETY: the kernel passes a valid info; `si_addr` is meaningful for these signals, and for
    // one that was sent by `kill` the code below does not use it.
    let (code, address) = unsafe { ((*info).si_code, (*info).si_addr() as usize) };
    let registers = arch::registers(context);
    let done = code > 0
        && (first_write(signal, code, address, &registers)
            || guest_fault(signal, address, &registers, context));
    if !done {
        chain(signal, info, ptr::from_mut(context).cast());
    }
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = errno };
}

/// Makes a page writable that is written for the first time.
fn first_write(signal: i32, code: i32, address: usize, registers: &Registers) -> bool {
    // A jump into memory faults for another reason, at the program counter itself.
    if signal != libc::SIGSEGV || code != SEGV_ACCERR || address == registers.pc {
        return false;
    }
    // SAFETY: the code that faulted may use that address, so it keeps the memory alive.
    match unsafe { registry::find(address) } {
        // When the kernel refuses, the write is a fault as any other.
        Some(memory) => memory.first_write(address).unwrap_or(false),
        None => false,
    }
}

/// Turns a fault of guest code into a trap.
fn guest_fault(
    signal: i32,
    address: usize,
    registers: &Registers,
    context: &mut libc::ucontext_t,
) -> bool {
    // SAFETY: activations of this thread live until their calls return, below this frame.
    let Some(activation) = (unsafe { activation::current().as_ref() }) else {
        return false;
    };
    let Some((code, in_stub)) = trap_code(activation, signal, address, registers) else {
        return false;
    };
    activation.fault(code, registers, in_stub);
    arch::resume_with_raise(context, activation.host_sp());
    true
}

fn trap_code(
    activation: &Activation,
    signal: i32,
    address: usize,
    registers: &Registers,
) -> Option<(TrapCode, bool)> {
    let slot = activation.slot();
    let (image, memory) = (slot.image(), slot.memory());
    let code = image.text_offset(registers.pc)?;
    let memory_fault = signal == libc::SIGSEGV || signal == libc::SIGBUS;
    if memory_fault && memory.stack_guard().contains(&address) {
        return Some((TrapCode::StackOverflow, false));
    }
    let (function, sites) = image.function_at(code)?;
    let sites = Sites::new(image.sites(function.sites, sites), function.body);
    let (trap, _) = sites.trap(code - function.code)?;
    let beyond_memory = {
        let offset = address.wrapping_sub(memory.base() as usize) as u64;
        slot.memory_len() as u64 <= offset && offset < RESERVATION
    };
    let expected = match signal {
        libc::SIGFPE => {
            matches!(trap, TrapCode::IntegerDivideByZero | TrapCode::IntegerOverflow)
        }
        libc::SIGILL => true,
        _ => trap == TrapCode::MemoryOutOfBounds && beyond_memory,
    };
    expected.then_some((trap, function.index == NONE))
}

/// Does what would have happened without our handler.
fn chain(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let Some(index) = SIGNALS.iter().position(|candidate| *candidate == signal) else {
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
