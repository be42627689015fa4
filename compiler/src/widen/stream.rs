//! The loads of a loop, or its stores: what they reach in a round, and in all.

use super::{
    WIDTH,
    round::{Loop, Next},
    sum::{Sum, Values},
};
use cranelift_codegen::{
    cursor::FuncCursor,
    ir::{
        Inst, InstBuilder, InstructionData, MemFlagsData, Opcode, SourceLoc, Type, Value,
        condcodes::IntCC, types::I64,
    },
};

/// What a round may advance by, in bytes: powers of two up to this.
const MAX_STRIDE: i64 = 64;
/// Offsets of accesses, and distances between those of a round, are below this.
const MAX_OFFSET: i64 = 1 << 16;

/// One load or store of the loop.
pub struct Access {
    index: Sum,
    offset: i64,
    pub bytes: i64,
    flags: MemFlagsData,
    /// What is stored, or what was loaded.
    pub value: Value,
    pub srcloc: SourceLoc,
}

impl Access {
    /// Reads a load or a store of linear memory.
    pub fn new(of: &Loop<'_>, inst: Inst) -> Option<Self> {
        let dfg = &of.func.dfg;
        let data = &dfg.insts[inst];
        let (address, value) = match *data {
            InstructionData::Load { arg, .. } => (arg, dfg.first_result(inst)),
            InstructionData::Store { args: [value, address], .. } => (address, of.resolve(value)),
            _ => return None,
        };
        let bytes = bytes(data.opcode(), of.ty(value))?;
        let flags = data.memflags_data(dfg)?;
        // Only accesses to linear memory may trap.
        flags.trap_code()?;
        let InstructionData::Binary { opcode: Opcode::Iadd, args: [base, index] } =
            *of.def(of.resolve(address))?
        else {
            return None;
        };
        let InstructionData::Unary { opcode: Opcode::Uextend, arg: index } =
            *of.def(of.resolve(index))?
        else {
            return None;
        };
        let offset = i64::from(data.load_store_offset()?);
        if of.resolve(base) != of.base || !(0..MAX_OFFSET).contains(&offset) {
            return None;
        }
        let srcloc = of.func.srcloc(inst);
        Some(Self { index: of.sum_of(index)?, offset, bytes, flags, value, srcloc })
    }
}

/// How many bytes a load or store of a `ty` accesses; nothing where it does more than to make a number
/// wider.
fn bytes(opcode: Opcode, ty: Type) -> Option<i64> {
    match opcode {
        Opcode::Load | Opcode::Store => Some(ty.bytes().into()),
        Opcode::Uload8 | Opcode::Sload8 => Some(1),
        Opcode::Uload16 | Opcode::Sload16 => Some(2),
        Opcode::Uload32 | Opcode::Sload32 => Some(4),
        _ => None,
    }
}

/// The loads or the stores of a loop, which adjoin each other.
pub struct Stream {
    /// Index of the one with the lowest index.
    index: Sum,
    /// By how much it grows in a round, in bytes; not 0.
    pub stride: i64,
    /// From there to the lowest byte of a round.
    pub start: i64,
    /// From there behind the highest.
    end: i64,
    pub flags: MemFlagsData,
}

impl Stream {
    /// Reads all loads or all stores of the loop.
    pub fn new(of: &Loop<'_>, accesses: &[Access], next: &[Next]) -> Option<Self> {
        let lowest = accesses.iter().min_by_key(|access| access.index.constant)?;
        let stride = i64::from(of.step(&lowest.index, next)?);
        let mut places = Vec::with_capacity(accesses.len());
        for access in accesses {
            let apart = i64::from(access.index.constant) - i64::from(lowest.index.constant);
            if access.index.terms != lowest.index.terms || apart >= MAX_OFFSET {
                return None;
            }
            places.push((apart + access.offset, access.bytes));
        }
        places.sort_unstable();
        let adjoin = places.windows(2).all(|pair| pair[0].0 + pair[0].1 == pair[1].0);
        let (first, last) = (places.first()?, places.last()?);
        let (start, end) = (first.0, last.0 + last.1);
        let size = stride.abs();
        let fits = end - start == size && size <= MAX_STRIDE && size.count_ones() == 1;
        (adjoin && fits).then(|| Self {
            index: lowest.index.clone(),
            stride,
            start,
            end,
            flags: lowest.flags,
        })
    }

    /// How far into a round `access` is, in bytes.
    pub fn place(&self, access: &Access) -> i64 {
        let apart = i64::from(access.index.constant) - i64::from(self.index.constant);
        apart + access.offset - self.start
    }

    /// Emits the index of the first round, an i64.
    pub fn first(&self, pos: &mut FuncCursor<'_>, at: &Values<'_>) -> Value {
        let index = self.index.emit(pos, at);
        pos.ins().uextend(I64, index)
    }

    /// Emits whether no access of the next rounds, of so many bytes in all, is beyond the end of
    /// memory or wraps around.
    pub fn is_inside(
        &self,
        pos: &mut FuncCursor<'_>,
        first: Value,
        bytes: Value,
        memory: Value,
    ) -> Value {
        if self.stride > 0 {
            let last = pos.ins().iadd(first, bytes);
            let end = pos.ins().iadd_imm_s(last, self.end - self.stride);
            return pos.ins().icmp(IntCC::UnsignedLessThanOrEqual, end, memory);
        }
        let end = pos.ins().iadd_imm_s(first, self.end);
        let below = pos.ins().icmp(IntCC::UnsignedLessThanOrEqual, end, memory);
        let above = pos.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, first, bytes);
        pos.ins().band(below, above)
    }

    /// Emits the address of the next vectors, and the offset of the first.
    pub fn address(&self, pos: &mut FuncCursor<'_>, at: &Values<'_>, base: Value) -> (Value, i32) {
        // Downwards, the rounds of a vector end at its first byte.
        let back = if self.stride < 0 { (WIDTH + self.stride).max(0) } else { 0 };
        let index = self.index.clone().offset(-back as i32).emit(pos, at);
        let index = pos.ins().uextend(I64, index);
        (pos.ins().iadd(base, index), self.start as i32)
    }
}
