//! How validators run a parachain's `validate_block`: what the relay chain's executor parameters say of
//! memory, stack and what the code may use.
//!
//! Defaults are part of the consensus of relay chains and never change: a chain that wants others says
//! so in its parameters.

use lithify_runtime::MemoryPlan;
use parity_scale_codec::{Decode, DecodeAll, Error};

/// The entry point.
pub const ENTRY: &str = "validate_block";

/// Pages that a module is taken to have before the heap grows.
const MODULE_PAGES: u32 = 32;

/// How a candidate is validated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validation {
    /// The most pages that memory may have, those of the module's own among them.
    pub max_pages: u32,
    /// The most values (locals, arguments, operands) that may be on the stack: the limit that is the same
    /// on every engine.
    pub stack_values: u32,
    /// The stack in memory, in bytes; so many that the other limit is reached first.
    pub stack_bytes: u32,
}

impl Default for Validation {
    fn default() -> Self {
        Self { max_pages: MODULE_PAGES + 2048, stack_values: 65_536, stack_bytes: 256 << 20 }
    }
}

/// A parameter, as relay chains store it.
#[derive(Decode)]
enum Parameter {
    #[codec(index = 1)]
    MaxMemoryPages(u32),
    #[codec(index = 2)]
    StackLogicalMax(u32),
    #[codec(index = 3)]
    StackNativeMax(u32),
    /// Of preparing an artifact: how much memory it may take.
    #[codec(index = 4)]
    PrecheckingMaxMemory(#[allow(dead_code, reason = "it is decoded to get past it")] u64),
    /// For how long, by kind of preparation, in ms.
    #[codec(index = 5)]
    PrepareTimeout(#[allow(dead_code, reason = "it is decoded to get past it")] (u8, u64)),
    /// How long a validation may take, by its kind, in ms.
    #[codec(index = 6)]
    ExecuteTimeout(#[allow(dead_code, reason = "it is decoded to get past it")] (u8, u64)),
    /// That code may use the bulk operations on memory. The library that counts the depth of the stack
    /// cannot read them, a node's neither.
    #[codec(index = 7)]
    WasmExtBulkMemory,
    /// Of elliptic curves, which are left out here: a candidate that calls them traps.
    #[codec(index = 8)]
    EnabledHostFunction(#[allow(dead_code, reason = "it is decoded to get past it")] u8),
}

impl Validation {
    /// By the SCALE encoding of a list of parameters, as `SessionInfo_SessionExecutorParams` has it.
    ///
    /// # Errors
    ///
    /// When the bytes are something else, or a parameter is not known.
    pub fn by_parameters(bytes: &[u8]) -> Result<Self, Error> {
        let mut validation = Self::default();
        for parameter in Vec::<Parameter>::decode_all(&mut &*bytes)? {
            match parameter {
                Parameter::MaxMemoryPages(pages) => {
                    validation.max_pages = pages.saturating_add(MODULE_PAGES);
                }
                Parameter::StackLogicalMax(values) => validation.stack_values = values,
                Parameter::StackNativeMax(bytes) => validation.stack_bytes = bytes,
                Parameter::PrecheckingMaxMemory(_)
                | Parameter::PrepareTimeout(_)
                | Parameter::ExecuteTimeout(_)
                | Parameter::WasmExtBulkMemory
                | Parameter::EnabledHostFunction(_) => {}
            }
        }
        Ok(validation)
    }

    /// Memory as it is for each call.
    pub fn memory(&self) -> MemoryPlan {
        MemoryPlan::Dynamic { extra_pages: 0, max_pages: Some(self.max_pages) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parity_scale_codec::Encode;

    #[test]
    fn parameters_are_those_of_relay_chains() {
        let usual = Validation::default();
        assert_eq!(Validation::by_parameters(&[0]), Ok(usual.clone()));
        assert_eq!((usual.max_pages, usual.stack_values), (2080, 65_536));
        let list = [
            (1u8, 8192u32).encode(),
            (2u8, 1024u32).encode(),
            (3u8, 1u32 << 20).encode(),
            (4u8, 1u64 << 30).encode(),
            (5u8, 0u8, 60_000u64).encode(),
            (6u8, 1u8, 12_000u64).encode(),
            vec![7],
            vec![8, 0],
        ];
        let mut bytes = vec![(list.len() as u8) << 2];
        bytes.extend(list.concat());
        let other = Validation { max_pages: 8224, stack_values: 1024, stack_bytes: 1 << 20 };
        assert_eq!(Validation::by_parameters(&bytes), Ok(other));
        // Cut short, with more behind it, and of a kind that there is not.
        for wrong in [&bytes[..bytes.len() - 1], &[&bytes[..], &[0]].concat(), &[4, 0], &[]] {
            assert!(Validation::by_parameters(wrong).is_err(), "{wrong:?}");
        }
    }
}
