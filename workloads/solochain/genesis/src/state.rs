//! The genesis state: what the runtime makes of its own preset, plus its code.

use std::error::Error;

use codec::{Decode, Encode};
use serde_json::Value;
use solochain_runtime::{apis::api, presets};
use sp_core::storage::{Storage, well_known_keys};
use sp_genesis_builder::LOCAL_TESTNET_RUNTIME_PRESET;
use sp_state_machine::BasicExternalities;

/// The state before the first block of a chain with two authorities, running `code`.
pub fn genesis(code: Vec<u8>) -> Result<Storage, Box<dyn Error>> {
    let config = serde_json::to_vec(&config()?)?;

    let mut externalities = BasicExternalities::new_empty();
    let output = externalities
        .execute_with(|| api::dispatch("GenesisBuilder_build_state", &config.encode()))
        .expect("the runtime implements GenesisBuilder");
    sp_genesis_builder::Result::decode(&mut output.as_slice())??;

    let mut storage = externalities.into_storages();
    storage.top.insert(well_known_keys::CODE.to_vec(), code);
    Ok(storage)
}

/// The default configuration with the preset laid over it, which is what a node does.
fn config() -> Result<Value, Box<dyn Error>> {
    let default = BasicExternalities::new_empty()
        .execute_with(|| api::dispatch("GenesisBuilder_get_preset", &None::<String>.encode()))
        .expect("the runtime implements GenesisBuilder");
    let default = Option::<Vec<u8>>::decode(&mut default.as_slice())?.ok_or("no default preset")?;
    let preset = presets::json(&LOCAL_TESTNET_RUNTIME_PRESET.into()).ok_or("no such preset")?;

    let mut config = serde_json::from_slice(&default)?;
    merge(&mut config, serde_json::from_slice(&preset)?);
    Ok(config)
}

/// Replaces in `base` what `patch` names: objects are merged, anything else is overwritten.
fn merge(base: &mut Value, patch: Value) {
    match (base, patch) {
        (Value::Object(base), Value::Object(patch)) => {
            for (key, value) in patch {
                merge(base.entry(key).or_insert(Value::Null), value);
            }
        }
        (base, patch) => *base = patch,
    }
}
