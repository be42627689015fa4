//! Turns a block into the calls that its author made, each with the state that it found, and a runtime into
//! the call that makes its chain's first state.
//!
//! ```text
//! no state:                   GenesisBuilder_build_state(the default configuration)
//! parent's state:             Core_initialize_block(header without what the block added)
//! half way through the block: BlockBuilder_apply_extrinsic(the next extrinsic)
//! after all of them:          BlockBuilder_finalize_block
//! ```
//!
//! Lithify runs the calls before; what those that are measured return is compared between all engines.

use crate::workload::{Call, Workload};
use anyhow::{Context, Result};
use lithify_compiler::{Options, Target, compile_image};
use lithify_polkadot::author::GenesisBuilder;
use lithify_polkadot::native::{Runtime, RuntimeError, RuntimeOptions, entry_points};
use lithify_polkadot::{CallContext, RuntimeInput, State};
use parity_scale_codec::Encode;

/// The kind of a digest item that is there before the block is executed.
const PRE_RUNTIME: u8 = 6;

/// The author's calls of the block of `runtime`, a workload each, where there is one, and that for the first
/// state of a chain, where the runtime can make one. Of the three of a block the second is there if that has
/// an extrinsic.
pub fn workloads(name: &str, runtime: &RuntimeInput) -> Result<Vec<Workload>> {
    let options = Options { target: Target::host(), ..Options::default() };
    let image = compile_image(runtime.wasm(), &options).with_context(|| name.to_owned())?;
    // What an author never calls may be missing.
    let options = RuntimeOptions { trap_missing: true, ..RuntimeOptions::default() };
    let native = Runtime::from_bytes(&image, &options)?;
    let mut found = of_block(name, runtime, &native)?;
    found.extend(genesis(name, runtime, &native)?);
    Ok(found)
}

/// The call that makes the first state of a chain of the runtime's default configuration. Not every runtime
/// can make one of that.
fn genesis(name: &str, runtime: &RuntimeInput, native: &Runtime) -> Result<Option<Workload>> {
    let entries = entry_points(native.image().exports());
    let Some(builder) = GenesisBuilder::of(entries.iter().map(String::as_str)) else {
        return Ok(None);
    };
    let (state, mut context) = (State::empty(), CallContext::new());
    let mut call = |entry: &str, input: &[u8]| native.call(entry, input, &mut context);
    let config = state.session().execute(|| builder.config(None, &mut call));
    let Ok(Some(config)) = config else { return Ok(None) };
    if state.session().execute(|| builder.build(&config, &mut call)).is_err() {
        return Ok(None);
    }
    let calls = vec![Call::new(builder.entry(), config.encode())];
    Workload::with_calls(&format!("{name} genesis"), runtime, state, calls).map(Some)
}

fn of_block(name: &str, runtime: &RuntimeInput, native: &Runtime) -> Result<Vec<Workload>> {
    let (Some(block), Some(state)) = (&runtime.block, &runtime.state) else {
        return Ok(Vec::new());
    };
    let mut header = block.header.clone();
    (header.state_root, header.extrinsics_root) = ([0; 32], [0; 32]);
    header.digest.retain(|item| item.first() == Some(&PRE_RUNTIME));
    let initialize = Call::new("Core_initialize_block", header.encode());
    let apply = |input: &Vec<u8>| Call::new("BlockBuilder_apply_extrinsic", input.clone());
    let mut calls = vec![initialize];
    calls.extend(block.extrinsics.iter().map(apply));
    calls.push(Call::new("BlockBuilder_finalize_block", Vec::new()));

    let mut state = state.clone();
    state.set_version(native.version()?.state_version());
    // The first extrinsics are the block's own, and the last ones may be what fails.
    let (middle, last) = (1 + block.extrinsics.len() / 2, calls.len() - 1);
    let is_measured = |at: usize| at == 0 || at == middle || at == last;
    let mut found = Vec::new();
    let mut before = Vec::new();
    for (at, call) in calls.into_iter().enumerate() {
        if is_measured(at) {
            after(native, &mut state, &before).with_context(|| name.to_owned())?;
            before.clear();
            let short = call.entry.split_once('_').map_or("", |(_, method)| method).to_owned();
            let calls = vec![call.clone()];
            let name = format!("{name} {short}");
            found.push(Workload::with_calls(&name, runtime, state.clone(), calls)?);
        }
        before.push(call);
    }
    Ok(found)
}

/// Makes the calls, one behind the other, and keeps what they write.
fn after(runtime: &Runtime, state: &mut State, calls: &[Call]) -> Result<(), RuntimeError> {
    let (version, mut context) = (state.version(), CallContext::new());
    let mut session = state.session();
    session.execute(|| {
        let mut made =
            calls.iter().map(|call| runtime.call(&call.entry, &call.input, &mut context));
        made.try_for_each(|output| output.map(drop))
    })?;
    let changes = session.into_changes(version);
    state.apply(changes);
    Ok(())
}
