//! What the projection `accounts` leaves in its tables after a whole history.

use std::collections::BTreeMap;

use millrace_domain::bank::accounts::Accounts;
use millrace_eventsourcing::{Cell, EventEnvelope, Projection as _, Row};
use proptest::prelude::*;

use super::*;
use crate::topics::{envelopes, recorded_at};

/// Tables as a store keeps them: in every cell the write with the highest stamp.
#[derive(Debug, Default, PartialEq)]
struct Tables(BTreeMap<(&'static str, Vec<Cell>, &'static str), (i64, Cell)>);

impl Tables {
    fn apply(&mut self, row: &Row, stamp: i64) {
        for (column, cell) in row.table.columns.iter().zip(&row.cells) {
            let place = (row.table.name, row.key().to_vec(), column.name);
            let is_newer = self.0.get(&place).is_none_or(|(last, _)| *last < stamp);
            if *cell != Cell::Unset && is_newer {
                self.0.insert(place, (stamp, cell.clone()));
            }
        }
    }

    fn cell(&self, table: &'static str, column: &'static str) -> &Cell {
        &self.0[&(table, vec![Cell::from("acc-1")], column)].1
    }
}

fn tables<'a>(events: impl IntoIterator<Item = &'a EventEnvelope<AccountEvent>>) -> Tables {
    let mut tables = Tables::default();
    for event in events {
        for row in Accounts::project("acc-1", event) {
            tables.apply(&row, event.version.get());
        }
    }
    tables
}

#[test]
fn a1_rows_show_the_last_event_that_changed_them() {
    let tables = tables(&envelopes(scenarios::story().history()));
    for (table, column, expected) in [
        ("accounts", "balance", Cell::Bigint(5_000)),
        ("accounts", "email", "john.snow@golang.example".into()),
        ("accounts", "status", "open".into()),
        ("accounts", "opened_at", recorded_at(1).into()),
        ("accounts", "version", Cell::Bigint(8)),
        ("accounts", "updated_at", recorded_at(8).into()),
        ("users", "email", "john.snow@golang.example".into()),
        ("users", "password_hash", SECOND_HASH.into()),
        ("users", "version", Cell::Bigint(6)),
        ("users", "updated_at", recorded_at(6).into()),
    ] {
        assert_eq!(tables.cell(table, column), &expected, "{table}.{column}");
    }
}

proptest! {
    #[test]
    fn rows_end_as_the_fold_in_whatever_order_events_are_applied(
        (events, shuffled) in properties::history().prop_flat_map(|events| {
            let twice = [envelopes(&events), envelopes(&events)].concat();
            (Just(events), Just(twice).prop_shuffle())
        }),
    ) {
        let straight = tables(&envelopes(&events));
        prop_assert_eq!(&tables(&shuffled), &straight);
        let folded = given::<Account>(events);
        let account = folded.state().unwrap();
        prop_assert_eq!(straight.cell("accounts", "balance"), &Cell::Bigint(account.balance));
        prop_assert_eq!(straight.cell("accounts", "email"), &Cell::from(&account.email));
        prop_assert_eq!(straight.cell("users", "email"), &Cell::from(&account.email));
        let status = if account.closed { "closed" } else { "open" };
        prop_assert_eq!(straight.cell("accounts", "status"), &Cell::from(status));
        let hash = account.password_hash.as_ref().map(PasswordHash::as_str);
        prop_assert_eq!(straight.cell("users", "password_hash"), &Cell::from(hash));
    }
}
