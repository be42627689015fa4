//! From a blob to an image: the code as a node's engine gets it, what of the language it may use,
//! and native code made of it.

use crate::config::{DeterministicStackLimit, Semantics};
use lithify_compiler::{Options, Profile, Target, compile_image};
use lithify_runtime::host_cpu_features;
use sc_executor_common::{error::WasmError, runtime_blob::RuntimeBlob};
use sp_crypto_hashing::blake2_256;
use wasmparser::{Validator, WasmFeatures};

/// The module of a runtime, ready to compile.
pub struct Code {
    /// The bytes.
    pub wasm: Vec<u8>,
    features: WasmFeatures,
    jobs: usize,
}

impl Code {
    /// Does to `blob` what a node does before it compiles: counts the depth of the stack if asked
    /// to, makes an imported memory one of the module's own, and takes the upper limit off it.
    pub fn new(mut blob: RuntimeBlob, semantics: &Semantics) -> Result<Self, WasmError> {
        if let Some(DeterministicStackLimit { logical_max, .. }) =
            semantics.deterministic_stack_limit
        {
            blob = blob.inject_stack_depth_metering(logical_max)?;
        }
        blob.convert_memory_import_into_export()?;
        blob.clear_memory_max_limit()?;
        Ok(Self {
            wasm: blob.serialize(),
            features: features(semantics),
            jobs: usize::from(!semantics.parallel_compilation),
        })
    }

    /// What decided that the bytes are accepted, for the key of the image.
    pub fn options(&self) -> String {
        format!("node features={:#x}", self.features.bits())
    }

    /// The hash that the image names: that of the bytes as they are compiled.
    pub fn hash(&self) -> [u8; 32] {
        blake2_256(&self.wasm)
    }

    /// Native code for this machine.
    pub fn compile(&self) -> Result<Vec<u8>, String> {
        // The compiler's own profiles are not this choice of features, so it takes what it can after
        // the module was found to use nothing else.
        Validator::new_with_features(self.features)
            .validate_all(&self.wasm)
            .map_err(|error| error.to_string())?;
        let options = Options {
            target: target(),
            profile: Some(Profile::General),
            code_hash: self.hash(),
            jobs: self.jobs,
            ..Options::default()
        };
        compile_image(&self.wasm, &options).map_err(|error| error.to_string())
    }
}

/// What images are made for: this machine.
pub fn target() -> Target {
    Target::host().limited_to(host_cpu_features())
}

/// What a module may use: what the engine of a node takes by default, as far as the semantics leave
/// it. Nothing later than WebAssembly 2.0 is ever on there, but for relaxed vectors, which come with
/// vectors and which we do not have.
fn features(semantics: &Semantics) -> WasmFeatures {
    let mut features = WasmFeatures::WASM2;
    features.set(WasmFeatures::MULTI_VALUE, semantics.wasm_multi_value);
    features.set(WasmFeatures::BULK_MEMORY, semantics.wasm_bulk_memory);
    features.set(WasmFeatures::REFERENCE_TYPES, semantics.wasm_reference_types);
    features.set(WasmFeatures::SIMD, semantics.wasm_simd);
    features
}
