//! What an embedder provides to guests, under the names they import.

use super::error::UnresolvedImport;
use super::section::{MAX_PAGES, MAX_TABLE};
use crate::trap::HostError;
use lithify_abi::types::{ExternType, FuncType, Limits, ValType};
use std::collections::HashMap;
use std::ffi::c_void;
use std::fmt;
use std::sync::Arc;

type BoxedClosure = dyn Fn(*mut u8, &mut [u128]) -> Result<(), HostError> + Send + Sync;

/// A Rust closure: its array has the arguments first and then the results, from the first element on,
/// each with the bits of a value in its low bytes. It finds the guest by its `base`, as native code does.
#[derive(Clone)]
pub(crate) struct Closure(Arc<BoxedClosure>);

impl Closure {
    /// A closure that may rely on what [`call`](Self::call) asks for.
    pub fn new<F>(closure: F) -> Self
    where
        F: Fn(*mut u8, &mut [u128]) -> Result<(), HostError> + Send + Sync + 'static,
    {
        Self(Arc::new(closure))
    }

    /// Calls it.
    ///
    /// # Safety
    ///
    /// The guest of `base` has called it and waits.
    #[inline]
    pub unsafe fn call(&self, base: *mut u8, values: &mut [u128]) -> Result<(), HostError> {
        (self.0)(base, values)
    }
}

/// A function that an embedder provides.
#[derive(Clone)]
pub(crate) enum Function {
    /// Rust code, called through an exit trampoline.
    Closure(Closure),
    /// Native code in the C convention, called directly.
    Native(*const c_void),
}

// SAFETY: the address of native code is as good in one thread as in another; whoever registered
// it vouched for the code.
unsafe impl Send for Function {}
// SAFETY: as above.
unsafe impl Sync for Function {}

#[derive(Clone, Copy)]
struct Global {
    ty: ValType,
    mutable: bool,
    bits: u128,
}

/// What is provided, by module name and field name, to be looked up without making a key.
#[derive(Clone)]
struct Names<T>(HashMap<String, HashMap<String, T>>);

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T> Names<T> {
    fn get(&self, module: &str, name: &str) -> Option<&T> {
        self.0.get(module)?.get(name)
    }

    fn insert(&mut self, module: &str, name: &str, value: T) {
        self.0.entry(module.into()).or_default().insert(name.into(), value);
    }

    fn names(&self) -> Vec<(&str, &str)> {
        let modules = self.0.iter();
        let names = modules.flat_map(|(module, fields)| {
            fields.keys().map(move |name| (module.as_str(), name.as_str()))
        });
        names.collect()
    }
}

/// Functions and globals by module name, field name and type; sizes of memories and tables.
///
/// A name can be there with several types: Polkadot's host changed the types of a few functions
/// and runtimes of both kinds exist.
#[derive(Clone, Default)]
pub struct Imports {
    functions: Names<Vec<(FuncType, Function)>>,
    globals: Names<Global>,
    /// Memories and tables.
    sizes: Names<ExternType>,
    trap_missing: bool,
}

impl Imports {
    /// Provides nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Provides native code, which guests call without anything in between.
    ///
    /// # Safety
    ///
    /// `function` is an `extern "C"` function that takes `base: *mut u8` and then parameters of
    /// `ty` (`i32`, `i64`, `f32`, `f64`; references as `i64`, vectors as `__m128i` or
    /// `uint8x16_t`), and returns its result; `ty` has at most one. It must be sound for any arguments, must not unwind, and may be called on
    /// any thread. To fail it uses
    /// [`Caller::enter`](crate::Caller::enter).
    pub unsafe fn native(
        &mut self,
        module: &str,
        name: &str,
        ty: FuncType,
        function: *const c_void,
    ) -> &mut Self {
        self.add(module, name, ty, Function::Native(function))
    }

    /// Provides a function. What was provided under the same name and type is replaced.
    pub(crate) fn add(
        &mut self,
        module: &str,
        name: &str,
        ty: FuncType,
        function: Function,
    ) -> &mut Self {
        let fields = self.functions.0.entry(module.into()).or_default();
        let types = fields.entry(name.into()).or_default();
        types.retain(|(known, _)| *known != ty);
        types.push((ty, function));
        self
    }

    /// Provides a global with this initial value. Each instance has its own copy of a mutable
    /// one. References can only be null.
    ///
    /// # Panics
    ///
    /// When `ty` is a reference and `bits` are not 0.
    pub fn global(
        &mut self,
        module: &str,
        name: &str,
        ty: ValType,
        mutable: bool,
        bits: u128,
    ) -> &mut Self {
        let reference = matches!(ty, ValType::FuncRef | ValType::ExternRef);
        assert!(!reference || bits == 0, "a reference other than null");
        let global = Global { ty, mutable, bits };
        self.globals.insert(module, name, global);
        self
    }

    /// Gives a size to the memory that is imported under this name, in pages, which has to be
    /// within the module's limits. Each instance has its own memory, of the size that the module
    /// says where nothing is provided.
    ///
    /// # Panics
    ///
    /// When there are more than 65536 pages or fewer than at the start.
    pub fn memory(&mut self, module: &str, name: &str, limits: Limits) -> &mut Self {
        check_limits(limits, MAX_PAGES);
        self.sizes.insert(module, name, ExternType::Memory(limits));
        self
    }

    /// The same for a table, in elements.
    ///
    /// # Panics
    ///
    /// When the initial size is larger than a table can be, or than the largest.
    pub fn table(&mut self, module: &str, name: &str, limits: Limits) -> &mut Self {
        check_limits(limits, MAX_TABLE);
        self.sizes.insert(module, name, ExternType::Table(limits));
        self
    }

    /// Whether a function that nobody provides becomes one that traps when it is called, rather
    /// than an error at load time. One that is provided with another type is an error always.
    pub fn trap_missing(&mut self, yes: bool) -> &mut Self {
        self.trap_missing = yes;
        self
    }

    /// The function under this name and type. `Ok(None)`: missing, and to be a trap.
    pub(crate) fn find_function(
        &self,
        module: &str,
        name: &str,
        ty: &FuncType,
    ) -> Result<Option<Function>, UnresolvedImport> {
        let provided = self.functions.get(module, name);
        let types = provided.map_or(&[][..], Vec::as_slice);
        match types.iter().find(|(known, _)| known == ty) {
            Some((_, function)) => Ok(Some(function.clone())),
            None if types.is_empty() && self.trap_missing => Ok(None),
            None => Err(self.unresolved(module, name, ty.to_string())),
        }
    }

    /// The value of the global under this name and type.
    pub(crate) fn find_global(
        &self,
        module: &str,
        name: &str,
        ty: ValType,
        mutable: bool,
    ) -> Result<u128, UnresolvedImport> {
        match self.globals.get(module, name) {
            Some(global) if global.ty == ty && global.mutable == mutable => Ok(global.bits),
            _ => {
                let wanted = ExternType::Global { ty, mutable };
                Err(self.unresolved(module, name, wanted.to_string()))
            }
        }
    }

    /// The size of the memory or table under this name; `Ok(None)` when it is left to the module.
    pub(crate) fn find_size(
        &self,
        module: &str,
        name: &str,
        wanted: &ExternType,
    ) -> Result<Option<Limits>, UnresolvedImport> {
        use ExternType::{Memory, Table};
        match (self.sizes.get(module, name), wanted) {
            (Some(Memory(limits)), Memory(wanted)) | (Some(Table(limits)), Table(wanted))
                if fits(*limits, *wanted) =>
            {
                Ok(Some(*limits))
            }
            (None, _) if self.provided(module, name).is_empty() => Ok(None),
            _ => Err(self.unresolved(module, name, wanted.to_string())),
        }
    }

    fn unresolved(&self, module: &str, name: &str, wanted: String) -> UnresolvedImport {
        let provided = self.provided(module, name);
        UnresolvedImport { module: module.into(), name: name.into(), wanted, provided }
    }

    /// The types under which there is something of this name.
    fn provided(&self, module: &str, name: &str) -> Vec<String> {
        let functions = self.functions.get(module, name).into_iter().flatten();
        let global = self.globals.get(module, name);
        let global = global.map(|&Global { ty, mutable, .. }| ExternType::Global { ty, mutable });
        functions
            .map(|(ty, _)| ty.to_string())
            .chain(global.map(|global| global.to_string()))
            .chain(self.sizes.get(module, name).map(|size| size.to_string()))
            .collect()
    }
}

/// Whether something of these limits can be imported as `wanted`.
fn fits(provided: Limits, wanted: Limits) -> bool {
    let below = |wanted| provided.max.is_some_and(|max| max <= wanted);
    provided.min >= wanted.min && wanted.max.is_none_or(below)
}

fn check_limits(limits: Limits, largest: u32) {
    let ordered = limits.max.is_none_or(|max| limits.min <= max);
    assert!(limits.min <= largest && ordered, "limits of {limits}; at most {largest}");
}

impl fmt::Debug for Imports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Imports")
            .field("functions", &self.functions.names())
            .field("globals", &self.globals.names())
            .field("sizes", &self.sizes.names())
            .field("trap_missing", &self.trap_missing)
            .finish()
    }
}
