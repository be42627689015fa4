//! The ledger against FRAME: the bundled solo chain has the same pallets under the same
//! configuration, and more. On the same accounts, the same extrinsics must have the same results,
//! and write the same.

use crate::chain::{self, Machine, Outcome};
use crate::genesis;
use lithify_ledger::extrinsic::{Extrinsic, Preamble};
use lithify_ledger::types::{
    Account, AccountId, Address, BalancesCall, Call, ConsumedWeight, Weight,
};
use lithify_ledger::{generator, params, payment, storage};
use lithify_polkadot::{Change, Input, State, StateVersion, block::Header};
use parity_scale_codec::{Decode, Encode};
use std::path::Path;

const BLOB: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../workloads/solochain/solochain.compact.compressed.wasm"
);
const SPEC: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../workloads/solochain/chain-spec.json");

/// The hashes of the names of the pallets that the ledger lacks: Aura, Grandpa, Sudo.
const OTHERS: [[u8; 4]; 3] =
    [[0x57, 0xf8, 0xdc, 0x2f], [0x5f, 0x9c, 0xc4, 0x5b], [0x5c, 0x0d, 0x11, 0x76]];

/// The solo chain with the ledger's accounts, and none of its own.
fn frame_state() -> State {
    let bytes = std::fs::read(SPEC).expect("the chain spec");
    let Ok(Input::Runtime(input)) = Input::read(bytes, "chain-spec.json") else {
        panic!("{SPEC} is no chain spec")
    };
    let (mut pairs, _) = input.state.expect("a chain spec has a state").pairs();
    pairs.retain(|key, _| !key.starts_with(&storage::ACCOUNT));
    let mut of_ledger = genesis::accounts();
    assert!(of_ledger.remove(&storage::LAST_RUNTIME_UPGRADE[..]).is_some());
    for key in of_ledger.keys().filter(|key| !key.starts_with(&storage::ACCOUNT)) {
        assert!(pairs.contains_key(key), "{key:02x?} is in FRAME's genesis");
    }
    pairs.extend(of_ledger);
    genesis::state_of(pairs)
}

/// Both chains, at the same point.
struct Pair {
    ledger: (Machine, State),
    frame: (Machine, State),
    /// How much more FRAME books for the beginning of a block, for its other pallets.
    more: u64,
}

impl Pair {
    fn new() -> Self {
        let frame = Machine::module(Path::new(BLOB), "lithify");
        Self {
            ledger: (Machine::native(), genesis::state()),
            frame: (frame, frame_state()),
            more: 0,
        }
    }

    /// Calls both and keeps what they wrote, unless the output says that it is dropped.
    fn call(&mut self, entry: &str, input: &[u8], name: &str) -> Option<Vec<u8>> {
        let mut ledger = self.ledger.0.call(&self.ledger.1, entry, input);
        let mut frame = self.frame.0.call(&self.frame.1, entry, input);
        if entry == "BlockBuilder_finalize_block" {
            same_but_the_state_root(&mut ledger, &mut frame);
        }
        assert_eq!(ledger.output, frame.output, "{name}: {entry}");
        if ledger.output.as_ref().is_some_and(|output| output.first() != Some(&1)) {
            if entry == "Core_initialize_block" {
                self.more = mandatory(&frame.changes) - mandatory(&ledger.changes);
            }
            let of_ledger = comparable(&ledger.changes, 0);
            let of_frame = comparable(&frame.changes, self.more);
            assert_eq!(of_ledger, of_frame, "{name}: {entry}");
            write(&mut self.ledger.1, &ledger.changes);
            write(&mut self.frame.1, &frame.changes);
        }
        ledger.output
    }

    /// Calls both on the state that they are at, where nothing is written that matters.
    fn ask(&self, entry: &str, input: &[u8], name: &str) {
        let ledger = self.ledger.0.call(&self.ledger.1, entry, input);
        let frame = self.frame.0.call(&self.frame.1, entry, input);
        assert_eq!(ledger.output, frame.output, "{name}: {entry}");
    }
}

fn same_but_the_state_root(ledger: &mut Outcome, frame: &mut Outcome) {
    for outcome in [ledger, frame] {
        let output = outcome.output.as_mut().expect("the block ends");
        let mut header = Header::decode(output).expect("a header");
        header.state_root = [0; 32];
        *output = header.encode();
    }
}

fn block_weight(changes: &[Change]) -> Option<ConsumedWeight> {
    let change = changes.iter().find(|change| change.key == storage::BLOCK_WEIGHT)?;
    ConsumedWeight::decode(&mut change.value.as_deref()?).ok()
}

fn mandatory(changes: &[Change]) -> u64 {
    block_weight(changes).expect("the block weighs something").mandatory.ref_time
}

/// What the other pallets wrote is left out, and what the block weighs is without them.
fn comparable(changes: &[Change], more: u64) -> Vec<Change> {
    let ours = |change: &&Change| !OTHERS.iter().any(|pallet| change.key.starts_with(pallet));
    let mut ours: Vec<_> = changes.iter().filter(ours).cloned().collect();
    if let Some(mut weight) = block_weight(&ours) {
        let Weight { ref_time, proof_size } = weight.mandatory;
        weight.mandatory = Weight::new(ref_time - more, proof_size);
        let change = ours.iter_mut().find(|change| change.key == storage::BLOCK_WEIGHT);
        change.expect("it was found").value = Some(weight.encode());
    }
    ours
}

fn write(state: &mut State, changes: &[Change]) {
    let (mut pairs, children) = state.pairs();
    for change in changes {
        match &change.value {
            Some(value) => pairs.insert(change.key.clone(), value.clone()),
            None => pairs.remove(&change.key),
        };
    }
    *state = State::new(pairs, children, StateVersion::V1);
}

/// A block of transfers and of everything that can be wrong: results, events, fees, keys, the
/// header.
#[test]
fn extrinsics_have_the_results_of_frame() {
    let mut pair = Pair::new();
    let genesis = chain::genesis_hash(&pair.ledger.1);
    let header = chain::first_header(genesis, &[chain::consensus(), chain::slot()]);
    pair.call("Core_initialize_block", &header, "the block");
    pair.call("BlockBuilder_apply_extrinsic", &generator::timestamp(), "the time");
    for case in generator::mix(12, 3, genesis) {
        pair.call("BlockBuilder_apply_extrinsic", &case.extrinsic, case.name);
    }
    let header = pair.call("BlockBuilder_finalize_block", &[], "the block");
    assert!(header.is_some());
    for sender in [0u8, 1, 0xff] {
        pair.ask("AccountNonceApi_account_nonce", &[sender; 32], "a nonce");
    }
}

/// What the pool and wallets ask, and inherents.
#[test]
fn questions_have_the_answers_of_frame() {
    let pair = Pair::new();
    let genesis = chain::genesis_hash(&pair.ledger.1);
    for case in generator::mix(4, 4, genesis) {
        for source in [0u8, 1, 2, 3] {
            let input = [&[source][..], &case.extrinsic, &genesis].concat();
            pair.ask("TaggedTransactionQueue_validate_transaction", &input, case.name);
        }
        for len in [0u32, 150, u32::MAX] {
            let input = [&case.extrinsic[..], &len.to_le_bytes()].concat();
            pair.ask("TransactionPaymentApi_query_info", &input, case.name);
        }
    }
    for (entry, input) in chain::questions_of_inherents(genesis) {
        pair.ask(entry, &input, "inherents");
    }
}

/// Transfers of which a byte was changed, or that end early: what does not decode here does not
/// decode there, and what does has the same fault.
#[test]
fn damaged_transfers_are_judged_as_by_frame() {
    let pair = Pair::new();
    let genesis = chain::genesis_hash(&pair.ledger.1);
    let judge = |extrinsic: &[u8], name: &str| {
        let input = [&[2][..], extrinsic, &genesis].concat();
        pair.ask("TaggedTransactionQueue_validate_transaction", &input, name);
    };
    // Immortal and mortal, with and without tip, of both kinds.
    for transfer in generator::transfers(8, 5, genesis) {
        for at in 0..transfer.len() {
            for change in [0x01, 0x04, 0x80] {
                let mut damaged = transfer.clone();
                damaged[at] ^= change;
                judge(&damaged, &format!("byte {at} of {transfer:02x?} ^ {change:#x}"));
            }
        }
        for len in 2..transfer.len() {
            // The length prefix says so.
            let body = &transfer[2..len];
            let prefix = ((body.len() as u16) << 2 | 1).to_le_bytes();
            judge(&[&prefix[..], body].concat(), &format!("{len} bytes of {transfer:02x?}"));
        }
    }
}

/// Transfers at the limits of the block and of numbers: the state says that they are near.
#[test]
fn limits_are_those_of_frame() {
    let genesis = chain::genesis_hash(&genesis::state());
    let transfer = &generator::transfers(1, 6, genesis)[0];
    let extrinsic = Extrinsic::decode(&mut &transfer[..]).expect("our own bytes");
    let Call::Balances(
        BalancesCall::TransferAllowDeath { dest: Address::Id(dest), value }
        | BalancesCall::TransferKeepAlive { dest: Address::Id(dest), value },
    ) = extrinsic.call
    else {
        panic!("a transfer")
    };
    let Preamble::Signed(Address::Id(sender), _, extensions) = &extrinsic.preamble else {
        panic!("signed")
    };
    let len = extrinsic.encoded_len();
    let takes = extrinsic.weight().ref_time + params::BASE_EXTRINSIC.ref_time;
    let fee = payment::fee(len, extrinsic.weight(), extensions.tip);

    let weight = |normal: u64, mandatory: u64| {
        let [normal, mandatory] = [normal, mandatory].map(|ref_time| Weight::new(ref_time, 7));
        let weight = ConsumedWeight { normal, mandatory, ..ConsumedWeight::default() };
        (storage::BLOCK_WEIGHT.to_vec(), weight.encode())
    };
    let size = |size: u32| (storage::BLOCK_SIZE.to_vec(), size.encode());
    let issuance = |issuance: u128| (storage::TOTAL_ISSUANCE.to_vec(), issuance.encode());
    let account = |of: &AccountId, account: Account| (storage::account_key(of), account.encode());
    let owns = |of: &AccountId, free: u128| account(of, Account::endowed(free));
    let nonce = |nonce: u32| account(sender, Account { nonce, ..Account::endowed(1 << 80) });

    let (exhausts, pay): (&[u8], &[u8]) = (&[1, 0, 6], &[1, 0, 1]);
    let least = params::EXISTENTIAL_DEPOSIT;
    type Limit<'r> = ((Vec<u8>, Vec<u8>), &'r [u8]);
    let cases: [Limit<'_>; 17] = [
        (weight(params::MAX_NORMAL_TIME - takes, 0), &[0, 0]),
        (weight(params::MAX_NORMAL_TIME - takes + 1, 0), exhausts),
        (weight(0, params::MAX_BLOCK_TIME - takes), &[0, 0]),
        (weight(0, params::MAX_BLOCK_TIME - takes + 1), exhausts),
        (weight(u64::MAX, u64::MAX), exhausts),
        (size(3_932_160 - len), &[0, 0]),
        (size(3_932_160 - len + 1), exhausts),
        (size(u32::MAX), exhausts),
        (issuance(fee - 1), pay),
        (issuance(fee), &[0, 1, 8, 0]),
        (owns(&dest, u128::MAX - value), &[0, 0]),
        (owns(&dest, u128::MAX - value + 1), &[0, 1, 8, 1]),
        (owns(sender, least + fee - 1), pay),
        (owns(sender, least + fee), &[0, 1, 7, 0]),
        (nonce(0), &[0, 0]),
        (nonce(1), &[1, 0, 3]),
        (account(sender, Account::default()), pay),
    ];
    let mut pair = Pair::new();
    let header = chain::first_header(genesis, &[chain::slot()]);
    pair.call("Core_initialize_block", &header, "the block");
    pair.call("BlockBuilder_apply_extrinsic", &generator::timestamp(), "the time");
    let (ledger, frame, more) = (pair.ledger.1.clone(), pair.frame.1.clone(), pair.more);
    for (number, ((key, value), result)) in cases.into_iter().enumerate() {
        // Where both are given the weight, FRAME's is not greater.
        pair.more = if key == storage::BLOCK_WEIGHT { 0 } else { more };
        let change = [Change { child: None, key, value: Some(value) }];
        pair.ledger.1 = ledger.clone();
        pair.frame.1 = frame.clone();
        write(&mut pair.ledger.1, &change);
        write(&mut pair.frame.1, &change);
        let name = format!("limit {number}");
        let output = pair.call("BlockBuilder_apply_extrinsic", transfer, &name);
        assert_eq!(output.as_deref(), Some(result), "{name}");
    }
}
