//! Linear memory. **This file is the sandbox**: every access that compiled code makes to guest
//! memory gets its address here.
//!
//! An address is `base + index + offset`, with the index zero-extended from 32 bits. While the
//! constant offset and the size of the access stay below the guard behind the 4 GiB, the sum is
//! in the reservation, and what is not the guest's there faults. Larger offsets are checked.

use super::{Translator, region};
use crate::{index::DataIndex, isa};
use cranelift_codegen::ir::{
    InstBuilder, MemFlagsData, Type, Value,
    condcodes::IntCC,
    types::{I8, I16, I32, I64},
};
use lithify_abi::{libcall::Libcall, trap::TrapCode, vmctx};
use wasmparser::MemArg;

impl Translator<'_, '_> {
    /// The address of an access of `size` bytes at `index`, and the rest of the offset that the
    /// access itself adds.
    pub(super) fn address(&mut self, memarg: MemArg, index: Value, size: u64) -> (Value, i32) {
        let index = self.builder.ins().uextend(I64, index);
        if memarg.offset + size <= vmctx::GUARD {
            let address = self.builder.ins().iadd(self.base, index);
            return (address, memarg.offset as i32);
        }
        let effective = self.builder.ins().iadd_imm_u(index, memarg.offset as i64);
        let last = (4 << 30) - size as i64;
        let outside = self.builder.ins().icmp_imm_u(IntCC::UnsignedGreaterThan, effective, last);
        self.trap_if(outside, TrapCode::MemoryOutOfBounds);
        // Where the processor speculates past the check, the access goes to the start of memory.
        let zero = self.builder.ins().iconst(I64, 0);
        let effective = self.builder.ins().select_spectre_guard(outside, zero, effective);
        (self.builder.ins().iadd(self.base, effective), 0)
    }

    /// The address of what is at `index`. What is accessed around it has to be as near as the guard is wide.
    pub(super) fn near(&mut self, index: Value) -> Value {
        let index = self.builder.ins().uextend(I64, index);
        self.builder.ins().iadd(self.base, index)
    }

    /// The address of so many bytes, which traps where they are not all inside of memory.
    pub(super) fn inside(&mut self, index: Value, len: u32) -> Value {
        let index = self.builder.ins().uextend(I64, index);
        let end = self.builder.ins().iadd_imm_u(index, i64::from(len));
        let flags = self.trusted(region::VMCTX, "vmctx");
        let memory = self.builder.ins().load(I64, flags, self.base, vmctx::MEMORY_LEN);
        let outside = self.builder.ins().icmp(IntCC::UnsignedGreaterThan, end, memory);
        self.trap_if(outside, TrapCode::MemoryOutOfBounds);
        self.builder.ins().iadd(self.base, index)
    }

    /// Flags of an access that faults when it is out of bounds.
    pub(super) fn memory_flags(&mut self) -> MemFlagsData {
        let region = self.region(region::MEMORY, "memory");
        MemFlagsData::new()
            .with_endianness(cranelift_codegen::ir::Endianness::Little)
            .with_alias_region(Some(region))
            .with_trap_code(Some(isa::trap_code(TrapCode::MemoryOutOfBounds)))
    }

    /// Pops the index and loads a `ty` from there.
    pub(super) fn load_value(&mut self, memarg: MemArg, ty: Type) -> Value {
        let index = self.pop();
        let (address, offset) = self.address(memarg, index, u64::from(ty.bytes()));
        let flags = self.memory_flags();
        self.builder.ins().load(ty, flags, address, offset)
    }

    /// Pops the index and stores all of `value` there.
    pub(super) fn store_value(&mut self, memarg: MemArg, value: Value) {
        let index = self.pop();
        let ty = self.builder.func.dfg.value_type(value);
        let (address, offset) = self.address(memarg, index, u64::from(ty.bytes()));
        let flags = self.memory_flags();
        self.builder.ins().store(flags, value, address, offset);
    }

    /// Loads a `memory`, made a `result`. Making it wider is part of the load, since instruction selection
    /// does not put together the two where anything lies between them.
    pub(super) fn load(&mut self, memarg: MemArg, memory: Type, result: Type, signed: bool) {
        if memory == result {
            let value = self.load_value(memarg, memory);
            self.push(value);
            return;
        }
        let index = self.pop();
        let (address, offset) = self.address(memarg, index, u64::from(memory.bytes()));
        let flags = self.memory_flags();
        let ins = self.builder.ins();
        let value = match (memory, signed) {
            (I8, false) => ins.uload8(result, flags, address, offset),
            (I8, true) => ins.sload8(result, flags, address, offset),
            (I16, false) => ins.uload16(result, flags, address, offset),
            (I16, true) => ins.sload16(result, flags, address, offset),
            (_, false) => ins.uload32(flags, address, offset),
            (_, true) => ins.sload32(flags, address, offset),
        };
        self.push(value);
    }

    pub(super) fn store(&mut self, memarg: MemArg, memory: Type) {
        let value = self.pop();
        let narrower = self.builder.func.dfg.value_type(value) != memory;
        let value = if narrower { self.builder.ins().ireduce(memory, value) } else { value };
        self.store_value(memarg, value);
    }

    pub(super) fn memory_size(&mut self) {
        let flags = self.trusted(region::VMCTX, "vmctx");
        let bytes = self.builder.ins().load(I64, flags, self.base, vmctx::MEMORY_LEN);
        let pages = self.builder.ins().ushr_imm_u(bytes, 16);
        let pages = self.builder.ins().ireduce(I32, pages);
        self.push(pages);
    }
    pub(super) fn memory_grow(&mut self) {
        let delta = self.pop();
        let previous = self.libcall(Libcall::MemoryGrow, &[delta]);
        self.push(previous.expect("memory.grow has a result"));
    }

    pub(super) fn memory_init(&mut self, segment: DataIndex) {
        let [destination, source, len] = self.pop_n();
        let segment = self.immediate(segment.as_u32());
        self.libcall(Libcall::MemoryInit, &[segment, destination, source, len]);
    }

    pub(super) fn data_drop(&mut self, segment: DataIndex) {
        let segment = self.immediate(segment.as_u32());
        self.libcall(Libcall::DataDrop, &[segment]);
    }
}
