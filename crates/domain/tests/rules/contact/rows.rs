//! What the projection `contacts` leaves in its tables.

use millrace_domain::contacts::{CONTACTS, CONTACTS_BY_ADDED, Contacts};
use millrace_eventsourcing::{Cell, ColumnType, Order, Projection as _, Row};

use super::*;
use crate::tables::{Tables, assert_any_order_ends_the_same, assert_published};
use crate::topics::{MONTH, envelopes, recorded_at};

fn tables(history: &[ContactEvent]) -> Tables {
    Tables::of::<Contacts>("k-1", &envelopes(history))
}

fn assert_rows(history: &[ContactEvent], name: &str) {
    let version = i64::try_from(history.len()).unwrap();
    let tables = tables(history);
    let last_updated = || ("last_updated", Cell::from(recorded_at(version)));
    tables.assert_row(
        &CONTACTS,
        &[
            ("id", "k-1".into()),
            ("name", name.into()),
            last_updated(),
            ("version", version.into()),
        ],
    );
    tables.assert_row(
        &CONTACTS_BY_ADDED,
        &[
            ("month", MONTH.into()),
            ("added_at", recorded_at(1).into()),
            ("id", "k-1".into()),
            ("name", name.into()),
            last_updated(),
        ],
    );
}

#[test]
fn the_rows_show_the_last_name() {
    let history = [added("Ada"), updated("Eve"), updated("Ada")];
    assert_rows(&history[..1], "Ada");
    assert_rows(&history[..2], "Eve");
    assert_rows(&history[..3], "Ada");
}

#[test]
fn a_deleted_contact_has_no_row() {
    for history in [
        vec![added("Ada"), deleted()],
        vec![added("Ada"), updated("Eve"), deleted()],
    ] {
        tables(&history).assert_empty(&CONTACTS);
        tables(&history).assert_empty(&CONTACTS_BY_ADDED);
    }
}

#[test]
fn a_deletion_names_the_rows_and_nothing_in_them() {
    let last = envelopes(&[added("Ada"), deleted()]).pop().unwrap();
    let rows = Contacts::project("k-1", &last);
    assert_eq!(rows.len(), 2);
    for row in rows {
        assert!(row.is_gone);
        let behind_the_key = &row.cells[row.table.key_len()..];
        assert!(behind_the_key.iter().all(|cell| *cell == Cell::Unset));
    }
}

#[test]
#[should_panic(expected = "only the key says which row of table `contacts` is gone")]
fn a_deletion_with_more_than_the_key_is_a_slip() {
    let _ = Row::delete(&CONTACTS, [("id", "k-1".into()), ("name", "Ada".into())]);
}

#[test]
#[should_panic(expected = "key column `added_at` of table `contacts_by_added` is not set")]
fn a_deletion_with_less_than_the_key_is_a_slip() {
    let _ = Row::delete(
        &CONTACTS_BY_ADDED,
        [("month", MONTH.into()), ("id", "k-1".into())],
    );
}

#[test]
fn the_rows_end_the_same_in_whatever_order_events_are_applied() {
    let history = [added("Ada"), updated("Eve"), updated("Ada"), deleted()];
    assert_any_order_ends_the_same::<Contacts>("k-1", &history);
}

#[test]
fn the_tables_are_the_published_ones() {
    use ColumnType::{Bigint, Text, Timestamp};
    assert_eq!(Contacts::NAME, "contacts");
    assert_eq!(Contacts::TABLES, [&CONTACTS, &CONTACTS_BY_ADDED]);
    assert_published(
        &CONTACTS,
        "contacts",
        &[
            ("id", Text),
            ("name", Text),
            ("last_updated", Timestamp),
            ("version", Bigint),
        ],
        (1, &[]),
    );
    assert_published(
        &CONTACTS_BY_ADDED,
        "contacts_by_added",
        &[
            ("month", Text),
            ("added_at", Timestamp),
            ("id", Text),
            ("name", Text),
            ("last_updated", Timestamp),
        ],
        (1, &[Order::Ascending, Order::Ascending]),
    );
}
