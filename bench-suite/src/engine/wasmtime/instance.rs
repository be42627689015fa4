//! Modules of any kind on wasmtime: values, globals and memory by name.

use super::{Data, Ready, error};
use crate::engine::{AnyInstance, Stopped, Stub};
use ::wasmtime::{FuncType, ImportType, Linker, Store, Trap, Val, ValType};
use anyhow::{Context, Result, bail};
use lithify_runtime::host::HostError;
use lithify_runtime::{self as ours, TrapCode, Value};

/// An instance.
struct Running {
    store: Store<Data>,
    instance: ::wasmtime::Instance,
}

/// A fresh instance.
pub(super) fn instance(ready: &Ready) -> Result<Box<dyn AnyInstance>, Stopped> {
    let mut store = Store::new(&ready.engine, Data::default());
    match ready.pre.instantiate(&mut store) {
        Ok(instance) => Ok(Box::new(Running { store, instance })),
        Err(error) => Err(stopped(error)),
    }
}

/// Answers calls of an import by `stub`.
pub(super) fn define(
    linker: &mut Linker<Data>,
    import: &ImportType<'_>,
    ty: &FuncType,
    stub: Stub,
) -> Result<()> {
    let name = import.name().to_owned();
    let types: Vec<_> = ty.results().map(|ty| of_type(&ty)).collect::<Result<_>>()?;
    let answer = linker.func_new(import.module(), import.name(), ty.clone(), move |_, from, to| {
        let failed = |error: anyhow::Error| ::wasmtime::Error::msg(format!("{error:#}"));
        let arguments: Vec<Value> =
            from.iter().map(value).collect::<Result<_>>().map_err(failed)?;
        let values = stub(&name, &arguments, &types).map_err(::wasmtime::Error::new)?;
        for (to, value) in to.iter_mut().zip(values) {
            *to = val(value).map_err(failed)?;
        }
        Ok(())
    });
    answer.map(drop).map_err(error)
}

impl AnyInstance for Running {
    fn call(&mut self, name: &str, arguments: &[Value]) -> Result<Vec<Value>, Stopped> {
        let func = self.instance.get_func(&mut self.store, name);
        let func = func.with_context(|| format!("no function {name}"))?;
        let arguments: Vec<Val> =
            arguments.iter().map(|value| val(*value)).collect::<Result<_>>()?;
        let mut results = vec![Val::I32(0); func.ty(&self.store).results().len()];
        func.call(&mut self.store, &arguments, &mut results).map_err(stopped)?;
        Ok(results.iter().map(value).collect::<Result<_>>()?)
    }

    fn global(&mut self, name: &str) -> Option<Value> {
        let global = self.instance.get_global(&mut self.store, name)?;
        value(&global.get(&mut self.store)).ok()
    }

    fn set_global(&mut self, name: &str, value: Value) -> Result<()> {
        let global = self.instance.get_global(&mut self.store, name);
        let global = global.with_context(|| format!("no global {name}"))?;
        global.set(&mut self.store, val(value)?).map_err(error)
    }

    fn memory(&mut self, name: &str) -> Option<&[u8]> {
        Some(self.instance.get_memory(&mut self.store, name)?.data(&self.store))
    }
}

fn value(val: &Val) -> Result<Value> {
    Ok(match val {
        Val::I32(value) => Value::I32(*value),
        Val::I64(value) => Value::I64(*value),
        Val::F32(bits) => Value::F32(f32::from_bits(*bits)),
        Val::F64(bits) => Value::F64(f64::from_bits(*bits)),
        Val::V128(value) => Value::V128(value.as_u128()),
        Val::FuncRef(reference) => Value::FuncRef(reference.is_some().into()),
        // The garbage collector, without which wasmtime has no other, is not built in.
        Val::ExternRef(None) => Value::ExternRef(0),
        other => bail!("{other:?} comes from no module of WebAssembly 2.0"),
    })
}

fn val(value: Value) -> Result<Val> {
    Ok(match value {
        Value::I32(value) => Val::I32(value),
        Value::I64(value) => Val::I64(value),
        Value::F32(value) => Val::F32(value.to_bits()),
        Value::F64(value) => Val::F64(value.to_bits()),
        Value::V128(bits) => Val::V128(bits.into()),
        Value::FuncRef(0) => Val::FuncRef(None),
        Value::ExternRef(0) => Val::ExternRef(None),
        Value::FuncRef(_) | Value::ExternRef(_) => bail!("a reference other than null"),
    })
}

fn of_type(ty: &ValType) -> Result<ours::ValType> {
    Ok(match ty {
        ValType::I32 => ours::ValType::I32,
        ValType::I64 => ours::ValType::I64,
        ValType::F32 => ours::ValType::F32,
        ValType::F64 => ours::ValType::F64,
        ValType::V128 => ours::ValType::V128,
        ValType::Ref(ty) if ty.heap_type().is_func() => ours::ValType::FuncRef,
        ValType::Ref(ty) if ty.heap_type().is_extern() => ours::ValType::ExternRef,
        ValType::Ref(ty) => bail!("type {ty}"),
    })
}

fn stopped(failed: ::wasmtime::Error) -> Stopped {
    if failed.downcast_ref::<HostError>().is_some() {
        return Stopped::Trap(TrapCode::Host);
    }
    let code = match failed.downcast_ref::<Trap>() {
        Some(Trap::UnreachableCodeReached) => TrapCode::Unreachable,
        Some(Trap::MemoryOutOfBounds) => TrapCode::MemoryOutOfBounds,
        Some(Trap::TableOutOfBounds) => TrapCode::TableOutOfBounds,
        Some(Trap::IndirectCallToNull) => TrapCode::UninitializedElement,
        Some(Trap::BadSignature) => TrapCode::BadSignature,
        Some(Trap::IntegerOverflow) => TrapCode::IntegerOverflow,
        Some(Trap::IntegerDivisionByZero) => TrapCode::IntegerDivideByZero,
        Some(Trap::BadConversionToInteger) => TrapCode::BadConversionToInteger,
        Some(Trap::StackOverflow) => TrapCode::StackOverflow,
        _ => return Stopped::Failed(error(failed)),
    };
    Stopped::Trap(code)
}
