//! The aggregate `contacts.contact`: one name, until it is deleted. Its id stays taken.

use millrace_eventsourcing::{Aggregate, Context, Decision, Rejection, Schemas};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::text::filled;

/// A contact that was added. Field names and order are those of its published state schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// As typed.
    pub name: String,
    /// Whether it is gone; nothing can be asked of it then.
    pub deleted: bool,
}

/// A command to one contact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum ContactCommand {
    /// Adds it, under an id that was never used.
    AddContact {
        /// Not blank.
        name: Option<String>,
    },
    /// Gives it another name, or the same again.
    UpdateContact {
        /// Not blank.
        name: Option<String>,
    },
    /// Ends it.
    DeleteContact {},
}

/// A fact about one contact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ContactEvent {
    /// It is there.
    ContactAdded {
        /// As typed.
        name: String,
    },
    /// It has another name.
    ContactUpdated {
        /// As typed.
        name: String,
    },
    /// It is gone.
    ContactDeleted {},
}

/// A business no of a contact.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ContactRejection {
    /// No name, or a blank one.
    #[error("name is missing or blank")]
    NameRequired,
    /// The id is taken, perhaps by a contact that was deleted.
    #[error("contact `{0}` exists already, or did")]
    AlreadyExists(String),
    /// Never added, or deleted.
    #[error("there is no contact `{0}`")]
    NotFound(String),
}

impl Rejection for ContactRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::NameRequired => "name_required",
            Self::AlreadyExists(_) => "already_exists",
            Self::NotFound(_) => "not_found",
        }
    }
}

impl Aggregate for Contact {
    const NAME: &'static str = "contacts.contact";
    const SCHEMAS: Schemas = Schemas {
        commands: include_str!("../../../../schemas/contacts/contact.commands.avsc"),
        events: include_str!("../../../../schemas/contacts/contact.events.avsc"),
        state: include_str!("../../../../schemas/contacts/contact.state.avsc"),
    };

    type Command = ContactCommand;
    type Event = ContactEvent;
    type Rejection = ContactRejection;

    fn decide(
        state: Option<&Self>,
        command: &ContactCommand,
        context: &Context<'_>,
    ) -> Result<Decision<ContactEvent>, ContactRejection> {
        let is_there = state.is_some_and(|contact| !contact.deleted);
        let event = match command {
            ContactCommand::AddContact { name } => {
                let name = named(name.as_deref())?;
                if state.is_some() {
                    return Err(ContactRejection::AlreadyExists(context.id.to_owned()));
                }
                ContactEvent::ContactAdded { name }
            }
            ContactCommand::UpdateContact { name } => {
                let name = named(name.as_deref())?;
                if !is_there {
                    return Err(ContactRejection::NotFound(context.id.to_owned()));
                }
                ContactEvent::ContactUpdated { name }
            }
            ContactCommand::DeleteContact {} if is_there => ContactEvent::ContactDeleted {},
            ContactCommand::DeleteContact {} => {
                return Err(ContactRejection::NotFound(context.id.to_owned()));
            }
        };
        Ok(Decision::from(event))
    }

    /// What happened to a contact that was never added leaves it so; `decide` never says such a
    /// thing.
    fn evolve(state: Option<Self>, event: &ContactEvent) -> Option<Self> {
        match event {
            ContactEvent::ContactAdded { name } => Some(Self {
                name: name.clone(),
                deleted: false,
            }),
            ContactEvent::ContactUpdated { name } => Some(Self {
                name: name.clone(),
                ..state?
            }),
            ContactEvent::ContactDeleted {} => Some(Self {
                deleted: true,
                ..state?
            }),
        }
    }
}

fn named(name: Option<&str>) -> Result<String, ContactRejection> {
    let name = filled(name).ok_or(ContactRejection::NameRequired)?;
    Ok(name.to_owned())
}
