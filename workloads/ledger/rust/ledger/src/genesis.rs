//! The state before the first block, from a configuration in JSON.

use alloc::{collections::BTreeSet, vec::Vec};

use crate::{
    host,
    params::{EXISTENTIAL_DEPOSIT, FEE_MULTIPLIER},
    storage::{self, numbered, put},
    system,
    types::{Account, AccountId, Balance, Hash},
};

/// What a configuration may say, saying nothing.
const DEFAULT: &[u8] = br#"{"balances":{"balances":[]}}"#;
/// The accounts that everybody has the keys of.
const DEVELOPMENT: &[u8] = include_bytes!("../../../preset-development.json");

/// The default configuration, or the one of that name.
pub fn preset(id: Option<&[u8]>) -> Option<&'static [u8]> {
    match id {
        None => Some(DEFAULT),
        Some(b"development") => Some(DEVELOPMENT),
        Some(_) => None,
    }
}

/// Writes the state that `config` describes.
pub fn build(config: &[u8]) -> Result<(), &'static str> {
    let endowed = Reader(config).config().ok_or("invalid genesis configuration")?;

    let mut known = BTreeSet::new();
    let mut issuance: Balance = 0;
    for (id, free) in &endowed {
        let free = Balance::from_le_bytes(*free);
        if free < EXISTENTIAL_DEPOSIT {
            host::trap("a balance is below the existential deposit");
        }
        if !known.insert(id) {
            host::trap("an account is endowed twice");
        }
        issuance = issuance
            .checked_add(free)
            .unwrap_or_else(|| host::trap("the balances exceed 128 bits"));
    }
    for (id, free) in &endowed {
        storage::put_account(id, &Account::endowed(Balance::from_le_bytes(*free)));
    }
    put(&storage::TOTAL_ISSUANCE, &issuance);
    write_constants();
    Ok(())
}

fn write_constants() {
    let no_parent: Hash = [0x45; 32];
    put(&numbered(&storage::BLOCK_HASH, 0), &no_parent);
    put(&storage::PARENT_HASH, &no_parent);
    put(storage::EXTRINSIC_INDEX, &0u32);
    system::note_upgrade();
    put(&storage::UPGRADED_TO_U32_REF_COUNT, &true);
    put(&storage::UPGRADED_TO_TRIPLE_REF_COUNT, &true);
    put(&storage::NEXT_FEE_MULTIPLIER, &FEE_MULTIPLIER);
    put(&storage::PAYMENT_RELEASE, &1u8);
    put(&storage::SYSTEM_VERSION, &0u16);
    put(&storage::TIMESTAMP_VERSION, &0u16);
    put(&storage::BALANCES_VERSION, &1u16);
    put(&storage::PAYMENT_VERSION, &0u16);
}

/// An account and its balance, little endian: the heap aligns to 8 bytes, a `u128` would want 16.
type Endowed = (AccountId, [u8; 16]);

/// Reads the one form of JSON that a configuration has. `None` means that it is not of that form.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn config(mut self) -> Option<Vec<Endowed>> {
        let mut endowed = Vec::new();
        self.token(b"{")?;
        if self.token(br#""balances""#).is_some() {
            self.token(b":")?;
            self.token(b"{")?;
            if self.token(br#""balances""#).is_some() {
                self.token(b":")?;
                endowed = self.list()?;
            }
            self.token(b"}")?;
        }
        self.token(b"}")?;
        self.skip_space();
        self.0.is_empty().then_some(endowed)
    }

    fn list(&mut self) -> Option<Vec<Endowed>> {
        let mut endowed = Vec::new();
        self.token(b"[")?;
        if self.token(b"]").is_some() {
            return Some(endowed);
        }
        loop {
            self.token(b"[")?;
            let account = self.account()?;
            self.token(b",")?;
            endowed.push((account, self.number()?.to_le_bytes()));
            self.token(b"]")?;
            if self.token(b",").is_none() {
                self.token(b"]")?;
                return Some(endowed);
            }
        }
    }

    fn account(&mut self) -> Option<AccountId> {
        self.token(br#""0x"#)?;
        let mut account = [0; 32];
        for byte in &mut account {
            *byte = self.digit(16)? << 4 | self.digit(16)?;
        }
        self.0 = self.0.strip_prefix(b"\"")?;
        Some(account)
    }

    fn number(&mut self) -> Option<Balance> {
        self.skip_space();
        let leading_zero = self.0.first() == Some(&b'0');
        let mut number = Balance::from(self.digit(10)?);
        while let Some(digit) = self.digit(10) {
            if leading_zero {
                return None;
            }
            number = number.checked_mul(10)?.checked_add(digit.into())?;
        }
        Some(number)
    }

    /// The next byte as a digit, if it is one.
    fn digit(&mut self, radix: u32) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        let digit = char::from(first).to_digit(radix)?;
        self.0 = rest;
        Some(digit as u8)
    }

    fn token(&mut self, token: &[u8]) -> Option<()> {
        self.skip_space();
        self.0 = self.0.strip_prefix(token)?;
        Some(())
    }

    fn skip_space(&mut self) {
        while let [b' ' | b'\t' | b'\n' | b'\r', rest @ ..] = self.0 {
            self.0 = rest;
        }
    }
}
