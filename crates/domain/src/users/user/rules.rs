//! The rules of a user. They check in the order in which the codes are published, and answer with
//! the user's id.

use millrace_eventsourcing::Context;

use super::{USERNAME_CHARACTERS, User, UserRegistered, UserRejection, normalise_email};
use crate::email::is_address;
use crate::text::filled;

/// An address is taken for good, whatever becomes of the user.
pub(super) fn register(
    user: Option<&User>,
    (username, email): (Option<&str>, Option<&str>),
    context: &Context<'_>,
) -> Result<UserRegistered, UserRejection> {
    let username = filled(username).ok_or(UserRejection::UsernameRequired)?;
    let characters = username.trim().chars().count();
    if !USERNAME_CHARACTERS.contains(&characters) {
        return Err(UserRejection::InvalidUsername { characters });
    }
    let email = filled(email).ok_or(UserRejection::EmailRequired)?;
    let normalised = normalise_email(email);
    if !is_address(&normalised) {
        return Err(UserRejection::InvalidEmail);
    }
    if normalised != context.id {
        let (email, id) = (normalised.into_owned(), context.id.to_owned());
        return Err(UserRejection::KeyMismatch { email, id });
    }
    if user.is_some() {
        return Err(UserRejection::AlreadyExists(context.id.to_owned()));
    }
    Ok(UserRegistered {
        user_id: context.new_ulid(),
        username: username.to_owned(),
        email: email.to_owned(),
    })
}

pub(super) fn deactivate(user: Option<&User>, id: &str) -> Result<String, UserRejection> {
    let user = known(user, id)?;
    if !user.active {
        return Err(UserRejection::AlreadyInactive(id.to_owned()));
    }
    Ok(user.user_id.clone())
}

pub(super) fn reactivate(user: Option<&User>, id: &str) -> Result<String, UserRejection> {
    let user = known(user, id)?;
    if user.active {
        return Err(UserRejection::AlreadyActive(id.to_owned()));
    }
    Ok(user.user_id.clone())
}

pub(super) fn require_active(user: Option<&User>, id: &str) -> Result<String, UserRejection> {
    let user = known(user, id)?;
    if !user.active {
        return Err(UserRejection::Inactive(id.to_owned()));
    }
    Ok(user.user_id.clone())
}

fn known<'a>(user: Option<&'a User>, id: &str) -> Result<&'a User, UserRejection> {
    user.ok_or_else(|| UserRejection::NotFound(id.to_owned()))
}
