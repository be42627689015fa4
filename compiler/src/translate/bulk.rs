//! `memory.copy` and `memory.fill`: in line where they are short and of a constant length, else calls of
//! what looks at the length (`short.rs`).

use super::Translator;
use crate::{
    isa::Way,
    short::{self, Bulk, LONGEST, Place},
};
use cranelift_codegen::ir::{
    InstBuilder, Type, Value,
    types::{I8, I8X16, I16, I32, I64},
};

/// Accesses of one width that cover so many bytes, at least one: as wide as they may be. Where they don't
/// add up, the last one begins earlier.
fn pieces(len: u32) -> Vec<(Type, i32)> {
    let ty = [I8X16, I64, I32, I16, I8].into_iter().find(|ty| ty.bytes() <= len).unwrap_or(I8);
    let last = (len - ty.bytes()) as i32;
    let starts = (0..last).step_by(ty.bytes() as usize);
    starts.chain([last]).map(|at| (ty, at)).collect()
}

impl Translator<'_, '_> {
    /// `memory.copy`: destination, source and length are on the stack.
    pub(super) fn memory_copy(&mut self) {
        let [to, from, len] = self.pop_n();
        let Some(len) = self.short_length(len) else {
            return self.bulk_call(Bulk::Copy, &[to, from, len]);
        };
        let [to, from] = [to, from].map(|index| self.places(index, len));
        let flags = self.memory_flags();
        short::copy_places(&mut self.builder, flags, &to, &from);
    }

    /// `memory.fill`: destination, value and length are on the stack.
    pub(super) fn memory_fill(&mut self) {
        let [to, value, len] = self.pop_n();
        let Some(len) = self.short_length(len) else {
            return self.bulk_call(Bulk::Fill, &[to, value, len]);
        };
        let places = self.places(to, len);
        let byte = self.builder.ins().ireduce(I8, value);
        let flags = self.memory_flags();
        short::fill_places(&mut self.builder, flags, &places, byte);
    }

    /// The parts of so many bytes at `index`, which traps where they are not all inside of memory.
    fn places(&mut self, index: Value, len: u32) -> Vec<Place> {
        let address = self.inside(index, len);
        pieces(len).into_iter().map(|(ty, at)| (ty, address, at)).collect()
    }

    /// A length that is known, not zero, and short enough.
    fn short_length(&self, len: Value) -> Option<u32> {
        let short = self.constant_i32(len).filter(|len| (1..=LONGEST).contains(len));
        short.filter(|_| self.way != Way::Plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_all_bytes_and_no_other() {
        for len in 1..=LONGEST {
            let mut covered = vec![false; len as usize];
            for (ty, at) in pieces(len) {
                covered[at as usize..at as usize + ty.bytes() as usize].fill(true);
            }
            assert!(covered.iter().all(|covered| *covered), "{len}");
            assert!(pieces(len).len() <= 8, "{len}");
        }
    }
}
