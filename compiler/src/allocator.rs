//! The usual case of the host's allocator in compiled code: a block from the list of its order or
//! from the end of the heap, and a block back to its list.
//!
//! A function stands before each of the two imports. What it cannot do by itself, it leaves to the
//! import with nothing changed: the host then does it, or reports what is wrong. A header is
//! touched only after a look at [`Heap::end`], so guest data cannot lead anywhere outside memory.
//!
//! Not here: the record and the layout of headers (`lithify_abi::heap`), the host's half.

use crate::{isa, symbol::Symbol, vmctx::AllocatorPlace};
use cranelift_codegen::{
    ir::{
        Block, BlockArg, ExtFuncData, Function, InstBuilder, MemFlagsData, Value,
        condcodes::IntCC,
        types::{I32, I64},
    },
    isa::TargetIsa,
};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use lithify_abi::{
    heap::{FREE, HEADER, Heap, MALLOC, MAX_BLOCK, MIN_BLOCK, NIL, OCCUPIED, ORDERS},
    types::{FuncType, ValType},
};
use std::{fmt, mem::offset_of};

/// One of the allocator's functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AllocatorCall {
    /// [`MALLOC`].
    Malloc,
    /// [`FREE`].
    Free,
}

impl AllocatorCall {
    /// Every call, in the order of their declaration.
    pub const ALL: &'static [Self; 2] = &[Self::Malloc, Self::Free];

    /// The import that it stands before.
    pub fn import(self) -> &'static str {
        match self {
            Self::Malloc => MALLOC,
            Self::Free => FREE,
        }
    }

    /// The type of that import.
    pub fn ty(self) -> FuncType {
        let results: &[ValType] = match self {
            Self::Malloc => &[ValType::I32],
            Self::Free => &[],
        };
        FuncType::new(&[ValType::I32], results)
    }
}

impl fmt::Display for AllocatorCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.import())
    }
}

/// Writes the function that stands before the import of `call` into `func`.
pub fn function(
    isa: &dyn TargetIsa,
    place: &AllocatorPlace,
    call: AllocatorCall,
    func: &mut Function,
    context: &mut FunctionBuilderContext,
) {
    func.signature = isa::signature(isa, &call.ty());
    let mut builder = FunctionBuilder::new(func, context);
    let block = builder.create_block();
    builder.append_block_params_for_function_params(block);
    builder.switch_to_block(block);
    let &[base, argument] = builder.block_params(block) else {
        unreachable!("base and one argument")
    };
    let host = builder.create_block();
    builder.set_cold_block(host);
    let mut code = Code { record: place.record, base, host, builder };
    match call {
        AllocatorCall::Malloc => code.malloc(argument),
        AllocatorCall::Free => code.free(argument),
    }
    code.builder.switch_to_block(host);
    let signature = code.builder.import_signature(isa::signature(isa, &call.ty()));
    let name = Symbol::Function(place.import(call)).declare_in(code.builder.func);
    let import = code.builder.import_function(ExtFuncData {
        name,
        signature,
        colocated: true,
        patchable: false,
    });
    let result = code.builder.ins().call(import, &[base, argument]);
    let results = code.builder.inst_results(result).to_vec();
    code.builder.ins().return_(&results);
    code.builder.seal_all_blocks();
    code.builder.finalize(isa.frontend_config());
}

struct Code<'f> {
    /// Offset of the record from `base`.
    record: i32,
    base: Value,
    /// Where everything goes that is left to the host.
    host: Block,
    builder: FunctionBuilder<'f>,
}

impl Code<'_> {
    fn malloc(&mut self, size: Value) {
        let max = i64::from(MAX_BLOCK);
        let large = self.builder.ins().icmp_imm_u(IntCC::UnsignedGreaterThan, size, max);
        self.host_if(large);
        // The smallest power of two that is not below the size, as an exponent.
        let least = self.builder.ins().iconst(I32, i64::from(MIN_BLOCK));
        let size = self.builder.ins().umax(size, least);
        let below = self.builder.ins().iadd_imm_s(size, -1);
        let zeros = self.builder.ins().clz(below);
        let bits = self.builder.ins().iconst(I32, 32);
        let exponent = self.builder.ins().isub(bits, zeros);
        let one = self.builder.ins().iconst(I32, 1);
        let block = self.builder.ins().ishl(one, exponent);
        let taken = self.builder.ins().iadd_imm_s(block, i64::from(HEADER));
        let order = self.builder.ins().iadd_imm_s(exponent, -i64::from(MIN_BLOCK.ilog2()));
        let head = self.head(order);
        let first = self.builder.ins().load(I32, FLAGS, head, 0);

        let bump = self.builder.create_block();
        let pop = self.builder.create_block();
        let done = self.builder.create_block();
        self.builder.append_block_param(done, I32);
        let empty = self.builder.ins().icmp_imm_u(IntCC::Equal, first, i64::from(NIL));
        self.builder.ins().brif(empty, bump, &[], pop, &[]);

        self.builder.switch_to_block(pop);
        self.host_unless_inside(first, taken);
        let header = self.load_header(first);
        let occupied = self.builder.ins().band_imm_u(header, OCCUPIED as i64);
        self.host_if(occupied);
        let next = self.builder.ins().ireduce(I32, header);
        self.builder.ins().store(FLAGS, next, head, 0);
        self.builder.ins().jump(done, &[BlockArg::Value(first)]);

        self.builder.switch_to_block(bump);
        let bumper = self.load(I32, offset_of!(Heap, bumper));
        self.host_unless_inside(bumper, taken);
        let after = self.builder.ins().iadd(bumper, taken);
        self.store(after, offset_of!(Heap, bumper));
        self.builder.ins().jump(done, &[BlockArg::Value(bumper)]);

        self.builder.switch_to_block(done);
        let at = self.builder.block_params(done)[0];
        let order = self.builder.ins().uextend(I64, order);
        let header = self.builder.ins().bor_imm_u(order, OCCUPIED as i64);
        self.store_header(at, header);
        let allocated = self.load(I32, offset_of!(Heap, allocated));
        let allocated = self.builder.ins().iadd(allocated, taken);
        self.store(allocated, offset_of!(Heap, allocated));
        let address = self.builder.ins().iadd_imm_s(at, i64::from(HEADER));
        self.builder.ins().return_(&[address]);
    }

    fn free(&mut self, address: Value) {
        // Below the size of a header it wraps around, to where no memory is.
        let at = self.builder.ins().iadd_imm_s(address, -i64::from(HEADER));
        let header_size = self.builder.ins().iconst(I32, i64::from(HEADER));
        self.host_unless_inside(at, header_size);
        let header = self.load_header(at);
        let occupied = self.builder.ins().band_imm_u(header, OCCUPIED as i64);
        let free = self.builder.ins().icmp_imm_u(IntCC::Equal, occupied, 0);
        self.host_if(free);
        let order = self.builder.ins().ireduce(I32, header);
        let bound = ORDERS as i64;
        let wrong = self.builder.ins().icmp_imm_u(IntCC::UnsignedGreaterThanOrEqual, order, bound);
        self.host_if(wrong);
        let least = self.builder.ins().iconst(I32, i64::from(MIN_BLOCK));
        let block = self.builder.ins().ishl(least, order);
        let taken = self.builder.ins().iadd_imm_s(block, i64::from(HEADER));
        let allocated = self.load(I32, offset_of!(Heap, allocated));
        let underflow = self.builder.ins().icmp(IntCC::UnsignedLessThan, allocated, taken);
        self.host_if(underflow);
        let allocated = self.builder.ins().isub(allocated, taken);
        self.store(allocated, offset_of!(Heap, allocated));
        let head = self.head(order);
        let first = self.builder.ins().load(I32, FLAGS, head, 0);
        self.builder.ins().store(FLAGS, at, head, 0);
        let link = self.builder.ins().uextend(I64, first);
        self.store_header(at, link);
        self.builder.ins().return_(&[]);
    }

    /// Leaves everything to the host if `condition` is not 0.
    fn host_if(&mut self, condition: Value) {
        let next = self.builder.create_block();
        self.builder.ins().brif(condition, self.host, &[], next, &[]);
        self.builder.switch_to_block(next);
    }

    /// Leaves it to the host unless `len` bytes at `at`, both i32, lie before the heap's end.
    fn host_unless_inside(&mut self, at: Value, len: Value) {
        let at = self.builder.ins().uextend(I64, at);
        let len = self.builder.ins().uextend(I64, len);
        let needed = self.builder.ins().iadd(at, len);
        let end = self.load(I64, offset_of!(Heap, end));
        let outside = self.builder.ins().icmp(IntCC::UnsignedGreaterThan, needed, end);
        self.host_if(outside);
    }

    /// Address of the first block of `order`, which is below the number of orders.
    fn head(&mut self, order: Value) -> Value {
        let order = self.builder.ins().uextend(I64, order);
        let offset = self.builder.ins().ishl_imm_u(order, 2);
        let heads = i64::from(self.record) + offset_of!(Heap, heads) as i64;
        let head = self.builder.ins().iadd(self.base, offset);
        self.builder.ins().iadd_imm_s(head, heads)
    }

    fn load(&mut self, ty: cranelift_codegen::ir::Type, field: usize) -> Value {
        self.builder.ins().load(ty, FLAGS, self.base, self.record + field as i32)
    }

    fn store(&mut self, value: Value, field: usize) {
        self.builder.ins().store(FLAGS, value, self.base, self.record + field as i32);
    }

    /// The header at `at`, an i32 that was found to lie inside memory.
    fn load_header(&mut self, at: Value) -> Value {
        let address = self.address(at);
        self.builder.ins().load(I64, GUEST, address, 0)
    }

    fn store_header(&mut self, at: Value, header: Value) {
        let address = self.address(at);
        self.builder.ins().store(GUEST, header, address, 0);
    }

    fn address(&mut self, at: Value) -> Value {
        let at = self.builder.ins().uextend(I64, at);
        self.builder.ins().iadd(self.base, at)
    }
}

/// The vmctx: always there, aligned.
const FLAGS: MemFlagsData = MemFlagsData::trusted();

/// Guest memory below the heap's end: there, but a guest may have led us to any address.
const GUEST: MemFlagsData =
    MemFlagsData::new().with_notrap().with_endianness(cranelift_codegen::ir::Endianness::Little);
