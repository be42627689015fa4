//! Lithify: an image, its pool of slots, and the Polkadot host.

use super::{Check, Clock, Engine, Entry, Fresh, Loaded, fresh};
use crate::measure::trusted;
use anyhow::{Result, bail};
use lithify_compiler::{Options, Target, compile_image};
use lithify_runtime::abi::cpu::CpuFeature;
use lithify_runtime::polkadot::CallContext;
use lithify_runtime::polkadot::native::{EntryPoint, Runtime, RuntimeOptions, imports};
use lithify_runtime::{Image, Imports, Trust, host_cpu_features};
use std::borrow::Cow;
use std::path::Path;

/// Lithify for this machine.
pub struct Aot {
    imports: Imports,
    target: Target,
}

impl Aot {
    /// Opens it; an error where it cannot run what it compiles.
    pub fn new() -> Result<Self> {
        let mut target = Target::host();
        if !cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) {
            bail!("no code is generated for {}", std::env::consts::ARCH);
        }
        let known = CpuFeature::ALL.iter().fold(0, |bits, feature| bits | feature.bit());
        target.features &= host_cpu_features() & known;
        let mut imports = imports(true);
        trusted::native_probe(&mut imports);
        Ok(Self { imports, target })
    }

    fn ready(&self, image: &Image) -> Result<Box<dyn Loaded>> {
        Ok(Box::new(Runtime::new(image, &RuntimeOptions::default())?))
    }
}

impl Engine for Aot {
    fn prepare<'w>(&self, wasm: &'w [u8]) -> Result<Cow<'w, [u8]>> {
        Ok(Cow::Borrowed(wasm))
    }

    fn compile(&self, prepared: &[u8]) -> Result<Vec<u8>> {
        let options = Options { target: self.target, ..Options::default() };
        Ok(compile_image(prepared, &options)?)
    }

    fn load(&self, artifact: &Path, check: Check) -> Result<Box<dyn Loaded>> {
        let trust = match check {
            Check::Whole => Trust::Verify,
            Check::Trusted => Trust::SkipHash,
        };
        self.ready(&Image::open(artifact, &self.imports, trust)?)
    }

    fn load_source(&self, prepared: &[u8]) -> Result<Box<dyn Loaded>> {
        let image = self.compile(prepared)?;
        self.ready(&Image::from_bytes(&image, &self.imports, Trust::SkipHash)?)
    }
}

impl Loaded for Runtime {
    fn entry<'l>(&'l self, name: &str) -> Result<Box<dyn Entry + 'l>> {
        Ok(Box::new(Runtime::entry(self, name)?))
    }
}

impl Entry for EntryPoint<'_> {
    fn call(&mut self, input: &[u8], context: &mut CallContext, clock: Clock) -> Result<Fresh> {
        let this = &*self;
        fresh(this.name(), input, context, clock, || Ok(this.instance()?))
    }
}
