//! Words that are put together from two others: how code copies that loads aligned words only.
//!
//! ```text
//! loaded before and now    |....cccc|cccc....|      upwards; downwards, the one before is above
//! stored                        |cccccccc|
//! ```
//!
//! With shifts by whole bytes that fill a word, what is stored are the bytes of memory from the middle of
//! one word to that of the next. Whether the shifts are so, and whether memory still has what the
//! round before loaded (the first one may have it from elsewhere), the guard asks.

use super::{
    round::{Loop, Next},
    stream::{Access, Stream},
    sum::Values,
};
use cranelift_codegen::{
    cursor::FuncCursor,
    ir::{
        InstBuilder, InstructionData, Opcode, Type, Value,
        condcodes::IntCC,
        types::{I32, I64},
    },
};

/// A copy of words that lie across those that are loaded.
pub struct Shifted {
    /// The words that are loaded.
    pub from: Stream,
    ty: Type,
    /// The parameter that is the word of the round before.
    before: Value,
    /// By how much the lower word is shifted right, and the upper one left.
    right: Value,
    left: Value,
}

impl Shifted {
    /// Reads the only load and the only store of a loop.
    pub fn new(
        of: &Loop<'_>,
        load: &Access,
        store: &Access,
        to: &Stream,
        next: &[Next],
    ) -> Option<Self> {
        let from = Stream::new(of, std::slice::from_ref(load), next)?;
        let ty = of.ty(load.value);
        let is_word = ty == I32 || ty == I64;
        let same = load.bytes == store.bytes && from.stride == to.stride;
        if !is_word || !same || of.ty(store.value) != ty || from.stride.abs() != load.bytes {
            return None;
        }
        let binary = |value: Value, wanted: Opcode| match of.def(of.resolve(value)) {
            Some(InstructionData::Binary { opcode, args: [a, b] }) if *opcode == wanted => {
                Some((of.resolve(*a), of.resolve(*b)))
            }
            _ => None,
        };
        let (one, other) = binary(store.value, Opcode::Bor)?;
        let ((lower, right), (upper, left)) =
            match (binary(one, Opcode::Ushr), binary(other, Opcode::Ishl)) {
                (Some(lower), Some(upper)) => (lower, upper),
                _ => (binary(other, Opcode::Ushr)?, binary(one, Opcode::Ishl)?),
            };
        let (before, now) = if from.stride > 0 { (lower, upper) } else { (upper, lower) };
        // All that goes from round to round is this one word.
        let mut kept = of.params.iter().zip(next).filter_map(|(param, next)| match next {
            Next::Loaded(value) => Some((*param, *value)),
            _ => None,
        });
        let is_kept = kept.next() == Some((before, load.value)) && kept.next().is_none();
        let fixed = |value: Value| of.is_fixed(value) && matches!(of.ty(value), I32 | I64);
        (is_kept && now == load.value && fixed(right) && fixed(left)).then_some(Self {
            from,
            ty,
            before,
            right,
            left,
        })
    }

    /// From the word that is loaded to the one of the round before, in bytes.
    fn back(&self) -> i64 {
        -self.from.stride
    }

    /// From the word that is loaded to the lower one, in bytes.
    pub fn lower(&self) -> i64 {
        self.back().min(0)
    }

    /// Emits by how many bytes what is stored lies behind the lower word, an i64, and whether the shifts
    /// are by whole bytes and fill a word.
    pub fn shift(&self, pos: &mut FuncCursor<'_>) -> (Value, Value) {
        let mask = i64::from(self.ty.bits()) - 1;
        let [right, left] = [self.right, self.left].map(|by| {
            let by = match pos.func.dfg.value_type(by) {
                I64 => by,
                _ => pos.ins().uextend(I64, by),
            };
            pos.ins().band_imm_u(by, mask)
        });
        let all = pos.ins().iadd(right, left);
        let fill = pos.ins().icmp_imm_u(IntCC::Equal, all, mask + 1);
        let part = pos.ins().band_imm_u(right, 7);
        let whole = pos.ins().icmp_imm_u(IntCC::Equal, part, 0);
        let good = pos.ins().band(fill, whole);
        (pos.ins().ushr_imm_u(right, 3), good)
    }

    /// Emits whether the word of the round before the first is in memory, where the first load is at
    /// `first`, and nothing beyond the end of memory is needed for it.
    pub fn has_room(&self, pos: &mut FuncCursor<'_>, first: Value, memory: Value) -> Value {
        let start = self.from.start + self.back();
        if self.back() < 0 {
            let place = pos.ins().iadd_imm_s(first, start);
            return pos.ins().icmp_imm_s(IntCC::SignedGreaterThanOrEqual, place, 0);
        }
        let end = pos.ins().iadd_imm_s(first, start + i64::from(self.ty.bytes()));
        pos.ins().icmp(IntCC::UnsignedLessThanOrEqual, end, memory)
    }

    /// Emits the word that is loaded so many rounds from where `at` is. By the address of the load there:
    /// an index of another round may have wrapped around.
    pub fn word(
        &self,
        pos: &mut FuncCursor<'_>,
        at: &Values<'_>,
        base: Value,
        rounds: i64,
    ) -> Value {
        let index = self.from.first(pos, at);
        let address = pos.ins().iadd(base, index);
        let offset = (self.from.start + rounds * self.from.stride) as i32;
        pos.ins().load(self.ty, self.from.flags, address, offset)
    }

    /// Emits whether memory has what the loop took from the word of the round before.
    pub fn is_in_memory(&self, pos: &mut FuncCursor<'_>, at: &Values<'_>, base: Value) -> Value {
        let word = self.word(pos, at, base, -1);
        let [kept, found] = [at.get(self.before), word].map(|word| {
            if self.from.stride > 0 {
                pos.ins().ushr(word, self.right)
            } else {
                pos.ins().ishl(word, self.left)
            }
        });
        pos.ins().icmp(IntCC::Equal, kept, found)
    }
}
