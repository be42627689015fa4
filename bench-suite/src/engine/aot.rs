//! Lithify: an image, its pool of slots, and the Polkadot host.

use super::{Check, Clock, Engine, Entry, Fresh, Loaded, fresh};
use crate::measure::trusted;
use anyhow::{Context, Result, bail};
use lithify_compiler::{Options, Target, compile_image};
use lithify_runtime::abi::cpu::CpuFeature;
use lithify_runtime::host::Guest;
use lithify_runtime::polkadot::native::{DEFAULT_HEAP_PAGES, entry_points, entry_type, imports};
use lithify_runtime::polkadot::{CallContext, RuntimeInstance};
use lithify_runtime::{
    Func, Image, Imports, Instance, InstanceOptions, MemoryPlan, Pool, Trap, Trust, Value,
    host_cpu_features,
};
use std::borrow::Cow;
use std::cell::OnceCell;
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
        let memory = MemoryPlan::Static { extra_pages: DEFAULT_HEAP_PAGES };
        let options = InstanceOptions { memory, ..InstanceOptions::default() };
        let pool = Pool::new(image, &options)?;
        Ok(Box::new(Ready { pool, heap_base: OnceCell::new() }))
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

struct Ready {
    pool: Pool,
    heap_base: OnceCell<Option<u32>>,
}

impl Loaded for Ready {
    fn entry<'l>(&'l self, name: &str) -> Result<Box<dyn Entry + 'l>> {
        let Some(entry) = self.pool.entry(name) else {
            let available = entry_points(self.pool.image().metadata()).join(", ");
            bail!("there is no entry point {name}; there are {available}");
        };
        if self.pool.image().func_type(name) != Some(&entry_type()) {
            bail!("{name} is not an entry point: it is not of type {}", entry_type());
        }
        Ok(Box::new(ReadyEntry { ready: self, entry, name: name.to_owned() }))
    }
}

struct ReadyEntry<'r> {
    ready: &'r Ready,
    entry: lithify_runtime::Entry,
    name: String,
}

impl Entry for ReadyEntry<'_> {
    fn call(&mut self, input: &[u8], context: &mut CallContext, clock: Clock) -> Result<Fresh> {
        let this = &*self;
        fresh(&this.name, input, context, clock, || {
            let instance = this.entry.instance().context("no instance")?;
            Ok(Running { entry: this, instance })
        })
    }
}

/// An instance whose entry point is looked up already.
struct Running<'r> {
    entry: &'r ReadyEntry<'r>,
    instance: Instance,
}

impl Guest for Running<'_> {
    fn memory(&mut self) -> &mut [u8] {
        self.instance.memory()
    }

    fn grow(&mut self, delta: u32) -> Option<u32> {
        self.instance.grow(delta)
    }

    fn max_pages(&self) -> Option<u32> {
        self.instance.max_pages()
    }
}

impl RuntimeInstance for Running<'_> {
    type Entry = Func;
    type Trap = Trap;

    fn heap_base(&mut self) -> Option<u32> {
        *self.entry.ready.heap_base.get_or_init(|| {
            match self.instance.global_get("__heap_base")? {
                Value::I32(base) => Some(base as u32),
                _ => None,
            }
        })
    }

    fn entry(&mut self, name: &str) -> Option<Func> {
        debug_assert_eq!(name, self.entry.name, "the entry point of this instance");
        Some(*self.entry.entry.func())
    }

    fn entries(&self) -> Vec<String> {
        entry_points(self.instance.metadata())
    }

    fn enter(
        &mut self,
        entry: Func,
        address: u32,
        len_bytes: u32,
        context: &mut CallContext,
    ) -> Result<u64, Trap> {
        let mut slots = [u128::from(address), u128::from(len_bytes)];
        self.instance.call(&entry, &mut slots, context)?;
        Ok(slots[0] as u64)
    }
}
