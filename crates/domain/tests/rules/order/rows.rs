//! What the projection `orders` leaves in its tables.

use millrace_domain::shop::{ORDERS, ORDERS_BY_USER, Orders};
use millrace_eventsourcing::{Cell, ColumnType, Order as Direction, Projection as _};

use super::*;
use crate::tables::{Tables, assert_any_order_ends_the_same, assert_published};
use crate::topics::{envelopes, recorded_at};

/// What the rows show besides what was ordered.
struct Shown {
    status: &'static str,
    total_price: Option<i64>,
    reason: Option<&'static str>,
    version: i64,
}

fn assert_rows(history: &[OrderEvent], shown: &Shown) {
    let tables = Tables::of::<Orders>("o-1", &envelopes(history));
    let created_at = || ("created_at", Cell::from(recorded_at(1)));
    let total_price = || ("total_price", Cell::from(shown.total_price));
    tables.assert_row(
        &ORDERS,
        &[
            ("id", "o-1".into()),
            ("user_email", EMAIL.into()),
            ("product_id", "p-1".into()),
            ("quantity", Cell::Bigint(2)),
            total_price(),
            ("status", shown.status.into()),
            ("reason", Cell::from(shown.reason)),
            created_at(),
            ("version", shown.version.into()),
        ],
    );
    tables.assert_row(
        &ORDERS_BY_USER,
        &[
            ("user_email", "u@x".into()),
            created_at(),
            ("id", "o-1".into()),
            ("product_id", "p-1".into()),
            ("quantity", Cell::Bigint(2)),
            total_price(),
            ("status", shown.status.into()),
        ],
    );
}

#[test]
fn an_order_is_pending_until_it_ends() {
    let pending = Shown {
        status: "pending",
        total_price: None,
        reason: None,
        version: 1,
    };
    assert_rows(&[placed(2)], &pending);
    // Nothing that a row shows has changed.
    assert_rows(&[placed(2), user_confirmed(2)], &pending);
}

#[test]
fn a_confirmed_order_shows_its_price() {
    let history = [placed(2), user_confirmed(2), confirmed(259_998)];
    let confirmed = Shown {
        status: "confirmed",
        total_price: Some(259_998),
        reason: None,
        version: 3,
    };
    assert_rows(&history, &confirmed);
}

#[test]
fn a_rejected_order_shows_the_reason() {
    let rejection = |version| Shown {
        status: "rejected",
        total_price: None,
        reason: Some("user_inactive"),
        version,
    };
    let rejected = || rejected("user_inactive");
    assert_rows(&[placed(2), rejected()], &rejection(2));
    let late = [placed(2), user_confirmed(2), rejected()];
    assert_rows(&late, &rejection(3));
}

#[test]
fn the_rows_end_the_same_in_whatever_order_events_are_applied() {
    for history in histories() {
        assert_any_order_ends_the_same::<Orders>("o-1", &history);
    }
}

#[test]
fn the_tables_are_the_published_ones() {
    use ColumnType::{Bigint, Text, Timestamp};
    assert_eq!(Orders::NAME, "orders");
    assert_eq!(Orders::TABLES, [&ORDERS, &ORDERS_BY_USER]);
    assert_published(
        &ORDERS,
        "orders",
        &[
            ("id", Text),
            ("user_email", Text),
            ("product_id", Text),
            ("quantity", Bigint),
            ("total_price", Bigint),
            ("status", Text),
            ("reason", Text),
            ("created_at", Timestamp),
            ("version", Bigint),
        ],
        (1, &[]),
    );
    assert_published(
        &ORDERS_BY_USER,
        "orders_by_user",
        &[
            ("user_email", Text),
            ("created_at", Timestamp),
            ("id", Text),
            ("product_id", Text),
            ("quantity", Bigint),
            ("total_price", Bigint),
            ("status", Text),
        ],
        (1, &[Direction::Descending, Direction::Ascending]),
    );
}
