//! What comes of things: events, errors, and the results of entry points.

use alloc::{string::String, vec::Vec};

use parity_scale_codec::{Decode, Encode};

use crate::types::{AccountId, Balance, Class, Weight};

/// What the block is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Phase {
    /// The extrinsic of that index.
    ApplyExtrinsic(u32),
    /// Its end.
    Finalization,
    /// Its beginning.
    Initialization,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Event {
    /// To extrinsics and accounts.
    #[codec(index = 0)]
    System(SystemEvent),
    /// To tokens.
    #[codec(index = 4)]
    Balances(BalancesEvent),
    /// To fees.
    #[codec(index = 5)]
    TransactionPayment(PaymentEvent),
}

/// Events of the system pallet.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum SystemEvent {
    /// The call did what it should.
    #[codec(index = 0)]
    ExtrinsicSuccess(DispatchInfo),
    /// The call had no effect.
    #[codec(index = 1)]
    ExtrinsicFailed(DispatchError, DispatchInfo),
    /// An account came into being.
    #[codec(index = 3)]
    NewAccount(AccountId),
    /// An account ended.
    #[codec(index = 4)]
    KilledAccount(AccountId),
}

/// Events of the balances pallet.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum BalancesEvent {
    /// A new account owns this.
    #[codec(index = 0)]
    Endowed(AccountId, Balance),
    /// The last of an account was too little to keep it.
    #[codec(index = 1)]
    DustLost(AccountId, Balance),
    /// Tokens moved.
    #[codec(index = 2)]
    Transfer {
        /// From there.
        from: AccountId,
        /// To there.
        to: AccountId,
        /// As many.
        amount: Balance,
    },
    /// Tokens were taken.
    #[codec(index = 8)]
    Withdraw(AccountId, Balance),
    /// Tokens that were taken are no more.
    #[codec(index = 13)]
    BurnedDebt(Balance),
}

/// Events of the payment pallet.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum PaymentEvent {
    /// Somebody paid for a transaction.
    #[codec(index = 0)]
    TransactionFeePaid {
        /// Who.
        who: AccountId,
        /// With the tip.
        actual_fee: Balance,
        /// The tip.
        tip: Balance,
    },
}

/// What the events about an extrinsic say of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct DispatchInfo {
    /// What it took.
    pub weight: Weight,
    /// Its class.
    pub class: Class,
    /// Always 0: it pays.
    pub pays_fee: u8,
}

/// Why a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum DispatchError {
    /// The address is of nobody.
    #[codec(index = 1)]
    CannotLookup,
    /// Not for whoever called.
    #[codec(index = 2)]
    BadOrigin,
    /// About tokens.
    #[codec(index = 7)]
    Token(TokenError),
    /// About numbers.
    #[codec(index = 8)]
    Arithmetic(ArithmeticError),
}

/// What is wrong about tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum TokenError {
    /// There are not so many.
    #[codec(index = 0)]
    FundsUnavailable,
    /// Too few to found an account.
    #[codec(index = 2)]
    BelowMinimum,
    /// The account would not survive it.
    #[codec(index = 8)]
    NotExpendable,
}

/// What is wrong about numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum ArithmeticError {
    /// Below zero.
    Underflow,
    /// Beyond 128 bits.
    Overflow,
}

/// Why a transaction is not included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum ValidityError {
    /// It is wrong.
    Invalid(Invalid),
    /// It cannot be judged.
    Unknown(Unknown),
}

/// What is wrong about a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Invalid {
    /// Its call is not for this.
    Call,
    /// The fee cannot be paid.
    Payment,
    /// Its nonce is to come.
    Future,
    /// Its nonce was used.
    Stale,
    /// Its signature.
    BadProof,
    /// Its era begins with a block that is not known.
    AncientBirthBlock,
    /// It does not fit into the block.
    ExhaustsResources,
    /// An inherent that failed.
    #[codec(index = 8)]
    BadMandatory,
    /// An inherent outside a block.
    #[codec(index = 9)]
    MandatoryValidation,
    /// Its sender cannot be.
    #[codec(index = 10)]
    BadSigner,
    /// Nobody answers for it.
    #[codec(index = 12)]
    UnknownOrigin,
}

/// What cannot be judged about a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Unknown {
    /// Who sent it.
    CannotLookup,
    /// Whether it may be without signature.
    NoUnsignedValidator,
}

/// What came of a call.
pub type DispatchResult = Result<(), DispatchError>;
/// What came of an extrinsic.
pub type ApplyResult = Result<DispatchResult, ValidityError>;

/// What the transaction pool needs to know.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ValidTransaction {
    /// The greater, the earlier.
    pub priority: u64,
    /// Tags that other transactions must provide before.
    pub requires: Vec<Vec<u8>>,
    /// Tags that it provides.
    pub provides: Vec<Vec<u8>>,
    /// For how many blocks this holds.
    pub longevity: u64,
    /// Whether other nodes are told.
    pub propagate: bool,
}

/// What a transaction weighs and costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct QueriedInfo {
    /// With its extensions.
    pub weight: Weight,
    /// Its class.
    pub class: Class,
    /// Without a tip.
    pub partial_fee: Balance,
}

/// What runtime this is.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Version {
    /// Name of the chain's rules.
    pub spec_name: String,
    /// Name of who implements them.
    pub impl_name: String,
    /// Of the authoring.
    pub authoring_version: u32,
    /// Of the rules.
    pub spec_version: u32,
    /// Of the implementation.
    pub impl_version: u32,
    /// The interfaces and their versions.
    pub apis: Vec<([u8; 8], u32)>,
    /// Of the extrinsics' format.
    pub transaction_version: u32,
    /// Of how the state is hashed.
    pub system_version: u8,
}

/// Data of inherents by their identifiers.
pub type Inherents = Vec<([u8; 8], Vec<u8>)>;

/// What became of checking the inherents of a block.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct CheckedInherents {
    /// Nothing is wrong.
    pub okay: bool,
    /// The block cannot be right.
    pub fatal: bool,
    /// What is wrong, by identifier.
    pub errors: Inherents,
}
