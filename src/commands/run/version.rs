//! A runtime's version: as JSON, and asked of a runtime that a guest has at hand.

use crate::{bounds::BoundOptions, source};
use lithify_compiler::Emit;
use lithify_polkadot::{CallContext, State, VersionHook, native::Runtime, version};
use serde_json::{Value, json};
use std::sync::Arc;

/// What `Core_version` returned, if it can be decoded.
pub fn json(bytes: &[u8]) -> Option<Value> {
    let v = version::decode(bytes).ok()?;
    Some(json!({
        "spec_name": v.spec_name.to_string(),
        "impl_name": v.impl_name.to_string(),
        "authoring_version": v.authoring_version,
        "spec_version": v.spec_version,
        "impl_version": v.impl_version,
        "transaction_version": v.transaction_version,
        "system_version": v.system_version,
        "apis": v.apis.iter().map(|(id, version)| {
            json!([source::hex(id), version])
        }).collect::<Vec<_>>(),
    }))
}

/// Answers a guest that asks for the version of a runtime.
pub fn hook(bounds: BoundOptions) -> VersionHook {
    Arc::new(move |wasm| core_version(wasm, bounds))
}

/// Runs `Core_version` of a runtime that a guest asks about.
fn core_version(wasm: &[u8], bounds: BoundOptions) -> Option<Vec<u8>> {
    let options = lithify_compiler::Options { target: source::host_target(), ..Default::default() };
    let name = "the runtime whose version the guest asks for";
    let image = bounds.compile(name, wasm, Emit::Image, &options, &()).ok()?;
    let runtime = Runtime::for_version(&image).ok()?;
    State::empty()
        .session()
        .execute(|| runtime.call("Core_version", &[], &mut CallContext::new()))
        .ok()
}
