//! The id of an account, where another aggregate's command names one.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The longest id of an account.
pub const ACCOUNT_ID_BYTES_MAX: usize = 128;

/// What an account is known by: 1 to 128 bytes, no control characters. Whether there is such an
/// account only the account itself can tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountId(String);

impl AccountId {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text that is no id of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AccountIdError {
    /// An account without id cannot be reached.
    #[error("the id of an account cannot be empty")]
    Empty,
    /// More than [`ACCOUNT_ID_BYTES_MAX`].
    #[error("an account id of {0} bytes is too long, at most {ACCOUNT_ID_BYTES_MAX} are allowed")]
    TooLong(usize),
    /// Such a text could not be shown on one line.
    #[error("the id of an account cannot hold control characters")]
    ControlCharacter,
}

impl TryFrom<String> for AccountId {
    type Error = AccountIdError;

    fn try_from(text: String) -> Result<Self, AccountIdError> {
        if text.is_empty() {
            return Err(AccountIdError::Empty);
        }
        if text.len() > ACCOUNT_ID_BYTES_MAX {
            return Err(AccountIdError::TooLong(text.len()));
        }
        if text.chars().any(char::is_control) {
            return Err(AccountIdError::ControlCharacter);
        }
        Ok(Self(text))
    }
}

impl From<AccountId> for String {
    fn from(id: AccountId) -> Self {
        id.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: impl Into<String>) -> Result<AccountId, AccountIdError> {
        AccountId::try_from(text.into())
    }

    #[test]
    fn an_id_is_kept_as_typed() {
        assert_eq!(id(" acc-1/é ").unwrap().as_str(), " acc-1/é ");
    }

    #[test]
    fn ids_have_1_to_128_bytes() {
        assert_eq!(id(""), Err(AccountIdError::Empty));
        assert!(id("x".repeat(128)).is_ok());
        assert_eq!(id("x".repeat(129)), Err(AccountIdError::TooLong(129)));
        assert_eq!(id("é".repeat(65)), Err(AccountIdError::TooLong(130)));
    }

    #[test]
    fn control_characters_are_refused() {
        for text in ["a\nb", "\u{0}", "a\u{85}"] {
            assert_eq!(id(text), Err(AccountIdError::ControlCharacter), "{text:?}");
        }
    }
}
