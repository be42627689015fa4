//! Trampolines between arrays of value slots and the guest's calling convention.
//!
//! An *entry trampoline* `fn(base, callee, slots)` per function type is how the runtime calls
//! any guest function. An *exit trampoline* per function import is what the import's slot holds
//! when the host function is a closure: it passes the arguments as an array to
//! [`Libcall::HostCall`]. A host function in the platform's C convention needs neither.

use crate::{index::ImportIndex, isa, symbol::Symbol, vmctx::VmctxPlan};
use cranelift_codegen::{
    ir::{
        AbiParam, ExtFuncData, Function, InstBuilder, MemFlagsData, Signature, StackSlotData,
        StackSlotKind, types::I64,
    },
    isa::TargetIsa,
};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use lithify_abi::{libcall::Libcall, types::FuncType, vmctx::VALUE_SIZE};

/// Writes the entry trampoline for functions of type `ty` into `func`.
pub fn entry(
    isa: &dyn TargetIsa,
    plan: &VmctxPlan,
    ty: &FuncType,
    func: &mut Function,
    context: &mut FunctionBuilderContext,
) {
    func.signature = Signature::new(isa.default_call_conv());
    func.signature.params.extend([AbiParam::new(I64); 3]);
    let mut builder = start(func, context);
    let flags = MemFlagsData::trusted();
    let block = builder.current_block().expect("just switched to it");
    let &[base, callee, slots] = builder.block_params(block) else {
        unreachable!("three parameters")
    };
    let mut arguments = vec![base];
    for (i, param) in (0..).zip(&ty.params) {
        let ty = isa::clif_type(*param);
        arguments.push(builder.ins().load(ty, flags, slots, slot(i)));
    }
    let signature = builder.import_signature(isa::signature(isa, ty));
    let call = builder.ins().call_indirect(signature, callee, &arguments);
    if let Some((first, rest)) = ty.results.split_first() {
        let value = builder.inst_results(call)[0];
        debug_assert_eq!(builder.func.dfg.value_type(value), isa::clif_type(*first));
        builder.ins().store(flags, value, slots, 0);
        for (i, result) in (0..).zip(rest) {
            let offset = plan.return_area + slot(i);
            let value = builder.ins().load(isa::clif_type(*result), flags, base, offset);
            builder.ins().store(flags, value, slots, slot(i + 1));
        }
    }
    builder.ins().return_(&[]);
    builder.finalize(isa.frontend_config());
}

/// Writes the exit trampoline of `import`, a function of type `ty`.
pub fn exit(
    isa: &dyn TargetIsa,
    plan: &VmctxPlan,
    import: ImportIndex,
    ty: &FuncType,
    func: &mut Function,
    context: &mut FunctionBuilderContext,
) {
    func.signature = isa::signature(isa, ty);
    let mut builder = start(func, context);
    let flags = MemFlagsData::trusted();
    let block = builder.current_block().expect("just switched to it");
    let count = ty.params.len().max(ty.results.len()).max(1) as u32;
    let slots = builder.create_sized_stack_slot(StackSlotData::new(
        StackSlotKind::ExplicitSlot,
        count * VALUE_SIZE,
        VALUE_SIZE.trailing_zeros() as u8,
    ));
    let slots = builder.ins().stack_addr(I64, slots, 0);
    let base = builder.block_params(block)[0];
    for i in 0..ty.params.len() {
        let value = builder.block_params(block)[i + 1];
        builder.ins().store(flags, value, slots, slot(i as u32));
    }
    let signature = isa::signature(isa, &Libcall::HostCall.ty());
    let signature = builder.import_signature(signature);
    let name = Symbol::Libcall(Libcall::HostCall).declare_in(builder.func);
    let host_call =
        builder.import_function(ExtFuncData { name, signature, colocated: true, patchable: false });
    let import =
        builder.ins().iconst(cranelift_codegen::ir::types::I32, i64::from(import.as_u32()));
    builder.ins().call(host_call, &[base, import, slots]);
    let mut values = Vec::new();
    for (i, result) in (0..).zip(&ty.results) {
        values.push(builder.ins().load(isa::clif_type(*result), flags, slots, slot(i)));
    }
    for (i, value) in (0..).zip(values.iter().skip(1)) {
        builder.ins().store(flags, *value, base, plan.return_area + slot(i));
    }
    builder.ins().return_(&values[..values.len().min(1)]);
    builder.finalize(isa.frontend_config());
}

fn start<'f>(
    func: &'f mut Function,
    context: &'f mut FunctionBuilderContext,
) -> FunctionBuilder<'f> {
    let mut builder = FunctionBuilder::new(func, context);
    let block = builder.create_block();
    builder.append_block_params_for_function_params(block);
    builder.switch_to_block(block);
    builder.seal_block(block);
    builder
}

/// Offset of value slot `index`.
fn slot(index: u32) -> i32 {
    (index * VALUE_SIZE) as i32
}
