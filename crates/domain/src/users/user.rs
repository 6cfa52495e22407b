//! The aggregate `users.user`: one registration. Its id is the e-mail address, so that an address
//! can be registered once; everybody else knows the user by `user_id`.

mod rejection;
mod rules;

use std::borrow::Cow;
use std::ops::RangeInclusive;

use millrace_eventsourcing::{Aggregate, Context, Decision, Schemas};
use serde::{Deserialize, Serialize};
use serde_json::json;

pub use rejection::UserRejection;

/// How many characters a username may have, blanks around it apart.
pub const USERNAME_CHARACTERS: RangeInclusive<usize> = 3..=50;

/// A registered user. Field names and order are those of the published state schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// A ULID, made when the user was registered.
    pub user_id: String,
    /// Whether the user may act.
    pub active: bool,
}

/// A command to one user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum UserCommand {
    /// Registers somebody under an address that was never used.
    RegisterUser {
        /// 3 to 50 characters.
        username: Option<String>,
        /// Normalises to the aggregate's id.
        email: Option<String>,
    },
    /// Takes the right to act.
    DeactivateUser {},
    /// Gives it back.
    ReactivateUser {},
    /// Asks whether the user may act; changes nothing.
    RequireActive {},
}

/// A fact about one user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum UserEvent {
    /// See [`UserRegistered`].
    UserRegistered(UserRegistered),
    /// The user may not act.
    UserDeactivated {
        /// A ULID.
        user_id: String,
    },
    /// The user may act again.
    UserReactivated {
        /// A ULID.
        user_id: String,
    },
}

/// Somebody is registered, and active.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRegistered {
    /// A ULID.
    pub user_id: String,
    /// As typed.
    pub username: String,
    /// As typed.
    pub email: String,
}

/// The form in which addresses are compared: trimmed, ASCII letters in lower case.
pub fn normalise_email(typed: &str) -> Cow<'_, str> {
    let trimmed = typed.trim();
    if trimmed.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Cow::Owned(trimmed.to_ascii_lowercase());
    }
    Cow::Borrowed(trimmed)
}

impl Aggregate for User {
    const NAME: &'static str = "users.user";
    const SCHEMAS: Schemas = Schemas {
        commands: include_str!("../../../../schemas/users/user.commands.avsc"),
        events: include_str!("../../../../schemas/users/user.events.avsc"),
        state: include_str!("../../../../schemas/users/user.state.avsc"),
    };

    type Command = UserCommand;
    type Event = UserEvent;
    type Rejection = UserRejection;

    fn normalise_id(id: &str) -> Cow<'_, str> {
        normalise_email(id)
    }

    /// Whatever is accepted tells the user's id.
    fn decide(
        state: Option<&Self>,
        command: &UserCommand,
        context: &Context<'_>,
    ) -> Result<Decision<UserEvent>, UserRejection> {
        let (user_id, decision) = match command {
            UserCommand::RegisterUser { username, email } => {
                let (username, email) = (username.as_deref(), email.as_deref());
                let registered = rules::register(state, (username, email), context)?;
                (
                    registered.user_id.clone(),
                    UserEvent::UserRegistered(registered).into(),
                )
            }
            UserCommand::DeactivateUser {} => {
                let user_id = rules::deactivate(state, context.id)?;
                (
                    user_id.clone(),
                    UserEvent::UserDeactivated { user_id }.into(),
                )
            }
            UserCommand::ReactivateUser {} => {
                let user_id = rules::reactivate(state, context.id)?;
                (
                    user_id.clone(),
                    UserEvent::UserReactivated { user_id }.into(),
                )
            }
            UserCommand::RequireActive {} => (
                rules::require_active(state, context.id)?,
                Decision::nothing(),
            ),
        };
        Ok(decision.with_result(json!({ "user_id": user_id })))
    }

    /// What happened to a user who was never registered leaves it so; `decide` never says such a
    /// thing.
    fn evolve(state: Option<Self>, event: &UserEvent) -> Option<Self> {
        match event {
            UserEvent::UserRegistered(registered) => Some(Self {
                user_id: registered.user_id.clone(),
                active: true,
            }),
            UserEvent::UserDeactivated { user_id: _ } => Some(Self {
                active: false,
                ..state?
            }),
            UserEvent::UserReactivated { user_id: _ } => Some(Self {
                active: true,
                ..state?
            }),
        }
    }
}
