//! What transactions cost, and the end of what was paid.

use crate::{
    balances,
    outcome::{Event, PaymentEvent},
    params::{BASE_EXTRINSIC, EXISTENTIAL_DEPOSIT, FEE_MULTIPLIER, MAX_BLOCK_TIME},
    storage::{self, get, put},
    system::deposit,
    types::{Account, AccountId, Balance, Class, Weight},
};

/// The fee: for being there, for the length, for the weight; and the tip.
pub fn fee(len: u32, weight: Weight, tip: Balance) -> Balance {
    let capped = weight.ref_time.min(MAX_BLOCK_TIME);
    let inclusion = u128::from(BASE_EXTRINSIC.ref_time) + u128::from(len) + u128::from(capped);
    inclusion.saturating_add(tip)
}

/// Whether the account survives paying `fee`.
pub fn can_pay(account: &Account, fee: Balance) -> bool {
    let rest = account.free.checked_sub(fee);
    fee <= get(&storage::TOTAL_ISSUANCE) && rest.is_some_and(|rest| rest >= EXISTENTIAL_DEPOSIT)
}

/// Destroys the fee, which was taken from `who` before the call.
pub fn burn(who: &AccountId, fee: Balance, tip: Balance) {
    balances::burn_debt(fee);
    let paid = PaymentEvent::TransactionFeePaid { who: *who, actual_fee: fee, tip };
    deposit(Event::TransactionPayment(paid));
}

/// How much it matters to include a transaction: its tip for all that would fit a block.
pub fn priority(len: u32, weight: Weight, tip: Balance) -> u64 {
    let by_len = u64::from(Class::Normal.max_block_len() / len.max(1));
    let by_weight = MAX_BLOCK_TIME / weight.ref_time.clamp(1, MAX_BLOCK_TIME);
    let reward = tip.saturating_add(1).saturating_mul(by_len.min(by_weight).into());
    u64::try_from(reward).unwrap_or(u64::MAX)
}

/// Ends a block.
pub fn on_finalize() {
    put(&storage::NEXT_FEE_MULTIPLIER, &FEE_MULTIPLIER);
}

/// Withdraws the fee from an account that can pay it, and stores the account.
pub fn withdraw(who: &AccountId, mut account: Account, fee: Balance) {
    account.free -= fee;
    storage::put_account(who, &account);
    balances::withdrawn(who, fee);
}
