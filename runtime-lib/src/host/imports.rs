//! What an embedder provides to guests, under the names they import.

use super::{Caller, HostError};
use lithify_abi::types::{FuncType, ValType};
use std::collections::HashMap;
use std::ffi::c_void;
use std::fmt;
use std::sync::Arc;

/// A host function: arguments are in the first slots, results go there. Slots hold the bits of
/// a value in their low bytes.
pub(crate) type HostFunc =
    dyn Fn(&mut Caller<'_>, &mut [u128]) -> Result<(), HostError> + Send + Sync;

/// A function that an embedder provides.
#[derive(Clone)]
pub(crate) enum Function {
    /// Rust code, called through an exit trampoline.
    Host(Arc<HostFunc>),
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

type Name = (String, String);

/// Functions and globals by module name, field name and type.
///
/// A name can be there with several types: Polkadot's host changed the types of a few functions
/// and runtimes of both kinds exist.
#[derive(Clone, Default)]
pub struct Imports {
    functions: HashMap<Name, Vec<(FuncType, Function)>>,
    globals: HashMap<Name, Global>,
    trap_missing: bool,
}

impl Imports {
    /// Provides nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Provides a function. It gets its arguments in the slots, one each, and stores its results
    /// there from the first on; there are as many slots as the longer of the two lists. What was
    /// provided under the same name and type is replaced.
    ///
    /// A panic in it stops the guest with a trap that carries the panic's message.
    pub fn func<F>(&mut self, module: &str, name: &str, ty: FuncType, function: F) -> &mut Self
    where
        F: Fn(&mut Caller<'_>, &mut [u128]) -> Result<(), HostError> + Send + Sync + 'static,
    {
        self.add(module, name, ty, Function::Host(Arc::new(function)))
    }

    /// Provides native code, which guests call without anything in between.
    ///
    /// # Safety
    ///
    /// `function` is an `extern "C"` function that takes `base: *mut u8` and then parameters of
    /// `ty` (`i32`, `i64`, `f32`, `f64`; references as `i64`), and returns its result; `ty` has
    /// at most one. It must be sound for any arguments, must not unwind, and may be called on
    /// any thread. To fail it uses [`Caller::enter`].
    pub unsafe fn native(
        &mut self,
        module: &str,
        name: &str,
        ty: FuncType,
        function: *const c_void,
    ) -> &mut Self {
        self.add(module, name, ty, Function::Native(function))
    }

    fn add(&mut self, module: &str, name: &str, ty: FuncType, function: Function) -> &mut Self {
        let types = self.functions.entry((module.into(), name.into())).or_default();
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
        self.globals.insert((module.into(), name.into()), global);
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
        let provided = self.functions.get(&(module.to_owned(), name.to_owned()));
        let types = provided.map_or(&[][..], Vec::as_slice);
        match types.iter().find(|(known, _)| known == ty) {
            Some((_, function)) => Ok(Some(function.clone())),
            None if types.is_empty() && self.trap_missing => Ok(None),
            None => Err(UnresolvedImport {
                module: module.into(),
                name: name.into(),
                wanted: ty.to_string(),
                provided: types.iter().map(|(known, _)| known.to_string()).collect(),
            }),
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
        let describe = |ty: ValType, mutable: bool| match mutable {
            true => format!("(mut {ty})"),
            false => ty.to_string(),
        };
        let provided = self.globals.get(&(module.to_owned(), name.to_owned()));
        match provided {
            Some(global) if global.ty == ty && global.mutable == mutable => Ok(global.bits),
            _ => Err(UnresolvedImport {
                module: module.into(),
                name: name.into(),
                wanted: format!("global {}", describe(ty, mutable)),
                provided: provided
                    .map(|global| format!("global {}", describe(global.ty, global.mutable)))
                    .into_iter()
                    .collect(),
            }),
        }
    }
}

impl fmt::Debug for Imports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Imports")
            .field("functions", &self.functions.keys())
            .field("globals", &self.globals.keys())
            .field("trap_missing", &self.trap_missing)
            .finish()
    }
}

/// An import that nobody provides, at least not with the type that the module wants.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnresolvedImport {
    /// Module name.
    pub module: String,
    /// Field name.
    pub name: String,
    /// The type that the module wants.
    pub wanted: String,
    /// The types under which the name is provided; empty when it is not.
    pub provided: Vec<String>,
}

impl fmt::Display for UnresolvedImport {
    /// `env.ext_foo: (i32) -> i32` and what is provided instead.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}: {}", self.module, self.name, self.wanted)?;
        match self.provided.as_slice() {
            [] => Ok(()),
            provided => write!(f, ", but provided as {}", provided.join(" and ")),
        }
    }
}
