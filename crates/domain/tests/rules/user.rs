//! `users.user`.

mod activity;
mod decoding;
mod published;
mod registering;
mod rows;
mod ulids;

use millrace_domain::users::user::{User, UserCommand, UserEvent, UserRegistered};
use millrace_testkit::{Given, given};

/// The id of the aggregate.
const ID: &str = "u@x";
const ULID: &str = "01HF7YAT00M8CV2K5Q9WXJ3NDZ";

/// `u@x`, to whom this has happened.
fn user(events: impl IntoIterator<Item = UserEvent>) -> Given<User> {
    given(events).id(ID)
}

fn register(username: Option<&str>, email: Option<&str>) -> UserCommand {
    UserCommand::RegisterUser {
        username: username.map(str::to_owned),
        email: email.map(str::to_owned),
    }
}

fn deactivate() -> UserCommand {
    UserCommand::DeactivateUser {}
}

fn reactivate() -> UserCommand {
    UserCommand::ReactivateUser {}
}

fn require_active() -> UserCommand {
    UserCommand::RequireActive {}
}

fn registered_as(user_id: &str, username: &str, email: &str) -> UserEvent {
    UserEvent::UserRegistered(UserRegistered {
        user_id: user_id.to_owned(),
        username: username.to_owned(),
        email: email.to_owned(),
    })
}

fn registered() -> UserEvent {
    registered_as(ULID, "ada", " U@x ")
}

fn deactivated() -> UserEvent {
    UserEvent::UserDeactivated {
        user_id: ULID.to_owned(),
    }
}

fn reactivated() -> UserEvent {
    UserEvent::UserReactivated {
        user_id: ULID.to_owned(),
    }
}

/// The registration that a history begins with.
fn registration(after: &Given<User>) -> &UserRegistered {
    match after.history().first() {
        Some(UserEvent::UserRegistered(registered)) => registered,
        other => panic!("no registration: {other:?}"),
    }
}
