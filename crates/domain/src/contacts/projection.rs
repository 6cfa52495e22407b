//! The projection `contacts`: every contact that is there, by id and in the order of adding.

use millrace_eventsourcing::{Cell, Column, EventEnvelope, Order, Projection, Row, Stamp, Table};

use super::contact::{Contact, ContactEvent};

/// One row for each contact that was not deleted.
pub static CONTACTS: Table = Table {
    name: "contacts",
    columns: &[
        Column::text("id"),
        Column::text("name"),
        Column::timestamp("last_updated"),
        Column::bigint("version"),
    ],
    partition_key: 1,
    clustering: &[],
    stamp: Stamp::Version,
};

/// The same by the month in which they were added, oldest first.
pub static CONTACTS_BY_ADDED: Table = Table {
    name: "contacts_by_added",
    columns: &[
        Column::text("month"),
        Column::timestamp("added_at"),
        Column::text("id"),
        Column::text("name"),
        Column::timestamp("last_updated"),
    ],
    partition_key: 1,
    clustering: &[Order::Ascending, Order::Ascending],
    stamp: Stamp::Version,
};

/// Fills `contacts.contacts` and `contacts.contacts_by_added`.
#[derive(Debug)]
pub struct Contacts;

impl Projection for Contacts {
    type Aggregate = Contact;

    const NAME: &'static str = "contacts";
    const REVISION: i32 = 1;
    const TABLES: &'static [&'static Table] = &[&CONTACTS, &CONTACTS_BY_ADDED];

    fn project(id: &str, event: &EventEnvelope<ContactEvent>) -> Vec<Row> {
        let key = [
            ("month", Cell::from(event.created_at.month())),
            ("added_at", event.created_at.into()),
            ("id", id.into()),
        ];
        match &event.payload {
            ContactEvent::ContactAdded { name } | ContactEvent::ContactUpdated { name } => {
                let contact = [
                    ("id", id.into()),
                    ("name", Cell::from(name)),
                    ("last_updated", event.recorded_at.into()),
                    ("version", event.version.into()),
                ];
                let [month, added_at, by_id] = key;
                let by_added = [
                    month,
                    added_at,
                    by_id,
                    ("name", Cell::from(name)),
                    ("last_updated", event.recorded_at.into()),
                ];
                vec![
                    Row::upsert(&CONTACTS, contact),
                    Row::upsert(&CONTACTS_BY_ADDED, by_added),
                ]
            }
            ContactEvent::ContactDeleted {} => vec![
                Row::delete(&CONTACTS, [("id", id.into())]),
                Row::delete(&CONTACTS_BY_ADDED, key),
            ],
        }
    }
}
