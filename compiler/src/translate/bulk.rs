//! `memory.copy` and `memory.fill`: in line where they are short and of a constant length, else calls.

use super::Translator;
use crate::isa::Way;
use cranelift_codegen::ir::{
    InstBuilder, Type, Value,
    types::{I8, I8X16, I16, I32, I64},
};
use lithify_abi::libcall::Libcall;

/// The longest that is done in line, in bytes.
const LONGEST: u32 = 64;

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
        match self.short_length(len) {
            Some(len) => {
                let [to, from] = [to, from].map(|index| self.inside(index, len));
                let places = pieces(len).into_iter().map(|(ty, at)| (ty, to, from, at));
                self.copy_places(&places.collect::<Vec<_>>());
            }
            None => _ = self.libcall(Libcall::MemoryCopy, &[to, from, len]),
        }
    }

    /// `memory.fill`: destination, value and length are on the stack.
    pub(super) fn memory_fill(&mut self) {
        let [to, value, len] = self.pop_n();
        let Some(len) = self.short_length(len) else {
            self.libcall(Libcall::MemoryFill, &[to, value, len]);
            return;
        };
        let to = self.inside(to, len);
        let byte = self.builder.ins().ireduce(I8, value);
        let flags = self.memory_flags();
        let mut filled = None;
        for (ty, at) in pieces(len) {
            let value = *filled.get_or_insert_with(|| match ty {
                I8 => byte,
                I8X16 => self.builder.ins().splat(I8X16, byte),
                _ => {
                    let byte = self.builder.ins().uextend(I64, byte);
                    let bytes = self.builder.ins().imul_imm_u(byte, 0x0101_0101_0101_0101);
                    if ty == I64 { bytes } else { self.builder.ins().ireduce(ty, bytes) }
                }
            });
            self.builder.ins().store(flags, value, to, at);
        }
    }

    /// A length that is known, not zero, and short enough.
    fn short_length(&self, len: Value) -> Option<u32> {
        let short = self.constant_i32(len).filter(|len| (1..=LONGEST).contains(len));
        short.filter(|_| self.way != Way::Plain)
    }

    /// Loads from all places, then stores: each is a type, two addresses and an offset of both.
    pub(super) fn copy_places(&mut self, places: &[(Type, Value, Value, i32)]) {
        let flags = self.memory_flags();
        let loaded: Vec<Value> = (places.iter())
            .map(|(ty, _, from, at)| self.builder.ins().load(*ty, flags, *from, *at))
            .collect();
        for ((_, to, _, at), value) in places.iter().zip(loaded) {
            self.builder.ins().store(flags, value, *to, *at);
        }
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
