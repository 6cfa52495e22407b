//! What the projection `products` leaves in its table.

use millrace_domain::shop::{PRODUCTS, Products};
use millrace_eventsourcing::{Cell, ColumnType, Projection as _};

use super::*;
use crate::tables::{Tables, assert_any_order_ends_the_same, assert_published};
use crate::topics::{envelopes, recorded_at};

fn created_in(category_id: Option<&str>) -> ProductEvent {
    ProductEvent::ProductCreated(ProductCreated {
        name: " Laptop".to_owned(),
        price: PRICE,
        stock: 5,
        category_id: category_id.map(str::to_owned),
    })
}

fn assert_row(history: &[ProductEvent], stock: i64, category_id: Option<&str>) {
    let version = i64::try_from(history.len()).unwrap();
    Tables::of::<Products>("p-1", &envelopes(history)).assert_row(
        &PRODUCTS,
        &[
            ("id", "p-1".into()),
            ("name", " Laptop".into()),
            ("price", PRICE.into()),
            ("stock", stock.into()),
            ("category_id", Cell::from(category_id)),
            ("version", version.into()),
            ("updated_at", recorded_at(version).into()),
        ],
    );
}

fn history() -> [ProductEvent; 4] {
    [
        created_in(Some("computers")),
        reserved(2, 2 * PRICE, 3),
        stock_set(7),
        reserved(7, 7 * PRICE, 0),
    ]
}

#[test]
fn the_row_shows_the_stock_that_is_left() {
    let history = history();
    for (length, stock) in [(1, 5), (2, 3), (3, 7), (4, 0)] {
        assert_row(&history[..length], stock, Some("computers"));
    }
}

#[test]
fn a_product_without_category_shows_none() {
    assert_row(&[created_in(None)], 5, None);
}

#[test]
fn the_row_ends_the_same_in_whatever_order_events_are_applied() {
    assert_any_order_ends_the_same::<Products>("p-1", &history());
}

#[test]
fn the_table_is_the_published_one() {
    use ColumnType::{Bigint, Text, Timestamp};
    assert_eq!(Products::NAME, "products");
    assert_eq!(Products::TABLES, [&PRODUCTS]);
    assert_published(
        &PRODUCTS,
        "products",
        &[
            ("id", Text),
            ("name", Text),
            ("price", Bigint),
            ("stock", Bigint),
            ("category_id", Text),
            ("version", Bigint),
            ("updated_at", Timestamp),
        ],
        (1, &[]),
    );
}
