//! The aggregate `bank.account`: one account with its owner, its balance and its end.
//!
//! Money is counted in minor units. The balance is never negative and never leaves `i64`: deposits
//! stop at [`BALANCE_MAX`], which leaves room for refunds that must not be refused.

mod command;
mod event;
mod password_hash;
mod reference;
mod rejection;
mod rules;

use millrace_eventsourcing::{Aggregate, Context, Decision, Schemas};
use serde::{Deserialize, Serialize};

pub use command::{
    AccountCommand, ChangeEmailAddress, ChangePassword, CloseAccount, DepositMoney, OpenAccount,
    RefundMoney, WithdrawMoney,
};
pub use event::{
    AccountClosed, AccountEvent, AccountOpened, EmailAddressChanged, MoneyDeposited, MoneyRefunded,
    MoneyWithdrawn, PasswordChanged,
};
pub use password_hash::PasswordHash;
pub use reference::{REFERENCE_BYTES_MAX, Reference, ReferenceError};
pub use rejection::AccountRejection;

/// The highest balance that an opening or a deposit may lead to. Refunds may go beyond it, up to
/// the end of `i64`, because money that was withdrawn must find its way back.
pub const BALANCE_MAX: i64 = 4_000_000_000_000_000_000;

/// An account that was opened. Field names and order are those of its published state schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// First name of the owner, as typed.
    pub first_name: String,
    /// Last name of the owner, as typed.
    pub last_name: String,
    /// E-mail address of the owner, as typed.
    pub email: String,
    /// The owner's password, hashed; nothing until there is one.
    pub password_hash: Option<PasswordHash>,
    /// What the owner may withdraw; never negative.
    pub balance: i64,
    /// Whether the owner has closed it; only refunds still arrive then.
    pub closed: bool,
}

impl Aggregate for Account {
    const NAME: &'static str = "bank.account";
    const SCHEMAS: Schemas = Schemas {
        commands: include_str!("../../../../schemas/bank/account.commands.avsc"),
        events: include_str!("../../../../schemas/bank/account.events.avsc"),
        state: include_str!("../../../../schemas/bank/account.state.avsc"),
    };

    type Command = AccountCommand;
    type Event = AccountEvent;
    type Rejection = AccountRejection;

    fn decide(
        state: Option<&Self>,
        command: &AccountCommand,
        context: &Context<'_>,
    ) -> Result<Decision<AccountEvent>, AccountRejection> {
        let open_account = || rules::open_account(state, context.id);
        let event = match command {
            AccountCommand::OpenAccount(command) => {
                AccountEvent::AccountOpened(rules::open(state, command, context.id)?)
            }
            AccountCommand::DepositMoney(command) => {
                AccountEvent::MoneyDeposited(rules::deposit(open_account()?, command)?)
            }
            AccountCommand::WithdrawMoney(command) => {
                AccountEvent::MoneyWithdrawn(rules::withdraw(open_account()?, command)?)
            }
            AccountCommand::RefundMoney(command) => {
                let account = rules::known_account(state, context.id)?;
                AccountEvent::MoneyRefunded(rules::refund(account, command)?)
            }
            AccountCommand::ChangeEmailAddress(command) => {
                AccountEvent::EmailAddressChanged(rules::change_email(open_account()?, command)?)
            }
            AccountCommand::ChangePassword(command) => {
                AccountEvent::PasswordChanged(rules::change_password(open_account()?, command)?)
            }
            AccountCommand::CloseAccount(CloseAccount {}) => {
                AccountEvent::AccountClosed(rules::close(open_account()?)?)
            }
        };
        Ok(Decision::from(event))
    }

    /// Events carry the balance that they lead to, so nothing is added up here. What happened to an
    /// account that was never opened leaves it unopened; `decide` never says such a thing.
    fn evolve(state: Option<Self>, event: &AccountEvent) -> Option<Self> {
        Some(match event {
            AccountEvent::AccountOpened(opened) => Self {
                first_name: opened.first_name.clone(),
                last_name: opened.last_name.clone(),
                email: opened.email.clone(),
                password_hash: opened.password_hash.clone(),
                balance: opened.initial_balance,
                closed: false,
            },
            AccountEvent::MoneyDeposited(deposited) => Self {
                balance: deposited.balance,
                ..state?
            },
            AccountEvent::MoneyWithdrawn(withdrawn) => Self {
                balance: withdrawn.balance,
                ..state?
            },
            AccountEvent::MoneyRefunded(refunded) => Self {
                balance: refunded.balance,
                ..state?
            },
            AccountEvent::EmailAddressChanged(changed) => Self {
                email: changed.email.clone(),
                ..state?
            },
            AccountEvent::PasswordChanged(changed) => Self {
                password_hash: Some(changed.password_hash.clone()),
                ..state?
            },
            AccountEvent::AccountClosed(AccountClosed {}) => Self {
                closed: true,
                ..state?
            },
        })
    }
}
