//! What the projection `transfers` leaves in its table.

use std::collections::BTreeMap;

use millrace_domain::bank::transfers::{TRANSFERS, Transfers};
use millrace_eventsourcing::{Cell, Projection as _};
use proptest::prelude::*;

use super::*;

/// The one row as a store keeps it: in every cell the write with the highest stamp.
type Cells = BTreeMap<&'static str, (i64, Cell)>;

fn row<'a>(events: impl IntoIterator<Item = &'a EventEnvelope<TransferEvent>>) -> Cells {
    let mut cells = Cells::new();
    for event in events {
        let stamp = event.version.get();
        for row in Transfers::project("t-1", event) {
            assert_eq!(row.table, &TRANSFERS);
            for (column, cell) in row.table.columns.iter().zip(row.cells) {
                let kept = cells.get(column.name).map_or(0, |(stamp, _)| *stamp);
                if cell != Cell::Unset && kept < stamp {
                    cells.insert(column.name, (stamp, cell));
                }
            }
        }
    }
    cells
}

fn assert_row(history: &[TransferEvent], status: &str, reason: Option<&str>) {
    let version = i64::try_from(history.len()).unwrap();
    let expected = [
        ("id", Some("t-1".into())),
        ("from_account", Some("acc-1".into())),
        ("to_account", Some("acc-2".into())),
        ("amount", Some(Cell::Bigint(AMOUNT))),
        ("status", Some(status.into())),
        ("reason", reason.map(Cell::from)),
        ("version", Some(Cell::Bigint(version))),
        ("updated_at", Some(recorded_at(version).into())),
    ];
    let row = row(&envelopes(history));
    for (column, expected) in expected {
        let cell = row.get(column).map(|(_, cell)| cell.clone());
        assert_eq!(cell, expected, "{column}");
    }
}

#[test]
fn the_row_shows_how_far_the_transfer_has_come() {
    assert_row(&[requested()], "requested", None);
    assert_row(&[requested(), withdrawn()], "withdrawn", None);
    assert_row(&[requested(), withdrawn(), completed()], "completed", None);
    let failed = failed("not_found");
    assert_row(&[requested(), failed], "failed", Some("not_found"));
}

#[test]
fn a_refused_deposit_is_still_withdrawn_and_tells_the_reason() {
    let mut history = vec![requested(), withdrawn(), deposit_refused("account_closed")];
    assert_row(&history, "withdrawn", Some("account_closed"));
    history.push(failed("account_closed"));
    assert_row(&history, "failed", Some("account_closed"));
}

#[test]
fn the_table_is_the_published_one() {
    assert_eq!(Transfers::NAME, "transfers");
    assert_eq!(TRANSFERS.name, "transfers");
    let names: Vec<_> = TRANSFERS.columns.iter().map(|column| column.name).collect();
    assert_eq!(
        names,
        [
            "id",
            "from_account",
            "to_account",
            "amount",
            "status",
            "reason",
            "version",
            "updated_at"
        ]
    );
}

proptest! {
    #[test]
    fn the_row_ends_the_same_in_whatever_order_events_are_applied(
        shuffled in Just([
            requested(),
            withdrawn(),
            deposit_refused("not_found"),
            failed("not_found"),
        ])
        .prop_map(|events| [envelopes(&events), envelopes(&events)].concat())
        .prop_shuffle(),
    ) {
        let mut straight = shuffled.clone();
        straight.sort_by_key(|event| event.version);
        prop_assert_eq!(row(&shuffled), row(&straight));
    }
}
