//! Import stubs: what guest code calls in place of a function that someone else defines.
//!
//! A stub notes where the guest left off, so that a trap raised in the host finds the guest's
//! frames, checks that the host has stack to run on, and jumps through a slot of the global
//! offset table. The slot is filled by our loader, by `ld.so` or by a static linker alike. The
//! arguments stay where they are, so the host function sees a plain C call.
//!
//! Assembled by hand: Cranelift has no tail jump in the platform's C convention.

use crate::{
    symbol::Symbol,
    text::{Piece, Reloc},
};
use cranelift_codegen::binemit::Reloc as Kind;
use lithify_abi::{
    machine::Machine,
    site::{self, Site},
    trap::TrapCode,
    vmctx::{EXIT_FP, EXIT_PC, EXIT_SP, STACK_LIMIT},
};

/// The stub that jumps to `import`.
pub fn stub(machine: Machine, import: Symbol) -> Piece {
    let (code, trap, relocs) = match machine {
        Machine::X86_64 => x86_64(import),
        Machine::Aarch64 => aarch64(import),
    };
    let mut sites = Vec::new();
    let overflow = Site { code: trap, position: 0, kind: TrapCode::StackOverflow as u8 };
    site::encode(0..0, &[], &[overflow], &mut sites);
    Piece { code, relocs, sites, ..Piece::default() }
}

fn x86_64(import: Symbol) -> (Vec<u8>, u32, Vec<Reloc>) {
    /// A field of the vmctx as the displacement of one byte from `rdi`.
    const fn field(offset: i32) -> u8 {
        assert!(i8::MIN as i32 <= offset && offset <= i8::MAX as i32, "one byte");
        offset as i8 as u8
    }
    let mut code = Vec::with_capacity(22);
    code.extend([0x48, 0x89, 0x6f, const { field(EXIT_FP) }]); // mov [rdi + EXIT_FP], rbp
    code.extend([0x48, 0x89, 0x67, const { field(EXIT_SP) }]); // mov [rdi + EXIT_SP], rsp
    code.extend([0x48, 0x3b, 0x67, const { field(STACK_LIMIT) }]); // cmp rsp, [rdi + STACK_LIMIT]
    code.extend([0x76, 0x06]); // jbe overflow
    code.extend([0xff, 0x25, 0, 0, 0, 0]); // jmp [rip + slot]
    code.extend([0x0f, 0x0b]); // overflow: ud2
    let slot = Reloc { offset: 16, kind: Kind::X86GOTPCRel4, symbol: import, addend: -4 };
    (code, 20, vec![slot])
}

fn aarch64(import: Symbol) -> (Vec<u8>, u32, Vec<Reloc>) {
    /// `stur`/`ldur` of 64 bits at `[x0, #offset]`.
    const fn at_base(opcode: u32, register: u32, offset: i32) -> u32 {
        assert!(-256 <= offset && offset < 256, "nine bits");
        opcode | ((offset as u32 & 0x1ff) << 12) | register
    }
    const STUR: u32 = 0xf800_0000;
    const LDUR: u32 = 0xf840_0000;
    const CODE: [u32; 11] = [
        at_base(STUR, 29, EXIT_FP),
        0x9100_03f0, // mov x16, sp
        at_base(STUR, 16, EXIT_SP),
        at_base(STUR, 30, EXIT_PC),
        at_base(LDUR, 17, STACK_LIMIT),
        0xeb11_021f, // cmp x16, x17
        0x5400_0089, // b.ls overflow
        0x9000_0010, // adrp x16, slot
        0xf940_0210, // ldr x16, [x16, slot]
        0xd61f_0200, // br x16
        0x0000_c11f, // overflow: udf
    ];
    let code = CODE.iter().flat_map(|word: &u32| word.to_le_bytes()).collect();
    let page = Reloc { offset: 28, kind: Kind::Aarch64AdrGotPage21, symbol: import, addend: 0 };
    let low = Reloc { offset: 32, kind: Kind::Aarch64Ld64GotLo12Nc, symbol: import, addend: 0 };
    (code, 40, vec![page, low])
}
