//! Why a user refuses a command.

use millrace_eventsourcing::Rejection;
use thiserror::Error;

use super::USERNAME_CHARACTERS;

/// A business no of a user.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UserRejection {
    /// No username, or a blank one.
    #[error("username is missing or blank")]
    UsernameRequired,
    /// Too short or too long.
    #[error(
        "username has {characters} characters, it must have {} to {}",
        USERNAME_CHARACTERS.start(),
        USERNAME_CHARACTERS.end()
    )]
    InvalidUsername {
        /// How many it has.
        characters: usize,
    },
    /// No address, or a blank one.
    #[error("email is missing or blank")]
    EmailRequired,
    /// What was given is no address.
    #[error("email is no e-mail address")]
    InvalidEmail,
    /// The address is another one than the one that the command was sent to.
    #[error("email normalises to `{email}`, but the command was sent to `{id}`")]
    KeyMismatch {
        /// The address, normalised.
        email: String,
        /// The aggregate's id.
        id: String,
    },
    /// The address is taken.
    #[error("user `{0}` exists already")]
    AlreadyExists(String),
    /// Nobody was registered under the address.
    #[error("there is no user `{0}`")]
    NotFound(String),
    /// Deactivated before.
    #[error("user `{0}` is inactive already")]
    AlreadyInactive(String),
    /// Never deactivated, or reactivated before.
    #[error("user `{0}` is active already")]
    AlreadyActive(String),
    /// Must be active, and is not.
    #[error("user `{0}` is inactive")]
    Inactive(String),
}

impl Rejection for UserRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::UsernameRequired => "username_required",
            Self::InvalidUsername { .. } => "invalid_username",
            Self::EmailRequired => "email_required",
            Self::InvalidEmail => "invalid_email",
            Self::KeyMismatch { .. } => "key_mismatch",
            Self::AlreadyExists(_) => "user_already_exists",
            Self::NotFound(_) => "not_found",
            Self::AlreadyInactive(_) => "already_inactive",
            Self::AlreadyActive(_) => "already_active",
            Self::Inactive(_) => "user_inactive",
        }
    }
}
