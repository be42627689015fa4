//! Tables that the guest can change, and references to functions.

use super::{Translator, region};
use crate::{
    index::{ElementIndex, FuncIndex, TableIndex},
    metadata,
    symbol::Symbol,
    vmctx::TablePlace,
};
use cranelift_codegen::ir::{
    InstBuilder, Value,
    types::{I32, I64},
};
use lithify_abi::{libcall::Libcall, trap::TrapCode, vmctx::TableRecord};
use std::mem::offset_of;

impl Translator<'_, '_> {
    /// Offset of the record of `table` from `base`. Operators that get here have marked the
    /// table as touched, so it is not read-only.
    fn table_record(&self, table: TableIndex) -> i32 {
        match self.plan.tables[table] {
            TablePlace::Mutable(offset) => offset,
            TablePlace::ReadOnly(_) => unreachable!("a touched table is mutable"),
        }
    }

    fn table_len(&mut self, table: TableIndex) -> Value {
        let flags = self.trusted(region::VMCTX, "vmctx");
        let offset = self.table_record(table) + offset_of!(TableRecord, len) as i32;
        self.builder.ins().load(I32, flags, self.base, offset)
    }

    /// The address of element `index`, or a trap with `code`.
    pub(super) fn table_element(
        &mut self,
        table: TableIndex,
        index: Value,
        code: TrapCode,
    ) -> Value {
        let len = self.table_len(table);
        let index = self.checked_index(index, len, code);
        let flags = self.trusted(region::VMCTX, "vmctx");
        let offset = self.table_record(table) + offset_of!(TableRecord, elements) as i32;
        let elements = self.builder.ins().load(I64, flags, self.base, offset);
        let offset = self.builder.ins().ishl_imm_u(index, 3);
        self.builder.ins().iadd(elements, offset)
    }

    pub(super) fn table_get(&mut self, table: TableIndex) {
        let index = self.pop();
        let element = self.table_element(table, index, TrapCode::TableOutOfBounds);
        let flags = self.trusted(region::TABLE, "tables");
        let value = self.builder.ins().load(I64, flags, element, 0);
        self.push(value);
    }

    pub(super) fn table_set(&mut self, table: TableIndex) {
        let [index, value] = self.pop_n();
        let element = self.table_element(table, index, TrapCode::TableOutOfBounds);
        let flags = self.trusted(region::TABLE, "tables");
        self.builder.ins().store(flags, value, element, 0);
    }

    pub(super) fn table_size(&mut self, table: TableIndex) {
        let len = self.table_len(table);
        self.push(len);
    }

    pub(super) fn table_grow(&mut self, table: TableIndex) {
        let [value, delta] = self.pop_n();
        let table = self.immediate(table.as_u32());
        let previous = self.libcall(Libcall::TableGrow, &[table, value, delta]);
        self.push(previous.expect("table.grow has a result"));
    }

    pub(super) fn table_fill(&mut self, table: TableIndex) {
        let [destination, value, len] = self.pop_n();
        let table = self.immediate(table.as_u32());
        self.libcall(Libcall::TableFill, &[table, destination, value, len]);
    }

    pub(super) fn table_copy(&mut self, to: TableIndex, from: TableIndex) {
        let [destination, source, len] = self.pop_n();
        let (to, from) = (self.immediate(to.as_u32()), self.immediate(from.as_u32()));
        self.libcall(Libcall::TableCopy, &[to, from, destination, source, len]);
    }

    pub(super) fn table_init(&mut self, segment: ElementIndex, table: TableIndex) {
        let [destination, source, len] = self.pop_n();
        let (table, segment) = (self.immediate(table.as_u32()), self.immediate(segment.as_u32()));
        self.libcall(Libcall::TableInit, &[table, segment, destination, source, len]);
    }

    pub(super) fn elem_drop(&mut self, segment: ElementIndex) {
        let segment = self.immediate(segment.as_u32());
        self.libcall(Libcall::ElemDrop, &[segment]);
    }

    pub(super) fn ref_func(&mut self, function: FuncIndex) {
        let record = self.plan.record_of[&function];
        let address = self.symbol_address(Symbol::Descriptor, metadata::func_record(record));
        self.push(address);
    }
}
