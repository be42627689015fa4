//! What the ledger is about: headers and blocks, what extrinsics are made of, weights, accounts.
//!
//! The derived codecs are the specification's sections 3 and 4. Not here: extrinsics themselves,
//! which are decoded by hand, because what is signed are their bytes (`extrinsic.rs`); what comes
//! of it all (`outcome.rs`).

use alloc::vec::Vec;

use parity_scale_codec::{Compact, Decode, Encode, Error, Input};

/// 32 bytes, mostly of BLAKE2b.
pub type Hash = [u8; 32];
/// The public key of an sr25519 pair.
pub type AccountId = [u8; 32];
/// An amount of tokens, in their smallest unit.
pub type Balance = u128;

/// A block's header.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Header {
    /// Hash of the parent's header.
    pub parent_hash: Hash,
    /// The block's number.
    #[codec(compact)]
    pub number: u32,
    /// Root of the state after the block.
    pub state_root: Hash,
    /// Root of the list of extrinsics.
    pub extrinsics_root: Hash,
    /// What consensus has to say.
    pub digest: Vec<DigestItem>,
}

/// One item of a header's digest.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum DigestItem {
    /// Something else.
    #[codec(index = 0)]
    Other(Vec<u8>),
    /// From the runtime to the consensus engine.
    #[codec(index = 4)]
    Consensus([u8; 4], Vec<u8>),
    /// The author's signature.
    #[codec(index = 5)]
    Seal([u8; 4], Vec<u8>),
    /// From the consensus engine to the runtime.
    #[codec(index = 6)]
    PreRuntime([u8; 4], Vec<u8>),
    /// The runtime or its heap changed.
    #[codec(index = 8)]
    RuntimeEnvironmentUpdated,
}

/// A header and the extrinsics, which are decoded one by one.
#[derive(Debug)]
pub struct Block<'a> {
    /// The header.
    pub header: Header,
    /// Each extrinsic with its length prefix.
    pub extrinsics: Vec<&'a [u8]>,
}

impl<'a> Block<'a> {
    /// Takes a block off the front of `input`.
    pub fn decode(input: &mut &'a [u8]) -> Result<Self, Error> {
        let header = Header::decode(input)?;
        let count = Compact::<u32>::decode(input)?.0;
        let mut extrinsics = Vec::new();
        for _ in 0..count {
            extrinsics.push(prefixed(input)?.0);
        }
        Ok(Self { header, extrinsics })
    }
}

/// Takes bytes with a length prefix off the front of `input`: all of them, and those without the
/// prefix.
pub fn prefixed<'a>(input: &mut &'a [u8]) -> Result<(&'a [u8], &'a [u8]), Error> {
    let start = *input;
    let len = Compact::<u32>::decode(input)?.0 as usize;
    let prefix = start.len() - input.len();
    let body = input.get(..len).ok_or("not as many bytes as the length says")?;
    *input = &input[len..];
    Ok((&start[..prefix + len], body))
}

/// Who is meant by a call or a signature.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Address {
    /// An account.
    Id(AccountId),
    /// An index, of which this runtime has none.
    Index,
    /// Any bytes.
    Raw(Vec<u8>),
    /// Other 32 bytes.
    Address32([u8; 32]),
    /// 20 bytes.
    Address20([u8; 20]),
}

impl Address {
    /// The account, if it names one.
    pub fn account(&self) -> Option<&AccountId> {
        match self {
            Self::Id(account) => Some(account),
            _ => None,
        }
    }
}

/// A signature of one of the kinds that a Substrate chain knows.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Signature {
    /// Not verified here.
    Ed25519([u8; 64]),
    /// The kind that accounts of the ledger have.
    Sr25519([u8; 64]),
    /// Not verified here.
    Ecdsa([u8; 65]),
    /// Not verified here.
    Eth([u8; 65]),
}

/// In which blocks a transaction is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Era {
    /// In all.
    Immortal,
    /// In `period` blocks, from one whose number is `phase` modulo `period`.
    Mortal {
        /// How many blocks: a power of two, at least 4.
        period: u64,
        /// Below `period`.
        phase: u64,
    },
}

impl Era {
    /// The block it begins with, seen from block `current`.
    pub fn birth(self, current: u64) -> u64 {
        match self {
            Self::Immortal => 0,
            Self::Mortal { period, phase } => {
                (current.max(phase) - phase) / period * period + phase
            }
        }
    }

    /// The first block after it, seen from block `current`.
    pub fn death(self, current: u64) -> u64 {
        match self {
            Self::Immortal => u64::MAX,
            Self::Mortal { period, .. } => self.birth(current) + period,
        }
    }
}

/// Phases of periods beyond 4096 blocks are multiples of this.
fn quantum(period: u64) -> u64 {
    (period >> 12).max(1)
}

impl Decode for Era {
    fn decode<I: Input>(input: &mut I) -> Result<Self, Error> {
        let low = input.read_byte()?;
        if low == 0 {
            return Ok(Self::Immortal);
        }
        let encoded = u64::from(u16::from_le_bytes([low, input.read_byte()?]));
        let period = 2 << (encoded % 16);
        let phase = (encoded >> 4) * quantum(period);
        match period >= 4 && phase < period {
            true => Ok(Self::Mortal { period, phase }),
            false => Err("an era of too short a period, or a phase beyond it".into()),
        }
    }
}

impl Encode for Era {
    fn encode(&self) -> Vec<u8> {
        match *self {
            Self::Immortal => [0].to_vec(),
            Self::Mortal { period, phase } => {
                let exponent = (period.trailing_zeros() - 1).clamp(1, 15) as u16;
                (exponent | ((phase / quantum(period)) << 4) as u16).encode()
            }
        }
    }
}

/// What a transaction carries besides its call and that is not zero-sized.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Extensions {
    /// Its lifetime.
    pub era: Era,
    /// How many transactions the account has sent before.
    #[codec(compact)]
    pub nonce: u32,
    /// What is paid on top of the fee.
    #[codec(compact)]
    pub tip: Balance,
}

/// What can be called.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Call {
    /// The time.
    #[codec(index = 1)]
    Timestamp(TimestampCall),
    /// Tokens.
    #[codec(index = 4)]
    Balances(BalancesCall),
}

/// Calls of the timestamp pallet.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum TimestampCall {
    /// Says what time it is; an inherent.
    #[codec(index = 0)]
    Set {
        /// Milliseconds since 1970.
        #[codec(compact)]
        now: u64,
    },
}

/// Calls of the balances pallet.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum BalancesCall {
    /// Moves `value`, even if the sender's account ends by it.
    #[codec(index = 0)]
    TransferAllowDeath {
        /// To whom.
        dest: Address,
        /// How much.
        #[codec(compact)]
        value: Balance,
    },
    /// Moves `value`, if the sender's account survives it.
    #[codec(index = 3)]
    TransferKeepAlive {
        /// To whom.
        dest: Address,
        /// How much.
        #[codec(compact)]
        value: Balance,
    },
    /// Moves all there is.
    #[codec(index = 4)]
    TransferAll {
        /// To whom.
        dest: Address,
        /// Whether the existential deposit is kept.
        keep_alive: bool,
    },
}

/// Time and proof that something takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Weight {
    /// In picoseconds of a reference machine.
    #[codec(compact)]
    pub ref_time: u64,
    /// In bytes.
    #[codec(compact)]
    pub proof_size: u64,
}

impl Weight {
    /// Of these two.
    pub const fn new(ref_time: u64, proof_size: u64) -> Self {
        Self { ref_time, proof_size }
    }

    /// The sum, at most the greatest weight.
    pub const fn plus(self, other: Self) -> Self {
        Self {
            ref_time: self.ref_time.saturating_add(other.ref_time),
            proof_size: self.proof_size.saturating_add(other.proof_size),
        }
    }
}

/// Which limits of the block a call falls under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Class {
    /// Transactions.
    Normal,
    /// Of governance; this runtime has none.
    Operational,
    /// Inherents.
    Mandatory,
}

/// What the block's extrinsics have taken so far, by class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct ConsumedWeight {
    /// Of transactions.
    pub normal: Weight,
    /// Always zero.
    pub operational: Weight,
    /// Of inherents and of the block itself.
    pub mandatory: Weight,
}

/// An account as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Account {
    /// How many transactions it has sent.
    pub nonce: u32,
    /// Reasons why it must stay; none in this ledger.
    pub consumers: u32,
    /// Reasons why it may exist: its balance.
    pub providers: u32,
    /// Other reasons; none in this ledger.
    pub sufficients: u32,
    /// What it owns.
    pub free: Balance,
    /// Always zero.
    pub reserved: Balance,
    /// Always zero.
    pub frozen: Balance,
    /// The mark of accounts whose references are counted in the present way.
    pub flags: u128,
}

impl Default for Account {
    fn default() -> Self {
        Self {
            nonce: 0,
            consumers: 0,
            providers: 0,
            sufficients: 0,
            free: 0,
            reserved: 0,
            frozen: 0,
            flags: 1 << 127,
        }
    }
}

impl Account {
    /// One that owns `free` and comes into being by it.
    pub fn endowed(free: Balance) -> Self {
        Self { providers: 1, free, ..Self::default() }
    }

    /// Whether there is such an account.
    pub fn exists(&self) -> bool {
        self.providers > 0 || self.sufficients > 0
    }
}
