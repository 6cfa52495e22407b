//! Why a product refuses a command.

use millrace_eventsourcing::Rejection;
use thiserror::Error;

/// A business no of a product.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProductRejection {
    /// No name, or a blank one.
    #[error("name is missing or blank")]
    NameRequired,
    /// A number is missing or out of its range.
    #[error("{field} is {}, it must be {min} or more", shown(*.given))]
    OutOfRange {
        /// The word for programs.
        code: &'static str,
        /// Of the command.
        field: &'static str,
        /// What was asked for; nothing when it is missing.
        given: Option<i64>,
        /// The smallest.
        min: i64,
    },
    /// The id is taken.
    #[error("product `{0}` exists already")]
    AlreadyExists(String),
    /// Never created.
    #[error("there is no product `{0}`")]
    NotFound(String),
    /// Fewer pieces than are asked for.
    #[error("product `{id}` has too few pieces: needed {needed}, available {available}")]
    InsufficientStock {
        /// The product.
        id: String,
        /// Asked for.
        needed: i64,
        /// Nobody has reserved them.
        available: i64,
    },
    /// The total leaves the range of amounts.
    #[error("{quantity} pieces at {price} cost more than an amount can hold")]
    AmountOverflow {
        /// Asked for.
        quantity: i64,
        /// Of one piece.
        price: i64,
    },
}

impl Rejection for ProductRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::NameRequired => "name_required",
            Self::OutOfRange { code, .. } => code,
            Self::AlreadyExists(_) => "already_exists",
            Self::NotFound(_) => "not_found",
            Self::InsufficientStock { .. } => "insufficient_stock",
            Self::AmountOverflow { .. } => "amount_overflow",
        }
    }
}

fn shown(given: Option<i64>) -> String {
    given.map_or_else(|| "missing".to_owned(), |given| given.to_string())
}
