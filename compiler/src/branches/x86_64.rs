//! x86-64: capstone tells lengths and operands.

use super::{Decode, Flow, image::Part};
use capstone::{
    InsnGroupType, RegId,
    arch::x86::{X86Insn, X86OpMem, X86Operand, X86OperandType, X86Reg},
    prelude::*,
};

pub struct Decoder(Capstone);

/// An instruction, as far as it is of interest.
struct Instruction {
    id: u32,
    len: usize,
    groups: Vec<u8>,
    operands: Vec<X86Operand>,
    /// Registers that it writes without naming them.
    writes: Vec<RegId>,
}

impl Instruction {
    fn is(&self, id: X86Insn) -> bool {
        self.id == id as u32
    }

    fn operand(&self, index: usize) -> Option<&X86OperandType> {
        self.operands.get(index).map(|operand| &operand.op_type)
    }

    /// The register of 32 or 64 bits that is operand `index`.
    fn register(&self, index: usize) -> Option<usize> {
        match self.operand(index)? {
            X86OperandType::Reg(name) => {
                let register = whole(*name)?;
                REGISTERS[register][2..].contains(&u32::from(name.0)).then_some(register)
            }
            _ => None,
        }
    }

    /// What its first operand is afterwards, where that is a constant.
    fn constant(&self) -> Option<i64> {
        let moves = self.is(X86Insn::X86_INS_MOV) || self.is(X86Insn::X86_INS_MOVABS);
        match self.operand(1)? {
            X86OperandType::Imm(value) if moves => Some(*value),
            X86OperandType::Reg(_) if self.is(X86Insn::X86_INS_XOR) => {
                (self.register(0)? == self.register(1)?).then_some(0)
            }
            _ => None,
        }
    }

    fn writes(&self, register: usize) -> bool {
        let named = self.operands.iter().any(|operand| match operand.op_type {
            X86OperandType::Reg(r) => {
                whole(r) == Some(register)
                    && operand.access.is_none_or(|access| access.is_writable())
            }
            _ => false,
        });
        named || self.writes.iter().any(|r| whole(*r) == Some(register))
    }
}

/// The general registers by their names for 8, 16, 32 and 64 bits.
#[rustfmt::skip]
const REGISTERS: [[u32; 4]; 16] = {
    use X86Reg::*;
    [
        [X86_REG_AL, X86_REG_AX, X86_REG_EAX, X86_REG_RAX],
        [X86_REG_CL, X86_REG_CX, X86_REG_ECX, X86_REG_RCX],
        [X86_REG_DL, X86_REG_DX, X86_REG_EDX, X86_REG_RDX],
        [X86_REG_BL, X86_REG_BX, X86_REG_EBX, X86_REG_RBX],
        [X86_REG_SPL, X86_REG_SP, X86_REG_ESP, X86_REG_RSP],
        [X86_REG_BPL, X86_REG_BP, X86_REG_EBP, X86_REG_RBP],
        [X86_REG_SIL, X86_REG_SI, X86_REG_ESI, X86_REG_RSI],
        [X86_REG_DIL, X86_REG_DI, X86_REG_EDI, X86_REG_RDI],
        [X86_REG_R8B, X86_REG_R8W, X86_REG_R8D, X86_REG_R8],
        [X86_REG_R9B, X86_REG_R9W, X86_REG_R9D, X86_REG_R9],
        [X86_REG_R10B, X86_REG_R10W, X86_REG_R10D, X86_REG_R10],
        [X86_REG_R11B, X86_REG_R11W, X86_REG_R11D, X86_REG_R11],
        [X86_REG_R12B, X86_REG_R12W, X86_REG_R12D, X86_REG_R12],
        [X86_REG_R13B, X86_REG_R13W, X86_REG_R13D, X86_REG_R13],
        [X86_REG_R14B, X86_REG_R14W, X86_REG_R14D, X86_REG_R14],
        [X86_REG_R15B, X86_REG_R15W, X86_REG_R15D, X86_REG_R15],
    ]
};

/// The register that a name stands for, or for a part of.
fn whole(name: RegId) -> Option<usize> {
    REGISTERS.iter().position(|names| names.contains(&u32::from(name.0)))
}

impl Decoder {
    pub fn new() -> Result<Self, String> {
        let capstone = Capstone::new().x86().mode(arch::x86::ArchMode::Mode64).detail(true);
        capstone.build().map(Self).map_err(|e| e.to_string())
    }

    fn read(&self, part: &Part<'_>, at: usize) -> Result<Instruction, String> {
        let code = part.code.get(at..).ok_or("control runs out of the piece")?;
        let code = &code[..code.len().min(15)];
        let found = self.0.disasm_count(code, at as u64, 1).map_err(|e| e.to_string())?;
        let found = found.first().ok_or("no instruction")?;
        let detail = self.0.insn_detail(found).map_err(|e| e.to_string())?;
        let operands = detail.arch_detail().x86().map(|x86| x86.operands().collect());
        Ok(Instruction {
            id: found.id().0,
            len: found.len(),
            groups: detail.groups().iter().map(|group| group.0).collect(),
            operands: operands.unwrap_or_default(),
            writes: detail.regs_write().to_vec(),
        })
    }

    /// The number of targets behind the `jmp` through a register that ends `run`:
    ///
    /// ```text
    /// mov n, len; cmp i, n; cmovb n, i             (with moves of i and n among them, and spills)
    /// lea t, [rip + table]; movsxd d, [t + n * 4]; add t, d; jmp t
    /// ```
    fn table(&self, part: &Part<'_>, run: &[usize], end: usize) -> Result<usize, String> {
        let odd = "a jump through a register that no bounded table fills";
        let back = |by: usize| {
            let at = run.len().checked_sub(by + 1).map(|i| run[i]);
            self.read(part, at.ok_or(odd)?)
        };
        let (jump, add, load, lea) = (back(0)?, back(1)?, back(2)?, back(3)?);
        let t = jump.register(0).ok_or(odd)?;
        let d = load.register(0).ok_or(odd)?;
        let table = match lea.operand(1) {
            Some(X86OperandType::Mem(place)) if is_relative(place) => {
                run[run.len() - 3] as i64 + place.disp()
            }
            _ => return Err(odd.into()),
        };
        let index = match load.operand(1) {
            Some(X86OperandType::Mem(place))
                if whole(place.base()) == Some(t) && place.scale() == 4 && place.disp() == 0 =>
            {
                whole(place.index()).ok_or(odd)?
            }
            _ => return Err(odd.into()),
        };
        let is_sequence = lea.is(X86Insn::X86_INS_LEA)
            && lea.register(0) == Some(t)
            && load.is(X86Insn::X86_INS_MOVSXD)
            && add.is(X86Insn::X86_INS_ADD)
            && add.register(0) == Some(t)
            && add.register(1) == Some(d)
            && d != t
            && table == end as i64;
        match is_sequence {
            true => Ok(self.bound(part, &run[..run.len() - 4], index)? + 1),
            false => Err(odd.into()),
        }
    }

    /// What bounds `register` behind `run`: the constant that it is where it would be larger. Read
    /// backwards, with an eye on three values, wherever they are kept at that point: the bound, what
    /// is chosen in its place, and what was compared with it, which has to be the same.
    fn bound(&self, part: &Part<'_>, run: &[usize], register: usize) -> Result<usize, String> {
        let odd = "a jump through a table with an index that is not bounded";
        let mut bound = Some(Place::Register(register));
        let (mut chosen, mut compared) = (None, None);
        let mut constant = None;
        for at in run.iter().rev() {
            let instruction = self.read(part, *at)?;
            let (first, second) = (instruction.register(0), instruction.register(1));
            let of_bound = |operand: Option<usize>| operand.map(Place::Register) == bound;
            if chosen.is_none() && instruction.is(X86Insn::X86_INS_CMOVB) && of_bound(first) {
                chosen = Some(Place::Register(second.ok_or(odd)?));
                continue;
            }
            if chosen.is_some() && compared.is_none() {
                if instruction.is(X86Insn::X86_INS_CMP) && of_bound(second) {
                    compared = Some(Place::Register(first.ok_or(odd)?));
                } else if !instruction.is(X86Insn::X86_INS_MOV) {
                    // Only moves may lie between, which leave the flags alone.
                    return Err(odd.into());
                }
            }
            if compared.is_some() && of_bound(first) {
                constant = instruction.constant();
                if constant.is_some() {
                    bound = None;
                }
            }
            for place in [&mut bound, &mut chosen, &mut compared].into_iter().flatten() {
                *place = place.before(&instruction).ok_or(odd)?;
            }
            if let (Some(constant), true) = (constant, chosen == compared) {
                return usize::try_from(constant).map_err(|_| odd.into());
            }
            if compared.is_some() && chosen == compared {
                // One value from here on back; nothing can part it.
                (chosen, compared) = (Some(Place::Nowhere), Some(Place::Nowhere));
            }
        }
        Err(odd.into())
    }
}

/// Where a value is kept.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Register(usize),
    /// In the frame, so many bytes from the stack pointer.
    Slot(i64),
    /// No longer of interest.
    Nowhere,
}

impl Place {
    fn of(operand: Option<&X86OperandType>) -> Option<Self> {
        match operand? {
            X86OperandType::Reg(name) => whole(*name).map(Self::Register),
            X86OperandType::Mem(place)
                if u32::from(place.base().0) == X86Reg::X86_REG_RSP
                    && place.index() == RegId::INVALID_REG =>
            {
                Some(Self::Slot(place.disp()))
            }
            _ => None,
        }
    }

    /// Where the value was before `instruction`, if that did no more than move it.
    fn before(self, instruction: &Instruction) -> Option<Self> {
        let target = Self::of(instruction.operand(0));
        let written = match self {
            Self::Register(register) => instruction.writes(register),
            Self::Slot(at) => match target {
                // A spill takes up to 16 bytes.
                Some(Self::Slot(other)) if other != at && (other - at).abs() < 16 => return None,
                target => target == Some(Self::Slot(at)),
            },
            Self::Nowhere => false,
        };
        match written {
            false => Some(self),
            true if instruction.is(X86Insn::X86_INS_MOV) && target == Some(self) => {
                Self::of(instruction.operand(1))
            }
            true => None,
        }
    }
}

/// Whether an operand is relative to the program counter.
fn is_relative(place: &X86OpMem) -> bool {
    u32::from(place.base().0) == X86Reg::X86_REG_RIP
        && place.index() == RegId::INVALID_REG
        && place.segment() == RegId::INVALID_REG
}

impl Decode for Decoder {
    fn decode(&self, part: &Part<'_>, run: &[usize]) -> Result<(usize, Flow), String> {
        let at = *run.last().expect("an instruction");
        let instruction = self.read(part, at)?;
        let (len, end) = (instruction.len, at + instruction.len);
        let group = |group: u32| instruction.groups.iter().any(|g| u32::from(*g) == group);
        let slot = |place: &X86OpMem| {
            let address = (part.address + end as u64).wrapping_add_signed(place.disp());
            is_relative(place).then_some(address)
        };
        use X86OperandType::{Imm, Mem, Reg};
        let flow = if group(InsnGroupType::CS_GRP_RET) || instruction.is(X86Insn::X86_INS_UD2) {
            Flow::End
        } else if instruction.is(X86Insn::X86_INS_CALL) {
            match instruction.operand(0) {
                Some(Imm(to)) => Flow::Call(*to),
                Some(Reg(_)) => Flow::CallRegister,
                Some(Mem(place)) => {
                    Flow::CallSlot(slot(place).ok_or("a call through memory that is no slot")?)
                }
                _ => return Err("a call to somewhere".into()),
            }
        } else if instruction.is(X86Insn::X86_INS_JMP) {
            match instruction.operand(0) {
                Some(Imm(to)) => Flow::Jump(*to),
                Some(Reg(_)) => Flow::Table(self.table(part, run, end)?),
                Some(Mem(place)) => {
                    Flow::JumpSlot(slot(place).ok_or("a jump through memory that is no slot")?)
                }
                _ => return Err("a jump to somewhere".into()),
            }
        } else if group(InsnGroupType::CS_GRP_JUMP) {
            match instruction.operand(0) {
                Some(Imm(to)) => Flow::Branch(*to),
                _ => return Err("a branch to somewhere".into()),
            }
        } else if group(InsnGroupType::CS_GRP_CALL)
            || group(InsnGroupType::CS_GRP_INT)
            || group(InsnGroupType::CS_GRP_IRET)
            || group(InsnGroupType::CS_GRP_PRIVILEGE)
        {
            return Err("an instruction that leaves the program".into());
        } else {
            Flow::On
        };
        Ok((len, flow))
    }
}
