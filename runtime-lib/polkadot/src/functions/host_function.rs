//! A host function, and the bridge between raw values and `sp-io`.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::context::CallContext;
use crate::context::ahead::Reach;
use crate::context::appetite::Needs;
use crate::context::trace::Effect;
use crate::pointer_size::PointerSize;
use lithify_abi::heap::{FREE, MALLOC};
use lithify_abi::types::{FuncType, ValType};
use lithify_runtime::host::{Guest, HostError};
use sp_wasm_interface::{
    Function, FunctionContext, Pointer, Signature, Value, ValueType, WordSize,
};

/// No host function takes more parameters.
const MAX_PARAMS: usize = 8;

/// The module of the Polkadot host.
const ENV: &str = "env";

/// A function that a runtime may import.
#[derive(Clone)]
pub struct HostFunction {
    module: &'static str,
    name: &'static str,
    ty: FuncType,
    body: Body,
    needs: Needs,
    reach: Reach,
    /// Whether it is one of the heap's.
    of_heap: bool,
}

/// The function as `sp-io` declares it, or our own.
#[derive(Clone)]
pub(crate) enum Body {
    Substrate(&'static dyn Function),
    Own(fn(&mut Bridge<'_>, &[u64]) -> Result<u64, HostError>),
}

impl HostFunction {
    pub(crate) fn own(
        name: &'static str,
        ty: FuncType,
        body: fn(&mut Bridge<'_>, &[u64]) -> Result<u64, HostError>,
    ) -> Self {
        Self {
            module: ENV,
            name,
            ty,
            body: Body::Own(body),
            // Its own work takes nothing that a guest could make large.
            needs: Needs::default(),
            reach: Reach::of(name),
            of_heap: [MALLOC, FREE].contains(&name),
        }
    }

    /// One that is imported from another module.
    pub(crate) fn own_in(
        module: &'static str,
        name: &'static str,
        ty: FuncType,
        body: fn(&mut Bridge<'_>, &[u64]) -> Result<u64, HostError>,
    ) -> Self {
        Self { module, ..Self::own(name, ty, body) }
    }

    /// A function of `sp-io`.
    pub(crate) fn substrate(function: &'static dyn Function) -> Self {
        Self {
            module: ENV,
            name: function.name(),
            ty: func_type(&function.signature()),
            body: Body::Substrate(function),
            needs: Needs::of(function.name()),
            reach: Reach::of(function.name()),
            of_heap: false,
        }
    }

    /// The module that it is imported from: `env`, or WASI's.
    pub fn module(&self) -> &str {
        self.module
    }

    /// The full name, such as `ext_hashing_twox_128_version_1`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Its WebAssembly type.
    pub fn ty(&self) -> &FuncType {
        &self.ty
    }

    /// Calls it with raw values, an `i32` in the low half. The result is 0 when there is none.
    ///
    /// An error is a trap of the guest, and so is a panic in the host's code, as in Substrate.
    pub fn call<G: Guest>(
        &self,
        context: &mut CallContext,
        guest: &mut G,
        args: &[u64],
    ) -> Result<u64, HostError> {
        let work = |context: &mut CallContext, guest: &mut G| self.dispatch(context, guest, args);
        match self.of_heap {
            true => context.heap_call(self.name, guest, work),
            false => context.host_call(self.name, guest, work),
        }
    }

    fn dispatch(
        &self,
        context: &mut CallContext,
        guest: &mut dyn Guest,
        args: &[u64],
    ) -> Result<u64, HostError> {
        if args.len() != self.ty.params.len() {
            return Err(HostError(format!(
                "{}: {} arguments given, {} expected",
                self.name,
                args.len(),
                self.ty.params.len()
            )));
        }
        let mut bridge = Bridge { context, guest, needs: self.needs };
        catch_unwind(AssertUnwindSafe(|| self.run(&mut bridge, args)))
            .unwrap_or_else(|payload| Err(panicked(&*payload)))
            .map_err(|error| HostError(format!("{}: {}", self.name, error.0)))
    }

    /// Runs it for a call that is under way.
    pub(crate) fn run(&self, bridge: &mut Bridge<'_>, args: &[u64]) -> Result<u64, HostError> {
        if let Some(ahead) = bridge.context.ahead() {
            let function = match self.body {
                Body::Substrate(function) => Some(function),
                Body::Own(_) => None,
            };
            if ahead.answers(self.reach, function, bridge.guest, args)? {
                return Ok(1);
            }
        }
        match self.body {
            Body::Own(body) => {
                // What is in the high half of an i32 depends on the engine.
                let mut clean = [0; MAX_PARAMS];
                for ((clean, bits), ty) in clean.iter_mut().zip(args).zip(&self.ty.params) {
                    *clean = if *ty == ValType::I32 { u64::from(*bits as u32) } else { *bits };
                }
                body(bridge, &clean[..args.len()])
            }
            Body::Substrate(function) => {
                bridge.needs = self.needs;
                bridge.context.appetite().enter(self.needs)?;
                let mut values = args.iter().zip(&self.ty.params).map(value);
                let result = function.execute(bridge, &mut values).map_err(HostError)?;
                Ok(result.map_or(0, bits))
            }
        }
    }
}

impl fmt::Debug for HostFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.name, self.ty)
    }
}

/// The running call as the functions of `sp-io` see it.
pub(crate) struct Bridge<'a> {
    pub(crate) context: &'a mut CallContext,
    pub(crate) guest: &'a mut dyn Guest,
    /// Those of the function that is running.
    pub(crate) needs: Needs,
}

impl Bridge<'_> {
    /// The bytes that a [`PointerSize`] names.
    pub(crate) fn slice(&mut self, fat: u64) -> Result<&[u8], HostError> {
        let place = PointerSize::from_bits(fat);
        self.context.instruments_mut().reads(place.len() as usize);
        let bytes = self.bytes(place.address(), place.len());
        bytes.map(|bytes| &*bytes).map_err(HostError)
    }

    /// Takes a block from the guest's heap.
    fn allocate(&mut self, size: u32) -> Result<u32, HostError> {
        self.context.instruments_mut().note(Effect::Allocate(size));
        self.context.allocate(self.guest, size)
    }

    /// Moves a result into the guest's heap, also when it is empty: the addresses that a runtime
    /// sees depend on every allocation.
    pub(crate) fn give(&mut self, bytes: &[u8]) -> Result<u64, HostError> {
        let len = bytes.len() as u32;
        let address = self.allocate(len)?;
        self.write_memory(address.into(), bytes).map_err(HostError)?;
        Ok(PointerSize::new(address, len).bits())
    }

    fn bytes(&mut self, address: u32, len: u32) -> Result<&mut [u8], String> {
        span(self.guest.memory(), address, len)
    }
}

/// The `len` bytes of memory from `address` on.
fn span(memory: &mut [u8], address: u32, len: u32) -> Result<&mut [u8], String> {
    let end = u64::from(address) + u64::from(len);
    let size = memory.len();
    usize::try_from(end)
        .ok()
        .and_then(|end| memory.get_mut(address as usize..end))
        .ok_or_else(|| format!("bytes {address:#x}..{end:#x} are outside memory ({size:#x})"))
}

impl FunctionContext for Bridge<'_> {
    // Checked before it is allocated: a guest may claim a length of 4 GiB.
    fn read_memory(&mut self, address: Pointer<u8>, size: WordSize) -> Result<Vec<u8>, String> {
        let bytes = span(self.guest.memory(), address.into(), size)?;
        self.context.appetite().read(self.needs, bytes).map_err(|error| error.0)?;
        self.context.instruments_mut().reads(bytes.len());
        Ok(bytes.to_vec())
    }

    fn read_memory_into(&mut self, address: Pointer<u8>, dest: &mut [u8]) -> Result<(), String> {
        dest.copy_from_slice(self.bytes(address.into(), dest.len() as u32)?);
        self.context.instruments_mut().reads(dest.len());
        Ok(())
    }

    fn write_memory(&mut self, address: Pointer<u8>, data: &[u8]) -> Result<(), String> {
        self.bytes(address.into(), data.len() as u32)?.copy_from_slice(data);
        self.context.instruments_mut().note(Effect::Write(address.into(), data));
        Ok(())
    }

    fn allocate_memory(&mut self, size: WordSize) -> Result<Pointer<u8>, String> {
        let address = self.allocate(size);
        address.map(Pointer::new).map_err(|error| error.0)
    }

    fn deallocate_memory(&mut self, ptr: Pointer<u8>) -> Result<(), String> {
        self.context.instruments_mut().note(Effect::Free(ptr.into()));
        self.context.free(self.guest, ptr.into()).map_err(|error| error.0)
    }

    fn register_panic_error_message(&mut self, message: &str) {
        self.context.set_panic_message(message);
    }
}

fn value((bits, ty): (&u64, &ValType)) -> Value {
    match ty {
        ValType::I32 => Value::I32(*bits as i32),
        ValType::F32 => Value::F32(*bits as u32),
        ValType::F64 => Value::F64(*bits),
        _ => Value::I64(*bits as i64),
    }
}

fn bits(value: Value) -> u64 {
    match value {
        Value::I32(value) => u64::from(value as u32),
        Value::I64(value) => value as u64,
        Value::F32(bits) => u64::from(bits),
        Value::F64(bits) => bits,
    }
}

fn func_type(signature: &Signature) -> FuncType {
    let ty = |ty: &ValueType| match ty {
        ValueType::I32 => ValType::I32,
        ValueType::I64 => ValType::I64,
        ValueType::F32 => ValType::F32,
        ValueType::F64 => ValType::F64,
    };
    FuncType {
        params: signature.args.iter().map(ty).collect(),
        results: signature.return_value.iter().map(ty).collect(),
    }
}

fn panicked(payload: &(dyn Any + Send)) -> HostError {
    let message = payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    HostError(format!("the host panicked: {message}"))
}
