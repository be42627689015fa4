//! Short copies and fills in line, before the body of a function that was proved to do that (`copying.rs`).
//!
//! ```text
//! f(to, from, len): proved length -> inside of memory, apart -> short copy, return
//!                   |                |
//!                   +----------------+-> body
//! ```
//!
//! The rule not to break: the guard is what the proof takes for granted, no less; so nothing here traps, and
//! the body would not have either.

use super::{Translator, region};
use crate::{
    copying::{Copying, MARGIN},
    short::{self, Bulk, LONGEST},
};
use cranelift_codegen::ir::{
    InstBuilder, Value,
    condcodes::IntCC,
    types::{I32, I64},
};
use lithify_abi::vmctx;

impl Translator<'_, '_> {
    /// Copies or fills in line and returns, where that is what the current function does; goes on in a block
    /// for all else.
    pub(super) fn copy_in_line(&mut self, params: &[Value], copying: Copying) {
        let (to, other, len) = match *params {
            [to, other, len] => (to, other, len),
            [to, len] => (to, self.builder.ins().iconst(I32, 0), len),
            _ => unreachable!("it has three parameters, or two"),
        };
        let [check, copy, body] = [(); 3].map(|()| self.builder.create_block());
        // A length of 0 wraps around.
        let less = self.builder.ins().iadd_imm_s(len, -1);
        let most = i64::from(copying.aligned);
        let short = self.builder.ins().icmp_imm_u(IntCC::UnsignedLessThan, less, most);
        self.builder.ins().brif(short, check, &[], body, &[]);
        short::start(&mut self.builder, check);
        let good = match copying.bulk {
            Bulk::Copy => self.is_proved(to, other, len, copying),
            Bulk::Fill => self.is_inside(to),
        };
        self.builder.ins().brif(good, copy, &[], body, &[]);
        short::start(&mut self.builder, copy);

        let address = self.near(to);
        let flags = self.memory_flags();
        let done = self.builder.create_block();
        match copying.bulk {
            Bulk::Copy => {
                let addresses = [address, self.near(other)];
                short::copy(&mut self.builder, flags, addresses, len, copying.aligned, done);
            }
            Bulk::Fill => {
                short::fill(&mut self.builder, flags, address, other, len, copying.any, done);
            }
        }
        short::start(&mut self.builder, done);
        let count = self.builder.func.signature.returns.len();
        self.builder.ins().return_(&[to][..count]);
        short::start(&mut self.builder, body);
    }

    /// Whether a length that was proved is copied between such addresses as were.
    fn is_proved(&mut self, to: Value, from: Value, len: Value, copying: Copying) -> Value {
        let [to_inside, from_inside] = [to, from].map(|index| self.is_inside(index));
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
    /// Whether the longest range at `index` is inside of memory, with the margins before and behind.
    fn is_inside(&mut self, index: Value) -> Value {
        // And one byte, so that even an end is below 4 GiB.
        let around = 2 * MARGIN + LONGEST + 1;
        let flags = self.trusted(region::VMCTX, "vmctx");
        let memory = self.builder.ins().load(I64, flags, self.base, vmctx::MEMORY_LEN);
        let room = self.builder.ins().iadd_imm_s(memory, -i64::from(around));
        let index = self.builder.ins().uextend(I64, index);
        let index = self.builder.ins().iadd_imm_s(index, -i64::from(MARGIN));
        self.builder.ins().icmp(IntCC::UnsignedLessThan, index, room)
    }
}
