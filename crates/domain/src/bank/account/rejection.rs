//! Why an account refuses a command.

use millrace_eventsourcing::Rejection;
use thiserror::Error;

/// How much of a refused text the sentence shows: enough to recognise it, and with an id of 128
/// bytes beside it far from the 1 KiB that an answer may take.
const SHOWN_BYTES_MAX: usize = 254;

/// A business no of an account. Sentences show the values, but never a password hash.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AccountRejection {
    /// The id is taken, perhaps by an account that was closed.
    #[error("account `{id}` exists already")]
    AlreadyExists {
        /// The account.
        id: String,
    },
    /// The account was never opened.
    #[error("account `{id}` does not exist")]
    NotFound {
        /// The account.
        id: String,
    },
    /// The account is closed for good.
    #[error("account `{id}` is closed")]
    AccountClosed {
        /// The account.
        id: String,
    },
    /// A name is missing or blank.
    #[error("{field} is missing or blank")]
    InvalidName {
        /// Which one.
        field: &'static str,
    },
    /// The e-mail address is missing.
    #[error("email is missing")]
    MissingEmail,
    /// The text is no e-mail address.
    #[error("`{email}` is not an e-mail address")]
    InvalidEmail {
        /// The text, cut.
        email: String,
    },
    /// The password hash is missing or has no form that we know.
    #[error("password_hash is missing or is not a PHC string of argon2id or bcrypt")]
    InvalidPassword,
    /// The amount is missing.
    #[error("{field} is missing")]
    MissingAmount {
        /// Which field.
        field: &'static str,
    },
    /// The amount is out of range.
    #[error("{field} is {amount}, it must be from {min} to {max}")]
    InvalidAmount {
        /// Which field.
        field: &'static str,
        /// What was asked for.
        amount: i64,
        /// The least that is allowed.
        min: i64,
        /// The most that is allowed.
        max: i64,
    },
    /// The owner has less than that.
    #[error("cannot withdraw {amount}, the balance is {balance}")]
    InsufficientFunds {
        /// What was asked for.
        amount: i64,
        /// What there is.
        balance: i64,
    },
    /// The balance would grow beyond its bound.
    #[error("cannot add {amount} to a balance of {balance}, at most {max} is allowed")]
    BalanceOverflow {
        /// What was asked for.
        amount: i64,
        /// What there is.
        balance: i64,
        /// The bound.
        max: i64,
    },
    /// The sender wanted a deposit only below a balance that is reached.
    #[error("the balance is {balance}, a deposit was asked for only below {below_balance}")]
    BonusCapReached {
        /// What there is.
        balance: i64,
        /// The sender's bound.
        below_balance: i64,
    },
    /// Only an empty account can be closed.
    #[error("the balance is {balance}, only an empty account can be closed")]
    BalanceNotZero {
        /// What there is.
        balance: i64,
    },
}

impl AccountRejection {
    pub(super) fn not_an_email(text: &str) -> Self {
        let mut end = text.len().min(SHOWN_BYTES_MAX);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let (shown, rest) = text.split_at(end);
        let ellipsis = if rest.is_empty() { "" } else { "…" };
        Self::InvalidEmail {
            email: format!("{shown}{ellipsis}"),
        }
    }
}

impl Rejection for AccountRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::AlreadyExists { .. } => "already_exists",
            Self::NotFound { .. } => "not_found",
            Self::AccountClosed { .. } => "account_closed",
            Self::InvalidName { .. } => "invalid_name",
            Self::MissingEmail | Self::InvalidEmail { .. } => "invalid_email",
            Self::InvalidPassword => "invalid_password",
            Self::MissingAmount { .. } | Self::InvalidAmount { .. } => "invalid_amount",
            Self::InsufficientFunds { .. } => "insufficient_funds",
            Self::BalanceOverflow { .. } => "balance_overflow",
            Self::BonusCapReached { .. } => "bonus_cap_reached",
            Self::BalanceNotZero { .. } => "balance_not_zero",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let sentence = AccountRejection::not_an_email(&"é".repeat(4_096)).to_string();
        assert!(sentence.len() < 300, "{} bytes", sentence.len());
        assert!(sentence.contains("é…`"), "{sentence}");
    }

    #[test]
    fn a_short_text_is_shown_whole() {
        let sentence = AccountRejection::not_an_email("a@b@c").to_string();
        assert_eq!(sentence, "`a@b@c` is not an e-mail address");
    }
}
