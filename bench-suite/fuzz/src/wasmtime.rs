//! The same module on wasmtime.

use crate::{Bits, Called, Outcome, argument};
use anyhow::{Result, anyhow};
use lithify_runtime::TrapCode;
use wasmtime::{Config, Engine, Extern, Func, Instance, Module, Ref, Store, Trap, Val, ValType};

/// Compiles and runs `wasm`.
pub fn run(wasm: &[u8], number: u64) -> Result<Outcome> {
    let mut config = Config::new();
    config.cranelift_nan_canonicalization(true);
    let engine = Engine::new(&config).map_err(error)?;
    let module = Module::new(&engine, wasm).map_err(error)?;
    let mut store = Store::new(&engine, ());
    let mut outcome = Outcome { refused: None, calls: vec![], globals: vec![], memory: vec![] };
    let instance = match Instance::new(&mut store, &module, &[]) {
        Ok(instance) => instance,
        Err(refused) => {
            outcome.refused = Some(message(&refused)?);
            return Ok(outcome);
        }
    };
    let names: Vec<String> = module.exports().map(|export| export.name().to_owned()).collect();
    for name in &names {
        if let Some(func) = instance.get_func(&mut store, name) {
            outcome.calls.push((name.clone(), call(&mut store, &func, number)?));
        }
    }
    for name in &names {
        match instance.get_export(&mut store, name) {
            Some(Extern::Global(global)) => {
                outcome.globals.push((name.clone(), bits(&global.get(&mut store))));
            }
            Some(Extern::Memory(memory)) => outcome.memory = memory.data(&store).to_vec(),
            _ => {}
        }
    }
    Ok(outcome)
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn error(error: wasmtime::Error) -> anyhow::Error {
    anyhow!("wasmtime: {error:?}")
}

fn call(store: &mut Store<()>, func: &Func, number: u64) -> Result<Called> {
    let ty = func.ty(&mut *store);
    let arguments: Vec<Val> = (ty.params().enumerate())
        .map(|(i, ty)| {
            let bits = argument(number, i);
            match ty {
                ValType::I32 => Val::I32(bits as i32),
                ValType::I64 => Val::I64(bits as i64),
                ValType::F32 => Val::F32(bits as u32),
                ValType::F64 => Val::F64(bits),
                ValType::V128 => Val::V128(u128::from(bits).into()),
                ValType::Ref(ty) => Val::null_ref(ty.heap_type()),
            }
        })
        .collect();
    let mut results = vec![Val::I32(0); ty.results().len()];
    match func.call(&mut *store, &arguments, &mut results) {
        Ok(()) => Ok(Ok(results.iter().map(bits).collect())),
        Err(trapped) => Ok(Err(message(&trapped)?)),
    }
}

fn bits(value: &Val) -> Bits {
    match value {
        Val::I32(value) => Bits::Plain(u128::from(*value as u32)),
        Val::I64(value) => Bits::Plain(u128::from(*value as u64)),
        Val::F32(bits) => Bits::Plain(u128::from(*bits)),
        Val::F64(bits) => Bits::Plain(u128::from(*bits)),
        Val::V128(value) => Bits::Plain(value.as_u128()),
        Val::FuncRef(reference) => Bits::Null(reference.is_none()),
        Val::ExternRef(reference) => Bits::Null(reference.is_none()),
        other => Bits::Null(other.ref_().is_none_or(|reference: Ref| reference.is_null())),
    }
}

/// The message that Lithify has for the same trap.
fn message(trapped: &wasmtime::Error) -> Result<String> {
    let trap = trapped.downcast_ref::<Trap>().ok_or_else(|| anyhow!("wasmtime: {trapped:?}"))?;
    let code = match trap {
        Trap::UnreachableCodeReached => TrapCode::Unreachable,
        Trap::MemoryOutOfBounds => TrapCode::MemoryOutOfBounds,
        // Its trap of a call beyond the table and of an access beyond it is one.
        Trap::TableOutOfBounds => return Ok("table".into()),
        Trap::IndirectCallToNull => TrapCode::UninitializedElement,
        Trap::BadSignature => TrapCode::BadSignature,
        Trap::IntegerOverflow => TrapCode::IntegerOverflow,
        Trap::IntegerDivisionByZero => TrapCode::IntegerDivideByZero,
        Trap::BadConversionToInteger => TrapCode::BadConversionToInteger,
        Trap::StackOverflow => TrapCode::StackOverflow,
        other => return Err(anyhow!("wasmtime: {other}")),
    };
    Ok(code.message().into())
}
