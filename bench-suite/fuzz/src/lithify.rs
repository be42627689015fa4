//! A module on Lithify.

use crate::{Bits, Called, Outcome, argument};
use anyhow::{Context, Result};
use lithify_compiler::{Options, Profile, Target, compile_image, inspect};
use lithify_runtime::{
    CallError, Guest, Image, Imports, Instance, InstanceError, InstanceOptions, Pool, TrapCode,
    Trust, ValType, Value,
};

/// Compiles, loads and runs `wasm`. An error is a mistake of ours whatever the others do.
pub fn run(wasm: &[u8], number: u64) -> Result<Outcome> {
    let mut target = Target::host();
    target.features &= lithify_runtime::host_cpu_features();
    let profile = Some(Profile::General);
    let options = Options { target, profile, jobs: 1, ..Options::default() };
    let image = compile_image(wasm, &options)?;
    let image = Image::from_bytes(&image, &Imports::new(), Trust::SkipHash)?;
    let pool = Pool::new(&image, &InstanceOptions::default())?;
    let mut outcome = Outcome { refused: None, calls: vec![], globals: vec![], memory: vec![] };
    let mut instance = match pool.instance() {
        Ok(instance) => instance,
        Err(InstanceError::Trap(trap)) => {
            outcome.refused = Some(message(trap.code));
            return Ok(outcome);
        }
        Err(error) => return Err(error.into()),
    };
    let info = inspect(wasm, &options)?;
    for export in &info.exports {
        if let lithify_compiler::ExternInfo::Func(_) = export.ty {
            let called = call(&mut instance, &export.name, number)?;
            outcome.calls.push((export.name.clone(), called));
        }
    }
    for export in &info.exports {
        if let lithify_compiler::ExternInfo::Global(..) = export.ty {
            let value = instance.global_get(&export.name).context("an exported global")?;
            outcome.globals.push((export.name.clone(), bits(value)));
        }
    }
    if info.exports.iter().any(|e| e.ty == lithify_compiler::ExternInfo::Memory) {
        outcome.memory = instance.memory().to_vec();
    }
    Ok(outcome)
}

fn call(instance: &mut Instance, name: &str, number: u64) -> Result<Called> {
    let func = instance.func(name).context("an exported function")?;
    let arguments: Vec<Value> = (instance.func_type(&func).params.iter().enumerate())
        .map(|(i, ty)| match ty {
            ValType::FuncRef | ValType::ExternRef => Value::from_bits(*ty, 0),
            ty => Value::from_bits(*ty, argument(number, i).into()),
        })
        .collect();
    match instance.call_values(&func, &arguments, &mut ()) {
        Ok(values) => Ok(Ok(values.into_iter().map(bits).collect())),
        Err(CallError::Trap(trap)) => Ok(Err(message(trap.code))),
        Err(error) => Err(error.into()),
    }
}

fn bits(value: Value) -> Bits {
    match value {
        Value::FuncRef(bits) | Value::ExternRef(bits) => Bits::Null(bits == 0),
        value => Bits::Plain(value.to_bits()),
    }
}

/// The trap's message; a call and an access beyond a table are one, as in wasmtime.
fn message(code: TrapCode) -> String {
    match code {
        TrapCode::UndefinedElement | TrapCode::TableOutOfBounds => "table".into(),
        code => code.message().into(),
    }
}
