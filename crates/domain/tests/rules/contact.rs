//! `contacts.contact`.

mod decoding;
mod published;
mod rows;
mod rules;

use millrace_domain::contacts::contact::{Contact, ContactCommand, ContactEvent};
use millrace_testkit::{Given, given};

/// `k-1`, to which this has happened.
fn contact(events: impl IntoIterator<Item = ContactEvent>) -> Given<Contact> {
    given(events).id("k-1")
}

fn add(name: Option<&str>) -> ContactCommand {
    ContactCommand::AddContact {
        name: name.map(str::to_owned),
    }
}

fn update(name: Option<&str>) -> ContactCommand {
    ContactCommand::UpdateContact {
        name: name.map(str::to_owned),
    }
}

fn delete() -> ContactCommand {
    ContactCommand::DeleteContact {}
}

fn added(name: &str) -> ContactEvent {
    ContactEvent::ContactAdded {
        name: name.to_owned(),
    }
}

fn updated(name: &str) -> ContactEvent {
    ContactEvent::ContactUpdated {
        name: name.to_owned(),
    }
}

fn deleted() -> ContactEvent {
    ContactEvent::ContactDeleted {}
}
