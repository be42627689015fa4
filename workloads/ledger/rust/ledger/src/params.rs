//! The constants of the specification's section 2.

use alloc::vec::Vec;

use crate::{
    outcome::Version,
    types::{Balance, BalancesCall, Call, Class, Era, TimestampCall, Weight},
};

/// The least that an account owns.
pub const EXISTENTIAL_DEPOSIT: Balance = 1_000_000_000;
/// For how many blocks back hashes are kept.
pub const BLOCK_HASH_COUNT: u32 = 2_400;
/// The least time between two blocks, in milliseconds.
pub const MINIMUM_PERIOD: u64 = 3_000;
/// How far ahead of our clock a block's time may be, in milliseconds.
pub const MAX_TIMESTAMP_DRIFT: u64 = 30_000;
/// The most that a header takes at the beginning of a block, in bytes.
pub const MAX_HEADER_LEN: u32 = 1_048_576;
/// The factor on the fee for weight, as it is stored: one, in units of 10^-18.
pub const FEE_MULTIPLIER: u128 = 1_000_000_000_000_000_000;

/// What a block may take, as `ref_time`.
pub const MAX_BLOCK_TIME: u64 = 2_000_000_000_000;
/// What transactions may take of it.
pub const MAX_NORMAL_TIME: u64 = 1_500_000_000_000;
/// What one transaction may take, without its base.
pub const MAX_EXTRINSIC_TIME: u64 = 1_299_891_843_000;

/// Of a block without anything in it.
pub const BASE_BLOCK: Weight = Weight::new(431_614_000, 0);
/// Of an extrinsic that does nothing.
pub const BASE_EXTRINSIC: Weight = Weight::new(108_157_000, 0);
/// Of what the timestamp pallet does at the end of a block.
pub const TIMESTAMP_FINALIZE: Weight = Weight::new(3_246_000, 0);

const EXTENSIONS_IMMORTAL: Weight = Weight::new(487_630_000, 8_675);
const EXTENSIONS_MORTAL: Weight = Weight::new(487_728_000, 12_184);

/// Of a transaction's extensions.
pub fn extensions_weight(era: Era) -> Weight {
    match era {
        Era::Immortal => EXTENSIONS_IMMORTAL,
        Era::Mortal { .. } => EXTENSIONS_MORTAL,
    }
}

impl Call {
    /// What it takes.
    pub fn weight(&self) -> Weight {
        match self {
            Self::Timestamp(TimestampCall::Set { .. }) => Weight::new(153_816_000, 1_493),
            Self::Balances(call) => match call {
                BalancesCall::TransferAllowDeath { .. } => Weight::new(173_834_000, 3_593),
                BalancesCall::TransferKeepAlive { .. } => Weight::new(164_051_000, 3_593),
                BalancesCall::TransferAll { .. } => Weight::new(173_209_000, 3_593),
            },
        }
    }

    /// Its class.
    pub fn class(&self) -> Class {
        match self {
            Self::Timestamp(_) => Class::Mandatory,
            Self::Balances(_) => Class::Normal,
        }
    }
}

impl Class {
    /// Up to which length of the block it is included.
    pub fn max_block_len(self) -> u32 {
        match self {
            Self::Normal => 3_932_160,
            Self::Operational | Self::Mandatory => 5_242_880,
        }
    }
}

/// Name of the chain's rules and of this implementation.
pub const NAME: &str = "lithify-ledger";
/// Version of the rules.
pub const SPEC_VERSION: u32 = 1;
/// Version of the extrinsics' format.
pub const TRANSACTION_VERSION: u32 = 1;

/// BLAKE2b-64 of an interface's name, and the version of it that is implemented.
const APIS: [(u64, u32); 7] = [
    (0xdf6acb689907609b, 5), // Core
    (0x37e397fc7c91f5e4, 1), // Metadata
    (0x40fe3ad401f8959a, 6), // BlockBuilder
    (0xd2bc9897eed08f15, 3), // TaggedTransactionQueue
    (0xbc9d89904f5b923f, 1), // AccountNonceApi
    (0x37c8bb1350a9a2a8, 4), // TransactionPaymentApi
    (0xfbc577b9d747efd6, 1), // GenesisBuilder
];

/// This runtime.
pub fn version() -> Version {
    let apis: Vec<_> = APIS.iter().map(|&(id, version)| (id.to_be_bytes(), version)).collect();
    Version {
        spec_name: NAME.into(),
        impl_name: NAME.into(),
        authoring_version: 1,
        spec_version: SPEC_VERSION,
        impl_version: 1,
        apis,
        transaction_version: TRANSACTION_VERSION,
        system_version: 1,
    }
}
