//! `lithify run --pvf`: validates a parachain's block as its relay chain's validators do.
//!
//! The code is not that of the chain but a changed one: it counts the depth of its stack, by the same
//! library as in a node, so that it ends at the same depth on every engine. Images of it are its own,
//! under the hash of what was compiled, which has the executor parameters that matter in it.

use super::Run;
use crate::{
    bounds::BoundOptions,
    code_options::CodeOptions,
    source::{self, Source},
    status::Usage,
    store::{self, ImageSource},
    watch::Watch,
};
use anyhow::{Context, Result, anyhow, ensure};
use clap::Args;
use lithify_compiler::{Emit, Options, Profile};
use lithify_polkadot::{
    CallContext, HostSet, State, Validation, native::RuntimeOptions, parse_hex, validation::ENTRY,
};
use lithify_runtime::{InstanceOptions, STACK_MAX, STACK_MIN};
use sp_crypto_hashing::blake2_256;
use std::{
    path::{Path, PathBuf},
    time::Instant,
};
use wasm_instrument::{inject_stack_limiter, parity_wasm};

/// How a parachain's block is validated.
#[derive(Args)]
pub struct PvfOptions {
    /// Validate a parachain's block as validators do: the entry point is validate_block, its stack is
    /// counted, and of the host's functions there are theirs alone. --input is the candidate, as
    /// `build-block --candidate` writes one.
    #[arg(long, conflicts_with_all = [
        "state", "heap_pages", "max_pages", "stack_size", "initialize", "profile",
        "signature_threads", "accept",
    ])]
    pvf: bool,
    /// The relay chain's executor parameters, as SCALE bytes: hex text, or @FILE; none by default.
    #[arg(long, value_name = "0x…|@FILE", requires = "pvf")]
    executor_params: Option<String>,
}

impl PvfOptions {
    /// How to validate, if that was asked for.
    pub fn validation(&self) -> Result<Option<Validation>> {
        let Some(text) = self.executor_params.as_deref().or(self.pvf.then_some("0x00")) else {
            return Ok(None);
        };
        let bytes = match text.strip_prefix('@') {
            Some(path) => source::beside(Path::new(path))?,
            None => parse_hex(text).map_err(|why| {
                Usage(format!(
                    "--executor-params: the text {why}; give 0x and hex digits, or @FILE"
                ))
            })?,
        };
        let parameters = Validation::by_parameters(&bytes);
        parameters.map(Some).map_err(|error| {
            anyhow!(Usage(format!("--executor-params: not a list of executor parameters: {error}")))
        })
    }
}

impl Run {
    /// Validates the block that the argument holds, and returns what `validate_block` does.
    pub(super) fn validate(
        &self,
        validation: &Validation,
        source: Source,
        argument: &[u8],
    ) -> Result<Vec<u8>> {
        let entry = self.entry.as_deref().unwrap_or(ENTRY);
        ensure!(entry == ENTRY, Usage(format!("--pvf calls {ENTRY}, and no {entry}")));
        ensure!(
            !argument.is_empty(),
            Usage(
                "--pvf wants a candidate: --input @FILE, as `build-block --candidate FILE` makes one"
                    .into()
            )
        );
        let (name, runtime) = source.runtime()?;
        let wasm =
            metered(runtime.wasm(), validation.stack_values).with_context(|| name.clone())?;
        let code = Options {
            profile: Some(Profile::Runtime),
            code_hash: blake2_256(&wasm),
            ..self.code.options(&runtime, source::host_target())?
        };
        let image = compiled(&name, &wasm, &code, &self.bounds, &self.code, self.cache.as_ref())?;
        let stack_size = (validation.stack_bytes as usize).clamp(STACK_MIN, STACK_MAX);
        let memory = validation.memory();
        let options = RuntimeOptions {
            instances: InstanceOptions { memory, stack_size, ..InstanceOptions::default() },
            host: HostSet::Validation,
            trap_missing: true,
            call_timeout: self.bounds.call_timeout(),
            ..RuntimeOptions::default()
        };
        let runtime = image.load(&options).with_context(|| name)?;
        let started = Instant::now();
        let (state, mut context) = (State::empty(), CallContext::new());
        let mut session =
            state.session_with(Some(super::version::hook(self.bounds))).without_keys();
        let output = session.execute(|| runtime.call(entry, argument, &mut context))?;
        if self.time {
            super::print_time("call", started);
        }
        Ok(output)
    }
}

/// The module with code that counts how many values are on its stack, and traps beyond `limit`.
fn metered(wasm: &[u8], limit: u32) -> Result<Vec<u8>> {
    let module = parity_wasm::deserialize_buffer(wasm);
    let module = module.map_err(|error| anyhow!("validators cannot read the module: {error}"))?;
    let metered = inject_stack_limiter(module, limit)
        .map_err(|error| anyhow!("the depth of the stack cannot be counted: {error}"))?;
    Ok(parity_wasm::serialize(metered)?)
}

fn compiled(
    name: &str,
    wasm: &[u8],
    options: &Options,
    bounds: &BoundOptions,
    code: &CodeOptions,
    cache: Option<&Option<PathBuf>>,
) -> Result<ImageSource> {
    let compile = || {
        let watch = Watch::start(wasm.len());
        let image = bounds.compile(name, wasm, Emit::Image, options, &watch);
        watch.finish();
        image.map_err(|error| code.advise(error))
    };
    let store = store::on_the_way(cache)?;
    store::image(store.as_ref(), || store::key(options, wasm), compile)
}
