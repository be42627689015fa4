//! The functions that `sp-io` has.

use super::host_function::HostFunction;
use sp_wasm_interface::HostFunctions;
use std::sync::OnceLock;

/// All of them.
pub(crate) fn functions() -> &'static [HostFunction] {
    static FUNCTIONS: OnceLock<Vec<HostFunction>> = OnceLock::new();
    FUNCTIONS.get_or_init(|| {
        let functions = sp_io::SubstrateHostFunctions::host_functions();
        functions.into_iter().map(HostFunction::substrate).collect()
    })
}
