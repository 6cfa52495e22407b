//! The rules of an account, one function for each command. They check in the order in which the
//! codes are published.

use super::{
    Account, AccountClosed, AccountOpened, AccountRejection, BALANCE_MAX, ChangeEmailAddress,
    ChangePassword, DepositMoney, EmailAddressChanged, MoneyDeposited, MoneyRefunded,
    MoneyWithdrawn, OpenAccount, PasswordChanged, PasswordHash, Reference, RefundMoney,
    WithdrawMoney,
};
use crate::email;
use crate::text::filled;

/// An id is taken for good: a closed account cannot be opened again.
pub(super) fn open(
    account: Option<&Account>,
    command: &OpenAccount,
    id: &str,
) -> Result<AccountOpened, AccountRejection> {
    if account.is_some() {
        return Err(AccountRejection::AlreadyExists { id: id.to_owned() });
    }
    let first_name = name(command.first_name.as_deref(), "first_name")?;
    let last_name = name(command.last_name.as_deref(), "last_name")?;
    let email = email_address(command.email.as_deref())?;
    let password_hash = command.password_hash.as_ref();
    if password_hash.is_some_and(|hash| !hash.is_well_formed()) {
        return Err(AccountRejection::InvalidPassword);
    }
    let initial_balance = command.initial_balance.unwrap_or(0);
    in_range("initial_balance", initial_balance, 0, BALANCE_MAX)?;
    Ok(AccountOpened {
        first_name,
        last_name,
        email,
        password_hash: password_hash.cloned(),
        initial_balance,
    })
}

pub(super) fn deposit(
    account: &Account,
    command: &DepositMoney,
) -> Result<MoneyDeposited, AccountRejection> {
    let amount = positive(command.amount)?;
    let balance = increased(account.balance, amount, BALANCE_MAX)?;
    if let Some(below_balance) = command.below_balance
        && account.balance >= below_balance
    {
        return Err(AccountRejection::BonusCapReached {
            balance: account.balance,
            below_balance,
        });
    }
    Ok(MoneyDeposited {
        amount,
        balance,
        email: account.email.clone(),
        reference: command.reference.as_ref().map(Reference::to_string),
    })
}

pub(super) fn withdraw(
    account: &Account,
    command: &WithdrawMoney,
) -> Result<MoneyWithdrawn, AccountRejection> {
    let amount = positive(command.amount)?;
    if amount > account.balance {
        return Err(AccountRejection::InsufficientFunds {
            amount,
            balance: account.balance,
        });
    }
    Ok(MoneyWithdrawn {
        amount,
        balance: account.balance - amount,
        reference: command.reference.as_ref().map(Reference::to_string),
    })
}

/// Money that has left an account comes back whatever became of the account meanwhile.
pub(super) fn refund(
    account: &Account,
    command: &RefundMoney,
) -> Result<MoneyRefunded, AccountRejection> {
    let amount = positive(command.amount)?;
    let balance = increased(account.balance, amount, i64::MAX)?;
    Ok(MoneyRefunded {
        amount,
        balance,
        reference: command.reference.to_string(),
    })
}

/// The same address once more is accepted as a change: the sender sees what is now on record.
pub(super) fn change_email(
    account: &Account,
    command: &ChangeEmailAddress,
) -> Result<EmailAddressChanged, AccountRejection> {
    Ok(EmailAddressChanged {
        email: email_address(command.email.as_deref())?,
        previous: account.email.clone(),
    })
}

/// What the account had before does not matter.
pub(super) fn change_password(
    _: &Account,
    command: &ChangePassword,
) -> Result<PasswordChanged, AccountRejection> {
    let password_hash = command
        .password_hash
        .clone()
        .filter(PasswordHash::is_well_formed)
        .ok_or(AccountRejection::InvalidPassword)?;
    Ok(PasswordChanged { password_hash })
}

pub(super) fn close(account: &Account) -> Result<AccountClosed, AccountRejection> {
    if account.balance != 0 {
        return Err(AccountRejection::BalanceNotZero {
            balance: account.balance,
        });
    }
    Ok(AccountClosed {})
}

/// The account, open or closed.
pub(super) fn known_account<'a>(
    account: Option<&'a Account>,
    id: &str,
) -> Result<&'a Account, AccountRejection> {
    account.ok_or_else(|| AccountRejection::NotFound { id: id.to_owned() })
}

/// The account, not closed.
pub(super) fn open_account<'a>(
    account: Option<&'a Account>,
    id: &str,
) -> Result<&'a Account, AccountRejection> {
    let account = known_account(account, id)?;
    if account.closed {
        return Err(AccountRejection::AccountClosed { id: id.to_owned() });
    }
    Ok(account)
}

fn name(text: Option<&str>, field: &'static str) -> Result<String, AccountRejection> {
    filled(text)
        .map(str::to_owned)
        .ok_or(AccountRejection::InvalidName { field })
}

fn email_address(text: Option<&str>) -> Result<String, AccountRejection> {
    let text = text.ok_or(AccountRejection::MissingEmail)?;
    if !email::is_address(text) {
        return Err(AccountRejection::not_an_email(text));
    }
    Ok(text.to_owned())
}

fn positive(amount: Option<i64>) -> Result<i64, AccountRejection> {
    let field = "amount";
    let amount = amount.ok_or(AccountRejection::MissingAmount { field })?;
    in_range(field, amount, 1, i64::MAX)?;
    Ok(amount)
}

fn increased(balance: i64, amount: i64, max: i64) -> Result<i64, AccountRejection> {
    balance
        .checked_add(amount)
        .filter(|increased| *increased <= max)
        .ok_or(AccountRejection::BalanceOverflow {
            amount,
            balance,
            max,
        })
}

fn in_range(field: &'static str, amount: i64, min: i64, max: i64) -> Result<(), AccountRejection> {
    if !(min..=max).contains(&amount) {
        return Err(AccountRejection::InvalidAmount {
            field,
            amount,
            min,
            max,
        });
    }
    Ok(())
}
