//! What the node asks of the runtime. Only the declarations are used: what answers is the chain's own
//! code, on whichever engine.

use sp_consensus_aura::{SlotDuration, sr25519::AuthorityId};
use sp_inherents::{CheckInherentsResult, InherentData};
use sp_runtime::{
    ApplyExtrinsicResult, ExtrinsicInclusionMode, OpaqueExtrinsic, generic,
    traits::{BlakeTwo256, Block as BlockT},
    transaction_validity::{TransactionSource, TransactionValidity},
};
use sp_version::RuntimeVersion;

/// A header of the chain.
pub type Header = generic::Header<u32, BlakeTwo256>;
/// A block of it, whose transactions the node does not look into.
pub type Block = generic::Block<Header, OpaqueExtrinsic>;
/// The hash of one.
pub type Hash = <Block as BlockT>::Hash;

/// There is no native runtime.
#[allow(dead_code, reason = "the macro wants a type that has the interfaces")]
pub enum Runtime {}

#[allow(dead_code, reason = "as above")]
const NATIVE: &str = "there is no native runtime";

sp_api::impl_runtime_apis! {
    impl sp_api::Core<Block> for Runtime {
        fn version() -> RuntimeVersion {
            unreachable!("{NATIVE}")
        }
        fn execute_block(_: <Block as BlockT>::LazyBlock) {
            unreachable!("{NATIVE}")
        }
        fn initialize_block(_: &<Block as BlockT>::Header) -> ExtrinsicInclusionMode {
            unreachable!("{NATIVE}")
        }
    }

    impl sp_block_builder::BlockBuilder<Block> for Runtime {
        fn apply_extrinsic(_: <Block as BlockT>::Extrinsic) -> ApplyExtrinsicResult {
            unreachable!("{NATIVE}")
        }
        fn finalize_block() -> <Block as BlockT>::Header {
            unreachable!("{NATIVE}")
        }
        fn inherent_extrinsics(_: InherentData) -> Vec<<Block as BlockT>::Extrinsic> {
            unreachable!("{NATIVE}")
        }
        fn check_inherents(
            _: <Block as BlockT>::LazyBlock,
            _: InherentData,
        ) -> CheckInherentsResult {
            unreachable!("{NATIVE}")
        }
    }

    impl sp_transaction_pool::runtime_api::TaggedTransactionQueue<Block> for Runtime {
        fn validate_transaction(
            _: TransactionSource,
            _: <Block as BlockT>::Extrinsic,
            _: <Block as BlockT>::Hash,
        ) -> TransactionValidity {
            unreachable!("{NATIVE}")
        }
    }

    impl sp_consensus_aura::AuraApi<Block, AuthorityId> for Runtime {
        fn slot_duration() -> SlotDuration {
            unreachable!("{NATIVE}")
        }
        fn authorities() -> Vec<AuthorityId> {
            unreachable!("{NATIVE}")
        }
    }
}
