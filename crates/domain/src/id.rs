//! The id of an aggregate, where the command to another one names it.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The longest id.
pub const ID_BYTES_MAX: usize = 128;

/// What an aggregate is known by: 1 to 128 bytes, no control characters. Whether there is such a one
/// only the aggregate itself can tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Id(String);

impl Id {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text that is no id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum IdError {
    /// What has no id cannot be reached.
    #[error("an id cannot be empty")]
    Empty,
    /// More than [`ID_BYTES_MAX`].
    #[error("an id of {0} bytes is too long, at most {ID_BYTES_MAX} are allowed")]
    TooLong(usize),
    /// Such a text could not be shown on one line.
    #[error("an id cannot hold control characters")]
    ControlCharacter,
}

impl TryFrom<String> for Id {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        if text.is_empty() {
            return Err(IdError::Empty);
        }
        if text.len() > ID_BYTES_MAX {
            return Err(IdError::TooLong(text.len()));
        }
        if text.chars().any(char::is_control) {
            return Err(IdError::ControlCharacter);
        }
        Ok(Self(text))
    }
}

impl From<Id> for String {
    fn from(id: Id) -> Self {
        id.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: impl Into<String>) -> Result<Id, IdError> {
        Id::try_from(text.into())
    }

    #[test]
    fn an_id_is_kept_as_typed() {
        assert_eq!(id(" acc-1/é ").unwrap().as_str(), " acc-1/é ");
    }

    #[test]
    fn ids_have_1_to_128_bytes() {
        assert_eq!(id(""), Err(IdError::Empty));
        assert!(id("x".repeat(128)).is_ok());
        assert_eq!(id("x".repeat(129)), Err(IdError::TooLong(129)));
        assert_eq!(id("é".repeat(65)), Err(IdError::TooLong(130)));
    }

    #[test]
    fn control_characters_are_refused() {
        for text in ["a\nb", "\u{0}", "a\u{85}"] {
            assert_eq!(id(text), Err(IdError::ControlCharacter), "{text:?}");
        }
    }
}
