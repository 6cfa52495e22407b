//! Why a transfer refuses a command or an answer.

use millrace_eventsourcing::Rejection;
use thiserror::Error;

/// A business no of a transfer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TransferRejection {
    /// The id is taken, perhaps by a transfer that has ended.
    #[error("transfer `{id}` exists already")]
    AlreadyExists {
        /// The transfer.
        id: String,
    },
    /// The amount is missing.
    #[error("amount is missing")]
    MissingAmount,
    /// The amount is out of range.
    #[error("amount is {amount}, it must be above 0")]
    InvalidAmount {
        /// What was asked for.
        amount: i64,
    },
    /// Sender and receiver are one.
    #[error("from_account and to_account are both `{account}`")]
    SameAccount {
        /// The account.
        account: String,
    },
    /// The receiver has refused the money, and now the sender does not take it back. The transfer
    /// stays as it is, and a person must act: nobody has the money.
    #[error("account `{account}` refused the refund of {amount} of transfer `{id}`: `{code}`")]
    RefundRefused {
        /// The transfer.
        id: String,
        /// The sender.
        account: String,
        /// How much nobody has.
        amount: i64,
        /// The code with which the sender refused.
        code: String,
    },
}

impl Rejection for TransferRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::AlreadyExists { .. } => "already_exists",
            Self::MissingAmount | Self::InvalidAmount { .. } => "invalid_amount",
            Self::SameAccount { .. } => "same_account",
            Self::RefundRefused { .. } => "refund_refused",
        }
    }
}
