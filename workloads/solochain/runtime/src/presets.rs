//! Who owns what at the start: the genesis configurations that the runtime itself knows, made
//! of the accounts everybody has the keys of.

use alloc::{vec, vec::Vec};

use frame_support::build_struct_json_patch;
use serde_json::Value;
use sp_consensus_aura::sr25519::AuthorityId as AuraId;
use sp_consensus_grandpa::AuthorityId as GrandpaId;
use sp_genesis_builder::{DEV_RUNTIME_PRESET, LOCAL_TESTNET_RUNTIME_PRESET, PresetId};
use sp_keyring::{Ed25519Keyring, Sr25519Keyring};

use crate::{
    AuraConfig, Balance, BalancesConfig, GrandpaConfig, RuntimeGenesisConfig, SudoConfig, UNIT,
};

/// What every known account owns.
pub const ENDOWMENT: Balance = 1_000_000 * UNIT;

/// The preset of that name as JSON, ready to be laid over the default configuration.
pub fn json(id: &PresetId) -> Option<Vec<u8>> {
    let authorities: &[(AuraId, GrandpaId)] = match id.as_ref() {
        DEV_RUNTIME_PRESET => &[alice()],
        LOCAL_TESTNET_RUNTIME_PRESET => &[alice(), bob()],
        _ => return None,
    };
    let patch = serde_json::to_vec(&patch(authorities)).expect("a JSON value is serializable");
    Some(patch)
}

pub fn names() -> Vec<PresetId> {
    vec![DEV_RUNTIME_PRESET.into(), LOCAL_TESTNET_RUNTIME_PRESET.into()]
}

fn patch(authorities: &[(AuraId, GrandpaId)]) -> Value {
    build_struct_json_patch!(RuntimeGenesisConfig {
        balances: BalancesConfig {
            balances: Sr25519Keyring::iter()
                .map(|account| (account.to_account_id(), ENDOWMENT))
                .collect::<Vec<_>>(),
        },
        aura: AuraConfig {
            authorities: authorities.iter().map(|(aura, _)| aura.clone()).collect::<Vec<_>>(),
        },
        grandpa: GrandpaConfig {
            authorities: authorities
                .iter()
                .map(|(_, grandpa)| (grandpa.clone(), 1))
                .collect::<Vec<_>>(),
        },
        sudo: SudoConfig { key: Some(Sr25519Keyring::Alice.to_account_id()) },
    })
}

fn alice() -> (AuraId, GrandpaId) {
    (Sr25519Keyring::Alice.public().into(), Ed25519Keyring::Alice.public().into())
}

fn bob() -> (AuraId, GrandpaId) {
    (Sr25519Keyring::Bob.public().into(), Ed25519Keyring::Bob.public().into())
}
