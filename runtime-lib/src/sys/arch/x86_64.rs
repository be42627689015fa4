//! Entering and leaving a guest on x86-64, and what a signal context means there.
//!
//! `enter` and `raise` are the two halves of a `setjmp`: what one pushes the other pops. The
//! layout below `host_sp` and the fields of [`SaveArea`] must stay in step.

use super::{Registers, SaveArea};
use lithify_abi::cpu::CpuFeature;
use lithify_abi::machine::Machine;
use std::arch::naked_asm;

/// This machine.
pub const MACHINE: Machine = Machine::X86_64;

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
        "push rbp",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset rbp, -16",
        "mov rbp, rsp",
        ".cfi_def_cfa_register rbp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        ".cfi_offset rbx, -24",
        ".cfi_offset r12, -32",
        ".cfi_offset r13, -40",
        ".cfi_offset r14, -48",
        ".cfi_offset r15, -56",
        "sub rsp, 8",
        "mov [rdi], rsp",
        "mov [rdi + 8], rbp",
        // The callee preserves rbx, so the way back to this stack needs no memory.
        "mov rbx, rsp",
        "mov rax, rsp",
        "test r9, r9",
        "cmovnz rax, r9",
        "mov rsp, rax",
        "mov rax, rsi",
        "mov rdi, rdx",
        "mov rsi, rcx",
        "mov rdx, r8",
        "call rax",
        "mov rsp, rbx",
        "xor eax, eax",
        "add rsp, 8",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        ".cfi_def_cfa rsp, 8",
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
        "mov rsp, rdi",
        "cld",
        "mov eax, 1",
        "add rsp, 8",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        "ret",
    )
}

/// The registers of the interrupted code.
pub fn registers(context: &libc::ucontext_t) -> Registers {
    let gregs = &context.uc_mcontext.gregs;
    Registers {
        pc: gregs[libc::REG_RIP as usize] as usize,
        fp: gregs[libc::REG_RBP as usize] as usize,
        sp: gregs[libc::REG_RSP as usize] as usize,
        link: None,
    }
}

/// Makes the interrupted code continue with `raise(host_sp)`.
pub fn resume_with_raise(context: &mut libc::ucontext_t, host_sp: usize) {
    let gregs = &mut context.uc_mcontext.gregs;
    gregs[libc::REG_RIP as usize] = raise as *const () as usize as i64;
    gregs[libc::REG_RDI as usize] = host_sp as i64;
}

/// The features of [`lithify_abi::cpu`] that this machine has.
pub fn cpu_features() -> u64 {
    macro_rules! detect {
        ($($name:ident = $bit:literal, $text:literal, $detected:tt;)*) => {{
            let mut bits = 0;
            $(if std::is_x86_feature_detected!($detected) {
                bits |= CpuFeature::$name.bit();
            })*
            bits
        }};
    }
    lithify_abi::for_each_cpu_feature!(detect)
}
