//! What the projection `users` leaves in its tables.

use millrace_domain::users::{USERS, USERS_BY_EMAIL, USERS_NEWEST_FIRST, Users};
use millrace_eventsourcing::{Cell, ColumnType, Order, Projection as _};

use super::*;
use crate::tables::{Tables, assert_any_order_ends_the_same, assert_published};
use crate::topics::{MONTH, envelopes, recorded_at};

fn assert_rows(history: &[UserEvent], active: bool) {
    let version = i64::try_from(history.len()).unwrap();
    let tables = Tables::of::<Users>(ID, &envelopes(history));
    let created_at = || ("created_at", Cell::from(recorded_at(1)));
    tables.assert_row(
        &USERS,
        &[
            ("id", ULID.into()),
            ("name", "ada".into()),
            ("email", " U@x ".into()),
            ("active", active.into()),
            created_at(),
            ("version", version.into()),
            ("updated_at", recorded_at(version).into()),
        ],
    );
    tables.assert_row(
        &USERS_BY_EMAIL,
        &[
            ("email", "u@x".into()),
            ("id", ULID.into()),
            ("name", "ada".into()),
            ("active", active.into()),
            created_at(),
            ("version", version.into()),
        ],
    );
    tables.assert_row(
        &USERS_NEWEST_FIRST,
        &[
            ("month", MONTH.into()),
            created_at(),
            ("id", ULID.into()),
            ("name", "ada".into()),
            ("email", " U@x ".into()),
            ("active", active.into()),
        ],
    );
}

#[test]
fn the_rows_show_who_is_registered_and_active() {
    let history = [registered(), deactivated(), reactivated(), deactivated()];
    assert_rows(&history[..1], true);
    assert_rows(&history[..2], false);
    assert_rows(&history[..3], true);
    assert_rows(&history[..4], false);
}

#[test]
fn the_rows_end_the_same_in_whatever_order_events_are_applied() {
    let history = [registered(), deactivated(), reactivated(), deactivated()];
    assert_any_order_ends_the_same::<Users>(ID, &history);
}

#[test]
fn the_tables_are_the_published_ones() {
    use ColumnType::{Bigint, Boolean, Text, Timestamp};
    assert_eq!(Users::NAME, "users");
    assert_eq!(
        Users::TABLES,
        [&USERS, &USERS_BY_EMAIL, &USERS_NEWEST_FIRST]
    );
    assert_published(
        &USERS,
        "users",
        &[
            ("id", Text),
            ("name", Text),
            ("email", Text),
            ("active", Boolean),
            ("created_at", Timestamp),
            ("version", Bigint),
            ("updated_at", Timestamp),
        ],
        (1, &[]),
    );
    assert_published(
        &USERS_BY_EMAIL,
        "users_by_email",
        &[
            ("email", Text),
            ("id", Text),
            ("name", Text),
            ("active", Boolean),
            ("created_at", Timestamp),
            ("version", Bigint),
        ],
        (1, &[]),
    );
    assert_published(
        &USERS_NEWEST_FIRST,
        "users_newest_first",
        &[
            ("month", Text),
            ("created_at", Timestamp),
            ("id", Text),
            ("name", Text),
            ("email", Text),
            ("active", Boolean),
        ],
        (1, &[Order::Descending, Order::Ascending]),
    );
}
