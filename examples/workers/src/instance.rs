//! Turns an instance of an engine into one of a runtime, which the host of a chain calls: an engine says how
//! its memory is reached and how its functions are called, in [`Instance`].
//!
//! A call's context goes to where host functions find it, for as long as the guest runs.

use crate::interface::Interface;
use anyhow::{Context, Result};
use lithify_polkadot::{CallContext, RuntimeInstance};
use lithify_runtime::host::Guest;
use std::cell::Cell;

/// An instance. Its functions are called by their places in the lists of the module's interface.
pub trait Instance {
    /// Its memory.
    fn guest(&mut self) -> &mut impl Guest;

    /// Of its module.
    fn interface(&self) -> &Interface;

    /// The value of `__heap_base`.
    fn heap_base(&mut self) -> Option<u32> {
        self.interface().heap_base
    }

    /// Calls one of [`Interface::initializers`].
    fn initialize(&mut self, place: usize) -> Result<()>;

    /// Calls one of [`Interface::entries`].
    fn enter(&mut self, place: usize, arguments: [u32; 2]) -> Result<u64>;
}

/// An instance as the host of a chain has it.
pub struct Hosted<I>(pub I);

impl<I: Instance> Guest for Hosted<I> {
    fn memory(&mut self) -> &mut [u8] {
        self.0.guest().memory()
    }

    fn grow(&mut self, delta: u32) -> Option<u32> {
        self.0.guest().grow(delta)
    }

    fn max_pages(&self) -> Option<u32> {
        self.0.interface().max_pages
    }
}

impl<I: Instance> RuntimeInstance for Hosted<I> {
    /// Its place among those of the interface.
    type Entry = usize;
    type Trap = anyhow::Error;

    fn heap_base(&mut self) -> Option<u32> {
        self.0.heap_base()
    }

    fn entry(&mut self, name: &str) -> Option<usize> {
        place(&self.0.interface().entries, name)
    }

    fn entries(&self) -> Vec<String> {
        self.0.interface().entries.clone()
    }

    fn initialize(&mut self, name: &str, context: &mut CallContext) -> Option<Result<()>> {
        let place = place(&self.0.interface().initializers, name)?;
        Some(lend(context, || self.0.initialize(place)))
    }

    fn enter(
        &mut self,
        entry: usize,
        address: u32,
        len_bytes: u32,
        context: &mut CallContext,
    ) -> Result<u64> {
        lend(context, || self.0.enter(entry, [address, len_bytes]))
    }
}

/// Where a name is.
fn place(names: &[String], name: &str) -> Option<usize> {
    names.iter().position(|known| known == name)
}

thread_local! {
    /// The context of the running call, which host functions find.
    static CONTEXT: Cell<Option<Box<CallContext>>> = const { Cell::new(None) };
}

/// Runs `call` while host functions find the context.
fn lend<R>(context: &mut CallContext, call: impl FnOnce() -> R) -> R {
    CONTEXT.set(Some(Box::new(std::mem::take(context))));
    let result = call();
    if let Some(lent) = CONTEXT.take() {
        *context = *lent;
    }
    result
}

/// Runs a host function with the context that was lent.
///
/// # Errors
///
/// Outside of a call.
pub fn with_context<R>(run: impl FnOnce(&mut CallContext) -> R) -> Result<R> {
    let mut context = CONTEXT.take().context("a host function was called outside of a call")?;
    let result = run(&mut context);
    CONTEXT.set(Some(context));
    Ok(result)
}
