//! What may be asked of an account.
//!
//! An absent or null field, a blank one, or one out of range is refused by the rules with the
//! field's own code; only what has no code, or the wrong type, makes a command unreadable. Hence
//! the many `Option`s: serde reads an absent field as nothing.

use serde::{Deserialize, Serialize};

use super::{PasswordHash, Reference};

/// A command to one account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum AccountCommand {
    /// See [`OpenAccount`].
    #[serde(alias = "CreateAccount")]
    OpenAccount(OpenAccount),
    /// See [`DepositMoney`].
    #[serde(alias = "CreditAccount")]
    DepositMoney(DepositMoney),
    /// See [`WithdrawMoney`].
    #[serde(alias = "DebitAccount")]
    WithdrawMoney(WithdrawMoney),
    /// See [`RefundMoney`].
    RefundMoney(RefundMoney),
    /// See [`ChangeEmailAddress`].
    ChangeEmailAddress(ChangeEmailAddress),
    /// See [`ChangePassword`].
    ChangePassword(ChangePassword),
    /// See [`CloseAccount`].
    CloseAccount(CloseAccount),
}

/// Opens an account under an id that was never used.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenAccount {
    /// First name of the owner; not blank.
    pub first_name: Option<String>,
    /// Last name of the owner; not blank.
    pub last_name: Option<String>,
    /// E-mail address of the owner.
    pub email: Option<String>,
    /// The owner's password, hashed; may be left out.
    pub password_hash: Option<PasswordHash>,
    /// What is on the account from the start; 0 when left out.
    pub initial_balance: Option<i64>,
}

/// Puts money on an account.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DepositMoney {
    /// How much; above 0.
    pub amount: Option<i64>,
    /// What it is for, in the sender's words.
    pub reference: Option<Reference>,
    /// Deposit only while the balance is below this.
    pub below_balance: Option<i64>,
}

/// Takes money from an account; all of it at most.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WithdrawMoney {
    /// How much; above 0.
    pub amount: Option<i64>,
    /// What it is for, in the sender's words.
    pub reference: Option<Reference>,
}

/// Gives back what a transfer has withdrawn in vain; sent by transfers. A closed account takes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefundMoney {
    /// How much; above 0.
    pub amount: Option<i64>,
    /// The transfer that it comes from. A refund from nowhere cannot be read.
    pub reference: Reference,
}

/// Gives the owner another e-mail address.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeEmailAddress {
    /// The new address.
    pub email: Option<String>,
}

/// Gives the owner another password.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangePassword {
    /// The new password, hashed.
    pub password_hash: Option<PasswordHash>,
}

/// Closes an account that is empty.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloseAccount {}
