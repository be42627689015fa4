//! Calls, direct and through tables, and calls of the runtime.

use super::{Translator, region};
use crate::{
    error::CompileError,
    index::{FuncIndex, SignatureIndex, TableIndex, TypeIndex},
    isa,
    short::Bulk,
    symbol::Symbol,
    vmctx::TablePlace,
};
use cranelift_codegen::ir::{
    ExtFuncData, FuncRef, Inst, InstBuilder, MemFlagsData, SigRef, Value, condcodes::IntCC, types,
};
use lithify_abi::{descriptor, libcall::Libcall, trap::TrapCode, types::FuncType, vmctx};

impl Translator<'_, '_> {
    fn signature(&mut self, ty: SignatureIndex) -> SigRef {
        let (module, builder) = (self.module, &mut self.builder);
        *self.signatures.entry(ty).or_insert_with(|| {
            let call_conv = builder.func.signature.call_conv;
            let signature = isa::signature_for(call_conv, &module.signatures[ty]);
            builder.import_signature(signature)
        })
    }

    fn function_ref(&mut self, symbol: Symbol, signature: SigRef) -> FuncRef {
        let builder = &mut self.builder;
        *self.functions.entry(symbol).or_insert_with(|| {
            let name = symbol.declare_in(builder.func);
            builder.import_function(ExtFuncData {
                name,
                signature,
                colocated: true,
                patchable: false,
            })
        })
    }

    pub(super) fn call(&mut self, index: FuncIndex) -> Result<(), CompileError> {
        let ty = self.module.functions[index];
        let arguments = self.call_arguments(ty);
        self.call_function(index, ty, &arguments)
    }

    fn call_function(
        &mut self,
        index: FuncIndex,
        ty: SignatureIndex,
        arguments: &[Value],
    ) -> Result<(), CompileError> {
        if let Some(inlinable) = self.inlinable(index) {
            return self.inline(index, inlinable, &arguments[1..]);
        }
        let signature = self.signature(ty);
        let allocator_call = self.plan.allocator.and_then(|place| place.call(index));
        let symbol = allocator_call.map_or(Symbol::Function(index), Symbol::Allocator);
        let function = self.function_ref(symbol, signature);
        let call = self.builder.ins().call(function, arguments);
        self.push_results(call, ty);
        Ok(())
    }

    /// Pops the arguments of type `ty` and puts `base` before them.
    fn call_arguments(&mut self, ty: SignatureIndex) -> Vec<Value> {
        let FuncType { params, results } = &self.module.signatures[ty];
        let count = params.len();
        self.call_operands += (count + results.len()) as u64;
        let at = self.fetch(count);
        let mut arguments = Vec::with_capacity(count + 1);
        arguments.push(self.base);
        arguments.extend(self.stack.drain(at..));
        arguments
    }

    fn push_results(&mut self, call: Inst, ty: SignatureIndex) {
        let results = &self.module.signatures[ty].results;
        if results.is_empty() {
            return;
        }
        let first = self.builder.inst_results(call)[0];
        self.push(first);
        for (i, result) in results.iter().skip(1).enumerate() {
            let flags = self.trusted(region::VMCTX, "vmctx");
            let offset = self.plan.return_area + (i as u32 * vmctx::VALUE_SIZE) as i32;
            let ty = isa::clif_type(*result);
            let value = self.builder.ins().load(ty, flags, self.base, offset);
            self.push(value);
        }
    }

    pub(super) fn call_indirect(
        &mut self,
        ty: TypeIndex,
        table: TableIndex,
    ) -> Result<(), CompileError> {
        let ty = self.module.types[ty];
        let index = self.pop();
        let arguments = self.call_arguments(ty);
        match &self.plan.tables[table] {
            TablePlace::ReadOnly(functions) => {
                if let Some(function) = self.constant_callee(index, ty, functions) {
                    return self.call_function(function, ty, &arguments);
                }
                // Behind the last entry is one that fits no type, for every index that is too large.
                let len = self.builder.ins().iconst(types::I32, functions.len() as i64);
                let entry = self.builder.ins().umin(index, len);
                let entry = self.builder.ins().uextend(types::I64, entry);
                let entries = self.symbol_address(Symbol::Table(table), 0);
                let offset = self.builder.ins().ishl_imm_u(entry, 3);
                let entry = self.builder.ins().iadd(entries, offset);
                // The address is good whatever the index, so the loads may move before the check.
                let flags = self.trusted(region::TABLE, "tables").with_readonly().with_can_move();
                self.call_entry(entry, ty, &arguments, flags, Some((index, len)));
            }
            TablePlace::Mutable(_) => {
                let element = self.table_element(table, index, TrapCode::UndefinedElement);
                let flags = self.trusted(region::TABLE, "tables");
                let entry = self.builder.ins().load(types::I64, flags, element, 0);
                let null = self.builder.ins().icmp_imm_u(IntCC::Equal, entry, 0);
                self.trap_if(null, TrapCode::UninitializedElement);
                // Not `can_move`: before the check the address may be null.
                let flags = self.trusted(region::TABLE, "tables").with_readonly();
                self.call_entry(entry, ty, &arguments, flags, None);
            }
        }
        Ok(())
    }

    /// The function that a call through a constant index reaches, when its type fits.
    fn constant_callee(
        &self,
        index: Value,
        ty: SignatureIndex,
        functions: &[Option<FuncIndex>],
    ) -> Option<FuncIndex> {
        let function = (*functions.get(self.constant_i32(index)? as usize)?)?;
        (self.module.functions[function] == ty).then_some(function)
    }

    /// Traps with `code` unless `index < bound`, both i32. Returns the index as i64, which is 0
    /// where the processor speculates past the check.
    pub(super) fn checked_index(&mut self, index: Value, bound: Value, code: TrapCode) -> Value {
        let outside = self.builder.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, index, bound);
        self.trap_if(outside, code);
        let index = self.builder.ins().uextend(types::I64, index);
        let zero = self.builder.ins().iconst(types::I64, 0);
        self.builder.ins().select_spectre_guard(outside, zero, index)
    }

    /// Calls through a (code offset, type) pair after checking the type. Where it does not fit, the index
    /// may have been beyond the bound.
    fn call_entry(
        &mut self,
        entry: Value,
        ty: SignatureIndex,
        arguments: &[Value],
        flags: MemFlagsData,
        bounded: Option<(Value, Value)>,
    ) {
        let actual = self.builder.ins().load(types::I32, flags, entry, 4);
        let fits = self.builder.ins().icmp_imm_u(IntCC::Equal, actual, i64::from(ty.as_u32()));
        let mismatch = self.builder.create_block();
        let next = self.builder.create_block();
        self.settle();
        self.builder.ins().brif(fits, next, &[], mismatch, &[]);
        self.builder.seal_block(mismatch);
        self.builder.seal_block(next);
        self.builder.set_cold_block(mismatch);
        self.builder.switch_to_block(mismatch);
        if let Some((index, bound)) = bounded {
            let outside = IntCC::UnsignedGreaterThanOrEqual;
            let outside = self.builder.ins().icmp(outside, index, bound);
            self.trap_if(outside, TrapCode::UndefinedElement);
        }
        // Loaded again, and in another way, so that the comparison before is one with memory.
        let actual = self.builder.ins().sload32(flags, entry, 4);
        let none = i64::from(descriptor::NONE as i32);
        let null = self.builder.ins().icmp_imm_s(IntCC::Equal, actual, none);
        self.trap_if(null, TrapCode::UninitializedElement);
        self.builder.ins().trap(isa::trap_code(TrapCode::BadSignature));
        self.start_block(next);

        let code = self.builder.ins().uload32(flags, entry, 0);
        let text = self.symbol_address(Symbol::Text, 0);
        let callee = self.builder.ins().iadd(text, code);
        let signature = self.signature(ty);
        let call = self.builder.ins().call_indirect(signature, callee, arguments);
        self.push_results(call, ty);
    }

    /// Calls the runtime with `arguments` after `base`; its result, if it has one.
    pub(super) fn libcall(&mut self, libcall: Libcall, arguments: &[Value]) -> Option<Value> {
        self.call_as(Symbol::Libcall(libcall), libcall, arguments)
    }

    /// Calls what stands before the libcall of an operator of bulk memory.
    pub(super) fn bulk_call(&mut self, bulk: Bulk, arguments: &[Value]) {
        self.call_as(Symbol::Bulk(bulk), bulk.libcall(), arguments);
    }

    fn call_as(&mut self, symbol: Symbol, libcall: Libcall, arguments: &[Value]) -> Option<Value> {
        let call_conv = self.builder.func.signature.call_conv;
        let signature = isa::signature_for(call_conv, &libcall.ty());
        let signature = self.builder.import_signature(signature);
        let function = self.function_ref(symbol, signature);
        let all: Vec<Value> = [self.base].iter().chain(arguments).copied().collect();
        let call = self.builder.ins().call(function, &all);
        self.builder.inst_results(call).first().copied()
    }

    /// An i32 constant, as an argument of the runtime.
    pub(super) fn immediate(&mut self, value: u32) -> Value {
        self.builder.ins().iconst(types::I32, i64::from(value))
    }
}
