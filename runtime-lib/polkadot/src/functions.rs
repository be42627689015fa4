//! The host functions by name and type.
//!
//! All functions of `sp_io::SubstrateHostFunctions`, run by `sp-io` itself; the two allocator
//! functions go straight to the heap of the [`CallContext`](crate::CallContext); old names and those of other crates
//! come from `shims.rs`, those of benchmarks from `benchmark.rs`. What is left out, and why, is in
//! `left_out.rs`.

mod benchmark;
mod host_function;
mod left_out;
mod of_sp_io;
mod shims;
mod wasi;

pub use host_function::HostFunction;
pub use left_out::left_out;

use lithify_abi::types::FuncType;
use std::sync::OnceLock;

/// Which of the host functions a module may import.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HostSet {
    /// Those of a node: [`functions`].
    #[default]
    Chain,
    /// The same, and `ext_benchmarking_*`, which work in
    /// [`Session::benchmark`](crate::Session::benchmark) alone.
    Benchmarks,
    /// Those of a worker that validates a parachain's blocks: `misc`, `crypto`, `hashing`, `allocator`,
    /// `logging` and `trie`.
    Validation,
}

impl HostSet {
    /// The functions, each with its number among all that there are.
    pub(crate) fn numbered(self) -> impl Iterator<Item = (usize, &'static HostFunction)> {
        const VALIDATION: [&str; 6] = [
            "ext_misc_",
            "ext_crypto_",
            "ext_hashing_",
            "ext_allocator_",
            "ext_logging_",
            "ext_trie_",
        ];
        let last = if self == Self::Benchmarks { all().len() } else { functions().len() };
        let offers = move |name: &str| {
            self != Self::Validation || VALIDATION.iter().any(|prefix| name.starts_with(prefix))
        };
        all()[..last].iter().enumerate().filter(move |(_, function)| offers(function.name()))
    }

    /// The functions.
    pub fn functions(self) -> impl Iterator<Item = &'static HostFunction> {
        self.numbered().map(|(_, function)| function)
    }

    /// Whether it has the function for an import.
    pub fn has(self, module: &str, name: &str, ty: &FuncType) -> bool {
        self.functions().any(|f| f.module() == module && f.name() == name && f.ty() == ty)
    }
}

/// The functions of a node. Names are unique but for the few that changed their type over the years.
pub fn functions() -> &'static [HostFunction] {
    &all()[..all().len() - benchmark::COUNT]
}

/// Those of a node, then those of benchmarks.
pub(crate) fn all() -> &'static [HostFunction] {
    static FUNCTIONS: OnceLock<Vec<HostFunction>> = OnceLock::new();
    FUNCTIONS.get_or_init(|| {
        let own = shims::functions();
        let is_own = |theirs: &&HostFunction| {
            own.iter().any(|own| own.name() == theirs.name() && own.ty() == theirs.ty())
        };
        let of_sp_io = of_sp_io::functions().iter().filter(|theirs| !is_own(theirs)).cloned();
        let of_sp_io: Vec<_> = of_sp_io.collect();
        let of_a_node = of_sp_io.into_iter().chain(own).chain(wasi::functions());
        of_a_node.chain(benchmark::functions()).collect()
    })
}

/// The name of the host function that [`running_host_function`](crate::running_host_function) gave that
/// mark; none for requests to the heap, and where none ran.
pub fn host_function_of(mark: usize) -> Option<&'static str> {
    let is_it = |function: &&HostFunction| function.name().as_ptr() as usize == mark;
    functions().iter().find(is_it).map(HostFunction::name)
}

/// Why an import has no host function.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// No host function has that name.
    #[error("there is no host function {module}:{name}{}", reason(.name))]
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

fn reason(name: &str) -> String {
    left_out(name).map_or_else(String::new, |why| format!(" ({why})"))
}

/// The host function of a node for an import. Linear in the number of functions: resolve once per
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
