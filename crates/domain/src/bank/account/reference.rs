//! What a movement of money is for.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The longest reference.
pub const REFERENCE_BYTES_MAX: usize = 512;

/// A sender's own word for what a movement of money is for: at most 512 bytes, no control
/// characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reference(String);

impl Reference {
    /// `<kind>:<id>`, for what one of our own policies sends. An id is bounded and holds no control
    /// characters, so this is always a reference.
    pub(in crate::bank) fn of(kind: &str, id: &str) -> Self {
        Self(format!("{kind}:{id}"))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text that is no reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ReferenceError {
    /// More than [`REFERENCE_BYTES_MAX`].
    #[error("a reference of {0} bytes is too long, at most {REFERENCE_BYTES_MAX} are allowed")]
    TooLong(usize),
    /// Such a text could not be shown on one line.
    #[error("a reference cannot hold control characters")]
    ControlCharacter,
}

impl TryFrom<String> for Reference {
    type Error = ReferenceError;

    fn try_from(text: String) -> Result<Self, ReferenceError> {
        if text.len() > REFERENCE_BYTES_MAX {
            return Err(ReferenceError::TooLong(text.len()));
        }
        if text.chars().any(char::is_control) {
            return Err(ReferenceError::ControlCharacter);
        }
        Ok(Self(text))
    }
}

impl From<Reference> for String {
    fn from(reference: Reference) -> Self {
        reference.0
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use millrace_eventsourcing::{Aggregate as _, Version, event_id};

    use super::*;
    use crate::bank::account::Account;
    use crate::id::ID_BYTES_MAX;

    fn reference(text: impl Into<String>) -> Result<Reference, ReferenceError> {
        Reference::try_from(text.into())
    }

    #[test]
    fn a_reference_is_kept_as_typed() {
        assert_eq!(
            reference(" transfer:t-1 ").unwrap().as_str(),
            " transfer:t-1 "
        );
    }

    #[test]
    fn the_longest_reference_has_512_bytes() {
        assert!(reference("x".repeat(512)).is_ok());
        assert_eq!(
            reference("x".repeat(513)),
            Err(ReferenceError::TooLong(513))
        );
        assert_eq!(
            reference("é".repeat(257)),
            Err(ReferenceError::TooLong(514))
        );
    }

    #[test]
    fn the_longest_ids_make_references() {
        let id = "x".repeat(ID_BYTES_MAX);
        let event_id = event_id(Account::NAME, &id, Version::new(i64::MAX));
        for made in [
            Reference::of("transfer", &id),
            Reference::of("bonus", &event_id),
        ] {
            assert_eq!(reference(made.to_string()), Ok(made));
        }
    }

    #[test]
    fn control_characters_are_refused() {
        assert_eq!(reference("a\nb"), Err(ReferenceError::ControlCharacter));
    }
}
