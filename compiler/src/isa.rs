//! The instruction set: Cranelift's settings, types, signatures and trap codes.

use crate::{error::OptionsError, target::Target};
use cranelift_codegen::{
    ir::{self, AbiParam, Signature, types},
    isa::{self, CallConv, OwnedTargetIsa, TargetIsa},
    settings::{self, Configurable},
};
use lithify_abi::{
    cpu::{self, CpuFeature},
    machine::Machine,
    trap::TrapCode,
    types::{FuncType, ValType},
    vmctx,
};

/// Settings of every compilation. They shape the code, so they are part of the image's options.
const SETTINGS: &[(&str, &str)] = &[
    ("opt_level", "speed"),
    ("enable_nan_canonicalization", "true"),
    ("preserve_frame_pointers", "true"),
    ("unwind_info", "true"),
    // All symbols are near, which makes them relative to the code. What `is_pic` would add is a
    // detour through the global offset table.
    ("is_pic", "false"),
    ("enable_probestack", "true"),
    ("probestack_strategy", "inline"),
    ("enable_verifier", if cfg!(debug_assertions) { "true" } else { "false" }),
];

/// How code is generated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Way {
    /// As well as can be.
    #[default]
    Optimised,
    /// The same CLIF, which nothing but instruction selection and the register allocator look at, with
    /// every call a call.
    Quick,
    /// In a time that grows with the length of a function and with nothing else.
    Plain,
}

/// Cranelift's code generators for a target, which differ in nothing but how well they optimise.
pub struct Isas {
    optimising: OwnedTargetIsa,
    quick: OwnedTargetIsa,
}

impl Isas {
    /// Those for `target`.
    pub fn new(target: Target) -> Result<Self, OptionsError> {
        Ok(Self { optimising: isa(target, Way::Optimised)?, quick: isa(target, Way::Quick)? })
    }

    /// The one for a way.
    pub fn isa(&self, way: Way) -> &dyn TargetIsa {
        match way {
            Way::Optimised => &*self.optimising,
            Way::Quick | Way::Plain => &*self.quick,
        }
    }
}

/// Cranelift's code generator for `target`.
pub fn isa(target: Target, way: Way) -> Result<OwnedTargetIsa, OptionsError> {
    let error = |e: &dyn std::fmt::Display| OptionsError::Target(e.to_string());
    let mut flags = settings::builder();
    for (name, value) in SETTINGS {
        flags.set(name, value).map_err(|e| error(&e))?;
    }
    if way != Way::Optimised {
        flags.set("opt_level", "none").map_err(|e| error(&e))?;
    }
    let probe = vmctx::STACK_PROBE.trailing_zeros().to_string();
    flags.set("probestack_size_log2", &probe).map_err(|e| error(&e))?;
    let triple: target_lexicon::Triple =
        target.triple().parse().map_err(|e: target_lexicon::ParseError| error(&e))?;
    let mut builder = isa::lookup(triple).map_err(|e| error(&e))?;
    if target.machine == Machine::X86_64 {
        // Vectors take SSSE3 and SSE4.1; without them Cranelift calls functions that nobody has.
        if target.features & cpu::X86_64_V2 != cpu::X86_64_V2 {
            return Err(OptionsError::CpuBelowLeast);
        }
        for feature in CpuFeature::ALL.iter().filter(|f| target.features & f.bit() != 0) {
            builder.enable(&format!("has_{}", feature.name())).map_err(|e| error(&e))?;
        }
    }
    builder.finish(settings::Flags::new(flags)).map_err(|e| error(&e))
}

/// The CLIF type of a Wasm value.
pub fn clif_type(ty: ValType) -> ir::Type {
    match ty {
        ValType::I32 => types::I32,
        ValType::I64 | ValType::FuncRef | ValType::ExternRef => types::I64,
        ValType::F32 => types::F32,
        ValType::F64 => types::F64,
        ValType::V128 => types::I8X16,
    }
}

/// The signature of guest functions of type `ty`: the platform's C convention with `base` first,
/// and at most one result.
pub fn signature(isa: &dyn TargetIsa, ty: &FuncType) -> Signature {
    signature_for(isa.default_call_conv(), ty)
}

/// The signature of guest functions of type `ty` in a calling convention.
pub fn signature_for(call_conv: CallConv, ty: &FuncType) -> Signature {
    let mut signature = Signature::new(call_conv);
    signature.params.push(AbiParam::new(types::I64));
    signature.params.extend(ty.params.iter().map(|ty| AbiParam::new(clif_type(*ty))));
    signature.returns.extend(ty.results.first().map(|ty| AbiParam::new(clif_type(*ty))));
    signature
}

/// Cranelift's code for one of ours. Those that its own operations raise are its reserved ones.
pub fn trap_code(code: TrapCode) -> ir::TrapCode {
    match code {
        TrapCode::MemoryOutOfBounds => ir::TrapCode::HEAP_OUT_OF_BOUNDS,
        TrapCode::IntegerOverflow => ir::TrapCode::INTEGER_OVERFLOW,
        TrapCode::IntegerDivideByZero => ir::TrapCode::INTEGER_DIVISION_BY_ZERO,
        TrapCode::BadConversionToInteger => ir::TrapCode::BAD_CONVERSION_TO_INTEGER,
        TrapCode::StackOverflow => ir::TrapCode::STACK_OVERFLOW,
        other => ir::TrapCode::unwrap_user(other as u8 + 1),
    }
}

/// The inverse of [`trap_code`].
pub fn from_trap_code(code: ir::TrapCode) -> TrapCode {
    match code {
        ir::TrapCode::HEAP_OUT_OF_BOUNDS => TrapCode::MemoryOutOfBounds,
        ir::TrapCode::INTEGER_OVERFLOW => TrapCode::IntegerOverflow,
        ir::TrapCode::INTEGER_DIVISION_BY_ZERO => TrapCode::IntegerDivideByZero,
        ir::TrapCode::BAD_CONVERSION_TO_INTEGER => TrapCode::BadConversionToInteger,
        ir::TrapCode::STACK_OVERFLOW => TrapCode::StackOverflow,
        user => TrapCode::from_u8(user.as_raw().get() - 1).expect("only our codes are emitted"),
    }
}
