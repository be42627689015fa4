//! A runtime in memory: its image, its version, and instances between calls.

use codec::Decode;
use lithify_node::Runtime;
use lithify_polkadot::version::from_sections;
use sc_executor::{HeapAllocStrategy, RuntimeVersion, error::Result, with_externalities_safe};
use sc_executor_common::wasm_runtime::{WasmInstance, WasmModule};
use sp_externalities::Externalities;
use std::{
    panic::AssertUnwindSafe,
    sync::{Mutex, OnceLock, PoisonError},
};

/// How many instances are kept between calls.
const IDLE: usize = 64;

/// A runtime whose image is loaded.
pub struct LoadedRuntime {
    runtime: Runtime,
    version: OnceLock<Option<RuntimeVersion>>,
    idle: Mutex<Vec<(HeapAllocStrategy, Box<dyn WasmInstance>)>>,
}

impl LoadedRuntime {
    /// The runtime of an image. An error is that the version that it embeds is none.
    pub fn new(runtime: Runtime) -> std::result::Result<Self, String> {
        let version = OnceLock::new();
        let (section, apis) = runtime.embedded_version();
        let embedded = from_sections(section, apis).map_err(|error| error.to_string())?;
        if let Some(embedded) = embedded {
            let _ = version.set(Some(embedded));
        }
        Ok(Self { runtime, version, idle: Mutex::default() })
    }

    /// Calls `method` on a fresh instance.
    pub fn call(
        &self,
        ext: &mut dyn Externalities,
        strategy: HeapAllocStrategy,
        method: &str,
        data: &[u8],
    ) -> Result<Vec<u8>> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = {
            let mut idle = idle();
            let found = idle.iter().rposition(|(memory, _)| *memory == strategy);
            found.map(|index| idle.swap_remove(index).1)
        };
        let mut instance = match kept {
            Some(instance) => instance,
            None => self.runtime.new_instance(strategy)?,
        };
        let result = {
            let mut instance = AssertUnwindSafe(&mut instance);
            with_externalities_safe(ext, move || instance.call_export(method, data))?
        };
        // As everywhere in a node, what failed is not used again.
        if result.is_ok() {
            let mut idle = idle();
            if idle.len() < IDLE {
                idle.push((strategy, instance));
            }
        }
        result
    }

    /// The version: that which the code embeds, else what `Core_version` says, asked once.
    pub fn version(
        &self,
        ext: &mut dyn Externalities,
        strategy: HeapAllocStrategy,
    ) -> Option<&RuntimeVersion> {
        let ask = || {
            let answer = self.call(ext, strategy, "Core_version", &[]).ok()?;
            RuntimeVersion::decode(&mut &answer[..]).ok()
        };
        self.version.get_or_init(ask).as_ref()
    }
}
