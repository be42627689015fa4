//! Short copies in line, before the body of a function that was proved to copy (`copying.rs`).
//!
//! ```text
//! f(to, from, len): proved length -> inside of memory, apart -> all loads, all stores, return
//!                   |                |
//!                   +----------------+-> body
//! ```
//!
//! The rule not to break: the guard is what the proof takes for granted, no less; so nothing here traps, and
//! the body would not have either.

use super::{Translator, region};
use crate::copying::{Copying, LONGEST, MARGIN};
use cranelift_codegen::ir::{
    Block, InstBuilder, Type, Value,
    condcodes::IntCC,
    types::{I8, I8X16, I16, I32, I64},
};
use lithify_abi::vmctx;

/// So many loads of a type, half of them from the start on and half up to the end, copy what is as long as
/// half of them and no longer than all. What is longer comes before.
const BY: [(Type, u32); 5] = [(I8X16, 4), (I8X16, 2), (I64, 2), (I32, 2), (I16, 2)];

impl Translator<'_, '_> {
    /// Copies in line and returns, where that is what the current function does; goes on in a block for
    /// all else.
    pub(super) fn copy_in_line(&mut self, params: &[Value], copying: Copying) {
        let &[to, from, len] = params else { unreachable!("it has three parameters") };
        let [check, copy, body] = [(); 3].map(|()| self.builder.create_block());
        // A length of 0 wraps around.
        let less = self.builder.ins().iadd_imm_s(len, -1);
        let most = i64::from(copying.aligned);
        let short = self.builder.ins().icmp_imm_u(IntCC::UnsignedLessThan, less, most);
        self.builder.ins().brif(short, check, &[], body, &[]);
        self.start_sealed(check);
        let good = self.is_proved(to, from, len, copying);
        self.builder.ins().brif(good, copy, &[], body, &[]);
        self.start_sealed(copy);

        let [to_address, from_address] = [to, from].map(|index| self.near(index));
        let long = self.builder.ins().uextend(I64, len);
        for (ty, count) in BY {
            let least = ty.bytes() * (count / 2) + u32::from(count > 2);
            if least > copying.aligned {
                continue;
            }
            let [these, shorter] = [(); 2].map(|()| self.builder.create_block());
            let enough = i64::from(least);
            let enough =
                self.builder.ins().icmp_imm_u(IntCC::UnsignedGreaterThanOrEqual, len, enough);
            self.builder.ins().brif(enough, these, &[], shorter, &[]);
            self.start_sealed(these);
            let size = ty.bytes() as i32;
            let [to_end, from_end] =
                [to_address, from_address].map(|start| self.builder.ins().iadd(start, long));
            // From the start on, and up to the end; in between they may meet.
            let half = count as i32 / 2;
            let places = (0..half)
                .map(|at| (ty, to_address, from_address, at * size))
                .chain((1..=half).map(|at| (ty, to_end, from_end, -at * size)));
            self.copy_places(&places.collect::<Vec<_>>());
            self.return_copied(to);
            self.start_sealed(shorter);
        }
        self.copy_places(&[(I8, to_address, from_address, 0)]);
        self.return_copied(to);
        self.start_sealed(body);
    }

    /// Whether a length that was proved is copied between such addresses as were.
    fn is_proved(&mut self, to: Value, from: Value, len: Value, copying: Copying) -> Value {
        // The margins before and behind, and one byte, so that even an end is below 4 GiB.
        let around = 2 * MARGIN + LONGEST + 1;
        let flags = self.trusted(region::VMCTX, "vmctx");
        let memory = self.builder.ins().load(I64, flags, self.base, vmctx::MEMORY_LEN);
        let room = self.builder.ins().iadd_imm_s(memory, -i64::from(around));
        let [to_inside, from_inside] = [to, from].map(|index| {
            let index = self.builder.ins().uextend(I64, index);
            let index = self.builder.ins().iadd_imm_s(index, -i64::from(MARGIN));
            self.builder.ins().icmp(IntCC::UnsignedLessThan, index, room)
        });
        // `len <= to - from <= -len`, modulo 2^32.
        let apart = self.builder.ins().isub(to, from);
        let apart = self.builder.ins().isub(apart, len);
        let twice = self.builder.ins().ishl_imm_u(len, 1);
        let most = self.builder.ins().ineg(twice);
        let apart = self.builder.ins().icmp(IntCC::UnsignedLessThanOrEqual, apart, most);
        let inside = self.builder.ins().band(to_inside, from_inside);
        let good = self.builder.ins().band(inside, apart);
        if copying.any == copying.aligned {
            return good;
        }
        let any = i64::from(copying.any);
        let any = self.builder.ins().icmp_imm_u(IntCC::UnsignedLessThanOrEqual, len, any);
        let differ = self.builder.ins().bxor(to, from);
        let differ = self.builder.ins().band_imm_u(differ, 3);
        let aligned = self.builder.ins().icmp_imm_u(IntCC::Equal, differ, 0);
        let proved = self.builder.ins().bor(any, aligned);
        self.builder.ins().band(good, proved)
    }

    fn return_copied(&mut self, to: Value) {
        let results = [to];
        let count = self.builder.func.signature.returns.len();
        self.builder.ins().return_(&results[..count]);
    }

    fn start_sealed(&mut self, block: Block) {
        self.builder.seal_block(block);
        self.builder.switch_to_block(block);
    }
}
