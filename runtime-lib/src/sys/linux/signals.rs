//! Faults of guests, as traps; first writes to pages, as pages of the hot set; deadlines, as traps.
//! This is the sandbox.
//!
//! One handler for the whole process, for SIGSEGV, SIGBUS, SIGILL and SIGFPE. It does something
//! in four cases only, and hands every other signal to the handler that was there before:
//!
//! - a write to a page of some slot's memory that is mapped read-only, by whatever code;
//! - a fault of code in the image that this thread's newest activation runs, at a listed trap
//!   site or in the guard of its stack;
//! - a signal of somebody else's that the kernel could not deliver, as that code had used up its
//!   stack;
//! - a host function that needs the stack beyond the guest's: it gets more of its room.
//!
//! A second handler, [`interrupt`], has a signal of its own (`alarm.rs`) and leaves a guest whose
//! deadline has passed.
//!
//! They neither allocate nor lock nor format nor panic.

use super::super::arch;
use super::check;
use crate::call::activation::{self, Activation};
use crate::slot::registry;
use crate::sys::arch_common::Registers;
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

/// `SI_KERNEL`: the kernel's own doing, such as a signal that it cannot deliver.
const SI_KERNEL: i32 = 0x80;

/// More than what the kernel puts on a stack for a signal, in bytes.
const SIGNAL_FRAME: usize = 64 << 10;

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
            || guest_fault(signal, code, address, &registers, context)
            || host_stack(signal, address));
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
    kind: i32,
    address: usize,
    registers: &Registers,
    context: &mut libc::ucontext_t,
) -> bool {
    // SAFETY: activations of this thread live until their calls return, below this frame.
    let Some(activation) = (unsafe { activation::current().as_ref() }) else {
        return false;
    };
    let found = match kind {
        SI_KERNEL => lost_signal(activation, signal, registers),
        _ => trap_code(activation, signal, address, registers),
    };
    let Some((code, in_stub)) = found else {
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
    // A stub that finds no stack for a host call, since none is allowed any more.
    let late = trap == TrapCode::StackOverflow && slot.host_calls_forbidden();
    expected.then_some((if late { TrapCode::Deadline } else { trap }, function.index == NONE))
}

/// Whether the kernel ended a guest's thread since it had no room for a signal on the guest's stack.
fn lost_signal(
    activation: &Activation,
    signal: i32,
    registers: &Registers,
) -> Option<(TrapCode, bool)> {
    let (image, memory) = (activation.slot().image(), activation.slot().memory());
    image.text_offset(registers.pc)?;
    let left = registers.sp.wrapping_sub(memory.stack_guard().end);
    (signal == libc::SIGSEGV && left < SIGNAL_FRAME).then_some((TrapCode::SignalStack, false))
}

/// Gives a host function of this thread that went beyond the guest's stack more of its room. Says
/// so where it used up all of it, before the process ends.
fn host_stack(signal: i32, address: usize) -> bool {
    if signal != libc::SIGSEGV {
        return false;
    }
    // SAFETY: activations of this thread live until their calls return, below this frame.
    let newest = unsafe { activation::current().as_ref() };
    let mut all = std::iter::successors(newest, |activation| activation.parent());
    let found = all.find(|activation| activation.slot().memory().stack_guard().contains(&address));
    let Some(activation) = found else {
        return false;
    };
    if activation.slot().memory().open_room(address) {
        return true;
    }
    const MESSAGE: &str =
        "lithify: a host function used up its stack, or there is no memory for it\n";
    // SAFETY: the bytes are there for as long as the program.
    unsafe { libc::write(2, MESSAGE.as_ptr().cast(), MESSAGE.len()) };
    false
}

/// Leaves the guest of this thread if its deadline has passed. In a host function, which is not
/// left, it sees to it that no other one is called; as long as the time stays set, this signal comes
/// again.
pub extern "C" fn interrupt(_: i32, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: `__errno_location` is this thread's, always valid.
    let errno = unsafe { *libc::__errno_location() };
    // SAFETY: the kernel passes a valid context for the duration of the handler.
    let context = unsafe { &mut *context.cast::<libc::ucontext_t>() };
    // SAFETY: activations of this thread live until their calls return, below this frame.
    let newest = unsafe { activation::current().as_ref() };
    if let Some(activation) = newest.filter(|newest| newest.is_overdue()) {
        let registers = arch::registers(context);
        let slot = activation.slot();
        match slot.image().text_offset(registers.pc) {
            Some(_) => {
                activation.fault(TrapCode::Deadline, &registers, false);
                arch::resume_with_raise(context, activation.host_sp());
            }
            None => slot.forbid_host_calls(),
        }
    }
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = errno };
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
