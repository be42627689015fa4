//! Globals: constants, or places in the vmctx.

use super::{Translator, region};
use crate::{index::GlobalIndex, isa, vmctx::GlobalPlace};
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Value, types};
use lithify_abi::types::ValType;

impl Translator<'_, '_> {
    pub(super) fn global_get(&mut self, index: GlobalIndex) {
        let ty = self.module.globals[index].ty;
        let value = match self.plan.globals[index] {
            GlobalPlace::Const(bits) => self.constant(ty, bits),
            GlobalPlace::Vmctx(offset) => {
                let flags = self.global_flags(index);
                self.builder.ins().load(isa::clif_type(ty), flags, self.base, offset)
            }
        };
        self.push(value);
    }

    pub(super) fn global_set(&mut self, index: GlobalIndex) {
        let value = self.pop();
        match self.plan.globals[index] {
            GlobalPlace::Vmctx(offset) => {
                let flags = self.global_flags(index);
                self.builder.ins().store(flags, value, self.base, offset);
            }
            GlobalPlace::Const(_) => unreachable!("a mutable global lies in the vmctx"),
        }
    }

    /// Each global is memory of its own; so many that the region number would overflow share one.
    fn global_flags(&mut self, index: GlobalIndex) -> MemFlagsData {
        self.trusted(region::GLOBAL + index.as_u32().min(64), "global")
    }

    fn constant(&mut self, ty: ValType, bits: u128) -> Value {
        let ins = self.builder.ins();
        match ty {
            ValType::I32 => ins.iconst(types::I32, i64::from(bits as u32)),
            ValType::I64 | ValType::FuncRef | ValType::ExternRef => {
                ins.iconst(types::I64, bits as i64)
            }
            ValType::F32 => ins.f32const(f32::from_bits(bits as u32)),
            ValType::F64 => ins.f64const(f64::from_bits(bits as u64)),
            ValType::V128 => self.vector_constant(bits.to_le_bytes()),
        }
    }
}
