//! Rust closures as host functions: what a guest calls through an exit trampoline and an array.

use super::{Caller, HostError, Imports};
use crate::image::imports::{Closure, Function};
use crate::slot::Slot;
use lithify_abi::types::FuncType;

impl Imports {
    /// Provides a function. It gets an array with its arguments, and stores its results there from
    /// the first element on; the array is as long as the longer of the two lists. What was
    /// provided under the same name and type is replaced.
    ///
    /// A panic in it stops the guest with a trap that carries the panic's message.
    pub fn func<F>(&mut self, module: &str, name: &str, ty: FuncType, function: F) -> &mut Self
    where
        F: Fn(&mut Caller<'_>, &mut [u128]) -> Result<(), HostError> + Send + Sync + 'static,
    {
        let closure = Closure::new(move |base, values| {
            // SAFETY: whoever calls a closure passes the `base` of a guest that waits for it.
            let slot = unsafe { Slot::from_base(base) };
            function(&mut Caller::new(slot), values)
        });
        self.add(module, name, ty, Function::Closure(closure))
    }
}
