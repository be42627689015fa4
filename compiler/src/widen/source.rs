//! What a loop stores: what it loads, or always the same.

use super::{
    WIDTH,
    round::{Loop, Next},
    shifted::Shifted,
    stream::{Access, Stream},
};
use cranelift_codegen::{
    cursor::FuncCursor,
    ir::{InstBuilder, InstructionData, Opcode, Type, Value},
};

/// What is stored.
pub enum Source {
    /// What was loaded in the same round.
    Copy(Stream),
    /// Some bytes of what was loaded in the round before and the others of what was in this one.
    Shifted(Shifted),
    /// The same value in every round, and everywhere in it.
    Fill(Fill),
}

/// A value of type `ty`: the lower bits of a value from outside the loop, or a constant.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fill {
    ty: Type,
    of: Fixed,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fixed {
    Value(Value),
    Constant(i64),
}

impl Fill {
    fn new(of: &Loop<'_>, stored: Value) -> Option<Self> {
        let ty = of.ty(stored);
        let mut value = stored;
        loop {
            value = of.resolve(value);
            if of.is_fixed(value) {
                return Some(Self { ty, of: Fixed::Value(value) });
            }
            match *of.def(value)? {
                InstructionData::UnaryImm { opcode: Opcode::Iconst, imm } => {
                    return Some(Self { ty, of: Fixed::Constant(imm.bits()) });
                }
                InstructionData::Unary { opcode: Opcode::Ireduce, arg } => value = arg,
                _ => return None,
            }
        }
    }

    /// Emits a vector of it.
    pub fn emit(self, pos: &mut FuncCursor<'_>) -> Value {
        let value = match self.of {
            Fixed::Constant(bits) => {
                let unused = 64 - self.ty.bits();
                pos.ins().iconst(self.ty, ((bits as u64) << unused >> unused) as i64)
            }
            Fixed::Value(value) if pos.func.dfg.value_type(value) == self.ty => value,
            Fixed::Value(value) => pos.ins().ireduce(self.ty, value),
        };
        match WIDTH as u32 / self.ty.bytes() {
            1 => value,
            lanes => {
                let vector = self.ty.by(lanes).expect("a vector of 16 bytes");
                pos.ins().splat(vector, value)
            }
        }
    }
}

impl Source {
    /// Reads what the loop stores to `to`.
    pub fn new(
        of: &Loop<'_>,
        loads: &[Access],
        stores: &[Access],
        to: &Stream,
        next: &[Next],
    ) -> Option<Self> {
        if loads.is_empty() {
            let fill = Fill::new(of, stores[0].value)?;
            let same = |store: &Access| Fill::new(of, store.value) == Some(fill);
            return stores.iter().all(same).then_some(Self::Fill(fill));
        }
        if let ([load], [store]) = (loads, stores)
            && let Some(shifted) = Shifted::new(of, load, store, to, next)
        {
            return Some(Self::Shifted(shifted));
        }
        // What a round keeps of another one's loads is not what it stores.
        if next.iter().any(|next| matches!(next, Next::Loaded(_))) {
            return None;
        }
        let from = Stream::new(of, loads, next)?;
        let copied = |store: &Access| {
            let value = loaded(of, store.value);
            let load = loads.iter().find(|load| load.value == value);
            load.is_some_and(|load| {
                load.bytes == store.bytes && from.place(load) == to.place(store)
            })
        };
        let is_copy = loads.len() == stores.len() && stores.iter().all(copied);
        (is_copy && from.stride == to.stride).then_some(Self::Copy(from))
    }
}

/// What was loaded, where `value` is that made wider and then narrower again.
fn loaded(of: &Loop<'_>, mut value: Value) -> Value {
    let bytes = of.ty(value).bytes();
    while let Some(InstructionData::Unary { opcode, arg }) = of.def(value) {
        let resizes = matches!(opcode, Opcode::Ireduce | Opcode::Uextend | Opcode::Sextend);
        if !resizes || of.ty(*arg).bytes() < bytes {
            break;
        }
        value = of.resolve(*arg);
    }
    value
}
