//! Extrinsics for the ledger: transfers that succeed, and cases of everything that can go wrong.
//!
//! Keys, signatures and choices follow from numbers, so the same arguments give the same bytes.
//! All of it is for the first block after the genesis that [`genesis_config`] describes.

use std::fmt::Write as _;

use parity_scale_codec::{Compact, Encode};
use rand_core::{CryptoRng, RngCore};
use schnorrkel::{ExpansionMode, Keypair, MiniSecretKey, context::attach_rng, signing_context};
use sp_io::hashing::blake2_256;

use crate::{
    params::{SPEC_VERSION, TRANSACTION_VERSION},
    types::{
        AccountId, Address, Balance, BalancesCall, Call, Era, Extensions, Hash, Signature,
        TimestampCall,
    },
};

/// How many accounts the genesis endows.
pub const SENDERS: u32 = 128;
/// What each of them owns.
pub const ENDOWMENT: Balance = 1_000_000 * UNIT;
/// One token.
pub const UNIT: Balance = 1_000_000_000_000;

/// The accounts that go through the block in turn; those behind them have one case each.
const RING: u32 = 100;

/// The identifier and the data of the time, as inherents have it: some time in June 2025.
pub const TIME: ([u8; 8], u64) = (*b"timstap0", 1_750_000_002_000);

/// The genesis configuration that endows the accounts which the generator has the keys of.
pub fn genesis_config() -> String {
    let mut config = String::from(r#"{"balances":{"balances":["#);
    for index in 0..SENDERS {
        let comma = if index > 0 { "," } else { "" };
        let account: String = Sender::new(index).account().iter().fold(String::new(), hex);
        let _ = write!(config, r#"{comma}["0x{account}",{ENDOWMENT}]"#);
    }
    config + "]}}"
}

fn hex(mut text: String, byte: &u8) -> String {
    let _ = write!(text, "{byte:02x}");
    text
}

/// The extrinsic that sets the time.
pub fn timestamp() -> Vec<u8> {
    with_length(&(0x05u8, Call::Timestamp(TimestampCall::Set { now: TIME.1 })).encode())
}

/// As many transfers, all of which succeed: to accounts that there are and to new ones, with and
/// without an end to their life, some with a tip. `genesis` is the hash of block 0.
pub fn transfers(count: u32, seed: u64, genesis: Hash) -> Vec<Vec<u8>> {
    let mut random = Random(seed);
    let transfer = |index| valid_transfer(&mut random, index % RING, index / RING, genesis);
    (0..count).map(transfer).collect()
}

fn valid_transfer(random: &mut Random, sender: u32, nonce: u32, genesis: Hash) -> Vec<u8> {
    let dest = match random.below(2) {
        0 => Sender::new(random.below(RING.into()) as u32).account(),
        _ => random.account(),
    };
    let value = UNIT + Balance::from(random.below(UNIT as u64));
    let dest = Address::Id(dest);
    let call = match random.below(2) {
        0 => BalancesCall::TransferAllowDeath { dest, value },
        _ => BalancesCall::TransferKeepAlive { dest, value },
    };
    let era = match random.below(2) {
        0 => Era::Immortal,
        _ => Era::Mortal { period: 64, phase: 0 },
    };
    let tip = if random.below(8) == 0 { random.below(1_000_000).into() } else { 0 };
    Transaction::new(call, nonce, genesis).era(era).tip(tip).signed_by(&Sender::new(sender))
}

/// An extrinsic that shows one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// What it shows.
    pub name: &'static str,
    /// The extrinsic, with its length prefix.
    pub extrinsic: Vec<u8>,
    /// The result of `BlockBuilder_apply_extrinsic`; `None` if that traps.
    pub result: Option<Vec<u8>>,
}

/// Valid transfers with every kind of wrong or odd extrinsic between them, at places that depend
/// on the seed.
pub fn mix(valid: u32, seed: u64, genesis: Hash) -> Vec<Case> {
    let mut random = Random(!seed);
    let cases = cases(genesis);
    let mut places: Vec<_> = cases.iter().map(|_| random.below(u64::from(valid) + 1)).collect();
    places.sort_unstable();

    let mut cases = places.into_iter().zip(cases).peekable();
    let mut all = Vec::new();
    for (place, extrinsic) in (1..).zip(transfers(valid, seed, genesis)) {
        while let Some((_, case)) = cases.next_if(|case| case.0 < place) {
            all.push(case);
        }
        all.push(Case { name: "a transfer", extrinsic, result: Some(vec![0, 0]) });
    }
    all.extend(cases.map(|(_, case)| case));
    all
}

/// One extrinsic of each kind that is wrong or odd, for this order.
pub fn cases(genesis: Hash) -> Vec<Case> {
    let mut cases = Cases { all: Vec::new(), genesis, next: RING };
    cases.of_transactions();
    cases.of_signatures();
    cases.of_calls();
    cases.of_encodings();
    cases.all
}

/// Collects cases, each of which has a sender of its own.
struct Cases {
    all: Vec<Case>,
    genesis: Hash,
    next: u32,
}

const INVALID: u8 = 0;
const UNKNOWN: u8 = 1;
const BAD_PROOF: [u8; 3] = [1, INVALID, 4];

impl Cases {
    fn sender(&mut self) -> Sender {
        assert!(self.next < SENDERS, "more cases than senders");
        self.next += 1;
        Sender::new(self.next - 1)
    }

    fn add(&mut self, name: &'static str, extrinsic: Vec<u8>, result: &[u8]) {
        self.all.push(Case { name, extrinsic, result: Some(result.to_vec()) });
    }

    fn add_trap(&mut self, name: &'static str, extrinsic: Vec<u8>) {
        self.all.push(Case { name, extrinsic, result: None });
    }

    fn pay(&self, nonce: u32) -> Transaction {
        Transaction::new(pay(UNIT), nonce, self.genesis)
    }

    /// Nonces, eras, fees.
    fn of_transactions(&mut self) {
        let sender = self.sender();
        self.add("its nonce is to come", self.pay(7).signed_by(&sender), &[1, INVALID, 2]);
        self.add("the first of an account", self.pay(0).signed_by(&sender), &[0, 0]);
        self.add("its nonce was used", self.pay(0).tip(1).signed_by(&sender), &[1, INVALID, 3]);
        let stranger = Sender::new(SENDERS);
        self.add("nobody it knows sent it", self.pay(0).signed_by(&stranger), &[1, INVALID, 1]);
        let unborn = Era::Mortal { period: 64, phase: 9 };
        let unborn = self.pay(0).era(unborn).signed_by(&sender);
        self.add("its era is to come", unborn, &[1, INVALID, 5]);
        let too_dear = self.pay(0).tip(ENDOWMENT).signed_by(&self.sender());
        self.add("it cannot pay its tip", too_dear, &[1, INVALID, 1]);
    }

    /// Who signed what.
    fn of_signatures(&mut self) {
        let sender = self.sender();
        let mut flipped = self.pay(0).signed_by(&sender);
        let at = flipped.len() - 50;
        flipped[at] ^= 1;
        self.add("a bit of it changed", flipped, &BAD_PROOF);

        let mut other = self.pay(0);
        other.genesis = [0x11; 32];
        self.add("it is for another chain", other.signed_by(&sender), &BAD_PROOF);
        let mut other = self.pay(0);
        other.spec_version += 1;
        self.add("it is for another version", other.signed_by(&sender), &BAD_PROOF);
        let mut other = self.pay(0).era(Era::Mortal { period: 64, phase: 0 });
        other.birth_hash = [0x22; 32];
        self.add("its era began in another block", other.signed_by(&sender), &BAD_PROOF);

        let signature = Signature::Ed25519([3; 64]);
        let ed25519 = self.pay(0).with(Address::Id(sender.account()), signature);
        self.add("its signature is of another kind", ed25519, &BAD_PROOF);
        let signature = Signature::Sr25519([0x80; 64]);
        let index = self.pay(0).with(Address::Index, signature);
        self.add("its sender is an index", index, &[1, UNKNOWN, 0]);
    }

    /// Calls that are included and fail, or do odd things.
    fn of_calls(&mut self) {
        const ED: Balance = crate::params::EXISTENTIAL_DEPOSIT;
        let new = |n: u8| Address::Id([n; 32]);
        let allow = |dest, value| BalancesCall::TransferAllowDeath { dest, value };
        let keep = |dest, value| BalancesCall::TransferKeepAlive { dest, value };
        let all = |dest, keep_alive| BalancesCall::TransferAll { dest, keep_alive };
        let me = Address::Id(Sender::new(self.next).account());

        type Of = (&'static str, BalancesCall, &'static [u8]);
        let calls: [Of; 13] = [
            ("it transfers to itself", allow(me, UNIT), &[0, 0]),
            ("it transfers nothing", allow(new(1), 0), &[0, 0]),
            ("it transfers more than there is", allow(new(2), Balance::MAX), &[0, 1, 8, 0]),
            ("it transfers more than it has", allow(new(3), 2 * ENDOWMENT), &[0, 1, 7, 0]),
            ("it transfers less than an account", allow(new(4), ED - 1), &[0, 1, 7, 2]),
            ("it founds the least account", keep(new(5), ED), &[0, 0]),
            ("it would not keep alive", keep(new(6), ENDOWMENT - UNIT / 1_000), &[0, 1, 7, 8]),
            ("it leaves dust", allow(new(7), ENDOWMENT - FEE_AND_DUST), &[0, 0]),
            ("it transfers all", all(new(8), false), &[0, 0]),
            ("it transfers all but the deposit", all(new(9), true), &[0, 0]),
            ("it transfers to an index", allow(Address::Index, UNIT), &[0, 1, 1]),
            ("it transfers to raw bytes", keep(Address::Raw(vec![1; 40]), UNIT), &[0, 1, 1]),
            ("it transfers to 20 bytes", all(Address::Address20([1; 20]), false), &[0, 1, 1]),
        ];
        for (name, call, result) in calls {
            let call = Transaction::new(call, 0, self.genesis);
            let extrinsic = call.signed_by(&self.sender());
            self.add(name, extrinsic, result);
        }

        let set = Call::Timestamp(TimestampCall::Set { now: TIME.1 + 10_000 });
        let mut signed_time = self.pay(0);
        signed_time.call = set.encode();
        let signed_time = signed_time.signed_by(&self.sender());
        self.add("somebody signs the time", signed_time, &[1, INVALID, 8]);
        let bare = with_length(&(0x04u8, Call::Balances(pay(UNIT))).encode());
        self.add("nobody signs a transfer", bare, &[0, 1, 2]);
        let general = with_length(&self.pay(0).body(&[0x45, 0]));
        self.add("nobody answers for it", general, &[1, INVALID, 12]);
        self.add_trap("the time is set again", timestamp());
    }

    /// Bytes that are no extrinsic.
    fn of_encodings(&mut self) {
        let sender = self.sender();
        let mut unknown = self.pay(0);
        unknown.call = vec![99, 0];
        self.add_trap("there is no such pallet", unknown.signed_by(&sender));
        let mut unknown = self.pay(0);
        unknown.call = vec![4, 99];
        self.add_trap("there is no such call", unknown.signed_by(&sender));

        let whole = self.pay(0).signed_by(&sender);
        self.add_trap("it is cut off", whole[..whole.len() - 3].to_vec());
        let mut longer = self.pay(0);
        longer.call.push(0);
        self.add_trap("a byte follows the call", longer.signed_by(&sender));
        self.add_trap("it is empty", vec![0]);
        self.add_trap("its version is of the future", with_length(&self.pay(0).body(&[0x46, 0])));
    }
}

/// A little more than a transfer costs, so that the rest is less than an account.
const FEE_AND_DUST: Balance = 770_000_000;

fn pay(value: Balance) -> BalancesCall {
    BalancesCall::TransferAllowDeath { dest: Address::Id([0x77; 32]), value }
}

/// What is to be signed.
#[derive(Clone, Debug)]
struct Transaction {
    call: Vec<u8>,
    extensions: Extensions,
    spec_version: u32,
    genesis: Hash,
    birth_hash: Hash,
}

impl Transaction {
    fn new(call: BalancesCall, nonce: u32, genesis: Hash) -> Self {
        Self {
            call: Call::Balances(call).encode(),
            extensions: Extensions { era: Era::Immortal, nonce, tip: 0 },
            spec_version: SPEC_VERSION,
            genesis,
            // In the first block every era begins with block 0.
            birth_hash: genesis,
        }
    }

    fn era(mut self, era: Era) -> Self {
        self.extensions.era = era;
        self
    }

    fn tip(mut self, tip: Balance) -> Self {
        self.extensions.tip = tip;
        self
    }

    fn signed_by(&self, sender: &Sender) -> Vec<u8> {
        let implicit = (self.spec_version, TRANSACTION_VERSION, self.genesis, self.birth_hash);
        let payload = [&self.call[..], &self.extensions.encode(), &implicit.encode()].concat();
        let signature = match payload.len() > 256 {
            true => sender.sign(&blake2_256(&payload)),
            false => sender.sign(&payload),
        };
        self.with(Address::Id(sender.account()), Signature::Sr25519(signature))
    }

    fn with(&self, address: Address, signature: Signature) -> Vec<u8> {
        with_length(&self.body(&(0x84u8, address, signature).encode()))
    }

    /// Extensions and call behind `preamble`.
    fn body(&self, preamble: &[u8]) -> Vec<u8> {
        [preamble, &self.extensions.encode(), &self.call].concat()
    }
}

fn with_length(body: &[u8]) -> Vec<u8> {
    let mut extrinsic = Compact(body.len() as u32).encode();
    extrinsic.extend(body);
    extrinsic
}

/// An account and its key.
struct Sender(Keypair);

impl Sender {
    fn new(index: u32) -> Self {
        let seed = (b"lithify-ledger sender", index).using_encoded(blake2_256);
        let secret = MiniSecretKey::from_bytes(&seed).expect("32 bytes are a secret key");
        Self(secret.expand_to_keypair(ExpansionMode::Ed25519))
    }

    fn account(&self) -> AccountId {
        self.0.public.to_bytes()
    }

    /// Signs with a nonce that follows from key and message alone.
    fn sign(&self, message: &[u8]) -> [u8; 64] {
        let transcript = attach_rng(signing_context(b"substrate").bytes(message), NoEntropy);
        self.0.sign(transcript).to_bytes()
    }
}

/// Stands in for what would be mixed into a signature's nonce.
struct NoEntropy;

impl CryptoRng for NoEntropy {}

impl RngCore for NoEntropy {
    fn next_u32(&mut self) -> u32 {
        0
    }

    fn next_u64(&mut self) -> u64 {
        0
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        bytes.fill(0);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand_core::Error> {
        bytes.fill(0);
        Ok(())
    }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn account(&mut self) -> AccountId {
        let mut account = [0; 32];
        account
            .chunks_exact_mut(8)
            .for_each(|chunk| chunk.copy_from_slice(&self.next().to_le_bytes()));
        account
    }
}
