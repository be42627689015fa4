//! The host functions by name and type.
//!
//! All functions of `sp_io::SubstrateHostFunctions`, run by `sp-io` itself; the two allocator
//! functions go straight to the heap of the [`CallContext`](crate::CallContext); old names and those of other crates
//! come from `shims.rs`.
//!
//! Left out, so that an import of them is missing:
//! - `ext_sandbox_*`: needs a Wasm interpreter in the host; only contract chains up to 2022 used it.
//! - `ext_runtime_tasks_*`: calls back into a second instance; no live chain ever used it.
//! - BLS and Bandersnatch keys, elliptic curve and virtualization functions: experimental, or of
//!   test networks.
//! - Both sets of `ext_benchmarking_*`: they count database accesses, and there is no database.

mod host_function;
mod of_sp_io;
mod shims;
mod wasi;

pub use host_function::HostFunction;
pub(crate) use wasi::is_constant;

use lithify_abi::types::FuncType;
use std::sync::OnceLock;

/// All host functions. Names are unique but for the few that changed their type over the years.
pub fn functions() -> &'static [HostFunction] {
    static FUNCTIONS: OnceLock<Vec<HostFunction>> = OnceLock::new();
    FUNCTIONS.get_or_init(|| {
        let own = shims::functions();
        let is_own = |theirs: &&HostFunction| {
            own.iter().any(|own| own.name() == theirs.name() && own.ty() == theirs.ty())
        };
        let of_sp_io = of_sp_io::functions().iter().filter(|theirs| !is_own(theirs)).cloned();
        let of_sp_io: Vec<_> = of_sp_io.collect();
        of_sp_io.into_iter().chain(own).chain(wasi::functions()).collect()
    })
}

/// Why an import has no host function.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// No host function has that name.
    #[error("there is no host function {module}:{name}")]
    Missing {
        /// The module that it is imported from.
        module: String,
        /// The imported name.
        name: String,
    },
    /// The name exists with another type.
    #[error("host function {module}:{name} has the type {known}, not {imported}")]
    Type {
        /// The module that it is imported from.
        module: String,
        /// The imported name.
        name: String,
        /// The type of the import.
        imported: FuncType,
        /// The type or types that the host knows, as text.
        known: String,
    },
}

/// The host function for an import. Linear in the number of functions: resolve once per
/// module, not per instance.
pub fn resolve(
    module: &str,
    name: &str,
    ty: &FuncType,
) -> Result<&'static HostFunction, ImportError> {
    let mut known = Vec::new();
    for function in functions().iter().filter(|f| f.module() == module && f.name() == name) {
        if function.ty() == ty {
            return Ok(function);
        }
        known.push(function.ty().to_string());
    }
    let (module, name) = (module.to_owned(), name.to_owned());
    Err(match known.is_empty() {
        true => ImportError::Missing { module, name },
        false => {
            ImportError::Type { module, name, imported: ty.clone(), known: known.join(" or ") }
        }
    })
}
