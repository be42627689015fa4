//! Faults of guests, as traps; first writes to pages, as pages of the hot set; deadlines, as traps.
//! This is the sandbox.
//!
//! It wants four kinds of faults, and passes every other one on:
//!
//! - a write to a page of some slot's memory that is mapped read-only, by whatever code;
//! - a fault of code in the image that this thread's newest activation runs, at a listed trap
//!   site or in the guard of its stack;
//! - a signal of somebody else's that the kernel could not deliver, as that code had used up its
//!   stack;
//! - a host function that needs the stack beyond the guest's: it gets more of its room.
//!
//! [`interrupt`] leaves a guest whose deadline has passed.
//!
//! All of it runs in signal handlers (`sys/linux/signals.rs`, `alarm.rs`): it neither allocates nor locks
//! nor formats nor panics.

use super::activation::{self, Activation};
use crate::slot::registry;
use crate::sys::arch::Registers;
use crate::sys::linux::signals::{self, Answer, Cause, Fault, SIGNAL_FRAME, Signal};
use lithify_abi::descriptor::NONE;
use lithify_abi::site::Sites;
use lithify_abi::trap::TrapCode;
use lithify_abi::vmctx::RESERVATION;
use std::ffi::c_void;
use std::io;
use std::iter;

/// Makes faults of guests traps from here on. Without it nothing of a guest may run.
pub fn install() -> io::Result<()> {
    signals::install(answer)
}

fn answer(fault: &Fault) -> Answer {
    let write = first_write(fault);
    if write == Write::First {
        return Answer::Again;
    }
    match guest_fault(fault, write) {
        Some(host_sp) => Answer::Leave(host_sp),
        None if host_stack(fault) => Answer::Again,
        None if write == Write::Refused => {
            signals::complain("lithify: no memory for a page that a host function writes\n");
            Answer::Pass
        }
        None => Answer::Pass,
    }
}

/// The newest activation of this thread. Safe to call in a signal handler, which it does not outlive.
fn newest<'a>() -> Option<&'a Activation> {
    // SAFETY: activations of this thread live until their calls return, below the handler's frame.
    unsafe { activation::current().as_ref() }
}

/// Notes the frames of the guest that this thread runs, the innermost first, as a signal found them, and
/// returns how many: the program counter where that was the guest's, and return addresses. 0 where the
/// thread runs none. For profilers: it is safe in a signal handler, and
/// [`Image::function_at`](crate::Image::function_at) has the names. A return address follows its call, which
/// may be the last instruction of a function.
///
/// # Safety
///
/// `context` is what the system passed to a handler with `SA_SIGINFO` that runs on this thread now.
pub unsafe fn guest_frames(context: *const c_void, frames: &mut [usize]) -> usize {
    // SAFETY: the caller vouches for it.
    let registers = unsafe { signals::registers(context) };
    newest().map_or(0, |activation| activation.interrupted(&registers, frames))
}

/// Notes the frames of the guest whose host function this thread runs, the innermost first, and returns how
/// many: return addresses, as those of [`guest_frames`]. 0 where the thread runs none, or none of Lithify's.
pub fn calling_frames(frames: &mut [usize]) -> usize {
    newest().map_or(0, |activation| activation.calling(frames))
}

/// What a fault is to the memory of some slot.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Write {
    /// The first write to a page, which is writable now.
    First,
    /// The same, but the kernel has no memory for it.
    Refused,
    /// None that the page's protection forbade.
    None,
}

/// Makes a page writable that is written for the first time.
fn first_write(fault: &Fault) -> Write {
    // A jump into memory faults for another reason, at the program counter itself.
    if fault.cause != Cause::Access || fault.address == fault.registers.pc {
        return Write::None;
    }
    // SAFETY: the code that faulted may use that address, so it keeps the memory alive.
    match unsafe { registry::find(fault.address) }.map(|memory| memory.first_write(fault.address)) {
        Some(Ok(true)) => Write::First,
        Some(Err(_)) => Write::Refused,
        Some(Ok(false)) | None => Write::None,
    }
}

/// Turns a fault of guest code into a trap; returns where to go.
fn guest_fault(fault: &Fault, write: Write) -> Option<usize> {
    let activation = newest()?;
    let (code, in_stub) = match fault.cause {
        Cause::Kernel => lost_signal(activation, fault)?,
        _ => trap_code(activation, fault, write)?,
    };
    activation.fault(code, &fault.registers, in_stub);
    Some(activation.host_sp())
}

/// The trap that a fault is, and whether it is that of a stub, which has no frame.
fn trap_code(activation: &Activation, fault: &Fault, write: Write) -> Option<(TrapCode, bool)> {
    let slot = activation.slot();
    let (image, reservation) = (slot.image(), slot.reservation());
    let code = image.text_offset(fault.registers.pc)?;
    let memory_fault = matches!(fault.signal, Signal::Segv | Signal::Bus);
    if memory_fault && reservation.stack_guard().contains(&fault.address) {
        return Some((TrapCode::StackOverflow, false));
    }
    let (function, sites) = image.function_at(code)?;
    if write == Write::Refused {
        return Some((TrapCode::MemoryRefused, function.index == NONE));
    }
    let sites = Sites::new(image.sites(function.sites, sites), function.body);
    let (trap, _) = sites.trap(code - function.code)?;
    let beyond_memory = {
        let offset = fault.address.wrapping_sub(slot.base() as usize) as u64;
        slot.header().memory_len() as u64 <= offset && offset < RESERVATION
    };
    let expected = match fault.signal {
        Signal::Fpe => matches!(trap, TrapCode::IntegerDivideByZero | TrapCode::IntegerOverflow),
        Signal::Ill => true,
        Signal::Segv | Signal::Bus => trap == TrapCode::MemoryOutOfBounds && beyond_memory,
    };
    // A stub that finds no stack for a host call, since none is allowed any more.
    let late = trap == TrapCode::StackOverflow && slot.header().host_calls_forbidden();
    expected.then_some((if late { TrapCode::Deadline } else { trap }, function.index == NONE))
}

/// Whether the kernel ended a guest's thread since it had no room for a signal on the guest's stack.
fn lost_signal(activation: &Activation, fault: &Fault) -> Option<(TrapCode, bool)> {
    let slot = activation.slot();
    slot.image().text_offset(fault.registers.pc)?;
    let left = fault.registers.sp.wrapping_sub(slot.reservation().stack_guard().end);
    let lost = fault.signal == Signal::Segv && left < SIGNAL_FRAME;
    lost.then_some((TrapCode::SignalStack, false))
}

/// Gives a host function of this thread that went beyond the guest's stack more of its room. Says
/// so where it used up all of it, before the process ends.
fn host_stack(fault: &Fault) -> bool {
    if fault.signal != Signal::Segv {
        return false;
    }
    let mut all = iter::successors(newest(), |activation| activation.parent());
    let guard = |activation: &Activation| activation.slot().reservation().stack_guard();
    let Some(activation) = all.find(|activation| guard(activation).contains(&fault.address)) else {
        return false;
    };
    if activation.slot().reservation().open_room(fault.address) {
        return true;
    }
    signals::complain("lithify: a host function used up its stack, or there is no memory for it\n");
    false
}

/// Leaves the guest of this thread if its deadline has passed; returns where to go. In a host
/// function, which is not left, it sees to it that no other one is called; as long as the time stays
/// set, the signal comes again.
pub fn interrupt(registers: &Registers) -> Option<usize> {
    let activation = newest().filter(|newest| newest.is_overdue())?;
    let slot = activation.slot();
    if slot.image().text_offset(registers.pc).is_none() {
        slot.header().forbid_host_calls();
        return None;
    }
    activation.fault(TrapCode::Deadline, registers, false);
    Some(activation.host_sp())
}
