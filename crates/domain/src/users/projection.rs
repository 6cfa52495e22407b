//! The projection `users`: every user by id, by address, and newest first.

use millrace_eventsourcing::{Cell, Column, EventEnvelope, Order, Projection, Row, Stamp, Table};

use super::user::{User, UserEvent, UserRegistered};

/// One row for each user.
pub static USERS: Table = Table {
    name: "users",
    columns: &[
        Column::text("id"),
        Column::text("name"),
        Column::text("email"),
        Column::boolean("active"),
        Column::timestamp("created_at"),
        Column::bigint("version"),
        Column::timestamp("updated_at"),
    ],
    partition_key: 1,
    clustering: &[],
    stamp: Stamp::Version,
};

/// The same by normalised address, which is the aggregate's id.
pub static USERS_BY_EMAIL: Table = Table {
    name: "users_by_email",
    columns: &[
        Column::text("email"),
        Column::text("id"),
        Column::text("name"),
        Column::boolean("active"),
        Column::timestamp("created_at"),
        Column::bigint("version"),
    ],
    partition_key: 1,
    clustering: &[],
    stamp: Stamp::Version,
};

/// The same by the month of their registration, newest first.
pub static USERS_NEWEST_FIRST: Table = Table {
    name: "users_newest_first",
    columns: &[
        Column::text("month"),
        Column::timestamp("created_at"),
        Column::text("id"),
        Column::text("name"),
        Column::text("email"),
        Column::boolean("active"),
    ],
    partition_key: 1,
    clustering: &[Order::Descending, Order::Ascending],
    stamp: Stamp::Version,
};

/// Fills `users.users`, `users.users_by_email` and `users.users_newest_first`.
#[derive(Debug)]
pub struct Users;

impl Projection for Users {
    type Aggregate = User;

    const NAME: &'static str = "users";
    const REVISION: i32 = 1;
    const TABLES: &'static [&'static Table] = &[&USERS, &USERS_BY_EMAIL, &USERS_NEWEST_FIRST];

    fn project(email: &str, event: &EventEnvelope<UserEvent>) -> Vec<Row> {
        match &event.payload {
            UserEvent::UserRegistered(registered) => registered_rows(email, event, registered),
            UserEvent::UserDeactivated { user_id } => changed(email, event, (user_id, false)),
            UserEvent::UserReactivated { user_id } => changed(email, event, (user_id, true)),
        }
    }
}

type Envelope = EventEnvelope<UserEvent>;

fn registered_rows(email: &str, event: &Envelope, registered: &UserRegistered) -> Vec<Row> {
    let id = || ("id", Cell::from(&registered.user_id));
    let name = || ("name", Cell::from(&registered.username));
    let typed_email = || ("email", Cell::from(&registered.email));
    let created_at = || ("created_at", event.created_at.into());
    let active = || ("active", true.into());
    let version = || ("version", event.version.into());
    let month = ("month", event.created_at.month().into());
    let updated_at = ("updated_at", event.recorded_at.into());
    let user = [
        id(),
        name(),
        typed_email(),
        active(),
        created_at(),
        version(),
        updated_at,
    ];
    let by_email = [
        ("email", email.into()),
        id(),
        name(),
        active(),
        created_at(),
        version(),
    ];
    let newest_first = [month, created_at(), id(), name(), typed_email(), active()];
    vec![
        Row::upsert(&USERS, user),
        Row::upsert(&USERS_BY_EMAIL, by_email),
        Row::upsert(&USERS_NEWEST_FIRST, newest_first),
    ]
}

fn changed(email: &str, event: &Envelope, (id, active): (&String, bool)) -> Vec<Row> {
    let active = || ("active", active.into());
    let version = || ("version", event.version.into());
    let user = [
        ("id", id.into()),
        active(),
        version(),
        ("updated_at", event.recorded_at.into()),
    ];
    let newest_first = [
        ("month", event.created_at.month().into()),
        ("created_at", event.created_at.into()),
        ("id", id.into()),
        active(),
    ];
    vec![
        Row::upsert(&USERS, user),
        Row::upsert(
            &USERS_BY_EMAIL,
            [("email", email.into()), active(), version()],
        ),
        Row::upsert(&USERS_NEWEST_FIRST, newest_first),
    ]
}
