//! Why an order refuses a command or an answer.

use millrace_eventsourcing::Rejection;
use thiserror::Error;

/// A business no of an order. Why an order *is rejected* is no such thing, but a fact about it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OrderRejection {
    /// The quantity is missing.
    #[error("quantity is missing")]
    MissingQuantity,
    /// The quantity is out of range.
    #[error("quantity is {0}, it must be above 0")]
    InvalidQuantity(i64),
    /// The id is taken, perhaps by an order that was rejected.
    #[error("order `{0}` exists already")]
    AlreadyExists(String),
    /// Somebody accepted and did not say what the order must know. Nobody of ours does that: the
    /// order stays as it is, and a person must act.
    #[error("the answer to `{kind}` for order `{id}` has no `{field}`")]
    UnusableAnswer {
        /// The order.
        id: String,
        /// The command that was answered.
        kind: String,
        /// What is missing in its result.
        field: &'static str,
    },
}

impl Rejection for OrderRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::MissingQuantity | Self::InvalidQuantity(_) => "invalid_quantity",
            Self::AlreadyExists(_) => "already_exists",
            Self::UnusableAnswer { .. } => "unusable_answer",
        }
    }
}
