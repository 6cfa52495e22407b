//! What happened to an account.
//!
//! Field names and order are those of the published event schema. Reading a fact checks nothing
//! but its type: rules change, facts stay.

use serde::{Deserialize, Serialize};

use super::PasswordHash;

/// A fact about one account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum AccountEvent {
    /// See [`AccountOpened`].
    AccountOpened(AccountOpened),
    /// See [`MoneyDeposited`].
    MoneyDeposited(MoneyDeposited),
    /// See [`MoneyWithdrawn`].
    MoneyWithdrawn(MoneyWithdrawn),
    /// See [`MoneyRefunded`].
    MoneyRefunded(MoneyRefunded),
    /// See [`EmailAddressChanged`].
    EmailAddressChanged(EmailAddressChanged),
    /// See [`PasswordChanged`].
    PasswordChanged(PasswordChanged),
    /// See [`AccountClosed`].
    AccountClosed(AccountClosed),
}

/// The account exists from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountOpened {
    /// First name of the owner, as typed.
    pub first_name: String,
    /// Last name of the owner, as typed.
    pub last_name: String,
    /// E-mail address of the owner, as typed.
    pub email: String,
    /// The owner's password, hashed, if one was given.
    pub password_hash: Option<PasswordHash>,
    /// The first balance.
    pub initial_balance: i64,
}

/// Money came in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoneyDeposited {
    /// How much.
    pub amount: i64,
    /// The balance after it.
    pub balance: i64,
    /// The owner's e-mail address at that time, for those who write to the owner.
    pub email: String,
    /// What it was for.
    pub reference: Option<String>,
}

/// Money went out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoneyWithdrawn {
    /// How much.
    pub amount: i64,
    /// The balance after it.
    pub balance: i64,
    /// What it was for.
    pub reference: Option<String>,
}

/// Money that had gone out in vain came back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoneyRefunded {
    /// How much.
    pub amount: i64,
    /// The balance after it.
    pub balance: i64,
    /// Where it came back from.
    pub reference: String,
}

/// The owner is reached under another address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmailAddressChanged {
    /// The address until now.
    pub previous: String,
    /// The address from now on, as typed.
    pub email: String,
}

/// The owner has another password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordChanged {
    /// The new password, hashed.
    pub password_hash: PasswordHash,
}

/// The account was closed, empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountClosed {}
