//! Tokens: who owns how many, and moving them.

use crate::{
    host,
    outcome::{
        ArithmeticError, BalancesEvent, DispatchError, DispatchResult, Event, SystemEvent,
        TokenError,
    },
    params::EXISTENTIAL_DEPOSIT,
    storage::{self, get, put},
    system::deposit,
    types::{Account, AccountId, Address, Balance, BalancesCall},
};

/// Moves tokens of whoever signed.
pub fn dispatch(call: &BalancesCall, signer: Option<&AccountId>) -> DispatchResult {
    let source = signer.ok_or(DispatchError::BadOrigin)?;
    let account = storage::account(source);
    let (dest, value, preserve) = match call {
        BalancesCall::TransferAllowDeath { dest, value } => (dest, *value, false),
        BalancesCall::TransferKeepAlive { dest, value } => (dest, *value, true),
        BalancesCall::TransferAll { dest, keep_alive: false } => (dest, account.free, false),
        BalancesCall::TransferAll { dest, keep_alive: true } => {
            (dest, account.free.saturating_sub(EXISTENTIAL_DEPOSIT), true)
        }
    };
    let dest = Address::account(dest).ok_or(DispatchError::CannotLookup)?;
    transfer(source, account, dest, value, preserve)
}

fn transfer(
    source: &AccountId,
    account: Account,
    dest: &AccountId,
    value: Balance,
    preserve: bool,
) -> DispatchResult {
    if value > 0 {
        let rest = withdrawal(&account, value)?;
        if preserve && rest < EXISTENTIAL_DEPOSIT {
            return Err(DispatchError::Token(TokenError::NotExpendable));
        }
        let receiver = storage::account(dest);
        let sum = (receiver.free.checked_add(value))
            .ok_or(DispatchError::Arithmetic(ArithmeticError::Overflow))?;
        if sum < EXISTENTIAL_DEPOSIT {
            return Err(DispatchError::Token(TokenError::BelowMinimum));
        }
        if source == dest {
            return Ok(());
        }
        reduce(source, account, rest);
        increase(dest, receiver, sum);
    } else if source == dest {
        return Ok(());
    }
    deposit(Event::Balances(BalancesEvent::Transfer { from: *source, to: *dest, amount: value }));
    Ok(())
}

/// What would be left of the account without `value`.
fn withdrawal(account: &Account, value: Balance) -> Result<Balance, DispatchError> {
    if value > get(&storage::TOTAL_ISSUANCE) {
        return Err(DispatchError::Arithmetic(ArithmeticError::Underflow));
    }
    let rest = account.free.checked_sub(value);
    rest.ok_or(DispatchError::Token(TokenError::FundsUnavailable))
}

/// Leaves `rest` to an account, which ends if that is too little.
fn reduce(id: &AccountId, mut account: Account, rest: Balance) {
    if rest >= EXISTENTIAL_DEPOSIT {
        account.free = rest;
        return storage::put_account(id, &account);
    }
    host::clear(&storage::account_key(id));
    deposit(Event::System(SystemEvent::KilledAccount(*id)));
    if rest > 0 {
        deposit(Event::Balances(BalancesEvent::DustLost(*id, rest)));
        burn_debt(rest);
    }
}

/// Makes an account own `free`, which is more than before and enough to exist.
fn increase(id: &AccountId, mut account: Account, free: Balance) {
    if account.exists() {
        account.free = free;
        return storage::put_account(id, &account);
    }
    storage::put_account(id, &Account::endowed(free));
    deposit(Event::System(SystemEvent::NewAccount(*id)));
    deposit(Event::Balances(BalancesEvent::Endowed(*id, free)));
}

/// Ends tokens that were taken from an account.
pub fn burn_debt(amount: Balance) {
    let issuance: Balance = get(&storage::TOTAL_ISSUANCE);
    put(&storage::TOTAL_ISSUANCE, &issuance.saturating_sub(amount));
    deposit(Event::Balances(BalancesEvent::BurnedDebt(amount)));
}

/// Says that tokens were taken from an account.
pub fn withdrawn(who: &AccountId, amount: Balance) {
    deposit(Event::Balances(BalancesEvent::Withdraw(*who, amount)));
}
