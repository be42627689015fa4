//! What becomes of blocks and extrinsics: the order of things.

use alloc::vec::Vec;

use parity_scale_codec::Encode;

use crate::{
    balances,
    extrinsic::{Extrinsic, Preamble, birth_hash},
    host,
    outcome::{ApplyResult, DispatchResult, Invalid, Unknown, ValidTransaction, ValidityError},
    params::MAX_EXTRINSIC_TIME,
    payment,
    storage::{self, get, numbered, put},
    system, timestamp,
    types::{Account, AccountId, Balance, Block, Call, Class, Extensions, Hash, Header},
};

/// Executes a block; a wrong one traps.
pub fn execute_block(block: &Block<'_>) {
    let header = &block.header;
    system::initialize(header);
    let parent = header.number.checked_sub(1).map(|number| numbered(&storage::BLOCK_HASH, number));
    if parent.is_none_or(|key| get::<Hash>(&key) != header.parent_hash) {
        host::trap("the parent's hash is another one");
    }
    let mut inherents_end = false;
    for mut encoded in block.extrinsics.iter().copied() {
        let Ok(extrinsic) = Extrinsic::decode(&mut encoded) else {
            host::trap("an extrinsic of the block does not decode")
        };
        if extrinsic.is_inherent() && inherents_end {
            host::trap("an inherent follows a transaction");
        }
        inherents_end = !extrinsic.is_inherent();
        if apply(&extrinsic).is_err() {
            host::trap("an extrinsic of the block is not valid");
        }
    }
    check_header(header, &system::finalize());
}

fn check_header(given: &Header, made: &Header) {
    if given.digest != made.digest {
        host::trap("the digest is another one");
    }
    if given.state_root != made.state_root {
        host::trap("the state root is another one");
    }
    if given.extrinsics_root != made.extrinsics_root {
        host::trap("the extrinsics root is another one");
    }
}

/// Applies an extrinsic. After an error the host drops what was written.
pub fn apply(extrinsic: &Extrinsic<'_>) -> ApplyResult {
    let signer = extrinsic.check()?;
    if !extrinsic.is_inherent() {
        system::note_inherents_applied();
    }
    system::note_extrinsic(extrinsic.encoded);

    let paid = prepare(extrinsic, signer.as_ref())?;
    let result = dispatch(&extrinsic.call, signer.as_ref());
    if let Some(Payment { who, fee, tip }) = paid {
        payment::burn(&who, fee, tip);
    }
    let class = extrinsic.call.class();
    if result.is_err() && class == Class::Mandatory {
        return Err(ValidityError::Invalid(Invalid::BadMandatory));
    }
    system::note_applied(result, &extrinsic.call, extrinsic.weight());
    Ok(result)
}

/// Judges a transaction that the pool got.
pub fn validate(
    extrinsic: &Extrinsic<'_>,
    block_hash: &Hash,
) -> Result<ValidTransaction, ValidityError> {
    let number = get::<u32>(&storage::NUMBER).wrapping_add(1);
    system::start(number, block_hash, &[]);

    let signer = extrinsic.check()?;
    if extrinsic.call.class() == Class::Mandatory {
        return Err(ValidityError::Invalid(Invalid::MandatoryValidation));
    }
    let (extensions, signer) = match &extrinsic.preamble {
        Preamble::Bare => return Err(ValidityError::Unknown(Unknown::NoUnsignedValidator)),
        Preamble::General(extensions) => return Err(reject_general(extrinsic, extensions)),
        Preamble::Signed(_, _, extensions) => (extensions, signer.unwrap_or_default()),
    };
    let Validated { account, .. } = validate_signed(extrinsic, &signer, extensions)?;

    let tag = |nonce: u32| (signer, nonce).encode();
    let mut requires = Vec::new();
    if extensions.nonce > account.nonce {
        requires.push(tag(extensions.nonce - 1));
    }
    Ok(ValidTransaction {
        priority: payment::priority(extrinsic.encoded_len(), extrinsic.weight(), extensions.tip),
        requires,
        provides: [tag(extensions.nonce)].to_vec(),
        longevity: extensions.era.death(number.into()).saturating_sub(number.into()),
        propagate: true,
    })
}

/// Who paid what.
struct Payment {
    who: AccountId,
    fee: Balance,
    tip: Balance,
}

/// Makes sure that the extrinsic may be dispatched, and takes for it what it takes.
fn prepare(
    extrinsic: &Extrinsic<'_>,
    signer: Option<&AccountId>,
) -> Result<Option<Payment>, ValidityError> {
    match (&extrinsic.preamble, signer) {
        (Preamble::Signed(_, _, extensions), Some(signer)) => {
            prepare_signed(extrinsic, signer, extensions).map(Some)
        }
        (Preamble::General(extensions), _) => Err(reject_general(extrinsic, extensions)),
        _ => {
            let size = fits(extrinsic)?;
            book(extrinsic, size)?;
            Ok(None)
        }
    }
}

/// What was found out about a signed transaction before anything was written.
struct Validated {
    account: Account,
    fee: Balance,
    block_size: u32,
}

fn validate_signed(
    extrinsic: &Extrinsic<'_>,
    signer: &AccountId,
    extensions: &Extensions,
) -> Result<Validated, ValidityError> {
    if signer.iter().all(|&byte| byte == 0) {
        return Err(ValidityError::Invalid(Invalid::BadSigner));
    }
    let account = storage::account(signer);
    if !account.exists() {
        return Err(ValidityError::Invalid(Invalid::Payment));
    }
    if extensions.nonce < account.nonce {
        return Err(ValidityError::Invalid(Invalid::Stale));
    }
    let block_size = fits(extrinsic)?;
    let fee = payment::fee(extrinsic.encoded_len(), extrinsic.weight(), extensions.tip);
    if !payment::can_pay(&account, fee) {
        return Err(ValidityError::Invalid(Invalid::Payment));
    }
    Ok(Validated { account, fee, block_size })
}

fn prepare_signed(
    extrinsic: &Extrinsic<'_>,
    signer: &AccountId,
    extensions: &Extensions,
) -> Result<Payment, ValidityError> {
    let Validated { mut account, fee, block_size } =
        validate_signed(extrinsic, signer, extensions)?;
    if extensions.nonce > account.nonce {
        return Err(ValidityError::Invalid(Invalid::Future));
    }
    book(extrinsic, block_size)?;
    account.nonce = extensions.nonce.wrapping_add(1);
    payment::withdraw(signer, account, fee);
    Ok(Payment { who: *signer, fee, tip: extensions.tip })
}

/// A general transaction has nobody who answers for it: the error is which of the reasons comes
/// first.
fn reject_general(extrinsic: &Extrinsic<'_>, extensions: &Extensions) -> ValidityError {
    let first = birth_hash(extensions.era).map(drop).and_then(|()| fits(extrinsic).map(drop));
    first.err().unwrap_or(ValidityError::Invalid(Invalid::UnknownOrigin))
}

/// The length of the block with the extrinsic, if that may be.
fn fits(extrinsic: &Extrinsic<'_>) -> Result<u32, ValidityError> {
    let class = extrinsic.call.class();
    let size = get::<u32>(&storage::BLOCK_SIZE).saturating_add(extrinsic.encoded_len());
    let too_heavy = class == Class::Normal && extrinsic.weight().ref_time > MAX_EXTRINSIC_TIME;
    match size > class.max_block_len() || too_heavy {
        true => Err(ValidityError::Invalid(Invalid::ExhaustsResources)),
        false => Ok(size),
    }
}

fn book(extrinsic: &Extrinsic<'_>, block_size: u32) -> Result<(), ValidityError> {
    system::book(extrinsic.call.class(), extrinsic.weight(), extrinsic.encoded_len())
        .ok_or(ValidityError::Invalid(Invalid::ExhaustsResources))?;
    put(&storage::BLOCK_SIZE, &block_size);
    Ok(())
}

/// Calls in a storage transaction, of which nothing is left if the call fails.
fn dispatch(call: &Call, signer: Option<&AccountId>) -> DispatchResult {
    host::begin();
    let result = match call {
        Call::Timestamp(call) => timestamp::dispatch(call, signer),
        Call::Balances(call) => balances::dispatch(call, signer),
    };
    match result {
        Ok(()) => host::commit(),
        Err(_) => host::rollback(),
    }
    result
}
