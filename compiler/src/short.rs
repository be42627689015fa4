//! Short copies and fills without a loop, and the functions that stand before the libcalls of
//! `memory.copy` and `memory.fill`.
//!
//! ```text
//! len >= 33: two vectors from the start on, two up to the end
//! len >= 16: one, and one; and so on down to a byte
//! ```
//!
//! The rule not to break: of a copy everything is loaded before anything is stored, so ranges may
//! overlap; and nothing outside the ranges is touched.
//!
//! Not here: what makes sure that the ranges are inside of memory, but for those two functions.

use crate::{isa, symbol::Symbol};
use cranelift_codegen::{
    ir::{
        Block, Endianness, ExtFuncData, Function, InstBuilder, MemFlagsData, Type, Value,
        condcodes::IntCC,
        types::{I8, I8X16, I16, I32, I64},
    },
    isa::TargetIsa,
};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use lithify_abi::{libcall::Libcall, vmctx};

/// The longest that is done in line, in bytes.
pub const LONGEST: u32 = 64;

/// So many accesses of a type, half of them from the start on and half up to the end, cover what is as
/// long as half of them and no longer than all. What is longer comes before.
const BY: [(Type, u32); 5] = [(I8X16, 4), (I8X16, 2), (I64, 2), (I32, 2), (I16, 2)];

/// A part of a range: a type, the address from which it is counted, an offset from there.
pub type Place = (Type, Value, i32);

/// Copies from 1 to `longest` bytes between addresses, and jumps to `done`. Leaves the builder in no
/// block.
pub fn copy(
    builder: &mut FunctionBuilder<'_>,
    flags: MemFlagsData,
    [to, from]: [Value; 2],
    len: Value,
    longest: u32,
    done: Block,
) {
    in_classes(builder, [to, from], len, longest, done, |builder, places| {
        let [to, from] = places;
        copy_places(builder, flags, to, from);
    });
}

/// Fills from 1 to `longest` bytes at an address with the lowest byte of an i32, and jumps to `done`.
/// Leaves the builder in no block.
pub fn fill(
    builder: &mut FunctionBuilder<'_>,
    flags: MemFlagsData,
    to: Value,
    value: Value,
    len: Value,
    longest: u32,
    done: Block,
) {
    let byte = builder.ins().ireduce(I8, value);
    in_classes(builder, [to], len, longest, done, |builder, [places]| {
        fill_places(builder, flags, places, byte);
    });
}

/// Loads from all places, then stores.
pub fn copy_places(
    builder: &mut FunctionBuilder<'_>,
    flags: MemFlagsData,
    to: &[Place],
    from: &[Place],
) {
    let loaded: Vec<Value> =
        from.iter().map(|(ty, from, at)| builder.ins().load(*ty, flags, *from, *at)).collect();
    for ((_, to, at), value) in to.iter().zip(loaded) {
        builder.ins().store(flags, value, *to, *at);
    }
}

/// Stores a byte to all of the places, which begin with the widest.
pub fn fill_places(
    builder: &mut FunctionBuilder<'_>,
    flags: MemFlagsData,
    places: &[Place],
    byte: Value,
) {
    let Some(&(ty, ..)) = places.first() else { return };
    let value = match ty {
        I8 => byte,
        I8X16 => builder.ins().splat(I8X16, byte),
        _ => {
            let byte = builder.ins().uextend(I64, byte);
            let bytes = builder.ins().imul_imm_u(byte, 0x0101_0101_0101_0101);
            if ty == I64 { bytes } else { builder.ins().ireduce(ty, bytes) }
        }
    };
    for (_, to, at) in places {
        builder.ins().store(flags, value, *to, *at);
    }
}

/// For each class of lengths, does what is wanted to its places in ranges that start at such addresses.
fn in_classes<const N: usize>(
    builder: &mut FunctionBuilder<'_>,
    starts: [Value; N],
    len: Value,
    longest: u32,
    done: Block,
    mut apply: impl FnMut(&mut FunctionBuilder<'_>, [&[Place]; N]),
) {
    let long = builder.ins().uextend(I64, len);
    for (ty, count) in BY {
        let least = ty.bytes() * (count / 2) + u32::from(count > 2);
        if least > longest {
            continue;
        }
        let [these, shorter] = [(); 2].map(|()| builder.create_block());
        let least = i64::from(least);
        let enough = builder.ins().icmp_imm_u(IntCC::UnsignedGreaterThanOrEqual, len, least);
        builder.ins().brif(enough, these, &[], shorter, &[]);
        start(builder, these);
        let (size, half) = (ty.bytes() as i32, count as i32 / 2);
        let places = starts.map(|start| {
            let end = builder.ins().iadd(start, long);
            // In between they may meet.
            let first = (0..half).map(|at| (ty, start, at * size));
            first.chain((1..=half).map(|at| (ty, end, -at * size))).collect::<Vec<Place>>()
        });
        apply(builder, places.each_ref().map(|places| &places[..]));
        builder.ins().jump(done, &[]);
        start(builder, shorter);
    }
    let places = starts.map(|start| [(I8, start, 0)]);
    apply(builder, places.each_ref().map(|places| &places[..]));
    builder.ins().jump(done, &[]);
}

/// Goes on in a block that all ways to are known of.
pub fn start(builder: &mut FunctionBuilder<'_>, block: Block) {
    builder.seal_block(block);
    builder.switch_to_block(block);
}

/// The operators of bulk memory whose libcalls have a function before them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Bulk {
    /// `memory.copy`.
    Copy,
    /// `memory.fill`.
    Fill,
}

impl Bulk {
    /// All of them, in the order of their declaration.
    pub const ALL: &'static [Self; 2] = &[Self::Copy, Self::Fill];

    /// What it leaves to the runtime, and has the type of.
    pub fn libcall(self) -> Libcall {
        match self {
            Self::Copy => Libcall::MemoryCopy,
            Self::Fill => Libcall::MemoryFill,
        }
    }
}

/// Writes the function that compiled code calls in place of a libcall into `func`: what is short and
/// inside of memory it does, all else it leaves to the libcall.
pub fn function(
    isa: &dyn TargetIsa,
    bulk: Bulk,
    func: &mut Function,
    context: &mut FunctionBuilderContext,
) {
    let signature = isa::signature(isa, &bulk.libcall().ty());
    func.signature = signature.clone();
    let mut builder = FunctionBuilder::new(func, context);
    let [entry, check, good, short, done, libcall] = [(); 6].map(|()| builder.create_block());
    builder.append_block_params_for_function_params(entry);
    start(&mut builder, entry);
    let params = builder.block_params(entry).to_vec();
    let &[base, to, other, len] = &params[..] else { unreachable!("base and three") };
    let is_short = IntCC::UnsignedLessThanOrEqual;
    let is_short = builder.ins().icmp_imm_u(is_short, len, i64::from(LONGEST));
    builder.ins().brif(is_short, check, &[], libcall, &[]);

    start(&mut builder, check);
    let trusted = MemFlagsData::trusted();
    let memory = builder.ins().load(I64, trusted, base, vmctx::MEMORY_LEN);
    let long = builder.ins().uextend(I64, len);
    let mut inside = |index: Value| {
        let index = builder.ins().uextend(I64, index);
        let end = builder.ins().iadd(index, long);
        let inside = builder.ins().icmp(IntCC::UnsignedLessThanOrEqual, end, memory);
        (builder.ins().iadd(base, index), inside)
    };
    let (to_address, to_inside) = inside(to);
    let (source, is_inside) = match bulk {
        Bulk::Copy => {
            let (from_address, from_inside) = inside(other);
            (from_address, builder.ins().band(to_inside, from_inside))
        }
        Bulk::Fill => (other, to_inside),
    };
    builder.ins().brif(is_inside, good, &[], libcall, &[]);
    start(&mut builder, good);
    builder.ins().brif(len, short, &[], done, &[]);
    start(&mut builder, short);
    // Guest memory, in bounds: what faults is a page that is not there yet.
    let flags = MemFlagsData::new().with_endianness(Endianness::Little).with_notrap();
    match bulk {
        Bulk::Copy => copy(&mut builder, flags, [to_address, source], len, LONGEST, done),
        Bulk::Fill => fill(&mut builder, flags, to_address, source, len, LONGEST, done),
    }
    start(&mut builder, done);
    builder.ins().return_(&[]);

    start(&mut builder, libcall);
    let signature = builder.import_signature(signature);
    let name = Symbol::Libcall(bulk.libcall()).declare_in(builder.func);
    let function =
        builder.import_function(ExtFuncData { name, signature, colocated: true, patchable: false });
    builder.ins().call(function, &params);
    builder.ins().return_(&[]);
    builder.finalize(isa.frontend_config());
}
