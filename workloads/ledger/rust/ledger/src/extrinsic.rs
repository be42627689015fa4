//! Extrinsics: from bytes, and whether they were signed by whom they say.

use alloc::vec::Vec;

use parity_scale_codec::{Decode, Encode, Error};

use crate::{
    host,
    outcome::{Invalid, Unknown, ValidityError},
    params::{SPEC_VERSION, TRANSACTION_VERSION, extensions_weight},
    storage,
    types::{
        AccountId, Address, Call, Era, Extensions, Hash, Signature, TimestampCall, Weight, prefixed,
    },
};

/// Longer payloads are signed by their hash.
const MAX_SIGNED_LEN: usize = 256;

/// An extrinsic and the bytes that it was decoded from.
#[derive(Debug)]
pub struct Extrinsic<'a> {
    /// All of it, with its length prefix.
    pub encoded: &'a [u8],
    /// Who answers for it.
    pub preamble: Preamble,
    /// What it calls.
    pub call: Call,
    /// The bytes of the extensions.
    extensions: &'a [u8],
    /// The bytes of the call.
    call_bytes: &'a [u8],
}

/// Who answers for an extrinsic.
#[derive(Debug)]
pub enum Preamble {
    /// Nobody.
    Bare,
    /// An account.
    Signed(Address, Signature, Extensions),
    /// The extensions; in this runtime none of them does.
    General(Extensions),
}

impl<'a> Extrinsic<'a> {
    /// Takes an extrinsic off the front of `input`.
    pub fn decode(input: &mut &'a [u8]) -> Result<Self, Error> {
        let (encoded, mut rest) = prefixed(input)?;
        let kind = u8::decode(&mut rest)?;
        let (preamble, extensions) = match kind {
            0x04 | 0x05 => (Preamble::Bare, &rest[..0]),
            0x84 => {
                let (address, signature) = Decode::decode(&mut rest)?;
                let (extensions, bytes) = with_bytes(&mut rest)?;
                (Preamble::Signed(address, signature, extensions), bytes)
            }
            0x45 => {
                if u8::decode(&mut rest)? != 0 {
                    return Err("an unknown version of the extensions".into());
                }
                let (extensions, bytes) = with_bytes(&mut rest)?;
                (Preamble::General(extensions), bytes)
            }
            _ => return Err("an unknown kind of extrinsic".into()),
        };
        let (call, call_bytes) = with_bytes(&mut rest)?;
        match rest.is_empty() {
            true => Ok(Self { encoded, preamble, call, extensions, call_bytes }),
            false => Err("bytes follow the call".into()),
        }
    }

    /// Whether it is what the block's author has to say.
    pub fn is_inherent(&self) -> bool {
        matches!(
            (&self.preamble, &self.call),
            (Preamble::Bare, Call::Timestamp(TimestampCall::Set { .. }))
        )
    }

    /// Its length in bytes, which is what the fee goes by.
    pub fn encoded_len(&self) -> u32 {
        self.encoded.len() as u32
    }

    /// What it takes without the base weight.
    pub fn weight(&self) -> Weight {
        let extensions = match &self.preamble {
            Preamble::Bare => Weight::default(),
            Preamble::Signed(_, _, extensions) | Preamble::General(extensions) => {
                extensions_weight(extensions.era)
            }
        };
        self.call.weight().plus(extensions)
    }

    /// The account that signed it; `None` if it is not for one to sign.
    pub fn check(&self) -> Result<Option<AccountId>, ValidityError> {
        let Preamble::Signed(address, signature, extensions) = &self.preamble else {
            return Ok(None);
        };
        let signer = address.account().ok_or(ValidityError::Unknown(Unknown::CannotLookup))?;
        let payload = self.payload(birth_hash(extensions.era)?);
        let Signature::Sr25519(signature) = signature else {
            return Err(ValidityError::Invalid(Invalid::BadProof));
        };
        let good = match payload.len() > MAX_SIGNED_LEN {
            true => host::sr25519_verify(signature, &host::blake2_256(&payload), signer),
            false => host::sr25519_verify(signature, &payload, signer),
        };
        match good {
            true => Ok(Some(*signer)),
            false => Err(ValidityError::Invalid(Invalid::BadProof)),
        }
    }

    /// What is signed: what the extrinsic says, and what both sides know.
    fn payload(&self, birth_hash: Hash) -> Vec<u8> {
        let genesis: Hash = storage::get(&storage::numbered(&storage::BLOCK_HASH, 0));
        let mut payload =
            Vec::with_capacity(self.call_bytes.len() + self.extensions.len() + 8 + 64);
        payload.extend_from_slice(self.call_bytes);
        payload.extend_from_slice(self.extensions);
        (SPEC_VERSION, TRANSACTION_VERSION, genesis, birth_hash).encode_to(&mut payload);
        payload
    }
}

/// The hash of the block that the era begins with.
pub fn birth_hash(era: Era) -> Result<Hash, ValidityError> {
    let number: u32 = storage::get(&storage::NUMBER);
    // An era begins at most 65 535 blocks ahead, so only the very last numbers do not fit.
    let birth = u32::try_from(era.birth(number.into())).unwrap_or(u32::MAX);
    storage::find(&storage::numbered(&storage::BLOCK_HASH, birth))
        .ok_or(ValidityError::Invalid(Invalid::AncientBirthBlock))
}

/// Decodes a `T`, and returns the bytes that it took with it.
fn with_bytes<'a, T: Decode>(input: &mut &'a [u8]) -> Result<(T, &'a [u8]), Error> {
    let start = *input;
    let value = T::decode(input)?;
    Ok((value, &start[..start.len() - input.len()]))
}
