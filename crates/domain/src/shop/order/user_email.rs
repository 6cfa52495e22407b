//! Who orders.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::id::{Id, IdError};
use crate::users::user::normalise_email;

/// The address of the user who orders, as typed. It normalises to an id, so that the user can be
/// asked; whether there is such a user only the user's own aggregate can tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserEmail(String);

/// A text under which there can be no user.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the user's e-mail address cannot be an id")]
pub struct UserEmailError(#[source] IdError);

impl TryFrom<String> for UserEmail {
    type Error = UserEmailError;

    fn try_from(typed: String) -> Result<Self, UserEmailError> {
        let id = normalise_email(&typed).into_owned();
        Id::try_from(id).map_err(UserEmailError)?;
        Id::try_from(typed)
            .map(String::from)
            .map(Self)
            .map_err(UserEmailError)
    }
}

impl From<UserEmail> for String {
    fn from(email: UserEmail) -> Self {
        email.0
    }
}

impl fmt::Display for UserEmail {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
