//! Modules of any kind on wasmi: values, globals and memory by name.

use super::{Data, Failed, Ready};
use crate::engine::{AnyInstance, Stopped, Stub};
use ::wasmi::errors::{ErrorKind, InstantiationError, MemoryError};
use ::wasmi::{
    ExternRef, F32, F64, FuncType, ImportType, Linker, Nullable, Store, TrapCode as Code, Val,
    ValType,
};
use anyhow::{Context, Result, bail};
use lithify_runtime::{self as ours, TrapCode, Value};

/// An instance.
struct Running {
    store: Store<Data>,
    instance: ::wasmi::Instance,
}

/// A fresh instance.
pub(super) fn instance(ready: &Ready) -> Result<Box<dyn AnyInstance>, Stopped> {
    let mut store = Store::new(&ready.engine, Data::default());
    match ready.linker.instantiate_and_start(&mut store, &ready.module) {
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
    let types: Vec<_> = ty.results().iter().map(of_type).collect::<Result<_>>()?;
    linker.func_new(import.module(), import.name(), ty.clone(), move |mut caller, from, to| {
        let arguments: Vec<Value> = from.iter().map(|val| value(&caller, val)).collect();
        let values =
            stub(&name, &arguments, &types).map_err(|error| ::wasmi::Error::host(Failed(error)))?;
        for (to, value) in to.iter_mut().zip(values) {
            *to = val(&mut caller, value).map_err(|e| ::wasmi::Error::new(e.to_string()))?;
        }
        Ok(())
    })?;
    Ok(())
}

impl AnyInstance for Running {
    fn call(&mut self, name: &str, arguments: &[Value]) -> Result<Vec<Value>, Stopped> {
        let func = self.instance.get_func(&self.store, name);
        let func = func.with_context(|| format!("no function {name}"))?;
        let arguments: Vec<Val> =
            arguments.iter().map(|value| val(&mut self.store, *value)).collect::<Result<_>>()?;
        let mut results = vec![Val::I32(0); func.ty(&self.store).results().len()];
        func.call(&mut self.store, &arguments, &mut results).map_err(stopped)?;
        Ok(results.iter().map(|val| value(&self.store, val)).collect())
    }

    fn global(&mut self, name: &str) -> Option<Value> {
        let global = self.instance.get_global(&self.store, name)?;
        Some(value(&self.store, &global.get(&self.store)))
    }

    fn set_global(&mut self, name: &str, value: Value) -> Result<()> {
        let global = self.instance.get_global(&self.store, name);
        let global = global.with_context(|| format!("no global {name}"))?;
        let value = val(&mut self.store, value)?;
        Ok(global.set(&mut self.store, value)?)
    }

    fn memory(&mut self, name: &str) -> Option<&[u8]> {
        Some(self.instance.get_memory(&self.store, name)?.data(&self.store))
    }
}

/// A reference of the host is its number.
fn value(store: impl ::wasmi::AsContext, val: &Val) -> Value {
    match val {
        Val::I32(value) => Value::I32(*value),
        Val::I64(value) => Value::I64(*value),
        Val::F32(value) => Value::F32(value.to_float()),
        Val::F64(value) => Value::F64(value.to_float()),
        Val::V128(value) => Value::V128(value.as_u128()),
        Val::FuncRef(reference) => Value::FuncRef((!reference.is_null()).into()),
        Val::ExternRef(reference) => Value::ExternRef(match reference.val() {
            Some(reference) => reference.data(&store).downcast_ref().copied().unwrap_or(u64::MAX),
            None => 0,
        }),
    }
}

fn val(store: impl ::wasmi::AsContextMut, value: Value) -> Result<Val> {
    Ok(match value {
        Value::I32(value) => Val::I32(value),
        Value::I64(value) => Val::I64(value),
        Value::F32(value) => Val::F32(F32::from_bits(value.to_bits())),
        Value::F64(value) => Val::F64(F64::from_bits(value.to_bits())),
        Value::V128(bits) => Val::V128(bits.into()),
        Value::FuncRef(0) => Val::FuncRef(Nullable::Null),
        Value::FuncRef(_) => bail!("a reference to a function other than null"),
        Value::ExternRef(0) => Val::ExternRef(Nullable::Null),
        Value::ExternRef(number) => Val::ExternRef(ExternRef::new(store, number).into()),
    })
}

fn of_type(ty: &ValType) -> Result<ours::ValType> {
    Ok(match ty {
        ValType::I32 => ours::ValType::I32,
        ValType::I64 => ours::ValType::I64,
        ValType::F32 => ours::ValType::F32,
        ValType::F64 => ours::ValType::F64,
        ValType::V128 => ours::ValType::V128,
        ValType::FuncRef => ours::ValType::FuncRef,
        ValType::ExternRef => ours::ValType::ExternRef,
    })
}

fn stopped(error: ::wasmi::Error) -> Stopped {
    if error.downcast_ref::<Failed>().is_some() {
        return Stopped::Trap(TrapCode::Host);
    }
    let code = match error.as_trap_code() {
        Some(Code::UnreachableCodeReached) => TrapCode::Unreachable,
        Some(Code::MemoryOutOfBounds) => TrapCode::MemoryOutOfBounds,
        Some(Code::TableOutOfBounds) => TrapCode::TableOutOfBounds,
        Some(Code::IndirectCallToNull) => TrapCode::UninitializedElement,
        Some(Code::IntegerDivisionByZero) => TrapCode::IntegerDivideByZero,
        Some(Code::IntegerOverflow) => TrapCode::IntegerOverflow,
        Some(Code::BadConversionToInteger) => TrapCode::BadConversionToInteger,
        Some(Code::StackOverflow) => TrapCode::StackOverflow,
        Some(Code::BadSignature) => TrapCode::BadSignature,
        _ => match error.kind() {
            // Segments that do not fit are errors of its own kinds.
            ErrorKind::Instantiation(InstantiationError::ElementSegmentDoesNotFit { .. }) => {
                TrapCode::TableOutOfBounds
            }
            ErrorKind::Memory(MemoryError::OutOfBoundsAccess) => TrapCode::MemoryOutOfBounds,
            _ => return Stopped::Failed(error.into()),
        },
    };
    Stopped::Trap(code)
}
