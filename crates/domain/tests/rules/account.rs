//! `bank.account`.

mod closing;
mod decoding;
mod money;
mod opening;
mod owner;
mod properties;
mod published;
mod rows;
mod scenarios;

use millrace_domain::bank::account::{
    Account, AccountClosed, AccountCommand, AccountEvent, AccountOpened, ChangeEmailAddress,
    ChangePassword, CloseAccount, DepositMoney, EmailAddressChanged, MoneyDeposited, MoneyRefunded,
    MoneyWithdrawn, OpenAccount, PasswordChanged, PasswordHash, Reference, RefundMoney,
    WithdrawMoney,
};
use millrace_testkit::{Given, given};

const EMAIL: &str = "John.Snow@thewall.eu";
const FIRST_HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA\
                          $RdescudvJCsgt3ub+b/dWRWJTmaaJObGRdescudvJCs";
const SECOND_HASH: &str = "$2b$12$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy";

/// An open account with this balance.
fn account(balance: i64) -> Given<Account> {
    given([opened(balance)])
}

/// An account that was closed.
fn closed_account() -> Given<Account> {
    given([opened(0), closed()])
}

fn hash(text: &str) -> PasswordHash {
    PasswordHash::from(text.to_owned())
}

fn reference(text: &str) -> Reference {
    Reference::try_from(text.to_owned()).unwrap()
}

fn open(initial_balance: i64) -> OpenAccount {
    OpenAccount {
        first_name: Some("John".to_owned()),
        last_name: Some("Snow".to_owned()),
        email: Some(EMAIL.to_owned()),
        password_hash: Some(hash(FIRST_HASH)),
        initial_balance: Some(initial_balance),
    }
}

fn deposit(amount: i64) -> AccountCommand {
    AccountCommand::DepositMoney(DepositMoney {
        amount: Some(amount),
        ..DepositMoney::default()
    })
}

fn deposit_below(below_balance: i64, amount: i64) -> AccountCommand {
    AccountCommand::DepositMoney(DepositMoney {
        amount: Some(amount),
        reference: Some(reference("bonus:bank.account/acc-1/2")),
        below_balance: Some(below_balance),
    })
}

fn withdraw(amount: i64) -> AccountCommand {
    AccountCommand::WithdrawMoney(WithdrawMoney {
        amount: Some(amount),
        reference: None,
    })
}

fn refund(amount: i64) -> AccountCommand {
    AccountCommand::RefundMoney(RefundMoney {
        amount: Some(amount),
        reference: reference("transfer:t-1"),
    })
}

fn change_email(email: &str) -> AccountCommand {
    AccountCommand::ChangeEmailAddress(ChangeEmailAddress {
        email: Some(email.to_owned()),
    })
}

fn change_password(text: &str) -> AccountCommand {
    AccountCommand::ChangePassword(ChangePassword {
        password_hash: Some(hash(text)),
    })
}

fn close() -> AccountCommand {
    AccountCommand::CloseAccount(CloseAccount {})
}

fn opened(initial_balance: i64) -> AccountEvent {
    AccountEvent::AccountOpened(AccountOpened {
        first_name: "John".to_owned(),
        last_name: "Snow".to_owned(),
        email: EMAIL.to_owned(),
        password_hash: Some(hash(FIRST_HASH)),
        initial_balance,
    })
}

fn deposited(amount: i64, balance: i64) -> AccountEvent {
    AccountEvent::MoneyDeposited(MoneyDeposited {
        amount,
        balance,
        email: EMAIL.to_owned(),
        reference: None,
    })
}

fn withdrawn(amount: i64, balance: i64) -> AccountEvent {
    AccountEvent::MoneyWithdrawn(MoneyWithdrawn {
        amount,
        balance,
        reference: None,
    })
}

fn refunded(amount: i64, balance: i64) -> AccountEvent {
    AccountEvent::MoneyRefunded(MoneyRefunded {
        amount,
        balance,
        reference: "transfer:t-1".to_owned(),
    })
}

fn email_changed(previous: &str, email: &str) -> AccountEvent {
    AccountEvent::EmailAddressChanged(EmailAddressChanged {
        previous: previous.to_owned(),
        email: email.to_owned(),
    })
}

fn password_changed(text: &str) -> AccountEvent {
    AccountEvent::PasswordChanged(PasswordChanged {
        password_hash: hash(text),
    })
}

fn closed() -> AccountEvent {
    AccountEvent::AccountClosed(AccountClosed {})
}
