//! What happened to a transfer.
//!
//! Field names and order are those of the published event schema. Reading a fact checks nothing
//! but its type: rules change, facts stay. [`super::TransferPolicy`] has no memory, so an event
//! carries all that the command which follows from it needs.

use serde::{Deserialize, Serialize};

/// A fact about one transfer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TransferEvent {
    /// See [`TransferRequested`].
    TransferRequested(TransferRequested),
    /// See [`TransferWithdrawn`].
    TransferWithdrawn(TransferWithdrawn),
    /// See [`TransferCompleted`].
    TransferCompleted(TransferCompleted),
    /// See [`TransferDepositRefused`].
    TransferDepositRefused(TransferDepositRefused),
    /// See [`TransferFailed`].
    TransferFailed(TransferFailed),
}

/// Somebody wants money moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransferRequested {
    /// The sender.
    pub from_account: String,
    /// The receiver.
    pub to_account: String,
    /// How much.
    pub amount: i64,
}

/// The sender has paid; the money is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransferWithdrawn {
    /// The sender.
    pub from_account: String,
    /// The receiver.
    pub to_account: String,
    /// How much.
    pub amount: i64,
}

/// The receiver has the money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransferCompleted {}

/// The receiver did not take the money; it is on its way back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransferDepositRefused {
    /// The sender.
    pub from_account: String,
    /// The receiver.
    pub to_account: String,
    /// How much.
    pub amount: i64,
    /// The code with which the receiver refused.
    pub reason: String,
}

/// Nothing was moved: the sender did not pay, or has the money back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransferFailed {
    /// The code with which the sender or the receiver refused.
    pub reason: String,
}
