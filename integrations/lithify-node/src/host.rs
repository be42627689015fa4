//! The host functions of a set `H`, for guests on this engine.
//!
//! `H` gives values of a trait, and each guest's call names one by its number in the set's list;
//! the list is made once for a set and lives as long as the process.

use crate::heap::Heap;
use lithify_runtime::{
    Caller, FuncType, Guest, HostError, Imports, ValType,
    abi::heap::{FREE, MALLOC},
    host::{CallingGuest, Numbered},
};
use sp_wasm_interface::{
    Function, FunctionContext, HostFunctions, Pointer, Result as HostResult, Value, ValueType,
    WordSize,
};
use std::{
    any::{Any, TypeId},
    collections::{HashMap, HashSet},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Mutex, PoisonError},
};

/// A set of host functions.
pub struct Host {
    functions: Vec<HostFunction>,
    imports: Imports,
    /// Whether guests get blocks of a heap from it, which compiled code may then do by itself.
    pub allocates: bool,
}

struct HostFunction {
    function: &'static dyn Function,
    params: Vec<ValueType>,
}

/// What host functions of a running call work on, besides the guest.
pub struct CallState {
    /// The set that the guest's calls count in.
    pub host: &'static Host,
    /// The guest's heap.
    pub heap: Heap,
    /// What the guest said before it trapped.
    pub panic_message: Option<String>,
}

impl Host {
    /// The set `H`.
    pub fn of<H: HostFunctions>() -> &'static Self {
        static SETS: Mutex<Option<HashMap<TypeId, &'static Host>>> = Mutex::new(None);
        let mut sets = SETS.lock().unwrap_or_else(PoisonError::into_inner);
        let sets = sets.get_or_insert_default();
        let make = || &*Box::leak(Box::new(Self::new(H::host_functions())));
        *sets.entry(TypeId::of::<H>()).or_insert_with(make)
    }

    fn new(mut functions: Vec<&'static dyn Function>) -> Self {
        // A set that names a function twice means the first one.
        let mut names = HashSet::new();
        functions.retain(|function| names.insert(function.name().to_owned()));
        let allocates = [MALLOC, FREE].iter().all(|name| names.contains(*name));
        let mut imports = Imports::new();
        let functions = functions.into_iter().enumerate().map(|(number, function)| {
            let signature = function.signature();
            let params: Vec<_> = signature.args.iter().copied().map(val_type).collect();
            let results: Vec<_> = signature.return_value.map(val_type).into_iter().collect();
            let ty = FuncType::new(&params, &results);
            imports.numbered::<Calls>("env", function.name(), &ty, number);
            HostFunction { function, params: signature.args.into_owned() }
        });
        let functions = functions.collect();
        Self { functions, imports, allocates }
    }

    /// The set as what a guest imports. With `trap_missing`, a function that is not in it is one that
    /// traps.
    pub fn imports(&self, trap_missing: bool) -> Imports {
        let mut imports = self.imports.clone();
        imports.trap_missing(trap_missing);
        imports
    }
}

/// Calls of host functions by their number in the running call's set.
struct Calls;

impl Numbered for Calls {
    fn call(number: usize, caller: &mut Caller<'_>, words: &[u64]) -> Result<u64, HostError> {
        let (guest, state) = caller.guest_and_data::<CallState>();
        let state =
            state.ok_or_else(|| HostError("a start function cannot call the host".into()))?;
        let HostFunction { function, params } = &state.host.functions[number];
        let mut arguments = params.iter().zip(words).map(|(ty, word)| value(*ty, *word));
        let context = &mut Context { guest, state };
        let call = AssertUnwindSafe(|| function.execute(context, &mut arguments));
        match catch_unwind(call) {
            Ok(result) => result.map(|value| value.map_or(0, word)).map_err(HostError),
            Err(panic) => Err(HostError(panic_text(&*panic))),
        }
    }
}

/// The text of an error that stands for a panic of a host function.
fn panic_text(panic: &(dyn Any + Send)) -> String {
    const WHAT: &str = "host code panicked while being called by the runtime";
    let text = panic.downcast_ref::<String>().map(String::as_str);
    match text.or_else(|| panic.downcast_ref::<&str>().copied()) {
        Some(text) => format!("{WHAT}: {text}"),
        None => WHAT.to_owned(),
    }
}

/// The guest and its heap, as a host function sees them.
struct Context<'a, 'g> {
    guest: &'a mut CallingGuest<'g>,
    state: &'a mut CallState,
}

impl Context<'_, '_> {
    fn bytes(&mut self, address: Pointer<u8>, len: usize, what: &str) -> HostResult<&mut [u8]> {
        let memory = self.guest.memory();
        let bytes = memory.get_mut(usize::from(address)..).and_then(|bytes| bytes.get_mut(..len));
        bytes.ok_or_else(|| format!("Other: memory {what} is out of bounds"))
    }
}

impl FunctionContext for Context<'_, '_> {
    fn read_memory(&mut self, address: Pointer<u8>, size: WordSize) -> HostResult<Vec<u8>> {
        // Before there is room made for it: a guest may say any size.
        self.bytes(address, size as usize, "read").map(|bytes| bytes.to_vec())
    }

    fn read_memory_into(&mut self, address: Pointer<u8>, dest: &mut [u8]) -> HostResult<()> {
        self.bytes(address, dest.len(), "read").map(|bytes| dest.copy_from_slice(bytes))
    }

    fn write_memory(&mut self, address: Pointer<u8>, data: &[u8]) -> HostResult<()> {
        self.bytes(address, data.len(), "write").map(|bytes| bytes.copy_from_slice(data))
    }

    fn allocate_memory(&mut self, size: WordSize) -> HostResult<Pointer<u8>> {
        self.state.heap.allocate(self.guest, size).map_err(|error| error.to_string())
    }

    fn deallocate_memory(&mut self, pointer: Pointer<u8>) -> HostResult<()> {
        self.state.heap.free(self.guest, pointer).map_err(|error| error.to_string())
    }

    fn register_panic_error_message(&mut self, message: &str) {
        self.state.panic_message = Some(message.to_owned());
    }
}

fn val_type(ty: ValueType) -> ValType {
    match ty {
        ValueType::I32 => ValType::I32,
        ValueType::I64 => ValType::I64,
        ValueType::F32 => ValType::F32,
        ValueType::F64 => ValType::F64,
    }
}

fn value(ty: ValueType, word: u64) -> Value {
    match ty {
        ValueType::I32 => Value::I32(word as i32),
        ValueType::I64 => Value::I64(word as i64),
        ValueType::F32 => Value::F32(word as u32),
        ValueType::F64 => Value::F64(word),
    }
}

fn word(value: Value) -> u64 {
    match value {
        Value::I32(value) => u64::from(value as u32),
        Value::I64(value) => value as u64,
        Value::F32(bits) => u64::from(bits),
        Value::F64(bits) => bits,
    }
}
