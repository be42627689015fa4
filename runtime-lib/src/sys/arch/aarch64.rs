//! Entering and leaving a guest on aarch64, and what a signal context means there.
//!
//! `enter` and `raise` are the two halves of a `setjmp`: what one pushes the other pops. The
//! layout at `host_sp` and the fields of [`SaveArea`] must stay in step.

use super::{Registers, SaveArea};
use lithify_abi::machine::Machine;
use std::arch::naked_asm;

/// This machine.
pub const MACHINE: Machine = Machine::Aarch64;

/// Calls `entry(base, callee, values)` on the stack that ends at `stack_top`, or on the current
/// one when that is null. Returns 0 when the callee returned, 1 when it was left by [`raise`].
///
/// # Safety
///
/// `entry` is an entry trampoline (or a function that takes nothing but `base`) of the image
/// to which `base` and `callee` belong, `values` holds as many values as it reads and writes,
/// and the stack is 16-byte aligned and not in use.
#[unsafe(naked)]
pub unsafe extern "C" fn enter(
    save: *const SaveArea,
    entry: *const u8,
    base: *mut u8,
    callee: *const u8,
    values: *mut u128,
    stack_top: *mut u8,
) -> u32 {
    naked_asm!(
        ".cfi_startproc",
        "stp x29, x30, [sp, #-160]!",
        ".cfi_def_cfa_offset 160",
        ".cfi_offset x29, -160",
        ".cfi_offset x30, -152",
        "mov x29, sp",
        ".cfi_def_cfa x29, 160",
        "stp x19, x20, [sp, #16]",
        "stp x21, x22, [sp, #32]",
        "stp x23, x24, [sp, #48]",
        "stp x25, x26, [sp, #64]",
        "stp x27, x28, [sp, #80]",
        "stp d8, d9, [sp, #96]",
        "stp d10, d11, [sp, #112]",
        "stp d12, d13, [sp, #128]",
        "stp d14, d15, [sp, #144]",
        ".cfi_offset x19, -144",
        ".cfi_offset x20, -136",
        ".cfi_offset x21, -128",
        ".cfi_offset x22, -120",
        ".cfi_offset x23, -112",
        ".cfi_offset x24, -104",
        ".cfi_offset x25, -96",
        ".cfi_offset x26, -88",
        ".cfi_offset x27, -80",
        ".cfi_offset x28, -72",
        "str x29, [x0]",
        "str x29, [x0, #8]",
        "cbz x5, 2f",
        "mov sp, x5",
        "2:",
        "mov x9, x1",
        "mov x0, x2",
        "mov x1, x3",
        "mov x2, x4",
        "blr x9",
        // The callee preserves x29, which is this stack's pointer.
        "mov sp, x29",
        "mov w0, #0",
        "ldp x19, x20, [sp, #16]",
        "ldp x21, x22, [sp, #32]",
        "ldp x23, x24, [sp, #48]",
        "ldp x25, x26, [sp, #64]",
        "ldp x27, x28, [sp, #80]",
        "ldp d8, d9, [sp, #96]",
        "ldp d10, d11, [sp, #112]",
        "ldp d12, d13, [sp, #128]",
        "ldp d14, d15, [sp, #144]",
        "ldp x29, x30, [sp], #160",
        ".cfi_def_cfa sp, 0",
        "ret",
        ".cfi_endproc",
    )
}

/// Leaves the guest: returns 1 from the [`enter`] that stored `host_sp`.
///
/// # Safety
///
/// That call of `enter` has not returned, it runs on this thread, and no frame above it owns
/// anything that would need dropping.
#[unsafe(naked)]
pub unsafe extern "C" fn raise(host_sp: usize) -> ! {
    naked_asm!(
        "mov sp, x0",
        "mov w0, #1",
        "ldp x19, x20, [sp, #16]",
        "ldp x21, x22, [sp, #32]",
        "ldp x23, x24, [sp, #48]",
        "ldp x25, x26, [sp, #64]",
        "ldp x27, x28, [sp, #80]",
        "ldp d8, d9, [sp, #96]",
        "ldp d10, d11, [sp, #112]",
        "ldp d12, d13, [sp, #128]",
        "ldp d14, d15, [sp, #144]",
        "ldp x29, x30, [sp], #160",
        "ret",
    )
}

/// The registers of the interrupted code.
pub fn registers(context: &libc::ucontext_t) -> Registers {
    let machine = &context.uc_mcontext;
    Registers {
        pc: machine.pc as usize,
        fp: machine.regs[29] as usize,
        sp: machine.sp as usize,
        link: Some(machine.regs[30] as usize),
    }
}

/// Makes the interrupted code continue with `raise(host_sp)`.
pub fn resume_with_raise(context: &mut libc::ucontext_t, host_sp: usize) {
    context.uc_mcontext.pc = raise as *const () as usize as u64;
    context.uc_mcontext.regs[0] = host_sp as u64;
}

/// The features of [`lithify_abi::cpu`] that this machine has: none are named there.
pub fn cpu_features() -> u64 {
    0
}
