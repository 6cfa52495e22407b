//! What may be asked of a transfer.

use serde::{Deserialize, Serialize};

use crate::id::Id;

/// A command to one transfer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TransferCommand {
    /// See [`TransferMoney`].
    TransferMoney(TransferMoney),
}

/// Moves money from an account to another, under an id that was never used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransferMoney {
    /// The sender. A command that names none cannot be read.
    pub from_account: Id,
    /// The receiver, another account. A command that names none cannot be read.
    pub to_account: Id,
    /// How much; above 0.
    pub amount: Option<i64>,
}
