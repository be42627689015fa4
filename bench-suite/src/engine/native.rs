//! The floor: the ledger's source compiled into this very program, on the same host functions
//! without a guest between. No engine that runs a module can be faster by much.

use super::{AnyInstance, Check, Clock, Engine, Fresh, LoadedModule, MeasuredEntry, Stopped};
use crate::transfers;
use anyhow::{Context, Result, anyhow};
use lithify_measure::wall::ns;
use lithify_polkadot::CallContext;
use std::borrow::Cow;
use std::path::Path;
use std::time::Instant;

/// The ledger, natively. It has no module: whatever it is given, it is the ledger.
pub struct Native;

impl Engine for Native {
    fn prepare<'w>(&self, wasm: &'w [u8]) -> Result<Cow<'w, [u8]>> {
        Ok(Cow::Borrowed(wasm))
    }

    fn compile(&self, _: &[u8]) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }

    fn load(&self, _: &Path, _: Check) -> Result<Box<dyn LoadedModule>> {
        Ok(Box::new(Self))
    }

    fn load_source(&self, _: &[u8]) -> Result<Box<dyn LoadedModule>> {
        Ok(Box::new(Self))
    }
}

impl LoadedModule for Native {
    fn entry<'l>(&'l self, name: &str) -> Result<Box<dyn MeasuredEntry + 'l>> {
        Ok(Box::new(NativeEntry(name.to_owned())))
    }

    fn instance(&self) -> Result<Box<dyn AnyInstance>, Stopped> {
        Err(anyhow!("native code has no instances").into())
    }
}

struct NativeEntry(String);

impl MeasuredEntry for NativeEntry {
    fn call(&mut self, input: &[u8], _: &mut CallContext, _: Clock) -> Result<Fresh> {
        let start = Instant::now();
        let output = transfers::call(&self.0, input).with_context(|| self.0.clone())?;
        let total_ns = ns(start.elapsed());
        Ok(Fresh { output, total_ns, call_ns: total_ns, ..Fresh::default() })
    }
}
